"""
Device-days whose every minute is alike, above all the perfect ones: proven, and every condition met. Sums tell.

Hours are asked about in blocks: a morning and an afternoon, so that a break in which everything is off costs nobody a
look at each minute. A sum never makes a day good that minute by minute is not; it may miss one that is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from collector.asked import Asked, own_conditions
from collector.calendars.schedule import Hours, Window
from collector.roster.schema import Device
from collector.store.base import Life, PresenceSummary, Store
from collector.store.base import ReadingSummary as Series
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.conditions import asked as proofs_for
from collector.verify.conditions import fits, holding_ns
from collector.verify.day import all_working, perfect
from collector.verify.evidence import DayRecord, DaySummary, Presence, ReadingSummary

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


class Sums:
    """
    Tells the record of device-days of one day whose every minute is alike; a block of hours is asked about once.

    Perfect days are one kind; another are days through which an agent ran while nothing at all was read that the
    criterion asks for: nothing is known of them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._presences: dict[Window, dict[str, PresenceSummary]] = {}
        self._readings: dict[tuple[str, Window], dict[str, list[Series]]] = {}
        self._records: dict[tuple[tuple[Window, ...], str, Cause], DayRecord] = {}

    def record(self, asked: Asked) -> DayRecord | None:
        """Return the record of a day, None where its minutes must be looked at; equal days share their runs."""
        found = blocks(asked.schedule.windows(asked.criterion.hours))
        kinds = {self._kind(asked, block) for block in found}
        if len(kinds) != 1 or (cause := kinds.pop()) is None:
            return None
        key = (asked.schedule.windows(asked.criterion.hours), asked.criterion.id, cause)
        if key not in self._records:
            record = all_working(asked.device, asked.schedule, asked.criterion)
            self._records[key] = record._replace(runs=tuple(run._replace(cause=cause) for run in record.runs))
        return self._records[key]._replace(device=asked.device.id)

    def _kind(self, asked: Asked, block: Window) -> Cause | None:
        """Return the cause of every minute of a block, None where minutes differ or may."""
        sums = self._sums(block).get(asked.device.speaker)
        if sums is None:
            return None
        readings = {
            key: found
            for key, condition in own_conditions(asked)
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
        if perfect(asked.device, hours, asked.criterion, summary, asked.doubted):
            return Cause.WORKING
        is_blank = not readings and not _can_presence_prove(asked)
        if is_blank and perfect(_OWN, hours, _RAN, summary._replace(readings={}), asked.doubted):
            return Cause.UNKNOWN
        return None

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
            start_ns = block.start_ns - holding_ns(condition)
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


# A device that speaks for itself, and a criterion that asks for nothing but that it ran.
_OWN = Device("", "")
_RAN = Criterion((Proof(all=()),), Hours.SERVICE)


def _can_presence_prove(asked: Asked) -> bool:
    """Tell whether a proof for the device needs no reading of its own."""
    is_observed = asked.device.speaker != asked.device.id
    proofs = proofs_for(asked.criterion, asked.device.profile, is_observed=is_observed)
    return any(not proof.readings for proof in proofs)


def _presence(life: Life) -> Presence:
    return Presence(life.time_ns, life.boot, life.uptime_s, life.asleep_s)
