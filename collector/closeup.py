"""
One site close up, for the board: its minutes of today as verification would judge them, its week, its tests.

    store ─▶ evidence by the minute ─▶ judge ─▶ runs of today, shares of the days before      (nothing is written)

Days that verification has stored are taken as they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from collector.around import Around
from collector.asked import Asked, Questions
from collector.board.detail import SiteDetail, Test, Today, share_of
from collector.board.state import CLASSROOM, FRESH_NS, GATEWAY
from collector.calendars.calendar import Calendars
from collector.calendars.schedule import DaySchedule, Hours
from collector.calendars.zone import day_window
from collector.days import read_days
from collector.roster.schema import Roster
from collector.store.base import DAY_NS, Store
from collector.targets.schema import Condition, Criterion, Proof, Target
from collector.verification import only, promise_of
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Period
from collector.verify.day import judge
from collector.verify.integrity import Finding, doubted
from contract.errors import SantongError

_WEEK = 7
_REMEMBERED = 2000  # days of sites
_REMEMBERED_NS = 30 * MINUTE_NS
_TESTS_NS = 30 * DAY_NS
_CONNECTED = Criterion((Proof((Condition("presence.wan", at_least=1, cause=Cause.WAN_DOWN),)),), Hours.SERVICE)

_Days = dict[date, dict[str, tuple[Asked, Sequence[Run]]]]


class Basis(NamedTuple):
    """What a site is judged by; `schedule` is its day."""

    roster: Roster
    calendars: Calendars
    targets: Sequence[Target]
    findings: Sequence[Finding]
    schedule: DaySchedule


class CloseUp:
    """Reads sites; days that are over are remembered for a while. Thread-safe as far as the store is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._judged_days: dict[tuple[str, date], tuple[int, list[tuple[Asked, Sequence[Run]]]]] = {}

    def forget(self) -> None:
        """Judge again what is over: other calendars may make other days of it."""
        self._judged_days.clear()

    def detail(self, site: str, basis: Basis, now_ns: int) -> SiteDetail:
        """Return a site as it was until now; StoreError when the store does not answer."""
        devices = sorted(one.id for one in basis.roster.devices.values() if one.site == site)
        schedule = basis.schedule
        try:
            days = self._days(site, basis, now_ns)
        except SantongError as error:
            return SiteDetail(site, now_ns, schedule, tests=self._tests(devices, now_ns), flaw=str(error))
        hours = {
            name: Today(asked.schedule.windows(asked.criterion.hours), _until_known(runs, now_ns))
            for name, (asked, runs) in days.get(schedule.day, {}).items()
        }
        week = defaultdict(list)
        for day, found in sorted(days.items()):
            for name, (asked, runs) in found.items():
                week[name].append(share_of(day, runs, is_neutral=asked.device.role == CLASSROOM))
        return SiteDetail(site, now_ns, schedule, hours, week, self._tests(devices, now_ns))

    def _days(self, site: str, basis: Basis, now_ns: int) -> _Days:
        """
        Return the days of the week until now, of each device by one criterion.

        Of those that its targets have it is the one that its evidence of today says most about.
        """
        calendars, today = basis.calendars, basis.schedule.day
        first = today - timedelta(days=_WEEK - 1)
        period = Period(first, today, only([(date.min, basis.roster)], site=site))
        promise = promise_of(period, calendars.zone, calendars.day, basis.targets)
        questions = Questions(promise, doubted(basis.findings))
        asked: dict[date, list[Asked]] = defaultdict(list)
        for device in questions.devices():
            for one in _measured(list(questions.of(device))):
                asked[one.schedule.day].append(one)
        start_ns = day_window(first, calendars.zone).start_ns
        stored = {
            (day.device, day.criterion, day.day_start_ns): day.record().runs
            for day in read_days(self._store, start_ns, now_ns, questions.devices())
        }
        judged: list[tuple[Asked, Sequence[Run]]] = []
        for day, some in asked.items():
            keys = [(one.device.id, one.criterion.id, one.schedule.start_ns) for one in some]
            judged += [(one, stored[key]) for one, key in zip(some, keys, strict=True) if day < today and key in stored]
            rest = [one for one, key in zip(some, keys, strict=True) if day >= today or key not in stored]
            judged += self._judged(site, day, rest, now_ns, is_over=day < today)
        return _told_most(judged)

    def _judged(
        self, site: str, day: date, asked: Sequence[Asked], now_ns: int, *, is_over: bool
    ) -> list[tuple[Asked, Sequence[Run]]]:
        """Judge device-days as verification does, and write nothing; days that are over are remembered for a while."""
        key = site, day
        if is_over and key in self._judged_days and now_ns - self._judged_days[key][0] < _REMEMBERED_NS:
            return self._judged_days[key][1]
        if not asked:
            return []
        around = Around(self._store, asked, {})
        found: list[tuple[Asked, Sequence[Run]]] = [
            (one, judge(one.device, one.schedule, one.criterion, around.evidence(one), now_ns).runs) for one in asked
        ]
        if is_over:
            while len(self._judged_days) >= _REMEMBERED:
                self._judged_days.pop(next(iter(self._judged_days)))
            self._judged_days[key] = now_ns, found
        return found

    def _tests(self, devices: Sequence[str], now_ns: int) -> list[Test]:
        tracks = self._store.tracks(
            "throughput", ("goodput_mbps", "limited_by"), now_ns - _TESTS_NS, now_ns + MINUTE_NS, devices
        )
        found = [
            Test(track.device, time_ns, dict(track.tags)["direction"], float(mbps), limited_by or "")
            for track in tracks
            for time_ns, mbps, limited_by in track.points
            if mbps is not None
        ]
        return sorted(found, key=lambda one: one.time_ns)


def _measured(asked: Sequence[Asked]) -> Sequence[Asked]:
    """Return the questions that evidence can answer; of gateways, and what no target measures, if it was connected."""
    some = [one for one in asked if one.criterion.good_when]
    if some and some[0].device.role != GATEWAY:
        return some
    return [*some, *{one.schedule.day: one._replace(criterion=_CONNECTED) for one in asked}.values()]


def _until_known(runs: Sequence[Run], now_ns: int) -> Sequence[Run]:
    """Return runs without the last minutes where nothing is known of them yet: their evidence is under way."""
    last = runs[-1] if runs else None
    is_under_way = last and last.cause is Cause.UNKNOWN and now_ns - last.start_ns < FRESH_NS
    return runs[:-1] if is_under_way else runs


def _told_most(judged: Iterable[tuple[Asked, Sequence[Run]]]) -> _Days:
    """Return the days of each device by the criterion that most of its minutes are known by."""
    known: dict[str, Counter[str]] = defaultdict(Counter)
    for one, runs in judged:
        minutes = sum(run.minutes for run in runs if run.cause is not Cause.UNKNOWN)
        known[one.device.id][one.criterion.id] += minutes
    chosen = {device: max(sorted(some), key=some.__getitem__) for device, some in known.items()}
    found: _Days = defaultdict(dict)
    for one, runs in judged:
        if chosen[one.device.id] == one.criterion.id:
            found[one.schedule.day][one.device.id] = one, runs
    return found
