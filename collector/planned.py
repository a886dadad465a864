"""
What should be, for watch: the roster of today, the hours that calendars give, closures and maintenance.

All of it may change while watch runs. It is read again when a file changed or a day began; what cannot be read is said
in `trouble` and tried again at each look, and the last that could stays.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.calendars.calendar import Calendars
from collector.calendars.load import SHIPPED, file_in, load
from collector.calendars.schedule import DaySchedule, Window
from collector.disputed import covers
from collector.disputes.ledger import FOLDER as DISPUTES
from collector.disputes.ledger import Ledger
from collector.disputes.schema import Dispute
from collector.roster.schema import Device, Roster, Site
from collector.roster.versions import FOLDER as ROSTER
from collector.roster.versions import Versions
from collector.titles import Titles
from collector.verify.reporting import silent_days
from collector.watch.memory import Thing
from collector.watch.rules import SECOND_NS
from collector.watch.texts import Names
from collector.words import Language
from contract.errors import SantongError
from contract.names import county_of, site_of

log = logging.getLogger("santong.watch")
MINUTE_NS = 60 * SECOND_NS
CALENDARS, _ROSTER, _DISPUTES, _DAY = "calendars", "roster", "disputes", "day"
# What it comes to that something was never read.
_NOT_YET = {
    CALENDARS: "nobody is alerted",
    _ROSTER: "nobody is missed",
    _DISPUTES: "no closure stops alerts",
}
_FOR_EVER_NS = 2**63 - 1
_SILENCE_BACK = 30  # days: who is silent for longer is silent


class Unplanned(SantongError):
    """What should be is not known."""


class Owed(NamedTuple):
    """What is owed at this instant, as `Moment` has it."""

    service: Mapping[str, int]
    lessons: frozenset[str]
    quiet: frozenset[str]


class Planned:
    """What should be. `refresh` now and then; `is_new` tells once that the devices are others."""

    def __init__(self, data: Path, calendars: Path | None, always_on: Iterable[str]) -> None:
        self._data = data
        self._calendars_file = calendars
        self._always_on = frozenset(always_on)
        self._seen: dict[str, tuple[object, ...]] = {}
        self._troubles: dict[str, str] = {}
        self._titles = Titles()
        self.roster = Roster({}, {})
        self.calendars: Calendars | None = None
        self.is_new = True
        self._disputes: tuple[Dispute, ...] = ()
        self._recorded = 0  # disputes, of any state
        self._untold = ""
        self._adopted: tuple[str, ...] = ()
        self._sums: dict[str, tuple[date, list[int]]] = {}  # of a site: what it owes (ns) from a day on, by days

    @property
    def always_on(self) -> frozenset[str]:
        """The roles that are alerted when they are off."""
        return self._always_on

    @always_on.setter
    def always_on(self, roles: Iterable[str]) -> None:
        self.is_new = self.is_new or frozenset(roles) != self._always_on
        self._always_on = frozenset(roles)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the programme."""
        return self.calendars.zone if self.calendars else ZoneInfo("Asia/Shanghai")

    @property
    def trouble(self) -> str:
        """What cannot be read, or says nothing of today; "" nothing."""
        return "; ".join(text for _, text in sorted(self._troubles.items()) if text)

    def today(self, now_ns: int) -> date:
        """Return the day."""
        return datetime.fromtimestamp(now_ns / SECOND_NS, self.zone).date()

    @property
    def unread(self) -> str:
        """What of roster, calendars and disputes cannot be read now; "" nothing. Watch is not well then."""
        return "; ".join(text for name, text in sorted(self._troubles.items()) if text and name != _DAY)

    def insist(self) -> None:
        """Raise Unplanned where calendars or roster were never read: then nobody would be alerted of anything."""
        if missing := [self._troubles[name] for name in (CALENDARS, _ROSTER) if name not in self._seen]:
            raise Unplanned(f"{'; '.join(missing)}: mend it, then start watch again")

    def refresh(self, now_ns: int) -> None:
        """Read again what has changed, and what could not be read the last time."""
        self._again(CALENDARS, self._calendars_mark, self._take_calendars)
        today = self.today(now_ns)  # in the zone of the calendars
        self._again(_ROSTER, lambda: (today, *_names_in(self._data / ROSTER)), lambda: self._take_roster(today))
        self._again(_DISPUTES, lambda: _marks_in(self._data / DISPUTES), self._take_disputes)

    def _again(self, name: str, mark: Callable[[], tuple[object, ...]], read: Callable[[], None]) -> None:
        """Read something where its mark is another one than when it was read last."""
        try:
            seen = mark()
            if self._seen.get(name) == seen and not self._troubles.get(name):
                return
            read()
        except (SantongError, OSError) as error:
            meanwhile = "what was read before stays" if name in self._seen else _NOT_YET[name]
            self._say(name, f"{name}: {'; '.join(str(error).splitlines())}: {meanwhile}")
        else:
            self._seen[name] = seen
            self._say(name, "")

    def _say(self, name: str, text: str) -> None:
        if text and text != self._troubles.get(name):
            log.error("%s", text)
        self._troubles[name] = text

    def _calendars_mark(self) -> tuple[object, ...]:
        file = self._calendars_file or file_in(self._data)
        return file, _mark(file)

    def _take_calendars(self) -> None:
        file = self._calendars_file or file_in(self._data)
        if self.calendars and self.calendars.file != file == SHIPPED:  # by an editor, for a moment, or by mistake
            raise Unplanned(f"{self.calendars.file} is gone (started again, watch takes those that are shipped)")
        self.calendars = load(file)
        self._sums.clear()

    def _take_roster(self, today: date) -> None:
        versions = Versions(self._data)
        version = versions.in_force(today)
        if version is None and self.roster.sites:
            raise Unplanned(f"{versions.folder}: all versions are gone")
        whole = versions.roster(version) if version else Roster({}, {})
        devices = {name: device for name, device in whole.devices.items() if device.counts_on(today)}
        self.roster = Roster(whole.sites, devices)
        self._sums.clear()
        self.is_new = True

    def _take_disputes(self) -> None:
        ledger = Ledger(self._data)
        found = ledger.read().disputes
        if len(found) < self._recorded:  # records are added, never removed
            raise Unplanned(f"{ledger.folder}: {self._recorded - len(found)} of {self._recorded} disputes are gone")
        self._recorded = len(found)
        self._disputes = tuple(one for one in found.values() if one.stops_alerts)

    # ---- who

    def adopt(self, agents: Iterable[str]) -> None:
        """Watch agents that report while there is no roster: they are shown, and never alerted for being off."""
        some = tuple(sorted(agents))
        if not self.roster.sites and some and some != self._adopted:
            self._adopted = some
            self.is_new = True

    @property
    def watched(self) -> Roster:
        """The roster, or one of what is there while there is none."""
        if self.roster.sites:
            return self.roster
        sites = {site_of(one): Site(site_of(one)) for one in self._adopted}
        return Roster(sites, {one: Device(one, "classroom") for one in self._adopted})

    def things(self) -> list[Thing]:
        """Return the devices that should exist and work today."""
        self.is_new = False
        if not self.roster.sites:
            return [Thing(one, site_of(one), county_of(one), may_be_off=True) for one in self._adopted]
        return [
            Thing(
                device.id,
                device.site,
                county_of(device.id),
                self.roster.sites[device.site].operator,
                device.agent if device.agent != device.id else "",
                may_be_off=device.role not in self._always_on,
                is_gateway=device.role == "gateway",
            )
            for device in self.roster.devices.values()
        ]

    def names(self, profile_of: Callable[[str], str] = lambda _device: "") -> Names:
        """Return what things are called."""
        sites, devices = self.roster.sites.values(), self.roster.devices

        def fault(device: str, code: str, language: Language) -> str:
            known = devices[device].profile if device in devices else ""
            title = self._titles.of(profile_of(device) or known, code)
            return title.zh if language == "zh" else title.en

        contacts = {site.id: f"{site.contact} {site.phone}".strip() for site in sites if site.contact or site.phone}
        named = {device.id: device.class_name for device in devices.values() if device.class_name}
        return Names({site.id: site.name for site in sites}, named, contacts, fault)

    # ---- when

    def owed(self, now_ns: int) -> Owed:
        """Return what is owed now."""
        if not self.roster.sites:
            return Owed({site_of(one): 0 for one in self._adopted}, frozenset(), frozenset())
        service: dict[str, int] = {}
        lessons: set[str] = set()
        closed: set[str] = set()
        today, self._untold = self.today(now_ns), ""
        for site in self.roster.sites.values():
            day = self._day(site, today)
            if day is None or (window := _within(day.service, now_ns)) is None:
                continue
            service[site.id] = self._begin(site, day, window)
            if _within(day.lessons, now_ns):
                lessons.add(site.id)
            if _within(day.excluded, now_ns):
                closed.add(site.id)
        self._say(_DAY, f"{self._untold}: nobody is alerted meanwhile" if self._untold else "")
        return Owed(service, frozenset(lessons), self._quiet(closed, now_ns))

    def _begin(self, site: Site, day: DaySchedule, window: Window) -> int:
        """Return since when service is owed without a pause."""
        if window.start_ns == day.start_ns:
            before = self._day(site, day.day - timedelta(days=1))
            if before and before.service and before.service[-1].end_ns == window.start_ns:
                return before.service[-1].start_ns
        return window.start_ns

    def _quiet(self, closed: set[str], now_ns: int) -> frozenset[str]:
        """Return the devices of which nobody is to be alerted: maintenance, closures, disputes that exclude."""
        scopes = [one.claim.scope for one in self._disputes if _is_in(one.claim.window, now_ns)]
        if not scopes and not closed:
            return frozenset()
        return frozenset(
            device.id
            for device in self.roster.devices.values()
            if device.site in closed or any(covers(scope, device.id, (device.room,)) for scope in scopes)
        )

    def lost(self, site: str, since_ns: int, until_ns: int) -> int:
        """Return how many service minutes a site owes in a period; of what is no site all minutes count."""
        known = self.roster.sites.get(site)
        if known is None:
            return max(0, until_ns - since_ns) // MINUTE_NS
        first, last = self.today(since_ns), self.today(until_ns)
        total = self._lost_on(known, first, since_ns, until_ns)
        if first < last:
            total += self._whole_days(known, first + timedelta(days=1), last)
            total += self._lost_on(known, last, since_ns, until_ns)
        return total // MINUTE_NS

    def _whole_days(self, site: Site, first: date, until: date) -> int:
        """Return what a site owes (ns) on whole days, from the first until before another: a case may last a year."""
        begin, sums = self._sums.get(site.id, (first, [0]))
        if first < begin:
            begin, sums = first, [0]
        self._sums[site.id] = begin, sums
        while len(sums) <= (until - begin).days:
            day = begin + timedelta(days=len(sums) - 1)
            sums.append(sums[-1] + self._lost_on(site, day, 0, _FOR_EVER_NS))
        return sums[(until - begin).days] - sums[(first - begin).days]

    def _lost_on(self, site: Site, day: date, since_ns: int, until_ns: int) -> int:
        """Return what a site owes (ns) on a day within a period."""
        schedule = self._day(site, day)
        if schedule is None:
            return 0
        owed = sum(_overlap(window, since_ns, until_ns) for window in schedule.service)
        agreed = sum(
            _overlap(window, max(since_ns, other.start_ns), min(until_ns, other.end_ns))
            for window in schedule.service
            for other in schedule.excluded
        )
        return owed - agreed

    def silent(self, heard: Callable[[str], int], now_ns: int, least: int) -> dict[str, int]:
        """
        Return for how many school days devices are silent, of those that are for `least` days or more.

        `heard` tells when a device was heard last, 0: never. That is no silence: it was never there.
        """
        today = self.today(now_ns)
        days: dict[str, list[DaySchedule]] = {}
        found: dict[str, int] = {}
        for device in self.roster.devices.values():
            if device.site not in days:
                site = self.roster.sites[device.site]
                past = (self._day(site, today - timedelta(days=back)) for back in range(_SILENCE_BACK, 0, -1))
                days[device.site] = [day for day in past if day and day.service]
            number = self._silent_days(device, heard(device.id), days[device.site])
            if number >= least:
                found[device.id] = number
        return found

    def _silent_days(self, device: Device, last_ns: int, days: list[DaySchedule]) -> int:
        if not last_ns:
            return 0
        windows = [one.claim.window for one in self._disputes if covers(one.claim.scope, device.id, (device.room,))]

        def is_closed(day: DaySchedule) -> bool:
            first_ns, last_ns = day.service[0].start_ns, day.service[-1].end_ns
            return any(since_ns <= first_ns and until_ns >= last_ns for since_ns, until_ns in windows)

        return silent_days(last_ns, [day for day in days if device.counts_on(day.day)], is_closed)

    def _day(self, site: Site, day: date) -> DaySchedule | None:
        """Return what a day is at a site; None where its calendar does not tell: then nobody is alerted there."""
        if self.calendars is None:
            return None
        try:
            return self.calendars.day(site, day)
        except SantongError as error:
            self._untold = str(error)
            return None


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _marks_in(folder: Path) -> tuple[object, ...]:
    return tuple(_mark(folder / name) for name in _names_in(folder))


def _mark(file: Path) -> tuple[object, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return file.name, found.st_mtime_ns, found.st_size, found.st_ino


def _within(windows: Iterable[Window], now_ns: int) -> Window | None:
    return next((window for window in windows if _is_in(window, now_ns)), None)


def _is_in(window: tuple[int, int], now_ns: int) -> bool:
    return window[0] <= now_ns < window[1]


def _overlap(window: Window, since_ns: int, until_ns: int) -> int:
    return max(0, min(window.end_ns, until_ns) - max(window.start_ns, since_ns))
