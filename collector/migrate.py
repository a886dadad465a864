"""Move everything from one store to another: the same points, counted on both sides afterwards."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from collector.check import DAY_NS, identity_tags
from collector.store.base import Poison, Row, Store
from contract.lines import encode_stored
from contract.measurements import RETENTION_DAYS, TABLE, Measurement

_CHUNK_ROWS = 5000


class Moved(NamedTuple):
    """
    What became of one measurement.

    `expired` rows are older than the target keeps them; `refused` the target would not take; `found` are in the
    target afterwards, within the period that it keeps; more than were moved when it had others before. Complete when
    found is not less than rows - expired, and nothing was refused.
    """

    measurement: str
    rows: int
    expired: int
    refused: tuple[Poison, ...]
    found: int

    @property
    def is_complete(self) -> bool:
        """Tell whether every row is in the target, or too old for it."""
        return not self.refused and self.found >= self.rows - self.expired


def migrate(source: Store, target: Store, now_ns: int, progress: Callable[[str, int], None]) -> Iterator[Moved]:
    """Yield what became of each measurement; `progress` is told (measurement, rows moved so far). Can be repeated."""
    for row in TABLE.values():
        yield _move(source, target, row, now_ns, progress)


def _move(
    source: Store, target: Store, measurement: Measurement, now_ns: int, progress: Callable[[str, int], None]
) -> Moved:
    # An hour inside the limit, since the target moves on while we write.
    oldest_ns = now_ns - RETENTION_DAYS[measurement.retention] * DAY_NS + DAY_NS // 24
    end_ns = now_ns + 2 * DAY_NS
    expired = sum(s.points for s in source.summarise(measurement.name, 0, oldest_ns))
    moved = 0
    refused: list[Poison] = []
    rows = source.select(measurement.name, oldest_ns, end_ns)
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        lines = b"".join(line_of(measurement, row) for row in chunk)
        refused += target.write(measurement.retention, lines)
        moved += len(chunk)
        progress(measurement.name, moved)
    found = sum(s.points for s in target.summarise(measurement.name, oldest_ns, end_ns)) if moved else 0
    return Moved(measurement.name, moved + expired, expired, tuple(refused), found)


def line_of(measurement: Measurement, row: Row) -> bytes:
    """Return the line of a stored point as a store takes it, with its line feed."""
    line = encode_stored(measurement.name, dict(row.tags), row.fields, row.time_ns)
    name = measurement.name.encode()
    tags = identity_tags(row.source, row.device, name_agent=measurement.name == "delivery")
    return name + tags + line[len(name) :] + b"\n"
