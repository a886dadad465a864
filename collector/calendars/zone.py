"""
Minutes of local days as instants.

Clocks that are put forward or back: a time that does not exist is the instant of the change; one that comes twice is
the first of the two. So local minutes in order are instants in order, and days follow each other without a gap.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from collector.calendars.schedule import MINUTE_NS, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def instant_ns(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return the instant of a minute (0 to 1440) of a local day, unix nanoseconds."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  the zone comes below
    before, after = _minutes(local, zone, 0), _minutes(local, zone, 1)
    if before > after:  # the time is left out: the clock was put forward within (after, before]
        before = _change(after, before, zone)
    return before * MINUTE_NS


def day_window(day: date, zone: ZoneInfo) -> Window:
    """Return a local day, which may have 23 or 25 hours, or none where a zone left out a date."""
    return Window(instant_ns(day, 0, zone), instant_ns(day, 1440, zone))


def _minutes(local: datetime, zone: ZoneInfo, fold: int) -> int:
    return (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) - _EPOCH) // _MINUTE


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """Return the minute in (low, high] at which the offset becomes that of `high`."""
    target = _offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == target:
            high = middle
        else:
            low = middle
    return high


def _offset(minute: int, zone: ZoneInfo) -> timedelta | None:
    return (_EPOCH + minute * _MINUTE).astimezone(zone).utcoffset()
