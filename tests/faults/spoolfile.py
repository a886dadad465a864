"""
What a copy of a spool file holds, page by page: read by the harness's own code, not by SQLite and not by the product.

    spool.sqlite      ─▶ images of pages ─▶ cells ─▶ rows of `batch` and `held`, each with every copy of its bytes
    spool.sqlite-wal  ─▶

A damage touches some images. A row is destroyed when no untouched image of its page, or of a page of its overflow, is
left; whatever SQLite makes of the rest of the file.

Source: "Database File Format" of SQLite (pages, cells, records, overflow, the write-ahead log).
"""

import contextlib
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from contract.batch import decode
from contract.errors import BadBatch

MAIN, WAL = "spool.sqlite", "spool.sqlite-wal"
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INTERIOR, _LEAF = 5, 13
_USUAL_PAGE_SIZE = 4096
_LARGEST = 4 << 20
_LINE = re.compile(r"[a-z][^\x00-\x1f]* \d{19}")

Value = None | int | float | bytes


class Image(NamedTuple):
    """One copy of a page in one of the two files. The bytes from `start` to `end` are its own, a frame's header too."""

    page: int
    file: str
    start: int
    end: int
    data: bytes


class Cell(NamedTuple):
    """A row of a table as it lies in a leaf."""

    id: int
    size: int
    local: bytes
    overflow: int


class Row(NamedTuple):
    """
    A row of `batch` or `held`, and for each page that it lies on the images which hold it there.

    `lines` are those of a batch, or the sample (JSON) of a held row.
    """

    table: str
    id: int
    device: str
    lines: tuple[str, ...]
    copies: tuple[tuple[Image, ...], ...]


class Damage(NamedTuple):
    """What is done to one of the two files: bytes at these offsets change, or it ends after `cut` bytes."""

    file: str
    flips: tuple[int, ...] = ()
    cut: int | None = None

    def touches(self, image: Image) -> bool:
        """Tell whether a copy of a page is changed or cut off."""
        if image.file != self.file:
            return False
        is_cut = self.cut is not None and image.end > self.cut
        return is_cut or any(image.start <= flip < image.end for flip in self.flips)

    def destroys(self, row: Row) -> bool:
        """Tell whether no copy of some part of the row is left."""
        return any(all(self.touches(image) for image in images) for images in row.copies)

    def apply(self, folder: Path) -> None:
        """Do it to the file in `folder`."""
        with (folder / self.file).open("r+b") as file:
            for at in self.flips:
                file.seek(at)
                (old,) = file.read(1)
                file.seek(at)
                file.write(bytes([old ^ 0xFF]))
            if self.cut is not None:
                file.truncate(self.cut)


class SpoolCopy:
    """The two files as they were at one instant; they may have been damaged before."""

    def __init__(self, main: bytes, wal: bytes) -> None:
        self._page_size = _page_size(main)
        self._images: dict[int, list[Image]] = {}  # the newest last
        for image in (*_pages(main, self._page_size), *_frames(wal, self._page_size)):
            self._images.setdefault(image.page, []).append(image)

    @classmethod
    def of(cls, folder: Path) -> "SpoolCopy":
        """Read the files of a spool that is not being written."""
        return cls(*((folder / name).read_bytes() if (folder / name).exists() else b"" for name in (MAIN, WAL)))

    def rows(self) -> list[Row]:
        """Return the rows of all images, also of those that a newer one stands above: each with all its copies."""
        found: dict[Cell, list[Image]] = {}
        for images in self._images.values():
            for image in images:
                for cell in self._cells(image):
                    found.setdefault(cell, []).append(image)
        return [row for cell, images in found.items() if (row := self._row(cell, images))]

    def current_rows(self) -> list[Row]:
        """Return the rows of the newest state alone: what the agent has not forgotten."""
        roots = self._roots() or self._images
        return [row for root in roots for cell in self._walk(root, set()) if (row := self._row(cell, []))]

    def kept(self, *, is_damaged: bool) -> set[tuple[str, str]]:
        """
        Return (device, line) of what the agent has not forgotten.

        Of a spool that was damaged, and not mended yet, all rows count: a log with a hole or a changed byte has no
        newest state that could be walked through; what can be read out of it may stand in an older image alone.
        """
        rows = self.rows() if is_damaged else self.current_rows()
        return {(row.device, line) for row in rows for line in row.lines}

    def _row(self, cell: Cell, images: list[Image]) -> Row | None:
        """Return the row of a cell; None when it is of another table, or makes no sense."""
        try:
            payload, overflow = self._payload(cell)
            table, device, lines = _read(cell.id, _record(payload))
        except (ValueError, IndexError, struct.error, BadBatch):
            return None
        return Row(table, cell.id, device, lines, (tuple(images), *overflow))

    def _newest(self, page: int) -> Image | None:
        return self._images[page][-1] if page in self._images else None

    def _roots(self) -> list[int]:
        """Return the root pages of the two tables, from the schema on page 1; none when it cannot be read."""
        roots = []
        for cell in self._walk(1, set()):
            with contextlib.suppress(ValueError, IndexError, struct.error):
                kind, name, _, root, *_ = _record(self._payload(cell)[0])
                if kind == b"table" and name in (b"batch", b"held") and isinstance(root, int):
                    roots.append(root)
        return roots if len(roots) == 2 else []

    def _walk(self, page: int, seen: set[int]) -> Iterator[Cell]:
        """Yield the cells below a page of the newest state; a page that is not there, or makes no sense, has none."""
        image = self._newest(page)
        if image is None or page in seen:
            return
        seen.add(page)
        at = 100 if page == 1 else 0
        if image.data[at] == _INTERIOR:
            count = int.from_bytes(image.data[at + 3 : at + 5])
            pointers = struct.unpack_from(f">{min(count, 400)}H", image.data, at + 12)
            for pointer in pointers:
                yield from self._walk(int.from_bytes(image.data[pointer : pointer + 4]), seen)
            yield from self._walk(int.from_bytes(image.data[at + 8 : at + 12]), seen)
        else:
            yield from self._cells(image)

    def _cells(self, image: Image) -> Iterator[Cell]:
        """Yield the cells of a leaf of a table."""
        data = image.data
        at = 100 if image.page == 1 else 0
        count = int.from_bytes(data[at + 3 : at + 5])
        if data[at] != _LEAF or at + 8 + 2 * count > len(data):
            return
        for pointer in struct.unpack_from(f">{count}H", data, at + 8):
            if pointer < len(data) - 4:
                size, where = _varint(data, pointer)
                number, where = _varint(data, where)
                local = self._local(size)
                rest = data[where + local : where + local + 4]
                yield Cell(number, size, data[where : where + local], int.from_bytes(rest) if local < size else 0)

    def _local(self, size: int) -> int:
        """Return how much of a payload lies in the leaf."""
        if size <= self._page_size - 35:
            return size
        least = (self._page_size - 12) * 32 // 255 - 23
        local = least + (size - least) % (self._page_size - 4)
        return local if local <= self._page_size - 35 else least

    def _payload(self, cell: Cell) -> tuple[bytes, list[tuple[Image, ...]]]:
        """Return the whole payload, and for each overflow page the images that hold the same bytes."""
        if cell.size > _LARGEST:
            raise ValueError("no payload of ours")
        payload, page = cell.local, cell.overflow
        copies: list[tuple[Image, ...]] = []
        while page and len(payload) < cell.size and (image := self._newest(page)):
            copies.append(tuple(other for other in self._images[page] if other.data == image.data))
            payload += image.data[4 : self._page_size]
            page = int.from_bytes(image.data[:4])
        return payload[: cell.size], copies


# ---- the files


def _page_size(main: bytes) -> int:
    size = int.from_bytes(main[16:18])
    return size if size in (512, 1024, 2048, 4096, 8192, 16384, 32768) else _USUAL_PAGE_SIZE


def _pages(main: bytes, size: int) -> Iterator[Image]:
    for start in range(0, len(main) - size + 1, size):
        yield Image(start // size + 1, MAIN, start, start + size, main[start : start + size])


def _frames(wal: bytes, size: int) -> Iterator[Image]:
    """
    Yield the frames of the log, in order; what an earlier round of the log left behind has other salts.

    A frame behind a damaged one is none to SQLite, but its bytes are there: it counts.
    """
    starts = range(_WAL_HEADER, len(wal) - size - _FRAME_HEADER + 1, size + _FRAME_HEADER)
    salts = {wal[start + 8 : start + 16] for start in starts}
    own = wal[16:24] if wal[16:24] in salts else wal[_WAL_HEADER + 8 : _WAL_HEADER + 16]
    for start in starts:
        if wal[start + 8 : start + 16] == own:
            data = wal[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
            yield Image(int.from_bytes(wal[start : start + 4]), WAL, start, start + _FRAME_HEADER + size, data)


# ---- a row


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(9):
        byte = data[at + n] if at + n < len(data) else 0
        if n == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, at + n + 1
    raise AssertionError


def _record(payload: bytes) -> list[Value]:
    """Return the columns of a record; text as bytes."""
    head, at = _varint(payload, 0)
    if head > len(payload):
        raise ValueError("not a record")
    kinds = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    columns: list[Value] = []
    for kind in kinds:
        size = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind] if kind < 12 else (kind - 12) // 2
        part = payload[at : at + size]
        at += size
        if kind >= 12:
            columns.append(part)
        elif kind == 7:
            columns.append(float(struct.unpack(">d", part)[0]))
        else:
            columns.append({0: None, 8: 0, 9: 1}.get(kind, int.from_bytes(part, signed=True)))
    return columns


def _read(number: int, columns: list[Value]) -> tuple[str, str, tuple[str, ...]]:
    """
    Return table, device and lines of a row; ValueError for a row of another table, BadBatch for a damaged one.

    The tables: (id, boot, device, sample, crc) and (id, epoch, seq, device, clock, previous, open, bytes, body, crc).
    A row that fails its checksum is no copy: an earlier damage may have changed a column beside lines that can be read,
    and what is not as it was written must not be sent.
    """
    if len(columns) == 5:
        _check("held", [number, *columns[1:4]], b"", columns[4])
        return "held", _text(columns[2]), (_text(columns[3]),)
    if len(columns) != 10 or not isinstance(body := columns[8], bytes):
        raise ValueError("of another table")
    _check("batch", [number, *columns[1:7]], body, columns[9])
    body = body if columns[6] else decode(body).lines  # an open one has bare lines
    lines = tuple(body.decode().splitlines())
    if not all(map(_LINE.fullmatch, lines)):
        raise ValueError("not lines: of pages that are of another time")
    return "batch", _text(columns[3]), lines


def _check(table: str, columns: list[Value], body: bytes, crc: Value) -> None:
    """Compare the CRC-32 of a row: its table and columns, with 0x1f between them, then its body."""
    told = [column if isinstance(column, bytes) else str(column).encode() for column in columns]
    if zlib.crc32(b"\x1f".join([table.encode(), *told]) + body) != crc:
        raise ValueError("fails its checksum")


def _text(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ValueError("not a text")  # noqa: TRY004  as decode() says of bytes that are none
    return value.decode()


def reason_of(held: str) -> str:
    """Return the reason in a held stop mark (JSON: measurement, fields, …), empty for another sample."""
    with contextlib.suppress(ValueError, TypeError, KeyError):  # damaged itself
        measurement, fields, *_ = json.loads(held)
        return str(fields["reason"]) if measurement == "stop" else ""
    return ""
