"""What sheets are made of: columns, and cells with what is other about them."""

from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from collector.verify.results import Verdict

PERCENT, COUNT, RATE, DAY, TIME = "0.0%", "#,##0", "0.00", "yyyy-mm-dd", "yyyy-mm-dd hh:mm"


class Column(NamedTuple):
    """A column: its header, its width in characters, the format of its numbers."""

    header: str
    width: float
    format: str = "General"


class Cell(NamedTuple):
    """A value with what is other about it: a place to go to (`Units!A12`), a format, a verdict's colour, many lines."""

    value: Any
    link: str = ""
    format: str = ""
    verdict: Verdict | None = None
    wrap: bool = False


def lines_in(row: Sequence[Any], columns: Sequence[Column]) -> int:
    """Return how many lines a row needs; 0 where nothing wraps. Not every program finds that out for itself."""
    wrapped = ((one, column) for one, column in zip(row, columns, strict=False) if isinstance(one, Cell) and one.wrap)
    return max((lines_of(str(one.value or ""), column.width) for one, column in wrapped), default=0)


def lines_of(text: str, width: float) -> int:
    """Return how many lines a text takes, with one character in twenty to spare; Chinese ones are two wide."""
    wide = (sum(1 + (east_asian_width(char) in "WF") for char in line) for line in text.split("\n"))
    return sum(max(1, ceil(number * 1.05 / width)) for number in wide)
