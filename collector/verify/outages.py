"""
Outages: minutes in a row that count against a device, and what they come to.

    MTBF = up time ÷ failures      MTTR = down time ÷ failures      (ITU-T E.800, IEC 60050-192)

An outage that lasts to the end of the hours that count and goes on when they begin again, the next morning or after a
holiday, is one outage; its length are the minutes that count. Minutes that are unknown end an outage, since nobody
knows what they were, and belong to neither up nor down time; minutes that are excluded neither end nor lengthen it. An
outage that had begun before the period, or goes on after it, counts with its minutes within.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from collector.verify.causes import Cause, Run


class Outage(NamedTuple):
    """Minutes that count as bad, from the first to the end of the last; `cause` is that of most of them."""

    device: str
    start_ns: int
    end_ns: int
    minutes: int
    cause: Cause
    stage: str = ""


class Reliability(NamedTuple):
    """Sums over a period; the two means are None without any failure."""

    failures: int
    up_minutes: int
    down_minutes: int
    longest_minutes: int

    @property
    def mtbf_minutes(self) -> float | None:
        """Mean operating time between failures."""
        return self.up_minutes / self.failures if self.failures else None

    @property
    def mttr_minutes(self) -> float | None:
        """Mean time to restoration."""
        return self.down_minutes / self.failures if self.failures else None


class Tracker:
    """Follows one device through its runs, which come in order; days and hours may lie apart."""

    def __init__(self, device: str, meaning: Callable[[Cause], str]) -> None:
        self._device = device
        self._meaning = meaning
        self._running: list[Run] = []
        self.up_minutes = 0
        self.outages: list[Outage] = []

    def add(self, runs: Iterable[Run]) -> None:
        """Take the next runs."""
        for run in runs:
            meaning = self._meaning(run.cause)
            if meaning == "bad":
                self._running.append(run)
                continue
            if meaning == "good":
                self.up_minutes += run.minutes
            if meaning != "excluded":  # agreed interruptions neither end an outage nor lengthen it
                self._end()

    def quiet(self, up_minutes: int) -> None:
        """Take runs of which none is bad and not all are excluded: shorter than `add`."""
        self.up_minutes += up_minutes
        self._end()

    def finish(self) -> Reliability:
        """End what is still going on; return the sums."""
        self._end()
        lengths = [outage.minutes for outage in self.outages]
        return Reliability(len(lengths), self.up_minutes, sum(lengths), max(lengths, default=0))

    def _end(self) -> None:
        if not self._running:
            return
        runs, self._running = self._running, []
        weight: dict[tuple[Cause, str], int] = {}
        for run in runs:
            weight[run.cause, run.stage] = weight.get((run.cause, run.stage), 0) + run.minutes
        cause, stage = max(weight, key=lambda key: weight[key])
        minutes = sum(run.minutes for run in runs)
        self.outages.append(Outage(self._device, runs[0].start_ns, runs[-1].end_ns, minutes, cause, stage))


def total(parts: Iterable[Reliability]) -> Reliability:
    """Return the sums over several devices."""
    failures = up = down = longest = 0
    for part in parts:
        failures += part.failures
        up += part.up_minutes
        down += part.down_minutes
        longest = max(longest, part.longest_minutes)
    return Reliability(failures, up, down, longest)
