"""
The days that are asked about, and where each device was on each of them, by the roster in force on the day.

Days are numbered as `date.toordinal` does, so that a day of a record is found without a calendar.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.roster.schema import Device, Roster, Site

_DAY_NS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()


class Period(NamedTuple):
    """The days asked about, both included, and the roster in force on each of them: the same object while it is."""

    first: date
    last: date
    rosters: Sequence[tuple[date, Roster]]  # (first day in force, roster), sorted; one at least

    def roster_on(self, day: date) -> Roster:
        """Return the version in force on a day; before the first one, that."""
        found = self.rosters[0][1]
        for since, roster in self.rosters:
            if since <= day:
                found = roster
        return found

    @property
    def in_force(self) -> list[Roster]:
        """The versions that were in force on any day of the period, the newest last."""
        first = self.roster_on(self.first)
        later = [roster for since, roster in self.rosters if self.first < since <= self.last]
        return [first, *later]

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


class Stint(NamedTuple):
    """Days in a row, both numbers included, on which a device counts, and what a version of the roster says of it."""

    first: int
    last: int
    device: Device
    site: Site


class Places:
    """Where devices are over a period. Those of the roster alone: others are never counted."""

    def __init__(self, period: Period) -> None:
        self.first, self.last = period.first.toordinal(), period.last.toordinal()
        since = [self.first, *(day.toordinal() for day, _ in period.rosters if period.first < day <= period.last)]
        until = [*(day - 1 for day in since[1:]), self.last]
        self._versions = list(zip(since, until, period.in_force, strict=True))
        self.devices: Mapping[str, None] = dict.fromkeys(
            name for _, _, roster in self._versions for name in roster.devices
        )

    def of(self, device: str) -> tuple[Stint, ...]:
        """Return the stints of a device in the period, in order; none: it never counted."""
        found = []
        for since, until, roster in self._versions:
            known = roster.devices.get(device)
            site = roster.sites.get(known.site) if known else None
            if known is None or site is None:
                continue
            first, last = _life(known)
            if max(since, first) <= min(until, last):
                found.append(Stint(max(since, first), min(until, last), known, site))
        return tuple(found)


def _life(device: Device) -> tuple[int, int]:
    """Return the first and the last day on which a device counts."""
    begins = [day.toordinal() for day in (device.valid_from, device.commissioned_on) if day]
    return max(begins, default=0), device.valid_to.toordinal() if device.valid_to else date.max.toordinal()


def day_of(start_ns: int) -> int:
    """Return the number of the local day that begins at an instant, in any zone from UTC−12 to UTC+12."""
    return (start_ns + _DAY_NS // 2) // _DAY_NS + _EPOCH
