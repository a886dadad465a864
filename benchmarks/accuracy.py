"""
How right verification is: simulated cities, whose truth is known, are judged, and every minute is compared.

    World ──▶ evidence ──▶ store ──▶ santong's verification ──▶ a cause for each minute ─┐
      └─────▶ truth ─────────────────────────────────────────▶ what each minute was ─────┴▶ docs/accuracy.md

Beside it stands what Giga Meter's formula gives on the same evidence: pings that were answered ÷ pings that were sent,
one every 15 minutes while the machine is on. Of eight days, Monday to Monday, Tuesday to Friday are judged, so that
there is evidence before and after.

    python -m benchmarks.accuracy [--outages 10000] [--seed 1]
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from collector.asked import Questions
from collector.calendars.load import load as load_calendars
from collector.calendars.schedule import Hours
from collector.chunk import Chunk
from collector.records import read_records
from collector.roster.read import read as read_roster
from collector.roster.schema import Roster
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.load import load as load_targets
from collector.targets.schema import Condition, Proof, Rule, Scope, Target
from collector.verification import promise_of
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.conclude import Period
from collector.verify.integrity import doubted
from collector.wire import Arrival
from contract import topics
from firmware_profiles.schema import Slug, Title
from simulator.city import City, Told, make
from simulator.minutes import Known, Minute, Truth
from simulator.places import Role
from simulator.rates import Rates
from simulator.spans import MINUTE, Span, Times
from simulator.truth import FILE
from simulator.world import World

DEVICES, FAULTS = 150, 10.0
EXAMPLES = 8  # of minutes that were judged wrongly in the same way
DAYS, FIRST_JUDGED, DAYS_JUDGED = 8, 1, 4
FIRST = date(2026, 11, 16)  # a Monday
PING_MS = 15 * MINUTE
ELSEWHERE = ("clone", "moved", "parked")
NO_OUTAGE = ("no_time", "gateway_changed")
BAD = (Cause.POWER_OFF, Cause.ASLEEP, Cause.LAN_DOWN, Cause.WAN_DOWN, Cause.SERVICE_DOWN)
_WHY = {
    "off": Cause.POWER_OFF, "asleep": Cause.ASLEEP, "lan": Cause.LAN_DOWN, "wan": Cause.WAN_DOWN,
    "service": Cause.SERVICE_DOWN,
}  # fmt: skip
# What a panel cannot say of itself: it is off, or its cable is out.
SILENT = Cause.UNKNOWN


class Error(NamedTuple):
    """
    By how much the minutes booked to an outage differ from what it was: from its length, and from its true minutes.

    Unknown minutes count as an error in the first; in the second whatever they may have been explains it.
    """

    length: float
    minutes: int

    @classmethod
    def of(cls, length: float, true: int, booked: int, unknown: int) -> "Error":
        """Return the error of an outage of `length` minutes, `true` of which had its cause by the definition."""
        return cls(abs(booked - length), max(0, booked - true, true - booked - unknown))


class Figures:
    """Everything that is counted, over all cities."""

    def __init__(self) -> None:
        self.outages = 0
        self.days = 0
        self.contained = 0
        self.minutes: Counter[tuple[Cause, Cause, bool]] = Counter()  # truth, judged, at an edge
        self.outage: Counter[tuple[str, Cause, bool]] = Counter()  # recall or precision, cause, right
        self.errors: dict[Cause, list[Error]] = {cause: [] for cause in (*BAD, Cause.AGENT_DOWN)}
        self.false_good: Counter[str] = Counter()
        self.false_bad: Counter[str] = Counter()
        self.width: list[float] = []
        self.below: list[float] = []
        self.naive: list[float] = []
        self.naive_on: list[float] = []
        self.elsewhere = Counter[str]()
        self.on_paper = Counter[str]()
        self.examples: list[str] = []
        self.seed = 0


class Day(NamedTuple):
    """A device-day: what each minute was, and what it was judged to be."""

    known: Known
    truth: dict[int, Minute]
    judged: dict[int, Cause]
    oddity: str

    @property
    def what(self) -> str:
        """What must be known of the device where it is judged wrongly."""
        if self.known.role is Role.PANEL:
            return "panel"
        return self.oddity or ("supervised" if self.known.has_marks else "without a supervisor")

    def was(self, start: int) -> Cause:
        """Return the true cause of a minute: an agent that was not there is one, whatever the service did."""
        one = self.truth[start]
        if self.known.role is Role.PANEL:
            return SILENT if not one.is_seen or one.why == "off" else Cause.WORKING if one.is_good else Cause.ASLEEP
        if one.why in ("off", "asleep"):
            return _WHY[one.why]
        if not one.is_seen:
            return Cause.AGENT_DOWN
        return Cause.WORKING if one.is_good else _WHY[one.why]


# ---- a city, from its making to its records


def fill(world: World, folder: Path) -> Store:
    """Make a city, and put its evidence into a store as the collector does; return the store."""
    store = open_store(f"sqlite:{folder / 'santong.sqlite'}")
    store.prepare()

    def take(_site: object, told: Told) -> None:
        chunk = Chunk()
        for received, device, payload in told.arrived:
            chunk.add(Arrival(topics.batch(told.agent, device), payload, received * 1_000_000))
        chunk.store(store.write)

    for _ in make(City(world, lean=True, rounds_a_batch=5), folder, {}, take):
        pass
    return store


def targets() -> tuple[Target, ...]:
    """Return the shipped criteria of classrooms (here for all hours of service) and hotspots, and one of gateways."""
    shipped = {target.id: target for target in load_targets().targets}
    online = Proof((Condition("presence.wan", at_least=1),))
    gateways = Target(
        Slug("gateways"), Title("网关", "Gateways"), scope=Scope(role=("gateway",)), good_when=(online,),
        rule=Rule(availability=0.9), share=1.0,
    )  # fmt: skip
    classes = shipped[Slug("banbantong")]._replace(hours=Hours.SERVICE)
    return classes, shipped[Slug("free-wifi-centre")], shipped[Slug("free-wifi-counties")], gateways


def judged_days(world: World, folder: Path, store: Store, figures: Figures) -> Iterator[Day]:
    """Judge a city, and yield its device-days beside their truth; strange devices are counted apart."""
    calendars = load_calendars(folder / "calendars.yaml")
    roster: Roster = read_roster([folder / "sites.csv", folder / "devices.csv"]).roster
    first = world.calendar.start + timedelta(days=FIRST_JUDGED)
    period = Period(first, first + timedelta(days=DAYS_JUDGED - 1), [(world.calendar.start, roster)])
    promise = promise_of(period, calendars.zone, calendars.day, targets())
    from collector.doubts import read_findings  # noqa: PLC0415

    questions = Questions(promise, doubted(read_findings(store, promise.start_ns, promise.end_ns)))
    records = read_records(store, questions, world.span.end * 1_000_000, lambda *_: None, recompute=True)
    with closing(Truth(folder / FILE)) as truth:
        odd = truth.oddities()
        for name in records.devices():
            known = truth.known(name)
            days = [
                {at // 10**6: run.cause for run in record.runs for at in range(run.start_ns, run.end_ns, MINUTE_NS)}
                for record in records.of(name)
            ]
            if not known.is_there or (name in odd and odd[name][0] in ELSEWHERE):
                where = figures.elsewhere if known.is_there else figures.on_paper
                since = odd[name][1] if name in odd else 0
                where.update(str(cause) for day in days for at, cause in day.items() if at >= since)
                continue
            speaker = truth.known(known.speaker) if known.role is Role.PANEL else None
            hours = Times((at, at + MINUTE) for day in days for at in day)
            figures.outages += sum(
                kind not in NO_OUTAGE and hours.touches(*span) for kind, span, _ in truth.faults(name)
            )
            for day in days:
                minutes: dict[int, Cause] = {at: cause for at, cause in day.items() if cause is not Cause.EXCLUDED}
                yield Day(known, {at: known.minute(at, speaker) for at in minutes}, minutes, odd.get(name, ("",))[0])


# ---- comparing


def compare(day: Day, figures: Figures) -> None:
    """Count a device-day: minute by minute, run by run, outage by outage, and its interval."""
    figures.days += 1
    was = {at: day.was(at) for at in day.judged}
    good = 0
    for at, judged in day.judged.items():
        is_good = day.truth[at].is_good
        good += is_good
        is_edge = any(was.get(at + step, was[at]) is not was[at] for step in (-MINUTE, MINUTE))
        figures.minutes[was[at], judged, is_edge] += 1
        if judged is Cause.WORKING and not is_good:
            figures.false_good[day.what] += 1
        if judged in BAD and is_good:
            figures.false_bad[day.what] += 1
        if judged is not was[at] and Cause.UNKNOWN not in (judged, was[at]):
            _remember(figures, day, at, was[at])
    low = sum(cause is Cause.WORKING for cause in day.judged.values())
    open_ = sum(cause in (Cause.UNKNOWN, Cause.AGENT_DOWN) for cause in day.judged.values())
    figures.contained += low <= good <= low + open_
    figures.width.append(open_)
    figures.below.append(good - low)
    for kind, runs, other in (("recall", _runs(was), day.judged), ("precision", _runs(day.judged), was)):
        for cause, minutes in runs:
            told = [at for at in minutes if day.judged[at] is not Cause.UNKNOWN]
            right = sum(other[at] is cause for at in told)
            if told:
                figures.outage[kind, cause, 2 * right >= len(told)] += 1
    if day.known.role is not Role.PANEL:
        _outages(day, was, figures)


def _remember(figures: Figures, day: Day, at: int, was: Cause) -> None:
    what = f"{day.what}: judged {day.judged[at]}, was {was}"
    if sum(example.startswith(what) for example in figures.examples) < EXAMPLES:
        when = f"{datetime.fromtimestamp(at / 1000, UTC):%d %H:%M}Z {at}"
        figures.examples.append(f"{what}: seed {figures.seed} {day.known.device} {when} {day.truth[at]}")


def _runs(causes: Mapping[int, Cause]) -> Iterator[tuple[Cause, list[int]]]:
    """Yield minutes in a row with one cause."""
    run: list[int] = []
    for at in sorted(causes):
        if run and (run[-1] + MINUTE != at or causes[run[-1]] is not causes[at]):
            yield causes[run[-1]], run
            run = []
        run.append(at)
    if run:
        yield causes[run[-1]], run


def _outages(day: Day, was: Mapping[int, Cause], figures: Figures) -> None:
    """Compare each true outage, in continuous time, with the minutes that were booked to its cause."""
    hours = Times((at, at + MINUTE) for at in day.judged)
    known = day.known
    journey = Times(
        span for stage, times in known.layers.get("journey", {}).items() if stage != "done" for span in times
    )
    layers = (
        (Cause.POWER_OFF, known.times("power", "off")),
        (Cause.ASLEEP, known.times("power", "asleep")),
        (Cause.AGENT_DOWN, known.times("agent", "away")),
        (Cause.LAN_DOWN, known.times("lan", "down")),
        (Cause.WAN_DOWN, known.times("wan", "down")),
        (Cause.SERVICE_DOWN, journey),
    )
    above = Times()
    for cause, times in layers:
        free = [] if not times else times.both(hours).without(above).spans
        above = above.either(times)
        booked = sorted(at for at, judged in day.judged.items() if judged is cause)
        for outage in _near(free):
            mine = [at for at in booked if outage.start - 2 * MINUTE <= at < outage.end + MINUTE]
            booked = booked[len(mine) + sum(at < outage.start - 2 * MINUTE for at in booked) :] if mine else booked
            around = [at for at in day.judged if outage.start - 2 * MINUTE <= at < outage.end + MINUTE]
            true = sum(was[at] is cause for at in around)
            unknown = sum(day.judged[at] is Cause.UNKNOWN for at in around)
            figures.errors[cause].append(Error.of((outage.end - outage.start) / MINUTE, true, len(mine), unknown))


def _near(spans: Sequence[Span]) -> Iterator[Span]:
    """Yield outages; those of one cause less than three minutes apart are one."""
    found: Span | None = None
    for span in spans:
        if found and span.start - found.end < 3 * MINUTE:
            found = Span(found.start, span.end)
            continue
        if found:
            yield found
        found = span
    if found:
        yield found


def naive(store: Store, days: Sequence[Day], figures: Figures) -> None:
    """Compare what pings every 15 minutes give, answered ÷ sent while the machine is on, with the truth."""
    start, end = (edge(at for day in days for at in day.judged) for edge in (min, max))
    pings: dict[str, dict[int, int]] = {}
    for track in store.tracks("presence", ("wan",), start * 10**6, end * 10**6 + 2 * MINUTE_NS):
        pings[track.device] = {at // 10**6: int(wan) for at, wan in track.points if wan is not None}
    for day in days:
        if day.known.role is Role.PANEL:
            continue
        mine = pings.get(day.known.device, {})
        sent = [mine[at] for at in day.judged if at % PING_MS == 0 and at in mine]
        rate = sum(sent) / len(sent) if sent else 0.0
        good = sum(minute.is_good for minute in day.truth.values())
        on = sum(minute.why not in ("off", "asleep") for minute in day.truth.values())
        figures.naive.append(abs(rate * len(day.truth) - good))
        if sent:
            figures.naive_on.append(abs(rate * on - good))


# ---- the table


def table(figures: Figures) -> Iterator[str]:
    """Yield the lines of the table."""
    total = sum(figures.minutes.values())
    yield f"{figures.outages:,} injected outages, {figures.days:,} device-days, {total:,} minutes of service"
    yield ""
    yield "| cause | recall | precision | both with edges | unknown | recall, runs | precision, runs | runs |"
    yield "|---|---|---|---|---|---|---|---|"
    for cause in (Cause.WORKING, *BAD, Cause.AGENT_DOWN):
        yield _row(cause, figures)
    yield ""
    yield from _confusion(figures)
    yield ""
    yield "| cause | outages | of the length, median | mean | ≤ 1 min | of the minutes, mean | most | ≤ 1 |"
    yield "|---|---|---|---|---|---|---|---|"
    for cause, errors in figures.errors.items():
        if errors:
            yield f"| {cause} | {len(errors):,} | {_errors(errors)} |"
    yield ""
    yield from _days(figures)


def _confusion(figures: Figures) -> Iterator[str]:
    """Yield which cause was taken for which, in minutes, edges included."""
    causes = (Cause.WORKING, *BAD, Cause.AGENT_DOWN, Cause.UNKNOWN)
    yield f"| was, in minutes | {' | '.join(causes)} |"
    yield f"|---|{'---|' * len(causes)}"
    for was in causes:
        judged = [sum(figures.minutes[was, cause, is_edge] for is_edge in (False, True)) for cause in causes]
        if any(judged):
            yield f"| {was} | {' | '.join(f'{n:,}' for n in judged)} |"


def _errors(errors: Sequence[Error]) -> str:
    length, minutes = [error.length for error in errors], [error.minutes for error in errors]
    small, sound = (sum(error <= 1 for error in some) / len(errors) for some in (length, minutes))
    return (
        f"{median(length):.2f} | {mean(length):.2f} | {small:.1%} | {mean(minutes):.3f} | {max(minutes)} | {sound:.2%}"
    )


def _days(figures: Figures) -> Iterator[str]:
    yield "| of a device-day | mean | p99 | most |"
    yield "|---|---|---|---|"
    rows = {
        "minutes of the interval, high − low": figures.width,
        "truth − low, minutes": figures.below,
        "pings every 15 min, against service time, minutes off": figures.naive,
        "pings every 15 min, against time switched on, minutes off": figures.naive_on,
    }
    for name, values in rows.items():
        yield f"| {name} | {mean(values):.2f} | {_quantile(values, 0.99):.1f} | {max(values):.0f} |"
    yield ""
    yield f"intervals that contain the truth: {figures.contained:,} of {figures.days:,}"
    yield f"minutes called good that were not: {dict(figures.false_good)}"
    yield f"minutes called bad that were good: {dict(figures.false_bad)}"
    yield f"agents that were elsewhere, minutes by cause: {dict(figures.elsewhere)}"
    yield f"classes on paper alone, minutes by cause: {dict(figures.on_paper)}"


def _row(cause: Cause, figures: Figures) -> str:
    def share(which: int, *, edges: bool) -> str:
        """Of the minutes that were judged: what is unknown claims nothing."""
        some = {
            key: n
            for key, n in figures.minutes.items()
            if key[which] is cause and key[1] is not Cause.UNKNOWN and (edges or not key[2])
        }
        return _percent(sum(n for key, n in some.items() if key[0] is key[1]), sum(some.values()))

    def runs(kind: str) -> str:
        right, wrong = (figures.outage[kind, cause, is_right] for is_right in (True, False))
        return _percent(right, right + wrong)

    mine = {key: n for key, n in figures.minutes.items() if key[0] is cause}
    unknown = sum(n for key, n in mine.items() if key[1] is Cause.UNKNOWN) / max(1, sum(mine.values()))
    n = sum(figures.outage["recall", cause, is_right] for is_right in (True, False))
    both = f"{share(0, edges=True)}, {share(1, edges=True)}"
    inner = f"{share(0, edges=False)} | {share(1, edges=False)}"
    return f"| {cause} | {inner} | {both} | {unknown:.1%} | {runs('recall')} | {runs('precision')} | {n:,} |"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "–"


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def city(seed: int, figures: Figures, *, devices: int = DEVICES, rate: float = FAULTS) -> None:
    """Make one city, judge it, and count."""
    figures.seed = seed
    world = World(seed, devices, FIRST, DAYS, Rates().scaled(rate))
    with tempfile.TemporaryDirectory() as folder, closing(fill(world, Path(folder))) as store:
        found = list(judged_days(world, Path(folder), store, figures))
        for day in found:
            compare(day, figures)
        naive(store, found, figures)


def main() -> None:
    """Judge cities until there were enough outages, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", action="store_true", help="show minutes that were judged wrongly")
    given = parser.parse_args()
    figures = Figures()
    seed = given.seed
    while figures.outages < given.outages:
        city(seed, figures)
        seed += 1
    print("\n".join(table(figures)))
    if given.examples:
        print("\n".join(figures.examples))


if __name__ == "__main__":
    main()
