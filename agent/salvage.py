"""
Reading rows out of a damaged SQLite file, page by page, whatever its structure says.

    page images ──▶ leaves ──▶ records ──▶ (columns, values)
    (file, then the write-ahead log)

An intact database is read by SQLite. Here a page that cannot be read costs only its own rows: tables are told apart by
their number of columns, and each one's own checksum is asked for. Of a page that stands in the log every image is
read: a newer one may have moved rows to a page that did not get there, or have a changed byte. So what was deleted a
while ago comes back too. For a spool that means sending once more what the store has, which stores nothing twice.

Format: "Database File Format", https://sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1 and 4.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.writeahead import HEADER, PAGE_SIZES, frames, log_of, page_size

Column = int | float | str | bytes | None

_MAGIC = b"SQLite format 3\x00"
_USUAL_PAGE_SIZE = 4096
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR = 0x0D, 0x0A, 0x02, 0x05
_LARGEST_RECORD = 4 << 20
_OTHER_IMAGES = 4  # how many images of an overflow page are tried: a batch is written a few times while it is open
_LAST = 1 << 62


class _Flaw(Exception):
    """A page or record that is not what it should be."""


class Record(NamedTuple):
    """One row: `rowid` is None in tables WITHOUT ROWID; a column that is the rowid's alias is None."""

    rowid: int | None
    values: tuple[Column, ...]


class Found(NamedTuple):
    """The rows of one page image, and whether all of the image could be read."""

    records: list[Record]
    whole: bool


# ---- pages


class Salvage:
    """
    Reads the rows of a damaged database file and its log. `flaws` counts the pages whose newest image was not readable.

    `is_right` tells whether a row fits its own checksum: a changed byte may leave a page that reads well.
    """

    def __init__(self, file: Path, is_right: Callable[[Record], bool]) -> None:
        self._file = file
        self.is_right = is_right
        self._logged: dict[int, list[int]] = {}  # offsets of the images of a page in the log, oldest first
        self._commits: list[int] = []  # offsets of the images that end a transaction
        self.flaws = 0

    def records(self) -> Iterator[Record]:
        """Yield what can be read; a row may come more than once, and in several versions."""
        log = log_of(self._file)
        with self._file.open("rb") as main:
            head = main.read(100)
            self._size = self._usual_size(head, log)
            self._main = main
            if log.is_file():
                with log.open("rb") as self._log:
                    self._index_log()
                    yield from self._all_pages()
            else:
                yield from self._all_pages()

    @staticmethod
    def _usual_size(head: bytes, log: Path) -> int:
        size = int.from_bytes(head[16:18], "big")
        size = 65536 if size == 1 else size
        if head.startswith(_MAGIC) and size in PAGE_SIZES:
            return size
        if log.is_file():
            with log.open("rb") as stream:
                return page_size(stream.read(HEADER)) or _USUAL_PAGE_SIZE
        return _USUAL_PAGE_SIZE

    def _index_log(self) -> None:
        """Note where each page's images are, of the log's present generation."""
        self._log.seek(16)
        salts = self._log.read(8)
        found = list(frames(self._log, self._size))
        if not any(frame.salts == salts for frame in found) and found:
            salts = found[0].salts  # the header is damaged, not the frames
        for frame in found:
            if frame.salts == salts:
                self._logged.setdefault(frame.page, []).append(frame.offset)
                if frame.commits:
                    self._commits.append(frame.offset)

    def _all_pages(self) -> Iterator[Record]:
        self._main.seek(0, 2)
        pages = -(-self._main.tell() // self._size)
        for number in sorted(self._logged.keys() | set(range(2, pages + 1))):
            if number > 1:  # page 1 is the schema, which is known
                yield from self._page(number)

    def _page(self, number: int) -> Iterator[Record]:
        """Yield the rows of all images of a page, the newest first."""
        for older, offset in enumerate([*reversed(self._logged.get(number, [])), 0]):
            until = self._commits[at] if (at := bisect_left(self._commits, offset)) < len(self._commits) else _LAST
            found = _read_leaf(self, self._read(number, offset), until if offset else 0)
            yield from found.records
            self.flaws += not found.whole and not older

    def _read(self, number: int, offset: int) -> bytes:
        """Return the image of a page at an offset of the log, or in the file (0)."""
        stream = self._log if offset else self._main
        stream.seek(offset or (number - 1) * self._size)
        return stream.read(self._size)

    def page_image(self, number: int, until: int, other: int = 0) -> bytes:
        """Return the image of a page as of an offset of the log, or another one: older ones first, then newer ones."""
        offsets = self._logged.get(number, [])
        known = bisect_right(offsets, until)
        chosen = [*reversed(offsets[:known]), 0, *offsets[known:]][other : other + 1]
        return self._read(number, chosen[0]) if chosen else b""

    @property
    def usable(self) -> int:
        """Bytes of a page that hold content: no page of ours is reserved in part."""
        return self._size


# ---- records


def _read_leaf(source: Salvage, image: bytes, until: int) -> Found:
    """
    Return the rows of one page image; an interior page of a table, and an empty page, have none.

    `until` is the offset in the log at which the transaction of this image ends.
    """
    kind = image[0] if image else 0
    if kind in (0, _TABLE_INTERIOR):  # 0: an overflow page, or never written
        return Found([], whole=len(image) == source.usable)
    if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
        return Found([], whole=False)
    start = 12 if kind == _INDEX_INTERIOR else 8
    (count,) = struct.unpack(">H", image[3:5]) if len(image) >= 5 else (0,)
    records, whole = [], len(image) == source.usable
    for place in range(start, start + 2 * count, 2):
        try:
            at = int.from_bytes(image[place : place + 2], "big")
            if not start + 2 * count <= at < len(image):
                raise _Flaw
            records.append(_read_cell(source, image, at, kind, until))
        except (_Flaw, IndexError, struct.error, UnicodeDecodeError, OverflowError):
            whole = False
    return Found(records, whole)


def _read_cell(source: Salvage, image: bytes, at: int, kind: int, until: int) -> Record:
    if kind == _INDEX_INTERIOR:
        at += 4
    size, at = _varint(image, at)
    rowid = None
    if kind == _TABLE_LEAF:
        number, at = _varint(image, at)
        rowid = number - (1 << 64) if number >= 1 << 63 else number
    if size > _LARGEST_RECORD:
        raise _Flaw
    local = _local_size(source.usable, size, kind)
    if local == size:
        return Record(rowid, _values(image[at : at + size]))
    return _read_long_cell(source, rowid, _LongCell(image[at : at + local + 4], size, until))


def _local_size(usable: int, size: int, kind: int) -> int:
    """Return how much of a payload lies in its leaf (section 1.6)."""
    most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    return local if local <= most else least


class _LongCell(NamedTuple):
    """A cell that goes on in overflow pages: what lies in its leaf, its whole size, and when it was written."""

    local: bytes
    size: int
    until: int


def _read_long_cell(source: Salvage, rowid: int | None, cell: _LongCell) -> Record:
    """Return a row that goes on in overflow pages: from another image of one of these, where one is damaged."""
    pages: list[int] = []
    for odd, other in _choices(pages):
        try:
            record = Record(rowid, _values(_chain(source, cell, pages, {odd: other})))
        except (_Flaw, IndexError, struct.error, UnicodeDecodeError, OverflowError):
            continue
        if source.is_right(record):
            return record
    raise _Flaw


def _choices(pages: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (page, which other image of it): none first, which tells what the pages are, then each page's."""
    yield 0, 0
    for number in pages.copy():
        for other in range(1, _OTHER_IMAGES):
            yield number, other


def _chain(source: Salvage, cell: _LongCell, pages: list[int], others: dict[int, int]) -> bytes:
    """Return a cell's payload, from its page and from the chain of overflow pages, which are noted in `pages`."""
    parts, left = [cell.local[:-4]], cell.size - len(cell.local) + 4
    number = int.from_bytes(cell.local[-4:], "big")
    pages.clear()
    while left > 0:
        pages.append(number)
        page = source.page_image(number, cell.until, others.get(number, 0)) if number > 1 else b""
        if len(page) < source.usable:
            raise _Flaw
        parts.append(page[4 : 4 + min(left, source.usable - 4)])
        left -= source.usable - 4
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a big-endian number of 1 to 9 bytes of 7 bits (the ninth has 8), and where it ends."""
    number = 0
    for n in range(9):
        byte = data[at + n]
        if n == 8:
            return number << 8 | byte, at + 9
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            return number, at + n + 1
    raise _Flaw


_INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _values(payload: bytes) -> tuple[Column, ...]:
    """Return the columns of a record (section 2.1)."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != end:
        raise _Flaw
    values: list[Column] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise _Flaw
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Column, int]:
    if kind in (0, 8, 9):
        return (None, 0, 1)[(0, 8, 9).index(kind)], at
    if kind == 7:
        return struct.unpack(">d", payload[at : at + 8])[0], at + 8
    if size := _INTEGER_SIZES.get(kind):
        return int.from_bytes(payload[at : at + size], "big", signed=True), at + size
    if kind < 12:
        raise _Flaw
    size = (kind - 12) // 2
    data = payload[at : at + size]
    if len(data) < size:
        raise _Flaw
    return (data.decode() if kind % 2 else data), at + size
