"""
Where the rollout of a version to the agents that pull stands: a state machine without clock, store or files.

    start ──▶ RUNNING: wave by wave ──▶ DONE
                │  ▲        a wave that fails goes back to the previous version
          stop, │  │ resume
         failed ▼  │
               STOPPED ──▶ rollback ──▶ ROLLED_BACK      (of RUNNING and DONE too)

Each step returns the next state, with a line in its journal. What devices are told follows from the state: `plan`.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from collector.fleet.judgement import Judgement, Outcome, State
from collector.fleet.signed import next_number
from collector.fleet.waves import Wave
from contract.errors import SantongError

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")  # devices take no other


class RolloutError(SantongError):
    """A step that cannot be taken; the message says why, and what can be done."""


class Status(StrEnum):
    """What a rollout is doing."""

    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    ROLLED_BACK = "rolled_back"


class Step(NamedTuple):
    """A line of the journal: what happened (a code), to which wave, and the figures or reasons beside it."""

    at_ms: int
    by: str
    what: str
    wave: str = ""
    detail: str = ""


class Plan(NamedTuple):
    """
    What devices are told: the version of each agent that is named, and the default of all others.

    `number` grows with each change: a device obeys no plan with a lower one than it has seen.
    """

    number: int
    made_ms: int
    default: str
    agents: dict[str, str]


class Rollout(NamedTuple):
    """
    A rollout: `wave` is the index of the current one, which has its version since `since_ms`.

    `is_withdrawn`: it failed, and its agents are back on the previous version. `settled` are those of it that were
    found good already, `failing` those that it did not do well by. `number` and `made_ms` are those of the plan.
    """

    id: int
    version: str
    previous: str
    waves: tuple[Wave, ...]
    number: int
    made_ms: int
    since_ms: int
    wave: int = 0
    status: Status = Status.RUNNING
    is_withdrawn: bool = False
    settled: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    journal: tuple[Step, ...] = ()

    @property
    def current(self) -> Wave:
        """The current wave."""
        return self.waves[self.wave]

    def plan(self) -> Plan:
        """Return what devices are told now."""
        if self.status is Status.ROLLED_BACK:
            return Plan(self.number, self.made_ms, self.previous, {})
        last = max((index for index, wave in enumerate(self.waves) if wave.agents), default=0)
        # With the last wave everybody is meant, those too that the roster had not at the start.
        if self.status is Status.DONE or (self.wave == last and not self.is_withdrawn):
            return Plan(self.number, self.made_ms, self.version, {})
        told = self.waves[: self.wave + (not self.is_withdrawn)]
        return Plan(
            self.number, self.made_ms, self.previous, {name: self.version for wave in told for name in wave.agents}
        )

    def as_json(self) -> dict[str, Any]:
        """Return what is written down, and what `--json` prints."""
        return self._asdict() | {
            "waves": [wave._asdict() for wave in self.waves],
            "journal": [step._asdict() for step in self.journal],
        }

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Rollout":
        """Return the rollout that was written down."""
        known = {name: tree[name] for name in cls._fields}
        return cls(
            **known
            | {
                "waves": tuple(Wave(wave["name"], tuple(wave["agents"])) for wave in tree["waves"]),
                "status": Status(tree["status"]),
                "settled": tuple(tree["settled"]),
                "failing": tuple(tree["failing"]),
                "journal": tuple(Step(**step) for step in tree["journal"]),
            }
        )


class Moment(NamedTuple):
    """When a step is taken, and by whom."""

    at_ms: int
    by: str


def start(
    before: Rollout | None, version: str, previous: str, waves: Sequence[Wave], number: int, moment: Moment
) -> Rollout:
    """Return a new rollout whose first wave has the version; `number` is greater than that of any plan so far."""
    if before and before.status in (Status.RUNNING, Status.STOPPED):
        raise RolloutError(
            f"{before.version} is {before.status}: `santong rollout rollback` takes it back, "
            "`santong rollout resume` goes on with it"
        )
    for name in (version, previous):
        if not _VERSION.fullmatch(name):
            raise RolloutError(f"{name!r} is not a version such as 1.2.0")
    if version == previous:
        raise RolloutError(f"{version} is the previous version too: there is nothing to roll out")
    if not any(wave.agents for wave in waves):
        raise RolloutError("the roster has no agent that pulls its releases: there is nobody to roll out to")
    begun = Rollout(
        (before.id if before else 0) + 1, version, previous, tuple(waves), number, moment.at_ms, moment.at_ms
    )
    first = _next(begun, 0)
    assert first is not None  # noqa: S101  some wave has agents
    begun = begun._replace(wave=first)
    return _said(_said(begun, moment, "started", detail=f"{previous} → {version}"), moment, "began", begun)


def advance(rollout: Rollout, judgement: Judgement, moment: Moment) -> Rollout:
    """Return what becomes of a running rollout after a look at its wave; the same while that cannot be told."""
    if rollout.status is not Status.RUNNING:
        return rollout
    if judgement.outcome is Outcome.OPEN:
        return _remembering(rollout, judgement)
    figures = ", ".join(f"{state} {count}" for state, count in judgement.counts.items() if count)
    if judgement.outcome is Outcome.FAILED:
        why = ", ".join(f"{code} {detail}" for code, detail in judgement.reasons)
        stopped = rollout._replace(status=Status.STOPPED, is_withdrawn=True)
        return _said(_changed(stopped, moment), moment, "failed", rollout, f"{why} ({figures})")
    passed = _said(rollout, moment, "passed", rollout, figures)
    following = _next(passed, passed.wave + 1)
    if following is None:
        return _said(_changed(passed._replace(status=Status.DONE), moment), moment, "done")
    begun = passed._replace(wave=following, since_ms=moment.at_ms, settled=(), failing=())
    return _said(_changed(begun, moment), moment, "began", begun)


def stop(rollout: Rollout, moment: Moment, reason: str = "") -> Rollout:
    """Return a rollout that goes no further; who has the version keeps it."""
    if rollout.status is not Status.RUNNING:
        raise RolloutError(f"{rollout.version} is {rollout.status}: there is nothing to stop")
    return _said(rollout._replace(status=Status.STOPPED), moment, "stopped", rollout, reason)


def resume(rollout: Rollout, moment: Moment, reason: str = "") -> Rollout:
    """Return a rollout that goes on with its wave, which gets the version again where it was taken from it."""
    if rollout.status is not Status.STOPPED:
        raise RolloutError(f"{rollout.version} is {rollout.status}: there is nothing to resume")
    going = rollout._replace(status=Status.RUNNING)
    if rollout.is_withdrawn:
        going = _changed(going._replace(is_withdrawn=False, since_ms=moment.at_ms, settled=(), failing=()), moment)
    return _said(going, moment, "resumed", rollout, reason)


def rollback(rollout: Rollout, moment: Moment, reason: str = "") -> Rollout:
    """Return a rollout of which everybody goes back to the previous version."""
    if rollout.status is Status.ROLLED_BACK:
        raise RolloutError(f"{rollout.version} is {rollout.status} already")
    return _said(_changed(rollout._replace(status=Status.ROLLED_BACK), moment), moment, "rolled_back", detail=reason)


def renumbered(rollout: Rollout, number: int) -> Rollout:
    """Return a rollout whose plan has a number above one that devices may have seen already."""
    return rollout._replace(number=number)


def _remembering(rollout: Rollout, judgement: Judgement) -> Rollout:
    """Return a rollout that knows who was good and who was bad: a look sees hours, and a wave may take days."""
    members = {*rollout.current.agents}
    good = {told.agent for told in judgement.agents if told.state is State.GOOD}
    bad = {told.agent for told in judgement.agents if told.is_lasting}
    settled = ({*rollout.settled, *good} - bad) & members
    failing = ({*rollout.failing, *bad} - good) & members
    return rollout._replace(settled=tuple(sorted(settled)), failing=tuple(sorted(failing)))


def _next(rollout: Rollout, index: int) -> int | None:
    """Return the first wave from an index on that has agents."""
    return next((at for at in range(index, len(rollout.waves)) if rollout.waves[at].agents), None)


def _changed(rollout: Rollout, moment: Moment) -> Rollout:
    """Return a rollout with a new plan."""
    return rollout._replace(number=next_number(rollout.number, moment.at_ms), made_ms=moment.at_ms)


def _said(rollout: Rollout, moment: Moment, what: str, of: Rollout | None = None, detail: str = "") -> Rollout:
    step = Step(moment.at_ms, moment.by, what, of.current.name if of else "", detail)
    return rollout._replace(journal=(*rollout.journal, step))
