"""What is wrong with a roster, each with the place where it stands."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from collector.roster.columns import COUNTIES
from collector.roster.table import letter


class Finding(NamedTuple):
    """
    One mistake, or a warning, which stops no import.

    `row` counts from 1 as spreadsheets do, 0 is the file as a whole; `at` counts columns from 0, -1 is the row as a
    whole; `column` is the header as the file has it.
    """

    file: str
    sheet: str
    row: int
    at: int
    column: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        where = [self.file]
        if self.row:
            cell = f"{letter(self.at)}{self.row}" if self.sheet and self.at >= 0 else str(self.row)
            where.append(f"{self.sheet}!{cell}" if self.sheet else cell)
        elif self.sheet:
            where.append(self.sheet)
        where += [self.column] if self.column else []
        kind = "warning: " if self.is_warning else ""
        return f"{':'.join(where[:2])}: {''.join(f'{part}: ' for part in where[2:])}{kind}{self.message}"

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "file": self.file,
            "sheet": self.sheet or None,
            "row": self.row or None,
            "column": self.column or None,
            "message": self.message,
            "level": "warning" if self.is_warning else "error",
        }


class Where(NamedTuple):
    """A row of a file; `columns` has index and header of each column, by its name."""

    file: str
    sheet: str
    row: int
    columns: Mapping[str, tuple[int, str]]

    def finding(self, column: str, message: str, *, is_warning: bool = False) -> Finding:
        """Return what is wrong in a column of the row; where the file has no such column, with the row."""
        index, header = self.columns.get(column, (-1, ""))
        return Finding(self.file, self.sheet, self.row, index, header, message, is_warning)

    def __str__(self) -> str:
        return f"row {self.row}" + (f" of {self.sheet}" if self.sheet else "")


class Known(NamedTuple):
    """What a roster is compared with; None: not compared. An unknown county is only a warning."""

    profiles: frozenset[str] | None = None
    calendars: frozenset[str] | None = None
    counties: frozenset[str] = frozenset(COUNTIES)
