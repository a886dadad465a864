"""The city's own form, filled from the report of the county in conftest.py, and read back."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pytest
from openpyxl.cell import MergedCell

from collector.report.form_schema import FORMATS, Form, Table
from collector.report.tree import fingerprint
from tests.collector.commands import run
from tests.collector.report import city_form
from tests.collector.report.city_form import NOTES, REPAIRS, SCHOOLS, TOTALS
from tests.collector.report.conftest import NAME_2, Asked
from tests.collector.verification.world import MONDAY, SCHOOL_1, SCHOOL_2, TUESDAY

OWN_NAME = "城区第一小学"  # as the city calls 清城一小
MAPPING = f"""
template: template.xlsx
cells:
  {TOTALS}!A2: "统计时段：{{from | date-zh}} 至 {{to | date-zh}}"
  {TOTALS}!F3: number
  {TOTALS}!C8: targets.online.sentence | zh
  {TOTALS}!C10: to | date
  {REPAIRS}!A2: "指纹 {{fingerprint}}，已证实 {{targets.online.rate.low | percent}}，共 {{visits | count}} 处"
tables:
  - sheet: {TOTALS}
    rows: 6
    each: targets.online.counties
    sort: [-counts.failing, id]
    columns: {{A: row, B: id | zh, C: counts.total, D: counts.proven, E: counts.failing, F: counts.unproven}}
  - sheet: {SCHOOLS}
    rows: 4-9
    each: targets.online.sites
    match: {{B: of_site.name}}
    skip: [合计]
    columns: {{C: counts.total, D: counts.proven, E: "report.targets.fast.sites[=id].counts.proven / counts.total"}}
  - sheet: {REPAIRS}
    rows: 5-7
    each: targets[].units
    sort: [-up.id, id]
    columns: {{A: row, B: title, C: of_site.name, D: up.title | zh, E: verdict | zh, F: "{{why}} {{rate.low}}"}}
names: {{{OWN_NAME}: {SCHOOL_1}}}
words: {{fail: 不合格}}
"""
ROSTER = ("sites.csv", "devices.csv")


class Desk(NamedTuple):
    """A folder with template, mapping file and report, as an operator has them."""

    folder: Path
    report: Path
    roster: tuple[object, ...]

    def map(self, text: str) -> Path:
        """Write a mapping file."""
        file = self.folder / "mapping.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    def fill(self, text: str = MAPPING, *more: object, code: int = 0) -> tuple[Any, str]:
        """Fill the form; return it as it is read back, None where nothing was written, and what stderr says."""
        out = self.folder / "filled.xlsx"
        out.unlink(missing_ok=True)
        line = ("form", "fill", self.map(text), "--report", self.report, "--out", out, *self.roster, *more)
        said = run(*line, code=code)[1]
        assert not list(self.folder.glob(".*"))
        assert out.exists() == (code == 0)
        return (openpyxl.load_workbook(out) if out.exists() else None), said

    @property
    def tree(self) -> dict[str, Any]:
        """The report."""
        tree: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))["report"]
        return tree


@pytest.fixture
def desk(asked: Asked, tmp_path: Path) -> Desk:
    """Return the desk, with a form that lists both schools and one that the roster does not have."""
    report = asked.folder / "form.json"
    if not report.exists():
        asked.file("form.json")
    city_form.write(tmp_path / "template.xlsx", [NAME_2, OWN_NAME, "清远九小"])
    roster = [word for name in ROSTER for word in ("--roster", asked.folder / name)]
    return Desk(tmp_path, report, tuple(roster))


def merged(sheet: Any) -> set[str]:
    """Return the merged ranges of a sheet."""
    return {one.coord for one in sheet.merged_cells.ranges}


def test_single_cells_hold_what_their_paths_name(desk: Desk) -> None:
    """Texts with dates, the number, a sentence in words, a real date with the template's format, a count."""
    book, _ = desk.fill()
    totals, tree = book[TOTALS], desk.tree
    first, last = date.fromisoformat(str(MONDAY)), date.fromisoformat(str(TUESDAY))
    assert totals["A2"].value == (
        f"统计时段：{first.year}年{first.month}月{first.day}日 至 {last.year}年{last.month}月{last.day}日"
    )
    assert totals["F3"].value == tree["number"]
    online = tree["targets"][0]
    assert totals["C9"].value == online["sentence"]["zh"]  # two counties: one row was put in above it
    day = totals["C11"]
    assert (day.value.date(), day.number_format) == (last, 'yyyy"年"m"月"d"日"')
    said = book[REPAIRS]["A2"].value
    assert said == f"指纹 {fingerprint(tree)}，已证实 25%，共 {len(tree['visits'])} 处"


def test_rows_are_put_in_above_totals_which_take_them_in(desk: Desk) -> None:
    """
    A row for each county, in the order asked for, each like the first: formulas, formats, borders, heights, rules.

    Totals grow with them; what is below moves, merged cells, print area and header rows too; other sheets follow.
    """
    sheet = desk.fill()[0][TOTALS]
    by_county = {one["id"]: one["counts"] for one in desk.tree["targets"][0]["counties"]}
    wanted = sorted(by_county, key=lambda code: (-by_county[code]["failing"], code))
    assert [sheet[f"B{row}"].value for row in (6, 7)] == [{"441802": "清城区", "441881": "英德市"}[c] for c in wanted]
    for row, code in zip((6, 7), wanted, strict=True):
        counts = by_county[code]
        found = [sheet[f"{column}{row}"].value for column in "CDEF"]
        assert found == [counts[key] for key in ("total", "proven", "failing", "unproven")]
        assert sheet[f"G{row}"].value == f"=IF(C{row}=0,0,D{row}/C{row})"
        assert (sheet[f"G{row}"].number_format, sheet[f"G{row}"].border.left.style) == ("0.0%", "thin")
        assert sheet.row_dimensions[row].height == 22
    assert (sheet["A8"].value, sheet["C8"].value, sheet["F8"].value) == ("合  计", "=SUM(C6:C7)", "=SUM(F6:F7)")
    assert sheet["G8"].value == "=IF(C8=0,0,D8/C8)"
    assert (sheet["A10"].value, sheet["F10"].value, sheet["A11"].value) == ("单位负责人：", "填表人：", "填表日期：")
    known = {"A1:H1", "A2:H2", "A4:A5", "C4:F4", "A8:B8", "A9:B9", "C9:H9", "C11:D11"}
    assert known <= merged(sheet)
    assert not [one for one in ("A7:B7", "C8:H8") if one in merged(sheet)]
    assert (sheet.print_area, sheet.print_title_rows, sheet.freeze_panes) == (f"'{TOTALS}'!$A$1:$H$11", "$4:$5", "A6")
    assert [str(one.sqref) for one in sheet.conditional_formatting] == ["G6:G7"]
    assert [str(one.sqref) for one in sheet.data_validations.dataValidation] == ["C6:F7"]
    assert (sheet.page_setup.orientation, sheet.oddFooter.center.text) == ("landscape", "第 &P 页")


def test_other_sheets_and_names_follow_the_totals(desk: Desk) -> None:
    """A formula of another sheet and a defined name still lead to the totals; a range over the rows has all of them."""
    book, _ = desk.fill()
    units = sum(len(target["units"]) for target in desk.tree["targets"])
    notes = book[NOTES]
    assert notes["B1"].value == f"={TOTALS}!C8"
    assert book.defined_names["合计班级"].attr_text == f"{TOTALS}!$C$8"
    assert notes["B3"].value == f"=COUNTA({REPAIRS}!B5:B{4 + units})"


def test_entries_of_lists_in_lists_with_what_is_around_them(desk: Desk) -> None:
    """Units of all targets, each with its target's title, its site's name, the verdict in the form's own words."""
    sheet = desk.fill()[0][REPAIRS]
    units = [(target, unit) for target in desk.tree["targets"] for unit in target["units"]]
    units.sort(key=lambda pair: pair[1]["id"])
    units.sort(key=lambda pair: pair[0]["id"], reverse=True)
    assert len(units) == 6
    names = {SCHOOL_1: OWN_NAME, SCHOOL_2: NAME_2}
    words = {"pass": "达标", "fail": "不合格", "not_proven": "证据不足"}
    for row, (target, unit) in enumerate(units, 5):
        assert [sheet[f"{column}{row}"].value for column in "ABCDE"] == [
            row - 4, unit["title"], names[unit["site"]], target["title"]["zh"], words[unit["verdict"]]
        ]  # fmt: skip
    assert sheet["A11"].value.startswith("审核人")
    assert "A11:F11" in merged(sheet)


def test_rows_that_are_too_few_are_a_mistake_where_none_may_be_put_in(desk: Desk) -> None:
    """With `insert: false` the message says how many are too many, and where the mapping says so."""
    text = MAPPING.replace("    rows: 5-7\n", "    rows: 5-7\n    insert: false\n")
    said = desk.fill(text, code=2)[1]
    assert said == (
        f"{desk.folder}/mapping.yaml:22: tables[2].rows: are 3 rows, and targets[].units has 6 entries: 3 too many\n"
    )


def test_rows_that_are_left_over_are_empty(desk: Desk) -> None:
    """What the template had there as a sample is gone, its borders are not."""
    template = openpyxl.load_workbook(desk.folder / "template.xlsx")
    template[REPAIRS]["B6"] = "示例"
    template.save(desk.folder / "template.xlsx")
    text = MAPPING.replace("each: targets[].units\n", "each: targets[].units\n    where: {verdict: [none, neither]}\n")
    sheet = desk.fill(text)[0][REPAIRS]
    assert [sheet[f"B{row}"].value for row in (5, 6, 7)] == [None, None, None]
    assert sheet["B6"].border.left.style == "thin"
    assert sheet["A8"].value.startswith("审核人")


def test_rows_of_the_form_find_their_schools(desk: Desk) -> None:
    """
    Schools are found by the roster's name or the form's own, in the form's order; a row of totals stays.

    A row that nobody answers to stays empty and is named; a ratio over another target's counts is a number.
    """
    book, said = desk.fill()
    sheet = book[SCHOOLS]
    counts = {one["id"]: one["counts"] for one in desk.tree["targets"][0]["sites"]}
    fast = {one["id"]: one["counts"] for one in desk.tree["targets"][1]["sites"]}
    for row, site in ((4, SCHOOL_2), (5, SCHOOL_1)):
        own = counts[site]
        assert [sheet[f"{column}{row}"].value for column in "CDE"] == [
            own["total"], own["proven"], pytest.approx(fast[site]["proven"] / own["total"])
        ]  # fmt: skip
    assert [sheet[f"{column}6"].value for column in "BCDE"] == ["清远九小", None, None, None]
    assert sheet["C7"].value == "=SUM(C4:C6)"
    assert f"{SCHOOLS}!B6 清远九小: not in targets.online.sites" in said
    assert "no row for" not in said


def test_strict_writes_nothing_while_something_has_no_match(desk: Desk) -> None:
    """Exit code 1; the entries of the report that no row takes are named as well."""
    city_form.write(desk.folder / "template.xlsx", [OWN_NAME])
    said = desk.fill(MAPPING, "--strict", code=1)[1]
    assert f"{SCHOOLS}: no row for {SCHOOL_2} {NAME_2}, of targets.online.sites" in said
    assert said.splitlines()[-1].endswith("not written: 1 have no match (--strict)")


def test_names_come_from_the_roster_or_the_form_itself(desk: Desk) -> None:
    """Without a roster those of `names` and of sites to be visited are known."""
    said = desk._replace(roster=("--data", desk.folder)).fill(MAPPING.replace(f"{OWN_NAME}:", "别名:"))[1]
    names = {visit["site"]["id"] for visit in desk.tree["visits"] if visit["site"]["name"]}
    assert (f"{SCHOOLS}!B5 {OWN_NAME}: not in targets.online.sites" in said) and SCHOOL_2 in names
    assert f"{SCHOOLS}: no row for {SCHOOL_1} 别名, of targets.online.sites" in said


def test_rows_of_the_form_are_found_by_code_and_by_county(desk: Desk) -> None:
    """A column of school codes, as numbers or texts, or of counties' names says whose a row is as well."""
    template = openpyxl.load_workbook(desk.folder / "template.xlsx")
    sheet = template[SCHOOLS]
    sheet["B4"], sheet["B5"], sheet["B6"] = int(SCHOOL_2.partition("-")[2]), SCHOOL_1.partition("-")[2], " 英德 市"
    template.save(desk.folder / "template.xlsx")
    table = "{{sheet: 学校, rows: {}, each: targets.online.{}, match: {{B: {}}}, columns: {{C: id}}}}"
    tables = table.format("4-5", "sites", "of_site.code"), table.format(6, "counties", "id | zh")
    filled, said = desk.fill(f"template: template.xlsx\ntables:\n  - {tables[0]}\n  - {tables[1]}\n")
    assert [filled[SCHOOLS][f"C{row}"].value for row in (4, 5, 6)] == [SCHOOL_2, SCHOOL_1, "441881"]
    assert said == f"{SCHOOLS}: no row for 441802, of targets.online.counties\n"


def test_a_row_that_may_be_two_schools_and_a_school_with_two_rows_are_mistakes(desk: Desk) -> None:
    """A figure must not be given to the wrong one, or be counted twice."""
    city_form.write(desk.folder / "template.xlsx", [OWN_NAME, OWN_NAME, NAME_2])
    said = desk.fill(code=2)[1]
    assert f"tables[1].match.B: B5 {OWN_NAME} is there twice, first in B4" in said
    text = MAPPING.replace(f"{{{OWN_NAME}:", f'{{"{NAME_2}": {SCHOOL_1}, {OWN_NAME}:')
    said = desk.fill(text, code=2)[1]
    assert f"B6 {NAME_2} may be any of {SCHOOL_1}" in said
    assert SCHOOL_2 in said


def test_text_of_others_is_never_a_formula(desk: Desk) -> None:
    """A school that calls itself a formula is a text, also after somebody edits the cell."""
    document = json.loads(desk.report.read_text(encoding="utf-8"))
    document["report"]["targets"][0]["units"][0]["title"] = '=HYPERLINK("http://x")\x07'
    document["fingerprint"] = fingerprint(document["report"])
    other = desk.folder / "other.json"
    other.write_text(json.dumps(document), encoding="utf-8")
    sheet = desk._replace(report=other).fill()[0][REPAIRS]
    (cell,) = [cell for (cell,) in sheet["B5:B12"] if str(cell.value).startswith("=")]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)


def test_an_altered_report_fills_nothing(desk: Desk) -> None:
    """A figure changed after the report was written is found by its fingerprint; other files are no reports."""
    document = json.loads(desk.report.read_text(encoding="utf-8"))
    document["report"]["targets"][0]["counts"]["proven"] += 1
    altered = desk.folder / "altered.json"
    altered.write_text(json.dumps(document), encoding="utf-8")
    assert "was altered after it was written" in desk._replace(report=altered).fill(code=2)[1]
    for content, said in (("{}", "is no report of santong-report/1"), ("x", "is not JSON")):
        altered.write_text(content, encoding="utf-8")
        assert said in desk._replace(report=altered).fill(code=2)[1]
    missing = desk._replace(report=desk.folder / "none.json").fill(code=2)[1]
    assert missing.endswith("none.json: No such file or directory\n")


def test_every_mistake_is_named_with_its_line(desk: Desk) -> None:
    """Mistakes about the template come at once, without any report; those about the report at once as well."""
    wrong = f"""template: template.xlsx
cells:
  {TOTALS}!B1: number
  汇 总!A1: number
  {TOTALS}!C7: number
  {TOTALS}!G9: targets.online.rate.low | percent
  {TOTALS}!99: number
  {TOTALS}!H10: number | zhh
tables:
  - {{sheet: {REPAIRS}, rows: 5-, each: visits, columns: {{A: row}}}}
"""
    file = desk.map(wrong)
    said = run("form", "check", file, code=1)[1].splitlines()
    assert said == [
        f"{file}:8: cells.{TOTALS}!H10: 'zhh' is no format, did you mean zh",
        f"{file}:10: tables[0].rows: '5-' are no rows such as 6 or 6-15",
    ]
    file = desk.map(wrong.replace("zhh", "zh").replace("5-,", "4-5,").replace("A: row", "AAAA: row, F: site.name"))
    assert run("form", "check", file, code=1)[1].splitlines() == [
        f"{file}:3: cells.{TOTALS}!B1: B1 is inside the merged A1:H1: name its first cell",
        f"{file}:4: cells.汇 总!A1: the template has no sheet '汇 总', did you mean {TOTALS}",
        f"{file}:5: cells.{TOTALS}!C7: C7 holds the formula =SUM(C6:C6), which the form computes itself",
        f"{file}:7: cells.{TOTALS}!99: is no cell such as 表1!B4",
        f"{file}:10: tables[0].columns.AAAA: is no column such as C",
    ]
    paths = MAPPING.replace("number\n", "numbr\n").replace("D: counts.proven, E", "D: counts.prooven, E")
    said = desk.fill(paths.replace("each: targets[].units", "each: targets[].unitz"), code=2)[1].splitlines()
    place = f"{desk.folder}/mapping.yaml"
    assert said == [
        f"{place}:5: cells.{TOTALS}!F3: has no 'numbr', did you mean number",
        f"{place}:14: tables[0].columns.D: counts has no 'prooven', did you mean proven",
        f"{place}:20: tables[1].columns.D: counts has no 'prooven', did you mean proven",
        f"{place}:23: tables[2].each: targets[] has no 'unitz', did you mean unit",
    ]


def test_what_is_read_is_never_written_over(desk: Desk) -> None:
    """Neither the template nor the report; other kinds of file and folders that are not there are refused."""
    file = desk.map(MAPPING)
    for out, said in (
        (desk.folder / "template.xlsx", "is what is read: name another file"),
        (desk.folder / "a.xls", "does not end in .xlsx"),
        (desk.folder / "none/a.xlsx", "there is no folder"),
    ):
        line = ("form", "fill", file, "--report", desk.report, "--out", out, *desk.roster)
        assert said in run(*line, code=2)[1]


def test_a_right_mapping_is_said_to_be(desk: Desk) -> None:
    """Without a report, and nothing is written."""
    file = desk.map(MAPPING)
    assert run("form", "check", file)[0] == f"{file}: 5 cells and 3 tables of template.xlsx are fine\n"
    assert sorted(one.name for one in desk.folder.iterdir()) == ["mapping.yaml", "template.xlsx"]


def test_paths_lists_what_can_be_named(desk: Desk) -> None:
    """Every path that is listed can be used as it is; ids with other characters stand in brackets."""
    listed = run("form", "paths", desk.report)[0].splitlines()
    assert "targets[]  2: online, fast" in listed
    values = [line.split("  ")[0] for line in listed if "[]  " not in line]
    cells = "\n".join(
        f"  {NOTES}!A{row}: '{path} | count'" if line.endswith(("[]", "{}")) else f"  {NOTES}!A{row}: '{path}'"
        for row, (path, line) in enumerate(
            ((one, next(line for line in listed if line.startswith(f"{one}  "))) for one in values), 10
        )
    )
    book, _ = desk.fill(f"template: template.xlsx\ncells:\n{cells}\n")
    assert book[NOTES]["A10"].value == desk.tree["number"]
    some = run("form", "paths", desk.report, "targets.online.counts")[0]
    assert some.splitlines()[-1] == "targets.online.counts.needed  2"
    assert "did you mean online" in run("form", "paths", desk.report, "targets.onlin", code=2)[1]


def test_all_else_of_the_template_is_kept(desk: Desk) -> None:
    """Sheets that are not filled and every cell above the tables are what they were, with their styles."""
    before = openpyxl.load_workbook(desk.folder / "template.xlsx")
    book, _ = desk.fill(f"template: template.xlsx\ncells: {{{TOTALS}!F3: number}}\n")
    assert book.sheetnames == before.sheetnames
    for sheet in before:
        other = book[sheet.title]
        assert merged(other) == merged(sheet)
        assert {k: v.width for k, v in other.column_dimensions.items()} == {
            k: v.width for k, v in sheet.column_dimensions.items()
        }
        for row in sheet.iter_rows():
            for cell in row:
                same = other[cell.coordinate]
                if cell.coordinate != "F3" or sheet.title != TOTALS:
                    assert isinstance(cell, MergedCell) or same.value == cell.value
                for style in ("font", "fill", "border", "number_format", "alignment", "protection"):
                    assert repr(getattr(same, style)) == repr(getattr(cell, style))


def test_the_example_of_the_docs_is_right(tmp_path: Path) -> None:
    """The template that docs/form.md makes and the mapping file beside it fit each other."""
    docs = Path(__file__).parents[3] / "docs"
    (program,) = re.findall(r"```python\n(.*?)```", (docs / "form.md").read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)
    mapping = tmp_path / "form-example.yaml"
    mapping.write_text((docs / mapping.name).read_text(encoding="utf-8"), encoding="utf-8")
    assert "5 cells and 2 tables of form.xlsx are fine" in run("form", "check", mapping)[0]


def test_the_docs_name_every_key_and_format() -> None:
    """Nothing that a mapping file can have is missing in docs/form.md."""
    text = (Path(__file__).parents[3] / "docs/form.md").read_text(encoding="utf-8")
    for name in (*Form._fields, *Table._fields, *FORMATS):
        assert f"`{name}" in text, name
