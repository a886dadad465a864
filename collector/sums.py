"""
Device-days whose every minute is alike, above all the perfect ones: proven, and every condition met. Sums tell.

Hours are asked about in blocks: a morning and an afternoon, so that a break in which everything is off costs nobody a
look at each minute. A sum never makes a day good that minute by minute is not; it may miss one that is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from collector.asked import Asked, Needed, own_conditions
from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.store.base import Life, PresenceSummary, Store
from collector.store.base import ReadingSummary as Series
from collector.targets.schema import Condition, Criterion
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.conditions import asked as proofs_for
from collector.verify.conditions import fits, holding_ns, is_presence
from collector.verify.day import all_working, perfect
from collector.verify.evidence import DayRecord, DaySummary, Presence, ReadingSummary

BRIDGED_NS = 30 * MINUTE_NS


def blocks(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return sorted windows, those with no more than BRIDGED_NS between them joined."""
    found: list[Window] = []
    for window in windows:
        if found and window.start_ns - found[-1].end_ns <= BRIDGED_NS:
            found[-1] = Window(found[-1].start_ns, max(found[-1].end_ns, window.end_ns))
        else:
            found.append(window)
    return tuple(found)


class Sums:
    """
    Tells the record of device-days of one day whose every minute is alike.

    Perfect days are one kind; another are days through which an agent ran while nothing at all was read that the
    criterion asks for: nothing is known of them. A device is asked about once for all its criteria: what was without a
    fault all through the hours of service was so in the lessons.
    """

    def __init__(self, store: Store, asked: Iterable[Asked]) -> None:
        self._store = store
        asked = list(asked)
        self._blocks = _blocks_by_device(asked)
        self._speakers, self._network = _speakers_by_block(asked, self._blocks), _network(asked)
        self._presences: dict[Window, dict[str, DaySummary]] = {}
        self._readings: dict[tuple[str, Window], dict[str, list[Series]]] = {}
        self._stops: dict[tuple[Window, int], dict[str, int]] = {}
        self._records: dict[tuple[tuple[Window, ...], tuple[Window, ...], str, Cause], DayRecord] = {}

    def record(self, asked: Asked) -> DayRecord | None:
        """Return the record of a day, None where its minutes must be looked at; equal days share their runs."""
        windows = asked.schedule.windows(asked.criterion.hours)
        kinds = {self._kind(asked, block) for block in self._blocks[asked.device.id] if _touch(block, windows)}
        if len(kinds) != 1 or (cause := kinds.pop()) is None:
            return None
        key = (windows, asked.schedule.excluded, asked.criterion.id, cause)
        if key not in self._records:
            record = all_working(asked.device, asked.schedule, asked.criterion)
            runs = (run._replace(cause=cause) if run.cause is Cause.WORKING else run for run in record.runs)
            self._records[key] = record._replace(runs=tuple(runs))
        return self._records[key]._replace(device=asked.device.id)

    def _kind(self, asked: Asked, block: Window) -> Cause | None:
        """Return the cause of every minute of a block, None where minutes differ or may."""
        ran = self._ran(block).get(asked.device.speaker)
        if ran is None or asked.doubted:
            return None
        hours = asked.schedule._replace(service=(block,), lessons=(block,))
        readings = {
            needed.place: found
            for needed in own_conditions(asked)
            if (found := self._summary(needed, block, asked.device.id))
        }
        if readings:
            ran = ran._replace(readings=readings, stops=self._marks(asked, block))
        elif not _can_presence_prove(asked):
            return Cause.UNKNOWN if _is_network_fine(asked, ran) else None
        return Cause.WORKING if perfect(asked.device, hours, asked.criterion, ran) else None

    def _ran(self, block: Window) -> Mapping[str, DaySummary]:
        """Return the agents that ran all through a block, with the sums of their own presences."""
        if block not in self._presences:
            speakers = self._speakers[block]
            found = self._store.presences(block.start_ns - 2 * MINUTE_NS, block.end_ns, speakers, self._network)
            sums = {one.device: _summed(one) for one in found if one.device == one.source}
            self._presences[block] = {agent: one for agent, one in sums.items() if _is_running(one, block)}
        return self._presences[block]

    def _summary(self, needed: Needed, block: Window, device: str) -> ReadingSummary | None:
        """Return what the readings of a condition sum up to; of several series any that covers the hours will do."""
        if (needed.key, block) not in self._readings:
            condition = needed.condition
            since_ns = block.start_ns - holding_ns(condition)
            found = self._store.readings(
                condition.measurement, condition.field, since_ns, block.end_ns, condition.where
            )
            self._readings[needed.key, block] = _by_device(found)
        return _joined(needed.condition, self._readings[needed.key, block].get(device, ()))

    def _marks(self, asked: Asked, block: Window) -> int:
        """Return how many stop marks the speaker left while readings of the block may have held."""
        held_ns = max(holding_ns(needed.condition) for needed in own_conditions(asked))
        if (block, held_ns) not in self._stops:
            tracks = self._store.tracks("stop", ("boot",), block.start_ns - held_ns, block.end_ns)
            self._stops[block, held_ns] = {one.device: len(one.points) for one in tracks if one.device == one.source}
        return self._stops[block, held_ns].get(asked.device.speaker, 0)


def _blocks_by_device(asked: Iterable[Asked]) -> dict[str, tuple[Window, ...]]:
    """Return the blocks of all hours that a device is asked about."""
    hours: dict[str, set[tuple[Window, ...]]] = defaultdict(set)
    for one in asked:
        hours[one.device.id].add(one.schedule.windows(one.criterion.hours))
    known: dict[frozenset[tuple[Window, ...]], tuple[Window, ...]] = {}
    found = {}
    for device, some in hours.items():
        key = frozenset(some)
        if key not in known:
            known[key] = blocks(sorted({window for windows in some for window in windows}))
        found[device] = known[key]
    return found


def _speakers_by_block(asked: Iterable[Asked], blocks: Mapping[str, Sequence[Window]]) -> dict[Window, set[str]]:
    speakers: dict[Window, set[str]] = defaultdict(set)
    for one in asked:
        for block in blocks[one.device.id]:
            speakers[block].add(one.device.speaker)
    return speakers


def _network(asked: Iterable[Asked]) -> list[str]:
    """Return what of the network any criterion asks of presences."""
    criteria = {one.criterion.id: one.criterion for one in asked}
    conditions = {
        condition.reading for criterion in criteria.values() for proof in criterion.good_when for condition in proof.all
    }
    return [name for name in ("lan", "wan") if f"presence.{name}" in conditions]


def _touch(block: Window, windows: Iterable[Window]) -> bool:
    return any(window.start_ns < block.end_ns and window.end_ns > block.start_ns for window in windows)


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
_RAN = Criterion((), Hours.SERVICE)


def _is_running(summary: DaySummary, block: Window) -> bool:
    """Tell whether an agent ran all through a block."""
    hours = DaySchedule(date.min, DayKind.WORKDAY, "", *block, service=(block,))
    return perfect(_OWN, hours, _RAN, summary)


def _can_presence_prove(asked: Asked) -> bool:
    """Tell whether a proof for the device needs no reading of its own."""
    is_observed = asked.device.speaker != asked.device.id
    proofs = proofs_for(asked.criterion, asked.device.profile, is_observed=is_observed)
    return any(not proof.readings for proof in proofs) or not (asked.criterion.good_when or is_observed)


def _is_network_fine(asked: Asked, ran: DaySummary) -> bool:
    """Tell whether every condition on presence was met all through: one that fails says why, without any reading."""
    is_observed = asked.device.speaker != asked.device.id
    sums: Mapping[str, int] = {"presence.lan": ran.lan_sum, "presence.wan": ran.wan_sum}
    return all(
        sums.get(condition.reading) == ran.presences and fits(condition, 1)
        for proof in proofs_for(asked.criterion, asked.device.profile, is_observed=is_observed)
        for condition in proof.proof.all
        if is_presence(condition)
    )


def _summed(one: PresenceSummary) -> DaySummary:
    first, last = _presence(one.first), _presence(one.last)
    return DaySummary(one.presences, first, last, one.lan, one.wan, one.uptime_sum_s)


def _presence(life: Life) -> Presence:
    return Presence(life.time_ns, life.boot, life.uptime_s, life.asleep_s)
