"""
The spool 待传数据: the agent's durable queue of batches, one SQLite file.

    append ──▶ open batch ──close──▶ waiting ──acknowledged──▶ gone
                           (named)      └──────refused───────▶ refused (kept, counted, never sent again)
    hold ────▶ held samples of a boot whose time is not known yet

One transaction and one fsync a round (WAL, synchronous=FULL): what a round measured and what was acknowledged since
the last one are committed together. An acknowledgement lost in a crash only means that a batch is sent once more.

Every start begins a new random epoch, and a batch gets its name (epoch, seq) when it is closed. So neither a restored
disk image nor a cloned card ever gives one name to two batches.

Every row carries a checksum (`agent.rows`). A row that fails it, and a file that SQLite cannot read, are for
`agent.spoolfile` to mend: the log may have that row once more. Where it has not, the row is moved to the refused ones
and counted, never sent.
"""

import json
import os
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from agent.rows import checksum, is_right
from agent.tables import DAMAGED, FILE, Place, SpoolDamaged, SpoolError, Tables
from contract.batch import Batch, encode
from contract.sample import Sample

__all__ = ["DAMAGED", "FILE", "Place", "Spool", "SpoolDamaged", "SpoolError", "Status", "Waiting"]

MAX_LINES_BYTES = 256 << 10
_KEPT_SLOTS_NS = 3 * 86_400 * 10**9
_KEPT_HELD = 100_000
_KEPT_OFFSETS = 8
_RELEASED_AT_ONCE = 2000  # of many days without the time: an agent lives in 20 MB


class Waiting(NamedTuple):
    """A closed batch that waits for its acknowledgement."""

    id: int
    epoch: str
    seq: int
    device: str
    payload: bytes


class Status(NamedTuple):
    """
    What a spool holds. `bytes` counts the batches, as they are sent.

    `epoch` and `seq` name the last batch that was closed; `damaged_total` counts rows that failed their checksum and
    pages that could not be read.
    """

    epoch: str
    seq: int
    batches: int
    bytes: int
    held: int
    refused: int
    refused_total: int
    dropped_total: int
    acknowledged_total: int
    damaged_total: int


class Spool(Tables):
    """
    The spool of one agent. Used by one thread; write in `transaction`, read whenever.

    Whatever is called may raise SpoolError (the disk refuses) or SpoolDamaged (`agent.spoolfile.mend`).
    """

    def __init__(self, directory: Path, max_bytes: int, *, read_only: bool = False) -> None:
        super().__init__(directory, read_only=read_only)
        self.max_bytes = max_bytes

    @property
    def epoch(self) -> str:
        """The epoch of this start; empty before `begin`."""
        return self._tally.epoch

    # ---- writing, inside a transaction

    def begin(self) -> None:
        """Start a new epoch, and name in it what an earlier one left open."""
        previous = str(self._meta("name") or "")
        self._tally = self._tally._replace(epoch=os.urandom(4).hex(), previous=previous, seq=0)
        self.close_batches()

    def append(self, device: str, lines: bytes, clock: str) -> None:
        """Add encoded lines (each with its line feed) to the device's open batch, or to more than one when too many."""
        while len(lines) > MAX_LINES_BYTES:
            end = lines.rindex(b"\n", 0, MAX_LINES_BYTES) + 1
            self._append(device, lines[:end], clock)
            lines = lines[end:]
        self._append(device, lines, clock)

    def _append(self, device: str, lines: bytes, clock: str) -> None:
        row = self._open_batch(device, clock)
        if row and row[1] + len(lines) <= MAX_LINES_BYTES:
            self._db.execute(
                "UPDATE batch SET body = CAST(body || ? AS BLOB), bytes = bytes + ?, crc = ? WHERE id = ?",
                (lines, len(lines), zlib.crc32(lines, row[2]), row[0]),
            )
            self._tally = self._tally._replace(bytes=self._tally.bytes + len(lines))
        else:
            number = self._new_id()
            self._insert((number, "", 0, device, clock, "", 1), lines)
            self._tally = self._tally._replace(open=(*self._tally.open, number))

    def _open_batch(self, device: str, clock: str) -> tuple[int, int, int] | None:
        """Return id, bytes and checksum of the newest open batch."""
        for number in reversed(self._tally.open):
            whose = self._db.execute("SELECT device, clock FROM batch WHERE id = ?", (number,)).fetchone()
            if whose == (device, clock):
                row = self._db.execute("SELECT * FROM batch WHERE id = ?", (number,)).fetchone()
                if not is_right("batch", row):  # what is appended to it would be lost with it
                    raise self._changed("batch", number)
                return number, row[7], row[9]
        return None

    def append_unsynced(self, device: str, at_ns: int, held: int) -> None:
        """Queue the header-only batch of a boot that never got the time."""
        epoch, seq, previous = self._next_name()
        payload = encode(Batch(epoch, seq, "unsynced", b"", previous, at_ns, held))
        self._insert((self._new_id(), epoch, seq, device, "unsynced", previous, 0), payload)

    def close_batches(self) -> list[int]:
        """Give the open batches their names and final bytes; return their ids, oldest first."""
        closed = []
        for number in self._tally.open:
            row = self._db.execute("SELECT * FROM batch WHERE id = ?", (number,)).fetchone()
            if row is None:
                continue
            if not is_right("batch", row):
                raise self._changed("batch", number)
            _, _, _, device, clock, _, _, _, body, _ = row
            epoch, seq, previous = self._next_name()
            payload = encode(Batch(epoch, seq, clock, body, previous))
            self._delete(number)
            self._insert((number, epoch, seq, device, clock, previous, 0), payload)
            closed.append(number)
        self._tally = self._tally._replace(open=())
        self._enforce_size()
        return closed

    def skip_names(self) -> None:
        """Give no name again that a batch has: one of a transaction that was not committed may have been found."""
        with self._reading():
            (last,) = self._db.execute("SELECT max(seq) FROM batch WHERE epoch = ?", (self.epoch,)).fetchone()
        self._tally = self._tally._replace(seq=max(self._tally.seq, last or 0))

    def hold(self, boot: str, device: str, samples: list[Sample]) -> None:
        """Keep samples whose boot has no time yet."""
        last = self._db.execute("SELECT coalesce(max(id), 0) FROM held").fetchone()[0]
        last = max(last, int(self._meta("released") or 0))  # no id twice
        texts = [json.dumps([s.measurement, s.fields, s.at_ns, s.tags]) for s in samples]
        rows = [(number, boot, device, text) for number, text in enumerate(texts, last + 1)]
        self._db.executemany("INSERT INTO held VALUES (?, ?, ?, ?, ?)", [(*row, checksum("held", row)) for row in rows])
        gone = self._db.execute("DELETE FROM held WHERE id <= ?", (last + len(rows) - _KEPT_HELD,))
        self.count_dropped(gone.rowcount)

    def release(self) -> dict[tuple[str, str], list[Sample]]:
        """Take out the oldest held samples, some thousands at most, by (boot, device) in the order they were held."""
        held: dict[tuple[str, str], list[Sample]] = {}
        released = int(self._meta("released") or 0)
        # What was released once stands again in a salvaged spool: released twice it would be dated twice.
        rows = self._db.execute(
            "SELECT * FROM held WHERE id > ? ORDER BY id LIMIT ?", (released, _RELEASED_AT_ONCE)
        ).fetchall()
        last = max([released, *(row[0] for row in rows)])
        for row in rows:
            if not is_right("held", row):
                if Place("held", row[0]) not in self._bad:
                    raise self._changed("held", row[0])
                self._count("damaged_total", 1)
                continue
            released, boot, device, text, _ = row
            measurement, fields, at_ns, tags = json.loads(text)
            held.setdefault((boot, device), []).append(Sample(measurement, fields, at_ns, tags))
        self._set_meta("released", released)
        self._db.execute("DELETE FROM held WHERE id <= ?", (last,))
        return held

    def claim_slot(self, device: str, minute_ns: int) -> bool:
        """Tell whether this is the first presence of the device in that minute, and remember it."""
        crc = checksum("slot", (device, minute_ns))
        known = self._db.execute("SELECT crc FROM slot WHERE device = ? AND minute = ?", (device, minute_ns)).fetchone()
        if known == (crc,):
            return False
        self._db.execute("INSERT OR REPLACE INTO slot VALUES (?, ?, ?)", (device, minute_ns, crc))
        self._db.execute("DELETE FROM slot WHERE device = ? AND minute < ?", (device, minute_ns - _KEPT_SLOTS_NS))
        return True

    def acknowledged(self, ids: set[int]) -> None:
        """Forget batches that the store has."""
        if gone := sum(map(self._delete, ids)):
            self._count("acknowledged_total", gone)

    def refuse(self, batch: int, reason: str) -> None:
        """Move a batch to the refused ones: visible, counted, never sent again."""
        if self._move_to_refused(batch, reason):
            self._count("refused_total", 1)

    def count_dropped(self, samples: int) -> None:
        """Count what could not be kept."""
        if samples:
            self._count("dropped_total", samples)

    def count_damaged(self, rows: int) -> None:
        """Count rows that are lost to a damaged disk."""
        self._count("damaged_total", rows)

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact of the agent's own beside the queue."""
        self._set_meta(f"fact.{key}", value)

    def remember_offset(self, boot: str, offset_ns: int, clock: str) -> None:
        """Keep unix time - boot time of a boot, so that what it left can be dated by the next ones; 1 s is enough."""
        offsets = self.offsets()
        known = offsets.pop(boot, None)
        if known is None or known[1] != clock or abs(known[0] - offset_ns) > 10**9:
            newest = [*offsets.items(), (boot, (offset_ns, clock))][-_KEPT_OFFSETS:]
            self.remember("offsets", json.dumps(dict(newest)))

    # ---- reading

    def offsets(self) -> dict[str, tuple[int, str]]:
        """Return (unix time - boot time in ns, clock) of recent boots."""
        text = self.recall("offsets")
        return {boot: (int(value[0]), str(value[1])) for boot, value in json.loads(text).items()} if text else {}

    def recall(self, key: str) -> str | None:
        """Return a fact kept with `remember`."""
        value = self._meta(f"fact.{key}")
        return None if value is None else str(value)

    def waiting(self, batch: int) -> Waiting | None:
        """
        Return a closed batch with its payload; None when it is gone, or was found to be damaged.

        SpoolDamaged when it is found to be so now: once, so that others can be sent even where nothing can be mended.
        """
        if self._is_bad(batch):
            return None
        with self._reading():
            row = self._db.execute("SELECT * FROM batch WHERE id = ? AND NOT open", (batch,)).fetchone()
        if row and not is_right("batch", row):
            self._doubted.add(batch)
            raise self._changed("batch", batch)
        return Waiting(row[0], row[1], row[2], row[3], row[8]) if row else None

    def backlog(self, after: int, most: int = 64) -> list[int]:
        """Return the ids of closed batches behind id `after`, oldest first."""
        with self._reading():
            rows = self._db.execute("SELECT id FROM batch WHERE id > ? AND NOT open ORDER BY id LIMIT ?", (after, most))
            return [row[0] for row in rows if not self._is_bad(row[0])]

    def _is_bad(self, batch: int) -> bool:
        return batch in self._doubted or Place("batch", batch) in self._bad

    def refused(self) -> list[tuple[str, int, str, str]]:
        """Return (epoch, seq, device, reason) of the refused batches, newest first."""
        with self._reading():
            return self._db.execute("SELECT epoch, seq, device, reason FROM refused ORDER BY id DESC").fetchall()

    def has_held(self) -> bool:
        """Tell whether samples wait for the time."""
        with self._reading():
            return self._db.execute("SELECT 1 FROM held LIMIT 1").fetchone() is not None

    def status(self, settled: Collection[int] = ()) -> Status:
        """Count what is there, less the batches `settled`, which the next transaction will forget."""
        with self._reading():
            gone, freed = self._db.execute(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM batch WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(settled)),),
            ).fetchone()
            held = self._db.execute("SELECT count(*) FROM held").fetchone()[0]
            refused = self._db.execute("SELECT count(*) FROM refused").fetchone()[0]
        epoch, _, seq = str(self._meta("name") or ":0").partition(":")
        names = ("refused_total", "dropped_total", "acknowledged_total", "damaged_total")
        totals = (int(self._meta(name) or 0) for name in names)
        return Status(epoch, int(seq), self._tally.batches - gone, self._tally.bytes - freed, held, refused, *totals)

    # ---- inside

    def _next_name(self) -> tuple[str, int, str]:
        """Return epoch, seq and, for the first batch of an epoch, what came before it."""
        seq = self._tally.seq + 1
        self._tally = self._tally._replace(seq=seq)
        self._set_meta("name", f"{self.epoch}:{seq}")
        return self.epoch, seq, self._tally.previous if seq == 1 else ""

    def _enforce_size(self) -> None:
        """At the size cap the oldest batches go, counted."""
        dropped = 0
        while self._tally.bytes > self.max_bytes and self._tally.batches:
            self._delete(self._db.execute("SELECT id FROM batch ORDER BY id LIMIT 1").fetchone()[0])
            dropped += 1
        self.count_dropped(dropped)
