"""
Reading rows out of a damaged SQLite file, page by page, whatever its structure says.

    page images ──▶ leaves ──▶ records ──▶ (columns, values)
    (file, then the write-ahead log)

An intact database is read by SQLite. Here a page that cannot be read costs only its own rows: tables are told apart by
their number of columns, and each one's own checksum is asked for. Of a page that stands in the log the newest committed
image counts; older ones, and an image that was never committed, are read as well where it is damaged, where one of its
rows is not right, or where it might have moved rows to a page that did not get there.

Format: "Database File Format", https://sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1 and 4.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

Column = int | float | str | bytes | None

_MAGIC = b"SQLite format 3\x00"
_PAGE_SIZES = {1 << n for n in range(9, 17)}
_USUAL_PAGE_SIZE = 4096
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR = 0x0D, 0x0A, 0x02, 0x05
_WAL_HEADER, _FRAME_HEADER = 32, 24
_LARGEST_RECORD = 4 << 20
_OLDEST_OVERFLOW = 4  # how many images of an overflow page are tried: a batch is written a few times while it is open


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


class _Frame(NamedTuple):
    """One page image in the write-ahead log."""

    page: int
    commits: bool
    salts: bytes
    checksum: tuple[int, int]
    offset: int


# ---- the write-ahead log


def log_flaw(file: Path) -> str:
    """
    Say what is wrong with the write-ahead log of a database, nothing when it is as SQLite left it.

    SQLite itself takes a frame with a wrong checksum for the end of the log and forgets in silence what was committed
    behind it. A last transaction that was not written to its end is no flaw.
    """
    log = file.with_name(file.name + "-wal")
    if not log.is_file() or log.stat().st_size <= _WAL_HEADER:
        return ""
    with log.open("rb") as stream:
        header = stream.read(_WAL_HEADER)
        order, size = _byte_order(header), _page_size_of(header)
        if not order or not size or _checksum(header[:24], order, (0, 0)) != struct.unpack(">II", header[24:32]):
            return "the header of its write-ahead log is damaged"
        sums = struct.unpack(">II", header[24:32])
        ended = False
        for number, frame in enumerate(_frames(stream, size)):
            if frame.salts != header[16:24]:
                ended = True  # what a log that began anew has not overwritten yet
                continue
            stream.seek(frame.offset - _FRAME_HEADER)
            image = stream.read(_FRAME_HEADER + size)
            sums = _checksum(image[_FRAME_HEADER:], order, _checksum(image[:8], order, sums))
            if ended or sums != frame.checksum:
                return f"frame {number + 1} of its write-ahead log is damaged"
    return ""


def _byte_order(header: bytes) -> str:
    return {0x377F0682: "<", 0x377F0683: ">"}.get(int.from_bytes(header[:4], "big"), "")


def _page_size_of(header: bytes) -> int:
    size = int.from_bytes(header[8:12], "big")
    return size if size in _PAGE_SIZES else 0


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    """Return the running checksum of section 4.2: two sums over pairs of 32-bit words."""
    s0, s1 = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first in words:
        s0 = (s0 + first + s1) & 0xFFFFFFFF
        s1 = (s1 + next(words) + s0) & 0xFFFFFFFF
    return s0, s1


def _frames(stream: BinaryIO, size: int) -> Iterator[_Frame]:
    """Yield the whole frames of a log."""
    offset = _WAL_HEADER
    while True:
        stream.seek(offset)
        head = stream.read(_FRAME_HEADER)
        offset += _FRAME_HEADER
        if len(head) < _FRAME_HEADER or len(stream.read(size)) < size:
            return
        page, pages, salt1, salt2, sum0, sum1 = struct.unpack(">6I", head)
        yield _Frame(page, pages != 0, struct.pack(">II", salt1, salt2), (sum0, sum1), offset)
        offset += size


# ---- pages


class Salvage:
    """
    Reads the rows of a damaged database file and its log. `flaws` counts the page images that could not be read.

    `is_right` tells whether a row fits its own checksum: a changed byte may leave a page that reads well. With
    `every_image` also what an intact newer image of its page stands above: for a log that was cut off, behind
    which the file may be the newer of the two.
    """

    def __init__(self, file: Path, is_right: Callable[[Record], bool], *, every_image: bool = False) -> None:
        self._file = file
        self.is_right = is_right
        self._every_image = every_image
        self._committed: dict[int, list[int]] = {}
        self._uncommitted: dict[int, list[int]] = {}
        self.flaws = 0

    def records(self) -> Iterator[Record]:
        """Yield what can be read; a row may come in more than one version, the newer one first."""
        log = self._file.with_name(self._file.name + "-wal")
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
        if head.startswith(_MAGIC) and size in _PAGE_SIZES:
            return size
        if log.is_file():
            with log.open("rb") as stream:
                return _page_size_of(stream.read(_WAL_HEADER)) or _USUAL_PAGE_SIZE
        return _USUAL_PAGE_SIZE

    def _index_log(self) -> None:
        """Note where each page's images are, oldest first, of the log's present generation."""
        self._log.seek(16)
        salts = self._log.read(8)
        frames = list(_frames(self._log, self._size))
        if not any(frame.salts == salts for frame in frames) and frames:
            salts = frames[0].salts  # the header is damaged, not the frames
        frames = [frame for frame in frames if frame.salts == salts]
        last = max((n for n, frame in enumerate(frames) if frame.commits), default=-1)
        for n, frame in enumerate(frames):
            (self._committed if n <= last else self._uncommitted).setdefault(frame.page, []).append(frame.offset)

    def _all_pages(self) -> Iterator[Record]:
        self._main.seek(0, 2)
        pages = -(-self._main.tell() // self._size)
        free = set() if self._every_image else self._free_pages()
        logged = self._committed.keys() | self._uncommitted.keys()
        for number in sorted(logged | set(range(2, pages + 1))):  # page 1 is the schema, which is known
            if number > 1 and number not in free:
                yield from self._page(number)

    def _page(self, number: int) -> Iterator[Record]:
        """Yield the rows of a page: of its newest committed image, and of others where that is not enough."""
        for offset in self._uncommitted.get(number, ()):
            yield from _read_leaf(self, self._read(self._log, offset)).records
        committed = [(self._log, offset) for offset in reversed(self._committed.get(number, []))]
        for stream, offset in [*committed, (self._main, (number - 1) * self._size)]:
            found = _read_leaf(self, self._read(stream, offset))
            yield from found.records
            if found.whole and all(map(self.is_right, found.records)) and not self._every_image:
                return
            self.flaws += not found.whole

    def _read(self, stream: BinaryIO, offset: int) -> bytes:
        stream.seek(offset)
        return stream.read(self._size)

    def page_image(self, number: int, older: int = 0) -> bytes:
        """Return the newest committed image of a page, or one that is so many older; at last that of the file."""
        offsets = self._committed.get(number, [])
        if older < len(offsets):
            return self._read(self._log, offsets[-1 - older])
        return self._read(self._main, (number - 1) * self._size)

    @property
    def usable(self) -> int:
        """Bytes of a page that hold content: no page of ours is reserved in part."""
        return self._size

    def _free_pages(self) -> set[int]:
        """Return the pages of the free list, as far as it can be followed: their old rows are gone on purpose."""
        free: set[int] = set()
        trunk = int.from_bytes(self.page_image(1)[32:36], "big")
        while trunk and trunk not in free:
            image = self.page_image(trunk)
            if len(image) < self._size:
                break
            free.add(trunk)
            count = min(int.from_bytes(image[4:8], "big"), self._size // 4 - 2)
            free.update(struct.unpack(f">{count}I", image[8 : 8 + 4 * count]))
            trunk = int.from_bytes(image[:4], "big")
        return free


# ---- records


def _read_leaf(source: Salvage, image: bytes) -> Found:
    """Return the rows of one page image; an interior page of a table, and an empty page, have none."""
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
            records.append(_read_cell(source, image, at, kind))
        except (_Flaw, IndexError, struct.error, UnicodeDecodeError, OverflowError):
            whole = False
    return Found(records, whole)


def _read_cell(source: Salvage, image: bytes, at: int, kind: int) -> Record:
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
    return _read_long_cell(source, rowid, image[at : at + local + 4], size)


def _local_size(usable: int, size: int, kind: int) -> int:
    """Return how much of a payload lies in its leaf (section 1.6)."""
    most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    return local if local <= most else least


def _read_long_cell(source: Salvage, rowid: int | None, local: bytes, size: int) -> Record:
    """Return a row that goes on in overflow pages: of the older images of these too, where the newest are damaged."""
    for older in range(_OLDEST_OVERFLOW):
        try:
            record = Record(rowid, _values(_chain(source, local, size, older)))
        except (_Flaw, IndexError, struct.error, UnicodeDecodeError, OverflowError):
            continue
        if source.is_right(record):
            return record
    raise _Flaw


def _chain(source: Salvage, local: bytes, size: int, older: int) -> bytes:
    """Return a cell's payload, from its page and from the chain of overflow pages."""
    parts, left = [local[:-4]], size - len(local) + 4
    number = int.from_bytes(local[-4:], "big")
    while left > 0:
        page = source.page_image(number, older) if number > 1 else b""
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
