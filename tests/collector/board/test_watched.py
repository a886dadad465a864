"""What the board takes of watch: its word while it lives, and nothing of a watch that does not look any more."""

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector import words
from collector.access.types import LOCAL
from collector.board import city, incidents
from collector.board.draw import Eyes
from collector.board.model import NOT_WATCHED
from collector.board.notices import notices
from collector.board.view import View
from collector.board_words import BOARD
from collector.boarding import LiveSource
from collector.terms import Language
from collector.watch.journal import CENTRE, EVERY, JUDGED, LOOKED, Journal
from collector.watch.memory import Case, Memory, Track
from collector.watch.types import Now, State
from collector.watched import STILL_NS, Watcher
from tests.collector.board.town import (
    CLASSES,
    GATEWAY,
    HOTSPOT,
    MINUTE_NS,
    NEVER,
    OTHER,
    PANELS,
    SCHOOL,
    SQUARE,
    Town,
    last_minute,
)

ZONE = ZoneInfo("Asia/Shanghai")
CASE = Case("7", "device", HOTSPOT, "441802", SQUARE, "", (HOTSPOT,), "unreachable", 1, 1, minutes=77)


class Watch:
    """A watch that looks when a test says so."""

    def __init__(self, data: Path) -> None:
        self.journal = Journal(data, create=True)
        self.memory = Memory()

    def look(self, at_ns: int, *tracks: Track, centre: str = "", judged_ns: int = 0, every_s: int = 15) -> None:
        """Write what a look would."""
        for track in tracks:
            self.memory.track(track)
        said = {LOOKED: str(at_ns), EVERY: f"{every_s}000000000", CENTRE: centre, JUDGED: str(judged_ns or at_ns)}
        self.journal.commit(self.memory, (), said)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Return a town where all is well."""
    made = Town(tmp_path / "data")
    made.all_well(last_minute())
    return made


def page(source: LiveSource, language: Language = "en") -> str:
    """Return what stands on the top of each page, and the city's."""
    view = View(source.picture, source.rest, LOCAL, Eyes(language, ZONE, source.picture.at_ns))
    return "".join([notices(view), *(content for _, content in city.city(view))])


def test_without_a_watch_evidence_counts_and_nothing_is_said_of_it(town: Town) -> None:
    """A centre that never had a watch is none whose watch stands still; nor is one whose watch has yet to look."""
    source = LiveSource(town.store, town.data, ZONE)
    assert source.look(time.time_ns()).now[HOTSPOT].state is State.WORKING
    assert source.picture.watched == NOT_WATCHED
    Journal(town.data, create=True)
    assert source.look(time.time_ns()).watched == NOT_WATCHED
    assert "watch-trouble" not in page(source)
    assert source.picture.trouble == ""


def test_the_word_of_a_watch_that_lives_counts(town: Town) -> None:
    """It knows of a vanished agent before evidence ends; its incidents are on the page; what comes next is seen."""
    watch, now_ns = Watch(town.data), time.time_ns()
    gone = Track(HOTSPOT, State.OFFLINE, "unreachable", now_ns - MINUTE_NS, "7")
    watch.memory.case(CASE._replace(opened_ns=now_ns, began_ns=now_ns))
    watch.look(now_ns, gone)
    source = LiveSource(town.store, town.data, ZONE)
    found = source.look(now_ns)
    assert found.now[HOTSPOT] == gone.now
    assert found.now[CLASSES[0]].state is State.WORKING
    assert [one.id for one in found.incidents] == ["7"]
    assert "nothing is heard (line or power)" in page(source)
    assert "人民广场" in page(source)
    assert ">77<" in page(source)
    watch.look(now_ns + MINUTE_NS // 4, gone._replace(state=State.WORKING, why=""))
    assert source.look(now_ns + MINUTE_NS // 4).now[HOTSPOT].state is State.WORKING


@pytest.mark.parametrize(
    ("kind", "operator", "said"),
    [("operator", "运营商甲", ">运营商甲 2 sites<"), ("centre", "", ">2 sites<")],
)
def test_an_incident_of_many_sites_is_placed_at_none_of_them(town: Town, kind: str, operator: str, said: str) -> None:
    """Whose they are, and how many: the first of them is no worse off than the others."""
    watch, now_ns = Watch(town.data), time.time_ns()
    case = CASE._replace(kind=kind, operator=operator, county="", devices=(HOTSPOT, CLASSES[0]), opened_ns=now_ns)
    watch.memory.case(case)
    watch.look(now_ns)
    source = LiveSource(town.store, town.data, ZONE)
    source.look(now_ns)
    view = View(source.picture, source.rest, LOCAL, Eyes("en", ZONE, now_ns))
    listed = dict(incidents.listing(view))["open"]
    assert said in listed
    assert "人民广场" not in listed
    assert said.strip("<>") in dict(incidents.incident(view, source.picture.incidents[0]))["incident"]


def test_what_people_did_is_seen_before_watch_looks_again(town: Town) -> None:
    """Somebody who takes an incident on stands on the page with the next look of the board."""
    watch, now_ns = Watch(town.data), time.time_ns()
    watch.memory.case(CASE._replace(opened_ns=now_ns, began_ns=now_ns))
    watch.look(now_ns, Track(HOTSPOT, State.OFFLINE, "unreachable", now_ns, "7"))
    source = LiveSource(town.store, town.data, ZONE)
    source.look(now_ns)
    watch.journal.acknowledge("7", "Wang")
    assert source.look(now_ns).incidents[0].acknowledged_by == "Wang"


def test_of_a_watch_that_stands_still_nothing_is_shown_but_that(town: Town) -> None:
    """Two minutes after its last look states follow from evidence alone, and each page says since when."""
    watch, now_ns = Watch(town.data), time.time_ns()
    watch.memory.case(CASE._replace(opened_ns=now_ns, began_ns=now_ns))
    watch.look(now_ns - STILL_NS - 1, Track(HOTSPOT, State.OFFLINE, "unreachable", now_ns, "7"))
    source = LiveSource(town.store, town.data, ZONE)
    found = source.look(now_ns)
    assert found.now[HOTSPOT].state is State.WORKING
    assert found.incidents == ()
    assert "watch stands still since" in page(source)
    assert "值守程序自" in page(source, "zh")
    watch.look(now_ns)
    assert source.look(now_ns).now[HOTSPOT].state is State.OFFLINE
    assert "watch-trouble" not in page(source)


def test_a_watch_that_looks_seldom_is_waited_for(town: Town) -> None:
    """Where somebody set it to look every five minutes it lives for longer after a look."""
    watch, now_ns = Watch(town.data), time.time_ns()
    watch.look(now_ns - 10 * MINUTE_NS, Track(HOTSPOT, State.OFFLINE, "unreachable", now_ns), every_s=300)
    assert Watcher(town.data).look(now_ns).now[HOTSPOT].state is State.OFFLINE


def test_while_the_centre_fails_states_are_those_of_before(town: Town) -> None:
    """Watch judges nobody meanwhile, so the page says of when states are, and what fails."""
    watch, now_ns = Watch(town.data), time.time_ns()
    offline = Track(HOTSPOT, State.OFFLINE, "unreachable", now_ns - MINUTE_NS)
    watch.look(now_ns, offline, centre="broker_down", judged_ns=now_ns - 30 * MINUTE_NS)
    source = LiveSource(town.store, town.data, ZONE)
    assert source.look(now_ns).now[HOTSPOT].state is State.OFFLINE
    at = Eyes("en", ZONE, now_ns).clock(now_ns - 30 * MINUTE_NS)
    assert f"the centre itself fails (the broker cannot be reached): states are those of {at}" in page(source)


@pytest.mark.parametrize("is_first", [False, True], ids=["then watch", "watch first"])
def test_a_watch_that_began_later_takes_no_time_from_a_failure(town: Town, *, is_first: bool) -> None:
    """What fails since half an hour does so when watch has looked, too: the reason is watch's, the time the earlier."""
    now_ns, at = time.time_ns(), last_minute()
    town.presence(CLASSES[0], at, minutes=40, wan=0)
    watch, source = Watch(town.data), LiveSource(town.store, town.data, ZONE)
    if not is_first:
        assert source.look(now_ns).now[CLASSES[0]].since_ns == at - 39 * MINUTE_NS
    for late_ns in (0, MINUTE_NS // 4):
        failing = Track(CLASSES[0], State.FAILING, "lan_down", now_ns - MINUTE_NS)
        watch.look(now_ns + late_ns, failing)
        found = source.look(now_ns + late_ns)
        assert found.now[CLASSES[0]] == failing.now._replace(since_ns=at - 39 * MINUTE_NS)
        assert found.sites[SCHOOL].since_ns == at - 39 * MINUTE_NS


def test_what_watch_saw_failing_does_not_work_since_its_start(town: Town) -> None:
    """Evidence knows since when a computer runs, watch since when it works again."""
    watch, now_ns = Watch(town.data), time.time_ns()
    watch.look(now_ns, Track(CLASSES[0], State.WORKING, "", now_ns - 5 * MINUTE_NS))
    found = LiveSource(town.store, town.data, ZONE).look(now_ns)
    assert found.now[CLASSES[0]].since_ns == now_ns - 5 * MINUTE_NS


@pytest.mark.parametrize("why", ["", "never_reported"])
def test_what_watch_does_not_know_yet_is_told_from_evidence(town: Town, why: str) -> None:
    """It asks the store once a minute: nobody waits for that to see a device work."""
    watch, now_ns = Watch(town.data), time.time_ns()
    watch.look(now_ns, Track(HOTSPOT, State.UNKNOWN, why, now_ns), Track(CLASSES[0], State.UNKNOWN, "no_evidence"))
    found = LiveSource(town.store, town.data, ZONE).look(now_ns)
    assert found.now[HOTSPOT].state is State.WORKING
    assert found.now[CLASSES[0]].why == "no_evidence"


def dark(town: Town, now_ns: int, gateway: Track) -> LiveSource:
    """Return what the board reads of a school whose gateway is as watch says, and was last heard ten minutes ago."""
    gone_ns = last_minute() - 10 * MINUTE_NS
    town.presence(GATEWAY, gone_ns)
    town.panel(PANELS[0], gone_ns - MINUTE_NS)
    town.panel(PANELS[1], gone_ns - 2 * MINUTE_NS)
    why = "agent_down" if gateway.why == "unreachable" else ""
    Watch(town.data).look(now_ns, gateway, *(Track(one, State.UNKNOWN, why, now_ns) for one in PANELS))
    source = LiveSource(town.store, town.data, ZONE)
    source.look(now_ns)
    return source


def test_what_a_gateway_observes_is_without_evidence_for_its_reason(tmp_path: Path) -> None:
    """Not because our agent stopped, but for what took the gateway away; each since it was last heard itself."""
    town, now_ns, at = Town(tmp_path / "data"), time.time_ns(), last_minute()
    source = dark(town, now_ns, Track(GATEWAY, State.OFFLINE, "unreachable", now_ns - 9 * MINUTE_NS))
    found = source.picture
    assert found.now[PANELS[0]] == Now(PANELS[0], State.UNKNOWN, at - 11 * MINUTE_NS, "unreachable")
    assert found.now[PANELS[1]].since_ns == at - 12 * MINUTE_NS
    assert found.now[PANELS[2]] == Now(PANELS[2], State.UNKNOWN, 0, "never_reported")
    assert (found.sites[OTHER].trouble, found.sites[OTHER].since_ns) == (3, at - 12 * MINUTE_NS)
    assert "<div>3 / 4</div>" in page(source)  # of the worst sites


@pytest.mark.parametrize(
    ("why", "shown"), [("", "not_heard"), ("no_evidence", "no_evidence")], ids=["just back", "mute"]
)
def test_a_gateway_that_is_back_without_data_is_a_reason(tmp_path: Path, why: str, shown: str) -> None:
    """Whoever has no evidence has a reason for it, and counts among those that need a look."""
    town, now_ns = Town(tmp_path / "data"), time.time_ns()
    found = dark(town, now_ns, Track(GATEWAY, State.UNKNOWN, why, now_ns)).picture
    assert found.now[GATEWAY][1:4] == (State.UNKNOWN, last_minute() - 10 * MINUTE_NS, shown)
    assert [found.now[one].why for one in PANELS] == ["observer", "observer", "never_reported"]
    assert found.sites[OTHER].trouble == 3


def test_a_classroom_that_just_started_needs_no_look(town: Town) -> None:
    """Its agent is online and has not delivered yet: no evidence for a minute is no trouble; that it never comes is."""
    now_ns, watch = time.time_ns(), Watch(town.data)
    town.presence(NEVER, now_ns - 60 * MINUTE_NS)
    source = LiveSource(town.store, town.data, ZONE)
    for why, trouble in (("", 0), ("no_evidence", 1)):
        now_ns += MINUTE_NS // 4
        watch.look(now_ns, Track(NEVER, State.UNKNOWN, why, now_ns))
        assert source.look(now_ns).sites[SCHOOL].trouble == trouble


def test_a_journal_that_cannot_be_read_is_said_and_evidence_counts(town: Town) -> None:
    """A file that is no journal takes nothing else of the page away."""
    (town.data / "watch.sqlite").write_bytes(b"this is no journal " * 400)
    source = LiveSource(town.store, town.data, ZONE)
    assert source.look(time.time_ns()).now[HOTSPOT].state is State.WORKING
    assert "watch.sqlite" in source.picture.trouble
    assert "/county/441802" in page(source)


def test_no_word_of_the_board_means_something_else_elsewhere() -> None:
    """The board's words are one table with all others: a key that both have would take the other's meaning."""
    assert {key for key, pair in BOARD.items() if words.WORDS[key] != pair} == set()
