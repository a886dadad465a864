"""
What is known of every minute from an agent's presences, and of the gaps between them.

    presence       p                              q        label T: taken at T + o, 0 ≤ o < 60 s
    minutes     ───┤ T₁ │    │    │ ▼b │    │ T₂−1 ├───     b = T₂ − uptime: when q's boot began
    known       ran  ?    off  off  off  agent ran

The rules, and what they rest on, are in docs/specs/004-verification.md.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.evidence import Evidence, Presence, Stop
from collector.verify.steps import ALWAYS, Steps, minute_of

SECOND_NS = 1_000_000_000
# Clocks are read one after the other, and a sleep below this is none to anybody.
NO_SLEEP_S = 0.5
# How far a vouched clock may be moved between two presences before they contradict each other.
_STEP_S = 5.0
# How exactly a boot's begin is known, where the clock was not moved after it.
_BOOT_NS = SECOND_NS
# A stop mark is dated to a tenth of a second, and its agent's last presence was before it.
_MARK_NS = SECOND_NS // 2
# More time awake than that in a gap, and the agent did not live: it notices within 15 s that it woke up, and a round is
# never more than a minute away; the rest is what may lie outside of the gap in its first and its last minute.
_AWAKE_UNSEEN_NS = 190 * SECOND_NS

_Piece = tuple[int, Cause]  # from then on


class _Boot(NamedTuple):
    """Presences [first, end) in a row of one boot, which began between `low_ns` and `high_ns`."""

    first: int
    end: int
    low_ns: int
    high_ns: int


def known(evidence: Evidence) -> Steps[Cause]:
    """
    Return what is known of all time: `working` where the device ran and was awake all through the minute.

    What a target asks for beyond that is not looked at here.
    """
    presence = evidence.presence
    steps: Steps[Cause] = Steps(Cause.UNKNOWN)
    tail: Cause | None = None
    for boot in _boots(presence):
        before = presence[boot.first - 1] if boot.first else None
        tail = _put(steps, *_another_boot(evidence, boot, before), presence[boot.first].time_ns, tail)
        tail = _within_boot(steps, evidence, boot, tail)
    if presence:
        _put(steps, [(presence[-1].time_ns, Cause.UNKNOWN)], None, -ALWAYS, tail)
    return steps


def _boots(presence: Sequence[Presence]) -> Iterator[_Boot]:
    """Yield the boots; each presence says when its boot began, a step of the clock between them says how exactly."""
    first = 0
    while first < len(presence):
        boot = presence[first].boot
        low = high = _began(presence[first])
        end = first + 1
        while end < len(presence) and presence[end].boot == boot:
            began = _began(presence[end])
            if began < low:
                low = began
            elif began > high:
                high = began
            end += 1
        yield _Boot(first, end, low - _BOOT_NS, high + _BOOT_NS)
        first = end


def _began(presence: Presence) -> int:
    return presence.time_ns - max(0, round(presence.uptime_s * 1e9))


def _put(
    steps: Steps[Cause], pieces: list[_Piece], tail: Cause | None, end_ns: int, former: Cause | None
) -> Cause | None:
    """Add pieces up to `end_ns`; what the gap before says of their first minute goes before. Return their own tail."""
    if former is None:
        for start_ns, cause in pieces:
            steps.add(start_ns, cause)
        return tail
    first_ns = pieces[0][0]
    for number, (start_ns, cause) in enumerate(pieces):
        next_ns = pieces[number + 1][0] if number + 1 < len(pieces) else end_ns
        is_certain = cause in (Cause.POWER_OFF, Cause.ASLEEP)
        steps.add(start_ns, former if start_ns == first_ns and not is_certain else cause)
        if start_ns == first_ns and next_ns > first_ns + MINUTE_NS:
            steps.add(first_ns + MINUTE_NS, cause)
    return tail


def breaks(evidence: Evidence) -> list[int]:
    """Return when the agent ended or another boot began: what it had asked just before may be lost."""
    began = [boot.low_ns for boot in _boots(evidence.presence)]
    return sorted([*began, *(mark.time_ns for mark in evidence.stops)])


# ---- one boot


def _within_boot(steps: Steps[Cause], evidence: Evidence, boot: _Boot, tail: Cause | None) -> Cause | None:
    """Put what is known between the presences of a boot; return what the last gap says of the minute after it."""
    presence = evidence.presence
    before = presence[boot.first]
    for number in range(boot.first + 1, boot.end):
        after = presence[number]
        length_ns = after[0] - before[0]
        slept_s = after[3] - before[3]
        step_s = length_ns / 1e9 - (after[2] - before[2])
        if length_ns == MINUTE_NS and slept_s <= NO_SLEEP_S and -_STEP_S <= step_s <= _STEP_S and tail is None:
            steps.add(before[0], Cause.WORKING)
        elif length_ns > 0:
            tail = _put(steps, *_same_boot(evidence, before, after), after[0], tail)
        else:
            continue  # a second presence of a minute: the first one counts
        before = after
    return tail


def _same_boot(evidence: Evidence, before: Presence, after: Presence) -> tuple[list[_Piece], Cause | None]:
    first_ns, end_ns = before.time_ns, after.time_ns
    slept_s = after.asleep_s - before.asleep_s
    step_s = abs((end_ns - first_ns) / 1e9 - (after.uptime_s - before.uptime_s))
    if step_s > _STEP_S:
        return [(first_ns, Cause.UNKNOWN)], None
    if slept_s > NO_SLEEP_S:
        is_alive = evidence.has_marks and not any(
            first_ns <= mark.time_ns < end_ns + MINUTE_NS for mark in evidence.stops
        )
        return _sleep(first_ns, end_ns, round((slept_s - step_s) * 1e9), is_alive=is_alive)
    if end_ns - first_ns == MINUTE_NS:
        return [(first_ns, Cause.WORKING)], None
    return [(first_ns, Cause.AGENT_DOWN), (end_ns - MINUTE_NS, Cause.WORKING)], None


def _sleep(first_ns: int, end_ns: int, slept_ns: int, *, is_alive: bool) -> tuple[list[_Piece], Cause | None]:
    """
    Return the minutes from `first_ns` with some sleep in them, and what it says of the minute after `end_ns`.

    All sleep lies between an instant of the first minute and one of the minute after: in [first, end + 60 s). Time
    awake in there is what remains. Below a minute no minute was awake all through. Else, while the agent lived, those
    between had been reported if they had been: only the first and the last are open, unless the sleep reaches into
    them wherever it lay. An agent of which nobody knows leaves all of them open.
    """
    awake_ns = end_ns + MINUTE_NS - first_ns - slept_ns
    first_ns = minute_of(first_ns)
    if awake_ns >= (_AWAKE_UNSEEN_NS if is_alive else MINUTE_NS):
        return [(first_ns, Cause.UNKNOWN)], Cause.UNKNOWN
    edge = Cause.ASLEEP if awake_ns < MINUTE_NS else Cause.UNKNOWN
    between = [(first_ns + MINUTE_NS, Cause.ASLEEP)] if first_ns + MINUTE_NS < end_ns else []
    return [(first_ns, edge), *between], edge


# ---- another boot


def _another_boot(evidence: Evidence, boot: _Boot, before: Presence | None) -> tuple[list[_Piece], Cause | None]:
    """Return the minutes from `before` to the first presence of a boot, and what they say of the minute after it."""
    after = evidence.presence[boot.first]
    first_ns = before.time_ns if before else ALWAYS
    if boot.high_ns < first_ns:  # two boots at once
        return [(first_ns, Cause.UNKNOWN)], None
    low_ns = max(minute_of(boot.low_ns), first_ns)
    high_ns = max(minute_of(boot.high_ns), low_ns)
    pieces = _until_boot(evidence, boot, before) if first_ns < low_ns else []
    at_boot = next((cause for start_ns, cause in reversed(pieces) if start_ns <= low_ns), Cause.UNKNOWN)
    pieces = [piece for piece in pieces if piece[0] < low_ns]
    is_off = low_ns == high_ns or at_boot is Cause.POWER_OFF
    pieces.append((low_ns, Cause.POWER_OFF if is_off else Cause.UNKNOWN))
    if high_ns > low_ns:
        pieces.append((low_ns + MINUTE_NS, Cause.UNKNOWN))
    up_ns = high_ns + MINUTE_NS
    pieces = [piece for piece in pieces if piece[0] < after.time_ns]
    if up_ns > after.time_ns:
        return pieces, Cause.UNKNOWN
    if after.asleep_s > NO_SLEEP_S:
        asleep, tail = _sleep(max(boot.low_ns, first_ns), after.time_ns, round(after.asleep_s * 1e9), is_alive=False)
        since = next((cause for start_ns, cause in reversed(asleep) if start_ns <= up_ns), Cause.UNKNOWN)
        more = [(up_ns, since), *(piece for piece in asleep if piece[0] > up_ns)]
        return pieces + [piece for piece in more if piece[0] < after.time_ns], tail
    if up_ns < after.time_ns - MINUTE_NS:
        pieces.append((up_ns, Cause.AGENT_DOWN))
    if up_ns < after.time_ns:
        pieces.append((after.time_ns - MINUTE_NS, Cause.WORKING))
    return pieces, None


def _until_boot(evidence: Evidence, boot: _Boot, before: Presence | None) -> list[_Piece]:
    """Return what is known from the presence before to the minute in which another boot began."""
    if before is None:
        return [(ALWAYS, Cause.UNKNOWN)]
    first_ns = before.time_ns
    marks = _marks(evidence, boot, before)
    if not evidence.has_marks or _has_unsynced(evidence, boot, first_ns) or any(m.boot != before.boot for m in marks):
        return [(first_ns, Cause.UNKNOWN)]
    if not marks:
        return [(first_ns, Cause.UNKNOWN), (first_ns + MINUTE_NS, Cause.POWER_OFF)]
    mark = marks[-1]
    mark_ns = max(minute_of(mark.time_ns + _MARK_NS), first_ns)
    head = _until_mark(before, mark, mark_ns, is_alive=len(marks) == 1)
    if mark.is_shutdown:
        # The services are stopped, the kernel goes on for some seconds: perhaps beyond the end of the minute.
        head = [piece for piece in head if piece[0] < mark_ns]
        return [*head, (mark_ns, Cause.UNKNOWN), (mark_ns + MINUTE_NS, Cause.POWER_OFF)]
    return [*head, (mark_ns + MINUTE_NS, Cause.UNKNOWN)]


def _until_mark(before: Presence, mark: Stop, mark_ns: int, *, is_alive: bool) -> list[_Piece]:
    """Return what is known from a presence to the minute of a stop mark, that minute too."""
    if mark.asleep_s is not None and mark.asleep_s - before.asleep_s <= NO_SLEEP_S:
        return [(before.time_ns, Cause.AGENT_DOWN)]
    if mark.asleep_s is None:
        return [(before.time_ns, Cause.UNKNOWN)]
    slept_ns = round((mark.asleep_s - before.asleep_s) * 1e9)
    # All sleep was before the mark. Of the minute before that no presence was due yet, its own went on after it.
    last_ns = max(minute_of(mark.time_ns - MINUTE_NS), before.time_ns)
    asleep, tail = _sleep(before.time_ns, mark.time_ns - MINUTE_NS, slept_ns, is_alive=is_alive)
    head = [piece for piece in asleep if piece[0] < last_ns]
    return [*head, (last_ns, tail or Cause.UNKNOWN), (mark_ns, Cause.UNKNOWN)]


def _marks(evidence: Evidence, boot: _Boot, before: Presence) -> list[Stop]:
    """Return the stop marks between a presence and the begin of the next boot that has one."""
    after = evidence.presence[boot.first]
    return [
        mark
        for mark in evidence.stops
        if before.time_ns - _MARK_NS <= mark.time_ns <= boot.high_ns and mark.boot != after.boot
    ]


def _has_unsynced(evidence: Evidence, boot: _Boot, first_ns: int) -> bool:
    """
    Tell whether boots without a clock may lie before this one.

    They are reported by the next boot that gets the time, once it has it: this one, unless another came first.
    """
    presence = evidence.presence
    end_ns = presence[boot.end].time_ns if boot.end < len(presence) else None
    return any(first_ns < at_ns and (end_ns is None or at_ns < end_ns) for at_ns in evidence.unsynced_ns)
