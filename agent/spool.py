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

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from agent import mark
from agent.rows import CREATE, SCHEMA, checksum, is_right, is_right_record, of_record, text
from agent.writeahead import Log, would_be_deleted
from contract.batch import Batch, encode
from contract.errors import SantongError
from contract.sample import Sample

FILE = "spool.sqlite"
MAX_LINES_BYTES = 256 << 10
DAMAGED = "damaged on the disk of the device"
_KEPT_SLOTS_NS = 3 * 86_400 * 10**9
_KEPT_REFUSED = 1000
_KEPT_HELD = 100_000
_KEPT_OFFSETS = 8
_RELEASED_AT_ONCE = 2000  # of many days without the time: an agent lives in 20 MB

# Result codes after which the file itself is in doubt, https://sqlite.org/rescode.html
_DOUBTFUL = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# A changed byte in the schema, which SQLite quotes in its message, makes a message that is no text.
_SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_CANNOT_READ = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)


class SpoolError(SantongError):
    """The spool cannot be used; the message names the folder and what to do."""


class SpoolDamaged(SpoolError):
    """The spool's file is damaged, or in doubt: it is to be examined and mended."""


class Place(NamedTuple):
    """Where a row stands."""

    table: str
    id: int


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


class _Tally(NamedTuple):
    """What would take a look at the whole table to know, and what was given out; a transaction restores it."""

    seq: int = 0
    batches: int = 0
    bytes: int = 0
    last_id: int = 0
    open: tuple[int, ...] = ()


class Spool:
    """
    The spool of one agent. Used by one thread; write in `transaction`, read whenever.

    Whatever is called may raise SpoolError (the disk refuses) or SpoolDamaged (`agent.spoolfile.mend`).
    """

    def __init__(self, directory: Path, max_bytes: int, *, read_only: bool = False) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.epoch = ""
        self._read_only = read_only
        self._previous = ""
        self._version = 0
        self._tally = _Tally()
        self._bad: set[Place] = set()  # rows that fail their checksum for good: the next transaction moves batches
        self._doubted: set[int] = set()  # batches that do, and were not examined yet
        self._log = Log(self.file)
        self._connection: sqlite3.Connection | None = None
        self._mark: mark.Mark | None = None
        self.open()

    @property
    def file(self) -> Path:
        """The database file."""
        return self.directory / FILE

    # ---- the file

    def open(self) -> None:
        """Open the file, made when it is missing (or only read it)."""
        try:
            if self._read_only:
                if would_be_deleted(self.file):
                    raise SpoolDamaged(f"{self.file}: is empty")
                self._connection = sqlite3.connect(
                    f"{self.file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
                )
                self._connection.text_factory = text
                self._count_all()
                return
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            db = self._connection = sqlite3.connect(self.file, isolation_level=None, cached_statements=32)
            db.text_factory = text
            db.execute("PRAGMA cache_size=-256")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA wal_autocheckpoint=0")  # `Log.merge` looks at it first
            db.execute("BEGIN IMMEDIATE")
            for statement in CREATE:
                db.execute(statement)
            db.execute("COMMIT")
            self._count_all()
            self._mark = mark.Mark(self.directory)
        except OSError as error:
            raise SpoolError(f"{self.directory}: {error.strerror}: choose another folder with spool.path") from None
        except _SQLITE_ERRORS as error:
            self.close()
            raise self._explained(error, ": choose another folder with spool.path") from None

    def _count_all(self) -> None:
        """Take stock: once, for a table of half a million batches is not to be read in every round."""
        if self._is_blank():
            return
        batches, size, last_id = self._db.execute(
            "SELECT count(*), coalesce(sum(bytes) FILTER (WHERE typeof(bytes) = 'integer'), 0), coalesce(max(id), 0) "
            "FROM batch"
        ).fetchone()
        last_id = max(last_id, int(self._meta("last_id") or 0), self._tally.last_id)
        is_open = tuple(row[0] for row in self._db.execute("SELECT id FROM batch WHERE open ORDER BY id"))
        self._tally = _Tally(self._tally.seq, batches, size, last_id, is_open)
        facts = self._db.execute("SELECT * FROM meta").fetchall()
        self._version = max((row[2] for row in facts if is_right("meta", row)), default=self._version)

    def _is_blank(self) -> bool:
        """Tell a file in which no table was made yet."""
        return self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'batch'").fetchone() is None

    def close(self, *, keep_log: bool = False, is_trusted: bool = False) -> None:
        """
        Close the file; may be called twice.

        Its log is merged into it, unless it is to be kept, or is found damaged; `is_trusted`: without looking.
        """
        if self._connection is not None:
            is_merged = self._read_only or is_trusted or not (keep_log or self._log.flaw())
            with contextlib.nullcontext() if is_merged else self._log.kept():
                self._connection.close()
            self._connection = None
        if self._mark is not None:
            self._mark.close()
            self._mark = None

    def examine(self) -> set[Place]:
        """Read every page, every batch and held sample, SpoolDamaged when SQLite cannot; return where bad rows are."""
        with self._reading():
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise SpoolDamaged(f"{self.file}: {verdict}")
            if self._is_blank():
                return set()
            tables = self._db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            if set(tables) != SCHEMA:
                raise self._of_doubtful_file("its tables are not those of a spool")
            return {
                Place(table, row[0])
                for table in ("batch", "held")
                for row in self._db.execute(f"SELECT * FROM {table}")  # noqa: S608  names of ours
                if not is_right(table, row)
            }

    def suspect(self, places: set[Place]) -> None:
        """Take rows, and no others, for damaged for good: the next transaction moves batches to the refused ones."""
        self._bad, self._doubted = set(places), set()

    def skip_names(self) -> None:
        """Give no name again that a batch has: one of a transaction that was not committed may have been found."""
        with self._reading():
            (last,) = self._db.execute("SELECT max(seq) FROM batch WHERE epoch = ?", (self.epoch,)).fetchone()
        self._tally = self._tally._replace(seq=max(self._tally.seq, last or 0))

    def is_behind_mark(self) -> bool:
        """Tell whether commits are missing that the mark says there were."""
        commits = 0 if self._is_blank() else int(self._meta("commits") or 0)
        return mark.read(self.directory) > commits

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise SpoolDamaged(f"{self.file}: is not open")
        return self._connection

    def _explained(self, error: Exception, advice: str = "") -> SpoolError:
        # Errors that the sqlite3 module raises by itself have no code.
        code = getattr(error, "sqlite_errorcode", 0)
        if isinstance(error, UnicodeDecodeError) or code & 0xFF in _DOUBTFUL or code in _CANNOT_READ:
            return SpoolDamaged(f"{self.file}: {error}")
        if code == sqlite3.SQLITE_ERROR:
            return self._of_doubtful_file(str(error))
        return SpoolError(f"{self.file}: {error}{advice if isinstance(error, sqlite3.OperationalError) else ''}")

    def _of_doubtful_file(self, why: str) -> SpoolError:
        """Tell our own file, whose schema is damaged, from another program's database, which is left alone."""
        kind = SpoolDamaged if mark.is_there(self.directory) else SpoolError
        return kind(f"{self.file}: {why}")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except _SQLITE_ERRORS as error:
            raise self._explained(error) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside, with one fsync, or nothing of it."""
        before, db = (self._tally, self.epoch, self._previous), self._db
        if flaw := self._log.merge(db):
            raise SpoolDamaged(f"{self.file}: {flaw}")
        try:
            db.execute("BEGIN IMMEDIATE")
            bad = {place for place in self._bad if place.table == "batch"}
            for place in bad:
                self._set_aside(place.id)
            yield
            self._set_meta("last_id", self._tally.last_id)
            self._set_meta("commits", self._version + 1)
            db.execute("COMMIT")
            self._bad -= bad
            if self._mark is not None:
                self._mark.write(self._version)
        except BaseException as error:
            self._tally, self.epoch, self._previous = before
            if db.in_transaction:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            if isinstance(error, _SQLITE_ERRORS):
                raise self._explained(error) from None
            raise

    # ---- writing, inside a transaction

    def begin(self) -> None:
        """Start a new epoch, and name in it what an earlier one left open."""
        self.epoch = os.urandom(4).hex()
        self._tally = self._tally._replace(seq=0)
        self._previous = str(self._meta("name") or "")
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

    def _changed(self, table: str, number: int) -> SpoolDamaged:
        return SpoolDamaged(f"{self.file}: row {number} of {table} fails its checksum")

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

    def adopt(self, rowid: int | None, values: Sequence[Any]) -> bool:
        """
        Take over a row that was read from a damaged file; tell whether its checksum is right.

        Rows may come in several versions, in any order: a closed batch stands above an open one, the longer above the
        shorter, a later fact above an earlier one.
        """
        if not is_right_record((rowid, values)):
            return False
        table, row = of_record(rowid, values)
        if self._is_newer(table, row):
            marks = ", ".join("?" * len(row))
            self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608  names of ours
        return True

    def _is_newer(self, table: str, row: tuple[Any, ...]) -> bool:
        if table == "batch":
            known = self._db.execute("SELECT open, -bytes, epoch, seq FROM batch WHERE id = ?", row[:1]).fetchone()
            if known and known[2] and row[1] and known[2:] != row[1:3]:
                return False  # two batches of one id: the newer image, which came first, stays
            return known is None or (row[6], -row[7]) < known[:2]
        if table == "meta":
            known = self._db.execute("SELECT version FROM meta WHERE key = ?", row[:1]).fetchone()
            return known is None or row[2:3] > known
        return True

    def has(self, table: str, number: int) -> bool:
        """Tell whether a row with this id was taken over."""
        return self._db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone() is not None  # noqa: S608

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  names of ours

    def count_damaged(self, rows: int) -> None:
        """Count rows that are lost to a damaged disk."""
        self._count("damaged_total", rows)

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

    def _new_id(self) -> int:
        """Return an id that nothing in this process ever had: what is settled is remembered by id."""
        self._tally = self._tally._replace(last_id=self._tally.last_id + 1)
        return self._tally.last_id

    def _next_name(self) -> tuple[str, int, str]:
        """Return epoch, seq and, for the first batch of an epoch, what came before it."""
        seq = self._tally.seq + 1
        self._tally = self._tally._replace(seq=seq)
        self._set_meta("name", f"{self.epoch}:{seq}")
        return self.epoch, seq, self._previous if seq == 1 else ""

    def _insert(self, head: tuple[int, str, int, str, str, str, int], body: bytes) -> None:
        row = (*head, len(body), body, checksum("batch", head, body))
        self._db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        batches, size = self._tally.batches + 1, self._tally.bytes + len(body)
        self._tally = self._tally._replace(batches=batches, bytes=size)

    def _delete(self, batch: int) -> bool:
        """Delete a batch; tell whether it was there."""
        found = self._db.execute("SELECT bytes FROM batch WHERE id = ?", (batch,)).fetchone()
        if found is None:
            return False
        self._db.execute("DELETE FROM batch WHERE id = ?", (batch,))
        freed = found[0] if isinstance(found[0], int) else 0  # a damaged row
        batches, size = self._tally.batches - 1, self._tally.bytes - freed
        self._tally = self._tally._replace(batches=batches, bytes=size)
        return True

    def _move_to_refused(self, batch: int, reason: str) -> bool:
        found = self._db.execute("SELECT epoch, seq, device, body FROM batch WHERE id = ?", (batch,)).fetchone()
        if found is None:
            return False
        epoch, seq, device, body = found
        body = body if isinstance(body, bytes) else str(body).encode(errors="replace")
        last = self._db.execute("SELECT coalesce(max(id), 0) FROM refused").fetchone()[0]
        head = (last + 1, epoch, seq, device, reason)
        self._db.execute(
            "INSERT INTO refused VALUES (?, ?, ?, ?, ?, ?, ?)", (*head, body, checksum("refused", head, body))
        )
        self._delete(batch)
        self._db.execute("DELETE FROM refused WHERE id <= ?", (last + 1 - _KEPT_REFUSED,))
        return True

    def _set_aside(self, batch: int) -> None:
        """Move a batch that fails its checksum away, with whatever its columns say."""
        if self._move_to_refused(batch, DAMAGED):
            self._count("damaged_total", 1)
            self._count_all()  # what its columns said was in the tally too

    def _enforce_size(self) -> None:
        """At the size cap the oldest batches go, counted."""
        dropped = 0
        while self._tally.bytes > self.max_bytes and self._tally.batches:
            self._delete(self._db.execute("SELECT id FROM batch ORDER BY id LIMIT 1").fetchone()[0])
            dropped += 1
        self.count_dropped(dropped)

    def _count(self, key: str, more: int) -> None:
        self._set_meta(key, int(self._meta(key) or 0) + more)

    def _meta(self, key: str) -> str | int | None:
        with self._reading():
            row = self._db.execute("SELECT * FROM meta WHERE key = ?", (key,)).fetchone()
        return row[1] if row and is_right("meta", row) else None

    def _set_meta(self, key: str, value: str | int) -> None:
        self._version += 1
        row = (key, value, self._version)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?, ?)", (*row, checksum("meta", row)))
