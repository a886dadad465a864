"""`santong roster`: what people see, and the exit codes that scripts go by."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from collector.cli import app
from collector.roster.versions import Versions
from tests.collector.roster.tables import DEVICE, SITE, save, sites
from tests.collector.roster.test_round_trip import EXAMPLE

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()
HEAD = "device,role,class_name\n"


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANTONG_LANG", "en")
    monkeypatch.setenv("SANTONG_DATA", str(tmp_path / "data"))


def run(*words: object, answer: str | None = None, code: int = 0) -> Result:
    """Run a command; check its exit code."""
    done = CliRunner().invoke(app, ["roster", *map(str, words)], input=answer)
    assert done.exit_code == code, done.output
    return done


def files(folder: Path, *devices: str) -> list[Path]:
    """Write a roster with these devices."""
    rows = "".join(f"{SITE}.{name},classroom,{name}班\n" for name in devices)
    return [sites(folder), save(folder, HEAD + rows)]


def tree(*words: object, code: int = 0) -> Any:
    """Return what `--json` prints."""
    return json.loads(run(*words, "--json", code=code).stdout)


def test_the_example_is_fine() -> None:
    """What is shipped to begin with has no mistake, and no warning."""
    done = run("check", EXAMPLE / "sites.csv", EXAMPLE / "devices.csv")
    assert done.output == "sites 5, devices 11, mistakes 0, warnings 0\n"


def test_check_says_everything_and_exits_1(tmp_path: Path) -> None:
    """A line for each mistake, then how many; profiles are those of the library and of the own folder."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/our-panel.yaml").write_text("")
    table = f"site,name,device,role,profile\n{SITE},x,c1,classroom,our-panel\n441812-2,y,c1,classroom,openwr\n"
    file = save(tmp_path, table)
    done = run("check", file, "--folder", tmp_path / "own", code=1)
    assert done.stdout.splitlines() == [
        f"{file}:3: site: warning: the county 441812 is not known, did you mean 441882",
        f"{file}:3: profile: there is no profile openwr, did you mean openwrt",
        "sites 2, devices 2, mistakes 1, warnings 1",
    ]
    found = tree("check", file, "--county", "441812", "--county", "441802", code=1)
    assert (found["sites"], found["devices"]) == (2, 2)
    assert [finding["message"].split(",")[0] for finding in found["findings"]] == [
        "there is no profile our-panel; `santong profiles list` names them",
        "there is no profile openwr",
    ]


def test_a_calendar_that_nobody_wrote_is_a_mistake(tmp_path: Path) -> None:
    """Known are those of the data folder, or of --calendars; without either those of the shipped example."""
    own = save(tmp_path, "default: banbantong\ncalendars: {banbantong: {title: 班班通, service: always}}\n", "own.yaml")
    file = save(tmp_path, f"site,name,calendar\n{SITE},x,banbantong\n441802-2,y,primry\n")
    assert run("check", file, code=1).stdout.splitlines() == [
        f"{file}:2: calendar: there is no calendar banbantong",
        f"{file}:3: calendar: there is no calendar primry, did you mean primary",
        "sites 2, devices 0, mistakes 2, warnings 0",
    ]
    assert f"{file}:3: calendar: there is no calendar primry" in run("import", file, "--yes", code=1).stderr
    wanted = f"{file}:3: calendar: there is no calendar primry\nsites 2, devices 0, mistakes 1, warnings 0\n"
    assert run("check", file, "--calendars", own, code=1).stdout == wanted
    assert "primry" in run("diff", file, "--calendars", own, code=2).stderr
    (tmp_path / "data").mkdir()
    own.rename(tmp_path / "data/calendars.yaml")
    assert run("check", file, code=1).stdout == wanted


def test_a_file_that_is_not_there_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """As of every command."""
    assert run("check", tmp_path / "x.csv", code=2).stderr == f"{tmp_path}/x.csv: No such file or directory\n"


def test_an_import_shows_the_difference_asks_and_keeps_it(tmp_path: Path) -> None:
    """No leaves everything as it was; yes makes a version from today on."""
    refused = run("import", *files(tmp_path, "c1"), answer="n\n", code=1)
    assert f"+ {SITE}.c1  classroom  c1班" in refused.stdout
    assert "Make it the new version?" in refused.stderr
    assert Versions(tmp_path / "data").every() == []
    done = run("import", *files(tmp_path, "c1"), answer="y\n")
    (version,) = Versions(tmp_path / "data").every()
    assert done.stdout.endswith(f"imported as version 1, {TODAY}, {version.sha256[:12]}\n")
    assert version.effective == TODAY


def test_an_import_without_an_answer_imports_nothing(tmp_path: Path) -> None:
    """A script that forgot --yes is not taken for a yes."""
    run("import", *files(tmp_path, "c1"), answer="", code=1)
    assert Versions(tmp_path / "data").every() == []


def test_the_same_again_says_so_and_asks_nothing(tmp_path: Path) -> None:
    """Exit code 0: all is as it should be."""
    run("import", *files(tmp_path, "c1"), "--yes")
    done = run("import", *files(tmp_path, "c1"))
    assert done.stdout.startswith("the roster is the same: 1, ")
    assert tree("import", *files(tmp_path, "c1"))["same_as"] == 1
    assert len(Versions(tmp_path / "data").every()) == 1


def test_a_dry_run_only_shows(tmp_path: Path) -> None:
    """The preview, and nothing else."""
    assert "devices: added 1" in run("import", *files(tmp_path, "c1"), "--dry-run").stdout
    assert not (tmp_path / "data").exists()


def test_mistakes_stop_an_import_and_warnings_do_not(tmp_path: Path) -> None:
    """Everything that is wrong is said, on stderr; nothing is imported."""
    bad = save(tmp_path, f"{HEAD}{DEVICE},x9,\n")
    done = run("import", sites(tmp_path), bad, "--yes", code=1)
    assert f"{bad}:2: role: 'x9' is not a role" in done.stderr
    assert done.stderr.endswith("sites 2, devices 1, mistakes 1, warnings 0\n")
    assert Versions(tmp_path / "data").every() == []
    other = save(tmp_path, "site,name\n310101-1,x\n", "other.csv")
    done = run("import", other, "--yes")
    assert "warning: the county 310101 is not known" in done.stderr
    assert len(Versions(tmp_path / "data").every()) == 1


def test_a_change_of_the_past_is_said_plainly(tmp_path: Path) -> None:
    """Before anybody says yes: which days that are over would have another roster."""
    ago = [TODAY - timedelta(days) for days in (30, 20, 10, 1)]
    run("import", *files(tmp_path, "c1"), "--from", ago[0], "--yes")
    run("import", *files(tmp_path, "c1", "c2"), "--from", ago[1], "--yes")
    past = run("import", *files(tmp_path, "c1", "c3"), "--from", ago[2], "--dry-run").stdout
    assert f"in force: {ago[2]} – no end\n! this changes days that are past: {ago[2]} – {ago[3]}\n" in past
    assert f"− {SITE}.c2" in past
    assert "past" not in run("import", *files(tmp_path, "c1", "c3"), "--dry-run").stdout
    first = run("import", *files(tmp_path, "c3"), "--from", ago[0] - timedelta(5), "--dry-run").stdout
    assert f"! this changes days that are past: the beginning – {ago[0] - timedelta(1)}\n" in first
    found = tree("import", *files(tmp_path, "c1", "c3"), "--from", ago[2], "--dry-run")
    assert found["changes_past_days"] == {"first": str(ago[2]), "last": str(ago[3])}


def test_a_wrong_date_is_one_line(tmp_path: Path) -> None:
    """And nothing is read before it."""
    assert run("import", *files(tmp_path, "c1"), "--from", "x", code=2).stderr == (
        "--from: 'x' is not a date such as 2025-09-01\n"
    )
    assert run("show", "--day", "y", code=2).stderr == "--day: 'y' is not a date such as 2025-09-01\n"


def test_diff_compares_files_and_versions(tmp_path: Path) -> None:
    """Files, or a version, with what is in force or another version; else that in force with the one before."""
    run("import", *files(tmp_path, "c1"), "--yes")
    run("import", *files(tmp_path, "c1", "c2"), "--yes")
    third = files(tmp_path, "c2", "c3")

    def changed(*words: object) -> tuple[list[str], list[str]]:
        found = tree("diff", *words, code=1)["devices"]
        return found["added"], found["retired"]

    assert changed(*third) == ([f"{SITE}.c3"], [DEVICE.replace("c0101", "c1")])
    assert changed(*third, 1) == ([f"{SITE}.c2", f"{SITE}.c3"], [f"{SITE}.c1"])
    assert changed(1) == ([f"{SITE}.c2"], [])
    assert changed(2, 1) == ([], [f"{SITE}.c2"])
    assert changed() == ([f"{SITE}.c2"], [])
    assert run("diff", 2).stdout == "the roster is the same\n"
    assert "devices: added 1, retired 0, changed 0" in run("diff", 1, code=1).stdout


def test_diff_says_what_it_cannot_compare(tmp_path: Path) -> None:
    """One line each, exit code 2."""
    assert "there is no roster yet" in run("diff", code=2).stderr
    assert "two versions" in run("diff", 1, 2, 3, code=2).stderr
    assert "two versions" in run("diff", *files(tmp_path, "c1"), 1, 2, code=2).stderr
    run("import", *files(tmp_path, "c1"), "--yes")
    assert "version 1 is the first" in run("diff", code=2).stderr
    assert "there is no version 9" in run("diff", 9, code=2).stderr
    bad = save(tmp_path, "x\n1\n", "bad.csv")
    assert "bad.csv: has no column" in run("diff", bad, code=2).stderr


def test_before_the_first_import_files_are_compared_with_nothing(tmp_path: Path) -> None:
    """All of it is new."""
    assert tree("diff", *files(tmp_path, "c1"), code=1)["devices"]["added"] == [f"{SITE}.c1"]


def test_list_shows_versions_and_which_one_is_in_force(tmp_path: Path) -> None:
    """In the order of import."""
    assert run("list").stdout == "no roster was imported yet\n"
    run("import", *files(tmp_path, "c1"), "--yes")
    run("import", *files(tmp_path, "c1", "c2"), "--from", TODAY + timedelta(1), "--yes")
    shown = run("list").stdout
    assert "1 *" in shown
    assert "2 *" not in shown
    assert "sites.csv, devices.csv" in shown
    assert [(row["number"], row["is_in_force"], row["devices"]) for row in tree("list")] == [
        (1, True, 1),
        (2, False, 2),
    ]


def test_what_show_prints_is_the_same_roster(tmp_path: Path) -> None:
    """It can be edited in a spreadsheet and imported again; by day, or by version."""
    run("import", *files(tmp_path, "c1"), "--yes")
    run("import", *files(tmp_path, "c1", "c2"), "--from", TODAY + timedelta(1), "--yes")
    shown = save(tmp_path, run("show").stdout, "shown.csv")
    assert run("import", shown, "--yes").stdout.startswith("the roster is the same: 1, ")
    assert f"{SITE}.c2" not in run("show").stdout
    assert f"{SITE}.c2" in run("show", "--day", TODAY + timedelta(1)).stdout
    assert run("show", "--version", 2).stdout == run("show", "--day", TODAY + timedelta(1)).stdout
    assert "give one of them" in run("show", "--version", 2, "--day", TODAY, code=2).stderr


def test_the_words_are_chinese_where_people_are(tmp_path: Path) -> None:
    """`--lang zh`, or the terminal's language."""
    done = run("import", *files(tmp_path, "c1"), "--yes", "--lang", "zh")
    assert "设备: 新增 1, 注销 0, 变更 0" in done.stdout
    assert "已导入为版本 1, " in done.stdout


def test_a_collector_never_loads_a_spreadsheet_library(tmp_path: Path) -> None:
    """What runs for months reads stored versions, which are CSV: openpyxl costs 20 MB."""
    run("import", *files(tmp_path, "c1"), "--yes")
    program = (
        "import sys, zoneinfo, pathlib\n"
        "from collector.roster.speakers import RosterSpeakers\n"
        f"RosterSpeakers(pathlib.Path({str(tmp_path / 'data')!r}), zoneinfo.ZoneInfo('UTC'))()\n"
        "sys.exit('openpyxl' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
