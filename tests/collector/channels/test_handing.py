"""Roots go to everybody who is to hold them, each once, and what the network kept back goes later."""

import json
import os
import pty
import select
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from collector.archive.chain import BadRoots, Chain, Root
from collector.archive.handed import Handed, HandedLog, add
from collector.archive.pasted import pasted_roots
from collector.channels.service import address_of
from collector.roots import hand_out
from collector.store.sqlite import SqliteStore
from collector.words import word
from tests.collector.archive.archives import scope_of
from tests.collector.channels.receivers import Web, mail, web
from tests.collector.commands import run
from tests.collector.verification.world import CLASS_1, MONDAY, TUESDAY, WEDNESDAY, World, after
from tests.processes import BIN
from tests.services import free_port

HIDDEN = "s3cretw0rd"
SENTENCE = word("roots_text", "en")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Return a data folder's store with a day of a class."""
    opened = SqliteStore(tmp_path / "santong.sqlite")
    opened.prepare()
    world = World()
    world.works(CLASS_1, MONDAY, "08:00", "08:30")
    world.write(opened)
    yield opened
    opened.close()


def take(store: SqliteStore, data: Path, first: date, last: date) -> list[Root]:
    """Take the roots of some days, as if it were the night after the last."""
    (data / "evidence").mkdir(exist_ok=True)
    days = [first + timedelta(days=more) for more in range((last - first).days + 1)]
    return list(Chain(data).take(store, scope_of(*days), after(last, hours=3)))


def lines(roots: list[Root]) -> str:
    """Return roots as they are sent."""
    return "".join(root.line() for root in roots).rstrip("\n")


def test_each_address_gets_each_root_once(store: SqliteStore, tmp_path: Path) -> None:
    """What was taken is never sent again, to nobody; each new root goes to all."""
    with web() as one, web() as other:
        both = [address_of(f"json://127.0.0.1:{server.port}/{HIDDEN}") for server in (one, other)]
        first = take(store, tmp_path, MONDAY, MONDAY)
        assert [delivery.outcome for delivery in hand_out(tmp_path, both, first, "Roots")] == ["taken", "taken"]
        assert list(hand_out(tmp_path, both, [], "Roots")) == []
        second = take(store, tmp_path, MONDAY, TUESDAY)
        list(hand_out(tmp_path, both, second, "Roots"))
        assert one.texts == other.texts == [lines(first), lines(second)]
        assert [got["title"] for got in one.got] == [f"Roots {MONDAY}", f"Roots {TUESDAY}"]
    record = (tmp_path / "evidence/handed.log").read_text()
    assert HIDDEN not in record
    assert [(entry.day, entry.outcome) for entry in HandedLog(tmp_path).read()] == [
        (MONDAY.isoformat(), "taken"),
        (MONDAY.isoformat(), "taken"),
        (TUESDAY.isoformat(), "taken"),
        (TUESDAY.isoformat(), "taken"),
    ]


def test_what_the_network_kept_back_goes_in_one_message(store: SqliteStore, tmp_path: Path) -> None:
    """After nights without a network all that is due goes at once, and only where it did not arrive."""
    port = free_port()
    with web() as one:
        there, away = (address_of(f"json://127.0.0.1:{at}") for at in (one.port, port))
        found = []
        for day in (MONDAY, TUESDAY, WEDNESDAY):
            new = take(store, tmp_path, MONDAY, day)
            found += new
            outcomes = {each.address: each.outcome for each in hand_out(tmp_path, [there, away], new, "Roots")}
            assert outcomes == {there.name: "taken", away.name: "unreachable"}
        with web(port) as back:
            (delivery,) = hand_out(tmp_path, [there, away], [], "Roots")
            assert (delivery.address, delivery.outcome) == (away.name, "taken")
            assert back.texts == [lines(found)]
            assert back.got[0]["title"] == f"Roots {MONDAY} … {WEDNESDAY}"
        assert len(one.got) == 3


def test_a_root_taken_before_a_crash_is_handed_out_after_it(store: SqliteStore, tmp_path: Path) -> None:
    """Between the log and the message there may be a power cut: who held the days before gets this one, too."""
    with web() as server:
        address = address_of(f"json://127.0.0.1:{server.port}")
        list(hand_out(tmp_path, [address], take(store, tmp_path, MONDAY, MONDAY), "Roots"))
        missed = take(store, tmp_path, MONDAY, TUESDAY)
        with (tmp_path / "evidence/handed.log").open("a") as opened:
            opened.write(f"{TUESDAY} 51aa")
        list(hand_out(tmp_path, [address], [], "Roots"))
        assert server.texts[-1] == lines(missed)
        assert len(HandedLog(tmp_path).read()) == 2


def test_a_new_address_begins_with_the_last_root(store: SqliteStore, tmp_path: Path) -> None:
    """Who is added later gets the line that vouches for all before it, instead of a year of lines."""
    roots = take(store, tmp_path, MONDAY, WEDNESDAY)
    with web() as server:
        list(hand_out(tmp_path, [address_of(f"json://127.0.0.1:{server.port}")], [], "Roots"))
        assert server.texts == [lines(roots[-1:])]


def test_messages_are_parted_between_lines_where_there_is_little_room(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,048 bytes hold eleven roots: thirty go in three messages, and no line is cut."""
    roots = take(store, tmp_path, MONDAY, MONDAY + timedelta(days=29))
    with web() as server:
        address = address_of(f"wecombot://{HIDDEN}")
        service = address._service
        monkeypatch.setattr(service, "api_url", f"http://127.0.0.1:{server.port}/", raising=False)
        monkeypatch.setattr(service, "request_rate_per_sec", 0)
        server.answer = b'{"errcode": 0}'
        said = word("roots_text", "zh")
        deliveries = list(hand_out(tmp_path, [address], roots, "证据日根", said))
        assert len(deliveries) == len(server.got) == 3
        assert all(len(text.encode()) <= 2048 for text in server.texts)
        sent = [line for text in server.texts for line in text.splitlines() if not line.startswith("证据日根")]
        assert sent.count(said) == 3
        assert [line for line in sent if line != said] == lines(roots).splitlines()
        pasted = tmp_path / "pasted.txt"
        pasted.write_text("\n".join(server.texts), encoding="utf-8")
        assert pasted_roots(pasted) == roots


def test_a_bot_that_is_busy_gets_its_roots_later(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """企业微信 says -1 where it is busy: that is written down so that it can be read, and the root goes next time."""
    roots = take(store, tmp_path, MONDAY, MONDAY)
    with web() as server:
        address = address_of(f"wecombot://{HIDDEN}")
        monkeypatch.setattr(address._service, "api_url", f"http://127.0.0.1:{server.port}/", raising=False)
        monkeypatch.setattr(address._service, "request_rate_per_sec", 0)
        server.answer = b'{"errcode": -1, "errmsg": "system busy"}'
        assert [one.outcome for one in hand_out(tmp_path, [address], roots, "Roots")] == ["refused_-1"]
        server.answer = b'{"errcode": 0}'
        assert [one.outcome for one in hand_out(tmp_path, [address], [], "Roots")] == ["taken"]
    assert [one.outcome for one in HandedLog(tmp_path).read()] == ["refused_-1", "taken"]


@pytest.mark.parametrize("outcome", ["a b", "a\nb", "\u2028", "", "拒绝:1"])
def test_any_outcome_is_written_so_that_it_can_be_read(tmp_path: Path, outcome: str) -> None:
    """What another side answers never makes the record unreadable."""
    log = HandedLog(tmp_path)
    with log.alone() as descriptor:
        add(descriptor, [Handed(MONDAY.isoformat(), "0" * 64, "json://x#1", 1, outcome)])
    (read,) = log.read()
    assert not read.is_taken


def test_a_record_that_cannot_be_read_is_said(store: SqliteStore, tmp_path: Path) -> None:
    """Nothing is sent on the word of a record in which somebody wrote."""
    roots = take(store, tmp_path, MONDAY, MONDAY)
    (tmp_path / "evidence/handed.log").write_text("hello\n")
    with web() as server:
        with pytest.raises(BadRoots, match=r"handed\.log:1: does not say to whom"):
            list(hand_out(tmp_path, [address_of(f"json://127.0.0.1:{server.port}")], roots, "Roots"))
        assert server.got == []


def _on_a_terminal(*words: object) -> str:
    """Return what a command shows on a terminal."""
    near, far = pty.openpty()
    process = subprocess.Popen(
        [str(BIN / "santong"), *map(str, words)], stdout=far, stderr=far, env=os.environ | {"LANG": "C.UTF-8"}
    )
    os.close(far)
    text = b""
    while select.select([near], [], [], 30)[0]:
        try:
            text += os.read(near, 65536)
        except OSError:  # the other end is closed
            break
    os.close(near)
    assert process.wait(30) == 0
    return text.decode()


@pytest.mark.usefixtures("store")
def test_the_command_hands_out_and_tells_who_has_what(tmp_path: Path) -> None:
    """`evidence roots`: by mail and webhook; exit code 1 while somebody lacks a root; lines stay lines in a pipe."""
    where = ("--data", tmp_path, "--lang", "en")
    port = free_port()
    file = tmp_path / "notify.urls"
    with mail() as (mail_port, box):
        to = f"mailto://127.0.0.1:{mail_port}?from=c@example.org&to=a@example.org&mode=insecure"
        file.write_text(f"{to}\njson://me:{HIDDEN}@127.0.0.1:{port}/{HIDDEN}\n")
        file.chmod(0o600)
        printed, said = run("evidence", "roots", *where, code=1)
        assert "took it" in said
        assert "json://127.0.0.1#" in said
        assert "could not be reached" in said
        (got,) = box.mails
        assert got.get_content().split() == [*SENTENCE.split(), *printed.split()]
        with web(port) as server:
            again, said = run("evidence", "roots", *where)
            assert again == ""
            assert said.count("took it") == 1
            assert server.texts == [f"{SENTENCE}\n{printed}".rstrip("\n")]
        assert len(box.mails) == 1
    every, said = run("evidence", "roots", *where, "--all")
    assert (every, said) == (printed, "")
    shown = _on_a_terminal("evidence", "roots", *where, "--all")
    assert shown.count("took it") == 2
    assert printed.rstrip("\n") in shown
    tree = json.loads(run("evidence", "roots", *where, "--all", "--json")[0])
    assert [one["outcome"] for one in tree[0]["handed"]] == ["taken", "taken"]
    kept = "".join(one.read_text() for one in (tmp_path / "evidence").glob("*.log"))
    assert HIDDEN not in kept + shown + json.dumps(tree)


@pytest.mark.usefixtures("store")
def test_a_wrong_address_keeps_no_root_from_being_taken(tmp_path: Path) -> None:
    """The root is taken, those who can be reached get it, and the mistake is one line and exit code 2."""
    with web() as server:
        there = f"json://127.0.0.1:{server.port}"
        words = ("--notify", f"wecombott://{HIDDEN}", "--notify", there)
        printed, said = run("evidence", "roots", "--data", tmp_path, "--lang", "en", *words, code=2)
        assert server.texts == [f"{SENTENCE}\n{printed}".rstrip("\n")]
        assert said.splitlines()[-1] == "--notify: wecombott:// is unknown, did you mean wecombot"
        assert HIDDEN not in said


def _said(server: Web, *words: object, code: int = 0) -> str:
    """Return what a test of a web server's address says."""
    url = f"json://127.0.0.1:{server.port}/{HIDDEN}"
    return "".join(run("notify", "test", "--notify", url, "--lang", "en", *words, code=code))


def test_addresses_can_be_tried(tmp_path: Path) -> None:
    """`notify test` sends each a message and says which took it: exit code 1 where one did not, 2 where none is."""
    with web() as server:
        assert "took it" in _said(server)
        assert server.got[0]["title"] == "Santong: a test message"
        server.status = 404
        said = _said(server, code=1)
        assert "did not take it: HTTP 404" in said
        (tried,) = json.loads(_said(server, "--json", code=1))
        assert tried["outcome"] == "http_404"
        assert HIDDEN not in said + tried["address"]
    assert "there is no address" in run("notify", "test", "--data", tmp_path, "--lang", "en", code=2)[1]
