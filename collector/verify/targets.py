"""
The verdict of a target over its units: their share, their number, what was declared, and after the deadline.

A unit of the scope is one whose device counts on any day of the period. Beside these are the classes that a school
declared and has no room for, and sites that have no device at all: unproven units, never left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Target
from collector.verify.period import Period, Places
from collector.verify.results import Interval, TargetResult, UnitResult, Verdict
from collector.verify.scope import in_scope, is_site_in_scope, sites_of, unit_of
from collector.verify.units import verdict_of


class Membership(NamedTuple):
    """Days in a row, both numbers included, on which a device belongs to a unit of a target."""

    first: int
    last: int
    unit: str
    title: str
    site: str


class Scoped:
    """A target's scope over a period: which device belongs to which unit, and when."""

    def __init__(self, target: Target, period: Period, places: Places) -> None:
        self.target, self.period, self._places = target, period, places

    def of(self, device: str) -> tuple[Membership, ...]:
        """Return the units of a device, in order of days; none: it is not in the scope."""
        return tuple(
            Membership(
                one.first,
                one.last,
                unit_of(self.target, one.device),
                title_of(self.target, one.device, one.site),
                one.site.id,
            )
            for one in self._places.of(device)
            if in_scope(self.target.scope, one.device, one.site)
        )

    def units(self) -> dict[str, Membership]:
        """Return every unit, with its newest name."""
        found: dict[str, Membership] = {}
        for device in self._places.devices:
            for one in self.of(device):
                known = found.get(one.unit)
                if known is None or one.last >= known.last:
                    found[one.unit] = one
        return found

    def has_any(self) -> bool:
        """Tell whether anything of the roster is in the scope."""
        return any(self.of(device) for device in self._places.devices)

    def without_device(self) -> list[UnitResult]:
        """
        Return the sites that have no device of the scope: unproven units of a target that counts sites.

        One whose devices do not count yet, or any more, is left out.
        """
        if self.target.unit != "site":
            return []
        equipped = {device.site for roster in self.period.in_force for device in roster.devices.values()}
        sites = [site for site in sites_of(self.target, self.period.in_force[-1]) if site.id not in equipped]
        return [_unproven(site.id, site.name or site.id, site.id, "no_device") for site in sites]

    def undelivered(self) -> list[UnitResult]:
        """Return the classes that schools declared and the roster has no room for: unproven units."""
        if self.target.unit != "class":
            return []
        sites = [
            site
            for site in self.period.in_force[-1].sites.values()
            if site.declared_classes and is_site_in_scope(self.target.scope, site)
        ]
        rooms = self._most_rooms({site.id for site in sites})
        return [
            _unproven(f"{site.id}/+{number}", f"{site.name or site.id} #{number}", site.id, "undelivered")
            for site in sites
            for number in range(rooms.get(site.id, 0) + 1, (site.declared_classes or 0) + 1)
        ]

    def _most_rooms(self, sites: set[str]) -> Mapping[str, int]:
        """
        Return how many rooms of the scope a site has at most on any day of the period.

        Rooms that exist and are not commissioned yet are among them: they have rows of their own.
        """
        most: dict[str, int] = {}
        for since, until, roster in _versions(self.period):
            devices: dict[str, list[Device]] = defaultdict(list)
            for device in roster.devices.values():
                site = roster.sites.get(device.site)
                if device.site in sites and site and in_scope(self.target.scope, device, site):
                    devices[device.site].append(device)
            for name, some in devices.items():
                most[name] = max(most.get(name, 0), _rooms(some, since, until))
        return most


def _versions(period: Period) -> Iterable[tuple[date, date, Roster]]:
    """Yield each version in force, with the first and the last day of the period on which it is."""
    begins = [period.first, *(since for since, _ in period.rosters if period.first < since <= period.last)]
    for number, roster in enumerate(period.in_force):
        until = begins[number + 1] if number + 1 < len(begins) else period.last
        yield begins[number], until, roster


def _rooms(devices: Sequence[Device], since: date, until: date) -> int:
    """Return the most rooms that exist on one day: they become more only on days on which a device begins to exist."""
    begins = {since, *(one.valid_from for one in devices if one.valid_from and since < one.valid_from <= until)}
    return max(len({one.room for one in devices if one.exists_on(day)}) for day in begins)


def title_of(target: Target, device: Device, site: Site) -> str:
    """Return a unit's name in people's language."""
    name = site.name or site.id
    if target.unit == "site":
        return name
    return f"{name} {device.class_name or device.room_id or device.id.partition('.')[2]}"


def _unproven(unit: str, title: str, site: str, why: str) -> UnitResult:
    return UnitResult(unit, title, site, Verdict.NOT_PROVEN, why=why)


def declared(target: Target) -> TargetResult:
    """Return what a declared figure says."""
    value, share = target.declared.value, target.share
    if value is None or share is None:
        return TargetResult(target, Verdict.NOT_PROVEN, None, (), "not_declared")
    verdict = Verdict.PASS if value >= share else Verdict.FAIL
    return TargetResult(target, verdict, Interval(value, value), (), f"declared_{verdict}")


def over_units(scoped: Scoped, measured: Sequence[UnitResult]) -> TargetResult:
    """Return the verdict over units: their share, and their number where one was promised; both must be kept."""
    target = scoped.target
    units = [*measured, *scoped.without_device(), *scoped.undelivered()]
    if not units:
        why = "no_hours" if scoped.has_any() else "empty_scope"
        return TargetResult(target, Verdict.NOT_PROVEN, None, (), why)
    if target.after_deadline == "fail" and target.deadline and scoped.period.last > target.deadline:
        units = [_failed(unit) if unit.verdict is Verdict.NOT_PROVEN else unit for unit in units]
    units.sort(key=lambda unit: unit.id)
    good = sum(unit.verdict is Verdict.PASS for unit in units)
    unknown = sum(unit.verdict is Verdict.NOT_PROVEN for unit in units)
    found = []
    if target.share is not None:
        found.append((verdict_of(good, unknown, len(units), target.share), "units"))
    if target.at_least is not None:
        found.append((_number(good, unknown, target.at_least), "number"))
    verdict, what = min(found, key=lambda one: _SEVERITY.index(one[0]), default=(Verdict.NOT_PROVEN, "units"))
    return TargetResult(target, verdict, Interval.of(good, unknown, len(units)), tuple(units), f"{what}_{verdict}")


_SEVERITY = (Verdict.FAIL, Verdict.NOT_PROVEN, Verdict.PASS)


def _number(good: int, unknown: int, at_least: int) -> Verdict:
    if good >= at_least:
        return Verdict.PASS
    return Verdict.FAIL if good + unknown < at_least else Verdict.NOT_PROVEN


def _failed(unit: UnitResult) -> UnitResult:
    """Return a unit that nobody has proven by the deadline; its figures keep what is known."""
    return unit._replace(verdict=Verdict.FAIL, why="after_deadline")
