"""Files of SQLite: recognised by their beginning, copied as they are at one moment while others write, examined."""

import sqlite3
from contextlib import closing
from pathlib import Path

MAGIC = b"SQLite format 3\0"
# What SQLite keeps beside a file while it is open; a copy made through SQLite needs none of it.
COMPANIONS = ("-wal", "-shm", "-journal")
_BUSY_S = 30.0


def is_sqlite(path: Path) -> bool:
    """Tell a file of SQLite by its first bytes."""
    with path.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def snapshot(source: Path, into: Path) -> str:
    """
    Copy a file of SQLite as it is at one moment, in a single read transaction; writers go on meanwhile.

    Return what is wrong with it, "" nothing. Raises sqlite3.Error where it cannot be read or `into` not be written.
    """
    with closing(_opened(source, "mode=ro")) as old, closing(sqlite3.connect(into, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous = OFF")
        old.backup(new)
    return flaw_of(into)


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
