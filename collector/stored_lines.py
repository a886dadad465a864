"""Everything in a store as lines, piece by piece, and back into any other store: for backups. `migrate` does both."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from collector.migrate import line_of
from collector.store.base import Poison, Store
from contract.measurements import RETENTION_DAYS, TABLE, Measurement

PIECE_BYTES = 4 << 20
_LINES_A_WRITE = 20_000
_DAY_NS = 86_400_000_000_000
_AHEAD_NS = 2 * _DAY_NS


class Piece(NamedTuple):
    """Some lines of one measurement."""

    measurement: str
    points: int
    text: bytes


def pieces_of(store: Store, now_ns: int) -> Iterator[Piece]:
    """
    Yield everything in a store, by measurement, then as `select` sorts: all that was there at the beginning.

    Deliveries come first: one of a batch that came meanwhile would prove evidence whose turn was over.
    """
    for row in sorted(TABLE.values(), key=lambda row: row.name != "delivery"):
        waiting: list[bytes] = []
        size = 0
        for point in store.select(row.name, 0, now_ns + _AHEAD_NS):
            line = line_of(row, point)
            waiting.append(line)
            size += len(line)
            if size >= PIECE_BYTES:
                yield Piece(row.name, len(waiting), b"".join(waiting))
                waiting, size = [], 0
        if waiting:
            yield Piece(row.name, len(waiting), b"".join(waiting))


class Intake:
    """
    Puts lines into a store. What is older than that store keeps is counted, not written.

    `expired` and `written` are by measurement; `refused` are the lines that the store would not take.
    """

    def __init__(self, store: Store, now_ns: int) -> None:
        self.refused: list[Poison] = []
        self.written: dict[str, int] = {}
        self.expired: dict[str, int] = {}
        self._store, self._now_ns = store, now_ns

    def add(self, measurement: str, text: Iterable[bytes]) -> None:
        """Put in pieces of text that are whole together; StoreError: the rest is not in."""
        row = TABLE[measurement]
        rest, waiting = b"", []
        for part in text:
            *whole, rest = (rest + part).split(b"\n")
            waiting += whole
            if len(waiting) >= _LINES_A_WRITE:
                self._write(row, waiting)
                waiting = []
        self._write(row, [*waiting, *([rest] if rest else [])])

    def _write(self, row: Measurement, lines: list[bytes]) -> None:
        # An hour inside the limit, since the store moves on while we write.
        oldest_ns = self._now_ns - RETENTION_DAYS[row.retention] * _DAY_NS + _DAY_NS // 24
        kept = [line for line in lines if int(line[-19:]) >= oldest_ns]
        self.expired[row.name] = self.expired.get(row.name, 0) + len(lines) - len(kept)
        if kept:
            self.refused += self._store.write(row.retention, b"\n".join([*kept, b""]))
            self.written[row.name] = self.written.get(row.name, 0) + len(kept)

    def missing(self, points: Mapping[str, int]) -> dict[str, int]:
        """Count what is in the store: by measurement, how many of `points` are not, but for those that expired."""
        found = {}
        for name, number in points.items():
            wanted = number - self.expired.get(name, 0)
            there = sum(one.points for one in self._store.summarise(name, 0, self._now_ns + _AHEAD_NS))
            if there < wanted:
                found[name] = wanted - there
        return found


def is_empty(store: Store) -> bool:
    """Tell a store that has nothing of this product."""
    end_ns = time.time_ns() + _AHEAD_NS
    return not any(next(iter(store.latest(name, 0, end_ns)), None) for name in TABLE)
