"""`santong report check`: what was altered is named, in the store, in the files beside it, and in the report itself."""

import base64
import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader, PdfWriter

from collector.store.open import open_store
from contract.sample import Value
from tests.collector.closing.conftest import CLOSED, KINDS, MONDAY, TUESDAY, County
from tests.collector.commands import run
from tests.collector.verification.world import CLASS_1, CLASS_2, MINUTE_NS, World, at, now_ns

NINE = at(TUESDAY, "09:00")


def named(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return kind, part and place of the differences."""
    return {(one["kind"], one["part"], one["place"]) for one in found["differences"]}


def fingerprint(report: dict[str, Any]) -> str:
    """Return the fingerprint of a report, as docs/report.md says it is taken."""
    text = json.dumps(report, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def edited(county: County, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of the closed report with a change that somebody made who can compute fingerprints."""
    document = county.document()
    change(document["report"])
    document["fingerprint"] = fingerprint(document["report"])
    file = county.data / "edited.json"
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return file


def target_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a target of a report."""
    return next(one for one in report["targets"] if one["id"] == name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_of_an_unchanged_store_is_the_same(county: County, kind: str) -> None:
    """Each file of the closed report is the same when it is recomputed from the store."""
    found = county.check(county.file(kind))
    assert (found["is_the_same"], found["not_compared"]) == (True, [])
    assert found["number"] == CLOSED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE presence SET wan = 1 WHERE device = ? AND time = ?",
        "DELETE FROM presence WHERE device = ? AND time = ?",
        "UPDATE presence SET time = time + 7 WHERE device = ? AND time = ?",
    ],
)
def test_one_altered_row_of_the_store_is_found(county: County, statement: str) -> None:
    """Whatever was done to a row, its device-day is named as altered, and so are the figures that moved by it."""
    county.tamper(statement, CLASS_2, NINE)
    found = county.check(county.file("json"), code=1)
    assert ("altered", "evidence", f"{TUESDAY} {CLASS_2}") in named(found)
    assert {one["part"] for one in found["differences"]} <= {"evidence", "figures"}
    assert found["counts"]["late"] == 0


def test_two_exchanged_devices_are_found(county: County) -> None:
    """The evidence of two classes, exchanged for a minute, names both."""
    county.tamper("UPDATE presence SET wan = 1 - wan WHERE time = ? AND device IN (?, ?)", NINE, CLASS_1, CLASS_2)
    evidence = {place for _, part, place in named(county.check(county.file("json"), code=1)) if part == "evidence"}
    assert evidence == {f"{TUESDAY} {CLASS_1}", f"{TUESDAY} {CLASS_2}"}


def late(county: County) -> None:
    """Have an evening of class 1 come today, with the collector's mark."""
    world = World()
    for number in range(5):
        fields: dict[str, Value] = {"boot": "x", "uptime_s": 600.0 + 60 * number, "lan": 1, "wan": 1}
        world.add("presence", CLASS_1, at(TUESDAY, "20:00") + number * MINUTE_NS, fields)
    world.late(CLASS_1, at(TUESDAY, "20:00"), at(TUESDAY, "20:04"), now_ns())
    county.add(world)


def test_late_evidence_is_no_alteration(county: County) -> None:
    """What came after the report, marked by the collector, is late: exit code 0, and it is named."""
    late(county)
    found = county.check(county.file("json"))
    assert ("late", "evidence", f"{TUESDAY} {CLASS_1}") in named(found)
    assert {kind for kind, _, _ in named(found)} == {"late"}


def test_the_same_without_the_mark_was_put_in(county: County) -> None:
    """Rows that nothing says to have come later were added to the day: altered."""
    world = World()
    world.add("presence", CLASS_1, at(TUESDAY, "20:00"), {"boot": "x", "uptime_s": 600.0, "lan": 1, "wan": 1})
    county.add(world)
    assert ("altered", "evidence", f"{TUESDAY} {CLASS_1}") in named(county.check(county.file("json"), code=1))


def test_an_alteration_does_not_hide_behind_late_evidence(county: County) -> None:
    """A day to which evidence came late and of which a row was altered as well is not called late."""
    late(county)
    county.tamper("UPDATE presence SET wan = 0 WHERE device = ? AND time = ?", CLASS_1, NINE)
    assert ("unclear", "evidence", f"{TUESDAY} {CLASS_1}") in named(county.check(county.file("json"), code=1))


def test_late_evidence_of_one_school_explains_no_figure_of_another(county: County) -> None:
    """A unit's verdict that was edited is altered, although evidence of another school came late."""
    late(county)
    site = "441881-3144005678"

    def change(report: dict[str, Any]) -> None:
        unit = next(one for one in target_of(report, "online")["units"] if one["site"] == site)
        unit["minutes"] = {"working": 480}

    kinds = {kind for kind, part, place in named(county.check(edited(county, change), code=1)) if site in place}
    assert kinds == {"altered"}


def test_a_figure_that_does_not_follow_is_named(county: County) -> None:
    """An edited verdict with a new fingerprint is named with its place, what the file has and what it should be."""

    def change(report: dict[str, Any]) -> None:
        target_of(report, "online")["verdict"] = "pass"

    found = county.recheck(edited(county, change), code=1)
    (one,) = found["differences"]
    assert (one["kind"], one["part"], one["place"]) == ("altered", "figures", "targets[online].verdict")
    assert one["reported"] == "pass"
    assert one["found"] == target_of(county.document()["report"], "online")["verdict"]


def test_an_edited_document_has_another_fingerprint(county: County) -> None:
    """Whoever edits the JSON file and leaves the fingerprint is told apart by that alone."""
    document = county.document()
    document["report"]["targets"][0]["units"].pop()
    file = county.data / "edited.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    places = {place for _, part, place in named(county.recheck(file, code=1)) if part == "file"}
    assert "fingerprint" in places
    assert any(place.endswith(("counts.proven", "counts.failing", "counts.unproven")) for place in places)


def test_an_edited_hash_of_a_device_day_is_named(county: County) -> None:
    """Leaves that do not follow the root, and a day that was cut out of them."""
    document = county.document()
    del document["leaves"][MONDAY.isoformat()][CLASS_1]
    file = county.data / "edited.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    found = named(county.recheck(file, code=1))
    assert ("altered", "file", "basis.evidence.root") in found
    assert ("altered", "evidence", f"{MONDAY} {CLASS_1}") in found


def test_a_cell_that_was_edited_is_named(county: County) -> None:
    """Of a workbook in which somebody typed another number, sheet and cell are named, with both values."""
    book = openpyxl.load_workbook(county.file("xlsx"))
    sheet = book.worksheets[1]
    before, sheet["D2"] = sheet["D2"].value, 99
    file = county.data / "edited.xlsx"
    book.save(file)
    (one,) = county.recheck(file, code=1)["differences"]
    assert (one["part"], one["place"]) == ("file", f"{sheet.title}!D2")
    assert (one["reported"], one["found"]) == ("99", str(before))


def test_a_line_of_a_page_that_was_edited_is_named(county: County) -> None:
    """Of an HTML file in which a number was changed, but not the data within, the line is named."""
    text = county.file("html").read_text(encoding="utf-8")
    file = county.data / "edited.html"
    file.write_text(text.replace(f"<b>{CLOSED}</b>", "<b>ST-2019-01</b>"), encoding="utf-8")
    (one,) = county.recheck(file, code=1)["differences"]
    assert one["part"] == "file"
    assert "ST-2019-01" in one["reported"]
    assert CLOSED in one["found"]


def test_a_page_of_a_pdf_that_was_taken_out_is_named(county: County) -> None:
    """Of a PDF without its second page, with the report still attached, that is named."""
    reader, writer = PdfReader(county.file("pdf")), PdfWriter()
    for number, page in enumerate(reader.pages):
        if number != 1:
            writer.add_page(page)
    writer.add_attachment("report.json", reader.attachments["report.json"][0])
    file = county.data / "edited.pdf"
    writer.write(file)
    assert {part for _, part, _ in named(county.recheck(file, code=1))} == {"file"}


def test_other_files_beside_the_store_are_named(county: County) -> None:
    """Other calendars and targets than those of the report are named as such, and the figures that follow."""
    targets = county.data / "targets.yaml"
    targets.write_text(targets.read_text(encoding="utf-8").replace("availability: 0.95", "availability: 0.2"), "utf-8")
    found = county.check(county.file("json"), code=1)
    assert ("altered", "targets", "") in named(found)
    assert ("altered", "calendars", "") not in named(found)


def test_a_later_version_of_the_roster_is_late(county: County) -> None:
    """A version imported after the report, of the same days, is late; the report's own is still there."""
    data = county.data
    files = ("--roster", data / "sites.csv", "--roster", data / "devices.csv")
    targets = ("--data", data, "--targets", data / "targets.yaml")
    run("roster", "import", data / "sites.csv", data / "devices.csv", "--from", MONDAY, "--data", data, "--yes")
    out = data / "before.json"
    run("report", "--from", MONDAY, "--to", TUESDAY, *targets, "--out", out)
    assert json.loads(run("report", "check", out, *targets, *files, "--json")[0])["is_the_same"]
    devices = data / "devices.csv"
    devices.write_text(devices.read_text(encoding="utf-8").replace("七(2)班", "七(3)班"), encoding="utf-8")
    run("roster", "import", data / "sites.csv", devices, "--from", MONDAY, "--data", data, "--yes")
    found = json.loads(run("report", "check", out, *targets, "--json")[0])
    assert ("late", "roster", "") in named(found)
    assert {kind for kind, _, _ in named(found)} == {"late"}


def test_other_rules_are_no_alteration(county: County) -> None:
    """A report that was judged by other rules says so: exit code 1, since nobody can tell, but not altered."""
    document = county.document()
    document["made"]["software"]["rules"] = "1"
    file = county.data / "old.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    found = county.recheck(file, code=1)
    assert named(found) == {("program", "software", "rules")}


def test_the_same_over_influxdb(county: County, influx_url: str) -> None:
    """A report made over SQLite is checked over a real influxd with the same evidence; one altered row is found."""
    run("migrate", "--to", influx_url, "--data", county.data)
    assert county.check(county.file("json"), "--store", influx_url)["is_the_same"]
    store = open_store(influx_url)
    world = World()
    world.add("presence", CLASS_2, NINE, {"wan": 1})
    world.write(store)
    store.close()
    found = county.check(county.file("json"), "--store", influx_url, code=1)
    assert ("altered", "evidence", f"{TUESDAY} {CLASS_2}") in named(found)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{}", "is no report"),
        ("a.json", b"nonsense", "is no report"),
        ("a.json", b'{"format": "santong-report/9"}', "this program reads santong-report/1"),
        ("a.json", b'{"format": "santong-report/1", "fingerprint": "", "made": {}}', "has no report"),
        ("a.html", b"<html></html>", "has no report within"),
        ("a.html", b'<template id="santong-report">AAAA</template>', "is damaged"),
        ("a.xlsx", b"PK", "is no workbook"),
        ("a.pdf", b"%PDF-1.7", "is no PDF"),
        ("a.txt", b"", "is no report"),
    ],
)
def test_what_is_no_report_is_said_in_a_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """A file that is something else, or damaged: one line with its name, exit code 2."""
    file = tmp_path / name
    file.write_bytes(content)
    _, error = run("report", "check", file, "--data", tmp_path, code=2)
    assert error.startswith(f"{file}: ")
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_document_of_strange_shape_ends_in_a_line(county: County) -> None:
    """Whatever stands in a document, a check ends with a list of differences or one line, never with a traceback."""
    for change in (
        {"targets": "none"},
        {"targets": [{"id": "online"}]},
        {"basis": None},
        {"basis": {"roster": [7], "evidence": 7}},
        {"corrects": {"number": 1}},
        {"from": 7},
        {"county": "449999"},
    ):
        document = county.document()
        document["report"] |= change
        file = county.data / "strange.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        code = 2 if change.keys() & {"from", "county", "corrects"} or change == {"basis": None} else 1
        run("report", "check", file, *county.options, code=code)


def test_a_bomb_within_a_page_is_no_report(tmp_path: Path) -> None:
    """A document that unpacks to no end is cut off, and is no report."""
    packed = base64.b64encode(gzip.compress(bytes(1 << 26))).decode()
    file = tmp_path / "a.html"
    file.write_text(f'<template id="santong-report">{packed}</template>', encoding="utf-8")
    _, error = run("report", "check", file, "--data", tmp_path, code=2)
    assert "is no report" in error


def test_the_visit_list_alone_cannot_be_checked(county: County) -> None:
    """It has no report within, and says so."""
    out = county.data / "visits.html"
    archive = county.file("evidence.zip")
    run("report", "--evidence", archive, "--visits", "--out", out, "--data", county.data)
    _, error = run("report", "check", out, *county.options, code=2)
    assert "the visit list alone" in error


def test_without_hashes_figures_alone_are_compared(county: County) -> None:
    """--no-hashes leaves evidence unhashed; the check says that it compared figures alone."""
    out = county.data / "bare.json"
    days = ("--from", MONDAY, "--to", TUESDAY)
    run("report", *days, *county.options, "--no-hashes", "--out", out)
    found = county.check(out)
    assert (found["is_the_same"], found["not_compared"]) == (True, ["evidence"])
    shutil.copy(out, county.data / "copy.json")
    said, _ = run("report", "check", out, *county.options, "--lang", "en")
    assert "figures alone were compared" in said
    assert said.rstrip().endswith("come to.")


def all_pass(report: dict[str, Any]) -> None:
    """Turn every unit and target into one that passes, counts and all."""
    for target in report["targets"]:
        target["verdict"] = "pass"
        for unit in target["units"]:
            unit["verdict"] = "pass"
        total = len(target["units"])
        target["counts"] |= {"proven": total, "failing": 0, "unproven": 0}


def test_an_older_roster_that_never_was_explains_nothing(county: County) -> None:
    """A report of falsified verdicts that claims another day of its roster is altered, not late."""

    def change(report: dict[str, Any]) -> None:
        all_pass(report)
        report["basis"]["roster"][0]["effective"] = TUESDAY.isoformat()
        report["basis"]["disputes"] = ""

    file = edited(county, change)
    for found in (county.recheck(file, code=1), county.check(file, code=1)):
        assert {kind for kind, _, _ in named(found)} == {"altered"}


def test_a_moment_that_cannot_be_explains_nothing(county: County) -> None:
    """A report that says it was made before its days were over, with no evidence, is altered."""
    document = county.document()
    all_pass(document["report"])
    document["made"]["known"] = "2000-01-01T00:00:00+08:00"
    document["leaves"] = {day: {} for day in document["leaves"]}
    document["report"]["basis"]["evidence"] |= {"device_days": 0, "root": hashlib.sha256().hexdigest()}
    document["fingerprint"] = fingerprint(document["report"])
    file = county.data / "early.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    found = named(county.recheck(file, code=1))
    assert ("altered", "file", "made.known") in found
    assert "late" not in {kind for kind, _, _ in found}


def test_pages_that_cannot_be_compared_are_not_the_same(county: County) -> None:
    """Another version in a page makes its text no less falsified: exit code 1."""
    text = county.file("html").read_text(encoding="utf-8")
    packed = text.split('<template id="santong-report">')[1].split("<")[0]
    document = json.loads(gzip.decompress(base64.b64decode(packed)))
    document["made"]["version"] = document["made"]["software"]["santong"] = "0.0.9"
    again = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
    file = county.data / "old.html"
    file.write_text(text.replace(packed, again).replace(CLOSED, "ST-2019-01"), encoding="utf-8")
    assert ("unclear", "file", "face") in named(county.recheck(file, code=1))


def test_another_order_or_number_of_hashes_is_found(county: County) -> None:
    """What no single figure shows, the order of targets or how many days were hashed, is no report of this evidence."""
    order = edited(county, lambda report: report["targets"].reverse())
    assert named(county.recheck(order, code=1)) == {("altered", "file", "report")}
    more = edited(county, lambda report: report["basis"]["evidence"].update(device_days=9))
    assert ("altered", "file", "basis.evidence.device_days") in named(county.recheck(more, code=1))


def test_an_invented_correction_is_found(county: County) -> None:
    """A report that says it corrects another one, which its archive knows nothing of."""

    def change(report: dict[str, Any]) -> None:
        report["corrects"] = {
            "number": "ST-2019-01", "fingerprint": "x", "made_at": "2019-02-01T00:00:00+08:00", "rows": {"late": 3},
            "inputs": [], "reason": "", "targets": [], "units": [],
        }  # fmt: skip

    file = edited(county, change)
    assert ("altered", "figures", "corrects") in named(county.recheck(file, code=1))
    assert ("unclear", "file", "corrects") in named(county.check(file, code=1))


def test_a_report_of_days_whose_end_is_explained_later_is_the_same(county: County) -> None:
    """Evidence after a report was made explains the end of its days: the report is judged by what was known then."""
    out = county.data / "early.json"
    run("report", "--from", MONDAY, "--to", TUESDAY, *county.options, "--out", out)
    world = World()
    world.add("presence", CLASS_1, now_ns(), {"boot": "later", "uptime_s": 5.0, "lan": 1, "wan": 1})
    world.add("stop", CLASS_1, now_ns(), {"boot": "later", "uptime_s": 5.0, "reason": "shutdown"})
    county.add(world)
    assert county.check(out)["is_the_same"]


def test_a_sample_drawn_later_is_late(county: County) -> None:
    """A sample of the closed month's classes that is drawn and visited today moves no figure of the report."""
    words = ("--size", 1, "--day", MONDAY, "--target", "online", "--seed", "later", "--out", county.data / "sample")
    run("sample", "draw", *words, *county.options)
    found = county.check(county.file("json"))
    assert named(found) == {("late", "sampling", "")}
