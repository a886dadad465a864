"""
A device-day: the hours that count, gaps and conditions, joined to a cause for each minute.

    presence, marks ─▶ gaps ────────▶ ran all through? ─┐
    readings ────────▶ conditions ──▶ worked when asked?├──▶ runs of minutes with one cause
    schedule ────────▶ hours, excluded; doubted ────────┘
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from collector.calendars.schedule import DaySchedule
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conditions import (
    Asked,
    asked,
    decide,
    fits,
    holding_ns,
    is_presence,
    network_over_time,
    over_time,
)
from collector.verify.evidence import DayRecord, DaySummary, Evidence, Presence, ReadingSummary
from collector.verify.gaps import NO_SLEEP_S, breaks, known
from collector.verify.steps import Steps, minute_of, together

# A presence's uptime against its label, where the clock was not moved: that many seconds a presence.
_DRIFT_S = 0.05
_STEP_S = 1.0

_Piece = tuple[int, int, Cause, str]


def judge(
    device: Device, schedule: DaySchedule, criterion: Criterion, evidence: Evidence, horizon_ns: int
) -> DayRecord:
    """
    Return the causes of the minutes of a day's hours that end by the horizon (unix ns): the present, or what is asked.

    The first of these that applies: excluded by the schedule; doubted; not known to have run all through, with its
    cause (an observed device: unknown); what the conditions say.
    """
    is_observed = device.speaker != device.id
    cause_of = _causes(device, criterion, evidence, is_observed=is_observed)
    horizon_ns = minute_of(horizon_ns)
    windows = schedule.windows(criterion.hours)
    pieces = (
        piece
        for window in windows
        for piece in cause_of(window.start_ns, min(window.end_ns, horizon_ns), schedule)
        if window.start_ns < horizon_ns
    )
    runs = tuple(_runs(pieces))
    end_ns = windows[-1].end_ns if windows else schedule.start_ns
    last_ns = evidence.presence[-1].time_ns if evidence.presence else schedule.start_ns
    is_open = bool(windows) and (end_ns > horizon_ns or (not is_observed and last_ns < end_ns))
    return DayRecord(device.id, schedule.start_ns, criterion.id, runs, is_open)


_Judging = Callable[[int, int, DaySchedule], Iterator[_Piece]]


def _causes(device: Device, criterion: Criterion, evidence: Evidence, *, is_observed: bool) -> _Judging:
    """Return what gives the causes of a window: everything over time is made once for the day."""
    proofs = asked(criterion, device.profile, is_observed=is_observed)
    keys = [(number, n) for number, _, numbers in proofs for n in numbers]
    ran = known(evidence)
    doubted = Steps.within(evidence.doubted, outside=False, inside=True)
    steps: list[Steps[Any]] = [ran, doubted, network_over_time(evidence.presence)]
    ends = breaks(evidence) if keys else []
    steps += [over_time(_condition(criterion, key), evidence.readings.get(key, ()), ends) for key in keys]
    is_running_enough = not criterion.good_when and not is_observed
    found: dict[tuple[Any, ...], tuple[Cause, str]] = {}

    def of(values: Sequence[Any]) -> tuple[Cause, str]:
        state, is_doubted, network, *outcomes = values
        if is_doubted:
            return Cause.UNKNOWN, ""
        if state is not Cause.WORKING:
            return Cause.UNKNOWN if is_observed else state, ""
        if is_running_enough:
            return Cause.WORKING, ""
        return decide(proofs, dict(zip(keys, outcomes, strict=True)), network)

    def causes(start_ns: int, end_ns: int, schedule: DaySchedule) -> Iterator[_Piece]:
        excluded = Steps.within(schedule.excluded, outside=False, inside=True)
        for since_ns, until_ns, values in together(start_ns, end_ns, [excluded, *steps]):
            if values[0]:
                yield since_ns, until_ns, Cause.EXCLUDED, ""
                continue
            key = tuple(values)
            cause = found.get(key)
            if cause is None:
                cause = found[key] = of(values[1:])
            yield since_ns, until_ns, *cause

    return causes


def _condition(criterion: Criterion, key: tuple[int, int]) -> Condition:
    return criterion.good_when[key[0]].all[key[1]]


def _runs(pieces: Iterator[_Piece]) -> Iterator[Run]:
    """Yield the runs of pieces in order; time between windows ends a run."""
    last: _Piece | None = None
    for piece in pieces:
        if last and last[1] == piece[0] and last[2:] == piece[2:]:
            last = (last[0], *piece[1:])
            continue
        if last:
            yield _run(last)
        last = piece
    if last:
        yield _run(last)


def _run(piece: _Piece) -> Run:
    start_ns, end_ns, cause, stage = piece
    return Run(start_ns, (end_ns - start_ns) // MINUTE_NS, cause, stage)


# ---- days that need no look at their minutes


def perfect(
    device: Device,
    schedule: DaySchedule,
    criterion: Criterion,
    summary: DaySummary,
    doubted: Sequence[tuple[int, int]] = (),
) -> bool:
    """
    Tell whether `judge` would find every minute of the hours working (or excluded); False: it must look.

    A presence for every minute of the hours and the one before, of one boot from the first to the last, without sleep:
    then the device ran all through. And every reading of the first proof fits, and none is missing. It holds for one
    machine: where two send under one number, `uptime_sum` gives most of them away, and integrity finds them.
    The day must be over, and all that counts in it before the horizon.
    """
    windows = schedule.windows(criterion.hours)
    if not windows:
        return True
    start_ns, end_ns = windows[0].start_ns, windows[-1].end_ns
    if any(since_ns < end_ns and until_ns > start_ns for since_ns, until_ns in doubted):
        return False
    is_observed = device.speaker != device.id
    if not _ran_through(summary, start_ns, end_ns):
        return False
    if not criterion.good_when:
        return not is_observed
    for one in asked(criterion, device.profile, is_observed=is_observed):
        if any((one.number, n) in summary.readings for n in one.readings) or not one.readings:
            return _all_fit(one, summary, start_ns, end_ns)
    return False


def all_working(device: Device, schedule: DaySchedule, criterion: Criterion) -> DayRecord:
    """Return the record of a perfect day."""
    excluded = Steps.within(schedule.excluded, outside=Cause.WORKING, inside=Cause.EXCLUDED)
    pieces = (
        (since_ns, until_ns, values[0], "")
        for window in schedule.windows(criterion.hours)
        for since_ns, until_ns, values in together(window.start_ns, window.end_ns, [excluded])
    )
    return DayRecord(device.id, schedule.start_ns, criterion.id, tuple(_runs(pieces)))


def _ran_through(summary: DaySummary, start_ns: int, end_ns: int) -> bool:
    first, last = summary.first, summary.last
    if first is None or last is None or summary.presences != (end_ns - start_ns) // MINUTE_NS + 2:
        return False
    if (first.time_ns, last.time_ns) != (start_ns - MINUTE_NS, end_ns) or first.boot != last.boot:
        return False
    return last.asleep_s - first.asleep_s <= NO_SLEEP_S and _is_steady(summary, first, last)


def _is_steady(summary: DaySummary, first: Presence, last: Presence) -> bool:
    """Tell whether uptime grew with the labels: at the end, and by its mean in between."""
    if abs((last.time_ns - first.time_ns) / 1e9 - (last.uptime_s - first.uptime_s)) > _STEP_S:
        return False
    mean = summary.presences * (first.uptime_s + last.uptime_s) / 2
    return summary.uptime_sum is None or abs(summary.uptime_sum - mean) <= summary.presences * _DRIFT_S


def _all_fit(one: Asked, summary: DaySummary, start_ns: int, end_ns: int) -> bool:
    """Tell whether all conditions of a proof fit in every minute, and no end of the agent came between readings."""
    if one.readings and (summary.stops or _has_booted_since(summary)):
        return False
    for number, condition in enumerate(one.proof.all):
        if is_presence(condition):
            sums: Mapping[str, int] = {"presence.lan": summary.lan_sum, "presence.wan": summary.wan_sum}
            if sums.get(condition.reading) != summary.presences or not fits(condition, 1):
                return False
        elif not _is_covered(condition, summary.readings.get((one.number, number)), start_ns, end_ns):
            return False
    return True


def _has_booted_since(summary: DaySummary) -> bool:
    """Tell whether the boot began after the first of the readings."""
    first = summary.first
    began_ns = first.time_ns - round((first.uptime_s + _STEP_S) * 1e9) if first else 0
    return any(readings.first_ns <= began_ns + round(2 * _STEP_S * 1e9) for readings in summary.readings.values())


def _is_covered(condition: Condition, readings: ReadingSummary | None, start_ns: int, end_ns: int) -> bool:
    """Tell whether every minute has a reading that holds, and all of them fit."""
    if not readings or readings.fitting != readings.total:
        return False
    return (
        readings.first_ns < start_ns + MINUTE_NS
        and readings.last_ns + round(condition.every * 1e9) >= end_ns
        and readings.widest_gap_ns <= holding_ns(condition)
    )
