"""
Tables that people keep, CSV and XLSX, as rows of the texts that they see.

    file ──▶ bytes tell its kind ──▶ CSV: encoding, delimiter ──▶ Sheet: rows with their numbers
                                └──▶ XLSX: a Sheet for each sheet ─┘

What a cell cannot tell is a flaw of the sheet, named by row and column: the rest of the table is read all the same.
"""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any, NamedTuple

DELIMITERS = ",;\t"
_XLSX, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_EXCEL_DIGITS = 15  # IEC 60559 double: Excel keeps so many and writes zeros for the rest
_ZEROS = re.compile("0{2,}")  # a format that shows codes with their leading zeros
_INLINE = re.compile(rb't="inlineStr"([^<>]*)><is><t(?: [^<>]*)?>([^<]*)</t></is>')
_VALID_FOR_ONE_BROKEN = 2  # GBK read as UTF-8 has far more that is broken


class Row(NamedTuple):
    """A row that is not empty: its number as spreadsheets count, from 1, and its texts."""

    number: int
    cells: Sequence[str]


class CellFlaw(NamedTuple):
    """A cell that cannot be read: its row from 1, its column from 0, and why."""

    row: int
    column: int
    message: str


class Sheet(NamedTuple):
    """A table; `name` is empty where a file has only one, as CSV has."""

    file: str
    name: str
    rows: Sequence[Row]
    flaws: Sequence[CellFlaw] = ()
    is_hidden: bool = False


class BadTable(ValueError):
    """A file that is no table that can be read; the message says what to do."""


def read_sheets(file: str, content: bytes) -> list[Sheet]:
    """Return the tables of a CSV or XLSX file with these bytes; BadTable when it is neither."""
    if content.startswith(_OLD_EXCEL):
        raise BadTable("is an .xls of old Excel, or locked with a password: save it as .xlsx without one")
    if content.startswith(_XLSX):
        return _workbook(file, content)
    return [_csv(file, content)]


def letter(column: int) -> str:
    """Return what spreadsheets call a column, A for 0."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


# ---- CSV


def _csv(file: str, content: bytes) -> Sheet:
    text = decoded(content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[Row] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if any(map(str.strip, cells)):
                rows.append(Row(number, cells))
    except csv.Error as error:
        what = "a quotation mark is not closed" if "end of data" in str(error) else str(error)
        raise BadTable(f"row {number + 1}: {what}") from None
    return Sheet(file, "", rows)


def decoded(content: bytes) -> str:
    """
    Return the text of a CSV file: UTF-8 with or without BOM, UTF-16 with BOM, else GB18030, which includes GBK.

    Text in GB 2312 is next to never valid UTF-8. GB18030, however, accepts most bytes, so that UTF-8 with a broken byte
    would come out as other characters: it is told by the many that are valid.
    """
    if content.startswith(_UTF16):
        return _strictly(content, "utf-16")
    text = content.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        lenient = text.decode(errors="replace")
        valid = sum(1 for character in lenient if character > "\x7f" and character != "\ufffd")
        if len(text) < len(content) or valid > _VALID_FOR_ONE_BROKEN * lenient.count("\ufffd"):
            raise BadTable(f"line {line}: is UTF-8 with a broken byte (0x{text[error.start]:02x})") from None
    return _strictly(content, "gb18030")


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadTable(f"line {line}: is neither UTF-8 nor GBK (GB18030): save it as CSV UTF-8") from None


def _delimiter(text: str) -> str:
    """Return what parts the cells: the most frequent delimiter of the first line that has any."""
    for line in text.splitlines()[:20]:
        bare = re.sub(r'"[^"]*"', "", line)
        best = max(DELIMITERS, key=bare.count)
        if best in bare:
            return best
    return ","


# ---- XLSX


def _workbook(file: str, content: bytes) -> list[Sheet]:
    from openpyxl import load_workbook  # noqa: PLC0415  a collector reads CSV alone, and saves 20 MB

    try:
        quick, has_formulas = _quickened(content)
        book = load_workbook(quick, read_only=True, data_only=True)
        formulas = load_workbook(quick, read_only=True) if has_formulas else None
        sheets = []
        for sheet in book.worksheets:
            rows, flaws = _sheet(sheet, formulas[sheet.title] if formulas else None)
            sheets.append(Sheet(file, sheet.title, rows, flaws, sheet.sheet_state != "visible"))
    except Exception as error:  # a damaged archive raises any of many errors, and openpyxl documents none
        raise BadTable(f"is not an XLSX file that can be read: {error}") from error
    return sheets


def _quickened(content: bytes) -> tuple[io.BytesIO, bool]:
    """
    Return the same workbook as openpyxl reads it in a third of the time, and whether it has formulas.

    Of a text within its cell, which programs write, openpyxl makes five objects, where Excel's table of texts costs one
    look; and it reads a sheet that does not tell its size twice.
    """
    quick = io.BytesIO()
    has_formulas = False
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(quick, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                has_formulas |= b"<f>" in body or b"<f " in body
                body = _INLINE.sub(rb't="str"\1><v>\2</v>', body)
                if b"<dimension " not in body:
                    body = body.replace(b"<sheetData", b'<dimension ref="A1"/><sheetData', 1)
            new.writestr(name, body)
    return quick, has_formulas


def _sheet(sheet: Any, formulas: Any) -> tuple[list[Row], list[CellFlaw]]:
    rows: list[Row] = []
    flaws: list[CellFlaw] = []
    # Sheets say too much of their size, a million rows, when somebody once formatted a column.
    sheet.reset_dimensions()
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_text(cell, number, column, flaws) for column, cell in enumerate(cells)]
        if any(texts):
            rows.append(Row(number, texts))
    if formulas is not None:
        flaws += _uncalculated(sheet, formulas)
    return rows, flaws


def _text(cell: Any, row: int, column: int, flaws: list[CellFlaw]) -> str:
    """Return what people see in a cell."""
    value = cell.value
    if isinstance(value, str):
        if cell.data_type == "e":
            flaws.append(CellFlaw(row, column, f"the cell has the error {value}"))
            return ""
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, cell, row, column, flaws)
    return _moment(value)


def _number(value: float, cell: Any, row: int, column: int, flaws: list[CellFlaw]) -> str:
    """Return a code without the `.0` that Excel's numbers have, with the leading zeros that the cell's format shows."""
    if value != int(value):
        return repr(value)
    digits = str(int(value))
    if len(digits) > _EXCEL_DIGITS:
        message = (
            f"{digits} is a number, of which Excel keeps {_EXCEL_DIGITS} digits: make the column text, type it again"
        )
        flaws.append(CellFlaw(row, column, message))
        return ""
    shown = cell.number_format
    return digits.zfill(len(shown)) if _ZEROS.fullmatch(shown) else digits


def _moment(value: datetime | date | time | timedelta) -> str:
    """Return a date as 2025-09-01, with its time only where it has one."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return str(value)


def _uncalculated(sheet: Any, formulas: Any) -> Iterator[CellFlaw]:
    """Yield the formulas whose result is not in the file: no spreadsheet ever computed them."""
    formulas.reset_dimensions()
    for number, (values, sources) in enumerate(zip_longest(sheet.iter_rows(), formulas.iter_rows()), start=1):
        for column, (cell, source) in enumerate(zip(values, sources, strict=False)):
            # A text that is empty has a type of its own.
            if source.data_type == "f" and cell.value is None and cell.data_type == "n":
                yield CellFlaw(number, column, f"{source.value} has no result in the file: save it in a spreadsheet")
