"""`santong calendar`, as people and scripts use it: real programs, clear words, exit codes that mean it."""

import json
from pathlib import Path

import pytest

from collector.calendars.load import SHIPPED
from tests.collector.calendars.test_calendar import SCHOOL
from tests.collector.commands import run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a data folder's calendars."""
    file = tmp_path / "calendars.yaml"
    file.write_text(SCHOOL, encoding="utf-8")
    return file


def test_a_week_of_a_site(file: Path) -> None:
    """Each day is a line: what it is, why, hours, lessons, and what is excluded with its title."""
    out, _ = run("calendar", "show", "441802-1", "--week", "2026-04-08", "--data", file.parent, "--lang", "zh")
    head, _, _, *days = out.splitlines()
    assert head == f"441802-1  （台账中没有）  school  小学  (Asia/Shanghai, {file})"
    assert days[0].replace("│", " ").split() == ["2026-04-06", "周一", "节假日", "清明节"]
    assert [part.strip() for part in days[1].split("│")] == [
        "2026-04-07", "周二", "工作日", "第二学期", "07:30-17:30", "08:20-09:00 09:10-09:50", "",
    ]  # fmt: skip
    assert days[5].split("│")[-1].strip() == "22:00-24:00 割接"
    assert len([line for line in days if line.startswith("2026-04-")]) == 7


def test_a_week_of_a_calendar(file: Path) -> None:
    """A calendar can be shown by its name; closures of single counties are not its own."""
    out, _ = run("calendar", "show", "station", "--week", "2026-05-18", "--calendars", file, "--lang", "en")
    assert out.startswith("station  车站")
    assert out.count("all day") == 7


def test_a_week_for_scripts(file: Path) -> None:
    """--json has local times with their offset, and minutes."""
    out, _ = run("calendar", "show", "441802-3144001234", "--week", "2026-05-20", "--calendars", file, "--json")
    shown = json.loads(out)
    assert {name: shown[name] for name in ("calendar", "site", "zone", "file")} == {
        "calendar": "school",
        "site": "441802-3144001234",
        "zone": "Asia/Shanghai",
        "file": str(file),
    }
    monday, _, wednesday, *_ = shown["days"]
    assert (monday["day"], monday["kind"]) == ("2026-05-18", "workday")
    assert monday["service"] == [
        {"from": "2026-05-18T07:30:00+08:00", "to": "2026-05-18T17:30:00+08:00", "minutes": 600}
    ]
    assert (wednesday["kind"], wednesday["title"]) == ("closed", {"zh": "暴雨停课", "en": "heavy rain"})
    out, _ = run("calendar", "show", "441802-1", "--week", "2026-04-12", "--calendars", file, "--json")
    (one,) = json.loads(out)["days"][5]["maintenance"]
    assert one["title"] == {"zh": "割接", "en": "fibre moved"}
    assert one["minutes"] == 120


def rostered(data: Path, row: str, since: str) -> None:
    """Import a roster of one site."""
    table = data / "sites.csv"
    table.write_text(f"site,name,calendar\n{row}\n", encoding="utf-8")
    run("roster", "import", table, "--from", since, "--yes", "--data", data)


def test_a_site_has_the_calendar_that_the_roster_gives_it(file: Path) -> None:
    """Its row names the calendar, by the version in force on each day; without one it is the county's."""
    show = ("calendar", "show", "441802-1", "--week", "2026-05-18", "--data", file.parent)
    rostered(file.parent, "441802-1,示例小学,station", "2026-03-01")
    out, _ = run(*show, "--lang", "zh")
    assert out.startswith(f"441802-1  示例小学  station  车站  (Asia/Shanghai, {file})\n")
    assert out.count("全天") == 5  # Wednesday and Thursday the county is closed
    rostered(file.parent, "441802-1,示例站,", "2026-05-22")
    head, _, _, *days = run(*show, "--lang", "zh")[0].splitlines()
    assert head == f"441802-1  示例小学 → 示例站  station  车站 → school  小学  (Asia/Shanghai, {file})"
    assert [day.split("│")[4].strip() for day in days] == ["全天", "全天", "", "", "07:30-17:30", "", ""]
    shown = json.loads(run(*show, "--json")[0])
    assert shown["calendar"] == "station"
    assert [(day["calendar"], day["in_roster"]) for day in shown["days"][3:5]] == [("station", True), ("school", True)]


def test_a_site_that_the_roster_does_not_have_is_said(file: Path) -> None:
    """It may be a slip: what is shown is the calendar of its county."""
    rostered(file.parent, "441802-1,示例小学,station", "2026-03-01")
    out, _ = run("calendar", "show", "441803-1", "--week", "2026-05-18", "--data", file.parent, "--lang", "en")
    assert out.startswith("441803-1  (not in the roster)  hotspot  热点  (Asia/Shanghai")


def test_what_the_file_does_not_tell_is_one_line(file: Path) -> None:
    """Exit code 2: the line says what to write where."""
    _, said = run("calendar", "show", "school", "--week", "2026-09-02", "--calendars", file, code=2)
    assert said.startswith(f"{file}: calendars.school.terms: say nothing of 2026-09-01: write the term")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("schol",), "'schol' is neither a calendar nor a site's id such as 441802-3144001234, did you mean school\n"),
        (("school", "--week", "yesterday"), "--week: 'yesterday' is not a date such as 2026-03-02\n"),
        (("school", "--week", "9999-12-31"), "--week: 9999-12-31 is not from 1973 to 2200\n"),
        (("school", "--lang", "fr"), "--lang: 'fr' is none of zh, en\n"),
    ],
)
def test_wrong_use_is_one_line(file: Path, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, and what was meant."""
    assert run("calendar", "show", *words, "--calendars", file, code=2)[1] == said


def test_check_says_every_mistake(file: Path) -> None:
    """Exit code 1 for mistakes, each with its line; 0 for a good file; 2 where there is none."""
    assert run("calendar", "check", file)[0] == f"{file}: 6 calendars are fine\n"
    assert run("calendar", "check", "--data", file.parent)[0] == f"{file}: 6 calendars are fine\n"
    assert run("calendar", "check", "--data", file.parent / "empty")[0] == f"{SHIPPED}: 5 calendars are fine\n"
    file.write_text("default: a\ncalendars: {b: {title: B, service: alwyas}}\nzone: Mars\n", encoding="utf-8")
    assert run("calendar", "check", file, code=1)[1] == (
        f"{file}:2: calendars.b.service[0]: 'alwyas' is not a period such as 08:20-09:00, always or lessons\n"
    )
    assert run("calendar", "check", file.parent / "none.yaml", code=2)[1] == f"{file.parent}/none.yaml: no such file\n"
