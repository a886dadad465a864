"""
A form's template: opened so that nothing of it is lost unsaid, and looked at cell by cell.

openpyxl reads and writes cells, styles, merged cells, rules, validations, names, print settings, comments, protection.
What it would drop is found in the file itself, and named.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from contract.errors import SantongError

_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
MOST_BYTES = 64 << 20  # of the file unpacked; a form has a few hundred kilobytes

# Parts of a workbook that would not be there any more, by the beginning of their name.
_PARTS: Mapping[str, str] = {
    "xl/media/": "pictures",
    "xl/cellimages": "pictures",
    "xl/charts/": "charts",
    "xl/chartsheets/": "sheets that are charts",
    "xl/diagrams/": "diagrams",
    "xl/ctrlProps/": "form controls",
    "xl/activeX/": "form controls",
    "xl/embeddings/": "embedded files",
    "xl/threadedComments/": "threads of comments",
    "xl/pivotTables/": "pivot tables",
    "xl/slicers/": "slicers",
    "xl/queryTables/": "queries",
    "xl/connections": "queries",
    "xl/metadata.xml": "dynamic arrays",
    "xl/dialogsheets/": "dialog sheets",
    "_xmlsignatures/": "a digital signature",
}
# The same within a sheet.
_MARKS: Mapping[bytes, str] = {
    b"x14:conditionalFormatting ": "conditional formats of Excel 2010 (bars, icons, other sheets)",
    b"x14:dataValidation ": "validations that look at other sheets in the way of Excel 2010",
    b"x14:sparkline>": "sparklines",
}
_SHAPES = re.compile(rb"<(?:xdr:)?(?:sp|cxnSp|grpSp)[ >]")


class BadTemplate(SantongError):
    """A template that cannot be filled; the message says what to do."""


def open_template(file: Path) -> tuple[Any, list[str]]:
    """Return the workbook, and what of it would be lost; BadTemplate when it is none that can be filled."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise BadTemplate(f"{file}: no such file") from None
    except OSError as error:
        raise BadTemplate(f"{file}: cannot be read: {error.strerror}") from None
    if content.startswith(_OLD_EXCEL):
        locked = "is locked with a password: save it without one"
        old = "is an .xls of old Excel: save it as .xlsx"
        raise BadTemplate(f"{file}: {locked if _ENCRYPTED in content else old}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            lost = list(dict.fromkeys(_lost(parts)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is lost was found above, with better names
            book = load_workbook(io.BytesIO(content), rich_text=True)
    except BadTemplate as error:
        raise BadTemplate(f"{file}: {error}") from None
    except Exception as error:  # a damaged archive raises any of many errors, and openpyxl documents none
        raise BadTemplate(f"{file}: is not an XLSX file that can be read: {error}") from error
    _drop(book)
    return book, lost


def _drop(book: Any) -> None:
    """Let go of what openpyxl would draw anew, by references that do not follow rows put in: none is better."""
    for sheet in book.worksheets:
        for some in (sheet._charts, sheet._images, sheet._pivots):
            some.clear()
    for sheet in list(book.chartsheets):
        book.remove(sheet)


def _lost(parts: zipfile.ZipFile) -> Iterator[str]:
    if sum(info.file_size for info in parts.infolist()) > MOST_BYTES:
        raise BadTemplate(f"is larger than {MOST_BYTES >> 20} MiB unpacked")
    names = parts.namelist()
    if any(name.endswith("vbaProject.bin") for name in names):
        raise BadTemplate("has macros (.xlsm): save it as .xlsx, without them")
    for name in names:
        yield from (what for start, what in _PARTS.items() if name.startswith(start))
        if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
            content = parts.read(name)
            yield from (what for mark, what in _MARKS.items() if mark in content)
        elif re.fullmatch(r"xl/drawings/[^/]+\.xml", name) and _SHAPES.search(parts.read(name)):
            yield "shapes and text boxes"
