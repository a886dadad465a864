"""Watch with all its parts: what fails for a moment costs nothing, and what fails for long is said."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.watch.journal import Journal, JournalError
from collector.watch.routes import Recipient, Routing
from tests.collector.watch.joined import Joined


@pytest.fixture
def joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Joined]:
    """Return a watch of two sites, in which all agents are online and deliver."""
    found = Joined(tmp_path, monkeypatch)
    found.say("online", *found.agents)
    found.deliver()
    yield found
    found.shut()


# ---- the heartbeat


@pytest.mark.parametrize("file", ["calendars.yaml", "disputes/records.jsonl", "roster/000001/version.json"])
def test_no_heartbeat_while_something_that_watch_goes_by_cannot_be_read(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Whoever listens outside hears of a spoilt file; a heartbeat says that people will be told what is to be told."""
    beats: list[int] = []
    monkeypatch.setattr(joined.watching._beats, "well", lambda: beats.append(1))
    joined.look(0)
    assert len(beats) == 1
    spoilt = joined.data / file
    before = spoilt.read_bytes() if spoilt.is_file() else None
    spoilt.parent.mkdir(exist_ok=True)
    spoilt.write_text("zone: [", encoding="utf-8")
    joined.deliver(seconds=86_400)
    joined.look(86_400)  # a day later the roster is read, too
    joined.look(86_415)
    assert joined.kinds == []
    assert len(beats) == 1
    assert joined.watching.journal.trouble()
    spoilt.write_bytes(before) if before else spoilt.unlink()
    joined.deliver(seconds=86_430)
    joined.look(86_500)
    assert len(beats) == 2
    assert joined.watching.journal.trouble() == ""


# ---- a commit that fails


def failing_commits(patch: pytest.MonkeyPatch, times: int) -> None:
    """Let the journal refuse the next commits, as on a full disk."""
    original, left = Journal.commit, iter(range(times))

    def commit(*words: object, **options: object) -> None:
        if next(left, None) is not None:
            raise JournalError("watch.sqlite: database or disk is full")
        original(*words, **options)  # type: ignore[arg-type]

    patch.setattr(Journal, "commit", commit)


def look_once(joined: Joined, seconds: float) -> None:
    """Look as the loop does: what fails is tried again."""
    joined.now_ns = joined.at(seconds)
    joined.watching._look_once()


def test_what_agents_said_in_a_look_that_failed_is_not_lost(joined: Joined) -> None:
    """Last wills that came while the journal was locked are told when it is free, and nobody else is."""
    joined.live(0, 120, *joined.agents)
    gone = [agent for agent in joined.agents if agent.startswith(joined.sites[0])]
    joined.now_ns = joined.at(121)
    joined.say("offline", *gone)
    joined.watching.journal._writer().execute("PRAGMA busy_timeout = 20")
    with closing(sqlite3.connect(joined.watching.journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for second in (120, 135, 150):
            look_once(joined, second)
        assert joined.watching.journal.looked_ns() == joined.at(105)
    look_once(joined, 165)
    assert joined.kinds == []
    joined.live(180, 360, *(agent for agent in joined.agents if agent not in gone))
    assert joined.kinds == ["site"]


def test_news_of_a_look_that_failed_are_told_once(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident is opened just when the disk is full: it is in the journal and told as soon as there is room."""
    told = lambda _routing, news, _zone: [Recipient("somebody", news.at_ns)]  # noqa: E731
    monkeypatch.setattr(Routing, "recipients", told)
    joined.live(0, 60, *joined.agents)
    joined.say("offline", *[agent for agent in joined.agents if agent.startswith(joined.sites[0])])
    others = [agent for agent in joined.agents if agent.startswith(joined.sites[1])]
    joined.live(60, 240, *others)
    failing_commits(monkeypatch, 5)
    for second in range(240, 400, 15):
        joined.deliver(*others, seconds=second)
        look_once(joined, second)
    assert joined.kinds == ["site"]
    with joined.watching.journal.transaction() as connection:
        assert connection.execute("SELECT incident, what FROM entry").fetchall() == [("1", "opened")]


def test_a_dead_collector_is_told_as_such_after_a_commit_that_failed(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That agents are online is still known: nobody calls schools because our own collector is dead."""
    joined.live(0, 120, *joined.agents)
    failing_commits(monkeypatch, 1)
    for second in range(120, 1500, 15):
        look_once(joined, second)
    assert joined.kinds == ["centre"]


# ---- the collector


def test_one_mute_agent_alone_in_the_night_is_no_dead_collector(joined: Joined) -> None:
    """All others are off; one is connected and holds its batches, for want of the time: that is told of it alone."""
    joined.live(0, 120, *joined.agents)
    joined.say("stopped", *joined.agents[1:])
    joined.live(120, 1800)
    assert "centre" not in joined.kinds


def test_agents_that_are_in_no_roster_do_not_tell_of_the_collector(joined: Joined) -> None:
    """Somebody's test agents are online and deliver nothing that counts here."""
    joined.live(0, 60, *joined.agents)
    joined.say("stopped", *joined.agents)
    joined.say("online", *(f"441802-9999.c{number}" for number in range(9)))
    joined.live(60, 1800)
    assert "centre" not in joined.kinds


def test_agents_that_were_never_heard_do_not_tell_of_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices that are being put up are online before anything of them can be stored."""
    joined = Joined(tmp_path, monkeypatch)
    joined.say("online", *joined.agents[1:])
    joined.deliver(joined.agents[0])
    joined.live(0, 60, joined.agents[0])
    joined.say("stopped", joined.agents[0])
    joined.live(60, 1800)
    assert "centre" not in joined.kinds
    joined.shut()


def test_where_nothing_was_ever_stored_it_is_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Began with a collector that does not run, watch says so, and does not name each agent."""
    joined = Joined(tmp_path, monkeypatch)
    joined.say("online", *joined.agents)
    joined.live(0, 1800)
    assert joined.kinds == ["centre"]
    joined.shut()


@pytest.mark.parametrize("left", [3, 6])
def test_several_agents_that_are_online_and_mute_are_a_dead_collector(joined: Joined, left: int) -> None:
    """It is told so within minutes, and nobody is told of schools."""
    joined.live(0, 120, *joined.agents)
    joined.say("stopped", *joined.agents[left:])
    joined.live(120, 900)
    assert joined.kinds == ["centre"]


def test_a_clock_that_is_hours_ahead_hides_no_dead_collector(joined: Joined) -> None:
    """Its evidence is not of now, and says nothing of now."""
    joined.deliver(joined.agents[0], ahead_s=5 * 3600)
    joined.live(0, 120, *joined.agents)
    joined.live(120, 900)
    assert joined.kinds == ["centre"]


# ---- the clock


def test_a_clock_that_is_set_back_stops_nothing(joined: Joined) -> None:
    """The store is asked at the next look, and a dead collector is told in time."""
    joined.live(3600, 3720, *joined.agents)
    joined.look(0)
    assert joined.watching._read_ns == joined.at(0)
    joined.live(15, 1800)
    assert joined.kinds == ["centre"]
