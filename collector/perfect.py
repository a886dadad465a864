"""
Which device-days are perfect: every minute proven, every condition met. A few sums from the store tell.

Hours are asked about in blocks: a morning and an afternoon, so that a break in which everything is off costs nobody a
look at each minute. A sum never makes a day good that minute by minute is not; it may miss one that is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from collector.asked import Asked
from collector.calendars.schedule import Window
from collector.store.base import Life, PresenceSummary, Store
from collector.store.base import ReadingSummary as Series
from collector.targets.schema import Condition
from collector.verify.causes import MINUTE_NS
from collector.verify.conditions import HOLD, fits
from collector.verify.day import needs, perfect
from collector.verify.evidence import DaySummary, Presence, ReadingSummary

BRIDGED_NS = 30 * MINUTE_NS


def blocks(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return windows, those with no more than BRIDGED_NS between them joined."""
    found: list[Window] = []
    for window in windows:
        if found and window.start_ns - found[-1].end_ns <= BRIDGED_NS:
            found[-1] = Window(found[-1].start_ns, window.end_ns)
        else:
            found.append(window)
    return tuple(found)


class Perfect:
    """Tells which of the device-days of one day are perfect; asks once for each block of hours and each condition."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._presences: dict[Window, dict[str, PresenceSummary]] = {}
        self._readings: dict[tuple[str, Window], dict[str, list[Series]]] = {}

    def __contains__(self, asked: Asked) -> bool:
        """Tell whether a device-day is perfect."""
        found = blocks(asked.schedule.windows(asked.criterion.hours))
        return bool(found) and all(self._is_perfect(asked, block) for block in found)

    def _is_perfect(self, asked: Asked, block: Window) -> bool:
        sums = self._sums(block).get(asked.device.speaker)
        if sums is None:
            return False
        readings = {
            key: found
            for key, condition in needs(asked.criterion)
            if (found := self._summary(condition, block, asked.device.id))
        }
        summary = DaySummary(
            sums.presences,
            _presence(sums.first),
            _presence(sums.last),
            sums.lan,
            sums.wan,
            sums.uptime_sum_s,
            readings,
        )
        hours = asked.schedule._replace(service=(block,), lessons=(block,))
        return perfect(asked.device, hours, asked.criterion, summary, asked.doubted)

    def _sums(self, block: Window) -> Mapping[str, PresenceSummary]:
        """Return what each agent's own presences sum up to, from a minute before the hours to their end."""
        if block not in self._presences:
            found = self._store.presences(block.start_ns - 2 * MINUTE_NS, block.end_ns)
            self._presences[block] = {one.device: one for one in found if one.device == one.source}
        return self._presences[block]

    def _summary(self, condition: Condition, block: Window, device: str) -> ReadingSummary | None:
        """Return what the readings of a condition sum up to; of several series any that covers the hours will do."""
        key = (f"{condition.reading} {sorted(condition.where.items())} {condition.every}", block)
        if key not in self._readings:
            start_ns = block.start_ns - round(condition.every * HOLD * 1e9)
            found = self._store.readings(
                condition.measurement, condition.field, start_ns, block.end_ns, condition.where
            )
            self._readings[key] = _by_device(found)
        return _joined(condition, self._readings[key].get(device, ()))


def _by_device(found: Iterable[Series]) -> dict[str, list[Series]]:
    by_device = defaultdict(list)
    for one in found:
        by_device[one.device].append(one)
    return by_device


def _joined(condition: Condition, series: Sequence[Series]) -> ReadingSummary | None:
    if not series:
        return None
    total = sum(one.points for one in series)
    fit = all(not one.is_range and all(fits(condition, value) for value in one.values) for one in series)
    best = min(series, key=lambda one: (one.gap_ns, one.first_ns))
    return ReadingSummary(total, total if fit else 0, best.first_ns, best.last_ns, best.gap_ns)


def _presence(life: Life) -> Presence:
    return Presence(life.time_ns, life.boot, life.uptime_s, life.asleep_s)
