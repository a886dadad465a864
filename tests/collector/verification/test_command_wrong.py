"""`santong verify` used wrongly: one line, which says what is wrong and what was meant, and exit code 2."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.collector.verification import city
from tests.collector.verification.office import FIRST, LAST, Office, asked


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Return a folder with an empty store, for wrong use: nothing of it is ever written."""
    found = Office(tmp_path_factory.mktemp("desk"))
    found.open(is_filled=False)
    return found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "yesterday"), "--from: 'yesterday' is not a date such as 2026-03-02"),
        (("--to", "2026-02-30"), "--to: '2026-02-30' is not a date such as 2026-03-02"),
        (("--from", "2999-01-01"), r"--from: 2999-01-01 is not before --to, or not over yet: .* is over is [\d-]+"),
        (("--from", LAST, "--to", FIRST), f"--from: {LAST} is not before --to, or not over yet: .*"),
        (("--from", "2001-01-01"), r"--from: 2001-01-01 is too long ago: evidence is kept for 1,096 days, .*[\d-]+ on"),
        (("--county", "441899"), "--county: '441899' is not known, did you mean 441802"),
        (("--county", "清城"), "--county: '清城' is not known; there are 441802"),
        (("--site", "441802-999000000"), "--site: '441802-999000000' is not known, did you mean 441802-999000000[12]"),
        (("--target", "panel"), "--target: 'panel' is not known, did you mean panels"),
        (("--lang", "fr"), "--lang: 'fr' is none of zh, en"),
        (("--calendars", "none.yaml"), "none.yaml: no such file"),
        (("--targets", "none.yaml"), "none.yaml: no such file"),
        (("--roster", "none.csv"), "none.csv: No such file or directory"),
        (("--folder", "none"), "none: no such folder"),
        (("--data", "none"), "none/roster: there is no roster: import one with `santong roster import`, or .*"),
        (("--store", "sqlite:///none/store.db"), "/none/store.db: no such store; start the collector, or name .*"),
        (("--store", "mysql://x"), "store: 'mysql://x' is no store; there are sqlite:///path or influxdb.*"),
        (("--store", "influxdb://u:p@127.0.0.1:1/s"), "http://127.0.0.1:1: .*Connection refused"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_one_line(desk: Office, words: Sequence[str], said: str) -> None:
    """Exit code 2, nothing on stdout, and one line that says which option, what is wrong, and what was meant."""
    out, err = asked(*desk.words(*words))
    assert out == ""
    assert re.fullmatch(said, err.removesuffix("\n")), err


def test_a_database_that_is_not_there(desk: Office, influx_url: str) -> None:
    """An InfluxDB server without the database is told in one line, and the database is not created."""
    for _ in range(2):
        out, err = asked(*desk.words("--store", influx_url))
        assert out == ""
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+: .*\n", err), err


def test_a_site_of_another_county(desk: Office, tmp_path: Path) -> None:
    """A county and a site that is not in it contradict each other: no empty table."""
    sites, devices = tmp_path / "sites.csv", tmp_path / "devices.csv"
    sites.write_text("site\n441802-1\n441881-2\n", encoding="utf-8")
    devices.write_text("device,role\n441802-1.c1,classroom\n", encoding="utf-8")
    given = ("--roster", sites, "--roster", devices)
    _, err = asked(*desk.words(*given, "--county", "441881", "--site", "441802-1"))
    assert err == "--site: 441802-1 is in the county 441802, not in 441881\n"


def test_a_number_that_the_whole_programme_owes_is_no_promise_of_a_part(desk: Office, tmp_path: Path) -> None:
    """Asked for alone, with a county, such a target is refused; among others it is left out."""
    file = tmp_path / "targets.yaml"
    file.write_text(re.sub(r"share: 1\.0(?!.*share)", "at_least: 270", city.TARGETS, flags=re.DOTALL), encoding="utf-8")
    given = ("--targets", file, "--county", "441802")
    _, err = asked(*desk.words(*given, "--target", "squares"))
    assert err.startswith("squares: a number that the whole programme owes is no promise of a county or a site")
    out, _ = asked(*desk.words(*given, "--json"), code=0)
    assert [target["id"] for target in json.loads(out)["targets"]] == ["hours", "lessons", "panels"]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        (
            "--roster",
            "site,name,device,role\n441802-1,一小,441802-1.c1,clasroom\n441802-1,一小,441802-1.c1,classroom\n",
            [
                "{file}:2: role: 'clasroom' is not a role, did you mean classroom",
                r"{file}:3: device: 441802-1\.c1 stands in row 2 already",
            ],
        ),
        (
            "--roster",
            "device,role\n441802-1.c1,classroom\n",
            ["{file}: has devices, and no file has their sites: give.*"],
        ),
        ("--roster", "hello\n", ["{file}: .*no column.*"]),
        ("--targets", "hello\n", ["{file}:1: is not a file of targets: lines such as `id: my-programme` are needed"]),
        (
            "--targets",
            city.TARGETS.replace("share: 0.5", "share: 5").replace("display.power", "display.powr"),
            [
                r"{file}:11: targets\[0\]\.share: 5 is more than all: write 0\.05 for 5 %",
                r"{file}:20: targets\[1\]\.share: 5 is more than all: write 0\.05 for 5 %",
                r"{file}:25: .*\.reading: display has no field 'powr', did you mean display\.power",
            ],
        ),
        (
            "--calendars",
            "default: a\ncalendars: {b: {title: B, service: alwyas}}\n",
            ["{file}:2: calendars.b.*'alwyas'.*"],
        ),
        (
            "--calendars",
            "holidays: none\ndefault: a\ncalendars: {a: {title: A, service: always, terms: "
            "[{from: 2001-09-01, to: 2002-01-31, title: T}]}}\n",
            [r"{file}: calendars\.a\.terms: say nothing of [\d-]+: write the term of that day, or .*"],
        ),
    ],
    ids=["a role", "no sites", "no roster", "no targets", "targets", "calendars", "a term that is over"],
)
def test_files_with_mistakes_are_told_line_by_line(
    desk: Office, tmp_path: Path, option: str, text: str, said: list[str]
) -> None:
    """Exit code 2; each mistake is a line with the file, where it is, and what was meant; nothing is judged."""
    file = tmp_path / "given.csv"
    file.write_text(text, encoding="utf-8")
    out, err = asked(*desk.words(option, file))
    assert out == ""
    for line, wanted in zip(err.splitlines(), said, strict=True):
        assert re.fullmatch(wanted.replace("{file}", re.escape(str(file))), line), line


def test_the_roster_of_a_data_folder_may_have_been_spoilt(tmp_path: Path) -> None:
    """A version whose files somebody changed by hand is refused in one line."""
    found = Office(tmp_path)
    found.open(is_filled=False)
    (file,) = (found.data / "roster").glob("*/devices.csv")
    file.write_text(file.read_text(encoding="utf-8").replace("701", "799"), encoding="utf-8")
    out, err = asked(*found.words())
    assert out == ""
    assert re.fullmatch(r".*was changed since it was imported.*\n", err)
