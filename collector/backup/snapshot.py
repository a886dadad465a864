"""Files of SQLite: recognised by their beginning, copied as they are at one moment while others write, examined."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

MAGIC = b"SQLite format 3\0"
# What SQLite keeps beside a file while it is open; a copy made through SQLite needs none of it.
COMPANIONS = ("-wal", "-shm", "-journal")
_BUSY_S = 30.0
_TRIES = 5


def is_sqlite(path: Path) -> bool:
    """Tell a file of SQLite by its first bytes."""
    with path.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def snapshot(source: Path, into: Path) -> str:
    """
    Copy a file of SQLite as it is at one moment, in a single read transaction; writers go on meanwhile.

    Where its folder cannot be written, and nobody has it open, SQLite cannot read it: then it is read from a copy with
    its log. Return what is wrong with it, "" nothing. Raises sqlite3.Error where it cannot be read or `into` not be
    written, OSError.
    """
    try:
        _copy(source, "mode=ro", into)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        into.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="still-", dir=into.parent) as name:
            _copy(_still(source, Path(name)), "mode=rw", into)
    return flaw_of(into)


def _copy(source: Path, how: str, into: Path) -> None:
    with closing(_opened(source, how)) as old, closing(sqlite3.connect(into, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous = OFF")
        old.backup(new)


def _still(source: Path, folder: Path) -> Path:
    """Copy a file with its logs, as all are at one moment, into a folder; sqlite3.OperationalError: it never rests."""
    log, _, journal = (source.with_name(source.name + end) for end in COMPANIONS)
    for _ in range(_TRIES):
        before = [_state(one) for one in (source, log, journal)]
        for one in (source, log, journal):
            (folder / one.name).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(one, folder / one.name)
        if [_state(one) for one in (source, log, journal)] == before:
            return folder / source.name
    raise sqlite3.OperationalError("is written all the time, and its folder is read-only for us")


def _state(file: Path) -> tuple[int, int] | None:
    try:
        told = file.stat()
    except FileNotFoundError:
        return None
    return told.st_size, told.st_mtime_ns


def flaw_of(file: Path) -> str:
    """Return what `PRAGMA integrity_check` says of a file that nobody writes, "" when it is sound."""
    try:
        with closing(_opened(file, "mode=ro&immutable=1")) as opened:
            (verdict,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if verdict == "ok" else " ".join(str(verdict).split())


def _opened(file: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_S, isolation_level=None)
