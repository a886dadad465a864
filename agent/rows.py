"""
The rows of the spool's tables, and their checksums.

Rows lie in one tree a table, without any index: a changed byte in an index could name the wrong batch.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

TABLES = {
    "batch": ("id INTEGER PRIMARY KEY", "epoch TEXT", "seq INTEGER", "device TEXT", "clock TEXT", "previous TEXT",
              "open INTEGER", "bytes INTEGER", "body BLOB", "crc INTEGER"),
    "refused": ("id INTEGER PRIMARY KEY", "epoch TEXT", "seq INTEGER", "device TEXT", "reason TEXT", "body BLOB",
                "crc INTEGER"),
    "held": ("id INTEGER PRIMARY KEY", "boot TEXT", "device TEXT", "sample TEXT", "crc INTEGER"),
    "meta": ("key TEXT PRIMARY KEY", "value", "version INTEGER", "crc INTEGER"),
    "slot": ("device TEXT", "minute INTEGER", "crc INTEGER"),
}  # fmt: skip
_SLOT_KEY = ", PRIMARY KEY (device, minute)"
# A row that is read out of a damaged file is told by its number of columns.
TABLE_OF_COLUMNS = {len(columns): table for table, columns in TABLES.items()}


def _create(table: str) -> str:
    key = _SLOT_KEY if table == "slot" else ""
    tail = "" if "id INTEGER PRIMARY KEY" in TABLES[table] else " WITHOUT ROWID"
    return f"TABLE {table} ({', '.join(TABLES[table])}{key}){tail}"


CREATE = tuple(_create(table).replace("TABLE", "CREATE TABLE IF NOT EXISTS", 1) for table in TABLES)
# Names and statements as SQLite writes them down in its schema.
SCHEMA = {(table, f"CREATE {_create(table)}") for table in TABLES}


def checksum(table: str, values: Iterable[object], body: bytes = b"") -> int:
    """Return the CRC-32 of a row: its table, its columns in order, then the bytes of its body."""
    head = "\x1f".join([table, *map(str, values)])
    return zlib.crc32(body, zlib.crc32(head.encode(errors="surrogatepass")))


def is_right(table: str, row: Sequence[Any]) -> bool:
    """Tell whether a whole row of `table` fits its checksum."""
    *values, crc = row
    if table not in ("batch", "refused"):
        return bool(checksum(table, values) == crc)
    *values, body = values
    if not isinstance(body, bytes):
        return False
    # The size of a batch follows from its body; while it is open both grow with every round.
    has_its_size = table == "refused" or values.pop() == len(body)
    return bool(has_its_size and checksum(table, values, body) == crc)


def of_record(rowid: int | None, values: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the table (none: empty) and the row of what was read from a file: a column that is the rowid is None."""
    row = (rowid, *values[1:]) if rowid is not None and values and values[0] is None else tuple(values)
    return TABLE_OF_COLUMNS.get(len(values), ""), row


def is_right_record(record: tuple[int | None, Sequence[Any]]) -> bool:
    """Tell whether a record of a file is a row of ours that fits its checksum; nonsense is none."""
    table, row = of_record(*record)
    try:
        return bool(table) and is_right(table, row)
    except (TypeError, ValueError, OverflowError):  # nonsense that looks like a row
        return False


def text(data: bytes) -> str:
    """Read a damaged text too: the checksum of its row tells that it is damaged."""
    return data.decode(errors="replace")
