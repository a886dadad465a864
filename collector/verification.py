"""
Verification of a period: joins roster, calendars and targets with the store, and the pure verifier.

    identity ──▶ findings of integrity ──▶ periods in doubt ─┐
    device-days asked about ─┬─ stored, and still valid ─────┼──▶ records ──▶ conclusion ──▶ verdicts
                             └─ all others: judged now ──────┘                   ▲
    throughput tests, who reported ──────────────────────────────────────────────╯

The store is read; what is written are daily records, which come out the same whenever they are judged again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.asked import Promise, Questions, ScheduleOf
from collector.calendars.zone import day_window
from collector.doubts import read_findings
from collector.records import Records, read_records
from collector.roster.schema import Roster
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verify.conclude import Conclusion, Period, TargetFigures
from collector.verify.integrity import Finding, doubted
from collector.verify.results import TargetResult
from collector.verify.throughput import Test
from contract.names import county_of

SILENT_DAYS = 2

Progress = Callable[[int, int, str], None]  # done, total, what: identity, judging, summing


class Silent(NamedTuple):
    """A device whose agent says nothing any more; `last_ns` is the time of its last presence, 0 for none in reach."""

    device: str
    last_ns: int


class Verified(NamedTuple):
    """
    What verification found: each target's verdict with its figures, in the programme's order, and the findings.

    `reused` records were those of the store, `judged` ones were made now; `judging_s` and `summing_s` are the seconds
    that each half took. `at_risk` are those whose agent has been silent on the last two of the days that count.
    """

    period: Period
    targets: Sequence[tuple[TargetResult, TargetFigures]]
    findings: Sequence[Finding]
    reused: int
    judged: int
    judging_s: float
    summing_s: float
    at_risk: Sequence[Silent] = ()


def promise_of(period: Period, zone: ZoneInfo, schedule_of: ScheduleOf, targets: Iterable[Target]) -> Promise:
    """Return the promise for a period of days in the programme's zone."""
    start_ns, end_ns = day_window(period.first, zone).start_ns, day_window(period.last, zone).end_ns
    return Promise(period, schedule_of, tuple(targets), start_ns, end_ns)


def only(rosters: Iterable[tuple[date, Roster]], county: str = "", site: str = "") -> list[tuple[date, Roster]]:
    """Return versions of a roster with the sites and devices of one county, or one site, alone."""
    return [(since, _only(roster, county, site)) for since, roster in rosters] if county or site else list(rosters)


def _only(roster: Roster, county: str, site: str) -> Roster:
    sites = {name: one for name, one in roster.sites.items() if site in ("", name) and county in ("", county_of(name))}
    return Roster(sites, {name: device for name, device in roster.devices.items() if device.site in sites})


def last_whole_day(now_ns: int, zone: ZoneInfo) -> date:
    """Return the last day that is over: days that are not yet are never asked about."""
    return datetime.fromtimestamp(now_ns / 1e9, zone).date() - timedelta(days=1)


def verify(
    store: Store, promise: Promise, now_ns: int, progress: Progress = lambda *_: None, *, recompute: bool = False
) -> Verified:
    """
    Return the verdicts of a period from the evidence there is at `now_ns`.

    `recompute` looks at no stored day. Raises StoreError when the store fails: nothing is half judged, and what was
    written until then is right.
    """
    began = time.monotonic()
    progress(0, 1, "identity")
    findings = read_findings(store, promise.start_ns, promise.end_ns)
    questions = Questions(promise, doubted(findings))
    records = read_records(
        store, questions, now_ns, lambda done, total: progress(done, total, "judging"), recompute=recompute
    )
    judged = time.monotonic()
    targets = _conclude(store, promise, records, progress)
    return Verified(
        promise.period,
        targets,
        findings,
        records.reused,
        records.judged,
        judged - began,
        time.monotonic() - judged,
        list(_at_risk(store, promise, records)),
    )


def _conclude(
    store: Store, promise: Promise, records: Records, progress: Progress
) -> list[tuple[TargetResult, TargetFigures]]:
    conclusion = Conclusion(promise.targets, promise.period)
    total = len(records)
    for number, record in enumerate(records):
        if number % 10_000 == 0:
            progress(number, total, "summing")
        conclusion.add(record)
    progress(total, total, "summing")
    if any(target.rule.throughput_mbps is not None for target in promise.targets):
        for test in _tests(store, promise):
            conclusion.test(test)
    if any(target.rule.reporting for target in promise.targets):
        for device in store.devices(promise.start_ns, promise.end_ns):
            conclusion.seen(device)
    return conclusion.finish()


def _at_risk(store: Store, promise: Promise, records: Records) -> Iterator[Silent]:
    """Yield the devices that count on the last day and were silent on the last two days that were asked about."""
    roster = promise.period.in_force[-1]
    agents = {
        device: roster.devices[device].speaker
        for device in records.devices()
        if device in roster.devices and roster.devices[device].counts_on(promise.period.last)
    }
    tracks = store.last_before("presence", ("uptime_s",), promise.end_ns)
    newest = {track.device: int(track.points[-1][0]) for track in tracks}
    for device, agent in agents.items():
        days = sorted({record.day_start_ns for record in records.of(device)})
        if len(days) >= SILENT_DAYS and newest.get(agent, 0) < days[-SILENT_DAYS]:
            yield Silent(device, newest.get(agent, 0))


def _tests(store: Store, promise: Promise) -> Iterator[Test]:
    """Yield the throughput tests of a period."""
    fields = ("goodput_mbps", "limited_by")
    for track in store.tracks("throughput", fields, promise.start_ns, promise.end_ns):
        direction = dict(track.tags)["direction"]
        for time_ns, goodput, limited_by in track.points:
            if goodput is not None:
                yield Test(track.device, time_ns, direction, float(goodput), limited_by or "")
