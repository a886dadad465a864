"""
Which device-days are perfect: every minute proven, every condition met. One summarising query finds them.

What is not perfect by these sums is not judged here: it is read minute by minute. A sum never makes a day good that
minute by minute is not; it may miss one that is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from collector.asked import Asked
from collector.calendars.schedule import Window
from collector.store.base import PresenceSummary, ReadingSummary, Store
from collector.targets.schema import Condition, Proof
from collector.verify.causes import MINUTE_NS, Cause, Minute, Run, runs_of
from collector.verify.conditions import fits

# Breaks between lessons that are bridged: a morning is one question, and the afternoon another.
BRIDGED_NS = 30 * MINUTE_NS
TOLERANCE = 1.5  # a reading holds for its interval, and half of one more


class _Block(NamedTuple):
    """How much of a block of hours a speaker's presences prove."""

    full: bool
    lan: bool
    wan: bool


_NOTHING = _Block(full=False, lan=False, wan=False)


def blocks(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return windows, those with a short break between them joined."""
    found: list[Window] = []
    for window in windows:
        if found and window.start_ns - found[-1].end_ns <= BRIDGED_NS:
            found[-1] = Window(found[-1].start_ns, window.end_ns)
        else:
            found.append(window)
    return tuple(found)


def working_runs(asked: Asked) -> tuple[Run, ...]:
    """Return the runs of a day on which everything worked; what is excluded stays so."""
    return tuple(runs_of(_minutes(asked)))


def _minutes(asked: Asked) -> Iterator[Minute]:
    excluded = [range(window.start_ns, window.end_ns) for window in asked.schedule.excluded]
    for window in asked.schedule.windows(asked.criterion.hours):
        for start_ns in range(window.start_ns, window.end_ns, MINUTE_NS):
            is_out = any(start_ns in one for one in excluded)
            yield Minute(start_ns, Cause.EXCLUDED if is_out else Cause.WORKING)


class Perfect:
    """The perfect ones among device-days of one day; asks the store once for each block of hours and condition."""

    def __init__(self, store: Store, asked: Iterable[Asked]) -> None:
        self._store = store
        self._blocks: dict[Window, dict[str, _Block]] = {}
        self._readings: dict[tuple[str, int, int], dict[str, list[ReadingSummary]]] = {}
        for one in asked:
            for block in blocks(one.schedule.windows(one.criterion.hours)):
                if block not in self._blocks:
                    self._blocks[block] = dict(_summed(store.presences(*block), block))

    def __contains__(self, asked: Asked) -> bool:
        """Tell whether a device-day is perfect."""
        found = blocks(asked.schedule.windows(asked.criterion.hours))
        sums = [self._blocks[block].get(asked.device.speaker, _NOTHING) for block in found]
        if asked.doubted or not all(one.full for one in sums):
            return False
        for number, proof in enumerate(asked.criterion.good_when):
            if proof.profile and asked.device.profile not in proof.profile:
                continue
            return bool(found) and self._is_met(asked, number, proof, sums, Window(found[0].start_ns, found[-1].end_ns))
        return False

    def _is_met(self, asked: Asked, _number: int, proof: Proof, sums: Sequence[_Block], span: Window) -> bool:
        """Tell whether a proof, the first for this profile, holds all through a day."""
        own = [condition for condition in proof.all if condition.measurement != "presence"]
        if not own and asked.device.speaker != asked.device.id:
            return False  # that somebody watches proves nothing about what is watched
        return all(
            self._is_read(asked, condition, span)
            if condition in own
            else all(getattr(one, condition.field, False) for one in sums) and fits(condition, 1)
            for condition in proof.all
        )

    def _is_read(self, asked: Asked, condition: Condition, span: Window) -> bool:
        """Tell whether readings of a condition cover the hours, and all of them fit."""
        holds_ns = int(condition.every * TOLERANCE * 1e9)
        found = self._of(condition, span, holds_ns).get(asked.device.id, [])
        fit = all(not one.is_range and all(fits(condition, value) for value in one.values) for one in found)
        return fit and any(
            one.first_ns <= span.start_ns and one.gap_ns <= holds_ns and one.last_ns + holds_ns >= span.end_ns
            for one in found
        )

    def _of(self, condition: Condition, span: Window, holds_ns: int) -> Mapping[str, list[ReadingSummary]]:
        key = (condition.reading + str(sorted(condition.where.items())), *span)
        if key not in self._readings:
            by_device = defaultdict(list)
            for one in self._store.readings(
                condition.measurement, condition.field, span.start_ns - holds_ns, span.end_ns, condition.where
            ):
                by_device[one.device].append(one)
            self._readings[key] = by_device
        return self._readings[key]


def _summed(found: Iterable[PresenceSummary], block: Window) -> Iterator[tuple[str, _Block]]:
    """Yield what presences prove of a block, by agent; those about somebody else prove nothing."""
    for one in found:
        if one.device == one.source:
            is_full = one.presences == block.minutes and _is_one_life(one)
            yield one.device, _Block(is_full, one.lan == block.minutes, one.wan == block.minutes)


def _is_one_life(one: PresenceSummary) -> bool:
    """Tell whether an agent ran from the first minute to the last without a boot or any sleep."""
    first, last = one.first, one.last
    passed_s = (last.time_ns - first.time_ns) / 1e9
    return (
        first.boot == last.boot
        and abs(last.uptime_s - first.uptime_s - passed_s) <= UPTIME_TOLERANCE_S
        and last.asleep_s - first.asleep_s < 1
        and first.uptime_s - first.asleep_s >= 60
    )


UPTIME_TOLERANCE_S = 5.0
