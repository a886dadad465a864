"""
The spool 待传数据: the agent's durable queue of batches, one SQLite file.

    append ──▶ open batch ──close──▶ waiting ──acknowledged──▶ gone
                                        └──────refused───────▶ refused (kept, counted, never sent again)
    hold ────▶ held samples of a boot whose time is not known yet

One transaction and one fsync a round (WAL, synchronous=FULL): what a round measured and what was acknowledged since
the last one are committed together. An acknowledgement lost in a crash only means that a batch is sent once more.

Every start begins a new random epoch; batches that wait keep theirs. So a restored disk image or a cloned card never
makes two batches look like one.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from contract.batch import Batch, encode
from contract.errors import SantongError
from contract.sample import Sample

FILE = "spool.sqlite"
MAX_LINES_BYTES = 256 << 10
_KEPT_SLOTS = 4320  # three days of minutes
_KEPT_REFUSED = 1000
_KEPT_HELD = 100_000
_KEPT_OFFSETS = 8

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, device TEXT NOT NULL, clock TEXT NOT NULL, previous TEXT NOT NULL,
    open INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS batch_name ON batch (epoch, seq);
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL, device TEXT NOT NULL,
    sample TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS slot (id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, minute INTEGER NOT NULL,
    UNIQUE (device, minute));
"""


class SpoolError(SantongError):
    """The spool cannot be used; the message names the folder and what to do."""


class Waiting(NamedTuple):
    """A closed batch that waits for its acknowledgement."""

    id: int
    epoch: str
    seq: int
    device: str
    payload: bytes


class Status(NamedTuple):
    """What a spool holds. `bytes` counts the batches, as they are sent."""

    epoch: str
    seq: int
    batches: int
    bytes: int
    held: int
    refused: int
    refused_total: int
    dropped_total: int
    acknowledged_total: int


class Spool:
    """The spool of one agent. Used by one thread; `open` it, write in `transaction`, read whenever."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.epoch = ""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(directory / FILE, isolation_level=None, cached_statements=32)
            self._db.execute("PRAGMA cache_size=-256")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except OSError as error:
            raise SpoolError(f"{directory}: {error.strerror}: choose another folder with spool.path") from None
        except sqlite3.DatabaseError as error:
            advice = ": choose another folder with spool.path" if isinstance(error, sqlite3.OperationalError) else ""
            raise SpoolError(f"{directory / FILE}: {error}{advice}") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside, with one fsync, or nothing of it. SpoolError when the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise SpoolError(f"{self.directory / FILE}: {error}") from None

    # ---- writing, inside a transaction

    def begin(self) -> list[int]:
        """Start a new epoch; close what an earlier one left open. Return the ids of all waiting batches."""
        self.close_batches()
        self.epoch = os.urandom(4).hex()
        if last := self._meta("seq"):  # an epoch without any batch has nothing to prove
            self._set_meta("previous", f"{self._meta('epoch')}:{last}")
        self._set_meta("epoch", self.epoch)
        self._set_meta("seq", 0)
        return [row[0] for row in self._db.execute("SELECT id FROM batch ORDER BY id")]

    def append(self, device: str, lines: bytes, clock: str) -> None:
        """Add encoded lines (each with its line feed) to the device's open batch, or to more than one when too many."""
        while len(lines) > MAX_LINES_BYTES:
            end = lines.rindex(b"\n", 0, MAX_LINES_BYTES) + 1
            self._append(device, lines[:end], clock)
            lines = lines[end:]
        self._append(device, lines, clock)

    def _append(self, device: str, lines: bytes, clock: str) -> None:
        row = self._db.execute(
            "SELECT id, bytes FROM batch WHERE open AND device = ? AND clock = ? ORDER BY id DESC LIMIT 1",
            (device, clock),
        ).fetchone()
        if row and row[1] + len(lines) <= MAX_LINES_BYTES:
            self._db.execute(
                "UPDATE batch SET body = CAST(body || ? AS BLOB), bytes = bytes + ? WHERE id = ?",
                (lines, len(lines), row[0]),
            )
        else:
            seq, previous = self._next_seq()
            self._insert(Batch(self.epoch, seq, clock, b"", previous), device, lines, is_open=True)

    def append_unsynced(self, device: str, at_ns: int, held: int) -> None:
        """Queue the header-only batch of a boot that never got the time."""
        seq, previous = self._next_seq()
        batch = Batch(self.epoch, seq, "unsynced", b"", previous, at_ns, held)
        self._insert(batch, device, encode(batch), is_open=False)

    def close_batches(self) -> list[int]:
        """Give the open batches their final bytes; return their ids, oldest first."""
        rows = self._db.execute(
            "SELECT id, epoch, seq, clock, body, previous FROM batch WHERE open ORDER BY id"
        ).fetchall()
        for number, epoch, seq, clock, body, previous in rows:
            payload = encode(Batch(epoch, seq, clock, bytes(body), previous))
            self._db.execute(
                "UPDATE batch SET open = 0, body = ?, bytes = ? WHERE id = ?", (payload, len(payload), number)
            )
        self._enforce_size()
        return [row[0] for row in rows]

    def hold(self, boot: str, device: str, samples: list[Sample]) -> None:
        """Keep samples whose boot has no time yet."""
        self._db.executemany(
            "INSERT INTO held (boot, device, sample) VALUES (?, ?, ?)",
            [(boot, device, json.dumps([s.measurement, s.fields, s.at_ns, s.tags])) for s in samples],
        )
        gone = self._db.execute("DELETE FROM held WHERE id <= (SELECT max(id) FROM held) - ?", (_KEPT_HELD,))
        if gone.rowcount:
            self._count("dropped_total", gone.rowcount)

    def release(self) -> dict[tuple[str, str], list[Sample]]:
        """Take out all held samples, by (boot, device) in the order they were held."""
        held: dict[tuple[str, str], list[Sample]] = {}
        for boot, device, text in self._db.execute("SELECT boot, device, sample FROM held ORDER BY id"):
            measurement, fields, at_ns, tags = json.loads(text)
            held.setdefault((boot, device), []).append(Sample(measurement, fields, at_ns, tags))
        self._db.execute("DELETE FROM held")
        return held

    def claim_slot(self, device: str, minute_ns: int) -> bool:
        """Tell whether this is the first presence of the device in that minute, and remember it."""
        row = self._db.execute("INSERT OR IGNORE INTO slot (device, minute) VALUES (?, ?)", (device, minute_ns))
        if row.rowcount != 1:
            return False
        self._db.execute("DELETE FROM slot WHERE id <= ?", (row.lastrowid - _KEPT_SLOTS if row.lastrowid else 0,))
        return True

    def acknowledged(self, ids: set[int]) -> None:
        """Forget batches that the store has."""
        if ids:
            gone = self._db.executemany("DELETE FROM batch WHERE id = ?", [(i,) for i in ids])
            self._count("acknowledged_total", gone.rowcount)

    def refuse(self, batch: int, reason: str) -> None:
        """Move a batch to the refused ones: visible, counted, never sent again."""
        moved = self._db.execute(
            "INSERT INTO refused (epoch, seq, device, reason, body) SELECT epoch, seq, device, ?, body FROM batch "
            "WHERE id = ?",
            (reason, batch),
        )
        if moved.rowcount == 1:
            self._db.execute("DELETE FROM batch WHERE id = ?", (batch,))
            self._count("refused_total", 1)
            self._db.execute("DELETE FROM refused WHERE id <= ?", ((moved.lastrowid or 0) - _KEPT_REFUSED,))

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

    def verified_serial(self) -> str | None:
        """Return whose spool this is, once every page of it was read; SpoolError when one is damaged."""
        try:
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict == "ok":
                return self.recall("serial")
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        self.close()
        raise SpoolError(f"{self.directory / FILE}: {verdict}")

    def offsets(self) -> dict[str, tuple[int, str]]:
        """Return (unix time - boot time in ns, clock) of recent boots."""
        text = self.recall("offsets")
        return {boot: (int(value[0]), str(value[1])) for boot, value in json.loads(text).items()} if text else {}

    def recall(self, key: str) -> str | None:
        """Return a fact kept with `remember`."""
        value = self._meta(f"fact.{key}")
        return None if value is None else str(value)

    def waiting(self, batch: int) -> Waiting | None:
        """Return a closed batch with its payload."""
        row = self._db.execute(
            "SELECT id, epoch, seq, device, body FROM batch WHERE id = ? AND NOT open", (batch,)
        ).fetchone()
        return Waiting(*row) if row else None

    def backlog(self, after: int, most: int = 64) -> list[int]:
        """Return the ids of closed batches behind id `after`, oldest first."""
        rows = self._db.execute("SELECT id FROM batch WHERE id > ? AND NOT open ORDER BY id LIMIT ?", (after, most))
        return [row[0] for row in rows]

    def find(self, epoch: str, first: int, last: int) -> list[int]:
        """Return the ids of closed batches by epoch and range of seq."""
        rows = self._db.execute(
            "SELECT id FROM batch WHERE epoch = ? AND seq BETWEEN ? AND ? AND NOT open", (epoch, first, last)
        )
        return [row[0] for row in rows]

    def refused(self) -> list[tuple[str, int, str, str]]:
        """Return (epoch, seq, device, reason) of the refused batches, newest first."""
        return self._db.execute("SELECT epoch, seq, device, reason FROM refused ORDER BY id DESC").fetchall()

    def has_held(self) -> bool:
        """Tell whether samples wait for the time."""
        return self._db.execute("SELECT 1 FROM held LIMIT 1").fetchone() is not None

    def status(self, settled: Collection[int] = ()) -> Status:
        """Count what is there, less the batches `settled`, which the next transaction will forget."""
        batches, size = self._db.execute(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM batch WHERE id NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(list(settled)),),
        ).fetchone()
        held = self._db.execute("SELECT count(*) FROM held").fetchone()[0]
        refused = self._db.execute("SELECT count(*) FROM refused").fetchone()[0]
        totals = (int(self._meta(key) or 0) for key in ("refused_total", "dropped_total", "acknowledged_total"))
        return Status(
            str(self._meta("epoch") or ""), int(self._meta("seq") or 0), batches, size, held, refused, *totals
        )

    # ---- inside

    def _next_seq(self) -> tuple[int, str]:
        """Return the next seq, and `previous` for the first batch of an epoch."""
        seq = int(self._meta("seq") or 0) + 1
        self._set_meta("seq", seq)
        return seq, str(self._meta("previous") or "") if seq == 1 else ""

    def _insert(self, batch: Batch, device: str, body: bytes, *, is_open: bool) -> None:
        self._db.execute(
            "INSERT INTO batch (epoch, seq, device, clock, previous, open, bytes, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (batch.epoch, batch.seq, device, batch.clock, batch.previous, is_open, len(body), body),
        )

    def _enforce_size(self) -> None:
        """At the size cap the oldest batches go, counted."""
        over = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM batch").fetchone()[0] - self.max_bytes
        dropped = 0
        while over > 0:
            number, size = self._db.execute("SELECT id, bytes FROM batch ORDER BY id LIMIT 1").fetchone()
            self._db.execute("DELETE FROM batch WHERE id = ?", (number,))
            over -= size
            dropped += 1
        if dropped:
            self._count("dropped_total", dropped)

    def _count(self, key: str, more: int) -> None:
        self._set_meta(key, int(self._meta(key) or 0) + more)

    def _meta(self, key: str) -> str | int | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, key: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def peek(directory: Path) -> tuple[Status, list[tuple[str, int, str, str]]]:
    """Return the status and the refused batches of a spool that another process may be using; change nothing."""
    if not (directory / FILE).is_file():
        raise SpoolError(f"{directory / FILE}: no spool here: has the agent run? (--spool names its folder)")
    spool = Spool.__new__(Spool)
    spool.directory = directory
    try:
        spool._db = sqlite3.connect(f"file:{directory / FILE}?mode=ro", uri=True)
        return spool.status(), spool.refused()
    except sqlite3.Error as error:
        raise SpoolError(f"{directory / FILE}: {error}") from None


def lock(directory: Path) -> int:
    """Keep the folder for this process, until it ends; SpoolError when another agent has it."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SpoolError(f"{directory}: another agent is using this spool: stop it, or set spool.path") from None
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror}: choose another folder with spool.path") from None
    return descriptor


def open_for(directory: Path, max_bytes: int, serial: str) -> tuple[Spool, str]:
    """
    Open the spool of this hardware; return it and why an earlier file was set aside (empty when none was).

    A spool of other hardware (a cloned card) and one that is no database any more are renamed, never deleted.
    """
    try:
        spool = Spool(directory, max_bytes)
        known = spool.verified_serial()
    except SpoolError as error:
        if not _is_damaged(directory):
            raise
        set_aside(directory)
        return _with_serial(Spool(directory, max_bytes), serial), f"spool damaged: {error}"
    if known is None or _may_be_same(known, serial):
        return _with_serial(spool, serial), ""
    spool.close()
    set_aside(directory)
    return _with_serial(Spool(directory, max_bytes), serial), f"spool of other hardware ({known}), this is {serial}"


def _may_be_same(known: str, serial: str) -> bool:
    """Tell whether two serial numbers may be of one machine: a hardware's own is hidden from ordinary users."""
    comparable = known.startswith("machine-id:") == serial.startswith("machine-id:")
    return known == serial or not comparable or "unknown" in (known, serial)


def _with_serial(spool: Spool, serial: str) -> Spool:
    if spool.recall("serial") != serial:
        with spool.transaction():
            spool.remember("serial", serial)
    return spool


def _is_damaged(directory: Path) -> bool:
    """Tell a file that is no database, or a damaged one, from a folder or disk that refuses."""
    try:
        with closing(sqlite3.connect(f"file:{directory / FILE}?mode=ro", uri=True)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return (directory / FILE).is_file()


def set_aside(directory: Path) -> Path:
    """Rename the spool's file and its journals; return the new name."""
    aside = directory / f"{FILE}.aside-{time.time_ns()}"
    (directory / FILE).rename(aside)
    for suffix in ("-wal", "-shm"):
        journal = directory / (FILE + suffix)
        if journal.exists():
            journal.rename(f"{aside}{suffix}")
    return aside
