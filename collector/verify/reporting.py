"""
Reporting: who says something, and who has fallen silent.

A day of silence is a day with hours of service (for a school, a school day) that is over, since whose first minute of
service nothing was heard. Two in a row, counted back from the last one, put a device at risk: a panel that nobody
switched on yesterday is no news, one that nobody has switched on since the day before may be broken or gone. A day that
was agreed to be closed for a device is no day of service for it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule
from collector.roster.schema import Device, Site
from collector.verify.equipment import Heard
from collector.verify.results import Reporting, Silent

AT_RISK_DAYS = 2

IsClosed = Callable[[str, DaySchedule], bool]  # whether a device owes nothing on a day of its site


class Expected(NamedTuple):
    """A device that counts at the period's end, with the number of the first day on which it did."""

    device: Device
    site: Site
    since: int


def reporting(
    expected: Iterable[Expected],
    heard: Mapping[str, Heard],
    seen: Collection[str],
    days_of: Callable[[Site], Sequence[DaySchedule]],
    is_closed: IsClosed | None = None,
    *,
    at_risk_days: int = AT_RISK_DAYS,
) -> Reporting:
    """
    Return who reports and who is at risk.

    `seen` are the devices with any evidence in the period; `days_of` gives the days of a site that are over, in order.
    Silence is counted within these days, and for a device that was never seen since it counts; without days that are
    closed for the device.
    """
    devices = reports = 0
    silent: list[Silent] = []
    for one in expected:
        devices += 1
        reports += one.device.id in seen
        known = heard.get(one.device.id)
        last_ns = known.last_ns if known else None
        days = [day for day in days_of(one.site) if day.day.toordinal() >= one.since]
        number = silent_days(last_ns, days, partial(is_closed, one.device.id) if is_closed else None)
        if number >= at_risk_days:
            silent.append(Silent(one.device.id, number, last_ns))
    silent.sort(key=lambda one: (-one.days, one.last_seen_ns or 0, one.device))
    return Reporting(devices, reports, tuple(silent))


def silent_days(
    last_seen_ns: int | None, days: Sequence[DaySchedule], is_closed: Callable[[DaySchedule], bool] | None = None
) -> int:
    """Return how many days of service at the end of `days` are silent; those that are closed are none."""
    silent = 0
    for day in reversed(days):
        if not day.service:
            continue
        if last_seen_ns is not None and last_seen_ns >= day.service[0].start_ns:
            break
        silent += not (is_closed and is_closed(day))
    return silent
