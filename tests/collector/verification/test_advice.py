"""`santong verify` says what to do about the calendars, in a line each on stderr."""

from pathlib import Path

import pytest

from collector.calendars.load import SHIPPED
from collector.store.open import open_store
from collector.up import store_url
from tests.collector.commands import run

SITES = "site,name,area,kind\n441802-1,示例小学,urban,school\n441802-2,示例广场,urban,public\n"
OWN = """
default: school
calendars:
  school:
    title: 小学
    terms: [{from: 2026-09-01, to: 2026-09-30, title: 第一学期}]
    terms_from: 2026-07-01
    lessons: {mon-fri: [08:20-09:00]}
    follows_holidays: false
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with an empty store and a roster of a school and a square."""
    opened = open_store(store_url(tmp_path))
    opened.prepare()
    opened.close()
    rostered(tmp_path, SITES)
    return tmp_path


def rostered(data: Path, table: str) -> None:
    """Import a roster."""
    file = data / "sites.csv"
    file.write_text(table, encoding="utf-8")
    run("roster", "import", file, "--from", "2026-01-01", "--yes", "--data", data)


def advice(data: Path, first: str, last: str, language: str = "en") -> list[str]:
    """Return the lines on stderr."""
    _, said = run("verify", "--data", data, "--from", first, "--to", last, "--lang", language)
    return said.splitlines()


def test_the_example_of_calendars_is_called_one(data: Path) -> None:
    """Its terms are not those of the county: the line says which file to copy where. Your own need no such line."""
    assert advice(data, "2026-09-01", "2026-09-02") == [
        f"the calendars are the shipped example, whose newest term is assumed: "
        f"copy {SHIPPED} to {data}/calendars.yaml and write your own"
    ]
    (data / "calendars.yaml").write_text(OWN, encoding="utf-8")
    assert advice(data, "2026-09-01", "2026-09-02") == []


def test_a_period_without_a_school_day_says_what_to_do(data: Path) -> None:
    """Summer, or a week-end: nothing can be proven of classes then, and that is not for want of evidence."""
    own = data / "calendars.yaml"
    own.write_text(OWN, encoding="utf-8")
    assert advice(data, "2026-07-01", "2026-08-31") == [
        f"{own} has no school day from 2026-07-01 to 2026-08-31: "
        "choose other days (--from, --to), or write their term there"
    ]
    (said,) = advice(data, "2026-09-05", "2026-09-06", "zh")
    assert said.startswith(f"2026-09-05 至 2026-09-06 按校历 {own} 没有上课日：")
    assert advice(data, "2026-08-31", "2026-09-01") == []


def test_where_there_is_no_school_nobody_misses_a_school_day(data: Path) -> None:
    """Hotspots alone: their days are asked about in summer, too."""
    (data / "calendars.yaml").write_text(OWN, encoding="utf-8")
    rostered(data, SITES.replace("school\n", "public\n"))
    assert advice(data, "2026-07-01", "2026-08-31") == []


def test_a_day_that_nobody_wrote_is_no_day_without_school(data: Path) -> None:
    """What the file does not tell is not taken for a holiday; where no verdict asks for the day, nothing fails."""
    (data / "calendars.yaml").write_text(OWN, encoding="utf-8")
    assert advice(data, "2026-10-01", "2026-10-02") == []


@pytest.mark.parametrize("more", [("--no-rates",), ("--rates",)])
def test_a_target_of_hotspots_needs_no_term(data: Path, more: tuple[str, ...]) -> None:
    """A school with classrooms, whose term nobody wrote, is not asked about: a WiFi target is verified all the same."""
    (data / "calendars.yaml").write_text(OWN, encoding="utf-8")
    devices = data / "devices.csv"
    devices.write_text("device,role,room,class\n441802-1.c1,classroom,7-1,七(1)班\n", encoding="utf-8")
    run("roster", "import", data / "sites.csv", devices, "--from", "2026-01-01", "--yes", "--data", data)
    period = ("--from", "2026-10-01", "--to", "2026-10-02", "--target", "free-wifi-counties", "--lang", "en")
    said, wrong = run("verify", "--data", data, *period, *more)
    assert wrong == ""
    assert "NOT PROVEN  free-wifi-counties" in said
