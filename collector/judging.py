"""
From device-days without a valid record to records.

    alike all day, told by sums ─────▶ record ─┐
    all others, some hundred at a time           ├─▶ written as `availability`, piece by piece
      └▶ evidence minute by minute ──▶ record ───┘

The next hundreds are read while these are judged. A piece is written whole or fails as a whole with StoreError: what
was written before it is right, and stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from typing import TypeVar

from collector.around import Around, Dateless
from collector.asked import Asked
from collector.days import DAYS_A_WRITE, Judged, write_days
from collector.site_days import NOTHING_OWED, OwedBy
from collector.store.base import Store
from collector.sums import Sums
from collector.verify.day import judge
from collector.verify.evidence import DayRecord

DEVICES_AT_ONCE = 500
# Fewer device-days than this are read at once: a sum over the whole city would cost more.
WORTH_A_SUM = 100

T = TypeVar("T")


class Judge:
    """
    Judges the device-days of one day after the other, with what evidence there is at `now_ns`, and writes them.

    `owed` says by criterion what makes a day good: for the sums of sites that are written with them.
    """

    def __init__(self, store: Store, dateless: Dateless, now_ns: int, owed: OwedBy = NOTHING_OWED) -> None:
        self._store = store
        self._dateless = dateless
        self._now_ns = now_ns
        self._owed = owed

    def day(self, asked: Sequence[Asked]) -> Iterator[DayRecord]:
        """Yield the records of one day, in the order in which they are written."""
        for piece in _pieces(self._judged(asked), DAYS_A_WRITE):
            write_days(self._store, piece, self._owed)
            yield from (judged.record for judged in piece)

    def _judged(self, asked: Sequence[Asked]) -> Iterator[Judged]:
        others: Sequence[Asked] = asked
        if len(asked) >= WORTH_A_SUM:
            sums = Sums(self._store, asked)
            others = []
            for one in asked:
                if record := sums.record(one):
                    yield self._of(record, one)
                else:
                    others.append(one)
        for group, around in self._around(_groups(others)):
            for one in group:
                evidence = around.evidence(one)
                yield self._of(judge(one.device, one.schedule, one.criterion, evidence, self._now_ns), one)

    def _around(self, groups: Iterable[list[Asked]]) -> Iterator[tuple[list[Asked], Around]]:
        """Yield groups with what is known around them; the next one is read while the caller judges."""
        before: tuple[list[Asked], Future[Around]] | None = None
        with ThreadPoolExecutor(1, "evidence") as reader:
            for group in groups:
                after = group, reader.submit(Around, self._store, group, self._dateless)
                if before:
                    yield before[0], before[1].result()
                before = after
            if before:
                yield before[0], before[1].result()

    def _of(self, record: DayRecord, asked: Asked) -> Judged:
        return Judged(record, self._now_ns // 10**6, asked.inputs)


def _groups(asked: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Yield device-days of DEVICES_AT_ONCE devices, sorted by site so that a gateway is read once or twice."""
    ordered = sorted(asked, key=lambda one: (one.device.id, one.criterion.id))
    by_device = (list(some) for _, some in groupby(ordered, key=lambda one: one.device.id))
    for devices in _pieces(by_device, DEVICES_AT_ONCE):
        yield [one for some in devices for one in some]


def _pieces(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while piece := list(islice(iterator, size)):
        yield piece
