"""Settings and addresses are taken up while watch runs; what is spoilt silences nobody."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.channels.addresses import addresses, written
from collector.channels.service import Address
from collector.instructed import Instructions
from collector.watch.journal import Journal
from contract.errors import ConfigError
from tests.collector.channels.receivers import Web, web
from tests.collector.commands import run
from tests.collector.watch.district import SETTINGS, District, WatchProcess
from tests.collector.watch.test_watching import is_working, lines
from tests.processes import wait_until
from tests.services import Mosquitto


def write(file: Path, text: str, *, ago_s: float = 60) -> None:
    """Write a file as it was left some time ago."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    at = time.time() - ago_s
    os.utime(file, (at, at))


def addresses_in(data: Path) -> Callable[[], list[Address]]:
    """Return what reads the addresses of a folder."""

    def read() -> list[Address]:
        found, mistakes = addresses(written([], {}, data))
        if mistakes:
            raise mistakes
        return found

    return read


class Desk:
    """A folder with both files, and the instructions that are read from it."""

    def __init__(self, data: Path) -> None:
        self.settings, self.urls = data / "watch.toml", data / "notify.urls"
        write(self.settings, 'silent_days = 3\n[[route]]\nto = ["json*"]\n', ago_s=600)
        write(self.urls, "json://127.0.0.1:9/one\n", ago_s=600)
        self.instructions = Instructions(data, addresses_in(data))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a folder with both files."""
    return Desk(tmp_path)


def test_a_changed_file_is_taken_up_once(desk: Desk) -> None:
    """Settings as well as addresses; what has not changed is not read again."""
    assert not desk.instructions.refresh()
    write(desk.settings, "silent_days = 5\n")
    assert desk.instructions.refresh()
    assert desk.instructions.settings.silent_days == 5
    write(desk.urls, "json://127.0.0.1:9/one\njson://127.0.0.1:9/two\n")
    assert desk.instructions.refresh()
    assert len(desk.instructions.addresses) == 2
    assert not desk.instructions.refresh()


@pytest.mark.parametrize(
    ("file", "text", "trouble"),
    [
        ("watch.toml", "silent_days = 0\n", "silent_days: "),
        ("watch.toml", "silent_days = [\n", "watch.toml"),
        ("watch.toml", '[[route]]\nto = ["wecombot*"]\n', "route[0].to: 'wecombot*' is no address"),
        ("notify.urls", "", "has no address any more"),
        ("notify.urls", "wecombot:/no-key\n", "notify.urls:1: does not begin with a kind"),
        ("notify.urls", "mailtos://user:pass@smtp.example.org\n", "route[0].to: 'json*' is no address"),
    ],
)
def test_a_spoilt_file_leaves_all_as_it_was(desk: Desk, file: str, text: str, trouble: str) -> None:
    """Nobody is left without alerts by a slip of the pen; it is said in one line, until the file is good again."""
    before = (desk.instructions.settings, desk.instructions.addresses, desk.instructions.routing)
    write(desk.settings.parent / file, text)
    assert not desk.instructions.refresh()
    assert (desk.instructions.settings, desk.instructions.addresses, desk.instructions.routing) == before
    assert trouble in desk.instructions.trouble
    assert "\n" not in desk.instructions.trouble
    assert not desk.instructions.refresh()
    write(desk.settings, "silent_days = 4\n")
    write(desk.urls, "json://127.0.0.1:9/one\n")
    assert desk.instructions.refresh()
    assert (desk.instructions.settings.silent_days, desk.instructions.trouble) == (4, "")


def test_secrets_that_others_can_read_are_a_spoilt_file(desk: Desk) -> None:
    """A change of mode alone is noticed, and so is its repair."""
    desk.urls.chmod(0o644)
    assert not desk.instructions.refresh()
    assert "chmod 600" in desk.instructions.trouble
    assert len(desk.instructions.addresses) == 1
    desk.urls.chmod(0o600)
    assert desk.instructions.refresh()
    assert desk.instructions.trouble == ""


def test_a_file_that_is_being_written_is_left_for_the_next_look(desk: Desk) -> None:
    """An editor empties a file, or moves it away, before it writes the new one: that is no instruction."""
    write(desk.settings, "", ago_s=0)
    assert not desk.instructions.refresh()
    write(desk.settings, "silent_days = 7\n", ago_s=0.1)
    assert not desk.instructions.refresh()
    assert desk.instructions.refresh()
    assert desk.instructions.settings.silent_days == 7
    desk.settings.unlink()
    assert not desk.instructions.refresh()
    assert desk.instructions.settings.silent_days == 7
    assert desk.instructions.refresh()
    assert desk.instructions.settings.silent_days == 2


def test_at_the_start_a_mistake_is_refused(desk: Desk) -> None:
    """Whoever starts watch sees what is wrong; there is nothing yet that could go on."""
    write(desk.settings, "silent_days = 0\n")
    with pytest.raises(ConfigError, match="silent_days"):
        Instructions(desk.settings.parent, list)


@pytest.fixture
def receiver() -> Iterator[Web]:
    """Run somebody who gets messages."""
    with web() as server:
        yield server


def test_watch_takes_up_a_board_another_address_and_no_spoilt_file(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Links begin with the board's address; a spoilt file is said and stops nothing; recovery goes to who is new."""
    district = District(tmp_path, mosquitto, schools=2)
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    watch, settings = WatchProcess(district), tmp_path / "watch.toml"
    here = ("incident", "list", "--data", tmp_path, "--lang", "en")
    with district.living(), web() as other:
        watch.start()
        try:
            wait_until(lambda: is_working(district), why=watch.words)
            settings.write_text('board = "https://board.example.org/"\n' + SETTINGS, encoding="utf-8")
            wait_until(lambda: "read again" in watch.words(), why=watch.words)
            assert run(*here)[1] == ""
            settings.write_text('board = "board"\n', encoding="utf-8")
            wait_until(lambda: Journal(tmp_path).trouble(), why=watch.words)
            district.cut(district.sites[0])
            wait_until(lambda: receiver.got, why=watch.words)
            said = run(*here, code=1)[1]
            assert said.count("\n") == 1
            assert "board: 'board' is no address such as https://board.example.org: what was read before goes" in said
            settings.write_text('board = "https://board.example.org/"\n' + SETTINGS, encoding="utf-8")
            wait_until(lambda: not Journal(tmp_path).trouble(), why=watch.words)
            assert run(*here, code=1)[1] == ""
            district.notify(f"json://127.0.0.1:{other.port}/")
            wait_until(lambda: watch.words().count("read again") == 3, why=watch.words)
            district.mend(district.sites[0])
            wait_until(lambda: other.got, why=watch.words)
        finally:
            watch.stop()
    assert len(receiver.got) == 1
    for told, begins in ((lines(receiver), "[1] site cut off"), (lines(other), "[1] recovered")):
        assert told[0].startswith(begins)
        assert told[1:] == ["https://board.example.org/incident/1"]
    assert watch.words().count("is no address such as") == 1
    assert "Traceback" not in watch.words()


def test_who_reads_incidents_of_a_watch_that_does_not_run_is_told(tmp_path: Path) -> None:
    """An empty list of an hour ago says nothing of now."""
    journal = Journal(tmp_path, create=True)
    with journal.transaction() as connection:
        connection.execute("INSERT INTO known VALUES('looked_ns', ?)", (str(time.time_ns() - 3600 * 10**9),))
    journal.shut()
    shown, said = run("incident", "list", "--data", tmp_path, "--lang", "en")[:2]
    assert shown == "no incidents\n"
    assert said.startswith("watch has not looked since 20")
