"""
A mapping file: which value of a report goes where in a form. `docs/form.md` explains it with an example.

    template: form.xlsx
    cells: {表1!C4: targets.banbantong.counts.proven}
    tables: [{sheet: 表2, rows: 6, each: targets.banbantong.sites, columns: {B: of_site.name, C: counts.proven}}]

NamedTuples that `contract.settings` checks.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from collector.report.form_paths import PATH
from contract.meant import did_you_mean

FORMATS = ("zh", "en", "percent", "date", "date-zh", "time", "count")
MOST_ROWS = 1_048_576  # of a sheet
_TERM = re.compile(rf"(?P<path>{PATH})(?:\s+/\s+(?P<over>{PATH}))?(?:\s*\|\s*(?P<format>[^\s|]+))?")
_PLACE = re.compile(r"\{([^{}]*)\}")
_ROWS = re.compile(r"([1-9]\d{0,6})(?:\s*[-–]\s*([1-9]\d{0,6}))?")


class Term(NamedTuple):
    """A path, or the ratio of two, and how it is shown; format "": as it is."""

    path: str
    over: str = ""
    format: str = ""


class Value(str):
    """`path`, `path / path`, `path | format`, or a text with such in braces: `统计时段：{from | date-zh}`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the value; ValueError says what is wrong with it."""
        parts_of(text)
        return cls(text)

    @property
    def term(self) -> Term | None:
        """The one term that it is; None for a text with terms in it."""
        parts = parts_of(self)
        return parts[0] if len(parts) == 1 and isinstance(parts[0], Term) and "{" not in self else None


@cache
def parts_of(text: str) -> tuple[str | Term, ...]:
    """Return the texts and terms that a value is made of; ValueError says what is wrong with it."""
    if "{" not in text and "}" not in text:
        return (_term(text),)
    bare = _PLACE.sub("", text)
    if "{" in bare or "}" in bare:
        raise ValueError(f"{text!r} has a brace without its other one")
    pieces = _PLACE.split(text)
    return tuple(_term(piece) if number % 2 else piece for number, piece in enumerate(pieces) if number % 2 or piece)


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no path such as targets.banbantong.counts.proven, `path / path` or `path | zh`")
    shown = match["format"] or ""
    if shown and shown not in FORMATS:
        raise ValueError(f"{shown!r} is no format{did_you_mean(shown, FORMATS) or '; there are ' + ', '.join(FORMATS)}")
    if match["over"] and shown not in ("", "percent"):
        raise ValueError(f"{text!r}: a ratio is a number, or shown as percent")
    return Term(match["path"], match["over"] or "", shown)


class Source(str):
    """The path of a list."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the path; ValueError when it is none."""
        if not re.fullmatch(PATH, text):
            raise ValueError(f"{text!r} is no path of a list such as targets.banbantong.units")
        return cls(text)


class Rows(int):
    """Rows of a sheet, `6` or `6-15`: the first, and the `last`."""

    last: int

    def __new__(cls, first: int, last: int | None = None) -> Self:
        """Make them; ValueError where no sheet has such rows."""
        made = super().__new__(cls, first)
        made.last = first if last is None else last
        if not 1 <= first <= made.last <= MOST_ROWS:
            raise ValueError(f"rows {first}-{made.last} are not rows of a sheet")
        return made

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rows; ValueError when they are none."""
        match = _ROWS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} are no rows such as 6 or 6-15")
        return cls(int(match[1]), int(match[2]) if match[2] else None)

    def __str__(self) -> str:
        return f"{int(self)}" if self.last == self else f"{int(self)}-{self.last}"


class Table(NamedTuple):
    """
    Rows of a sheet, a row for each entry of a list: each column a field of the entry.

    With `match` the form's rows are there already: a column of the form says which entry is a row's, by a field. Else
    the entries are written one after another, and rows beyond those of the form are put in (`insert`), or are a
    mistake. `where` keeps entries of which a field has one of some values; `sort` orders by fields, `-field`
    descending; `skip` are texts of the matching column that stand for no entry (合计).
    """

    sheet: str
    rows: Rows
    each: Source
    columns: Mapping[str, Value]
    where: Mapping[str, Any] = {}
    sort: tuple[str, ...] = ()
    match: Mapping[str, Value] = {}
    skip: tuple[str, ...] = ()
    insert: bool = True


class Form(NamedTuple):
    """
    A form: its template, single cells (`sheet!B4`), tables.

    `names` are the form's own names of sites, name: id; `words` its own words, of what the report says: `pass: 是`.
    """

    template: Path
    cells: Mapping[str, Value] = {}
    tables: tuple[Table, ...] = ()
    names: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
