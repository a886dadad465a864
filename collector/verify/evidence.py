"""What the store knows of a device around a day, as the verifier reads it. Times are unix nanoseconds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collector.verify.causes import Run


class Presence(NamedTuple):
    """A presence of an agent: it proves the minute before `time_ns`, as far as it had run and was awake."""

    time_ns: int
    boot: str
    uptime_s: float
    asleep_s: float = 0.0
    lan: int | None = None
    wan: int | None = None


class Stop(NamedTuple):
    """
    A stop mark: the agent ended then; `reason` in the supervisor's words, `shutdown …` where the system stopped.

    `asleep_s` is for how long of its boot the machine had slept, None where the mark does not say.
    """

    time_ns: int
    boot: str
    reason: str = ""
    asleep_s: float | None = None

    @property
    def is_shutdown(self) -> bool:
        """Tell whether the agent ended since the system was being shut down."""
        return self.reason.startswith("shutdown")


class Reading(NamedTuple):
    """A reading of a condition: its value, and the stage that it says it failed at."""

    time_ns: int
    value: float | str
    stage: str = ""


class Evidence(NamedTuple):
    """
    All that is known around a day. Every sequence is sorted by time.

    `presence` is that of the agent that speaks for the device: of the day, with the last one before it and the first
    one after it, however far away. `stops` are that agent's marks between these, and from where readings begin.
    `readings` are those of the device, by (number of the proof, number of the condition) in `Criterion.good_when`, for
    conditions that are not about presence, from one and a half intervals before the day to as long after it.
    `unsynced_ns` are the times at which batches of boots without any clock were released: they say so only once a later
    boot has the time, so from the last presence before the day to the first one of the boot after the last one here.
    `doubted` are periods whose
    evidence does not count until somebody has looked (findings of integrity). `has_marks`: the agent has a supervisor
    that writes stop marks; without one a gap that ends in another boot is not known to be a power cut.
    """

    presence: Sequence[Presence]
    stops: Sequence[Stop] = ()
    readings: Mapping[tuple[int, int], Sequence[Reading]] = {}
    unsynced_ns: Sequence[int] = ()
    doubted: Sequence[tuple[int, int]] = ()
    has_marks: bool = True


class ReadingSummary(NamedTuple):
    """
    The readings of one condition in [start − 1.5 × `every`, end) of the day's hours.

    `fitting` of `total` fit the condition; `widest_gap_ns` is the longest time between two that follow each other.
    """

    total: int
    fitting: int
    first_ns: int
    last_ns: int
    widest_gap_ns: int


class DaySummary(NamedTuple):
    """
    The little of a device-day from which `day.perfect` tells that it needs no look at its minutes.

    Of the speaker's presences with start − 60 s ≤ time ≤ end, where the hours of the day go from start to end: how
    many, the first and the last of them, the sums of `lan` and `wan` (wanted only where the criterion has conditions on
    them) and of `uptime_s` (optional: it gives away another machine under the same number, in the middle of the day).
    `readings` as in `Evidence`, for each condition that has any; where there are conditions on readings, `stops` is how
    many stop marks the speaker left in [start − 1.5 × the longest `every`, end).
    """

    presences: int
    first: Presence | None = None
    last: Presence | None = None
    lan_sum: int = 0
    wan_sum: int = 0
    uptime_sum: float | None = None
    readings: Mapping[tuple[int, int], ReadingSummary] = {}
    stops: int = 0


class Identified(NamedTuple):
    """What an agent said of its hardware and its place; empty: not seen then."""

    time_ns: int
    serial: str = ""
    gateway_mac: str = ""
    subnet: str = ""


class DayRecord(NamedTuple):
    """
    A device-day as it was judged by one criterion.

    `is_open` says that later evidence may still explain minutes of it: it ends within a gap that has no end yet.
    """

    device: str
    day_start_ns: int
    criterion: str
    runs: tuple[Run, ...]
    is_open: bool = False

    def minutes(self) -> dict[str, int]:
        """Return how many minutes each cause has; causes without any are left out."""
        found: dict[str, int] = {}
        for run in self.runs:
            found[run.cause] = found.get(run.cause, 0) + run.minutes
        return found
