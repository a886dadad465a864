"""
Device-days as they were judged: lines of `availability`, written and read back; and boots that never got the time.

A day that is judged again has the same series and time, so it overwrites: every line has every field. With it, in one
write, goes what the days of its site add up to.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from collector.check import identity_tags
from collector.site_days import NOTHING_OWED, OwedBy, site_lines
from collector.store.base import Store, StoreMisconfigured
from collector.verify.causes import Cause, Run, as_text, from_text
from collector.verify.evidence import DayRecord
from contract.measurements import Retention

DAYS_A_WRITE = 4000  # with the sums of their sites they are one request to InfluxDB
_FIELDS = ("runs", "open", "judged", "inputs")


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


def day_line(day: Judged) -> bytes:
    """Return the `availability` line of a record, with its line feed."""
    record, judged_ms, inputs = day
    minutes = record.minutes()
    counts = ",".join(f"{cause}={minutes.get(cause, 0)}i" for cause in Cause)
    text = as_text(record.runs, record.day_start_ns)
    tags = identity_tags(record.device, record.device).decode()
    return (
        f'availability{tags},criterion={record.criterion} {counts},runs="{text}",open={int(record.is_open)}i,'
        f'judged={judged_ms}i,inputs="{inputs}" {record.day_start_ns}\n'
    ).encode()


def write_days(store: Store, days: Iterable[Judged], owed: OwedBy = NOTHING_OWED) -> int:
    """
    Write records as they come, in pieces, each with what its sites add up to; return how many records.

    `owed` says by criterion what makes a day good.

    Raises StoreError when the store does not take them: what was written before is stored, and may be written again.
    """
    written = 0
    rest = iter(days)
    while piece := list(islice(rest, DAYS_A_WRITE)):
        sums = site_lines(store, ((day.record, day.judged_ms) for day in piece), owed)
        if poison := store.write(Retention.EVIDENCE, b"".join((*map(day_line, piece), *sums))):
            raise StoreMisconfigured(f"the store refuses days as they were judged: {poison[0].message}")
        written += len(piece)
    return written


def read_days(store: Store, start_ns: int, end_ns: int, devices: Collection[str] | None = None) -> Iterator[StoredDay]:
    """Yield the stored days that begin in the period, sorted by device, criterion, day."""
    for track in store.tracks("availability", _FIELDS, start_ns, end_ns, devices):
        ((_, criterion),) = track.tags
        for start, runs, is_open, judged_ms, inputs in track.points:
            yield StoredDay(track.device, criterion, start, runs, bool(is_open), judged_ms, inputs)


def unsynced_ns(
    store: Store, start_ns: int, end_ns: int, devices: Collection[str] | None = None
) -> Iterator[tuple[str, list[int]]]:
    """
    Yield for each agent the times at which it delivered batches of boots that never got the time, sorted by agent.

    Only such a batch has samples that were `held` back: asking for that field reads no other delivery point.
    """
    for track in store.tracks("delivery", ["held"], start_ns, end_ns, devices):
        if track.device == track.source:
            yield track.device, [time_ns for time_ns, _ in track.points]
