"""The truth of a city: without holes, the same for a seed, with every kind of trouble in it."""

import csv
import hashlib
import itertools
import sqlite3
from collections import Counter, defaultdict
from pathlib import Path

import yaml

from collector.roster.schema import Device, Site
from simulator import paper, truth
from simulator.minutes import Known, Truth
from simulator.places import Role
from simulator.spans import MINUTE, Times
from simulator.world import World
from tests.simulator.cities import said_by, world_of


def _written(world: World, folder: Path) -> sqlite3.Connection:
    folder.mkdir(exist_ok=True)
    writer = truth.Writer(folder / truth.FILE, world)
    for site in world.sites():
        writer.add(site)
    writer.close()
    return sqlite3.connect(folder / truth.FILE)


def test_states_fill_all_time(tmp_path: Path) -> None:
    """Each layer of each device begins with the period, ends with it, and has one state at any time."""
    world = world_of(120, 5, rate=3)
    db = _written(world, tmp_path)
    layers: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for device, layer, start, end in db.execute("SELECT device, layer, start_ms, end_ms FROM state ORDER BY start_ms"):
        layers[device, layer].append((start, end))
    there = {row[0] for row in db.execute("SELECT device FROM device WHERE is_there")}
    assert {device for device, _ in layers} == there
    for spans in layers.values():
        assert spans[0][0] == world.span.start
        assert spans[-1][1] == world.span.end
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    db.close()


def test_every_kind_of_trouble_occurs(tmp_path: Path) -> None:
    """A city of 400 devices in a week has every kind of fault and every oddity, without turning a screw."""
    world = world_of(400, 7)
    db = _written(world, tmp_path)
    kinds = Counter(row[0] for row in db.execute("SELECT kind FROM fault"))
    assert kinds.keys() == {
        "power_cut", "power_flicker", "gateway_fault", "gateway_changed", "uplink_cut", "uplink_flicker", "crash",
        "reboot", "agent_killed", "agent_dead", "agent_dead_at_end", "agent_hung", "journey_fault", "panel_silent",
        "centre_outage", "broker_outage", "no_time",
    }  # fmt: skip
    marks = {row[0] for row in db.execute("SELECT detail FROM fault WHERE kind LIKE 'agent_dead%'")}
    assert marks == {"marked", "unmarked"}
    assert {row[0] for row in db.execute("SELECT kind FROM oddity")} == {
        "clone", "moved", "parked", "restored", "replaced",
    }  # fmt: skip
    whys = {row[0] for row in db.execute("SELECT DISTINCT why FROM state WHERE layer = 'power' AND state = 'off'")}
    assert whys == {"breaker", "power_cut", "shutdown", "button", "reboot", "crash", "not_on_yet"}
    states = set(db.execute("SELECT DISTINCT layer, state FROM state"))
    assert {("power", "asleep"), ("display", "standby"), ("answers", "no"), ("journey", "dhcp")} <= states
    assert db.execute("SELECT count(*) FROM device WHERE NOT is_there").fetchone()[0] > 0
    db.close()


def test_faults_are_states(tmp_path: Path) -> None:
    """What was injected is what the states show: a site's line is down during its cuts, a crashed machine off."""
    db = _written(world_of(60, 5, rate=3), tmp_path)
    for site, start, end in db.execute("SELECT site, start_ms, end_ms FROM fault WHERE kind = 'uplink_cut'").fetchall():
        for (device,) in db.execute(
            "SELECT device FROM device WHERE site = ? AND role <> 'panel' AND is_there", (site,)
        ):
            if db.execute("SELECT 1 FROM oddity WHERE device = ?", (device,)).fetchone():
                continue
            text = "SELECT start_ms, end_ms FROM state WHERE device = ? AND layer = 'wan' AND state = 'down'"
            assert Times(db.execute(text, (device,))).covers(start, end)
    for device, start, end in db.execute("SELECT device, start_ms, end_ms FROM fault WHERE kind = 'crash'").fetchall():
        text = "SELECT start_ms, end_ms FROM state WHERE device = ? AND layer = 'power' AND state = 'off'"
        assert Times(db.execute(text, (device,))).covers(start, end)
    db.close()


def test_the_same_seed_makes_the_same_city(tmp_path: Path) -> None:
    """Truth, paper and every byte of evidence come out the same for a seed, and other ones for another."""
    digests = []
    for number, seed in enumerate((5, 5, 6)):
        folder = tmp_path / str(number)
        said = said_by(world_of(30, 2, seed), folder)
        digest = hashlib.sha256(repr(said).encode())
        with sqlite3.connect(folder / truth.FILE) as db:
            digest.update("\n".join(db.iterdump()).encode())
        db.close()
        for name in ("sites.csv", "devices.csv", "calendars.yaml"):
            digest.update((folder / name).read_bytes())
        digests.append(digest.hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_a_device_lives_the_same_life_in_another_order() -> None:
    """The life of a device hangs on the seed and its name alone, not on what was asked before."""
    world = world_of(40, 2)
    forward = list(world.sites())
    again = list(world_of(40, 2).sites())
    assert [repr(site.devices[0].faults) for site in forward] == [repr(site.devices[0].faults) for site in again]


def test_the_paper_names_every_device(tmp_path: Path) -> None:
    """The roster has a row for each device, existing or not, in the columns of the roster; calendars are YAML."""
    world = world_of(80, 5)
    paper.write(world, tmp_path)
    with (tmp_path / "devices.csv").open(encoding="utf-8-sig", newline="") as file:
        devices = list(csv.DictReader(file))
    with (tmp_path / "sites.csv").open(encoding="utf-8-sig", newline="") as file:
        sites = list(csv.DictReader(file))
    assert len(devices) == 80
    assert devices[0].keys() <= set(Device._fields)
    assert sites[0].keys() <= set(Site._fields)
    assert {row["id"].partition(".")[0] for row in devices} == {row["id"] for row in sites}
    speakers = {row["agent"] for row in devices if row["agent"]}
    assert speakers <= {row["id"] for row in devices}
    calendars = yaml.safe_load((tmp_path / "calendars.yaml").read_text(encoding="utf-8"))
    assert {row["calendar"] for row in sites} <= calendars["calendars"].keys()
    assert len(calendars["closures"]) == 3


# ---- the definition of a minute, by hand


def _known(**layers: dict[str, Times]) -> Known:
    return Known("s.d", "s", Role.PLATFORM, "s.d", True, True, 30_000, 30_000, layers)


def test_a_minute_by_its_definition() -> None:
    """Good is a minute that was lived through awake, whose network answered when it was asked in the next one."""
    whole = Times([(0, 100 * MINUTE)])
    up = {"up": whole}
    fine = _known(power={"on": whole}, agent={"measuring": whole}, lan=up, wan=up)
    assert fine.minute(0) == (0, True, "", "", True)
    off = Times([(10 * MINUTE + 59_000, 12 * MINUTE)])
    cut = _known(power={"on": whole.without(off), "off": off}, agent={"measuring": whole}, lan=up, wan=up)
    assert [cut.minute(at * MINUTE).why for at in (9, 10, 11, 12)] == ["", "off", "off", ""]
    down = Times([(10 * MINUTE + 20_000, 11 * MINUTE + 40_000)])
    line = _known(power={"on": whole}, agent={"measuring": whole}, lan=up, wan={"up": whole.without(down)})
    assert [line.minute(at * MINUTE).why for at in (8, 9, 10, 11)] == ["", "wan", "wan", ""]
    asleep = Times([(5 * MINUTE, 6 * MINUTE)])
    sleepy = _known(power={"on": whole.without(asleep), "asleep": asleep}, agent={"measuring": whole}, lan=up, wan=up)
    assert [sleepy.minute(at * MINUTE).why for at in (4, 5, 6)] == ["", "asleep", ""]
    away = _known(power={"on": whole}, agent={"measuring": Times()}, lan=up, wan=up)
    assert away.minute(0) == (0, True, "", "", False)


def test_the_truth_can_be_asked(tmp_path: Path) -> None:
    """A reader gives a device's minutes, faults of it and of its site, and what is strange."""
    world = world_of(60, 3, rate=5)
    _written(world, tmp_path).close()
    opened = Truth(tmp_path / truth.FILE)
    assert opened.span == world.span
    assert opened.oddities().keys() == world.oddities.keys()
    devices = opened.devices()
    assert len(devices) == 60
    kinds = {kind for device in devices for kind, _, _ in opened.faults(device)}
    assert {"uplink_cut", "power_cut", "agent_dead"} <= kinds
    hotspot = next(device for device in devices if device.partition(".")[2].startswith("ap"))
    known = opened.known(hotspot)
    stages = {known.minute(at).stage for at in range(world.span.start, world.span.end - MINUTE, MINUTE)}
    assert len(stages) > 1
    opened.close()
