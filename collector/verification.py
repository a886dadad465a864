"""
Verification of a period: joins roster, calendars and targets with the store, and the pure verifier.

    identity ──▶ findings of integrity ──▶ periods in doubt ─┐
    device-days asked about ─┬─ stored, and still valid ─────┼──▶ records ─┬───────────────▶ conclusion ──▶ verdicts
                             └─ all others: judged now ──────┘             ╰─ disputes ─▶ conclusion ──▶ verdicts, rates
    throughput tests, who reported, what else there is: rates.py ─────────────────╯

The store is read; what is written are daily records, which come out the same whenever they are judged again.
"""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.asked import Promise, Questions, ScheduleOf
from collector.calendars.zone import day_window
from collector.disputed import Disputed, Figures, Taken
from collector.disputes.schema import Dispute
from collector.doubts import read_findings
from collector.rates import POINT_BY_POINT, feed
from collector.records import Records, read_records
from collector.roster.schema import Roster
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verify.conclude import Period, TargetFigures
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Finding
from collector.verify.results import Rates, TargetResult
from collector.verify.throughput import Test
from contract.names import county_of

Progress = Callable[[int, int, str], None]  # done, total, what: identity, judging, summing, rates


class Verified(NamedTuple):
    """
    What verification found: each target's verdict with its figures, in the programme's order, and the findings.

    `reused` records were those of the store, `judged` ones were made now; `judging_s`, `summing_s` and `rates_s` are
    the seconds that each part took. `left_out` names the rates that were not read: those of `rates.POINT_BY_POINT`.
    `records` are all device-days that `targets` rest on, by device, criterion and day, to be read once; `takes` tells
    which throughput tests count.

    `disputes` are the approved disputes and closures that `targets` are with; `without` is what targets come to without
    them, and empty where there are none. Of `findings` those in `decided` doubt nothing of the period any more.
    """

    period: Period
    targets: Sequence[tuple[TargetResult, TargetFigures]]
    findings: Sequence[Finding]
    reused: int
    judged: int
    judging_s: float
    summing_s: float
    rates_s: float = 0.0
    rates: Rates = Rates()
    left_out: Sequence[str] = ()
    disputes: Sequence[Dispute] = ()
    without: Sequence[tuple[TargetResult, TargetFigures]] = ()
    decided: Sequence[Finding] = ()
    records: Iterable[DayRecord] = ()
    takes: Callable[[Test], bool] = lambda _: True

    @property
    def differing(self) -> dict[str, tuple[TargetResult, TargetFigures]]:
        """What targets come to without disputes and closures, where that is anything else; by their ids."""
        pairs = zip(self.targets, self.without, strict=True) if self.without else ()
        return {other[0].target.id: other for one, other in pairs if one != other}


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


@contextmanager
def _few_collections() -> Iterator[None]:
    """Have Python look for cycles seldom: evidence and records have none, but there are millions of them."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_few_collections()
def verify(  # noqa: PLR0913  what is asked, and how
    store: Store,
    promise: Promise,
    now_ns: int,
    progress: Progress = lambda *_: None,
    *,
    recompute: bool = False,
    taken: Taken = Taken(),  # noqa: B008  it never changes
    all_points: bool = True,
) -> Verified:
    """
    Return the verdicts of a period, and its rates, from the evidence there is at `now_ns`.

    `recompute` looks at no stored day; `taken` are the disputes and closures; without `all_points` rates that take a
    look at each point are left out. Raises StoreError when the store fails: nothing is half judged, and what was
    written until then is right.
    """
    began = time.monotonic()
    progress(0, 1, "identity")
    findings = read_findings(store, promise.start_ns, promise.end_ns)
    disputed = Disputed(taken, promise.period, (promise.start_ns, promise.end_ns), findings)
    questions = Questions(promise, disputed.doubts)
    records = read_records(
        store, questions, now_ns, lambda done, total: progress(done, total, "judging"), recompute=recompute
    )
    judged = time.monotonic()
    figures = Figures(promise.targets, promise.period, disputed.views)
    _sum(records, figures, progress)
    summed = time.monotonic()
    feed(store, promise, records, figures, lambda done, total: progress(done, total, "rates"), all_points=all_points)
    targets, *without = figures.finish()
    rates = figures.first.rates(now_ns, promise.schedule_of, disputed.quiet.is_closed)
    return Verified(
        promise.period,
        targets,
        findings,
        records.reused,
        records.judged,
        judged - began,
        summed - judged,
        time.monotonic() - summed,
        rates,
        () if all_points else POINT_BY_POINT,
        disputed.approved if disputed.is_counted else (),
        without[0] if without else (),
        [finding for finding in findings if disputed.is_decided(finding)],
        map(disputed.views[0].record, records),
        disputed.views[0].takes,
    )


def _sum(records: Records, figures: Figures, progress: Progress) -> None:
    """Hand in all records."""
    total = len(records)
    for number, record in enumerate(records):
        if number % 10_000 == 0:
            progress(number, total, "summing")
        figures.add(record)
    progress(total, total, "summing")
