"""Each night the roots are taken beside a running centre; a night that fails is a line, and is made up for."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.archive.chain import Chain
from collector.archive.handed import HandedLog
from collector.daily import AFTER_MIDNIGHT_S, FIRST_S, DailyRoots, next_night
from collector.evidence import ROOT_AFTER_NS, roots
from collector.store.sqlite import SqliteStore
from collector.up import store_url
from collector.words import word
from tests.collector.channels.receivers import web
from tests.collector.verification.world import CLASS_1, MONDAY, SECOND_NS, TUESDAY, World, after
from tests.services import free_port

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_S = 3600.0


class Clock:
    """The time of day, which a test puts forward."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Return it."""
        return self.now


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the data folder of a centre that has some evidence."""
    store = SqliteStore(tmp_path / "santong.sqlite")
    store.prepare()
    world = World()
    world.works(CLASS_1, MONDAY, "08:00", "08:30")
    world.write(store)
    store.close()
    return tmp_path


@contextmanager
def running(data: Path, clock: Clock, store: str = "") -> Iterator[DailyRoots]:
    """Return what takes the roots, at the moment when it begins."""
    daily = DailyRoots(data, store or store_url(data), ZONE, "en", clock)
    try:
        yield daily
    finally:
        daily.stop()


def one_run(daily: DailyRoots) -> None:
    """Look until a run has begun and ended, as `santong up` does."""
    daily.look()
    assert daily._child is not None
    end = time.monotonic() + 60
    while daily._child is not None and time.monotonic() < end:
        time.sleep(0.05)
        daily.look()
    assert daily._child is None


def test_what_a_night_could_not_hand_out_goes_an_hour_later(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seconds after the start the root is taken; while nobody can be reached, that is said, and tried hourly."""
    port, clock = free_port(), Clock()
    monkeypatch.setenv("SANTONG_NOTIFY", f"json://127.0.0.1:{port}/s3cretw0rd")
    with running(data, clock) as daily:
        daily.look()
        assert daily._child is None, "the start of everything else comes first"
        clock.now += FIRST_S
        one_run(daily)
        (root,) = Chain(data).roots()
        assert daily.last == root.day
        assert re.fullmatch(r"evidence roots: json://127\.0\.0\.1#\w{8}  \S+  could not be reached", daily.trouble)
        daily.look()
        assert daily._child is None
        with web(port) as server:
            clock.now += HOUR_S
            one_run(daily)
            (text,) = server.texts
            assert text.split("\n") == [word("roots_text", "en"), root.line().rstrip("\n")]
        assert daily.trouble == ""
        clock.now += HOUR_S / 60
        daily.look()
        assert daily._child is None, "nothing is due before the next night"
    assert [one.outcome for one in HandedLog(data).read()] == ["unreachable", "taken"]


def test_a_centre_without_evidence_takes_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of days before the first evidence there is nothing to prove: nobody is woken by a root of nothing at a start."""
    store, clock = SqliteStore(tmp_path / "santong.sqlite"), Clock()
    store.prepare()
    store.close()
    with web() as server, running(tmp_path, clock) as daily:
        monkeypatch.setenv("SANTONG_NOTIFY", f"json://127.0.0.1:{server.port}/")
        clock.now += FIRST_S
        one_run(daily)
        assert (daily.trouble, daily.last, server.texts, Chain(tmp_path).roots()) == ("", "", [], [])


def test_a_chain_begins_with_the_first_evidence(data: Path) -> None:
    """Asked for from an earlier day on it begins where evidence does; a day of nothing after that has its root."""
    store = SqliteStore(data / "santong.sqlite")
    wednesday_ns = after(TUESDAY, hours=0) + ROOT_AFTER_NS
    found = list(roots(store, data, None, MONDAY - timedelta(days=3), wednesday_ns))
    assert [(root.day, root.leaves > 0) for root in found] == [(f"{MONDAY}", True), (f"{TUESDAY}", False)]
    store.close()


def test_a_store_that_fails_is_a_line_of_trouble(data: Path) -> None:
    """Whatever goes wrong is said in a line, and tried again; nothing is thrown at what looks after it."""
    clock = Clock()
    with running(data, clock, f"sqlite://{data / 'nothing.sqlite'}") as daily:
        clock.now += FIRST_S
        one_run(daily)
        assert "no such store" in daily.trouble
        assert "\n" not in daily.trouble
        (data / "evidence-roots.log").unlink()
        (data / "evidence-roots.log").mkdir()  # what cannot even be started
        clock.now += HOUR_S
        daily.look()
        assert daily.trouble.startswith("evidence roots: ")
        assert daily._child is None


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2026-03-02T00:10", "2026-03-02T00:35"),
        ("2026-03-02T00:35", "2026-03-03T00:35"),
        ("2026-03-02T23:59", "2026-03-03T00:35"),
    ],
)
def test_the_next_night_is_a_while_after_midnight(now: str, night: str) -> None:
    """The night is that of the programme's zone, with a margin for what is stored without a mark."""
    instant = datetime.fromisoformat(now).replace(tzinfo=ZONE).timestamp()
    assert datetime.fromtimestamp(next_night(instant, ZONE), ZONE).isoformat() == f"{night}:00+08:00"


def test_a_day_has_no_root_while_its_evidence_may_come_without_a_mark(data: Path) -> None:
    """Evidence of the last minutes is stored up to a quarter of an hour later as if in time: no root before that."""
    store = SqliteStore(data / "santong.sqlite")
    midnight_ns = after(MONDAY, hours=0)
    assert list(roots(store, data, None, MONDAY, midnight_ns + ROOT_AFTER_NS - SECOND_NS)) == []
    (root,) = roots(store, data, None, MONDAY, midnight_ns + ROOT_AFTER_NS)
    assert root.day == MONDAY.isoformat() < TUESDAY.isoformat()
    assert AFTER_MIDNIGHT_S * SECOND_NS > ROOT_AFTER_NS
    store.close()
