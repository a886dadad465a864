"""`santong close`: a month frozen with its evidence; what comes later is a numbered correction."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from datetime import datetime

import openpyxl
import pytest

from collector.archive.keys import Signer
from collector.archive.read import Archive
from tests.collector.closing.conftest import CLOSED, FIRST, KINDS, MONTH, TUESDAY, County
from tests.collector.commands import run
from tests.collector.verification.world import CLASS_1, CLASS_2, MINUTE_NS, ZONE, World, at, now_ns
from tests.processes import BIN

CORRECTION = f"{CLOSED}-C1"


def come_late(county: County) -> None:
    """Have presences of Tuesday evening come today, marked by the collector as late, as after an outage."""
    world = World()
    for number in range(20):
        time_ns = at(TUESDAY, "20:00") + number * MINUTE_NS
        world.add("presence", CLASS_1, time_ns, {"boot": "later", "uptime_s": 600.0 + 60 * number, "lan": 1, "wan": 1})
    world.late(CLASS_1, at(TUESDAY, "20:00"), at(TUESDAY, "20:19"), now_ns())
    county.add(world)


def test_a_closed_month_has_report_and_evidence_and_is_signed(county: County) -> None:
    """There is the report in four kinds, its archive, and a signed record; --list says that all is as signed."""
    names = {file.name for file in (county.data / "reports" / CLOSED).iterdir()}
    assert names == {f"{CLOSED}.{kind}" for kind in (*KINDS, "evidence.zip")} | {
        "closing.json",
        "closing.sig",
        "public.pem",
    }
    document = county.document()
    assert (document["report"]["number"], document["report"]["from"]) == (CLOSED, FIRST.isoformat())
    (listed,) = json.loads(run("close", "--list", "--json", "--data", county.data)[0])
    assert (listed["id"], listed["fingerprint"], listed["flaws"]) == (CLOSED, document["fingerprint"], [])


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_recomputed_from_the_archive_alone(county: County, kind: str) -> None:
    """With no store, no roster and no calendar but the archive's, each file of the report is the same, to the cell."""
    found = county.recheck(county.file(kind))
    assert (found["is_the_same"], found["differences"], found["not_compared"]) == (True, [], [])
    assert found["device_days"] == 4


def test_the_fingerprint_does_not_depend_on_when_it_is_closed(county: County) -> None:
    """A report of the same month, from the archive, has the fingerprint of the closed one, whatever the day today."""
    out = county.data / "again.json"
    archive = county.file("evidence.zip")
    run("report", "--evidence", archive, "--out", out, "--number", CLOSED, "--data", county.data)
    assert json.loads(out.read_text(encoding="utf-8"))["fingerprint"] == county.document()["fingerprint"]


def test_nothing_changed_is_no_correction(county: County) -> None:
    """Closed again with the same evidence there is nothing to correct, and nothing is written."""
    out, _ = county.close("--json")
    assert json.loads(out) == {"closed": None, "since": CLOSED}
    assert [one.name for one in (county.data / "reports").iterdir()] == [CLOSED]


def test_late_evidence_gives_a_numbered_correction(county: County) -> None:
    """The correction names what it corrects and how many rows came late; the first report stays and can be checked."""
    come_late(county)
    county.close("--reason", "停电后补传")
    corrects = county.document(CORRECTION)["report"]["corrects"]
    assert (corrects["number"], corrects["fingerprint"]) == (CLOSED, county.document()["fingerprint"])
    assert (corrects["rows"], corrects["inputs"], corrects["reason"]) == ({"late": 21}, [], "停电后补传")
    for kind in KINDS:
        assert county.recheck(county.file(kind, CORRECTION), CORRECTION)["is_the_same"]
        assert county.recheck(county.file(kind))["is_the_same"]
    first, second = json.loads(run("close", "--list", "--json", "--data", county.data)[0])
    assert (second["corrects"], second["number"], second["sequence"]) == (CLOSED, CORRECTION, 2)
    assert first["flaws"] == second["flaws"] == []
    assert json.loads(county.close("--json")[0]) == {"closed": None, "since": CORRECTION}


def test_a_correction_shows_which_figures_moved(county: County) -> None:
    """A closure approved after the month was closed moves figures: the correction has them before and now."""
    dispute = ("dispute", "propose", "--site", CLASS_2.partition(".")[0], "--reason", "network-works")
    words = ("--from", FIRST, "--to", TUESDAY, "--text", "线路施工", "--by", "甲", "--data", county.data)
    run(*dispute, *words)
    run("dispute", "approve", "1", "--by", "乙", "--data", county.data)
    county.close("--lang", "zh")
    before, now = county.document()["report"], county.document(CORRECTION)["report"]
    corrects = now["corrects"]
    assert corrects["inputs"] == ["disputes"]
    (moved,) = [one for one in corrects["targets"] if one["id"] == "online"]
    old, new = (next(one for one in some["targets"] if one["id"] == "online") for some in (before, now))
    assert (moved["verdict_before"], moved["verdict_now"]) == (old["verdict"], new["verdict"])
    assert (moved["low_before"], moved["low_now"]) == (old["rate"]["low"], new["rate"]["low"])
    assert {one["id"] for one in corrects["units"]} >= {f"{CLASS_2.partition('.')[0]}/7-2"}
    sheet = openpyxl.load_workbook(county.file("xlsx", CORRECTION)).worksheets[0]
    told = {str(row[0]): str(row[1]) for row in sheet.iter_rows(values_only=True)}
    assert told["更正"].startswith(CLOSED)
    assert county.check(county.file("json"))["counts"]["late"] >= 1


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE presence SET wan = 1 WHERE device = ? AND time = ?", "altered"),
        ("DELETE FROM presence WHERE device = ? AND time = ?", "missing"),
        ("UPDATE presence SET device = '441802-3144001234.c0799' WHERE device = ? AND time = ?", "exchanged"),
    ],
)
def test_altered_evidence_is_no_correction(county: County, statement: str, kind: str) -> None:
    """One row that was altered, deleted or moved: nothing is written, and one line says what and how to look at it."""
    county.tamper(statement, CLASS_2, at(TUESDAY, "09:00"))
    _, error = county.close("--lang", "en", code=1)
    assert f"({kind} 1)" in error
    assert "santong evidence check" in error
    assert len(error.splitlines()) == 1
    assert [one.name for one in (county.data / "reports").iterdir()] == [CLOSED]
    found = run("evidence", "check", county.file("evidence.zip"), "--data", county.data, "--json", code=1)[0]
    (named,) = json.loads(found)["differences"]
    assert (named["kind"], named["device"], named["day"]) == (kind, CLASS_2, TUESDAY.isoformat())


def test_a_correction_despite_alterations_says_so(county: County) -> None:
    """Whoever corrects over altered evidence has it in the report."""
    county.tamper("UPDATE presence SET wan = 1 WHERE device = ? AND time = ?", CLASS_2, at(TUESDAY, "09:00"))
    county.close("--despite-alterations", "--no-pdf", "--lang", "en")
    assert county.document(CORRECTION)["report"]["corrects"]["rows"] == {"altered": 1}
    assert "altered 1" in county.file("html", CORRECTION).read_text(encoding="utf-8")
    assert not county.file("pdf", CORRECTION).exists()


def test_what_was_closed_and_changed_is_named(county: County) -> None:
    """A file that is not what was signed is named, exit code 1; a record that was changed cannot be read, 2."""
    file = county.file("html")
    file.write_bytes(file.read_bytes() + b" ")
    out, _ = run("close", "--list", "--data", county.data, "--lang", "en", code=1)
    assert f"{file}: is not what was signed" in out
    record = county.data / "reports" / CLOSED / "closing.json"
    record.write_bytes(record.read_bytes().replace(b'"sequence": 1', b'"sequence": 2'))
    _, error = run("close", "--list", "--data", county.data, code=2)
    assert "was changed after it was signed" in error


def test_a_closing_that_was_taken_away_is_missed(county: County) -> None:
    """Closings are a chain: when an earlier one is gone, the one after it says so."""
    come_late(county)
    county.close("--no-pdf")
    shutil.rmtree(county.data / "reports" / CLOSED)
    _, error = run("close", "--list", "--data", county.data, code=2)
    assert "closing 1 is missing" in error


def test_an_archive_that_was_altered_cannot_be_corrected_over(county: County) -> None:
    """The archive of the closed month is compared with its signature before anything is compared with it."""
    file = county.file("evidence.zip")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    _, error = county.close(code=2)
    assert f"{file}: is not what was signed" in error


def test_killed_in_the_middle_nothing_is_there(county: County) -> None:
    """Killed while it writes there is no half closing; the next one removes what was left, and closes."""
    shutil.rmtree(county.data / "reports")
    line = [str(BIN / "santong"), "close", MONTH, *map(str, county.options)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        until = time.monotonic() + 60
        while not list((county.data / "reports").glob(".new-*/*.zip")) and time.monotonic() < until:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert [one.name[:5] for one in (county.data / "reports").iterdir()] == [".new-"]
    county.close("--no-pdf")
    assert [one.name for one in (county.data / "reports").iterdir()] == [CLOSED]


def test_what_cannot_be_closed_is_said_in_a_line(county: County) -> None:
    """A month that is not over, one that is none, no month, no key: one line, exit code 2, and nothing is there."""
    running = f"{datetime.now(ZONE):%Y-%m}"
    for words, said in (((running,), "is not over yet"), (("2026-13",), "is not a month"), ((), "which month")):
        _, error = run("close", *words, *county.options, code=2)
        assert said in error
        assert len(error.splitlines()) == 1
    (county.data / "evidence" / "key.pem").unlink()
    shutil.rmtree(county.data / "reports")
    _, error = county.close(code=2)
    assert "santong evidence key" in error
    assert not list((county.data / "reports").glob("*")) if (county.data / "reports").exists() else True


def test_a_county_of_a_closed_month_is_reported_from_its_archive(county: County) -> None:
    """From the archive any part can be reported and checked: a site, a target, in either language."""
    out = county.data / "site.pdf"
    site = CLASS_1.partition(".")[0]
    run(
        "report",
        "--evidence",
        county.file("evidence.zip"),
        "--site",
        site,
        "--out",
        out,
        "--data",
        county.data,
        "--lang",
        "en",
    )
    assert county.recheck(out)["is_the_same"]


def test_a_number_of_ones_own_is_on_the_report(county: County) -> None:
    """The bureau's own number of a document is the report's; the folder keeps a name that any disk can hold."""
    shutil.rmtree(county.data / "reports")
    county.close("--number", "清教信〔2026〕12号", "--by", "信息中心", "--no-pdf")
    (listed,) = json.loads(run("close", "--list", "--json", "--data", county.data)[0])
    assert (listed["id"], listed["number"], listed["closed_by"]) == (CLOSED, "清教信〔2026〕12号", "信息中心")
    assert county.document()["report"]["number"] == "清教信〔2026〕12号"
    with Archive(county.file("evidence.zip")) as archive:
        assert archive.manifest.first == FIRST
    assert os.access(county.file("json"), os.R_OK)


def test_a_month_closed_by_the_example_calendars_says_so(county: County) -> None:
    """Whoever has no calendars of their own is told, since the example's school days decide of the figures."""
    shutil.rmtree(county.data / "reports")
    (county.data / "calendars.yaml").unlink()
    _, error = county.close("--no-pdf", "--lang", "en")
    assert "calendars.yaml" in error
    exported = ("evidence", "export", "--from", FIRST, "--to", TUESDAY, "--out", county.data / "a.zip", *county.options)
    assert "calendars.yaml" in run(*exported, "--lang", "en")[1]


def test_what_does_not_concern_the_month_is_no_correction(county: County) -> None:
    """A machine that stops today, and a dispute about another month that is only proposed: nothing is corrected."""
    world = World()
    world.add("stop", CLASS_1, now_ns(), {"boot": "later", "uptime_s": 60.0, "reason": "shutdown"})
    county.add(world)
    words = ("--from", f"{datetime.now(ZONE):%Y-%m-%d}", "--text", "x", "--by", "甲", "--data", county.data)
    run("dispute", "propose", "--site", CLASS_1.partition(".")[0], "--reason", "exam", *words)
    assert json.loads(county.close("--json")[0]) == {"closed": None, "since": CLOSED}
    assert [one.name for one in (county.data / "reports").iterdir()] == [CLOSED]


def test_a_closing_signed_by_another_key_is_refused(county: County) -> None:
    """Whoever signs a closing anew with a key of his own is found by the key that DATA has."""
    folder, other = county.data / "reports" / CLOSED, county.data / "other"
    run("evidence", "key", "--data", other)
    signer = Signer(other)
    record = (folder / "closing.json").read_bytes()
    (folder / "closing.sig").write_bytes(signer.sign(record))
    (folder / "public.pem").write_bytes(signer.public)
    assert "signed by another key" in run("close", "--list", "--data", county.data, code=2)[1]


def test_a_file_that_was_put_in_is_named(county: County) -> None:
    """A file beside those that were signed is none of them."""
    (county.data / "reports" / CLOSED / "extra.pdf").write_bytes(b"x")
    assert "extra.pdf" in run("close", "--list", "--data", county.data, code=1)[0]


@pytest.mark.parametrize("option", ["--reason", "--by", "--number"])
def test_what_cannot_be_printed_is_refused_before_anything_is_done(county: County, option: str) -> None:
    """A line break in a name would make two lines of a list of one."""
    _, error = county.close(option, "a\nb", code=2)
    assert error.startswith(option)


def test_an_archive_with_a_store_of_its_own_is_refused(county: County) -> None:
    """A file in an archive that is none of its members could stand in the way of what is judged, though signed."""
    file, evil = county.file("evidence.zip"), county.data / "evil.zip"
    body = b"x"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(evil, "w") as new:
        tree = json.loads(old.read("manifest.json"))
        tree["members"].append({"name": "evidence.sqlite", "bytes": 1, "sha256": hashlib.sha256(body).hexdigest()})
        manifest = json.dumps(tree).encode()
        changed = {"manifest.json": manifest, "manifest.sig": Signer(county.data).sign(manifest)}
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))
        new.writestr("evidence.sqlite", body)
    for words in (("evidence", "check", evil), ("verify", "--evidence", evil)):
        assert "'evidence.sqlite' is no member" in run(*words, "--data", county.data, code=2)[1]
