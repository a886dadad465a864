"""What the newest evidence in a store says of devices, by the verifier's own conditions."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.sighted import Sighted, last_heard
from collector.store.base import Store
from collector.store.open import open_store
from collector.store.sqlite import SqliteStore
from collector.targets.load import load
from collector.watch.rules import Rules, ns
from tests.collector.verification.world import World

SITE, SQUARE = "441802-3144001234", "441802-9990000101"
CLASS, PANEL, GATEWAY, HOTSPOT = f"{SITE}.c0701", f"{SITE}.p0701", f"{SITE}.gw", f"{SQUARE}.ap1"
ROSTER = Roster(
    {SITE: Site(SITE, "School"), SQUARE: Site(SQUARE, "Square", kind=SiteKind.PUBLIC)},
    {
        CLASS: Device(CLASS, "classroom", profile="windows-classroom-pc"),
        PANEL: Device(PANEL, "classroom", profile="pjlink-panel", agent=GATEWAY),
        GATEWAY: Device(GATEWAY, "gateway"),
        HOTSPOT: Device(HOTSPOT, "access-point"),
    },
)
TARGETS = load().targets


@pytest.fixture(params=["sqlite", "influx"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return a store of either kind."""
    opened: Store
    if request.param == "sqlite":
        opened = SqliteStore(tmp_path / "santong.sqlite")
    else:
        opened = open_store(request.getfixturevalue("influx_url"))
    opened.prepare()
    yield opened
    opened.close()


def now() -> int:
    """Return this minute."""
    now_ns = time.time_ns()
    return now_ns - now_ns % ns(60)


def present(world: World, device: str, at_ns: int, **network: int) -> None:
    """Add a presence."""
    world.add("presence", device, at_ns, {"boot": "b", "uptime_s": 600.0, "asleep_s": 0.0, **network})


def seen(store: Store, world: World, now_ns: int) -> dict[str, tuple[str, str]]:
    """Return cause and stage of each device of which there is evidence."""
    world.write(store)
    return {one.device: (one.cause, one.stage) for one in Sighted(TARGETS, Rules(), ()).read(store, ROSTER, now_ns)}


def test_presence_tells_of_the_network(store: Store) -> None:
    """Internet, LAN, or neither: the newest minute counts."""
    world, at_ns = World(), now()
    present(world, CLASS, at_ns - ns(60), lan=1, wan=0)
    present(world, CLASS, at_ns, lan=1, wan=1)
    present(world, GATEWAY, at_ns, lan=0, wan=0)
    present(world, HOTSPOT, at_ns, lan=1, wan=0)
    assert seen(store, world, at_ns) == {
        CLASS: ("working", ""),
        GATEWAY: ("lan_down", ""),
        HOTSPOT: ("wan_down", ""),
    }


def test_a_clock_that_is_ahead_does_not_tell_of_now(store: Store) -> None:
    """Neither that the device works, for hours after it went, nor that the collector does; two minutes are allowed."""
    world, at_ns = World(), now()
    present(world, CLASS, at_ns + ns(5 * 3600), lan=1, wan=1)
    present(world, GATEWAY, at_ns + ns(60), lan=1, wan=1)
    world.add("display", PANEL, at_ns + ns(5 * 3600), {"power": "on"}, source=GATEWAY)
    world.add("fault", CLASS, at_ns + ns(5 * 3600), {"active": 1, "severity": "critical"}, {"code": "lamp"})
    world.write(store)
    reader = Sighted(TARGETS, Rules(), ("critical",))
    assert [(one.device, one.at_ns) for one in reader.read(store, ROSTER, at_ns)] == [(GATEWAY, at_ns)]
    assert reader.faults(store, at_ns) == {}
    assert reader.read(store, ROSTER, at_ns + ns(3600)) == []
    assert reader.newest_ns == at_ns


def test_a_clock_that_was_right_before_is_believed_again_when_it_is_right(store: Store) -> None:
    """What it said while it was ahead hides nothing that it says now."""
    world, at_ns = World(), now()
    present(world, CLASS, at_ns + ns(5 * 3600), lan=1, wan=1)
    present(world, CLASS, at_ns, lan=1, wan=0)
    assert seen(store, world, at_ns) == {CLASS: ("wan_down", "")}


def test_with_the_centres_clock_set_back_the_newest_evidence_is_of_now_at_the_latest(store: Store) -> None:
    """Else a collector that died meanwhile would be hidden for as long as the clock was set back."""
    world, at_ns = World(), now()
    present(world, CLASS, at_ns, lan=1, wan=1)
    world.write(store)
    reader = Sighted(TARGETS, Rules(), ())
    reader.read(store, ROSTER, at_ns)
    reader.read(store, ROSTER, at_ns - ns(3600))
    assert reader.newest_ns == at_ns - ns(3600)
    world.add("fault", CLASS, at_ns - ns(3000), {"active": 1, "severity": "critical"}, {"code": "lamp"})
    reader = Sighted(TARGETS, Rules(), ("critical",))
    reader.faults(store, at_ns)
    world.write(store)
    assert reader.faults(store, at_ns - ns(2940)) == {CLASS: ("lamp",)}


def test_a_hotspot_fails_at_a_stage_of_the_journey(store: Store) -> None:
    """The programme's own conditions say so: what a stranger's phone finds, at which stage it ends."""
    world, at_ns = World(), now()
    present(world, HOTSPOT, at_ns, lan=1, wan=1)
    world.add("probe", HOTSPOT, at_ns, {"success": 0, "stage": "dhcp"}, {"kind": "wifi_join", "target": "free"})
    assert seen(store, world, at_ns)[HOTSPOT] == ("service_down", "dhcp")
    world.add("probe", HOTSPOT, at_ns + ns(30), {"success": 1}, {"kind": "wifi_join", "target": "free"})
    assert seen(store, world, at_ns + ns(30))[HOTSPOT] == ("working", "")


def test_a_panel_says_itself_that_it_is_on(store: Store) -> None:
    """Standby is no failure; what nobody has read for a while says nothing."""
    world, at_ns = World(), now()
    world.add("display", PANEL, at_ns, {"power": "on"}, source=GATEWAY)
    assert seen(store, world, at_ns)[PANEL] == ("working", "")
    world.add("display", PANEL, at_ns + ns(30), {"power": "standby"}, source=GATEWAY)
    assert seen(store, world, at_ns + ns(30))[PANEL] == ("asleep", "")
    assert PANEL not in seen(store, world, at_ns + ns(600))


def test_what_is_asked_every_minute_holds_as_long_as_all_evidence(store: Store) -> None:
    """A gateway sends every other minute, and the store is asked once a minute: its panels do not flicker meanwhile."""
    rules, at_ns = Rules(), now()
    for back_s, is_seen in ((rules.fresh + 60, False), (180, True)):
        world = World()
        world.add("display", PANEL, at_ns - ns(back_s), {"power": "on"}, source=GATEWAY)
        world.write(store)
        reader = Sighted(TARGETS, rules, ())
        found = [one for one in reader.read(store, ROSTER, at_ns) if one.device == PANEL]
        assert [(one.cause, one.until_ns) for one in found] == (
            [("working", at_ns - ns(back_s) + ns(rules.fresh))] if is_seen else []
        )


def test_faults_are_read_as_they_come_and_last_until_they_are_over(store: Store) -> None:
    """Of those that alert; one that was said before watch began counts, and so does its end."""
    world, at_ns = World(), now()
    world.add("fault", PANEL, at_ns - ns(86_400), {"active": 1, "severity": "critical"}, {"code": "lamp"}, GATEWAY)
    world.add("fault", CLASS, at_ns - ns(60), {"active": 1, "severity": "info"}, {"code": "dust"})
    world.write(store)
    sighted = Sighted(TARGETS, Rules(), ("critical",))
    assert sighted.faults(store, at_ns) == {PANEL: ("lamp",)}
    assert sighted.faults(store, at_ns + ns(60)) == {PANEL: ("lamp",)}
    world.add("fault", PANEL, at_ns + ns(90), {"active": 0}, {"code": "lamp"}, GATEWAY)
    world.write(store)
    assert sighted.faults(store, at_ns + ns(120)) == {}


def test_a_fault_that_ended_while_its_agent_was_cut_off_is_over_when_that_is_known(store: Store) -> None:
    """The batch comes hours later, with the time at which it ended; nobody has to start watch again."""
    world, at_ns = World(), now()
    for code in ("lamp", "fan"):
        world.add("fault", PANEL, at_ns - ns(60), {"active": 1, "severity": "critical"}, {"code": code}, GATEWAY)
    world.write(store)
    sighted = Sighted(TARGETS, Rules(), ("critical",))
    assert sighted.faults(store, at_ns) == {PANEL: ("fan", "lamp")}
    later_ns = at_ns + ns(4 * 3600)
    assert sighted.faults(store, later_ns) == {PANEL: ("fan", "lamp")}
    world.add("fault", PANEL, at_ns + ns(600), {"active": 0}, {"code": "lamp"}, GATEWAY)
    world.write(store)
    sighted.faults(store, later_ns + ns(60))
    assert sighted.faults(store, later_ns + ns(300)) == {PANEL: ("fan",)}


def test_who_was_heard_when_is_found_by_presence_and_by_what_others_say(store: Store) -> None:
    """A panel has no presence: that it answered is a word of it."""
    world, at_ns = World(), now()
    present(world, CLASS, at_ns - ns(3 * 86_400), lan=1)
    world.add("display", PANEL, at_ns - ns(2 * 86_400), {"power": "on"}, source=GATEWAY)
    world.write(store)
    heard = last_heard(store, [CLASS, PANEL, HOTSPOT], at_ns, ns(14 * 86_400))
    assert heard == {CLASS: at_ns - ns(3 * 86_400), PANEL: at_ns - ns(2 * 86_400)}
