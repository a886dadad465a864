"""XLSX and its traps: numbers made of codes, dates made of class names, formulas, errors, empty rows, hidden sheets."""

import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from collector.roster.read import Reading, read
from collector.roster.schema import Area
from tests.collector.roster.tables import DEVICE, SITE

HEADERS = ["学校代码", "学校名称", "电话", "设备编号", "设备类型", "班级", "启用日期"]


def save(folder: Path, *sheets: tuple[str, Sequence[Sequence[Any]]]) -> Path:
    """Write a workbook with these sheets."""
    book = Workbook()
    del book["Sheet"]
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "台账.xlsx")
    return folder / "台账.xlsx"


def opened(*rows: Sequence[Any]) -> tuple[Workbook, Worksheet]:
    """Return a workbook with one sheet, to be changed further."""
    book = Workbook()
    del book["Sheet"]
    sheet = book.create_sheet("台账")
    for row in rows:
        sheet.append(row)
    return book, sheet


def change(file: Path, member: str, old: str, new: str) -> None:
    """Change the text of a part of a workbook, as a program other than ours would have written it."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old.encode() in parts[member]
    parts[member] = parts[member].replace(old.encode(), new.encode())
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in parts.items():
            archive.writestr(name, body)


def said(reading: Reading) -> list[str]:
    """Return the findings without the folder."""
    return [str(finding).rpartition("/")[2] for finding in reading.findings]


def flat(*more: list[Any]) -> list[list[Any]]:
    """Return a flat table with one good device, then more rows."""
    return [HEADERS, [SITE, "示例小学", 0, "c0101", "教室", "初一(1)班", date(2025, 9, 1)], *more]


def test_numbers_that_excel_made_of_codes_are_what_people_see(tmp_path: Path) -> None:
    """441802.0 is 441802, a phone number has no .0 and no exponent, a date is a date."""
    rows: list[list[Any]] = [
        ["区县代码", "学校代码", "电话", "城乡分类", "签约带宽(Mbps)", "班级数"],
        [441802.0, 9990000001.0, 13800138000.0, 111.0, 100.5, 12.0],
    ]
    reading = read([save(tmp_path, ("站点", rows))])
    site = reading.roster.sites[SITE]
    assert said(reading) == []
    assert (site.phone, site.area, site.contracted_mbps, site.declared_classes) == (
        "13800138000",
        Area.URBAN,
        100.5,
        12,
    )


def test_dates_are_read_from_every_kind_of_cell(tmp_path: Path) -> None:
    """A date, a date with midnight, and text in each way of writing one are the same day."""
    written = [
        date(2025, 9, 1),
        datetime(2025, 9, 1),  # noqa: DTZ001
        "2025-09-01",
        "2025/9/1",
        "2025年9月1日",
        "２０２５年９月１日",
        20250901,
    ]
    rows: list[list[Any]] = [
        HEADERS,
        *([SITE, "示例小学", 0, f"c{n}", "教室", f"{n}班", day] for n, day in enumerate(written)),
    ]
    reading = read([save(tmp_path, ("台账", rows))])
    assert said(reading) == []
    assert {device.commissioned_on for device in reading.roster.devices.values()} == {date(2025, 9, 1)}


def test_leading_zeros_that_a_format_shows_are_kept(tmp_path: Path) -> None:
    """A room 0021, stored as the number 21 with the format 0000, is 0021."""
    book, sheet = opened(
        ["学校代码", "学校名称", "设备编号", "设备类型", "教室编号"], [SITE, "示例小学", "c1", "教室", 21]
    )
    sheet["E2"].number_format = "0000"
    book.save(tmp_path / "f.xlsx")
    assert read([tmp_path / "f.xlsx"]).roster.devices[f"{SITE}.c1"].room_id == "0021"


AT_8 = datetime(2025, 9, 1, 8, 30)  # noqa: DTZ001  cells have no zone
SPOILED = [
    (
        6,
        date(2025, 7, 3),
        "'2025-07-03' is a date, which spreadsheets make of 7-3: make the column text, type it again",
    ),
    (
        4,
        12345678901234570,
        "12345678901234570 is a number, of which Excel keeps 15 digits: make the column text, type it again",
    ),
    (7, AT_8, "'2025-09-01 08:30:00' is not a date such as 2025-09-01"),
    (7, 45901, "'45901' is not a date such as 2025-09-01, did you mean 2025-09-01: make the column a date"),
    (7, time(8, 30), "'08:30:00' is not a date such as 2025-09-01"),
]


@pytest.mark.parametrize(("column", "value", "message"), SPOILED)
def test_what_excel_spoiled_is_named_with_its_cell(tmp_path: Path, column: int, value: object, message: str) -> None:
    """Nothing is guessed back: the message names the cell and says how to mend it."""
    row: list[Any] = ["", "", "", f"{SITE}.c2", "教室", "初一(2)班", date(2025, 9, 1)]
    row[column - 1] = value
    reading = read([save(tmp_path, ("台账", flat(row)))])
    assert said(reading) == [f"台账.xlsx:台账!{get_column_letter(column)}3: {HEADERS[column - 1]}: {message}"]


def test_a_formula_counts_by_its_result(tmp_path: Path) -> None:
    """The value that the spreadsheet computed is read; one that is empty is empty; an error says so."""
    row = [SITE, "=A2", "=B2", "=C2", "教室", "=D2", "=E2"]
    file = save(tmp_path, ("台账", flat(row)))
    part = "xl/worksheets/sheet1.xml"
    for old, new in [
        ('<c r="B3"><f>A2</f><v /></c>', '<c r="B3" t="str"><f>A2</f><v>示例小学</v></c>'),
        ('<c r="C3"><f>B2</f><v /></c>', '<c r="C3"><f>B2</f><v>0</v></c>'),
        ('<c r="D3"><f>C2</f><v /></c>', '<c r="D3" t="str"><f>C2</f><v>c0102</v></c>'),
        ('<c r="F3"><f>D2</f><v /></c>', '<c r="F3" t="str"><f>D2</f><v></v></c>'),
        ('<c r="G3"><f>E2</f><v /></c>', '<c r="G3" t="e"><f>E2</f><v>#REF!</v></c>'),
    ]:
        change(file, part, old, new)
    reading = read([file])
    assert said(reading) == ["台账.xlsx:台账!G3: 启用日期: the cell has the error #REF!"]
    assert reading.roster.devices[f"{SITE}.c0102"].class_name == ""


def test_a_formula_that_nobody_computed_says_so(tmp_path: Path) -> None:
    """A program may write formulas without results: they are not empty cells."""
    row = ["", "", "", f"{SITE}.c2", "教室", '="初一"&"(2)班"', ""]
    reading = read([save(tmp_path, ("台账", flat(row)))])
    message = '班级: ="初一"&"(2)班" has no result in the file: save it in a spreadsheet'
    assert said(reading) == [f"台账.xlsx:台账!F3: {message}"]


def test_flaws_outside_the_roster_s_columns_do_not_matter(tmp_path: Path) -> None:
    """An error in a column that is not read, or above the headers, stops nothing."""
    rows = [["=1/0", "统计"], [*HEADERS, "备注"], [*flat()[1], "=1/0"]]
    file = save(tmp_path, ("台账", rows))
    assert said(read([file])) == []
    assert list(read([file]).roster.devices) == [DEVICE]


def test_empty_rows_behind_the_table_are_ignored(tmp_path: Path) -> None:
    """A sheet that was formatted down to its last row, and has blanks there, is as long as its data."""
    book, sheet = opened([], ["清城区班班通台账"], [], *flat(), [" ", "　", None])
    sheet.cell(5000, 3).number_format = "@"
    book.save(tmp_path / "f.xlsx")
    reading = read([tmp_path / "f.xlsx"])
    assert said(reading) == []
    assert list(reading.roster.devices) == [DEVICE]


def test_merged_cells_of_a_site_are_not_contradictions(tmp_path: Path) -> None:
    """In a flat table the cells under a merged one are empty: what stands above is not contradicted."""
    reading = read([save(tmp_path, ("台账", flat(["", "", "", f"{SITE}.c2", "教室", "初一(2)班", ""])))])
    assert said(reading) == []
    assert reading.roster.sites[SITE].name == "示例小学"


def test_two_sheets_are_told_by_their_headers_and_others_are_passed_over(tmp_path: Path) -> None:
    """Sites and devices in any order, notes beside them; only what has headers of a roster is read, and it says so."""
    devices = [["设备编号", "设备类型"], [DEVICE, "教室"]]
    sites = [["学校代码", "学校名称"], [SITE, "示例小学"]]
    reading = read([save(tmp_path, ("填写说明", [["请勿修改"]]), ("设备", devices), ("站点", sites), ("Sheet4", []))])
    assert list(reading.roster.devices) == [DEVICE]
    assert reading.roster.sites[SITE].name == "示例小学"
    message = "has no column site 学校代码 or device 设备编号; its first ones are 请勿修改"
    assert said(reading) == [f"台账.xlsx:填写说明: warning: {message}"]


def test_a_hidden_sheet_is_not_read_and_said(tmp_path: Path) -> None:
    """Last year's copy behind the visible one must not come in unseen."""
    book, _ = opened(*flat())
    book.create_sheet("去年").append(["学校代码"])
    book["去年"].sheet_state = "hidden"
    book.save(tmp_path / "f.xlsx")
    assert said(read([tmp_path / "f.xlsx"])) == ["f.xlsx:去年: warning: is hidden, and not read"]


def test_texts_as_excel_and_as_programs_write_them_are_the_same(tmp_path: Path) -> None:
    """Texts may stand in a table of their own, in the cell, in pieces of several styles, with blanks and entities."""
    file = save(tmp_path, ("台账", flat()))
    part = "xl/worksheets/sheet1.xml"
    change(file, part, "<is><t>示例小学</t></is>", '<is><t xml:space="preserve"> 示例 &amp; 小学 </t></is>')
    change(file, part, "<is><t>初一(1)班</t></is>", "<is><r><t>初一</t></r><r><t>(1)班</t></r></is>")
    reading = read([file])
    assert reading.roster.sites[SITE].name == "示例 & 小学"
    assert reading.roster.devices[DEVICE].class_name == "初一(1)班"
