"""
A form as cities send it round: merged title, header of two rows, totals, footers with places to sign.

    汇总   a row a county, put in above the totals       学校   lists the schools by the city's own names
    整改   three rows, more are put in                    说明   looks at the totals, by cell and by name
"""

from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

TOTALS, SCHOOLS, REPAIRS, NOTES = "汇总", "学校", "整改", "说明"
_THIN = Side("thin")
_BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_GREY, _RED = PatternFill("solid", fgColor="D9E1F2"), PatternFill("solid", bgColor="F8CBAD")


def write(path: Path, schools: list[str]) -> None:
    """Write the form; `schools` are the names of its second sheet, in its order."""
    book = Workbook()
    totals = book.active
    assert totals is not None
    totals.title = TOTALS
    _totals(totals)
    _schools(book.create_sheet(SCHOOLS), schools)
    _repairs(book.create_sheet(REPAIRS))
    notes = book.create_sheet(NOTES)
    notes["A1"], notes["B1"] = "班级总数", f"={TOTALS}!C7"
    notes["A2"], notes["B2"] = "按名称", "=合计班级"
    notes["A3"], notes["B3"] = "整改项数", f"=COUNTA({REPAIRS}!B5:B7)"
    book.defined_names["合计班级"] = DefinedName("合计班级", attr_text=f"{TOTALS}!$C$7")
    book.save(path)


def _totals(sheet: Any) -> None:
    _title(sheet, "“班班通”建设情况统计表", "H")
    sheet["A2"] = "统计时段："
    sheet.merge_cells("A2:H2")
    sheet["A3"], sheet["E3"] = "填报单位（盖章）：", "报告编号："
    sheet.merge_cells("A3:D3")
    sheet.merge_cells("F3:H3")
    for area, text in {
        "A4:A5": "序号", "B4:B5": "区县", "C4:F4": "班级数（个）", "C5": "应建", "D5": "已证实", "E5": "不合格",
        "F5": "未证实", "G4:H4": "达标率", "G5": "已证实", "H5": "最高",
    }.items():  # fmt: skip
        _head(sheet, area, text)
    for row, span in ((6, "6"), (7, "7")):
        sheet[f"G{row}"], sheet[f"H{row}"] = (
            f"=IF(C{span}=0,0,D{row}/C{row})",
            f"=IF(C{row}=0,0,(D{row}+F{row})/C{row})",
        )
        for column in "ABCDEFGH":
            cell = sheet[f"{column}{row}"]
            cell.border, cell.number_format = _BOX, "0.0%" if column in "GH" else "#,##0"
            cell.alignment = Alignment(horizontal="center", vertical="center")
        sheet.row_dimensions[row].height = 22
    sheet["A7"] = "合  计"
    sheet.merge_cells("A7:B7")
    for column in "CDEF":
        sheet[f"{column}7"] = f"=SUM({column}6:{column}6)"
        sheet[f"{column}7"].font = Font(bold=True)
    sheet["A8"] = "结论"
    sheet.merge_cells("A8:B8")
    sheet.merge_cells("C8:H8")
    sheet["C8"].alignment = Alignment(wrap_text=True, vertical="top")
    sheet.row_dimensions[8].height = 60
    sheet["A9"], sheet["D9"], sheet["F9"] = "单位负责人：", "审核人：", "填表人："
    sheet["A10"], sheet["C10"] = "填表日期：", None
    sheet["C10"].number_format = 'yyyy"年"m"月"d"日"'
    sheet.merge_cells("C10:D10")
    below = Rule("cellIs", operator="lessThan", formula=["0.9"], dxf=DifferentialStyle(fill=_RED))
    sheet.conditional_formatting.add("G6:G6", below)
    rule = DataValidation("whole", operator="between", formula1="0", formula2="99999")
    rule.add("C6:F6")
    sheet.add_data_validation(rule)
    for column, width in zip("ABCDEFGH", (7, 18, 11, 11, 11, 11, 11, 11), strict=True):
        sheet.column_dimensions[column].width = width
    sheet.print_area, sheet.print_title_rows, sheet.freeze_panes = "A1:H10", "4:5", "A6"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.oddFooter.center.text = "第 &P 页"


def _schools(sheet: Any, schools: list[str]) -> None:
    _title(sheet, "各学校情况", "E")
    for column, text in zip("ABCDE", ("序号", "学校名称", "班级数", "已证实", "结论比例"), strict=True):
        _head(sheet, f"{column}3", text)
    for number, name in enumerate(schools, 1):
        row = 3 + number
        sheet[f"A{row}"], sheet[f"B{row}"] = number, name
        for column in "ABCDE":
            sheet[f"{column}{row}"].border = _BOX
        sheet[f"E{row}"].number_format = "0.0%"
    last = 3 + len(schools)
    sheet[f"B{last + 1}"], sheet[f"C{last + 1}"] = "合计", f"=SUM(C4:C{last})"
    sheet[f"D{last + 1}"] = f"=SUM(D4:D{last})"
    sheet.column_dimensions["B"].width = 34


def _repairs(sheet: Any) -> None:
    _title(sheet, "整改清单", "F")
    sheet["A2"] = "截止日期："
    for column, text in zip("ABCDEF", ("序号", "单位", "学校", "原因", "责任方", "措施"), strict=True):
        _head(sheet, f"{column}4", text)
    for row in (5, 6, 7):
        for column in "ABCDEF":
            sheet[f"{column}{row}"].border = _BOX
            sheet[f"{column}{row}"].alignment = Alignment(wrap_text=True, vertical="center")
    sheet["A8"] = "审核人：____________　　填表人：____________"
    sheet.merge_cells("A8:F8")
    for column, width in zip("ABCDEF", (6, 26, 18, 18, 14, 40), strict=True):
        sheet.column_dimensions[column].width = width
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _title(sheet: Any, text: str, last: str) -> None:
    sheet["A1"] = text
    sheet["A1"].font = Font(size=16, bold=True)
    sheet["A1"].alignment = Alignment(horizontal="center")
    sheet.merge_cells(f"A1:{last}1")


def _head(sheet: Any, area: str, text: str) -> None:
    first = area.partition(":")[0]
    sheet[first] = text
    for row in sheet[area] if ":" in area else ((sheet[area],),):
        for cell in row:
            cell.border, cell.fill = _BOX, _GREY
    sheet[first].font, sheet[first].alignment = Font(bold=True), Alignment("center", "center", wrap_text=True)
    if ":" in area:
        sheet.merge_cells(area)
