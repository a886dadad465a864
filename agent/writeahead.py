"""
The write-ahead log of an SQLite file: what is in it, whether it is as SQLite left it, and how it is merged.

    frames: (number of a page, its image, a running checksum) …   ──merge──▶ the file; the log begins anew

SQLite asks for the checksums only when it opens a log that nobody has open. The process that has it open merges
whatever stands where it once wrote a frame: what a disk has changed, and the zeros of a hole where a log was cut off
and written on. What it merges over is the last good image of a page. So the log is read before it is merged.

Format: "Database File Format", https://sqlite.org/fileformat2.html, section 4.
"""

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

PAGE_SIZES = {1 << n for n in range(9, 17)}
HEADER = 32
_FRAME_HEADER = 24
_USUAL_PAGE_SIZE = 4096
_LONG = 4 << 20  # SQLite's own measure for merging it


class Frame(NamedTuple):
    """One page image in the log; `offset` is that of the image."""

    page: int
    commits: bool
    salts: bytes
    checksum: tuple[int, int]
    offset: int


def log_of(file: Path) -> Path:
    """Return the log of a database file."""
    return file.with_name(f"{file.name}-wal")


def is_empty(file: Path) -> bool:
    """
    Tell whether SQLite takes a database file for empty: it then deletes the log, whatever is in it, when it is opened.

    One byte is nothing to it too (unixFileSize() in its os_unix.c).
    """
    return file.stat().st_size <= 1


def would_be_deleted(file: Path) -> bool:
    """Tell whether opening a database file would cost its log; one that is just being made is empty without a log."""
    return is_empty(file) and log_of(file).is_file() and log_of(file).stat().st_size > HEADER


class Log:
    """The log of one database file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._merge_at = _LONG

    def flaw(self) -> str:
        """
        Say what is wrong with the log, nothing when it is as SQLite left it.

        SQLite itself takes a frame with a wrong checksum for the end of the log and forgets in silence what was
        committed behind it. A last transaction that was not written to its end is no flaw.
        """
        try:
            return self._flaw() if self._size() > HEADER else ""
        except OSError as error:
            return f"its write-ahead log cannot be read: {error.strerror}"

    def merge(self, db: sqlite3.Connection) -> str:
        """Merge a log that has grown long into the file, unless something is wrong with it; say what."""
        if self._size() < self._merge_at:
            return ""
        if flaw := self.flaw():
            return flaw
        with contextlib.suppress(sqlite3.Error):  # the disk is full, or somebody reads: later
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._merge_at = self._size() + _LONG
        return ""

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Hold the file open, or its last user, who closes it inside, would merge the log into it."""
        keeper = None
        try:
            with contextlib.suppress(sqlite3.Error, OSError):
                if is_empty(self._file):
                    os.truncate(self._file, _USUAL_PAGE_SIZE)
                keeper = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)
                keeper.execute("SELECT 1 FROM sqlite_master").fetchone()
            yield
        finally:
            if keeper is not None:
                keeper.close()

    def _size(self) -> int:
        try:
            return log_of(self._file).stat().st_size
        except OSError:
            return 0

    def _flaw(self) -> str:
        with log_of(self._file).open("rb") as stream:
            header = stream.read(HEADER)
            order, size = _byte_order(header), page_size(header)
            if not order or not size or _checksum(header[:24], order, (0, 0)) != struct.unpack(">II", header[24:32]):
                return "the header of its write-ahead log is damaged"
            sums = struct.unpack(">II", header[24:32])
            ended = False
            for number, frame in enumerate(frames(stream, size)):
                if frame.salts != header[16:24]:
                    ended = True  # what a log that began anew has not overwritten yet
                    continue
                stream.seek(frame.offset - _FRAME_HEADER)
                image = stream.read(_FRAME_HEADER + size)
                sums = _checksum(image[_FRAME_HEADER:], order, _checksum(image[:8], order, sums))
                if ended or sums != frame.checksum:
                    return f"frame {number + 1} of its write-ahead log is damaged"
        return ""


def page_size(header: bytes) -> int:
    """Return the page size that the header of a log tells, 0 for nonsense."""
    size = int.from_bytes(header[8:12], "big")
    return size if size in PAGE_SIZES else 0


def frames(stream: BinaryIO, size: int) -> Iterator[Frame]:
    """Yield the whole frames of a log."""
    offset = HEADER
    while True:
        stream.seek(offset)
        head = stream.read(_FRAME_HEADER)
        offset += _FRAME_HEADER
        if len(head) < _FRAME_HEADER or len(stream.read(size)) < size:
            return
        page, pages, salt1, salt2, sum0, sum1 = struct.unpack(">6I", head)
        yield Frame(page, pages != 0, struct.pack(">II", salt1, salt2), (sum0, sum1), offset)
        offset += size


def _byte_order(header: bytes) -> str:
    return {0x377F0682: "<", 0x377F0683: ">"}.get(int.from_bytes(header[:4], "big"), "")


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    """Return the running checksum of section 4.2: two sums over pairs of 32-bit words."""
    s0, s1 = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first in words:
        s0 = (s0 + first + s1) & 0xFFFFFFFF
        s1 = (s1 + next(words) + s0) & 0xFFFFFFFF
    return s0, s1
