"""
One device-day: from evidence to a cause for each minute that counts.

    gaps: was it proven to run? ──▶ conditions: did what is asked for work? ──▶ excluded, doubted ──▶ runs of minutes
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conditions import HOLD, Judge, applies
from collector.verify.evidence import DayRecord, DaySummary, Evidence, ReadingSummary
from collector.verify.gaps import ASLEEP_S, SECOND_NS, TOLERANCE_S, Span, explain


def judge(
    device: Device, schedule: DaySchedule, criterion: Criterion, evidence: Evidence, horizon_ns: int
) -> DayRecord:
    """
    Return the runs of a day's minutes; those that end after `horizon_ns`, for which there can be no evidence yet, not.

    A device that another agent speaks for is unknown while that agent has no presence.
    """
    windows = _until(schedule.windows(criterion.hours), horizon_ns)
    if not windows:
        return DayRecord(device.id, schedule.start_ns, criterion.id, ())
    is_observed = device.speaker != device.id
    known = explain(evidence.presence, evidence.stops, evidence.unsynced_ns, windows[0].start_ns, windows[-1].end_ns)
    answers = Judge(criterion, device.profile, evidence, is_observed=is_observed)
    runs: list[Run] = []
    for window in windows:
        for span in _overlay(_within(known.spans, window), schedule.excluded, evidence.doubted):
            if span.cause is Cause.WORKING:
                _ask(runs, answers, span)
            elif is_observed and span.cause is not Cause.EXCLUDED:
                _add(runs, span.start_ns, span.end_ns, Cause.UNKNOWN)
            else:
                _add(runs, span.start_ns, span.end_ns, span.cause)
    is_open = known.open_ns is not None and any(window.end_ns > known.open_ns for window in windows)
    return DayRecord(device.id, schedule.start_ns, criterion.id, tuple(runs), is_open)


def _until(windows: Sequence[Window], horizon_ns: int) -> list[Window]:
    end_ns = horizon_ns - horizon_ns % MINUTE_NS
    return [Window(start, min(end, end_ns)) for start, end in windows if start < end_ns]


def _within(spans: Sequence[Span], window: Window) -> Iterator[Span]:
    for start_ns, end_ns, cause in spans:
        if start_ns < window.end_ns and end_ns > window.start_ns:
            yield Span(max(start_ns, window.start_ns), min(end_ns, window.end_ns), cause)


def _overlay(spans: Iterator[Span], excluded: Sequence[Window], doubted: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Put agreed interruptions, then doubt, above what is known."""
    if not excluded and not doubted:
        return spans
    for start_ns, end_ns in doubted:
        spans = _cover(spans, _floor(start_ns), -(-end_ns // MINUTE_NS) * MINUTE_NS, Cause.UNKNOWN)
    for window in excluded:
        spans = _cover(spans, window.start_ns, window.end_ns, Cause.EXCLUDED)
    return spans


def _floor(time_ns: int) -> int:
    return time_ns - time_ns % MINUTE_NS


def _cover(spans: Iterator[Span], start_ns: int, end_ns: int, cause: Cause) -> Iterator[Span]:
    for span in spans:
        first, last = max(span.start_ns, start_ns), min(span.end_ns, end_ns)
        if first >= last:
            yield span
            continue
        if span.start_ns < first:
            yield span._replace(end_ns=first)
        yield Span(first, last, cause)
        if last < span.end_ns:
            yield span._replace(start_ns=last)


def _ask(runs: list[Run], answers: Judge, span: Span) -> None:
    for minute_ns in range(span.start_ns, span.end_ns, MINUTE_NS):
        answer = answers.at(minute_ns)
        _add(runs, minute_ns, minute_ns + MINUTE_NS, answer.cause, answer.stage)


def _add(runs: list[Run], start_ns: int, end_ns: int, cause: Cause, stage: str = "") -> None:
    minutes = (end_ns - start_ns) // MINUTE_NS
    if runs:
        last = runs[-1]
        if last.cause is cause and last.stage == stage and last.end_ns == start_ns:
            runs[-1] = Run(last.start_ns, last.minutes + minutes, cause, stage)
            return
    runs.append(Run(start_ns, minutes, cause, stage))


# ---- days without any fault, told from a few figures


def envelope(schedule: DaySchedule, criterion: Criterion) -> Window | None:
    """Return the time from the first to the last minute that counts; None when none does."""
    windows = schedule.windows(criterion.hours)
    return Window(windows[0].start_ns, windows[-1].end_ns) if windows else None


def perfect(
    device: Device,
    schedule: DaySchedule,
    criterion: Criterion,
    summary: DaySummary,
    doubted: Sequence[tuple[int, int]] = (),
) -> bool:
    """
    Tell whether `judge` would find every minute of the day good; False: look at each.

    The presences are those labelled from one minute before the hours to their end: without these nobody knows whether
    the first minute began asleep.
    """
    hours = envelope(schedule, criterion)
    if hours is None or schedule.excluded or doubted or not _is_continuous(hours, summary):
        return False
    for number, proof in enumerate(criterion.good_when):
        if applies(proof, device.profile):
            answer = _is_proven(number, proof, summary, hours, is_observed=device.speaker != device.id)
            if answer is not None:
                return answer
    return False


def _is_proven(number: int, proof: Proof, summary: DaySummary, hours: Window, *, is_observed: bool) -> bool | None:
    """Tell whether a proof holds all day; None when it has no evidence in any minute, and the next one decides."""
    own = [condition for condition in proof.all if condition.measurement == "presence"]
    others = [
        (condition, summary.readings.get((number, place)))
        for place, condition in enumerate(proof.all)
        if condition.measurement != "presence"
    ]
    if not any(reading and reading.total for _, reading in others) and (others or is_observed):
        return None
    return all(_is_presence_good(condition, summary) for condition in own) and all(
        _is_reading_good(condition, reading, hours) for condition, reading in others
    )


def all_working(device: Device, schedule: DaySchedule, criterion: Criterion) -> DayRecord:
    """Return the record of a perfect day."""
    runs = tuple(Run(window.start_ns, window.minutes, Cause.WORKING) for window in schedule.windows(criterion.hours))
    return DayRecord(device.id, schedule.start_ns, criterion.id, runs)


def _is_continuous(hours: Window, summary: DaySummary) -> bool:
    """Tell whether one boot, awake, has a presence for each minute."""
    first, last = summary.first, summary.last
    if first is None or last is None:
        return False
    wanted_ns = hours.start_ns - MINUTE_NS
    passed_s = (hours.end_ns - wanted_ns) / SECOND_NS
    return (
        first.time_ns == wanted_ns
        and last.time_ns == hours.end_ns
        and summary.presences == hours.minutes + 2
        and first.boot == last.boot
        and abs(last.uptime_s - first.uptime_s - passed_s) <= TOLERANCE_S
        and last.asleep_s - first.asleep_s < ASLEEP_S
    )


def _is_presence_good(condition: Condition, summary: DaySummary) -> bool:
    total = summary.lan_sum if condition.field == "lan" else summary.wan_sum
    return total == summary.presences and _wants_one(condition)


def _wants_one(condition: Condition) -> bool:
    return condition.equals == ("1",) or (condition.at_least is not None and 0 < condition.at_least <= 1)


def _is_reading_good(condition: Condition, summary: ReadingSummary | None, hours: Window) -> bool:
    """Tell whether every reading fits, and none held to an end before the next one came."""
    if summary is None or not summary.total or summary.fitting != summary.total:
        return False
    hold_ns = round(condition.every * HOLD * 1e9)
    return (
        _floor(summary.first_ns) <= hours.start_ns
        and summary.widest_gap_ns <= hold_ns
        and summary.last_ns + hold_ns > hours.end_ns - MINUTE_NS
    )


def look_back_ns(criterion: Criterion) -> int:
    """Return how long before the hours readings are asked for: one that still holds then counts."""
    longest = max((condition.every for proof in criterion.good_when for condition in proof.all), default=60.0)
    return round(longest * HOLD * 1e9)


class Needs(NamedTuple):
    """Which readings a criterion asks for besides presence: (proof, condition) and the condition."""

    key: tuple[int, int]
    condition: Condition


def needs(criterion: Criterion) -> list[Needs]:
    """Return the conditions whose readings a store must be asked for."""
    return [
        Needs((number, place), condition)
        for number, proof in enumerate(criterion.good_when)
        for place, condition in enumerate(proof.all)
        if condition.measurement != "presence"
    ]
