"""`santong watch` against a real broker, a real store and a real receiver."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.watch.journal import Journal, JournalError
from collector.watch.types import State
from tests.collector.channels.receivers import Web, web
from tests.collector.commands import run
from tests.collector.watch import killed
from tests.collector.watch.district import SETTINGS, District, WatchProcess
from tests.processes import wait_until
from tests.services import Mosquitto


@pytest.fixture
def receiver() -> Iterator[Web]:
    """Run somebody who gets messages."""
    with web() as server:
        yield server


def lines(receiver: Web) -> list[str]:
    """Return what was told, line by line, without the numbers of messages."""
    return [line for text in receiver.texts for line in text.split("\n") if line and not line.startswith("message ")]


def is_working(district: District) -> bool:
    """Tell whether watch sees every device work."""
    try:
        now = Journal(district.data).now()
    except JournalError:  # not there yet
        return False
    return len(now) == len(district.agents) and all(one.state is State.WORKING for one in now.values())


@contextmanager
def watched(district: District, receiver: Web) -> Iterator[WatchProcess]:
    """Let a district live, with a watch over it, from the moment at which it sees all of it work."""
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    watch = WatchProcess(district)
    with district.living():
        watch.start()
        try:
            wait_until(lambda: is_working(district), why=watch.words)
            yield watch
        finally:
            watch.stop()
    assert "Traceback" not in watch.words()


def test_a_school_uplink_cut_is_one_message_and_one_when_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Whoever is on call gets two messages: that the school is cut off, with whom to call, and that it is back."""
    district = District(tmp_path, mosquitto)
    with watched(district, receiver) as watch:
        district.cut(district.sites[0])
        wait_until(lambda: receiver.got, why=watch.words)
        district.mend(district.sites[0])
        wait_until(lambda: len(receiver.got) == 2, why=watch.words)
        time.sleep(3)  # nothing more may come
    opened, recovered = lines(receiver)
    assert opened.startswith("[1] site cut off: School 0 441802-3000, 2 devices, nothing is heard (line or power), ")
    assert opened.endswith(", operator operator-a, contact on duty 000")
    assert recovered.startswith("[1] recovered: site cut off, School 0 441802-3000, 2 devices, ")
    assert [one["title"] for one in receiver.got] == ["Santong: 1 new", "Santong: 1 recovered"]


def test_an_operators_cut_over_thirty_schools_is_one_message(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Thirty schools of one operator are one incident, and one recovery."""
    district = District(tmp_path, mosquitto, schools=48)
    some = [site for number, site in enumerate(district.sites) if number % 3 != 2][:30]
    with watched(district, receiver) as watch:
        district.cut(*some)
        wait_until(lambda: receiver.got, why=watch.words)
        district.mend(*some)
        wait_until(lambda: len(receiver.got) == 2, why=watch.words)
        time.sleep(3)  # nothing more may come
    opened, recovered = lines(receiver)
    assert opened.startswith("[1] operator's cut: operator operator-a, 30 sites, 60 devices, ")
    assert recovered.startswith("[1] recovered: operator's cut, operator operator-a, 30 sites, 60 devices, ")


def test_two_thousand_flaps_are_three_messages_at_the_most(tmp_path: Path, mosquitto: Mosquitto, receiver: Web) -> None:
    """A gateway that comes and goes two thousand times in a row is one incident while it does."""
    district = District(tmp_path, mosquitto)
    gateway = [f"{district.sites[0]}.gw"]
    with watched(district, receiver) as watch:
        for number in range(2000):
            district.say("online" if number % 2 else "offline", gateway)
            time.sleep(0.005)
        district.say("offline", gateway)
        wait_until(lambda: receiver.got, why=watch.words)
        time.sleep(3)
    told = lines(receiver)
    assert 1 <= len(told) <= 3
    assert len(Journal(tmp_path).incidents()) <= 2


def is_told(district: District, receiver: Web, site: str) -> bool:
    """Tell whether somebody was told of a site, and watch knows that all of its messages were taken."""
    is_taken = all(message["outcome"] == "taken" for message in Journal(district.data).messages())
    return is_taken and any(site in line for line in lines(receiver))


def looked_ns(district: District) -> int:
    """Return when watch looked last, unix ns: it has heard by then what the broker retains."""
    return int(Journal(district.data).known("looked_ns") or 0)


class DyingWatch(WatchProcess):
    """A watch that kills itself at a point."""

    def __init__(self, district: District, point: str) -> None:
        super().__init__(district)
        self.point = point

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "tests.collector.watch.killed", self.point, *super().command()[1:]]


def test_killed_at_any_point_watch_loses_no_message_and_doubles_none(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """
    With kill -9 before or after any write or message each school is told once.

    The one exception is a message that somebody had taken when watch was killed before it could write that down: it
    comes again, with the same number and word for word, so that whoever gets it can tell.
    """
    settings = SETTINGS.replace("[rules]", "[rules]\noperator_sites = 99")
    district = District(tmp_path, mosquitto, schools=len(killed.POINTS), settings=settings)
    with watched(district, receiver) as watch:
        for site, point in zip(district.sites, killed.POINTS, strict=True):
            watch.stop()
            deadly, begun_ns = DyingWatch(district, point), time.time_ns()
            deadly.start()
            wait_until(lambda begun_ns=begun_ns: looked_ns(district) > begun_ns, why=deadly.words)  # type: ignore[misc]
            district.cut(site)
            wait_until(lambda deadly=deadly: not deadly.is_running(), why=deadly.words)  # type: ignore[misc]
            watch.start()
            wait_until(lambda site=site: is_told(district, receiver, site), why=watch.words)  # type: ignore[misc]
        time.sleep(3)  # nothing more may come
    for site, point in zip(district.sites, killed.POINTS, strict=True):
        texts = [text for text in receiver.texts if site in text]
        assert len(texts) == (2 if point == "after_send" else 1), (point, texts)
        assert len(set(texts)) == 1
    assert len(Journal(tmp_path).incidents()) == len(killed.POINTS)


def test_a_dead_broker_is_one_message_and_stops_the_heartbeat(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Nobody is told of schools; whoever waits for the heartbeat misses it, and hears it again afterwards."""
    with web() as receiver, web() as outside:
        settings = (
            SETTINGS + f'[heartbeat]\nurl = "http://127.0.0.1:{outside.port}/beat"\nevery = "1s"\nmethod = "POST"\n'
        )
        district = District(tmp_path, mosquitto, settings=settings)
        (tmp_path / "watch.toml").chmod(0o600)
        with watched(district, receiver) as watch:
            wait_until(lambda: outside.got, why=watch.words)
            mosquitto.kill()
            wait_until(lambda: receiver.got, why=watch.words)
            beats = len(outside.got)
            time.sleep(3)
            assert len(outside.got) <= beats + 1
            mosquitto.start()
            wait_until(district.is_connected)
            district.say("online", district.agents)
            wait_until(lambda: len(receiver.got) == 2, why=watch.words)
            wait_until(lambda: len(outside.got) > beats + 1, why=watch.words)
    opened, recovered = lines(receiver)
    assert re.fullmatch(r"\[1\] centre failing: [\w ]+, the broker cannot be reached, since \d\d:\d\d", opened)
    assert recovered.startswith("[1] recovered: centre failing")


def test_incidents_are_acknowledged_noted_and_closed_from_the_command_line(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Whoever looks after it says so; closed by hand it is told as ended, and not opened again while it lasts."""
    district = District(tmp_path, mosquitto)
    here = ("--data", tmp_path)
    with watched(district, receiver) as watch:
        assert run("incident", "list", *here, "--lang", "en")[0] == "no incidents\n"
        district.cut(district.sites[0])
        wait_until(lambda: receiver.got, why=watch.words)
        run("incident", "ack", "#1", "--by", "Head of Centre", *here)
        run("incident", "note", "1", "--text", "fibre was dug up", "--by", "Head of Centre", *here)
        shown = json.loads(run("incident", "list", "--json", *here, code=1)[0])
        assert [(one["id"], one["kind"], one["acknowledged_by"]) for one in shown] == [("1", "site", "Head of Centre")]
        assert "fibre was dug up" in run("incident", "show", "1", *here)[0]
        run("incident", "close", "1", "--text", "planned works", "--by", "Head of Centre", *here)
        wait_until(lambda: len(receiver.got) == 2, why=watch.words)
        time.sleep(2)
        assert run("incident", "list", *here, "--lang", "en")[0] == "no incidents\n"
        assert "closed already" in run("incident", "close", "1", "--text", "again", *here, code=2)[1]
        assert "there is no incident 7" in run("incident", "ack", "7", *here, code=2)[1]
    assert lines(receiver)[1].startswith("[1] ended (closed by hand): site cut off, School 0")
    assert [one["title"] for one in receiver.got] == ["Santong: 1 new", "Santong: 1 ended"]


def test_beside_a_watch_that_runs_a_second_one_is_refused_and_once_only_reads(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Whoever asks how it is, as operations.md says, doubles no message and overwrites no incident."""
    district = District(tmp_path, mosquitto)
    words = ("watch", "--data", tmp_path, "--broker", mosquitto.url, "--lang", "en")
    with watched(district, receiver) as watch:
        said = run(*words, code=2)[1]
        assert said.count("\n") == 1
        assert f"another watch (process {watch.pid}) runs over this folder: stop it first" in said
        district.cut(district.sites[0])
        wait_until(lambda: receiver.got, why=watch.words)
        numbers = [one.id for one in Journal(tmp_path).incidents()]
        for _ in range(3):
            shown, said = run(*words, "--once", code=1)[:2]
            assert "6 devices, 1 incidents open" in shown
            assert said.startswith(f"watch is running (process {watch.pid}): this is what it saw at 20")
        found = json.loads(run(*words, "--once", "--json", code=1)[0])
        assert [one["kind"] for one in found["incidents"]] == ["site"]
        assert "1 incidents open" in run(*words, "--dry-run", code=1)[0]
        time.sleep(2)  # nothing more may come
        assert len(receiver.got) == 1
        assert [one.id for one in Journal(tmp_path).incidents()] == numbers
        watch.kill()
        assert "is running" not in run(*words, "--once", code=1)[1]
    assert len(receiver.got) == 1


def test_a_rehearsal_prints_and_changes_nothing(tmp_path: Path, mosquitto: Mosquitto, receiver: Web) -> None:
    """With --dry-run messages are printed as they would be sent; nobody gets them, and the journal stays as it is."""
    district = District(tmp_path, mosquitto, settings=SETTINGS.replace('site = "3s"', 'site = "0s"'))
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    words = ("watch", "--data", tmp_path, "--broker", mosquitto.url, "--lang", "en")
    with district.living():
        assert "6 devices, 0 incidents open" in run(*words, "--once")[0]
        district.cut(district.sites[0])
        told = run(*words, "--dry-run", code=1)[0]
        assert re.search(
            r"would be sent to json://127\.0\.0\.1#\w{8}\nSantong: 1 new\n\[1\] site cut off: School 0 ", told
        )
        assert Journal(tmp_path).incidents() == []
        assert receiver.got == []
        found = json.loads(run(*words, "--once", "--json", code=1)[0])
        assert found["states"]["working"] == 4
        assert [one["kind"] for one in found["incidents"]] == ["site"]
        wait_until(lambda: run(*words, "--once", code=1) and receiver.got)
        run(*words, "--once", code=1)
    assert len(lines(receiver)) == 1


def test_the_morning_digest_comes_once_a_day(tmp_path: Path, mosquitto: Mosquitto, receiver: Web) -> None:
    """At its time, to who is to have it, with what is open; not again the same day, and never hours too late."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    settings = SETTINGS.replace('at = ""', f'at = "{now:%H:%M}"')
    district = District(tmp_path, mosquitto, settings=settings)
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    with district.living():
        for _ in range(2):
            run("watch", "--data", tmp_path, "--broker", mosquitto.url, "--once")
    assert [one["title"] for one in receiver.got] == [f"Santong, morning of {now:%m-%d}"]
    assert lines(receiver) == ["6 devices: 6 working, 0 incidents open, 0 silent", "no incident is open"]


def test_every_mistake_of_the_settings_is_said(tmp_path: Path) -> None:
    """A wrong file is refused with each mistake and its path; so is an address that there is not."""
    file = tmp_path / "watch.toml"
    file.write_text('every = "15x"\n[digest]\nat = "25:00"\n[[route]]\nto = ["*"]\nquiet = "22-7"\n')
    said = run("watch", "--data", tmp_path, "--once", code=2)[1]
    assert "every: '15x' is not a duration" in said
    assert "digest.at: '25:00' is not a time of day such as 07:45" in said
    assert "route[0].quiet: '22-7' are no hours such as 22:00-07:00" in said
    file.write_text('[[route]]\nto = ["wecombot#12345678"]\n')
    said = run("watch", "--data", tmp_path, "--once", code=2)[1]
    assert "route[0].to: 'wecombot#12345678' is no address; notify.urls has none" in said
    file.write_text("")
    (tmp_path / "calendars.yaml").write_text("zone: [")
    said = run("watch", "--data", tmp_path, "--once", code=2)[1]
    assert said.splitlines()[-1].startswith("calendars: ")
    assert said.endswith("nobody is alerted: mend it, then start watch again\n")
    (tmp_path / "calendars.yaml").unlink()
    file.write_text('[heartbeat]\nurl = "https://beats.example.org/s3cretw0rd"\n')
    said = run("watch", "--data", tmp_path, "--once", code=2)[1]
    assert "heartbeat.url: others can read it: chmod 600" in said
    assert "s3cretw0rd" not in said
