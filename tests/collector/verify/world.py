"""
A small world whose truth is known, to try the verifier with: nothing of the verifier's rules is used in it.

It goes by the millisecond: power, sleep, the agent, the gateway and a service, each with the times in which it is down.
An agent lives in it as the docs say: it takes a round at its start, at its phase of each minute, and soon after it woke
up; a round that asks a network that is down takes longer, and is lost when the end comes meanwhile; what was found
before the clock is right waits for it; the supervisor leaves a mark after each end, and starts the agent again.
"""

from collections.abc import Iterator
from typing import NamedTuple

from collector.verify.evidence import Presence, Reading, Stop

MINUTE = 60_000
NS = 1_000_000  # in a millisecond
Times = tuple[tuple[int, int], ...]  # [since, until) in ms


class Kill(NamedTuple):
    """The agent ends at an instant; it is started again after a while, or (None) only by the next boot."""

    at: int
    again_after: int | None


class World(NamedTuple):
    """
    What happens, in ms from the begin.

    `shutdowns` are the numbers of times `off` that are orderly ones: the agent's end leaves a mark, and the machine
    lives on for `shutdown_takes`. `clockless` are the numbers of boots that never get the time. `ahead` is how far the
    clock is ahead in each boot until `right_after`. `every` is how often the service is asked, at `ask_phase`.
    """

    length: int
    phase: int
    off: Times = ()
    shutdowns: tuple[int, ...] = ()
    asleep: Times = ()
    kills: tuple[Kill, ...] = ()
    lan_down: Times = ()
    service_down: Times = ()
    start_delay: int = 20_000
    sync_delay: int = 30_000
    clockless: tuple[int, ...] = ()
    every: int = 60_000
    ask_phase: int = 30_000
    ahead: int = 0
    right_after: int = 0
    shutdown_takes: int = 0


class _Round(NamedTuple):
    """What a round found: the instant, the gateway, and what was asked since the one before."""

    at: int
    lan: int
    asked: tuple[tuple[int, bool], ...]


class _Boot(NamedTuple):
    number: int
    on: int
    off: int
    synced: int | None
    spool: list[_Round]  # waits for the time
    marks: list[Stop]


def is_in(times: Times, at: int) -> bool:
    """Tell whether an instant lies in one of the times."""
    return any(since <= at < until for since, until in times)


def touches(times: Times, since: int, until: int) -> bool:
    """Tell whether some of [since, until) lies in one of the times."""
    return any(a < until and since < b for a, b in times)


class Life:
    """The agents of all boots of a world, what they asked, and what they reported in the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.presence: list[Presence] = []
        self.stops: list[Stop] = []
        self.readings: list[Reading] = []
        self.unsynced_ns: list[int] = []
        self.asked: list[tuple[int, bool]] = []
        self.sampled: list[tuple[int, int]] = []  # (label, lan)
        self._claimed: set[int] = set()
        self._is_held = False
        on = 0
        for number, (since, until) in enumerate((*world.off, (world.length, world.length))):
            self._boot(number, on, since)
            on = until

    def _boot(self, number: int, on: int, off: int) -> None:
        world = self.world
        synced = None if number in world.clockless else on + world.sync_delay
        boot = _Boot(number, on, off, synced, [], [])
        start = on + world.start_delay
        shutdown = self._shutdown(number, start, off)
        end = off if shutdown is None else shutdown
        while start < off:
            kill = next((one for one in world.kills if start <= one.at < end), None)
            self._agent(boot, start, kill.at if kill else end)
            if kill is None:
                if shutdown is not None:
                    boot.marks.append(Stop(end * NS, str(number), "shutdown success exited 0", self._slept(on, end)))
                break
            boot.marks.append(Stop(kill.at * NS, str(number), "signal killed KILL", self._slept(on, kill.at)))
            if kill.again_after is None:
                break
            start = kill.at + kill.again_after
        if any(row.boot == str(number) for row in self.presence):
            self.stops += boot.marks
        elif boot.marks:
            self._is_held = True
        self._is_held = self._is_held or bool(boot.spool)

    def _shutdown(self, number: int, start: int, off: int) -> int | None:
        """Return when the services of a boot are stopped for an orderly end; an agent must live to see it, awake."""
        at = off - self.world.shutdown_takes
        is_orderly = number in self.world.shutdowns and off < self.world.length
        return at if is_orderly and start < at and not touches(self.world.asleep, at - 1, off) else None

    def _agent(self, boot: _Boot, start: int, end: int) -> None:
        """Live one agent; what it found is lost unless a round was kept before the end."""
        asked: list[tuple[int, bool]] = []
        for at, instants in self._rounds(boot, start, end):
            asked += [(instant, not is_in(self.world.service_down, instant)) for instant in instants]
            self.asked += asked[len(asked) - len(instants) :]
            lan = int(not is_in(self.world.lan_down, at))
            self.sampled.append((at - at % MINUTE, lan))
            if self._awake_after(at, 200 if lan else 9_000) >= end:
                return
            boot.spool.append(_Round(at, lan, tuple(asked)))
            asked = []
            if boot.synced is not None and at >= boot.synced:
                self._date(boot, at)

    def _rounds(self, boot: _Boot, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the instant of each round, and the instants at which the service was asked before it."""
        world = self.world
        at = asked_to = self._awake_after(start, 0)
        while at < end:
            first = asked_to + (world.ask_phase - asked_to) % world.every
            yield at, [instant for instant in range(first, at, world.every) if not is_in(world.asleep, instant)]
            asked_to = at
            phase = world.phase if boot.synced is not None and at >= boot.synced else (boot.on + 58_000) % MINUTE
            due = at + MINUTE - (at - phase) % MINUTE
            at = due if not is_in(world.asleep, due) else self._awake_after(due, 14_000)

    def _awake_after(self, at: int, needed: int) -> int:
        """Return when the machine, from an instant on, has been awake for that long."""
        for since, until in self.world.asleep:
            if until <= at:
                continue
            if at + needed < since:
                break
            needed -= max(0, since - at)
            at = until
        return at + needed

    def _date(self, boot: _Boot, now: int) -> None:
        """Report all that waits, by the clock as it is now."""
        ahead = self.world.ahead if now < boot.on + self.world.right_after else 0
        if self._is_held:
            self.unsynced_ns.append((now + ahead) * NS)
            self._is_held = False
        for at, lan, asked in boot.spool:
            self.readings += [Reading((i + ahead) * NS, float(ok), "" if ok else "connect") for i, ok in asked]
            label = (at + ahead) // MINUTE * MINUTE
            uptime = label - ahead - boot.on
            if uptime > 0 and label not in self._claimed:
                self._claimed.add(label)
                slept_s = self._slept(boot.on, at)
                self.presence.append(Presence(label * NS, str(boot.number), uptime / 1000, slept_s, lan, 1))
        boot.spool.clear()

    def _slept(self, on: int, at: int) -> float:
        """Return for how long the machine had slept in the boot that began at `on`, s."""
        return sum(max(0, min(until, at) - max(since, on)) for since, until in self.world.asleep) / 1000

    def truth(self, minute: int, *, asks_lan: bool, asks_service: bool) -> tuple[bool, bool]:
        """
        Tell whether a minute was good, and whether it may be called so: these differ where answers did.

        Good: powered and awake all through, and what is asked for worked at each instant of asking; where it was not
        asked in the minute, at the last one before for as long as that holds.
        """
        end = minute + MINUTE
        if touches(self.world.off, minute, end) or touches(self.world.asleep, minute, end):
            return False, False
        answers: list[list[bool]] = []
        if asks_lan:
            answers.append([bool(lan) for label, lan in self.sampled if label == end])
        if asks_service:
            own = [works for at, works in self.asked if minute <= at < end]
            answers.append(
                own or [ok for at, ok in self.asked if minute - self.world.every * 3 // 2 < at < minute][-1:]
            )
        return all(all(some) for some in answers), all(any(some) or not some for some in answers)
