"""What stands beside figures in a report: disputes and closures, figures without them, and samples on site."""

import csv
import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from collector.cli import app
from collector.commands.asking import taken_from
from tests.collector.commands import run
from tests.collector.report.conftest import Asked
from tests.collector.report.test_files import Page, rows
from tests.collector.verification.world import CLASS_1, CLASS_2, MONDAY, SCHOOL_1, SCHOOL_2, TUESDAY

TEXT = "供电局检修 <停电> & 通知"


@pytest.fixture(scope="module")
def agreed(asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """
    Return the county with an approved dispute, a closure, one that was refused, and three samples.

    七(2)班 was without Internet on both days, which an exam takes away; school 2 was closed on Tuesday.
    """
    folder = shutil.copytree(asked.folder, tmp_path_factory.mktemp("agreed") / "data")
    (folder / "通知.pdf").write_bytes(b"notice")
    scopes: list[tuple[Any, ...]] = [
        ("--device", CLASS_2, "--from", MONDAY, "--to", TUESDAY, "--reason", "exam", "--attach", folder / "通知.pdf"),
        ("--site", SCHOOL_2, "--closure", "--from", TUESDAY, "--reason", "weather-alarm"),
        ("--site", SCHOOL_1, "--from", TUESDAY, "--reason", "school-closed"),
    ]
    for number, scope in enumerate(scopes, 1):
        run("dispute", "propose", *scope, "--text", TEXT, "--by", "School", "--data", folder)
        decision = ("reject", number, "--text", "no notice") if number == 3 else ("approve", number)
        run("dispute", *decision, "--by", "Centre", "--data", folder)
    found = Asked(folder, [folder if one == asked.folder else one for one in asked.options])
    roster, targets = [one for one in found.options if str(one).endswith(".csv")], folder / "targets.yaml"
    rosters = [part for file in roster for part in ("--roster", file)]
    known = ("--targets", targets, "--data", folder, *rosters)
    for seed, day in (("one", MONDAY), ("two", TUESDAY), ("other month", "2026-01-05")):
        drawn = ("--size", 3, "--seed", seed, "--day", day, "--target", "online", "--out", folder / seed)
        run("sample", "draw", *drawn, *known)
    table = list(csv.reader((folder / "one" / "results.csv").read_text(encoding="utf-8-sig").splitlines()))
    for row in table[1:]:
        row[5:8] = ["1", f"{MONDAY}", "09:30"]
    with (folder / "filled.csv").open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows(table)
    run("sample", "results", folder / "filled.csv", *known)
    return found


@pytest.fixture(scope="module")
def report(agreed: Asked) -> dict[str, Any]:
    """Return the report as JSON has it."""
    found: dict[str, Any] = json.loads(agreed.file("a.json").read_text(encoding="utf-8"))["report"]
    return found


def test_json_has_disputes_and_figures_without_them_as_verify_has_them(agreed: Asked, report: dict[str, Any]) -> None:
    """The same keys with the same values as `verify --json`; null for a target that they change nothing of."""
    known = agreed.verified()
    assert report["disputes"] == known["disputes"]["taken"]
    assert [one["dispute"] for one in report["disputes"]] == [1, 2]
    assert report["disputes_head"] == known["disputes"]["head"] == taken_from(agreed.folder, is_counted=True)[1]
    targets = {one["id"]: one for one in known["targets"]}
    for one in report["targets"]:
        assert one["without_disputes"] == targets[one["id"]]["without_disputes"]
    online, fast = report["targets"]
    assert online["without_disputes"]["minutes"] != online["minutes"]
    assert fast["without_disputes"] is None


def test_without_disputes_a_report_says_so(asked: Asked) -> None:
    """There are none, and no sample: empty lists, and a sentence for each in either language."""
    document = json.loads(asked.file("n.json").read_text(encoding="utf-8"))["report"]
    assert (document["disputes"], document["disputes_head"], document["samples"]) == ([], None, [])
    text = Page(asked.file("n.html", "--lang", "en").read_text(encoding="utf-8")).text
    assert "No dispute or closure of this period was approved" in text
    assert "No sample was drawn for this period." in text


def test_html_lists_disputes_with_who_and_when(agreed: Asked, report: dict[str, Any]) -> None:
    """Number, scope, reason, text, attachment, both people, the newest hash; nothing of the one that was refused."""
    page = Page(agreed.file("a.html", "--lang", "zh").read_text(encoding="utf-8"))
    sha256 = report["disputes"][0]["attachments"][0]["sha256"]
    for said in (
        "考试占用",
        "气象预警停课",
        TEXT,
        "通知.pdf",
        sha256[:12],
        "School",
        "Centre",
        report["disputes_head"],
    ):
        assert said in page.text, said
    assert "学校停课" not in page.text
    assert {"disputes", "samples"} <= set(page.anchors)


def test_html_and_pdf_have_both_figures(agreed: Asked) -> None:
    """A target whose units change by what was agreed has two rows: without, and with."""
    html = agreed.file("b.html", "--lang", "en").read_text(encoding="utf-8")
    section = html[html.index('id="disputes"') : html.index('id="samples"')]
    assert section.index("without</td>") < section.index("<b>with</b>")
    text = " ".join(page.extract_text() for page in PdfReader(agreed.file("b.pdf", "--lang", "en")).pages)
    assert "Figures without and with them" in text
    assert "Sampling on site" in text


def test_samples_of_the_period_are_listed_and_those_of_others_not(agreed: Asked, report: dict[str, Any]) -> None:
    """Also the one without results; agreement is what `santong sample results --json` says, with the file's hash."""
    assert sorted(one["question"]["seed"] for one in report["samples"]) == ["one", "two"]
    one, two = sorted(report["samples"], key=lambda sample: str(sample["question"]["seed"]))
    options = [one for one in agreed.options if one not in ("--from", "--to", MONDAY, TUESDAY)]
    known = json.loads(run("sample", "results", "--sample", one["sample"], "--json", *options)[0])
    assert {key: one[key] for key in known} == known
    assert (one["compared"], one["agreed"]) == (2, 1)  # 七(1) worked, 七(2) had no Internet, 一(1) never reported
    assert one["results"][-1]["visits"] == 3
    assert one["outside"] == 0
    assert (two["results"], two["estimate"]) == ([], None)


def test_html_has_the_agreement_of_samples(agreed: Asked, report: dict[str, Any]) -> None:
    """Interval, table, disagreement, seed, size, hash of the results; and that the other one has none yet."""
    text = Page(agreed.file("c.html", "--lang", "en").read_text(encoding="utf-8")).text
    one = next(sample for sample in report["samples"] if sample["results"])
    for said in (one["sample"], one["results"][-1]["sha256"], "Seed one, size 3", "There are no results yet."):
        assert said in text, said
    assert "in 1 of 2 classes" in text
    assert "95 % confidence interval" in text


def test_a_county_has_its_part_of_a_sample_and_a_site_none(agreed: Asked) -> None:
    """A sample speaks for a county, whose strata are drawn each for itself, and not for a single site."""
    of_county = json.loads(agreed.file("d.json", "--county", SCHOOL_1[:6]).read_text(encoding="utf-8"))["report"]
    strata = [row["name"][:6] for sample in of_county["samples"] for row in sample["strata"]]
    assert strata
    assert set(strata) == {SCHOOL_1[:6]}
    of_site = json.loads(agreed.file("e.json", "--site", SCHOOL_1).read_text(encoding="utf-8"))["report"]
    assert of_site["samples"] == []
    text = Page(agreed.file("e.html", "--site", SCHOOL_1, "--lang", "en").read_text(encoding="utf-8")).text
    assert "not for a single site" in text


def test_a_sample_that_was_altered_is_one_line(agreed: Asked, tmp_path: Path) -> None:
    """No report is written of results that are not as they were stored."""
    folder = shutil.copytree(agreed.folder, tmp_path / "altered")
    file = next(folder.glob("sampling/*/results/0001/filled.csv"))
    file.write_bytes(file.read_bytes().replace(b",1,", b",3,", 1))
    options = [folder if one == agreed.folder else one for one in agreed.options]
    _, said = run("report", "--out", folder / "x.html", *options, code=2)
    assert "was changed since it was stored" in said
    assert said.count("\n") == 1
    assert not (folder / "x.html").exists()


def test_xlsx_has_disputes_samples_and_figures_without(agreed: Asked, report: dict[str, Any]) -> None:
    """A sheet each, with real dates and numbers; targets have the verdict and the rate without disputes beside."""
    file = agreed.file("a.xlsx", "--lang", "en")
    first, second = rows(file, "Disputes and closures")
    assert (first["no."], first["kind"], first["in a sentence"]) == (1, "dispute", TEXT)
    assert first["since"] == datetime.combine(MONDAY, datetime.min.time())
    assert report["disputes"][0]["attachments"][0]["sha256"] in first["Attached"]
    assert (first["proposed by"], first["approved by"], second["kind"]) == ("School", "Centre", "closure")
    samples = rows(file, "Sampling on site")
    one = next(row for row in samples if row["seed"] == "one" and row["stratum"] == "All")
    known = next(sample for sample in report["samples"] if sample["results"])
    assert (one["compared"], one["agree"], one["size"]) == (2, 1, 3)
    assert one["share that agrees"] == pytest.approx(known["estimate"]["share"])
    assert len(rows(file, "Sampled classes")) == 3 + 3
    online = rows(file, "Targets")[0]
    without = report["targets"][0]["without_disputes"]["counts"]
    assert online["proven rate without disputes"] == pytest.approx(without["proven"] / without["total"])


def test_rows_beyond_a_sheet_go_on_in_the_next(agreed: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is lost where a sheet is full, and links lead to the row where it is now."""
    whole = agreed.file("w.xlsx", "--lang", "en")
    monkeypatch.setattr("collector.report.xlsx.MOST_ROWS", 4)
    out = agreed.folder / "f.xlsx"
    done = CliRunner().invoke(app, ["report", "--out", str(out), "--lang", "en", *map(str, agreed.options)])
    assert done.exit_code == 0, done.output
    book = openpyxl.load_workbook(out)
    assert {"Days", "Days 2", "Units 2"} <= set(book.sheetnames)
    assert all(sheet.max_row <= 4 for sheet in book)
    for name in ("Days", "Units", "Tests"):
        parts = [sheet for sheet in book if sheet.title == name or sheet.title.startswith(f"{name} ")]
        found = [row for sheet in parts for row in sheet.iter_rows(min_row=2, values_only=True)]
        assert found == list(openpyxl.load_workbook(whole)[name].iter_rows(min_row=2, values_only=True))
    for sheet in (one for one in book if one.title.startswith("Units")):
        for unit in sheet.iter_rows(min_row=2):
            if unit[0].hyperlink and unit[0].hyperlink.location:
                place, cell = unit[0].hyperlink.location.split("!")
                assert book[place.strip("'")][cell].offset(0, 1).value == unit[1].value


def test_days_that_were_agreed_hold_in_class_1(report: dict[str, Any]) -> None:
    """What was agreed of one class changes nothing of another."""
    online = report["targets"][0]
    one = next(unit for unit in online["units"] if any(day["device"] == CLASS_1 for day in unit["days"]))
    before = next(unit for unit in online["without_disputes"]["units"] if unit["id"] == one["id"])
    assert one["minutes"] == before["minutes"]
