"""
Which stored days still hold.

A day was judged too early when evidence may have been on its way: before its end and SETTLING. It is judged again, too,
when what else went in has changed (`inputs`), when evidence came late since then, and when it was open and its agent
has spoken again.

Evidence that comes late is a page in a book: it changes the minutes from the presence before it to the one after it.
So the days that it lies in are judged again, and their neighbours; beyond these as long as a day has no minute that a
presence proves, for then the gap goes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from collector.asked import Asked, own_conditions
from collector.days import StoredDay
from collector.store.base import Late
from collector.verify.causes import Cause, Run

MINUTE_NS = 60_000_000_000
# What is received is in the store within this time, unless the store itself was away.
SETTLING_NS = 30 * MINUTE_NS
LATE_NS = 15 * MINUTE_NS  # what was stored later than that has left a mark
_PROVEN = frozenset((Cause.WORKING, Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN))
_MOST_MARKS = 32  # of one device; more of them become coarser, never fewer


def is_seen(runs: Iterable[Run]) -> bool:
    """Tell whether any minute is proven by a presence."""
    return any(run.cause in _PROVEN for run in runs)


class Mark(NamedTuple):
    """Evidence from `oldest_ns` to `newest_ns` that was stored until `stored_ns`."""

    stored_ns: int
    oldest_ns: int
    newest_ns: int


class Marks:
    """What came late, by device. However much it was, some marks a device are kept: those next to each other join."""

    def __init__(self, late: Iterable[Late] = ()) -> None:
        self._by_device: dict[str, list[Mark]] = defaultdict(list)
        for one in late:
            self.add(one.device, Mark(one.stored_ns, one.oldest_ns, one.newest_ns))

    def add(self, device: str, mark: Mark) -> None:
        """Take in one mark; they come in the order in which they were stored."""
        marks = self._by_device[device]
        if marks and (_is_neighbour(marks[-1], mark) or len(marks) >= _MOST_MARKS):
            mark = _joined(marks.pop(), mark)
        marks.append(mark)

    def of(self, *devices: str) -> list[Mark]:
        """Return the marks of some devices."""
        return [mark for device in dict.fromkeys(devices) for mark in self._by_device.get(device, ())]


def _is_neighbour(before: Mark, mark: Mark) -> bool:
    """Tell whether two marks, stored within some minutes, are about the same hour or the next."""
    is_soon = mark.stored_ns - before.stored_ns <= 10 * MINUTE_NS
    apart_ns = max(mark.oldest_ns - before.newest_ns, before.oldest_ns - mark.newest_ns)
    return is_soon and apart_ns <= 60 * MINUTE_NS


def _joined(a: Mark, b: Mark) -> Mark:
    return Mark(max(a.stored_ns, b.stored_ns), min(a.oldest_ns, b.oldest_ns), max(a.newest_ns, b.newest_ns))


def still_valid(
    asked: Sequence[Asked], stored: Mapping[int, StoredDay], marks: Sequence[Mark], newest_ns: int
) -> set[int]:
    """
    Return the starts of the days whose stored records hold, of one device and criterion.

    `stored` are its stored days by start, `marks` what came late of it and of its speaker, `newest_ns` the time of the
    newest presence of its speaker, 0 without any.
    """
    valid = {
        one.schedule.start_ns
        for one in asked
        if (day := stored.get(one.schedule.start_ns)) and day.inputs == one.inputs and _is_settled(day, one, newest_ns)
    }
    starts = [one.schedule.start_ns for one in asked]
    for mark in marks:
        valid -= {
            start_ns
            for start_ns in _touched(mark, asked, starts, stored)
            if start_ns in valid and mark.stored_ns > stored[start_ns].judged_ms * 10**6 - SETTLING_NS
        }
    return valid


def _is_settled(day: StoredDay, asked: Asked, newest_ns: int) -> bool:
    """
    Tell whether all that was under way had come when a day was judged, and an open one is as open as it was.

    A reading holds until the next one, which may be half an interval late: so that is waited for, too.
    """
    judged_ns = day.judged_ms * 10**6
    late_ns = max((round(needed.condition.every * 0.5e9) for needed in own_conditions(asked)), default=0)
    settled_ns = asked.schedule.end_ns + max(SETTLING_NS, late_ns + LATE_NS)
    return judged_ns >= settled_ns and not (day.is_open and newest_ns > judged_ns - SETTLING_NS)


def _touched(mark: Mark, asked: Sequence[Asked], starts: list[int], stored: Mapping[int, StoredDay]) -> set[int]:
    """Return the starts of the days that a mark may change, as far as the gaps around it reach."""
    inside = {
        one.schedule.start_ns
        for one in asked
        if one.schedule.start_ns <= mark.newest_ns and one.schedule.end_ns >= mark.oldest_ns
    }
    before = [start for one, start in zip(asked, starts, strict=True) if one.schedule.end_ns < mark.oldest_ns]
    behind = [start for start in starts if start > mark.newest_ns]
    return inside | set(_reached(reversed(before), stored)) | set(_reached(behind, stored))


def _reached(starts: Iterable[int], stored: Mapping[int, StoredDay]) -> Iterator[int]:
    """Yield days away from a mark, to the first that a presence proves a minute of."""
    for start_ns in starts:
        yield start_ns
        day = stored.get(start_ns)
        if day and is_seen(day.record().runs):
            return
