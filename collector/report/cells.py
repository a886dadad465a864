"""What sheets are made of: columns, and cells with what is other about them."""

from typing import Any, NamedTuple

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
