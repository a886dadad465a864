"""What is wrong with a mapping file before any report is there: cells that its template has not, or not for this."""

from collections.abc import Iterator, Mapping
from typing import Any

from openpyxl.cell import MergedCell
from openpyxl.utils import column_index_from_string
from openpyxl.utils.cell import coordinate_from_string
from openpyxl.utils.exceptions import CellCoordinatesException

from collector.report.form_records import normal
from collector.report.form_schema import Form, Source, Table, Value
from contract.errors import Problem
from contract.meant import did_you_mean

_LAST_COLUMN = 16_384


def check(form: Form, book: Any) -> list[Problem]:
    """Return every mistake, with its path in the mapping file."""
    problems: list[Problem] = []
    if not form.cells and not form.tables:
        problems.append(Problem("", "fills nothing: `cells` or `tables` are needed"))
    for place, value in form.cells.items():
        problems += (Problem(f"cells.{place}", said) for said in _cell(book, place, value))
    for number, table in enumerate(form.tables):
        problems += (Problem(f"tables[{number}]{path}", said) for path, said in _table(book, table))
    if not problems:
        problems += _twice(form)
    return problems


def placed(place: str) -> tuple[str, int, int]:
    """Return sheet, row and column of `sheet!B4`; ValueError says what is wrong with it."""
    sheet, mark, cell = place.rpartition("!")
    try:
        letters, row = coordinate_from_string(cell.upper())
        column = column_index_from_string(letters)
    except (CellCoordinatesException, ValueError):
        column, row = 0, 0
    if not mark or not row or column > _LAST_COLUMN:
        raise ValueError("is no cell such as 表1!B4")
    return (sheet[1:-1] if sheet.startswith("'") and sheet.endswith("'") else sheet), row, column


def _no_sheet(book: Any, name: str) -> str:
    """Return why there is no such sheet to write to; empty: there is."""
    names = [sheet.title for sheet in book.worksheets]
    return "" if name in names else f"the template has no sheet {name!r}{did_you_mean(name, names, _there(names))}"


def _there(names: list[str]) -> str:
    return f"; there are {', '.join(names)}"


def _cell(book: Any, place: str, value: Value) -> Iterator[str]:
    try:
        sheet, row, column = placed(place)
    except ValueError as error:
        yield str(error)
        return
    if (said := _no_sheet(book, sheet)) or (said := _unfit(book[sheet], row, column, value)):
        yield said


def _unfit(sheet: Any, row: int, column: int, value: Value) -> str:
    """Return why a value cannot stand in a cell; empty: it can."""
    cell = sheet.cell(row, column)
    if isinstance(cell, MergedCell):
        around = next(one.coord for one in sheet.merged_cells.ranges if cell.coordinate in one)
        return f"{cell.coordinate} is inside the merged {around}: name its first cell"
    if cell.data_type == "f":
        return f"{cell.coordinate} holds the formula {_formula(cell)}, which the form computes itself"
    if value.term and value.term.format == "percent" and "%" in cell.number_format:
        return f"{cell.coordinate} has a format with %, which shows a share as percent already: leave `| percent` off"
    return ""


def _formula(cell: Any) -> str:
    return str(getattr(cell.value, "text", cell.value))


def _table(book: Any, table: Table) -> Iterator[tuple[str, str]]:
    yield from _parts(table)
    if said := _no_sheet(book, table.sheet):
        yield ".sheet", said
        return
    sheet = book[table.sheet]
    for kind, columns in (("columns", table.columns), ("match", table.match)):
        for name, value in columns.items():
            if not _is_column(name):
                yield f".{kind}.{name}", "is no column such as C"
            elif said := _unfit_column(sheet, table, name, value, is_read=kind == "match"):
                yield f".{kind}.{name}", said


def _is_column(name: str) -> bool:
    return name.isascii() and name.isalpha() and len(name) <= 3 and column_index_from_string(name) <= _LAST_COLUMN


def _unfit_column(sheet: Any, table: Table, name: str, value: Value, *, is_read: bool) -> str:
    column = column_index_from_string(name)
    for row in range(table.rows, min(table.rows.last, sheet.max_row) + 1):
        if is_read and sheet.cell(row, column).data_type == "f":
            return f"{name}{row} holds a formula: whose row it is cannot be read"
        if not is_read and _is_filled(sheet, table, row) and (said := _unfit(sheet, row, column, value)):
            return said
    return ""


def _is_filled(sheet: Any, table: Table, row: int) -> bool:
    """Tell whether a row may be one of an entry: where the form has its own rows, not a row of totals."""
    keys = [sheet[f"{name}{row}"].value for name in table.match if _is_column(name)]
    return not keys or (keys[0] is not None and normal(keys[0]) not in {normal(text) for text in table.skip})


def _parts(table: Table) -> Iterator[tuple[str, str]]:
    if not table.columns:
        yield ".columns", "is empty: which column gets which field?"
    if len(table.match) > 1:
        yield ".match", "has several columns: one says which entry is a row's"
    if table.skip and not table.match:
        yield ".skip", "is for tables with `match`"
    if table.match and table.sort:
        yield ".sort", "is not for tables with `match`: the form has its own order"
    for name in set(table.match) & set(table.columns):
        yield f".columns.{name}", "is the matching column, which the form has filled in"
    for number, text in enumerate(table.sort):
        yield from _path(f".sort[{number}]", text.removeprefix("-"))
    for text, wanted in table.where.items():
        yield from _path(f".where.{text}", text)
        if not all(isinstance(one, str | int | float) for one in (wanted if isinstance(wanted, list) else [wanted])):
            yield f".where.{text}", "is a value, or a list of values"


def _path(place: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        Source.parse(text)
    except ValueError as error:
        yield place, str(error)


def _twice(form: Form) -> Iterator[Problem]:
    """Yield cells that two entries of the mapping would fill, and tables that would move each other's rows apart."""
    for number, table in enumerate(form.tables):
        for before, other in enumerate(form.tables[:number]):
            if table.sheet == other.sheet and _meet(table, other):
                said = f"meets rows {other.rows} of tables[{before}]"
                yield Problem(f"tables[{number}].rows", f"{said}: give each its own rows")
        columns = {column_index_from_string(name) for name in (*table.columns, *table.match)}
        for place in form.cells:
            sheet, row, column = placed(place)
            if sheet == table.sheet and table.rows <= row <= table.rows.last and column in columns:
                yield Problem(f"cells.{place}", f"is a cell of tables[{number}]")
    seen: dict[tuple[str, int, int], str] = {}
    for place in form.cells:
        first = seen.setdefault(placed(place), place)
        if first != place:
            yield Problem(f"cells.{place}", f"is the cell of {first}")


def _meet(table: Table, other: Table) -> bool:
    are_apart = table.rows.last < other.rows or other.rows.last < table.rows
    are_beside = bool(table.match and other.match) and not _letters(table.columns) & _letters(other.columns)
    return not are_apart and not are_beside


def _letters(columns: Mapping[str, Value]) -> set[str]:
    return {name.upper() for name in columns}
