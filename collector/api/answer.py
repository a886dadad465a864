"""
Answers: rows as a page of JSON or as CSV, with a cursor for what follows and a tag for what has not changed.

    {"items": [{…}, …], "next": "MjAyNi…"}        the next page: ?cursor=MjAyNi…; null: that was all

CSV is UTF-8 with a mark for Excel, its lines end with CR LF (RFC 4180). A text that a spreadsheet would take for a
formula gets an apostrophe before it; numbers are numbers.
"""

import base64
import binascii
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

MOST_ROWS, USUAL_ROWS = 5000, 500
BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class BadRequest(Exception):
    """Something that was asked for in a way that cannot be understood; the message says which parameter, and why."""


class Item(NamedTuple):
    """A row, and its place in the order of all rows: keys rise."""

    key: str
    row: Mapping[str, Any]


class Page(NamedTuple):
    """Some rows, and the key of the last one where more follow."""

    rows: list[Mapping[str, Any]]
    next: str | None


def page_of(items: Iterable[Item], after: str, most: int) -> Page:
    """Return the first rows behind a key."""
    found = list(islice((item for item in items if item.key > after), most + 1))
    more = len(found) > most
    return Page([item.row for item in found[:most]], found[most - 1].key if more else None)


def cursor_of(key: str) -> str:
    """Return what stands for a place in the order, in a URL."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """Return the place that a cursor stands for; BadRequest for one that nobody was given."""
    if not cursor:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text or cursor_of(text) != cursor:
        raise BadRequest("cursor: is not one that was given out")
    return text


def as_json(page: Page) -> bytes:
    """Return a page as JSON."""
    tree = {"items": page.rows, "next": None if page.next is None else cursor_of(page.next)}
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def as_csv(page: Page, columns: Sequence[str]) -> bytes:
    """Return a page as CSV, with its columns in the first line."""
    text = io.StringIO(newline="")
    text.write(BOM)
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([cell_of(row.get(column)) for column in columns] for row in page.rows)
    return text.getvalue().encode()


def cell_of(value: Any) -> Any:
    """Return what stands in a cell: nothing for what is not known, lists and trees as text, no formula."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def tag_of(body: bytes) -> str:
    """Return the tag of an answer (RFC 9110, weak: what it says is the same)."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Tell whether whoever asks has an answer already."""
    tags = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags
