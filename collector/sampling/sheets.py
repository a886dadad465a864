"""
Tables that come back from people: which column is which, and the texts of each row with their place.

    CSV or XLSX ──▶ collector/roster/table.py ──▶ Sheet ──▶ headers ──▶ Cells

Encodings, delimiters and what Excel does to cells are the roster's business.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collector.roster.columns import header_key, tidy
from collector.roster.findings import Finding, Where
from collector.roster.table import BadTable, Sheet, read_sheets
from contract.meant import did_you_mean

_HEADER_WITHIN = 10


class Heading(NamedTuple):
    """A column: its name, what else its header may be, and whether a table cannot do without it."""

    name: str
    headers: tuple[str, ...]
    is_needed: bool = True


class Cells(NamedTuple):
    """The texts of a row by the names of the columns; those that the table has not are empty."""

    where: Where
    texts: Mapping[str, str]

    def of(self, name: str) -> str:
        """Return the text of a column."""
        return self.texts.get(name, "")


def rows_of(file: str, content: bytes, headings: Sequence[Heading]) -> tuple[list[Cells], list[Finding]]:
    """Return the rows of a file's tables that have these columns, and what is wrong with the file."""
    try:
        sheets = [sheet for sheet in read_sheets(file, content) if sheet.rows and not sheet.is_hidden]
    except BadTable as error:
        return [], [Finding(file, "", 0, -1, "", str(error))]
    rows: list[Cells] = []
    findings: list[Finding] = []
    tables = [(sheet, *_header(sheet, headings)) for sheet in sheets]
    known = [table for table in tables if table[2]]
    if not known:
        return [], [Finding(file, "", 0, -1, "", _no_header(sheets, headings))]
    for sheet, header_row, places in known:
        missing = [one for one in headings if one.is_needed and one.name not in places]
        if missing:
            named = ", ".join(f"{one.name} {one.headers[0]}" for one in missing)
            near = _near(sheet, header_row, missing)
            findings.append(Finding(file, sheet.name, header_row, -1, "", f"has no column {named}{near}"))
            continue
        findings += _flaws(sheet, header_row, places)
        rows += _rows(sheet, header_row, places)
    return rows, findings


def _header(sheet: Sheet, headings: Sequence[Heading]) -> tuple[int, dict[str, tuple[int, str]]]:
    """Return the row of the headers and where each column stands: the row near the top with most of them."""
    names = {header_key(text): one.name for one in headings for text in (one.name, *one.headers)}
    best: dict[str, tuple[int, str]] = {}
    best_row = 0
    for row in sheet.rows[:_HEADER_WITHIN]:
        found: dict[str, tuple[int, str]] = {}
        for index, text in enumerate(row.cells):
            name = names.get(header_key(text))
            if name:
                found.setdefault(name, (index, tidy(text)))
        if len(found) > len(best):
            best, best_row = found, row.number
    return best_row, best


def _rows(sheet: Sheet, header_row: int, places: Mapping[str, tuple[int, str]]) -> list[Cells]:
    rows = []
    for row in sheet.rows:
        if row.number <= header_row:
            continue
        texts = {name: tidy(row.cells[at]) if at < len(row.cells) else "" for name, (at, _) in places.items()}
        if any(texts.values()):
            rows.append(Cells(Where(sheet.file, sheet.name, row.number, places), texts))
    return rows


def _flaws(sheet: Sheet, header_row: int, places: Mapping[str, tuple[int, str]]) -> list[Finding]:
    """Return the cells that cannot be read, of the columns that are."""
    titles = dict(places.values())
    return [
        Finding(sheet.file, sheet.name, flaw.row, flaw.column, titles[flaw.column], flaw.message)
        for flaw in sheet.flaws
        if flaw.column in titles and flaw.row > header_row
    ]


def _near(sheet: Sheet, header_row: int, missing: Sequence[Heading]) -> str:
    cells = next(row.cells for row in sheet.rows if row.number == header_row)
    wanted = {header_key(text) for one in missing for text in (one.name, *one.headers)}
    return next((hint for text in cells if (hint := did_you_mean(header_key(text), wanted))), "")


def _no_header(sheets: Sequence[Sheet], headings: Sequence[Heading]) -> str:
    named = ", ".join(f"{one.name} {one.headers[0]}" for one in headings if one.is_needed)
    first = next((row for sheet in sheets for row in sheet.rows), None)
    shown = ", ".join(tidy(text) for text in first.cells[:6] if text.strip()) if first else "nothing"
    return f"has no column {named}; its first row has {shown}"
