"""What the gate is asked, by which rules it judges, and what it says."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """What the gate says of a wave."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"  # cannot be told, yet


class State(StrEnum):
    """What is said of one agent of a wave; all but the first two are not judged."""

    GOOD = "good"
    BAD = "bad"
    OFF = "off"  # nothing came from it since: switched off, or cut off
    BEHIND = "behind"  # it is there, and runs another version
    EARLY = "early"  # it came up with the version too short a time ago
    SILENT = "silent"  # it came up with the version, and nothing comes any more: switched off, perhaps


class Rules(NamedTuple):
    """
    The thresholds, each with its reason.

    `minutes`           that an agent must be told of since its restart: five lose one by chance and are still 80 %
    `settle_s`          how old evidence must be to be counted on: agents send once a minute, and again after 30 s
    `least`             share of a wave that must be judged: less says little of the rest
    `least_alive`       the same of its agents that are there at all: the others of them must not be overtaken
    `most_bad`          share of bad ones, beyond that of the others: chance; of a few agents it allows none
    `most_missing`      share of minutes that one agent may miss beyond the others: a restart more, a slow disk
    `margin`            the same of the wave as a whole: single agents cannot show so little
    `least_volume`      lines a minute, before and since, beside the same of the others: what is measured changes little
    `least_volume_one`  the same of one agent, whose devices may be switched off: only half of it being gone is bad
    `chance`            probability that so many fall silent, were they as the others: below it is no accident
    `back_s`            how long before the restart is looked at
    """

    minutes: int = 5
    settle_s: float = 150.0
    least: float = 0.3
    least_alive: float = 0.5
    most_bad: float = 0.05
    most_missing: float = 0.2
    margin: float = 0.05
    least_volume: float = 0.7
    least_volume_one: float = 0.5
    chance: float = 0.01
    back_s: float = 3600.0


class Release(NamedTuple):
    """What was rolled out to a wave, and which time is looked at: from `since_ns` to `until_ns`, which is now."""

    version: str
    since_ns: int
    until_ns: int


class Told(NamedTuple):
    """What is said of one agent: `why` is a code for what is bad, `detail` the figure or name beside it."""

    agent: str
    state: State
    why: str = ""
    detail: str = ""

    @property
    def is_lasting(self) -> bool:
        """Tell that it is bad by what only a release does to an agent, and nothing that passes."""
        return self.state is State.BAD and self.why in ("went_back", "restarts", "refused", "fault", "before")


class Judgement(NamedTuple):
    """
    What the gate says of a wave, and all figures that it follows from.

    `reasons` are (code, detail). Completeness is the share of minutes that are there, `usual` of the others in the same
    minutes; volume is that of lines a minute since, beside before; None where nothing can be said.
    """

    outcome: Outcome
    reasons: tuple[tuple[str, str], ...]
    agents: tuple[Told, ...]
    completeness: float | None = None
    usual: float | None = None
    volume: float | None = None
    usual_volume: float | None = None
    others: int = 0

    @property
    def counts(self) -> Mapping[State, int]:
        """How many agents are in each state."""
        found = Counter(told.state for told in self.agents)
        return {state: found[state] for state in State}

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return self._asdict() | {
            "reasons": [{"code": code, "detail": detail} for code, detail in self.reasons],
            "counts": self.counts,
            "agents": [told._asdict() for told in self.agents],
        }
