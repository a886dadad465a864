"""
Targets: what the programme promised, and which evidence proves it.

    criterion 判据 (good_when, hours) ─▶ a cause for each minute ─▶ counts ─▶ rule: is a unit good? ─▶ share of units

NamedTuples that `contract.settings` checks. `docs/targets.md` explains them with examples.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from collector.calendars.schedule import Hours
from collector.dates import Day as Day  # noqa: PLC0414  one of these types
from collector.verify.causes import Cause
from contract.settings import POSITIVE, Seconds, plain
from firmware_profiles.schema import Slug, Title

Counted = Literal["good", "bad", "unknown", "excluded"]


class Scope(NamedTuple):
    """Which devices and sites of the roster a target is about: all conditions that are given must fit; none: any."""

    role: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    county: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()


class Condition(NamedTuple):
    """
    One condition on a reading of the observed device.

    `reading` is measurement.field; `where` patterns for the measurement's own tags (`{kind: http}`). The value must be
    one of `equals`, or within `at_least` and `at_most`. A reading holds for `every`, the time to the next one.
    What a value that does not fit means is said by `otherwise` ({standby: asleep}), else by `cause`; `stage` names what
    failed, else the reading's own field `stage` does.
    """

    reading: str
    where: Mapping[str, str] = {}
    equals: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    otherwise: Mapping[str, Cause] = {}
    cause: Cause = Cause.SERVICE_DOWN
    stage: str = ""

    @property
    def measurement(self) -> str:
        """The measurement of the reading."""
        return self.reading.partition(".")[0]

    @property
    def field(self) -> str:
        """The field of the reading."""
        return self.reading.partition(".")[2]


class Proof(NamedTuple):
    """
    One way to prove that a device worked: all of these conditions, for devices with one of these profiles (none: any).

    The first proof that has evidence of the minute decides.
    """

    all: tuple[Condition, ...]
    profile: tuple[str, ...] = ()


class Criterion(NamedTuple):
    """What it takes for a minute to be good, and which minutes are asked about."""

    good_when: tuple[Proof, ...]
    hours: Hours

    @property
    def id(self) -> str:
        """A name that changes with its content: what was judged by another criterion is never taken for this one's."""
        key = (id(self.good_when), self.hours)
        known = _IDS.get(key)
        if known is None or known[0] is not self.good_when:
            text = json.dumps(plain(self.good_when), sort_keys=True, ensure_ascii=False)
            known = _IDS[key] = self.good_when, f"{self.hours}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
        return known[1]


# It is asked for with every device-day. The proofs are kept, so that no others get their address.
_IDS: dict[tuple[int, Hours], tuple[tuple[Proof, ...], str]] = {}


class Rule(NamedTuple):
    """
    When a unit is good: exactly one of these.

    `availability`: good ÷ (service − excluded) minutes is at least this share. `days`: on at least this share of school
    days the platform worked for at least `minutes` of lessons. `throughput_mbps`: the lower 95 % bound of the median
    in `direction` is at least this. `reporting`: any evidence of the unit in the period.
    """

    availability: float | None = None
    days: float | None = None
    minutes: Annotated[int, POSITIVE] = 40
    throughput_mbps: float | None = None
    direction: Literal["download", "upload"] = "download"
    reporting: bool = False


class Declared(NamedTuple):
    """A figure that nobody can measure: who declared what, and when. `value` is a share; None: not yet."""

    value: float | None = None
    source: str = ""
    on: Day | None = None


class Target(NamedTuple):
    """
    One promise.

    Kept when the share of good units is at least `share`, and their number at least `at_least` where it is given.
    `counts` says what each cause means here; `definition` which meaning of an unclear promise was taken.
    """

    id: Slug
    title: Title
    project: int | None = None
    deadline: Day | None = None
    evidence: Literal["measured", "declared"] = "measured"
    scope: Scope = Scope()
    unit: Literal["site", "class", "device"] = "device"
    hours: Hours = Hours.SERVICE
    good_when: tuple[Proof, ...] = ()
    counts: Mapping[Cause, Counted] = {}
    rule: Rule = Rule()
    share: float | None = None
    at_least: int | None = None
    after_deadline: Literal["not_proven", "fail"] = "not_proven"
    declared: Declared = Declared()
    definition: Title = Title("", "")
    source: str = ""

    @property
    def criterion(self) -> Criterion:
        """What it takes for a minute to be good."""
        return Criterion(self.good_when, self.hours)

    def meaning(self, cause: Cause) -> Counted:
        """Return what a cause counts as."""
        return self.counts.get(cause, DEFAULT_COUNTS[cause])


class Programme(NamedTuple):
    """A file of targets."""

    id: Slug
    title: Title
    source: str
    targets: tuple[Target, ...]


# Our own fault is no evidence against the school; an agreed interruption counts neither way.
DEFAULT_COUNTS: Mapping[Cause, Counted] = {
    Cause.WORKING: "good",
    Cause.SERVICE_DOWN: "bad",
    Cause.WAN_DOWN: "bad",
    Cause.LAN_DOWN: "bad",
    Cause.POWER_OFF: "bad",
    Cause.ASLEEP: "bad",
    Cause.AGENT_DOWN: "unknown",
    Cause.UNKNOWN: "unknown",
    Cause.EXCLUDED: "excluded",
}
