"""
The records of a period: those that the store has and that still hold, all others judged now.

Held in memory, device by device: days with the same runs share them, so that a month of a city stays small.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from collector.around import Dateless
from collector.asked import Asked, Questions, is_by_minutes
from collector.days import StoredDay, read_days, unsynced_ns
from collector.judging import Judge
from collector.known import Marks, still_valid
from collector.site_days import Key, Seen, mend, owed_by
from collector.store.base import DAY_NS, REACH_NS, Store
from collector.verify.causes import Run, from_text
from collector.verify.evidence import DayRecord
from contract.names import site_of

Progress = Callable[[int, int], None]  # device-days done, of how many


_BY_CRITERION_AND_DAY = itemgetter(DayRecord._fields.index("criterion"), DayRecord._fields.index("day_start_ns"))


class Records:
    """Records by device; iterating yields all of them by device, criterion, day."""

    def __init__(self) -> None:
        self.reused = 0
        self.judged = 0
        self._by_device: dict[str, list[DayRecord]] = defaultdict(list)

    def add(self, record: DayRecord) -> None:
        """Take in a record."""
        self._by_device[record.device].append(record)

    def devices(self) -> list[str]:
        """Return the ids of the devices, sorted."""
        return sorted(self._by_device)

    def of(self, device: str) -> list[DayRecord]:
        """Return the records of a device, by criterion and day."""
        return sorted(self._by_device.get(device, ()), key=_BY_CRITERION_AND_DAY)

    def runs(self, device: str, day_start_ns: int) -> tuple[Run, ...]:
        """Return the runs of a device-day: of several criteria those of the longest hours; empty without a record."""
        found = (record.runs for record in self._by_device.get(device, ()) if record.day_start_ns == day_start_ns)
        return max(found, key=lambda runs: sum(run.minutes for run in runs), default=())

    def __len__(self) -> int:
        return sum(map(len, self._by_device.values()))

    def __iter__(self) -> Iterator[DayRecord]:
        for device in self.devices():
            yield from self.of(device)


def read_records(
    store: Store, questions: Questions, now_ns: int, progress: Progress, *, recompute: bool = False
) -> Records:
    """
    Return a record for all that is asked, and write those that had none, or none that holds.

    `now_ns` is the horizon of the evidence, and when the days are said to be judged. With `recompute` stored days are
    not looked at. StoreError: nothing is half written, and what was written before it is right.
    """
    records = Records()
    owed, seen = owed_by(filter(is_by_minutes, questions.promise.targets)), _Seen()
    missing: dict[int, list[Asked]] = defaultdict(list)
    for asked, record in _all_missing(questions) if recompute else _valid(store, questions, now_ns, seen):
        if record is None:
            missing[asked.schedule.start_ns].append(asked)
        else:
            records.add(record)
    records.reused = len(records)
    total = records.reused + sum(map(len, missing.values()))
    progress(records.reused, total)
    if missing:
        judge = Judge(store, _dateless(store, min(missing) - REACH_NS, now_ns), now_ns, owed)
        for start_ns in sorted(missing):
            for record in judge.day(missing.pop(start_ns)):
                records.add(record)
                records.judged += 1
                progress(records.reused + records.judged, total)
    if known := seen.judged_by(owed):
        mend(store, questions.promise.start_ns, questions.promise.end_ns, known, owed)
    return records


def _all_missing(questions: Questions) -> Iterator[tuple[Asked, None]]:
    for device in questions.devices():
        for asked in questions.of(device):
            yield asked, None


def _valid(store: Store, questions: Questions, now_ns: int, seen: "_Seen") -> Iterator[tuple[Asked, DayRecord | None]]:
    """Yield all that is asked, each with its stored record when that still holds."""
    promise = questions.promise
    devices = questions.devices()
    stored = _Stored(store, promise.start_ns, promise.end_ns, devices, seen)
    marks = Marks(store.late(promise.start_ns, now_ns + DAY_NS))
    newest = _Newest(store, now_ns)
    for device in devices:
        days = stored.of(device)
        by_criterion: dict[str, list[Asked]] = defaultdict(list)
        for one in questions.of(device):
            by_criterion[one.criterion.id].append(one)
        for criterion in sorted(by_criterion):
            yield from _with_records(by_criterion[criterion], days.get(criterion, {}), marks, newest)


def _with_records(
    asked: Sequence[Asked], stored: dict[int, StoredDay], marks: Marks, newest: "_Newest"
) -> Iterator[tuple[Asked, DayRecord | None]]:
    speakers = [one.device.speaker for one in asked]
    spoke_ns = max(map(newest.of, speakers)) if any(day.is_open for day in stored.values()) else 0
    valid = still_valid(asked, stored, marks.of(asked[0].device.id, *speakers), spoke_ns) if stored else set()
    for one in asked:
        start_ns = one.schedule.start_ns
        yield one, _record(stored[start_ns]) if start_ns in valid else None


def _record(day: StoredDay) -> DayRecord:
    """Return the record of a stored day, which shares its runs with others of the same text."""
    return DayRecord(day.device, day.day_start_ns, day.criterion, _runs(day.runs, day.day_start_ns), day.is_open)


@lru_cache(maxsize=1 << 14)
def _runs(text: str, day_start_ns: int) -> tuple[Run, ...]:
    return from_text(text, day_start_ns)


def _is_whole(day: StoredDay) -> bool:
    """Tell whether the runs of a stored day can be read; one that somebody spoilt is judged again."""
    try:
        _runs(day.runs, day.day_start_ns)
    except ValueError:
        return False
    return True


class _Stored:
    """Stored days, device by device in order, as the store yields them."""

    def __init__(self, store: Store, start_ns: int, end_ns: int, devices: Sequence[str], seen: "_Seen") -> None:
        self._seen = seen
        self._groups = groupby(read_days(store, start_ns, end_ns, devices), key=lambda day: day.device)
        self._next: tuple[str, Iterable[StoredDay]] | None = next(self._groups, None)

    def of(self, device: str) -> dict[str, dict[int, StoredDay]]:
        """Return the days of a device by criterion and start; devices are asked for in order."""
        while self._next and self._next[0] < device:
            self._next = next(self._groups, None)
        found: dict[str, dict[int, StoredDay]] = defaultdict(dict)
        if self._next and self._next[0] == device:
            for day in filter(_is_whole, self._next[1]):
                self._seen.add(day)
                found[day.criterion][day.day_start_ns] = day
            self._next = next(self._groups, None)
        return found


class _Seen:
    """What was read of stored days, by site, criterion and day: what sums of sites must know at least."""

    def __init__(self) -> None:
        self._found: dict[Key, Seen] = defaultdict(Seen)

    def add(self, day: StoredDay) -> None:
        """Take in a day."""
        key = Key(site_of(day.device), day.criterion, day.day_start_ns)
        self._found[key] = self._found[key].beside(day.judged_ms)

    def judged_by(self, criteria: Collection[str]) -> dict[Key, Seen]:
        """Return what was seen of days that were judged by some criteria."""
        return {key: seen for key, seen in self._found.items() if key.criterion in criteria}


class _Newest:
    """When each agent spoke last; the store is asked when the first open day comes."""

    def __init__(self, store: Store, now_ns: int) -> None:
        self._store = store
        self._now_ns = now_ns
        self._found: dict[str, int] | None = None

    def of(self, agent: str) -> int:
        """Return the time of an agent's newest presence, 0 without any."""
        if self._found is None:
            tracks = self._store.last_before("presence", ("uptime_s",), self._now_ns)
            self._found = {one.device: one.points[-1][0] for one in tracks if one.device == one.source}
        return self._found.get(agent, 0)


def _dateless(store: Store, start_ns: int, end_ns: int) -> Dateless:
    """Return when batches of boots without any clock came, by agent."""
    return dict(unsynced_ns(store, start_ns, end_ns))
