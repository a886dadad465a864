"""
Rows put into a sheet below a table's last one, each like its first; all else of the workbook follows.

openpyxl's own `insert_rows` moves cells and nothing else: merged cells, heights, formulas, rules, names stay behind.
"""

from copy import copy
from typing import Any

from openpyxl.formatting.formatting import ConditionalFormattingList
from openpyxl.formula.translate import Translator
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.merge import MergedCellRange
from openpyxl.worksheet.pagebreak import Break, RowBreak

from collector.report.form_references import Inserted

Book = Any  # openpyxl's types say little of what workbooks and sheets have
Sheet = Any


def insert(book: Book, sheet: Sheet, first: int, last: int, count: int) -> None:
    """Put `count` rows in below row `last` of the table that begins with row `first`, each like `first`."""
    inserted = Inserted(sheet.title, first, last, count)
    for one in book.worksheets:
        _formulas(one, inserted)
        _rules(one, inserted)
        _validations(one, inserted)
        _names(one.defined_names, one.title, inserted)
    _names(book.defined_names, "", inserted)
    merged = _taken_apart(sheet)
    _move(sheet, inserted)
    _heights(sheet, inserted)
    _print_settings(sheet, inserted)
    _tables(sheet, inserted)
    pattern = [cell for cell in sheet._cells.values() if cell.row == first]
    for new in range(last + 1, last + count + 1):
        _copy_row(sheet, pattern, new)
    _merge_again(sheet, merged, inserted)


def _formulas(sheet: Sheet, inserted: Inserted) -> None:
    home = sheet.title
    for cell in [one for one in sheet._cells.values() if one.data_type == "f"]:
        within = home == inserted.sheet and inserted.holds(cell.row)
        if isinstance(cell.value, ArrayFormula):
            cell.value.text = inserted.formula(str(cell.value.text), home, within=within)
            cell.value.ref = inserted.reference(cell.value.ref, home, within=True)
        elif isinstance(cell.value, str):
            cell.value = inserted.formula(cell.value, home, within=within)


def _rules(sheet: Sheet, inserted: Inserted) -> None:
    old = sheet.conditional_formatting
    made = ConditionalFormattingList()
    is_own = sheet.title == inserted.sheet
    for area in old:
        within = is_own and inserted.holds(next(iter(area.sqref.ranges)).min_row)
        for rule in area.rules:
            rule.formula = [inserted.bare(str(one), sheet.title, within=within) for one in rule.formula]
            made.add(inserted.area(str(area.sqref)) if is_own else str(area.sqref), rule)
    sheet.conditional_formatting = made


def _validations(sheet: Sheet, inserted: Inserted) -> None:
    for one in sheet.data_validations.dataValidation:
        is_own = sheet.title == inserted.sheet
        within = is_own and inserted.holds(next(iter(one.sqref.ranges)).min_row)
        for name in ("formula1", "formula2"):
            text = getattr(one, name)
            if isinstance(text, str) and not text.startswith('"'):
                setattr(one, name, inserted.bare(text, sheet.title, within=within))
        if is_own:
            one.sqref = type(one.sqref)(inserted.area(str(one.sqref)))


def _names(names: Any, home: str, inserted: Inserted) -> None:
    for one in names.values():
        if one.attr_text:
            one.attr_text = inserted.bare(one.attr_text, home)


def _taken_apart(sheet: Sheet) -> list[CellRange]:
    """Return the merged ranges, and forget them: the cells in them stay what they are, and move with the others."""
    found = [CellRange(one.coord) for one in sheet.merged_cells.ranges]
    sheet.merged_cells.ranges.clear()
    return found


def _merge_again(sheet: Sheet, merged: list[CellRange], inserted: Inserted) -> None:
    first = inserted.first
    for one in merged:
        is_of_row = one.min_row == one.max_row
        begin, end = (
            (inserted.row(one.min_row), inserted.row(one.max_row))
            if is_of_row
            else inserted.span(one.min_row, one.max_row)
        )
        _merge(sheet, CellRange(min_col=one.min_col, max_col=one.max_col, min_row=begin, max_row=end))
        if is_of_row and begin == first:
            for new in range(inserted.last + 1, inserted.last + inserted.more + 1):
                _merge(sheet, CellRange(min_col=one.min_col, max_col=one.max_col, min_row=new, max_row=new))


def _merge(sheet: Sheet, area: CellRange) -> None:
    """Merge cells as `merge_cells` does, which first looks at every other merged range, one in each row."""
    merged = MergedCellRange(sheet, area.coord)
    sheet.merged_cells.ranges.add(merged)
    sheet._clean_merge_range(merged)


def _move(sheet: Sheet, inserted: Inserted) -> None:
    """Move the cells below; those that are there, and no others: a formatted column has a million rows."""
    for row, column in sorted(sheet._cells, reverse=True):
        if row > inserted.last:
            sheet._move_cell(row, column, inserted.more, 0)


def _heights(sheet: Sheet, inserted: Inserted) -> None:
    dimensions = sheet.row_dimensions
    for number in sorted((one for one in dimensions if one > inserted.last), reverse=True):
        moved = dimensions.pop(number)
        moved.index = inserted.row(number)
        dimensions[moved.index] = moved
    if inserted.first in dimensions:
        pattern = dimensions[inserted.first]
        for new in range(inserted.last + 1, inserted.last + inserted.more + 1):
            made = copy(pattern)
            made.index = new
            dimensions[new] = made


def _print_settings(sheet: Sheet, inserted: Inserted) -> None:
    if sheet.print_area:
        sheet.print_area = inserted.area(sheet.print_area)
    if sheet.print_title_rows:
        sheet.print_title_rows = inserted.cells(sheet.print_title_rows)
    if sheet.auto_filter.ref:
        sheet.auto_filter.ref = inserted.area(sheet.auto_filter.ref)
    if sheet.freeze_panes:
        sheet.freeze_panes = inserted.cells(sheet.freeze_panes)
    breaks = RowBreak()
    for one in sheet.row_breaks.brk:
        breaks.append(Break(id=inserted.row(one.id), min=one.min, max=one.max, man=one.man, pt=one.pt))
    sheet.row_breaks = breaks


def _tables(sheet: Sheet, inserted: Inserted) -> None:
    for table in sheet.tables.values():
        table.ref = inserted.area(table.ref)
        if table.autoFilter is not None and table.autoFilter.ref:
            table.autoFilter.ref = inserted.area(table.autoFilter.ref)
    for cell in sheet._cells.values():
        if getattr(cell, "hyperlink", None) is not None:
            cell.hyperlink.ref = cell.coordinate


def _copy_row(sheet: Sheet, pattern: list[Any], new: int) -> None:
    for source in pattern:
        made = sheet.cell(new, source.column)
        made._style = copy(source._style)
        value = getattr(source, "value", None)
        if source.data_type == "f" and isinstance(value, str):
            made.value = Translator(value, source.coordinate).translate_formula(made.coordinate)
        elif source.data_type != "f" and value is not None:
            made.value = copy(value)
