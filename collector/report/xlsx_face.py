"""
What a workbook shows, cell by cell and part by part, so that two can be compared: not its values alone.

A number format can show any text instead of a number, white letters none, and a drawing lies above all cells. Parts of
the file that openpyxl does not read, such as text boxes, are compared as they are. Widths and heights count where they
hide something: programs for tables set the others when they save.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from openpyxl import load_workbook

from collector.report.xlsx import ATTACHED

_NARROW, _LOW = 1.0, 5.0  # characters and points: less of a column or row nobody sees
# What is read of a workbook below, and what no sheet shows.
_READ = ("xl/worksheets/sheet", "xl/sharedStrings", "xl/styles", "xl/workbook", "xl/_rels/", "xl/worksheets/_rels/")
_HIDDEN = ("xl/calcChain", "xl/printerSettings")


def face_of(path: Path) -> dict[str, str]:
    """Return all that a workbook shows, by its place: `sheet!A1`, `sheet!A1 format`, `sheet rows hidden`."""
    book = load_workbook(path, rich_text=False)
    found = {
        "sheets": " | ".join(f"{sheet.title} {sheet.sheet_state}" for sheet in (book[name] for name in book.sheetnames))
    }
    found |= {f"name {name}": str(one.value) for name, one in book.defined_names.items()}
    looks: dict[tuple[int, ...], str] = {}
    for sheet in book.worksheets:
        if sheet.title != ATTACHED:
            found |= dict(_cells(sheet, looks))
            found |= {f"{sheet.title} {part}": text for part, text in _parts(sheet) if text}
    return found | _others(path)


def _cells(sheet: Any, looks: dict[tuple[int, ...], str]) -> Iterator[tuple[str, str]]:
    for row in sheet.iter_rows():
        for cell in row:
            place = f"{sheet.title}!{cell.coordinate}"
            if cell.value is not None:
                yield place, str(cell.value)
            if cell.has_style:
                key = tuple(cell._style)
                if key not in looks:
                    looks[key] = _look(cell)
                yield f"{place} format", looks[key]
            if link := getattr(cell, "hyperlink", None):
                yield f"{place} link", f"{link.target or ''}#{link.location or ''} {link.tooltip or ''}"
            if note := getattr(cell, "comment", None):
                yield f"{place} comment", note.text


def _look(cell: Any) -> str:
    font, fill = cell.font, cell.fill
    marks = [name for name in ("b", "i", "strike", "u", "vertAlign") if getattr(font, name)]
    colours = [_colour(one) for one in (font.color, getattr(fill, "fgColor", None), getattr(fill, "bgColor", None))]
    kind = getattr(fill, "fill_type", None) or getattr(fill, "type", None) or "none"
    words = (cell.number_format, font.name, font.sz, *marks, colours[0], kind, *(colours[1:] if kind != "none" else ()))
    return " ".join(map(str, words))


def _colour(colour: Any) -> str:
    return f"{colour.type}:{colour.value}:{colour.tint:g}" if colour is not None else "none"


def _parts(sheet: Any) -> Iterator[tuple[str, str]]:
    yield "merged", " ".join(sorted(map(str, sheet.merged_cells.ranges)))
    rows = sheet.row_dimensions.items()
    yield "rows hidden", " ".join(str(at) for at, one in rows if one.hidden or (one.ht is not None and one.ht < _LOW))
    columns = [one for one in sheet.column_dimensions.values() if one.hidden or one.width < _NARROW]
    yield "columns hidden", " ".join(f"{one.min}:{one.max}" for one in columns)
    rules = [
        f"{found.sqref} {rule.type} {rule.operator} {rule.formula} {_hash_of(rule)}"
        for found in sheet.conditional_formatting
        for rule in found.rules
    ]
    yield "conditional formats", " | ".join(rules)
    filters = sheet.auto_filter
    yield "filter", f"{filters.ref} {len(filters.filterColumn)}"
    yield (
        "validations",
        " | ".join(f"{one.sqref} {one.prompt} {one.error}" for one in sheet.data_validations.dataValidation),
    )
    edges = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")
    texts = [getattr(getattr(sheet, edge), side).text for edge in edges for side in ("left", "center", "right")]
    yield "header and footer", " | ".join(text for text in texts if text)
    yield "print", f"{sheet.print_area} {sheet.print_title_rows} {sheet.print_title_cols}"


def _hash_of(rule: Any) -> str:
    return hashlib.sha256(repr(rule).encode()).hexdigest()


def _others(path: Path) -> dict[str, str]:
    """Return the hashes of the parts that are not read above: drawings, images, comments' boxes, charts, themes."""
    with ZipFile(path) as parts:
        return {
            name: "SHA-256 " + hashlib.sha256(parts.read(name)).hexdigest()
            for name in sorted(parts.namelist())
            if name.startswith("xl/") and not name.startswith((*_READ, *_HIDDEN))
        }
