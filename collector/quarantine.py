"""
Quarantine 隔离: what was refused, with its reason, for an operator to look at. Nothing here is lost or counted.

One SQLite file beside the collector; the newest entries are kept, older ones make room and are counted.
"""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from contract.errors import SantongError

FILE = "quarantine.sqlite"
KEPT_ENTRIES = 20_000
KEPT_BYTES = 16_384

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_ns INTEGER NOT NULL, agent TEXT NOT NULL, device TEXT NOT NULL,
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    size INTEGER NOT NULL, content BLOB NOT NULL);
"""


class Entry(NamedTuple):
    """
    One refused thing: a whole payload (`line` 0) or one line of a batch.

    `seq` is -1 and `epoch` empty where the header could not be read. `content` is cut at 16 KiB, `size` is what it was.
    """

    received_ns: int
    agent: str
    device: str
    epoch: str
    seq: int
    line: int
    reason: str
    detail: str
    size: int
    content: bytes


class QuarantineError(SantongError):
    """The quarantine file cannot be opened."""


class Quarantine:
    """The quarantine of one collector; thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(directory / FILE, isolation_level=None, check_same_thread=False)
            self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
        except OSError as error:
            raise QuarantineError(f"{directory}: {error.strerror}: choose another folder with --data") from None
        except sqlite3.Error as error:
            raise QuarantineError(f"{directory / FILE}: {error}") from None

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep entries; sqlite3.Error when the disk refuses."""
        rows = [entry._replace(content=entry.content[:KEPT_BYTES]) for entry in entries]
        with self._lock, self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO entry (received_ns, agent, device, epoch, seq, line, reason, detail, size, content) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._db.execute("DELETE FROM entry WHERE id <= (SELECT max(id) FROM entry) - ?", (KEPT_ENTRIES,))

    def newest(self, most: int = 100, device: str | None = None) -> list[Entry]:
        """Return entries, newest first."""
        where, arguments = ("WHERE device = ? OR agent = ?", (device, device)) if device else ("", ())
        with self._lock:
            rows = self._db.execute(
                "SELECT received_ns, agent, device, epoch, seq, line, reason, detail, size, content "  # noqa: S608
                f"FROM entry {where} ORDER BY id DESC LIMIT ?",
                (*arguments, most),
            ).fetchall()
        return [Entry(*row) for row in rows]

    def listed(self, most: int, before: int | None = None) -> list[tuple[int, Entry]]:
        """Return entries with their numbers, newest first, of numbers below `before`, and without what they hold."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, received_ns, agent, device, epoch, seq, line, reason, detail, size, x'' "
                "FROM entry WHERE id < ? ORDER BY id DESC LIMIT ?",
                (1 << 62 if before is None else before, most),
            ).fetchall()
        return [(number, Entry(*row)) for number, *row in rows]

    def kept(self) -> int:
        """Return how many entries there are."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM entry").fetchone()[0])

    def total(self) -> int:
        """Return how many entries there ever were."""
        with self._lock:
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()
