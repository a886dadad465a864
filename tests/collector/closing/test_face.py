"""`santong report check` of files that show something else than their text and values say, and of broken ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from openpyxl.chart import BarChart
from openpyxl.comments import Comment
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.differential import DifferentialStyle
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText, Link
from pypdf.generic import DecodedStreamObject, NameObject

from collector.report import files
from collector.report.document import BadReport
from tests.collector.closing.conftest import County
from tests.collector.commands import run


def places(county: County, file: Path) -> set[str]:
    """Return the places at which a file is found to be altered."""
    return {one["place"] for one in county.recheck(file, code=1)["differences"]}


def copied(county: County) -> PdfWriter:
    """Return the closed report's PDF, to be written anew."""
    return PdfWriter(clone_from=PdfReader(county.file("pdf")))


def saved(county: County, writer: PdfWriter) -> Path:
    """Write a PDF."""
    file = county.data / "edited.pdf"
    writer.write(file)
    return file


def test_a_pdf_saved_by_another_program_is_the_same(county: County) -> None:
    """Other numbers of objects and another order change nothing."""
    assert county.recheck(saved(county, copied(county)))["is_the_same"]


def test_an_annotation_on_a_page_is_named(county: County) -> None:
    """A white box with a text above the cover is no text of the page, and is named with the page."""
    writer = copied(county)
    box = FreeText(text="ALL TARGETS MET", rect=(50, 550, 500, 650), font_color="000000", background_color="ffffff")
    writer.add_annotation(0, box)
    assert any(place.startswith("page 1 annotation") for place in places(county, saved(county, writer)))


def test_a_link_to_elsewhere_is_named(county: County) -> None:
    """A link that leads out of the report is named."""
    writer = copied(county)
    writer.add_annotation(0, Link(rect=(0, 0, 100, 100), url="https://example.org/"))
    assert any(place.startswith("page 1 annotation") for place in places(county, saved(county, writer)))


def test_a_drawing_over_a_page_is_named(county: County) -> None:
    """A white rectangle over the text leaves the text as it is, and the page's drawing differs."""
    writer = copied(county)
    page = writer.pages[0]
    content = DecodedStreamObject()
    before = page.get_contents()
    assert before is not None
    content.set_data(before.get_data() + b"\n1 1 1 rg 0 0 500 500 re f\n")
    page[NameObject("/Contents")] = writer._add_object(content)
    assert places(county, saved(county, writer)) == {"page 1 drawing"}


def _number_format(book: Any) -> None:
    book.worksheets[1]["D2"].number_format = ';;;"✔ PASS"'


def _white(book: Any) -> None:
    book.worksheets[1]["D2"].font = Font(color="FFFFFF")


def _filled(book: Any) -> None:
    book.worksheets[1]["D2"].fill = PatternFill("solid", fgColor="000000")


def _row(book: Any) -> None:
    book.worksheets[1].row_dimensions[2].hidden = True


def _column(book: Any) -> None:
    book.worksheets[1].column_dimensions["D"].hidden = True


def _sheet(book: Any) -> None:
    book.worksheets[1].sheet_state = "hidden"


def _link(book: Any) -> None:
    book.worksheets[1]["D2"].hyperlink = "https://example.org/"


def _comment(book: Any) -> None:
    book.worksheets[1]["D2"].comment = Comment("ALL TARGETS MET", "x")


def _conditional(book: Any) -> None:
    rule: Any = Rule(
        type="cellIs", operator="lessThan", formula=["1000"], dxf=DifferentialStyle(font=Font(color="FFFFFF"))
    )
    book.worksheets[1].conditional_formatting.add("A1:Z99", rule)


def _chart(book: Any) -> None:
    book.worksheets[1].add_chart(BarChart(), "A1")


def _header(book: Any) -> None:
    book.worksheets[1].oddHeader.center.text = "ALL TARGETS MET"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_number_format, "!D2 format"),
        (_white, "!D2 format"),
        (_filled, "!D2 format"),
        (_row, " rows hidden"),
        (_column, " columns hidden"),
        (_sheet, "sheets"),
        (_link, "!D2 link"),
        (_comment, "!D2 comment"),
        (_conditional, " conditional formats"),
        (_chart, "xl/charts/chart1.xml"),
        (_header, " header and footer"),
    ],
)
def test_a_workbook_that_looks_otherwise_is_named(county: County, change: Callable[[Any], None], place: str) -> None:
    """All values are as they were, and what is shown instead, or no longer, is named."""
    book = openpyxl.load_workbook(county.file("xlsx"))
    change(book)
    file = county.data / "edited.xlsx"
    book.save(file)
    assert any(found.endswith(place) for found in places(county, file))


def test_merged_cells_are_named(county: County) -> None:
    """Cells that lie under others are named as merged."""
    book = openpyxl.load_workbook(county.file("xlsx"))
    book.worksheets[1].merge_cells("A2:D2")
    file = county.data / "edited.xlsx"
    book.save(file)
    assert any(found.endswith(" merged") for found in places(county, file))


def test_a_workbook_saved_by_another_program_is_the_same(county: County) -> None:
    """Saved anew without a change, it is the same."""
    file = county.data / "saved.xlsx"
    openpyxl.load_workbook(county.file("xlsx")).save(file)
    assert county.recheck(file)["is_the_same"]


@pytest.mark.parametrize("kind", ["pdf", "xlsx", "html"])
def test_a_broken_file_is_one_line(county: County, kind: str) -> None:
    """Whatever bytes are spoilt, a check ends with a list of differences or one line, never with a traceback."""
    whole = county.file(kind).read_bytes()
    file = county.data / f"broken.{kind}"
    for number in range(1, 9):
        at = len(whole) * number // 9
        file.write_bytes(whole[:at] + bytes(range(255, 155, -1)) + whole[at + 100 :])
        try:
            files.faces_differ(file, [])
            files.read(file)
        except BadReport as flaw:
            assert str(flaw).startswith(f"{file}: ")
            assert len(str(flaw).splitlines()) == 1


def test_a_page_that_is_no_utf_8_is_said(county: County) -> None:
    """A byte that is no letter, beside the whole document: one line, exit code 2."""
    file = county.data / "broken.html"
    file.write_bytes(county.file("html").read_bytes().replace(b"</body>", b"\xff</body>"))
    _, error = run("report", "check", file, *county.options, code=2)
    assert error == f"{file}: is damaged, and cannot be read\n"


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml"])
def test_a_workbook_of_broken_xml_is_one_line(county: County, member: str) -> None:
    """A part that is no XML: one line, exit code 2."""
    file = county.data / "broken.xlsx"
    with ZipFile(county.file("xlsx")) as whole, ZipFile(file, "w") as broken:
        for name in whole.namelist():
            broken.writestr(name, whole.read(name)[:-20] if name == member else whole.read(name))
    _, error = run("report", "check", file, *county.options, code=2)
    assert error.startswith(f"{file}: ")
    assert len(error.splitlines()) == 1
