"""
What evidence says of devices at single minutes, whatever the calendar owes there: visits may be between lessons.

    visits ─▶ a window of one minute each ─▶ evidence around it ─▶ the verifier's judgement of a day ─▶ its cause

Nothing is written: a day of one minute is no day of the calendar.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.around import Around
from collector.asked import Asked
from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.calendars.zone import day_window
from collector.days import unsynced_ns
from collector.doubts import read_findings
from collector.roster.schema import Device
from collector.store.base import REACH_NS, Store
from collector.targets.schema import Criterion
from collector.verify.causes import MINUTE_NS, Run
from collector.verify.day import judge
from collector.verify.integrity import doubted

_AT_ONCE = 500


class At(NamedTuple):
    """A device and a minute, by its start (unix ns)."""

    device: Device
    start_ns: int


def causes_at(
    store: Store, asked: Sequence[At], criterion: Criterion, zone: ZoneInfo, now_ns: int
) -> Iterator[tuple[At, Run | None]]:
    """
    Yield each device and minute with its cause, by the evidence there is at `now_ns`; None: it is not over yet.

    Raises StoreError when the store fails.
    """
    if not asked:
        return
    days = _by_day(asked, zone)
    start_ns, end_ns = min(map(_start, asked)), max(map(_start, asked)) + MINUTE_NS
    doubts = doubted(read_findings(store, start_ns, end_ns))
    dateless = dict(unsynced_ns(store, start_ns - REACH_NS, now_ns))
    for day, some in sorted(days.items()):
        for first in range(0, len(some), _AT_ONCE):
            group = [
                (at, _asked(at, day, zone, criterion, _periods(at, doubts))) for at in some[first : first + _AT_ONCE]
            ]
            around = Around(store, [one for _, one in group], dateless)
            for at, one in group:
                record = judge(at.device, one.schedule, criterion, around.evidence(one), now_ns)
                yield at, record.runs[0] if record.runs else None


def _start(at: At) -> int:
    return at.start_ns


def _by_day(asked: Iterable[At], zone: ZoneInfo) -> dict[date, list[At]]:
    found: dict[date, list[At]] = defaultdict(list)
    for at in asked:
        found[day_of(at.start_ns, zone)].append(at)
    return found


def day_of(time_ns: int, zone: ZoneInfo) -> date:
    """Return the local day of an instant."""
    return datetime.fromtimestamp(time_ns // 10**9, zone).date()


def _periods(at: At, doubts: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[tuple[int, int], ...]:
    names = dict.fromkeys((at.device.id, at.device.speaker))
    return tuple(sorted(period for name in names for period in doubts.get(name, ())))


def _asked(at: At, day: date, zone: ZoneInfo, criterion: Criterion, periods: tuple[tuple[int, int], ...]) -> Asked:
    minute = (Window(at.start_ns, at.start_ns + MINUTE_NS),)
    whole = day_window(day, zone)
    schedule = DaySchedule(day, DayKind.WORKDAY, "", whole.start_ns, whole.end_ns, minute, minute)
    return Asked(at.device, schedule, criterion, "", periods)
