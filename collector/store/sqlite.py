"""
The store in one SQLite file: the default of `santong up`, and what an inspector opens without any server.

A table a measurement, made from `contract.measurements`, with a column a field:

    probe(device, source, kind, target, time, success, rtt_ms, …)   PRIMARY KEY (device, source, kind, target, time)

The tables are WITHOUT ROWID, so they lie in the order that reads promise, and a series and period is one range of
the file. There is no second index: reads step from series to series by the primary key.
"""

import math
import os
import re
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from collector.store import sql
from collector.store.base import Poison, StoreError, StoreMisconfigured, StoreUnavailable
from collector.store.sqlite_reads import SqliteReads, columns, series_of
from contract.lines import INTEGER_RANGE
from contract.measurements import IDENTITY_TAGS, RETENTION_DAYS, TABLE, Kind, Measurement, Retention
from contract.sample import Value

BUSY_TIMEOUT_S = 5.0
EXPIRY_INTERVAL_S = 3600.0
_DAY_NS = 86_400_000_000_000
# By primary result code, https://sqlite.org/rescode.html
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_PERM: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "check that it is a file in a folder that exists and may be written",
    sqlite3.SQLITE_NOTADB: "name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup",
    sqlite3.SQLITE_IOERR: "check that it is a file, and check its disk",
}


# ---- lines


class _BadLine(ValueError):
    """A line that is not stored; the message says why."""


class _Series(NamedTuple):
    """What the head of a line says: the measurement, and the key (device, source, own tags)."""

    measurement: Measurement
    key: tuple[str, ...]


_TAG = rb",([a-z0-9_]++)=((?:[^ ,=\\]|\\[ ,=])++)"
_FIELD = rb'([a-z0-9_]++)=(?:"([^"\\]*+)"|([^ ,"\\]++))'
_LINE = re.compile(rb"((?:[^ \\]|\\.)++) (.+) (-?\d{1,19})")
_HEAD = re.compile(rb"([a-z0-9_]++)((?:%b)*+)" % _TAG)
_FIELDS = re.compile(rb"%b(?:,%b)*+" % (_FIELD, _FIELD))
_EACH_TAG = re.compile(_TAG)
_EACH_FIELD = re.compile(_FIELD)
_ESCAPED = re.compile(rb"\\([ ,=])")
_INTEGER = re.compile(rb"-?\d{1,64}i")  # leading zeros, as influxd and the check take them
_FLOAT = re.compile(rb"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


def _parse(line: bytes, retention: Retention, oldest_ns: int) -> tuple[Measurement, tuple[Value | None, ...]]:
    """Return the measurement of a line and the values of its columns; _BadLine, or ValueError for bad UTF-8."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _BadLine("not a line of measurement, tags, fields and time")
    series = _series_of(match[1])
    if series.measurement.retention is not retention:
        raise _BadLine(f"{series.measurement.name} is not of the retention class {retention}")
    time_ns = int(match[3])
    if not oldest_ns <= time_ns < INTEGER_RANGE.stop:
        raise _BadLine(f"time outside the retention of {RETENTION_DAYS[retention]} days")
    return series.measurement, (*series.key, time_ns, *_values(series.measurement, match[2]))


@lru_cache(maxsize=1 << 16)  # the same heads come again every minute
def _series_of(head: bytes) -> _Series:
    match = _HEAD.fullmatch(head)
    row = TABLE.get(match[1].decode()) if match else None
    if match is None or row is None:
        raise _BadLine("an unknown measurement or malformed tags")
    pairs = _EACH_TAG.findall(match[2])
    tags = {name.decode(): _ESCAPED.sub(rb"\1", value).decode() for name, value in pairs}
    wanted = ("device", *row.tags)
    if len(tags) < len(pairs) or not tags.keys() <= {*IDENTITY_TAGS, *row.tags} or not tags.keys() >= set(wanted):
        raise _BadLine(f"{row.name} has the tags {', '.join(wanted)}, each once")
    return _Series(row, (tags["device"], tags.get("agent", tags["device"]), *(tags[tag] for tag in row.tags)))


def _values(row: Measurement, fields: bytes) -> list[Value | None]:
    """Return a value, or None, for each field of the table's row."""
    if not _FIELDS.fullmatch(fields):
        raise _BadLine("malformed fields")
    places = _places(row)
    values: list[Value | None] = [None] * len(places)
    for name, text, number in _EACH_FIELD.findall(fields):
        at, convert = places.get(name, (0, None))
        if convert is None or values[at] is not None:
            raise _BadLine(f"{row.name} has the fields {', '.join(f.name for f in row.fields)}, each at most once")
        value = convert(text, number)
        if value is None:
            raise _BadLine(f"{name.decode()} is {row.fields[at].kind}, not {(number or text)[:80]!r}")
        values[at] = value
    return values


@cache
def _places(row: Measurement) -> dict[bytes, tuple[int, Callable[[bytes, bytes], Value | None]]]:
    """Return for each field its place in the table's row, and what reads its value."""
    return {field.name.encode(): (at, _READERS[field.kind]) for at, field in enumerate(row.fields)}


def _string(text: bytes, number: bytes) -> Value | None:
    return None if number else text.decode()


def _integer(_text: bytes, number: bytes) -> Value | None:
    if _INTEGER.fullmatch(number) and (value := int(number[:-1])) in INTEGER_RANGE:
        return value
    return None


def _float(_text: bytes, number: bytes) -> Value | None:
    value = float(number) if _FLOAT.fullmatch(number) else math.nan
    return value if math.isfinite(value) else None


# A reader takes what stood in quotes and what stood without; None is a value of the wrong type or out of range.
_READERS = {Kind.STRING: _string, Kind.INTEGER: _integer, Kind.FLOAT: _float}


# ---- the store


class SqliteStore(SqliteReads):
    """
    A store in the file `path`; with `create=False` a file that does not exist is StoreMisconfigured.

    Writes share one connection and a lock: SQLite takes one writer at a time. Each read opens a connection of its
    own: it sees one snapshot from its first row to its last, in any thread, beside any writer, and two reads of one
    thread may be taken in turns. With `is_scratch` it is this process's own for a while, such as an archive that is
    looked at: nothing is too old for it, and nothing waits for the disk.
    """

    def __init__(self, path: Path, *, create: bool = True, is_scratch: bool = False) -> None:
        self.path = path
        self._is_scratch = is_scratch
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._next_expiry = 0.0
        if not create and not path.exists():
            raise StoreMisconfigured(f"{path}: no such store; start the collector, or name another with --store")

    def prepare(self) -> None:
        """Create the file (mode 0600), tables and columns that are missing; delete what is past its retention."""
        with self._explained():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._transaction() as connection:
            for row in TABLE.values():
                connection.execute(sql.create(row))
                have = columns(connection, row)
                for field in row.fields:
                    if field.name not in have:
                        column = f'"{field.name}" {sql.COLUMN_TYPES[field.kind]}'
                        connection.execute(f'ALTER TABLE "{row.name}" ADD COLUMN {column}')
        self._expire()

    def ready(self) -> None:
        """Return when the file can be read and has the tables; raise StoreError when not."""
        with self._read() as connection:
            if missing := [name for name, row in TABLE.items() if not columns(connection, row)]:
                raise StoreMisconfigured(f"{self.path}: has no table {missing[0]}; start the collector once")

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Store lines in one transaction, on disk when it returns; return those that cannot be stored."""
        rows: dict[str, list[tuple[Value | None, ...]]] = defaultdict(list)
        poison = []
        oldest_ns = 0 if self._is_scratch else time.time_ns() - RETENTION_DAYS[retention] * _DAY_NS
        for line in filter(None, lines.split(b"\n")):
            try:
                row, values = _parse(line, retention, oldest_ns)
            except ValueError as error:
                poison.append(Poison(line, str(error)))
            else:
                rows[row.name].append(values)
        with self._transaction() as connection:
            for name, points in rows.items():
                connection.executemany(sql.upsert(TABLE[name]), points)
        if time.monotonic() >= self._next_expiry:
            self._expire()
        return poison

    def close(self) -> None:
        """Close the writing connection; may be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _expire(self) -> None:
        """Delete what is past its retention: a range of each series."""
        self._next_expiry = time.monotonic() + EXPIRY_INTERVAL_S
        if self._is_scratch:
            return
        now_ns = time.time_ns()
        with self._transaction() as connection:
            for row in TABLE.values():
                oldest_ns = now_ns - RETENTION_DAYS[row.retention] * _DAY_NS
                keys = series_of(connection, row, None)
                connection.executemany(sql.expire(row), [(*key, oldest_ns) for key in keys])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            connection = self._writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _writer(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._open("rw")
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                connection.execute(f"PRAGMA synchronous = {'OFF' if self._is_scratch else 'FULL'}")
            except sqlite3.Error:
                connection.close()
                raise
            if mode != "wal":
                connection.close()
                raise StoreMisconfigured(f"{self.path}: its file system has no write-ahead log; use a local disk")
            self._connection = connection
        return self._connection

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), closing(self._open("ro")) as connection:
            connection.execute("BEGIN")
            yield connection

    def _open(self, mode: str) -> sqlite3.Connection:
        # check_same_thread: the lock guards the writer; a generator of rows may end in another thread.
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into StoreError."""
        try:
            yield
        except OSError as error:
            raise StoreMisconfigured(f"{self.path}: {error.strerror}; {_REMEDIES[sqlite3.SQLITE_CANTOPEN]}") from error
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if remedy := _REMEDIES.get(code):
            return StoreMisconfigured(f"{self.path}: {error}; {remedy}")
        if code == sqlite3.SQLITE_ERROR and "no such table" in str(error):
            return StoreMisconfigured(f"{self.path}: {error}; start the collector once")
        return StoreUnavailable(f"{self.path}: {error}")
