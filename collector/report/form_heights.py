"""Rows that became too low for a text that wraps: nobody who prints a form should have to look for them."""

import unicodedata
from math import ceil
from typing import Any

from openpyxl.cell import MergedCell
from openpyxl.utils import get_column_letter

_WIDTH, _HEIGHT, _SIZE = 8.43, 15.0, 11.0  # what Excel takes where a sheet says nothing: characters, points, points
_SLACK = 0.92  # of a column's width; a word that does not fit leaves the rest of its line empty


def fit(sheet: Any, row: int, cells: list[Any]) -> None:
    """Make a row as high as its wrapped texts need, and never lower than it was."""
    is_known = row in sheet.row_dimensions and sheet.row_dimensions[row].height is not None
    height = sheet.row_dimensions[row].height if is_known else sheet.sheet_format.defaultRowHeight or _HEIGHT
    needed = max((_needed(sheet, cell) for cell in cells), default=0.0)
    if needed > height:
        sheet.row_dimensions[row].height = needed


def _needed(sheet: Any, cell: Any) -> float:
    """Return how many points of height a cell's text needs; 0 for what does not wrap, or has rows enough."""
    if not isinstance(cell.value, str) or not cell.alignment.wrap_text:
        return 0.0
    merged = _merged(sheet, cell)
    if merged is not None and merged.max_row > merged.min_row:
        return 0.0
    last = merged.max_col if merged else cell.column
    size = (cell.font.sz or _SIZE) / _SIZE
    width = max(sum(_width(sheet, column) for column in range(cell.column, last + 1)) * _SLACK / size, 2.0)
    lines = sum(max(ceil(_length(line) / width), 1) for line in cell.value.split("\n"))
    return lines * _HEIGHT * size if lines > 1 else 0.0


def _merged(sheet: Any, cell: Any) -> Any:
    """Return the merged range that a cell begins; there may be one in each of many rows."""
    beside = ((cell.row, cell.column + 1), (cell.row + 1, cell.column))
    if not any(isinstance(sheet._cells.get(one), MergedCell) for one in beside):
        return None
    return next((one for one in sheet.merged_cells.ranges if cell.coordinate in one), None)


def _width(sheet: Any, column: int) -> float:
    """Return how many characters a column holds; a dimension may stand for several columns."""
    for letter, one in sheet.column_dimensions.items():
        first, last = one.min, one.max
        is_it = first <= column <= last if first and last else letter == get_column_letter(column)
        if is_it and one.width:
            return float(one.width)
    return float(sheet.sheet_format.defaultColWidth or _WIDTH)


def _length(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WFA" else 1 for one in line)
