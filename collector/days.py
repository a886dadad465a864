"""
Device-days as they were judged: lines of `availability`, written and read back; and what arrived late since then.

A day that is judged again has the same series and time, so it overwrites: every line has every field.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from collector.store.base import Store
from collector.verify.causes import Run, from_text
from collector.verify.evidence import DayRecord


class Judged(NamedTuple):
    """A record, when it was judged (unix ms), and the short hash of what else went in."""

    record: DayRecord
    judged_ms: int
    inputs: str


class StoredDay(NamedTuple):
    """A device-day as it is stored; `runs` is the text that `collector.verify.causes` reads."""

    device: str
    criterion: str
    day_start_ns: int
    runs: str
    is_open: bool
    judged_ms: int
    inputs: str

    def record(self) -> DayRecord:
        """Return the record; ValueError when `runs` is not what was written."""
        runs: tuple[Run, ...] = from_text(self.runs, self.day_start_ns)
        return DayRecord(self.device, self.day_start_ns, self.criterion, runs, self.is_open)


class Late(NamedTuple):
    """A batch that came long after its newest sample: when, and from when to when its samples are."""

    device: str
    source: str
    received_ns: int
    oldest_ns: int
    newest_ns: int


def day_line(day: Judged) -> bytes:
    """Return the `availability` line of a record, with its line feed."""
    raise NotImplementedError


def write_days(store: Store, days: Iterable[Judged]) -> int:
    """Write records in pieces, return how many; raise StoreError when the store does not take them."""
    raise NotImplementedError


def read_days(store: Store, start_ns: int, end_ns: int, devices: Collection[str] | None = None) -> Iterator[StoredDay]:
    """Yield the stored days that begin in the period, sorted by device, criterion, day."""
    raise NotImplementedError


def late_batches(store: Store, since_ns: int, until_ns: int) -> Iterator[Late]:
    """Yield the late batches received in [since, until), sorted by device, source, reception."""
    raise NotImplementedError


def unsynced_ns(store: Store, start_ns: int, end_ns: int) -> Iterator[tuple[str, str, list[int]]]:
    """Yield (device, source, times) of batches of boots that never got the time, sorted by device."""
    raise NotImplementedError
