"""
The life of a machine and of the agent on it: boots, sleep, ends of the agent.

    mains, people ──▶ boots ──▶ sleep
                        └─────▶ runs of the agent ──▶ its ends: killed, hung, shut down, cut off
"""

from typing import NamedTuple

from simulator.chance import Chance, hexadecimal
from simulator.faults import Fault, Mains
from simulator.people import Use, Wishes
from simulator.places import Thing
from simulator.rates import Rates
from simulator.spans import MINUTE, SECOND, Times

KILLED, CLEAN, SHUTDOWN = "signal killed KILL", "success exited 0", "shutdown success exited 0"
_FIRMWARE_S = (3, 12)
_AGENT_S = (12, 60)


class Boot(NamedTuple):
    """
    The time from a kernel's start to its end. `how` it ended: shutdown, button, cut (power), reboot or crash.

    `dated` is when its clock is right, None for never; `offset_ms` how far off by then, as clocks are never exact.
    """

    id: str
    start: int
    end: int
    how: str
    dated: int | None
    offset_ms: int


class Run(NamedTuple):
    """
    One start of the agent to its end. `mark` is what the supervisor wrote about the end, empty for nothing.

    `is_clean`: the agent was told to stop, and closed what was open. `pauses` are times in which it hung.
    """

    boot: Boot
    start: int
    end: int
    mark: str
    is_clean: bool
    pauses: Times
    version: str


class Machine(NamedTuple):
    """All of a machine's life."""

    boots: list[Boot]
    awake: Times
    asleep: Times
    runs: list[Run]
    faults: list[Fault]

    @property
    def running(self) -> Times:
        """When it was switched on, awake or not."""
        return Times((boot.start, boot.end) for boot in self.boots)

    @property
    def measuring(self) -> Times:
        """When its agent measured."""
        runs = Times((run.start, run.end) for run in self.runs)
        pauses = Times(pause for run in self.runs for pause in run.pauses)
        return runs.both(self.awake).without(pauses)


class Software(NamedTuple):
    """Which version the agent has, and when it gets the next one."""

    old: str
    new: str
    upgrade: int


def live(seed: int, thing: Thing, wishes: Wishes, mains: Mains, rates: Rates, software: Software) -> Machine:
    """Return the life of a machine."""
    chance = Chance(seed, thing.id, "machine")
    faults: list[Fault] = []
    boots = [boot for use in wishes.uses for boot in _sessions(chance, thing, use, mains, rates, faults)]
    running = Times((boot.start, boot.end) for boot in boots)
    asleep = Times(
        span for boot in boots for span in wishes.idle.within(boot.start + 3 * MINUTE, boot.end - 10 * SECOND)
    )
    asleep = Times(span for span in asleep if span.end - span.start > 30 * SECOND)
    runs = [
        run
        for boot in boots
        for run in _Agent(Chance(seed, thing.id, boot.id), thing, rates, software, faults).runs(boot, asleep)
    ]
    return Machine(boots, running.without(asleep), asleep, runs, faults)


def _sessions(chance: Chance, thing: Thing, use: Use, mains: Mains, rates: Rates, faults: list[Fault]) -> list[Boot]:
    found: list[Boot] = []
    for start, end in mains.power.within(use.start, use.end):
        how = ("shutdown" if use.is_clean else "button") if end == use.end else "cut"
        at = start + chance.between(*_FIRMWARE_S)
        events = [(when, "reboot") for when in chance.times(rates.reboot.a_day, start, end)]
        events += [(when, "crash") for when in chance.times(rates.crash.a_day, start, end)]
        for when, what in sorted(events):
            if when < at + 2 * MINUTE:
                continue
            kind = rates.reboot if what == "reboot" else rates.crash
            back = when + chance.long(*kind.lengths_s)
            found.append(_boot(chance, thing, at, when, what, mains))
            faults.append(Fault(what, thing.id, when, min(back, end)))
            at = back
        if at < end:
            found.append(_boot(chance, thing, at, end, how, mains))
    return found


def _boot(chance: Chance, thing: Thing, start: int, end: int, how: str, mains: Mains) -> Boot:
    number = hexadecimal(chance, 32)
    name = f"{number[:8]}-{number[8:12]}-4{number[13:16]}-a{number[17:20]}-{number[20:]}"
    online = mains.time.next(start + chance.between(*thing.clock_s))
    dated = online if online is not None and online < end else None
    return Boot(name, start, end, how, dated, chance.randint(-200, 200))


class _Agent:
    """The agent's runs within one boot."""

    def __init__(self, chance: Chance, thing: Thing, rates: Rates, software: Software, faults: list[Fault]) -> None:
        self._chance, self._thing, self._rates = chance, thing, rates
        self._software, self._faults = software, faults
        self._mark = "marked" if thing.has_marks else "unmarked"

    def runs(self, boot: Boot, asleep: Times) -> list[Run]:
        """Return the runs of a boot."""
        at = boot.start + self._chance.between(*_AGENT_S)
        found: list[Run] = []
        for when, what in self._events(boot, at):
            if (
                when <= at + 5 * SECOND
                or asleep.touches(when - SECOND, when + SECOND)
                or when >= boot.end - 15 * SECOND
            ):
                continue
            back = self._back(what, when, boot)
            found.append(self._run(boot, at, when, CLEAN if what == "upgrade" else KILLED, is_clean=what == "upgrade"))
            if what != "upgrade":
                self._faults.append(Fault(what, self._thing.id, when, min(back, boot.end), self._mark))
            at = back
        if at < boot.end:
            found.append(self._last(boot, at, asleep))
        return [self._hung(run) for run in found]

    def _events(self, boot: Boot, start: int) -> list[tuple[int, str]]:
        chance, rates = self._chance, self._rates
        events = [(when, "agent_killed") for when in chance.times(rates.killed.a_day, start, boot.end)]
        events += [(when, "agent_dead") for when in chance.times(rates.dead.a_day, start, boot.end)]
        if chance.happens(rates.killed_before_end):
            events.append((boot.end - chance.between(20, 1200), "agent_dead_at_end"))
        if start < self._software.upgrade < boot.end:
            events.append((self._software.upgrade, "upgrade"))
        return sorted(events)

    def _back(self, what: str, when: int, boot: Boot) -> int:
        """Return when the agent runs again."""
        if what == "upgrade":
            return when + self._chance.between(2, 8)
        if what == "agent_dead_at_end":
            return boot.end
        is_back = what == "agent_killed" and self._thing.has_marks
        return when + self._chance.long(*(self._rates.killed if is_back else self._rates.dead).lengths_s)

    def _last(self, boot: Boot, start: int, asleep: Times) -> Run:
        """Return the run that the end of the boot ends."""
        if boot.how not in ("shutdown", "reboot") or asleep.touches(boot.end - 10 * SECOND, boot.end):
            return self._run(boot, start, boot.end, "")
        end = max(start + 1, boot.end - self._chance.between(1, 6))
        return self._run(boot, start, end, SHUTDOWN, is_clean=True)

    def _run(self, boot: Boot, start: int, end: int, mark: str, *, is_clean: bool = False) -> Run:
        version = self._software.old if start < self._software.upgrade else self._software.new
        return Run(boot, start, end, mark if self._thing.has_marks else "", is_clean, Times(), version)

    def _hung(self, run: Run) -> Run:
        kind = self._rates.hang
        spans = self._chance.faults(kind.a_day, kind.lengths_s, run.start + MINUTE, run.end - MINUTE)
        pauses = Times(spans)
        self._faults += [Fault("agent_hung", self._thing.id, *span) for span in pauses]
        return run._replace(pauses=pauses) if pauses else run
