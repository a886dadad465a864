"""Reports of the county in conftest.py, opened by other programs; their figures are those of `verify --json`."""

import hashlib
import json
import re
import shutil
import subprocess
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from pypdf import PdfReader

from collector.report.phrases import PHRASES
from tests.collector.commands import run
from tests.collector.report.conftest import NAME_2, Asked
from tests.collector.verification.world import CLASS_2, MONDAY, SCHOOL_1, SCHOOL_2, TUESDAY

ROOT = Path(__file__).parents[3]

CLASSES = 4  # 七(1), 七(2), 一(1), and the one that was declared


class Page(HTMLParser):
    """What a browser sees: anchors, links, texts, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take a tag."""
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id" and value != "hatch":
                self.anchors.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name in {"src", "srcset", "data", "action", "xlink:href"}:
                self.fetched.append(value or "")

    def handle_data(self, data: str) -> None:
        """Take a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All that can be read."""
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module", params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> str:
    """Either language."""
    return str(request.param)


def test_json_has_the_figures_of_verify(asked: Asked) -> None:
    """Verdicts, counts, minutes, units, outages are those of `verify --json`; a target outside the roster has none."""
    report = json.loads(asked.file("a.json").read_text(encoding="utf-8"))["report"]
    known = {one["id"]: one for one in asked.verified()["targets"]}
    assert [one["id"] for one in report["targets"]] == ["online", "fast"]
    for one in report["targets"]:
        for key in ("verdict", "counts", "minutes", "reliability", "outages", "rate", "sentence"):
            assert one[key] == known[one["id"]][key], key
        units = [{k: v for k, v in unit.items() if k not in {"days", "tests"}} for unit in one["units"]]
        assert units == known[one["id"]]["units"]
    assert [one["id"] for one in report["outside"]] == ["villages"]
    assert [one["verdict"] for one in report["declared"]] == ["fail"]


def test_a_report_has_the_figures_with_what_was_agreed(asked: Asked, tmp_path: Path) -> None:
    """Approved disputes are in a report's figures, days and tests as in those of `verify`, and stderr says how many."""
    folder = shutil.copytree(asked.folder, tmp_path / "agreed")
    agreed = Asked(folder, [folder if one == asked.folder else one for one in asked.options])
    reason = ("--from", MONDAY, "--reason", "exam", "--text", "exam", "--by", "a")
    for number, scope in ((1, ("--device", CLASS_2)), (2, ("--site", SCHOOL_2))):
        run("dispute", "propose", *scope, *reason, "--data", folder)
        run("dispute", "approve", number, "--by", "b", "--data", folder)
    _, said = run("report", "--out", folder / "a.json", *agreed.options)
    assert "2 approved disputes and closures" in said or "2 项已批准" in said
    report = json.loads((folder / "a.json").read_text(encoding="utf-8"))["report"]
    known = {one["id"]: one for one in agreed.verified()["targets"]}
    before = json.loads(asked.file("a.json").read_text(encoding="utf-8"))["report"]
    for one in report["targets"]:
        units = [{k: v for k, v in unit.items() if k not in {"days", "tests"}} for unit in one["units"]]
        assert units == known[one["id"]]["units"]
        assert one["minutes"] == known[one["id"]]["minutes"]
    online, fast = report["targets"]
    assert online["minutes"] != before["targets"][0]["minutes"]
    lost = re.findall(r"\d+(?=n)", " ".join(day["runs"] for unit in online["units"] for day in unit["days"]))
    assert sum(map(int, lost)) == online["minutes"]["wan_down"]
    assert [len(unit["tests"]) for unit in fast["units"]] == [6, 0]


def test_every_figure_follows_from_its_minutes(asked: Asked) -> None:
    """The runs of a unit's days add up to its minutes, its days to those of the target, its units to the counts."""
    (online, fast) = json.loads(asked.file("a.json").read_text(encoding="utf-8"))["report"]["targets"]
    letters = {"w": "working", "n": "wan_down", "u": "unknown"}
    for unit in online["units"]:
        minutes: dict[str, int] = {}
        for day in unit["days"]:
            for run_ in day["runs"].split():
                _, number, letter = re.split(r"[+]|(?<=\d)(?=[a-z])", run_)
                minutes[letters[letter]] = minutes.get(letters[letter], 0) + int(number)
        assert minutes == unit["minutes"]
    for key in ("good", "bad", "unknown"):
        of_units = sum(day[key] for unit in online["units"] for day in unit["days"])
        assert sum(day[key] for day in online["days"]) == of_units
    for one in (online, fast):
        for groups in (one["counties"], one["sites"]):
            for key in ("proven", "failing", "unproven", "total"):
                assert sum(group["counts"][key] for group in groups) == one["counts"][key]
    assert [len(unit["tests"]) for unit in fast["units"]] == [6, 6]


def test_the_minimal_set_and_the_visit_list_by_hand(asked: Asked) -> None:
    """
    Half of four classes must be online and one is: one more, the cheapest.

    At school 1 the undelivered class takes a call, 七(2)班 an order to the operator; at school 2 一(1)班 takes a visit,
    and the rate an order: so school 2 is on the list for its rate alone.
    """
    report = json.loads(asked.file("a.json").read_text(encoding="utf-8"))["report"]
    online, fast = (one["minimal"] for one in report["targets"])
    assert [(one["unit"], one["reason"], one["party"]) for one in online["units"]] == [
        (f"{SCHOOL_1}/+3", "undelivered", "site")
    ]
    assert [(one["unit"], one["action"], one["party"]) for one in fast["units"]] == [
        (SCHOOL_2, "raise_rate", "operator")
    ]
    assert [visit["site"]["id"] for visit in report["visits"]] == [SCHOOL_1, SCHOOL_2]
    assert report["visits"][0]["site"]["phone"] == "0763-0000000"


def test_the_fingerprint_is_of_the_contents_alone(asked: Asked) -> None:
    """Anybody can recompute it from the JSON; language, kind of file and time of making do not change it."""
    document = json.loads(asked.file("a.json").read_text(encoding="utf-8"))
    text = json.dumps(document["report"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == document["fingerprint"]
    for name, language in (("b.html", "zh"), ("c.html", "en")):
        assert document["fingerprint"] in asked.file(name, "--lang", language).read_text(encoding="utf-8")
    again = json.loads(asked.file("d.json", "--recompute").read_text(encoding="utf-8"))
    assert again["fingerprint"] == document["fingerprint"]
    other = json.loads(asked.file("e.json", "--number", "清教信〔2026〕3号").read_text(encoding="utf-8"))
    assert other["fingerprint"] != document["fingerprint"]


def test_html_stands_alone(asked: Asked, language: str) -> None:
    """Nothing is fetched, nothing runs, every link leads somewhere in the file, and each anchor is there once."""
    text = asked.file("a.html", "--lang", language).read_text(encoding="utf-8")
    page = Page(text)
    assert not page.fetched
    assert not {"script", "link", "iframe", "img", "b>"} & set(page.tags)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"<]+", text) == []
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(page.anchors) == len(set(page.anchors))
    assert {link[1:] for link in page.links} <= set(page.anchors)
    assert "<b>英德" not in text
    assert NAME_2 in page.text


def test_html_leads_from_a_verdict_to_its_minutes(asked: Asked, language: str) -> None:
    """Summary, target, unit, minutes: three clicks; a class without minutes has no link, and is there."""
    page = Page(asked.file("a.html", "--lang", language).read_text(encoding="utf-8"))
    assert "#t-online" in page.links
    details = [link for link in page.links if link.startswith("#d-online")]
    assert len(details) == CLASSES - 1
    assert sum(anchor.startswith("u-online") for anchor in page.anchors) == CLASSES
    assert "240/240" in page.text  # 七(1)班, each day from 08:00 to 12:00


def test_html_says_what_verify_says(asked: Asked, language: str) -> None:
    """The sentence of each verdict, the declared value with its label, and the targets that the roster is not about."""
    text = Page(asked.file("a.html", "--lang", language).read_text(encoding="utf-8")).text
    for one in asked.verified()["targets"]:
        if one["id"] == "villages":
            assert one["title"][language] in text
        else:
            assert one["sentence"][language] in text
    assert {"zh": "申报", "en": "declared"}[language] in text
    assert {"zh": "值班室", "en": "0763-0000000"}[language] in text


def test_no_word_of_programmers_is_seen(asked: Asked) -> None:
    """Slot, spool, epoch and batch are words that people never see."""
    text = Page(asked.file("a.html", "--lang", "en").read_text(encoding="utf-8").split("</style>")[1]).text
    assert not re.search(r"\b(slot|spool|epoch|batch|A_low)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("kind", ["html", "xlsx"])
def test_rates_that_are_not_read_are_named(asked: Asked, kind: str) -> None:
    """Of a large county journeys, use and completeness are left out: the report is written and says so."""
    file = asked.file(f"no-rates.{kind}", "--no-rates", "--lang", "en")
    if kind == "html":
        text = Page(file.read_text(encoding="utf-8")).text
        for name in ("the way into hotspots", "use in lessons", "completeness of delivery"):
            assert f"{name} {PHRASES['not_read'][1]}" in text


def test_the_visit_list_can_be_written_alone(asked: Asked) -> None:
    """With --visits there is nothing but the list: number, schools, contacts, actions; and no verdict's page."""
    page = Page(asked.file("v.html", "--visits", "--lang", "zh").read_text(encoding="utf-8"))
    assert "visits" in page.anchors
    assert not {"summary", "t-online"} & set(page.anchors)
    assert "值班室" in page.text


def rows(file: Path, sheet: str) -> list[dict[str, Any]]:
    """Return a sheet's rows by their headers."""
    head, *rest = openpyxl.load_workbook(file)[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rest]


def test_xlsx_has_real_numbers(asked: Asked) -> None:
    """Counts, minutes and rates are numbers, days are days, and they add up to what verify says."""
    file = asked.file("a.xlsx", "--lang", "en")
    known = {one["id"]: one for one in asked.verified()["targets"]}
    (online, fast) = rows(file, "Targets")
    for row, name in ((online, "online"), (fast, "fast")):
        counts = known[name]["counts"]
        assert [row[key] for key in ("proven", "failing", "unproven", "All", "needed")] == [
            counts[key] for key in ("proven", "failing", "unproven", "total", "needed")
        ]
    days = rows(file, "Days")
    assert {row["date"] for row in days} == {datetime.combine(day, datetime.min.time()) for day in (MONDAY, TUESDAY)}
    for cause, header in (("working", "working"), ("wan_down", "Internet down"), ("unknown", "no evidence")):
        assert sum(row[header] for row in days) == known["online"]["minutes"][cause] == online[header]
    assert [row["goodput Mbit/s"] for row in rows(file, "Tests")][:6] == [32, 33, 34, 35, 36, 37]
    assert all(isinstance(row["minutes that count"], int) for row in rows(file, "Longest outages"))


def test_xlsx_can_be_used_as_a_table(asked: Asked, language: str) -> None:
    """Headers are frozen and filtered, columns are as wide as their contents need, no text of others is a formula."""
    book = openpyxl.load_workbook(asked.file("b.xlsx", "--lang", language))
    assert len(book.sheetnames) == 15  # one of them hidden
    for sheet in (one for one in book if one.sheet_state == "visible"):
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref
        assert len({cell.value for cell in sheet[1]}) == sheet.max_column  # no two headers alike
        assert all(sheet.column_dimensions[get_column_letter(n + 1)].width >= 6 for n in range(sheet.max_column))
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_xlsx_leads_from_a_target_to_its_minutes(asked: Asked) -> None:
    """Target, unit, day: each is a link to the row of the next sheet that it is about."""
    book = openpyxl.load_workbook(asked.file("a.xlsx", "--lang", "en"))
    place = book["Verdicts"]
    links = [cell.hyperlink.location for row in place.iter_rows() for cell in row if cell.hyperlink]
    assert links == ["'Targets'!A2", "'Targets'!A3"]
    every = [cell.hyperlink.location for sheet in book for row in sheet.iter_rows() for cell in row if cell.hyperlink]
    for location in filter(None, every):
        sheet, cell = location.split("!")
        assert book[sheet.strip("'")][cell].value is not None, location
    for unit in book["Units"].iter_rows(min_row=2):
        if unit[0].hyperlink and unit[0].hyperlink.location:
            sheet, cell = unit[0].hyperlink.location.split("!")
            assert book[sheet.strip("'")][cell].offset(0, 1).value == unit[1].value


def test_pdf_has_pages_with_number_and_fingerprint(asked: Asked) -> None:
    """Each page says which it is, of how many, and which contents; Chinese can be read and searched; A4."""
    file = asked.file("a.pdf", "--lang", "zh")
    fingerprint = json.loads(asked.file("a.json").read_text(encoding="utf-8"))["fingerprint"]
    reader = PdfReader(file)
    total = len(reader.pages)
    text = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
    pages = text.split("\f")[:total]
    for number, page in enumerate(pages, 1):
        assert fingerprint in page
        assert re.search(rf"第 *{number} *页 */ *共 *{total} *页", page)
    assert "走访清单" in text
    assert "三通核验报告" in text
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages} == {(595, 842)}
    fonts = subprocess.run(["pdffonts", file], capture_output=True, text=True, check=True).stdout
    assert re.search(r"CJK|WenQuanYi|Han", fonts)


def test_pdf_and_english(asked: Asked) -> None:
    """The English PDF has the sentences of verify."""
    reader = PdfReader(asked.file("e.pdf", "--lang", "en"))
    text = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))
    assert "1 of 2 sites fails" in text
    assert f"page 1 of {len(reader.pages)}" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "x.docx"), "ends in none of .html, .pdf, .xlsx, .json"),
        (("--out", "nowhere/x.html"), "there is no folder nowhere"),
        (("--out", "x.xlsx", "--visits"), "the visit list alone is written as .html or .pdf"),
    ],
)
def test_what_cannot_be_written_is_one_line(asked: Asked, options: tuple[str, ...], message: str) -> None:
    """A wrong name is told before anything is verified, in one line; exit code 2."""
    _, said = run("report", *options, *asked.options, code=2)
    assert message in said
    assert said.count("\n") == 1


def test_every_phrase_is_used() -> None:
    """No phrase of reports is dead, and each has both languages."""
    room = ROOT / "collector" / "report"
    sources = [*room.glob("*.py"), *room.glob("templates/*.html")]
    text = "".join(file.read_text(encoding="utf-8") for file in sources if file.name != "phrases.py")
    made = ("action_", "reason_", "counted_", "kind_", "party_", "effort_", "left_out_", "limited_", "rows_", "part_")
    for key, (chinese, english) in PHRASES.items():
        assert chinese and english
        assert f'"{key}"' in text or key.startswith(made), f"{key} is used nowhere"
    for key in re.findall(r'Remedy\("\w+", "(\w+)"', (room / "reasons.py").read_text(encoding="utf-8")):
        assert f"action_{key}" in PHRASES
