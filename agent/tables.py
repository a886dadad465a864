"""
The spool's tables in their file: rows that carry a checksum, written in transactions, counted as they come and go.

    transaction ──▶ look at the log, merge it ──▶ move bad batches away ──▶ rows ──▶ COMMIT, one fsync ──▶ mark

Whatever SQLite says is told apart: the disk refuses (SpoolError), or the file is damaged or in doubt (SpoolDamaged),
which `agent.spoolfile` mends. What the rows mean is the spool's: `agent.spool`.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from agent import mark
from agent.rows import CREATE, SCHEMA, checksum, is_right, is_right_record, of_record, text
from agent.writeahead import Log, would_be_deleted
from contract.errors import SantongError

FILE = "spool.sqlite"
DAMAGED = "damaged on the disk of the device"
_KEPT_REFUSED = 1000

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


class _Tally(NamedTuple):
    """What would take a look at the whole table to know, and what was given out; a transaction restores it."""

    epoch: str = ""
    previous: str = ""
    seq: int = 0
    batches: int = 0
    bytes: int = 0
    last_id: int = 0
    open: tuple[int, ...] = ()


class Tables:
    """The tables of one spool, by one thread: rows in and out, none of them without its checksum."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.directory = directory
        self._read_only = read_only
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
        self._tally = self._tally._replace(batches=batches, bytes=size, last_id=last_id, open=is_open)
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
        before, db = self._tally, self._db
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
            self._tally = before
            if db.in_transaction:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            if isinstance(error, _SQLITE_ERRORS):
                raise self._explained(error) from None
            raise

    # ---- rows of a damaged file

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

    # ---- rows, inside a transaction

    def _new_id(self) -> int:
        """Return an id that nothing in this process ever had: what is settled is remembered by id."""
        self._tally = self._tally._replace(last_id=self._tally.last_id + 1)
        return self._tally.last_id

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

    def _changed(self, table: str, number: int) -> SpoolDamaged:
        return SpoolDamaged(f"{self.file}: row {number} of {table} fails its checksum")

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
