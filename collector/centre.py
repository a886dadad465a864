"""
What pages show of a centre, from the store and the files of its data folder: the answers to `collector.api.centre`.

    store ──┐
    roster, disputes, quarantine, closings, verdicts ──▶ LiveCentre
    watch.sqlite ──┘
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from collector import agreements, quarantine
from collector.api.centre import (
    Centre,
    Claimed,
    Closed,
    Heard,
    Missing,
    Part,
    Place,
    Points,
    Refusal,
    Refused,
    Unavailable,
)
from collector.calendars.load import file_in, load
from collector.closings import Closings
from collector.desk import Desk
from collector.disputes.ledger import Ledger
from collector.disputes.schema import Claim
from collector.fresh import Fresh
from collector.metrics import Family, single
from collector.quarantine import Quarantine
from collector.roster.schema import Roster
from collector.roster.versions import Version, Versions
from collector.store.base import DAY_NS, Store
from collector.verdicts import Verdicts, Verification
from collector.watch.journal import FILE as JOURNAL
from collector.watch.journal import Journal, Pulse
from collector.watch.types import Handling, Incident, Now, State
from collector.watched import is_live
from contract import __version__
from contract.errors import ConfigError, SantongError
from contract.names import county_of, site_of

log = logging.getLogger("santong.api")

REPORTING_DAYS, _EVIDENCE_DAYS = 3, 7
STALE_S = 15 * 60
_SEEN_NS = 35 * DAY_NS
_PAST_NS = 30 * DAY_NS
_NAMED = 500  # devices that one question to a store names: of more it would look at all
_SAMPLE = 300
_MINUTE_NS = 60 * 10**9
_LIVE_FRESH_S, _HEARD_FRESH_S, _EVIDENCE_FRESH_S, _HEALTH_FRESH_S = 2.0, 120.0, 15.0, 5.0
_LOOKED_BACK_NS = (15 * _MINUTE_NS, 120 * _MINUTE_NS, DAY_NS, _EVIDENCE_DAYS * DAY_NS)


class LiveCentre(Centre):
    """The centre of a data folder and a store; thread-safe."""

    def __init__(self, data: Path, store: Store, now: Callable[[], int] = time.time_ns) -> None:
        self._data, self._store, self._now_ns = data, store, now
        self._calendars = load(file_in(data))
        self.zone: ZoneInfo = self._calendars.zone
        self._versions, self._verdicts = Versions(data), Verdicts(data)
        self._lock = threading.Lock()
        self._places: tuple[tuple[Version, date], Mapping[str, Place]] | None = None
        self._quarantine: Quarantine | None = None
        self._journal: Journal | None = None
        self._live = Fresh(self._read_live, _LIVE_FRESH_S)
        self._heard = Fresh(self._read_heard, _HEARD_FRESH_S)
        self._evidence = Fresh(self._read_evidence, _EVIDENCE_FRESH_S)
        self._health = Fresh(self._read_health, _HEALTH_FRESH_S)

    def warm(self) -> None:
        """Find out beforehand, in a thread, what takes seconds in a city, so that nobody waits for it."""
        threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _warm(self) -> None:
        for find in (self.places, self.heard, lambda: self.verification(None, None)):
            try:
                find()
            except Exception as error:  # noqa: BLE001  whoever asks is told
                log.debug("not found out beforehand: %s", error)

    def close(self) -> None:
        """Close what was opened here; not the store."""
        if self._quarantine:
            self._quarantine.close()

    # ---- the roster

    def places(self) -> Mapping[str, Place]:
        with _reading("roster"), self._lock:
            today = self._today()
            version = self._versions.in_force(today)
            if version is None:
                return {}
            if self._places is None or self._places[0] != (version, today):
                self._places = ((version, today), _places(self._versions.roster(version), today))
            return self._places[1]

    def sites(self) -> Mapping[str, str]:
        roster = self._roster()
        return {one.id: one.name for one in roster.sites.values()} if roster else {}

    def _roster(self) -> Roster | None:
        with _reading("roster"), self._lock:
            version = self._versions.in_force(self._today())
            return self._versions.roster(version) if version else None

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now_ns() / 1e9, self.zone).date()

    # ---- watch

    def now(self) -> Mapping[str, Now] | None:
        with _reading("watch"):
            return self._live.get()

    def _read_live(self) -> Mapping[str, Now] | None:
        """Return the states while watch lives: those of a watch that stands still are not of now."""
        journal = self._opened_journal()
        pulse = journal.pulse() if journal else None
        return journal.now() if journal and pulse and is_live(pulse, self._now_ns()) else None

    def incidents(self, since_ns: int | None, *, open_only: bool) -> Sequence[Incident]:
        if since_ns is None:
            since_ns = self._now_ns() - _PAST_NS
        with _reading("watch"):
            journal = self._opened_journal()
            return journal.incidents(open_only=open_only, since_ns=since_ns) if journal else ()

    def incident(self, name: str) -> Incident:
        try:
            return Desk(self._data).incident(name)
        except SantongError as error:
            raise Missing(str(error)) from None

    def handle(self, name: str, what: Handling, by: str, text: str, before: Callable[[], None]) -> Incident:
        try:
            return Desk(self._data).handle(name, what, by, text, before)
        except SantongError as error:
            raise Refusal(str(error)) from None

    def _opened_journal(self) -> Journal | None:
        """Return the journal of watch, None where it never ran."""
        with self._lock:
            if self._journal is None and (self._data / JOURNAL).is_file():
                self._journal = Journal(self._data)
            return self._journal

    # ---- files of the data folder

    def disputes(self) -> Sequence[Claimed]:
        with _reading("disputes"):
            found = Ledger(self._data).read().disputes
            places = [_place_of(one.claim) for one in found.values()]
            trees = [agreements.as_json(one, self.zone) for one in found.values()]
            return [Claimed(number, *where, tree) for number, where, tree in zip(found, places, trees, strict=True)]

    def quarantined(self, most: int, before: int | None) -> Sequence[Refused]:
        with _reading("quarantine"):
            opened = self._opened_quarantine()
            return [_refused(*one) for one in opened.listed(most, before)] if opened else ()

    def _opened_quarantine(self) -> Quarantine | None:
        with self._lock:
            if self._quarantine is None and (self._data / quarantine.FILE).is_file():
                self._quarantine = Quarantine(self._data)
            return self._quarantine

    def closings(self) -> Sequence[Closed]:
        with _reading("closings"):
            names = Closed._fields
            return [Closed(**{name: getattr(one, name) for name in names}) for one in Closings(self._data).every()]

    def closing_file(self, name: str, file: str) -> Path:
        closings = Closings(self._data)
        with _reading("closings"):
            found = next((one for one in closings.every() if one.id == name), None)
            if found is None or file not in found.files:
                raise Missing(f"{name}/{file}: there is no such file")
            return closings.file(found, file)

    def verification(self, first: date | None, last: date | None) -> Verification:
        with _reading("verdicts"):
            found = self._verdicts.get(first, last)
            if found:
                return found
            kept = ", ".join(f"{a} to {b}" for a, b in sorted(self._verdicts.periods())) or "none"
        raise Missing(f"no verification of these days is kept; kept are: {kept}; `santong verify` keeps what it finds")

    # ---- the store

    def last_seen(self, devices: Collection[str]) -> Mapping[str, int]:
        with _reading("store"):
            end, names = self._now_ns() + _MINUTE_NS, sorted(devices)
            pieces = (names[at : at + _NAMED] for at in range(0, len(names), _NAMED))
            return {
                track.device: track.points[0][0]
                for some in pieces
                for track in self._store.last_before("delivery", ("seq",), end, some, _SEEN_NS, own=False)
            }

    def heard(self) -> Heard:
        with _reading("store"):
            return self._heard.get()

    def _read_heard(self) -> Heard:
        now_ns = self._now_ns()
        since_ns = now_ns // _MINUTE_NS * _MINUTE_NS - REPORTING_DAYS * DAY_NS
        return Heard(now_ns, since_ns, frozenset(self._store.devices(since_ns, now_ns + _MINUTE_NS)))

    def points(
        self, measurement: str, fields: Sequence[str], device: str, start_ns: int, end_ns: int
    ) -> Iterator[Points]:
        with _reading("store"):
            for track in self._store.tracks(measurement, fields, start_ns, end_ns, [device]):
                yield Points(track.source, dict(track.tags), track.points)

    def _read_evidence(self) -> int | None:
        """
        Return when evidence was received last, unix ns; None: nothing for a week.

        Some hundred devices all over the roster are asked about first: most have said something within the minute, and
        to ask about all of a city takes seconds.
        """
        now_ns = self._now_ns()
        some = self._devices_to_ask()
        newest = self._newest_of(some[:: max(1, len(some) // _SAMPLE)], now_ns) if some else 0
        if now_ns - newest <= STALE_S * 10**9:
            return newest
        for back in _LOOKED_BACK_NS:
            rows = self._store.latest("delivery", now_ns - back, now_ns + 10 * _MINUTE_NS)
            if found := max((_received_ns(row.fields.get("received", 0)) for row in rows), default=0):
                return max(found, newest)
        return newest or None

    def _devices_to_ask(self) -> Sequence[str]:
        """Return the devices of the roster; none where it cannot be read, which is said of the roster alone."""
        try:
            return sorted(self.places())
        except Unavailable:
            return ()

    def _newest_of(self, devices: Sequence[str], now_ns: int) -> int:
        reach = _EVIDENCE_DAYS * DAY_NS
        end = now_ns + 10 * _MINUTE_NS
        tracks = self._store.last_before("delivery", ("received",), end, devices[:_NAMED], reach, own=False)
        return max((_received_ns(track.points[0][1]) for track in tracks), default=0)

    # ---- how it is

    def health(self) -> Sequence[Part]:
        return self._health.get()

    def _read_health(self) -> Sequence[Part]:
        parts = [_part("store", self._store.ready), _part("roster", self._roster)]
        if parts[0].is_well:
            parts.append(self._evidence_part())
        if self._opened_journal():
            parts.append(self._watch_part())
        return parts

    def _watch_part(self) -> Part:
        try:
            pulse = self._opened_pulse()
        except SantongError as error:
            return _unwell("watch", error)
        if pulse is None:
            return Part("watch", False, "has never looked")
        age = max(0.0, (self._now_ns() - pulse.looked_ns) / 1e9)
        return Part("watch", is_live(pulse, self._now_ns()), f"looked {age:.0f} s ago")

    def _opened_pulse(self) -> Pulse | None:
        journal = self._opened_journal()
        return journal.pulse() if journal else None

    def _evidence_part(self) -> Part:
        try:
            newest = self._evidence.get()
            age = None if newest is None else max(0.0, (self._now_ns() - newest) / 1e9)
            if age is not None and age <= STALE_S:
                return Part("evidence", True, f"newest {age:.0f} s ago")
            said = "nothing for a week" if age is None else f"nothing for {age / 60:.0f} min"
            is_owed = self._is_service_owed()
        except Exception as error:  # noqa: BLE001  whatever it is: it is not well
            return _unwell("evidence", error)
        return Part("evidence", not is_owed, said if is_owed else f"{said}, and no service is owed now")

    def _is_service_owed(self) -> bool:
        """Tell whether any site of the roster owes service now, and did so when evidence became too old."""
        today, now_ns = self._today(), self._now_ns()
        try:
            roster = self._roster()
        except Unavailable:
            roster = None
        if roster is None:
            return True  # nobody wrote down when, or nobody can read it: always
        names = {self._calendars.name_of(site) for site in roster.sites.values()}
        try:
            windows = [window for name in names for window in self._calendars.day_of(name, today).service]
        except ConfigError:  # a day that no term tells of
            return False
        return any(window.start_ns <= now_ns - STALE_S * 10**9 and now_ns < window.end_ns for window in windows)

    def metrics(self) -> Sequence[Family]:
        families = [Family("santong_build_info", "gauge", "Version of the centre.", [({"version": __version__}, 1)])]
        parts = self.health()
        samples = [({"part": part.name}, float(part.is_well)) for part in parts]
        families.append(Family("santong_part_up", "gauge", "Whether a part of the centre does its work.", samples))
        for make in (self._of_devices, self._of_watch, self._of_incidents, self._of_evidence, self._of_quarantine):
            try:
                families += make()
            except Unavailable as error:
                log.error("metrics: %s: %s", error.part, error)  # noqa: TRY400  it says what to do
        return families

    def _of_devices(self) -> Iterator[Family]:
        places, live = self.places(), self.now()
        counting = Counter(place.county for place in places.values() if place.counts)
        about = "Devices that should exist and work today."
        yield Family(
            "santong_roster_devices", "gauge", about, [({"county": one}, n) for one, n in sorted(counting.items())]
        )
        if live is None:
            return
        found = Counter((county_of(one.device), str(one.state)) for one in live.values())
        counties = sorted({county for county, _ in found})
        samples = [({"county": one, "state": str(state)}, found[one, state]) for one in counties for state in State]
        yield Family("santong_devices", "gauge", "Devices by the state that watch says.", samples)

    def _of_watch(self) -> Iterator[Family]:
        with _reading("watch"):
            pulse = self._opened_pulse()
        if pulse:
            age = max(0.0, (self._now_ns() - pulse.looked_ns) / 1e9)
            yield single("santong_watch_age_seconds", "gauge", "Time since watch looked last.", age)

    def _of_incidents(self) -> Iterator[Family]:
        if self.now() is None:
            return
        found = Counter(one.kind for one in self.incidents(0, open_only=True))
        kinds = sorted({"device", "site", "operator", "fault", "silent", "centre", *found})
        samples = [({"kind": kind}, float(found[kind])) for kind in kinds]
        yield Family("santong_incidents_open", "gauge", "Incidents that are open.", samples)

    def _of_evidence(self) -> Iterator[Family]:
        with _reading("store"):
            newest = self._evidence.get()
        if newest is not None:
            age = max(0.0, (self._now_ns() - newest) / 1e9)
            yield single("santong_evidence_age_seconds", "gauge", "Time since evidence was received last.", age)

    def _of_quarantine(self) -> Iterator[Family]:
        with _reading("quarantine"):
            opened = self._opened_quarantine()
            kept, total = (opened.kept(), opened.total()) if opened else (0, 0)
        yield single("santong_quarantine_entries", "gauge", "Entries that quarantine holds.", kept)
        yield single("santong_quarantine_refused_total", "counter", "Entries that quarantine ever took.", total)


def _received_ns(received_ms: object) -> int:
    return int(received_ms) * 10**6 if isinstance(received_ms, int | float) else 0


def _places(roster: Roster, today: date) -> Mapping[str, Place]:
    places = {}
    for one in roster.devices.values():
        if one.exists_on(today):
            site = roster.sites.get(one.site)
            name, counts = (site.name if site else ""), one.counts_on(today)
            places[one.id] = Place(
                one.id, one.site, county_of(one.id), name, one.class_name, one.role, counts=counts, room=one.room
            )
    return places


def _place_of(claim: Claim) -> tuple[str, str]:
    """Return the county and the site of a claim; no site where it is about a county."""
    level, name = claim.scope
    site = "" if level == "county" else site_of(name.partition("/")[0])
    return (name, "") if level == "county" else (county_of(site), site)


def _refused(number: int, one: quarantine.Entry) -> Refused:
    return Refused(number, one.received_ns, one.agent, one.device, one.line, one.reason, one.detail, one.size)


@contextmanager
def _reading(part: str) -> Iterator[None]:
    """Turn what a part of the centre fails with into what the API says of it."""
    try:
        yield
    except (Missing, Unavailable):
        raise
    except (SantongError, OSError, sqlite3.Error) as error:
        raise Unavailable(part, str(error)) from error


def _part(name: str, look: Callable[[], object]) -> Part:
    try:
        look()
    except Exception as error:  # noqa: BLE001  whatever it is: it is not well
        return _unwell(name, error)
    return Part(name, True, "well")


def _unwell(name: str, error: Exception) -> Part:
    log.error("%s: %s", name, error)
    return Part(name, False, "cannot be read or reached: the log of this page says why")
