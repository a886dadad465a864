"""
What presences prove of the time between them: docs/specs/004-verification.md has the table that this follows.

    presences, stop marks ──▶ spans of whole minutes: `working` where the machine ran and was awake all through,
                              else why it is not proven

Assumed: a supervisor writes a stop mark whenever the agent ends and the machine goes on, and an agent that is awake
measures every minute. Without that nothing could be told from a gap at all.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.evidence import Presence, Stop

SECOND_NS = 1_000_000_000
TOLERANCE_S = 5.0  # clocks are set in small steps, and uptimes are read a moment later
ASLEEP_S = 1.0  # the kernel's two clocks differ by less while a machine is awake
UNSYNCED_NS = 3600 * SECOND_NS  # batches of a boot without a clock follow the next boot's first ones
_SHUTDOWN = "shutdown"


class Span(NamedTuple):
    """Whole minutes [start_ns, end_ns) with one cause."""

    start_ns: int
    end_ns: int
    cause: Cause


class Known(NamedTuple):
    """Spans without holes from the first to the last instant asked about; `open_ns` begins a gap without an end."""

    spans: list[Span]
    open_ns: int | None


def explain(
    presence: Sequence[Presence],
    stops: Sequence[Stop],
    unsynced_ns: Sequence[int],
    start_ns: int,
    end_ns: int,
) -> Known:
    """Return what is known of [start_ns, end_ns), on whole minutes; presences are sorted, one a minute."""
    spans = _Spans(start_ns, end_ns)
    before: Presence | None = None
    has_woken = False
    for after in presence:
        if before is None:
            spans.add(_first(after, start_ns))
            has_woken = _has_slept(after)
        elif _is_steady(before, after) and not has_woken:
            spans.extend(after.time_ns)
        else:
            gap = _Gap(before, after, stops, unsynced_ns)
            spans.add(gap.spans(has_woken))
            has_woken = gap.has_slept
        before = after
    open_ns = before.time_ns if before else start_ns
    if before and open_ns < end_ns:
        spans.add(_tail(before, stops))
    return Known(spans.finish(), open_ns if open_ns < end_ns else None)


class _Spans:
    """Spans in order, joined where they go on, clipped to what was asked about."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self._start_ns, self._end_ns = start_ns, end_ns
        self._found: list[Span] = []
        self._at_ns = start_ns

    def extend(self, to_ns: int) -> None:
        """Go on with proven time: the usual case."""
        self._put(to_ns, Cause.WORKING)

    def add(self, spans: Iterator[Span]) -> None:
        for _, end_ns, cause in spans:
            self._put(end_ns, cause)

    def finish(self) -> list[Span]:
        self._put(self._end_ns, Cause.UNKNOWN)
        return self._found

    def _put(self, end_ns: int, cause: Cause) -> None:
        end_ns = min(end_ns, self._end_ns)
        if end_ns <= self._at_ns:
            return
        if self._found and self._found[-1].cause is cause:
            self._found[-1] = Span(self._found[-1].start_ns, end_ns, cause)
        else:
            self._found.append(Span(self._at_ns, end_ns, cause))
        self._at_ns = end_ns


def _is_steady(before: Presence, after: Presence) -> bool:
    """Tell whether two presences follow each other within a minute of one boot, awake."""
    return (
        after.time_ns - before.time_ns == MINUTE_NS
        and after.boot == before.boot
        and after.asleep_s - before.asleep_s < ASLEEP_S
    )


def _has_slept(presence: Presence) -> bool:
    return presence.asleep_s >= ASLEEP_S


def _boot_ns(presence: Presence) -> int:
    return presence.time_ns - round(presence.uptime_s * SECOND_NS)


def _floor(time_ns: int) -> int:
    return time_ns - time_ns % MINUTE_NS


def _last_off(boot_ns: int) -> int:
    """Return the last minute in which a machine was off: one that booted on the minute ran all through it."""
    return _floor(boot_ns - 1)


def _first(after: Presence, start_ns: int) -> Iterator[Span]:
    """Yield what is known before the first presence of all."""
    minute = _last_off(_boot_ns(after))
    yield Span(start_ns, minute, Cause.UNKNOWN)
    yield Span(minute, minute + MINUTE_NS, Cause.POWER_OFF)
    yield from _from_boot(after, minute + MINUTE_NS)


def _from_boot(after: Presence, start_ns: int) -> Iterator[Span]:
    """Yield the time from the first whole minute of a boot to its first presence, whose own minute it proves."""
    slept = _has_slept(after)
    own_ns = after.time_ns - MINUTE_NS
    yield Span(start_ns, own_ns, Cause.UNKNOWN if slept else Cause.AGENT_DOWN)
    if own_ns >= start_ns:
        yield Span(own_ns, after.time_ns, Cause.UNKNOWN if slept else Cause.WORKING)


def _tail(before: Presence, stops: Sequence[Stop]) -> Iterator[Span]:
    """Yield what is known after the last presence; what is not said is unknown."""
    mark = _last_mark(stops, before.boot, before.time_ns, None)
    if mark:
        minute = _floor(mark.time_ns)
        yield Span(before.time_ns, minute, Cause.AGENT_DOWN)
        cause = Cause.POWER_OFF if _is_shutdown(mark) else Cause.AGENT_DOWN
        yield Span(max(minute, before.time_ns), minute + MINUTE_NS, cause)


def _last_mark(stops: Sequence[Stop], boot: str, start_ns: int, end_ns: int | None) -> Stop | None:
    marks = [
        stop
        for stop in stops
        if stop.boot == boot and stop.time_ns >= start_ns and (end_ns is None or stop.time_ns < end_ns)
    ]
    return marks[-1] if marks else None


def _is_shutdown(mark: Stop) -> bool:
    return mark.reason.startswith(_SHUTDOWN)


class _Gap:
    """The time between two presences that do not simply follow each other."""

    def __init__(self, before: Presence, after: Presence, stops: Sequence[Stop], unsynced_ns: Sequence[int]) -> None:
        self.before, self.after = before, after
        self._stops = [stop for stop in stops if before.time_ns <= stop.time_ns < after.time_ns]
        self._has_unsynced = any(before.time_ns < at <= after.time_ns + UNSYNCED_NS for at in unsynced_ns)
        self.is_same_boot = before.boot == after.boot
        self.slept_s = after.asleep_s - before.asleep_s if self.is_same_boot else 0.0
        self.has_slept = self.slept_s >= ASLEEP_S if self.is_same_boot else _has_slept(after)

    def spans(self, has_woken: bool) -> Iterator[Span]:
        """Yield the spans from the one presence to the other; the minute after a wake may have begun asleep."""
        start_ns = self.before.time_ns
        if has_woken:
            start_ns += MINUTE_NS
            yield Span(self.before.time_ns, start_ns, Cause.UNKNOWN)
        if not self.is_same_boot:
            yield from self._reboot(start_ns)
        elif self.has_slept:
            yield from self._sleep(start_ns)
        else:
            own_ns = self.after.time_ns - MINUTE_NS
            yield Span(start_ns, own_ns, Cause.AGENT_DOWN if self._is_same_clock() else Cause.UNKNOWN)
            yield Span(max(own_ns, start_ns), self.after.time_ns, Cause.WORKING)

    def _is_same_clock(self) -> bool:
        passed_s = (self.after.time_ns - self.before.time_ns) / SECOND_NS
        return abs(self.after.uptime_s - self.before.uptime_s - passed_s) <= TOLERANCE_S

    def _sleep(self, start_ns: int) -> Iterator[Span]:
        """Yield a sleep: it began in the first minute, maybe at its very end; it ended before the presence was read."""
        passed_s = (self.after.time_ns - self.before.time_ns) / SECOND_NS
        is_all = self.slept_s > passed_s - 120 and not self._stops
        first_ns = self.before.time_ns + MINUTE_NS
        yield Span(start_ns, first_ns, Cause.UNKNOWN)
        yield Span(first_ns, self.after.time_ns, Cause.ASLEEP if is_all else Cause.UNKNOWN)

    def _reboot(self, start_ns: int) -> Iterator[Span]:
        boot_ns = _boot_ns(self.after)
        minute = _last_off(boot_ns)
        if boot_ns < self.before.time_ns - TOLERANCE_S * SECOND_NS:
            yield Span(start_ns, self.after.time_ns, Cause.UNKNOWN)  # two machines, or a clock that went astray
            return
        yield from self._until_boot(start_ns, minute)
        yield Span(max(minute, start_ns), minute + MINUTE_NS, Cause.POWER_OFF)
        yield from _from_boot(self.after, minute + MINUTE_NS)

    def _until_boot(self, start_ns: int, boot_minute_ns: int) -> Iterator[Span]:
        """Yield the time from the last presence to the minute of the next boot."""
        mark = _last_mark(self._stops, self.before.boot, self.before.time_ns, None)
        others = {stop.boot for stop in self._stops} - {self.before.boot, self.after.boot}
        off = Cause.UNKNOWN if self._has_unsynced or others else Cause.POWER_OFF
        if mark is None:
            first_ns = max(start_ns, self.before.time_ns + MINUTE_NS)
            if first_ns <= boot_minute_ns:
                yield Span(start_ns, first_ns, Cause.UNKNOWN)
            yield Span(first_ns, boot_minute_ns, off)
            return
        minute = _floor(mark.time_ns)
        yield Span(start_ns, minute, Cause.AGENT_DOWN)
        if _is_shutdown(mark):
            yield Span(max(minute, start_ns), boot_minute_ns, off)
            return
        if minute < boot_minute_ns:
            yield Span(max(minute, start_ns), minute + MINUTE_NS, Cause.AGENT_DOWN)
        yield Span(minute + MINUTE_NS, boot_minute_ns, Cause.UNKNOWN)
