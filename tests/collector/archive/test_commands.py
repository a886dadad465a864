"""`santong evidence` and `santong verify --evidence`, as people call them."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.roster.versions import Versions
from tests.collector.commands import run


@pytest.fixture
def days(city: Path) -> tuple[date, date]:
    """Return the two days in the middle of the city's four."""
    (version,) = Versions(city).every()
    return version.effective + timedelta(days=1), version.effective + timedelta(days=2)


@pytest.fixture
def file(city: Path, days: tuple[date, date], tmp_path: Path) -> Path:
    """Return an archive of these days."""
    out = tmp_path / "city.zip"
    run("evidence", "export", "--data", city, "--from", days[0], "--to", days[1], "--out", out)
    return out


@pytest.fixture
def own(city: Path, tmp_path: Path) -> Path:
    """Return a copy of the city's folder, to be spoilt."""
    return Path(shutil.copytree(city, tmp_path / "own"))


def verdicts(*words: object) -> dict[str, Any]:
    """Return what `verify --json` says, less what tells when it was asked and how long it took."""
    tree: dict[str, Any] = json.loads(run("verify", "--json", *words, code=1)[0])
    for key in ("verified_at", "seconds", "device_days"):
        tree.pop(key)
    return tree


def test_verdicts_come_from_the_file_alone(city: Path, file: Path, days: tuple[date, date], tmp_path: Path) -> None:
    """On a machine that has nothing but the file, all of `verify`'s answer is the same as from the store."""
    key = city / "evidence/public.pem"
    nothing = tmp_path / "nothing"
    alone = verdicts("--evidence", file, "--key", key, "--data", nothing)
    assert alone == verdicts("--data", city, "--from", days[0], "--to", days[1], "--recompute")
    assert not nothing.exists()
    one = verdicts("--evidence", file, "--key", key, "--data", nothing, "--to", days[0])
    assert one == verdicts("--data", city, "--from", days[0], "--to", days[0], "--recompute")


def test_what_people_agreed_on_is_in_the_file(own: Path, days: tuple[date, date], tmp_path: Path) -> None:
    """Disputes and closures change figures from the file as they do beside the store, and can be left out."""
    where = ("--data", own)
    (version,) = Versions(own).every()
    site = min(Versions(own).roster(version).sites)
    closed = ("--site", site, "--from", days[0], "--reason", "exam", "--text", "exam", "--by", "a")
    run("dispute", "propose", *closed, *where)
    run("dispute", "approve", 1, "--by", "b", *where)
    run("evidence", "export", *where, "--from", days[0], "--to", days[1], "--out", tmp_path / "agreed.zip")
    run("dispute", "withdraw", 1, "--by", "b", "--text", "no", "--data", shutil.copytree(own, tmp_path / "later"))
    alone = ("--evidence", tmp_path / "agreed.zip", "--data", tmp_path / "later")
    beside = ("--data", own, "--from", days[0], "--to", days[1], "--recompute")
    found = verdicts(*alone)
    assert found == verdicts(*beside)
    assert len(found["disputes"]["taken"]) == 1
    assert verdicts(*alone, "--no-disputes") == verdicts(*beside, "--no-disputes") != found


def test_verify_says_that_a_key_was_not_compared(file: Path, tmp_path: Path) -> None:
    """Without the published key the verdicts come with a word of warning, and with the key's fingerprint."""
    _, said = run("verify", "--evidence", file, "--data", tmp_path / "nothing", code=1)
    assert "signed by the key" in said
    assert "name the key with --key" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--store", "sqlite:x"], "--store: with --evidence everything is read from the archive"),
        (["--from", "2001-01-01"], "--from: the archive begins on"),
    ],
)
def test_what_does_not_go_with_an_archive_is_said(file: Path, tmp_path: Path, words: list[str], said: str) -> None:
    """Options that contradict an archive are one line and exit code 2."""
    assert said in run("verify", "--evidence", file, "--data", tmp_path, *words, code=2)[1]


def test_check_compares_with_the_store(city: Path, file: Path) -> None:
    """An archive beside its own store: everything is the same, and the answer is exit code 0."""
    answer = json.loads(run("evidence", "check", file, "--data", city, "--json")[0])
    assert answer["key_compared"] is True
    assert answer["compared"] == {"same": answer["device_days"], "different": 0}
    assert answer["counts"] == {"altered": 0, "exchanged": 0, "missing": 0, "added": 0, "late": 0}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE presence SET wan = 1 - wan WHERE device = ? AND time = ?", "altered"),
        ("DELETE FROM presence WHERE device = ? AND time = ?", "missing"),
        ("UPDATE presence SET time = time + 1 WHERE device = ? AND time = ?", "exchanged"),
    ],
)
def test_check_names_the_row(own: Path, file: Path, days: tuple[date, date], statement: str, kind: str) -> None:
    """One altered, missing or exchanged row: its device, day, measurement and time, and exit code 1."""
    window = json.loads(run("evidence", "show", file, "--json", "--data", own)[0])["days"][0]
    with sqlite3.connect(own / "santong.sqlite") as connection:
        device, time_ns = connection.execute(
            "SELECT device, time FROM presence WHERE device = source AND time > ? AND time < ? LIMIT 1",
            (window["start_ns"], window["end_ns"]),
        ).fetchone()
        assert connection.execute(statement, (device, time_ns)).rowcount == 1
    connection.close()
    (found,) = json.loads(run("evidence", "check", file, "--data", own, "--json", code=1)[0])["differences"]
    assert (found["kind"], found["day"], found["device"]) == (kind, days[0].isoformat(), device)
    assert (found["measurement"], found["time_ns"]) == ("presence", time_ns)
    text = run("evidence", "check", file, "--data", own, "--lang", "zh", code=1)[0]
    assert f"{found['time']}  {device}  presence" in text


def test_check_without_a_store_looks_at_the_file_alone(file: Path, tmp_path: Path) -> None:
    """Where there is no store the file is checked, and it is said that the key was compared with none."""
    said, _ = run("evidence", "check", file, "--data", tmp_path / "nothing", "--lang", "en")
    assert "as they were signed" in said
    assert "not compared" in said


def damaged(file: Path) -> None:
    """Change a byte in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Leave the first half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("spoil", [damaged, cut, Path.unlink])
@pytest.mark.parametrize("command", [["evidence", "check"], ["verify", "--evidence"]])
def test_a_bad_file_is_one_line(file: Path, tmp_path: Path, spoil: Callable[[Path], None], command: list[str]) -> None:
    """A damaged, cut or absent file is said in one line that names it, with exit code 2."""
    spoil(file)
    said, flaw = run(*command, file, "--data", tmp_path / "nothing", code=2)
    assert said == ""
    *notes, last = flaw.splitlines()
    assert last.startswith(f"{file}: ")
    assert len(notes) <= 1  # that the key was not compared


def test_a_file_signed_with_another_key_is_one_line(city: Path, own: Path, file: Path, days: tuple[date, date]) -> None:
    """Whoever exports changed evidence and signs it with a new key is found out by the city's own."""
    shutil.rmtree(own / "evidence")
    run("evidence", "key", "--data", own)
    forged = file.with_name("forged.zip")
    run("evidence", "export", "--data", own, "--from", days[0], "--to", days[0], "--out", forged)
    for command in (["evidence", "check"], ["evidence", "show"], ["verify", "--evidence"]):
        _, flaw = run(*command, forged, "--data", city, code=2)
        assert flaw.startswith(f"{forged}: is signed by another key")
        assert flaw.count("\n") == 1


def test_show_prints_what_is_in_it(file: Path, city: Path, days: tuple[date, date]) -> None:
    """Period, versions, key and root; with a device and a day its lines, as an auditor would find them in the ZIP."""
    text = run("evidence", "show", file, "--data", city, "--lang", "en")[0]
    assert f"{days[0]} … {days[1]}" in text
    assert "rules" in text
    tree = json.loads(run("evidence", "show", file, "--data", city, "--json")[0])
    assert tree["tree"]["root"] in text
    device = Versions(city).roster(Versions(city).every()[0]).devices.keys()
    lines = run("evidence", "show", file, "--data", city, "--device", min(device), "--day", days[0])[0].splitlines()
    assert all(f",device={min(device)}" in line for line in lines)
    assert "is not in it" in run("evidence", "show", file, "--data", city, "--day", "2001-01-01", code=2)[1]


def test_export_needs_a_key_and_writes_nothing_over(own: Path, file: Path, days: tuple[date, date]) -> None:
    """Without a key it is said how one is made; a file that is there stays as it is."""
    before = file.read_bytes()
    words = ("evidence", "export", "--data", own, "--from", days[0], "--to", days[0], "--out", file)
    assert "is there already" in run(*words, code=2)[1]
    shutil.rmtree(own / "evidence")
    assert "make one with `santong evidence key`" in run(*words, code=2)[1]
    assert file.read_bytes() == before


def test_a_roster_of_files_goes_into_the_archive(own: Path, tmp_path: Path, days: tuple[date, date]) -> None:
    """An archive made with --roster is verified with that roster."""
    shutil.rmtree(own / "roster")
    out = tmp_path / "given.zip"
    words = ("--from", days[0], "--to", days[0])
    files = ("--roster", own / "sites.csv", "--roster", own / "devices.csv")
    run("evidence", "export", "--data", own, *words, *files, "--out", out)
    alone = verdicts("--evidence", out, "--data", tmp_path / "nothing")
    assert alone == verdicts("--data", own, *words, *files, "--recompute")
