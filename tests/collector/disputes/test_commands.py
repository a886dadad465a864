"""`santong dispute` and `santong verify`: what people see, and what scripts go by."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from collector.cli import app
from collector.disputes.ledger import RECORDS
from collector.disputes.schema import Reason
from collector.store.open import open_store
from collector.up import store_url
from tests.collector.verification.world import CLASS_1, CLASS_2, MONDAY, SCHOOL_1, TUESDAY, World

EXAM = ("--from", "2026-03-02", "--reason", "exam", "--text", "exam in all rooms", "--by", "a")
ROSTER = f"""site,name,device,role,room_id,class_name
{SCHOOL_1},清城一小,{CLASS_1},classroom,r1,七(1)班
{SCHOOL_1},清城一小,{CLASS_2},classroom,r2,七(2)班
"""
CALENDARS = """zone: Asia/Shanghai
holidays: none
default: all
calendars:
  all: {title: all, service: 08:00-12:00, every_day: true, follows_holidays: false}
"""
TARGETS = """id: test
title: {zh: 测试, en: test}
source: test
targets:
  - id: works
    title: {zh: 可用, en: works}
    scope: {role: [classroom]}
    unit: device
    good_when: [{all: [{reading: presence.lan, at_least: 1}]}]
    rule: {availability: 0.95}
    share: 1.0
    definition: {zh: 测试, en: a test}
"""


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return the data folder that the commands use."""
    folder = tmp_path / "data"
    for name in ("SANTONG_STORE", "SANTONG_ZONE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SANTONG_LANG", "en")
    monkeypatch.setenv("SANTONG_DATA", str(folder))
    yield folder


def run(*words: object, code: int = 0) -> Result:
    """Run a command; check its exit code, and that no traceback is shown."""
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, (done.output, done.exception)
    return done


def dispute(*words: object, code: int = 0) -> str:
    """Run `santong dispute`; return what it prints."""
    return run("dispute", *words, code=code).stdout


def tree(*words: object, code: int = 0) -> Any:
    """Return what `--json` prints."""
    return json.loads(run(*words, "--json", code=code).stdout)


def import_roster(tmp_path: Path) -> Path:
    """Make the roster of two classes the version in force."""
    file = tmp_path / "roster.csv"
    file.write_text(ROSTER, encoding="utf-8")
    run("roster", "import", file, "--yes", "--from", "2020-01-01")
    return file


def test_a_dispute_from_proposal_to_withdrawal() -> None:
    """Each step is one line that says what the dispute is now; all of them stay to be read."""
    what = "dispute 1  site 441802-1  2026-03-02  exam"
    assert dispute("propose", *EXAM, "--site", "441802-1") == f"{what}: proposed\n"
    assert dispute("approve", 1, "--by", "b", "--text", "seen") == f"{what}: approved\n"
    assert dispute("withdraw", 1, "--by", "b", "--text", "it was another day") == f"{what}: withdrawn\n"
    shown = dispute("show", 1).splitlines()
    assert shown[:2] == [what, "  withdrawn"]
    assert [line.split("  ")[2] for line in shown[2:]] == ["proposed", "approved", "withdrawn"]
    assert shown[-1].endswith("it was another day")
    found = tree("dispute", "show", 1)
    assert [(one["event"], one["by"], one["text"]) for one in found["events"]] == [
        ("proposed", "a", "exam in all rooms"),
        ("approved", "b", "seen"),
        ("withdrawn", "b", "it was another day"),
    ]
    assert (found["since"], found["until"]) == ("2026-03-02T00:00:00+08:00", "2026-03-03T00:00:00+08:00")
    assert (found["changes_verdicts"], found["stops_alerts"]) == (False, False)


def test_a_closure_stops_alerts_at_once() -> None:
    """It says so, in Chinese too."""
    closed = ("--from", "2026-03-02T13:30", "--to", "2026-03-04T08:00", "--reason", "weather-alarm", "--text", "台风")
    said = dispute("propose", *closed, "--closure", "--county", "441802", "--by", "a")
    assert said == (
        "closure 1  county 441802  2026-03-02 13:30 … 2026-03-04 08:00  weather alarm: proposed, stops alerts already\n"
    )
    said = dispute("approve", 1, "--by", "b", "--lang", "zh")
    assert said == "停用 1  区县 441802  2026-03-02 13:30 … 2026-03-04 08:00  气象预警停课: 已批准\n"


def test_list_shows_what_is_asked_for() -> None:
    """By state, kind and site; a county's are about each of its sites."""
    assert dispute("list") == "there are no disputes or closures\n"
    for number, scope in enumerate((("--site", "441802-1"), ("--county", "441802"), ("--device", "441803-1.c1")), 1):
        dispute("propose", *EXAM, *scope)
        if number == 3:
            dispute("approve", number, "--by", "b")
    dispute("propose", *EXAM, "--site", "441802-2", "--closure")

    def numbers(*words: object) -> list[int]:
        return [one["dispute"] for one in tree("dispute", "list", *words)]

    assert numbers() == [1, 2, 3, 4]
    assert numbers("--state", "approved") == [3]
    assert numbers("--kind", "closure") == [4]
    assert numbers("--site", "441802-1") == [1, 2]
    assert numbers("--site", "441803-1") == [3]
    table = dispute("list")
    assert "device 441803-1.c1" in table
    assert "proposed, stops alerts already" in table


def test_an_attachment_is_recorded_by_its_hash(tmp_path: Path) -> None:
    """The file stays where it is; whether a file is the one that was attached can be asked at any time."""
    letter, other = tmp_path / "停电通知.pdf", tmp_path / "other.pdf"
    letter.write_bytes(b"no power on Monday")
    other.write_bytes(b"no power on Tuesday")
    found = tree("dispute", "propose", *EXAM, "--site", "441802-1", "--attach", letter)
    sha256 = hashlib.sha256(b"no power on Monday").hexdigest()
    assert found["attachments"] == [{"name": "停电通知.pdf", "sha256": sha256, "bytes": 18}]
    assert dispute("check", letter).splitlines()[0] == f"{letter}: attached to dispute or closure 1"
    assert f"{other}: attached to no dispute as it is now" in dispute("check", letter, other, code=1)
    assert f"attachment: 停电通知.pdf  SHA-256 {sha256}" in dispute("show", 1)


def test_check_names_what_was_changed(data: Path) -> None:
    """Whole: the newest hash, to be noted elsewhere. Changed: the record, and exit code 1, from every command."""
    for scope in ("441802-1", "441802-2", "441802-3"):
        dispute("propose", *EXAM, "--site", scope)
    whole = tree("dispute", "check")
    assert (whole["records"], whole["disputes"], whole["problems"], whole["unfinished_bytes"]) == (3, 3, [], 0)
    assert dispute("check") == f"nothing was changed or removed; records: 3   SHA-256 of the newest: {whole['head']}\n"
    assert dispute("check", "--head", whole["head"][:12]) == dispute("check")
    file = data / "disputes" / RECORDS
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[2])
    wrong = "Something is wrong with the records of disputes and closures, or with what was asked: see above."
    assert dispute("check", code=1) == f"record 2: removed\n{wrong}\n"
    assert run("dispute", "list", code=2).stderr == (
        f"{file}: record 2: removed; `santong dispute check` names everything\n"
    )
    for name in (RECORDS, "head.json"):
        (data / "disputes" / name).unlink()
    dispute("propose", *EXAM, "--site", "441802-9")
    assert "no record has the hash" in dispute("check", "--head", whole["head"], code=1)


def test_an_unfinished_record_is_said(data: Path) -> None:
    """Whoever reads learns that it does not count, whoever writes next where it was put."""
    dispute("propose", *EXAM, "--site", "441802-1")
    file = data / "disputes" / RECORDS
    file.write_bytes(file.read_bytes() + b'{"record":2,"prev')
    assert "an unfinished record stands at the end" in run("dispute", "list").stderr
    assert "an unfinished record stands at the end" in dispute("check")
    assert "are set aside in torn-1" in run("dispute", "propose", *EXAM, "--site", "441802-1").stderr
    assert tree("dispute", "check")["records"] == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (EXAM, "name whom it is about with one of --county, --site, --room and --device"),
        (
            (*EXAM, "--site", "441802-1", "--device", "441802-1.c1"),
            "name whom it is about with one of --county, --site, --room and --device",
        ),
        ((*EXAM, "--site", "Example"), "'Example' is not the id of a site"),
        (
            ("--from", "2026-03-02", "--reason", "exams", "--text", "x", "--site", "441802-1"),
            "--reason: 'exams' is not known; did you mean exam",
        ),
        (
            ("--from", "2.3.2026", "--reason", "exam", "--text", "x", "--site", "441802-1"),
            "--from: '2.3.2026' is neither a day such as 2026-03-02 nor an instant such as 2026-03-02T08:00",
        ),
        (
            (
                "--from",
                "2026-03-02T25:00",
                "--to",
                "2026-03-03",
                "--reason",
                "exam",
                "--text",
                "x",
                "--site",
                "441802-1",
            ),
            "--from: '2026-03-02T25:00' is neither a day such as 2026-03-02 nor an instant such as 2026-03-02T08:00",
        ),
        (
            ("--from", "2026-03-02T08:00", "--reason", "exam", "--text", "x", "--site", "441802-1"),
            "--to: give the instant at which it ends",
        ),
        (
            (*EXAM, "--to", "2026-03-01", "--site", "441802-1"),
            "the period must end after it begins, and 2026-03-02T00:00:00+08:00 is not after 2026-03-02T00:00:00+08:00",
        ),
        ((*EXAM, "--site", "441802-1", "--attach", "/no/such/letter"), "/no/such/letter: No such file or directory"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line(words: tuple[str, ...], line: str, data: Path) -> None:
    """A sentence that says what to do, exit code 2, and nothing is recorded."""
    assert run("dispute", "propose", *words, code=2).stderr == f"{line}\n"
    assert not (data / "disputes" / RECORDS).exists()


def test_decisions_about_what_is_not_there_are_one_line(data: Path) -> None:
    """No folder, no such number, a filter that is no state."""
    said = f"{data / 'disputes'}: there are no disputes yet (--data names the folder above it)\n"
    assert run("dispute", "approve", 1, code=2).stderr == said
    assert not data.exists()
    dispute("propose", *EXAM, "--site", "441802-1")
    assert run("dispute", "reject", 2, "--text", "no", "--by", "b", code=2).stderr == "there is no dispute 2\n"
    assert run("dispute", "show", 2, code=2).stderr == "there is no dispute 2; `santong dispute list` names them\n"
    assert run("dispute", "list", "--state", "aproved", code=2).stderr == (
        "--state: 'aproved' is not known; did you mean approved\n"
    )


def test_names_are_those_of_the_roster(tmp_path: Path) -> None:
    """Where there is a roster a slip of the pen is found; a room goes by its class's name, too."""
    import_roster(tmp_path)
    for option, wrong, right in (
        ("--site", SCHOOL_1[:-1], SCHOOL_1),
        ("--device", f"{CLASS_1}1", CLASS_1),
        ("--room", f"{SCHOOL_1}/r11", f"{SCHOOL_1}/r1"),
    ):
        said = run("dispute", "propose", *EXAM, option, wrong, code=2).stderr
        assert said == f"{option}: {wrong!r} is not known; did you mean {right}\n"
    for name in ("七(2)班", "r2", f"{SCHOOL_1}/r2"):
        found = tree("dispute", "propose", *EXAM, "--site", SCHOOL_1, "--room", name)
        assert found["scope"] == {"room": f"{SCHOOL_1}/r2"}
    assert run("dispute", "propose", *EXAM, "--county", "441803", code=2).stderr == (
        "--county: '441803' is not known; did you mean 441802\n"
    )


def test_every_reason_can_be_proposed_in_both_languages() -> None:
    """Each code of the list has its words."""
    for reason in Reason:
        more = ("--finding", "place") if reason is Reason.EVIDENCE_COUNTS else ()
        what = ("--from", "2026-03-02", "--reason", reason, "--text", "x", "--device", "441802-1.c1", *more)
        found = tree("dispute", "propose", *what)
        assert all(found["reason_title"].values())
    assert dispute("list", "--lang", "zh").count("待批准") == len(Reason)


def test_verify_says_both_figures(data: Path, tmp_path: Path) -> None:
    """
    A class without power on Monday fails; with the maintenance that two people agreed on it is proven.

    Both are printed, the records that were taken are named, and --no-disputes gives the figure without alone. Records
    that were changed are no ground for a figure: one line, exit code 2; without them it can be verified.
    """
    import_roster(tmp_path)
    (data / "calendars.yaml").write_text(CALENDARS)
    (tmp_path / "targets.yaml").write_text(TARGETS)
    store, world = open_store(store_url(data)), World()
    store.prepare()
    for device in (CLASS_1, CLASS_2):
        world.works(device, TUESDAY)
    world.works(CLASS_1, MONDAY)
    world.works(CLASS_2, MONDAY, "07:30", "09:00")
    world.write(store)
    store.close()
    asked = ("verify", "--from", MONDAY, "--to", TUESDAY, "--targets", tmp_path / "targets.yaml")
    assert "without disputes" not in run(*asked, code=1).stdout
    what = ("--from", MONDAY, "--reason", "power-maintenance", "--text", "x", "--by", "a")
    dispute("propose", *what, "--site", SCHOOL_1, "--room", "七(2)班")
    assert tree(*asked, code=1)["targets"][0]["without_disputes"] is None
    dispute("approve", 1, "--by", "b")
    said = run(*asked).stdout
    assert "without disputes and closures: FAIL  proven 1, failing 1, unproven 0, working 780," in said
    assert "with disputes and closures: PASS  proven 2, failing 0, unproven 0, working 720," in said
    assert f"  dispute 1  room {SCHOOL_1}/r2  {MONDAY}  power maintenance by the grid" in said
    found = tree(*asked)
    (target,) = found["targets"]
    assert (target["verdict"], target["without_disputes"]["verdict"]) == ("pass", "fail")
    assert [one["dispute"] for one in found["disputes"]["taken"]] == [1]
    assert found["disputes"]["head"] == tree("dispute", "check")["head"]
    off = tree(*asked, "--no-disputes", code=1)
    assert (off["targets"][0]["verdict"], off["targets"][0]["without_disputes"]) == ("fail", None)
    assert off["disputes"]["taken"] == []
    file = data / "disputes" / RECORDS
    file.write_bytes(file.read_bytes().replace(b'"by":"a"', b'"by":"c"'))
    assert run(*asked, code=2).stderr == (
        f"{file}: record 1: changed since record 2 was written; `santong dispute check` names everything\n"
    )
    assert tree(*asked, "--no-disputes", code=1)["targets"] == off["targets"]
