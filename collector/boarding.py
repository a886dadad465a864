"""
The board's evidence: joins store, roster, calendars, disputes and findings with the model that pages are drawn from.

    every look      rows of the last minutes ─▶ Model ─▶ Picture
    now and then    findings, quarantine, what was proven this week
    when asked      one site: its minutes of today as verification would judge them, its week, its tests

Everything is read; nothing of the store is written.
"""

import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.board.detail import SiteDetail
from collector.board.model import NOBODY, NOT_WATCHED, Model, Paper, Picture, Rest
from collector.board.source import Filing
from collector.board.state import FRESH_NS, Hours
from collector.calendars.calendar import Calendars
from collector.calendars.load import file_in
from collector.calendars.load import load as load_calendars
from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.closeup import Basis, CloseUp
from collector.disputes.ledger import FOLDER as DISPUTES
from collector.disputes.ledger import RECORDS, Ledger
from collector.disputes.schema import Dispute, Entry
from collector.doubts import read_findings
from collector.quarantine import FILE as QUARANTINE
from collector.quarantine import Quarantine
from collector.roster.schema import Device, Roster, Site
from collector.roster.versions import FOLDER as ROSTER
from collector.roster.versions import Versions
from collector.store.base import DAY_NS, Row, Store, Track
from collector.targets.load import SHIPPED
from collector.targets.load import load as load_targets
from collector.targets.schema import Target
from collector.titles import Titles
from collector.verify.causes import MINUTE_NS
from collector.watch.types import Now, State
from collector.watched import Watcher
from contract.errors import SantongError

log = logging.getLogger("santong.board")

TARGETS = "targets.yaml"
OVERLAP_NS = 3 * MINUTE_NS  # evidence may be so late and still be live
MOST_QUARANTINED = 200
_SLOW_S = 600.0
_MISSING_S = 15.0
_MOST_FAILING = 500
_WEEK = 7
_PAST_DAYS = 14
_OFTEN = ("presence", "probe", "display", "stop", "fault")
_SELDOM = ("identity", "throughput")
_FIRST_NS = {"probe": DAY_NS, "stop": 7 * DAY_NS, "fault": 7 * DAY_NS, "throughput": 30 * DAY_NS}
_LAST = {
    "presence": ("lan", "wan", "uptime_s"),
    "display": ("power",),
    "identity": ("profile", "version", "model"),
}
_NOTHING_MEANT = DaySchedule(date.min, DayKind.BREAK, "", 0, 0)


class LiveSource:
    """
    What the board reads. `look` and `slow` are for one task; `detail` may be asked for beside them, in any thread.

    Where watch runs beside it, its word on states counts.
    """

    def __init__(self, store: Store, data: Path, zone: ZoneInfo) -> None:
        self._store, self.data = store, data
        self._watcher = Watcher(data)
        self._watched = NOT_WATCHED
        self._model = Model()
        self._looked_ns = self._seldom_ns = 0
        self._slow_at = self._missing_at = 0.0
        self._asked_ns: dict[str, int] = {}  # when it was asked of a device whether it worked this week
        self._seen: dict[str, object] = {}
        self._roster = Roster({}, {})
        self._today: tuple[date, list[Device]] = (date.min, [])
        self._calendars: Calendars | None = None
        self._targets: tuple[Target, ...] = ()
        self._closeup = CloseUp(store)
        self._flaws: dict[str, str] = {}
        self._hours: dict[tuple[str, date], Hours] = {}
        self._zone = zone
        self.picture = Picture()
        titles = Titles()
        self.rest = Rest(fault_titles=titles.of, profile_titles=titles.profile)

    @property
    def zone(self) -> ZoneInfo:
        """The programme's zone, once its calendars are read."""
        return self._calendars.zone if self._calendars else self._zone

    # ---- each look

    def look(self, now_ns: int) -> Picture:
        """Read what is new and return the picture; what cannot be read is said in it, and the rest is as it was."""
        self._try("roster", self._read_paper)
        self._try("store", lambda: self._read_rows(now_ns))
        self._try("disputes", self._read_disputes)
        if time.monotonic() >= self._slow_at:
            self._slow_at = time.monotonic() + _SLOW_S
            self._try("findings", lambda: self._read_slowly(now_ns))
            if "findings" in self._flaws:
                self._slow_at = time.monotonic() + _MISSING_S
        self._try("quarantine", self._read_quarantine)
        self._watched = NOT_WATCHED
        self._try("watch", lambda: self._read_watch(now_ns))
        before, found = self.picture.now, self._picture(now_ns)
        # What was seen working just now fails since just now; of all others it is to be looked up.
        new = [name for name, now in found.now.items() if self._is_new(now, before.get(name))]
        if new:
            self._try("store", lambda: self._failing_since({name: found.now[name] for name in new}, now_ns))
            found = self._picture(now_ns)
        self.picture = found
        return self.picture

    def _picture(self, now_ns: int) -> Picture:
        paper = Paper(
            self._roster, self._today[1], lambda site: self._hours_of(site, now_ns), _closed(self.rest.disputes)
        )
        return self._model.picture(paper, now_ns, self._watched, "; ".join(self._flaws.values()))

    def _read_watch(self, now_ns: int) -> None:
        self._watched = self._watcher.look(now_ns)

    def _is_new(self, now: Now, before: Now | None) -> bool:
        """Tell whether a device fails since nobody knows when: what was seen working fails since just now."""
        is_known = before is not None and before.state in (State.FAILING, State.WORKING)
        return now.state is State.FAILING and not is_known

    def _try(self, what: str, read: Callable[[], None]) -> None:
        """Read something; what goes wrong is said until it was read well."""
        try:
            read()
        except (SantongError, OSError, sqlite3.Error) as error:
            if self._flaws.get(what) != str(error):
                log.warning("%s: %s", what, error)
            self._flaws[what] = str(error)
        else:
            self._flaws.pop(what, None)

    def _read_changed(self, name: str, files: Sequence[Path], read: Callable[[], None]) -> None:
        """Read files that are others than when they were read well last; a folder counts with what is in it."""
        seen = tuple(_mark(file) for file in files)
        if self._seen.get(name) != seen:
            read()
            self._seen[name] = seen

    def _read_paper(self) -> None:
        targets = self.data / TARGETS
        targets = targets if targets.is_file() else SHIPPED
        self._read_changed("calendars", [file_in(self.data)], self._read_calendars)
        self._read_changed("targets", [targets], lambda: self._read_targets(targets))
        today = datetime.now(self.zone).date()
        if today != self._today[0]:
            self._seen.pop("roster", None)
        self._read_changed("roster", [self.data / ROSTER], lambda: self._read_roster(today))

    def _read_calendars(self) -> None:
        self._calendars = load_calendars(file_in(self.data))
        self._forget_hours()
        self._closeup.forget()

    def _read_targets(self, file: Path) -> None:
        self._targets = load_targets(file).targets

    def _read_roster(self, today: date) -> None:
        versions = Versions(self.data)
        version = versions.in_force(today)
        before = self._roster
        self._roster = versions.roster(version) if version else Roster({}, {})
        self._today = today, [one for one in self._roster.devices.values() if one.counts_on(today)]
        self._forget_hours()
        if before.devices.keys() != self._roster.devices.keys():
            self._looked_ns = self._seldom_ns = 0  # what is newest of those that came is read from far back

    def _forget_hours(self) -> None:
        self._hours.clear()
        self._flaws.pop("hours", None)

    def _hours_of(self, site: Site, now_ns: int) -> Hours:
        today = _day(now_ns, self.zone)
        key = (site.id, today)
        if key not in self._hours:
            days = [self._schedule(site, today - timedelta(days=back)) for back in range(_PAST_DAYS + 1)]
            self._hours[key] = Hours(days[0], days[1:])
        return self._hours[key]

    def _schedule(self, site: Site, day: date) -> DaySchedule:
        try:
            if self._calendars:
                return self._calendars.day(site, day)
        except SantongError as error:
            self._flaws.setdefault("hours", str(error))
        return _NOTHING_MEANT._replace(day=day)

    # ---- rows

    def _read_rows(self, now_ns: int) -> None:
        end_ns = now_ns + MINUTE_NS
        if not self._looked_ns:
            self._read_all(now_ns, end_ns)
        else:
            for name in _OFTEN:
                self._model.take(name, self._store.latest(name, self._looked_ns - OVERLAP_NS, end_ns))
            if time.monotonic() >= self._missing_at:
                self._read_missing(now_ns, end_ns)
        if now_ns - self._seldom_ns > 10 * MINUTE_NS:
            for name in _SELDOM if self._seldom_ns else ():
                self._model.take(name, self._store.latest(name, self._seldom_ns - OVERLAP_NS, end_ns))
            self._seldom_ns = now_ns
        self._looked_ns = now_ns

    def _read_all(self, now_ns: int, end_ns: int) -> None:
        """Read the newest of each device, however old."""
        devices = sorted(self._roster.devices)
        speakers = sorted({one.speaker for one in self._roster.devices.values()})
        for name, fields in _LAST.items():
            asked = speakers if name == "presence" else devices
            tracks = self._store.last_before(name, fields, end_ns, asked, own=name == "presence") if asked else ()
            self._model.take(name, _rows(tracks, fields))
        self._model.take("presence", self._store.latest("presence", now_ns - DAY_NS, end_ns))  # the unregistered, too
        for name, back_ns in _FIRST_NS.items():
            self._model.take(name, self._store.latest(name, now_ns - back_ns, end_ns))

    def _read_missing(self, now_ns: int, end_ns: int) -> None:
        """Look again for those that are not heard: what waited comes late, and is older than a look reaches."""
        began = time.monotonic()
        missing = [
            one
            for one in self._roster.devices.values()
            if now_ns - self._model.newest.get(one.id, NOBODY).heard_ns > FRESH_NS
        ]
        names = sorted({one.id for one in missing} | {one.speaker for one in missing})
        if names:
            for name, fields in (("presence", _LAST["presence"]), ("display", _LAST["display"])):
                tracks = self._store.last_before(name, fields, end_ns, names, DAY_NS, own=name == "presence")
                self._model.take(name, _rows(tracks, fields))
            for name in ("stop", "probe"):
                self._model.take(name, self._store.latest(name, now_ns - DAY_NS, end_ns, names))
        self._missing_at = time.monotonic() + max(_MISSING_S, 40 * (time.monotonic() - began))

    def _failing_since(self, failing: Mapping[str, Now], now_ns: int) -> None:
        """Look up since when devices fail, as far back as half a day, where nobody saw it begin."""
        since_ns = now_ns - DAY_NS // 2
        for measurement, fields in (("presence", ("lan", "wan")), ("probe", ("success",))):
            is_network = measurement == "presence"
            asked = [name for name, now in failing.items() if (now.why in ("lan_down", "wan_down")) is is_network]
            if not asked:
                continue
            for track in self._store.tracks(measurement, fields, since_ns, now_ns, asked[:_MOST_FAILING]):
                bad_ns = 0
                for time_ns, *values in track.points:
                    bad_ns = (bad_ns or time_ns) if 0 in values else 0
                if bad_ns:
                    self._model.failing_since(track.device, bad_ns)

    # ---- what changes slowly

    def _read_disputes(self) -> None:
        def read() -> None:
            found = Ledger(self.data).read() if (self.data / DISPUTES).is_dir() else None
            self.rest = self.rest._replace(disputes=tuple(found.disputes.values()) if found else ())

        self._read_changed("disputes", [self.data / DISPUTES / RECORDS], read)

    def _read_quarantine(self) -> None:
        def read() -> None:
            opened = Quarantine(self.data)
            try:
                newest, ever = opened.newest(MOST_QUARANTINED), opened.total()
            finally:
                opened.close()
            self.rest = self.rest._replace(quarantined=newest, quarantined_ever=ever)

        file = self.data / QUARANTINE
        if file.is_file():
            self._read_changed("quarantine", [file, file.with_name(f"{QUARANTINE}-wal")], read)

    def _read_slowly(self, now_ns: int) -> None:
        self.rest = self.rest._replace(findings=read_findings(self._store, now_ns - _WEEK * DAY_NS, now_ns))
        tallies = self._store.tallies("availability", ("working",), now_ns - _WEEK * DAY_NS, now_ns)
        self._model.proven = {tally.device for tally in tallies if tally.sums[0] > 0}
        self._read_worked(now_ns)

    def _read_worked(self, now_ns: int) -> None:
        """
        Ask of those that are heard, and did not work when they were last, whether they worked this week.

        The store adds a week up, some hundred devices each time, and says not when it was: it counts from the begin of
        what was asked, and is asked again a day later.
        """
        start_ns, model = now_ns - (_WEEK - 1) * DAY_NS, self._model
        asked = [
            one.id
            for one in self._today[1]
            if model.newest.get(one.id, NOBODY).heard_ns > start_ns
            and now_ns - self._asked_ns.get(one.id, 0) >= DAY_NS
            and not model.is_proven(one, now_ns)
        ][:_MOST_FAILING]
        if not asked:
            return
        network = self._good("presence", ("lan", "wan"), start_ns, now_ns, asked)
        probes = self._good("probe", ("success",), start_ns, now_ns, asked)
        for name in asked:
            known = [found[name] for found in (network, probes) if name in found]
            if known and all(known):
                model.worked(name, start_ns)
        self._asked_ns.update(dict.fromkeys(asked, now_ns))

    def _good(
        self, measurement: str, fields: Sequence[str], start_ns: int, end_ns: int, devices: Sequence[str]
    ) -> dict[str, bool]:
        """Return of each device with any of some flags whether each of them that it has was ever set."""
        found: dict[str, bool] = {}
        for tally in self._store.tallies(measurement, fields, start_ns, end_ns, devices):
            is_good = all(number > 0 for number, count in zip(tally.sums, tally.counts, strict=True) if count)
            found[tally.device] = found.get(tally.device, False) or is_good
        return found

    def file(self, filing: Filing, before: Callable[[], None] = lambda: None) -> Dispute:
        """Record a dispute, a closure or a decision; SantongError says why it may not be."""
        at = datetime.now(UTC)

        def entry(known: Mapping[int, Dispute]) -> Entry:
            number = filing.number or len(known) + 1
            return Entry(filing.happened, number, filing.by, filing.login, at, filing.text, filing.claim)

        return Ledger(self.data).add(entry, before).dispute

    # ---- one site

    def detail(self, site: str, now_ns: int) -> SiteDetail:
        """Return a site as it was until now; StoreError when the store does not answer."""
        roster, calendars = self._roster, self._calendars
        if site not in roster.sites or calendars is None:
            return SiteDetail(site, now_ns)
        schedule = self._schedule(roster.sites[site], _day(now_ns, calendars.zone))
        basis = Basis(roster, calendars, self._targets, self.rest.findings, schedule)
        return self._closeup.detail(site, basis, now_ns)


def _day(now_ns: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(now_ns / 1e9, zone).date()


def _mark(file: Path) -> object:
    try:
        inside = sorted(one.name for one in file.iterdir()) if file.is_dir() else []
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, file, inside


def _rows(tracks: Iterable[Track], fields: Sequence[str]) -> Iterator[Row]:
    for track in tracks:
        time_ns, *values = track.points[-1]
        known = {name: value for name, value in zip(fields, values, strict=True) if value is not None}
        yield Row(track.device, track.source, track.tags, time_ns, known)


def _closed(disputes: Iterable[Dispute]) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = defaultdict(list)
    for one in disputes:
        if one.stops_alerts:
            found[one.claim.scope.id].append(Window(*one.claim.window))
    return found
