"""Templates of all kinds: what is refused, what is said to be lost, and how references follow rows that are put in."""

import time
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.workbook.protection import WorkbookProtection
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.table import Table

from collector.report.form_insert import insert
from collector.report.form_references import BadFormula, Inserted
from collector.report.form_template import BadTemplate, open_template
from tests.collector.commands import run


def saved(book: Any, folder: Path) -> Path:
    """Save a workbook."""
    file = folder / "template.xlsx"
    book.save(file)
    return file


def with_part(folder: Path, name: str, content: bytes, into: bytes = b"") -> Path:
    """Return a workbook with one more part, or with `content` in the place of `into` in a part that it has."""
    old, file = saved(openpyxl.Workbook(), folder), folder / "other.xlsx"
    with zipfile.ZipFile(old) as parts, zipfile.ZipFile(file, "w") as new:
        for one in parts.namelist():
            body = parts.read(one)
            new.writestr(one, body.replace(into, content) if one == name else body)
        if not into:
            new.writestr(name, content)
    return file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("xl/media/image1.png", "pictures"),
        ("xl/cellimages.xml", "pictures"),
        ("xl/ctrlProps/ctrlProp1.xml", "form controls"),
        ("xl/embeddings/a.bin", "embedded files"),
        ("xl/threadedComments/a.xml", "threads of comments"),
        ("xl/pivotTables/a.xml", "pivot tables"),
        ("_xmlsignatures/sig1.xml", "a digital signature"),
    ],
)
def test_parts_that_would_be_lost_are_named(name: str, said: str, tmp_path: Path) -> None:
    """A seal, a control, a signature: whoever fills the form is told before it is gone."""
    assert open_template(with_part(tmp_path, name, b"x"))[1] == [said]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (b'<extLst><x14:dataValidation type="list"/></extLst>', "validations that look at other sheets"),
        (b"<extLst><x14:conditionalFormatting xmlns:xm='x'/></extLst>", "conditional formats of Excel 2010"),
        (b"<extLst><x14:sparkline></x14:sparkline></extLst>", "sparklines"),
    ],
)
def test_what_sheets_hold_beyond_the_standard_is_named(mark: bytes, said: str, tmp_path: Path) -> None:
    """It would be dropped with a warning that nobody sees."""
    mark = mark.replace(b"<extLst>", b'<extLst xmlns:x14="y">')
    file = with_part(tmp_path, "xl/worksheets/sheet1.xml", mark + b"</worksheet>", b"</worksheet>")
    (found,) = open_template(file)[1]
    assert found.startswith(said)


def test_charts_and_shapes_are_named(tmp_path: Path) -> None:
    """A chart is not drawn anew, with references that lead elsewhere by then; a text box would be gone."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=1, min_row=1, max_row=3))
    sheet.add_chart(chart)
    filled, lost = open_template(saved(book, tmp_path))
    assert lost == ["charts"]
    assert open_template(saved(filled, tmp_path))[1] == []
    shape = b'<xdr:wsDr xmlns:xdr="x"><xdr:sp macro=""></xdr:sp></xdr:wsDr>'
    assert open_template(with_part(tmp_path, "xl/drawings/drawing1.xml", shape))[1] == ["shapes and text boxes"]


def test_files_that_cannot_be_filled_say_what_to_do(tmp_path: Path) -> None:
    """Old Excel, a password, macros, no file, no workbook."""
    file = tmp_path / "a.xlsx"
    ole = b"\xd0\xcf\x11\xe0" + bytes(600)
    for content, said in (
        (ole, "is an .xls of old Excel: save it as .xlsx"),
        (ole + "EncryptedPackage".encode("utf-16-le"), "is locked with a password: save it without one"),
        (b"x,y", "is not an XLSX file that can be read"),
    ):
        file.write_bytes(content)
        with pytest.raises(BadTemplate, match=r".") as caught:
            open_template(file)
        assert said in str(caught.value)
    with pytest.raises(BadTemplate, match=r"has macros \(\.xlsm\)"):
        open_template(with_part(tmp_path, "xl/vbaProject.bin", b"x"))
    with pytest.raises(BadTemplate, match="no such file"):
        open_template(tmp_path / "none.xlsx")


def test_a_template_with_pictures_is_filled_only_when_told_to(tmp_path: Path) -> None:
    """Exit code 1 of check, until --lossy says that they may go."""
    with_part(tmp_path, "xl/media/image1.png", b"x")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("template: other.xlsx\ncells: {Sheet!A1: number}\n", encoding="utf-8")
    said = run("form", "check", mapping, code=1)[1]
    assert (
        said == f"{tmp_path}/other.xlsx: has pictures, which would be lost: take them out, or lose them with --lossy\n"
    )
    assert "are fine" in run("form", "check", mapping, "--lossy")[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("=C9", "=C12"),
        ("=C8", "=C8"),
        ("=SUM(C6:C8)", "=SUM(C6:C11)"),
        ("=SUM($C$6:$C$8)/$C$9", "=SUM($C$6:$C$11)/$C$12"),
        ("=SUM(C6:C7)", "=SUM(C6:C7)"),
        ("=SUM(C2:C8)", "=SUM(C2:C11)"),
        ("=SUM(C6:C20)", "=SUM(C6:C23)"),
        ("=SUM(C:C)+SUM(8:9)", "=SUM(C:C)+SUM(8:12)"),
        ("=SUM(C8:E8)", "=SUM(C8:E8)"),
        ("='其 他'!C9+表!C9+'表'!C9", "='其 他'!C9+表!C12+'表'!C12"),
        ('=IF(A9="C9",合计,LOG10(B9))', '=IF(A12="C9",合计,LOG10(B12))'),
        ("=[1]表!C9", "=[1]表!C9"),
        ("=VLOOKUP(A9,B6:D8,2,FALSE)", "=VLOOKUP(A12,B6:D11,2,FALSE)"),
    ],
)
def test_references_follow_rows_that_are_put_in(before: str, after: str) -> None:
    """Three rows below a table of rows 6 to 8: what is below moves, ranges that reach its last row grow."""
    assert Inserted("表", 6, 8, 3).formula(before, "表") == after


def test_references_of_the_tables_own_rows() -> None:
    """A range over the own row stays there, a running total ends there, one with $ takes in all rows."""
    one = Inserted("表", 6, 6, 2)
    assert one.formula("=SUM(C6:E6)", "表", within=True) == "=SUM(C6:E6)"
    assert one.formula("=SUM(C$6:C6)", "表", within=True) == "=SUM(C$6:C6)"
    assert one.formula("=C6/SUM(C$6:C$6)", "表", within=True) == "=C6/SUM(C$6:C$8)"
    assert one.formula("=SUM(C6:C6)", "表") == "=SUM(C6:C8)"
    assert one.formula("=SUM(表!C6:C6)", "总") == "=SUM(表!C6:C8)"
    assert one.formula("=SUM(C6:C6)", "总") == "=SUM(C6:C6)"


def test_a_formula_that_cannot_be_read_is_named() -> None:
    """Nothing is written with references of which nobody knows where they lead."""
    with pytest.raises(BadFormula, match="sheet '表': the formula"):
        Inserted("表", 6, 6, 1).formula('=IF(A1="x', "表")


def test_a_form_of_thousands_of_rows_takes_seconds(tmp_path: Path) -> None:
    """Units of a city, in a sheet whose columns somebody formatted to the end."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet["A2"], sheet["B2"], sheet["A3"] = "x", "=A2", "=SUM(B2:B2)"
    sheet.merge_cells("C2:D2")
    sheet["Z1000000"].font = Font(bold=True)
    begun = time.monotonic()
    insert(book, sheet, 2, 2, 5000)
    assert time.monotonic() - begun < 30
    assert (sheet["A5003"].value, sheet["B5002"].value) == ("=SUM(B2:B5002)", "=A5002")


def test_everything_else_of_a_sheet_moves_along(tmp_path: Path) -> None:
    """Tall merged labels grow, those of the first row come again; comments, links, breaks, tables, arrays move."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in range(1, 10):
        sheet.cell(row, 1, f"r{row}")
    sheet["A3"] = None
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("C2:D2")
    sheet["C2"], sheet["E2"], sheet["F2"] = "单位", "=B2*2", "=E2/SUM(B$2:B$3)"
    sheet["B9"] = ArrayFormula("B9", "=SUM(B2:B3*2)")
    sheet["A6"].comment = Comment("说明", "x")
    sheet["A7"].hyperlink = "http://example.com/"
    sheet["A8"] = CellRichText("甲", TextBlock(InlineFont(b=True), "乙"))
    sheet.row_breaks.append(Break(id=5))
    sheet["H5"], sheet["I5"], sheet["H6"] = "k", "v", "x"
    sheet.add_table(Table(displayName="T", ref="H5:I6"))
    sheet.row_dimensions[6].height = 40
    sheet.protection.sheet = True
    book.security = WorkbookProtection(lockStructure=True)
    opened, lost = open_template(saved(book, tmp_path))
    assert not lost
    insert(opened, opened["Sheet"], 2, 3, 4)
    opened.save(tmp_path / "filled.xlsx")
    after: Any = openpyxl.load_workbook(tmp_path / "filled.xlsx", rich_text=True)["Sheet"]
    assert {one.coord for one in after.merged_cells.ranges} == {"A2:A7", "C2:D2", *(f"C{n}:D{n}" for n in range(4, 8))}
    assert [after[f"E{row}"].value for row in (2, 4, 7)] == ["=B2*2", "=B4*2", "=B7*2"]
    assert [after[f"F{row}"].value for row in (2, 7)] == ["=E2/SUM(B$2:B$7)", "=E7/SUM(B$2:B$7)"]
    assert after["C7"].value == "单位"
    assert (after["B13"].value.ref, after["B13"].value.text) == ("B13", "=SUM(B2:B7*2)")
    assert after["A10"].comment.text == "说明"
    assert (after["A11"].hyperlink.ref, after["A11"].hyperlink.target) == ("A11", "http://example.com/")
    assert [type(part) for part in after["A12"].value] == [str, TextBlock]
    assert [one.id for one in after.row_breaks.brk] == [9]
    assert after.tables["T"].ref == "H9:I10"
    assert (after.row_dimensions[10].height, after.row_dimensions[6].height) == (40, None)
    assert after.protection.sheet
