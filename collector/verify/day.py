"""A device-day: hours, gaps and conditions joined to a cause for each minute."""

from collections.abc import Sequence

from collector.calendars.schedule import DaySchedule
from collector.roster.schema import Device
from collector.targets.schema import Criterion
from collector.verify.evidence import DayRecord, DaySummary, Evidence


def judge(
    device: Device, schedule: DaySchedule, criterion: Criterion, evidence: Evidence, horizon_ns: int
) -> DayRecord:
    """Return the causes of the minutes of a day's hours, as far as the horizon."""
    raise NotImplementedError


def perfect(
    device: Device,
    schedule: DaySchedule,
    criterion: Criterion,
    summary: DaySummary,
    doubted: Sequence[tuple[int, int]] = (),
) -> bool:
    """Tell whether `judge` would find every minute working (or excluded); False: look at the minutes."""
    raise NotImplementedError


def all_working(device: Device, schedule: DaySchedule, criterion: Criterion) -> DayRecord:
    """Return the record of a perfect day."""
    raise NotImplementedError
