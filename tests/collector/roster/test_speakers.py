"""The collector refuses a device that the roster gives to another agent, and never anything because of a bad roster."""

import logging
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.by_hand import Importer, Trust
from collector.pipeline import Collector, Limits
from collector.quarantine import Quarantine
from collector.roster import canonical
from collector.roster.read import Reading
from collector.roster.schema import Device, Roster, Site
from collector.roster.speakers import RosterSpeakers
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from contract.broker import BrokerSettings, BrokerUrl
from contract.errors import Reason
from tests.collector.test_by_hand import write
from tests.collector.test_pipeline import RawAgent, batch, until
from tests.services import Mosquitto

SITE = "441802-9990000001"
PANEL, GATEWAY, OTHER = (f"{SITE}.{place}" for place in ("c0101", "gw1", "gw2"))
ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2025, 9, 1)


def give(data: Path, agent: str, effective: date = DAY) -> None:
    """Import a roster in which the panel has this agent."""
    devices = [Device(PANEL, "classroom", agent=agent), Device(GATEWAY, "gateway"), Device(OTHER, "gateway")]
    roster = Roster({SITE: Site(SITE)}, {device.id: device for device in devices})
    assert Versions(data).add(Reading(roster), effective, "operator")


def speakers(data: Path, day: date = DAY) -> RosterSpeakers:
    """Return speakers that look at every call, on this day."""
    return RosterSpeakers(data, ZONE, lambda _: day, look_again_s=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store of this test's own."""
    opened = open_store(f"sqlite://{tmp_path}/store.db")
    opened.prepare()
    yield opened
    opened.close()


def test_only_the_agent_of_the_roster_may_speak_and_a_new_version_counts_at_once(
    tmp_path: Path, store: Store, mosquitto: Mosquitto
) -> None:
    """Through a real broker: first any agent of the site, then the one named, after the next version another one."""
    quarantine = Quarantine(tmp_path)
    settings = BrokerSettings(BrokerUrl.parse(mosquitto.url))
    told = speakers(tmp_path)
    collector = Collector(settings, store, quarantine, Limits(max_age_s=0.05), speakers=told)
    collector.start()
    agents = [RawAgent(mosquitto.port, name) for name in (GATEWAY, OTHER)]
    gateway, other = agents
    try:
        assert until(lambda: collector.receiver.is_connected)
        other.send(batch(1), device=PANEL)
        assert until(lambda: other.stored() == [1])
        give(tmp_path, GATEWAY)
        other.send(batch(2), device=PANEL)
        gateway.send(batch(3), device=PANEL)
        assert until(lambda: gateway.stored() == [3] and other.refused())
        (refusal,) = other.refused()
        assert refusal.reason == f"foreign_device: {OTHER} may not speak for {PANEL}, {GATEWAY} does"
        give(tmp_path, OTHER, DAY - timedelta(1))
        assert told()[PANEL] == GATEWAY  # in force until yesterday only
        give(tmp_path, OTHER)
        other.send(batch(4), device=PANEL)
        assert until(lambda: other.stored() == [1, 4])
        assert [entry.reason for entry in quarantine.newest()] == [Reason.FOREIGN_DEVICE]
    finally:
        for agent in agents:
            agent.close()
        collector.stop()
        quarantine.close()


def test_a_device_speaks_for_itself_where_the_roster_names_no_agent(tmp_path: Path) -> None:
    """Names alone decide then, as without any roster."""
    assert speakers(tmp_path)() == {}
    give(tmp_path, "")
    assert speakers(tmp_path)() == {}


def test_a_file_by_hand_is_held_to_the_roster_too(tmp_path: Path, store: Store) -> None:
    """What another agent carries of the device is refused with the same reason."""
    give(tmp_path, GATEWAY)
    importer = Importer(store, tmp_path, Trust(None, vouched=True), speakers(tmp_path))
    outcomes = [
        importer.run(write(tmp_path / agent, [(PANEL, batch(1))], None, agent=agent), lambda _: None, lambda *_: None)
        for agent in (OTHER, GATEWAY)
    ]
    importer.close()
    assert [(outcome.stored, outcome.refused) for outcome in outcomes] == [(0, {"foreign_device": 1}), (1, {})]


def test_a_broken_roster_keeps_the_last_good_one_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Evidence is stored whatever became of the roster; one line says so, and the next good version counts again."""
    give(tmp_path, GATEWAY)
    told = speakers(tmp_path)
    assert told() == {PANEL: GATEWAY}
    give(tmp_path, OTHER)
    (tmp_path / "roster/000002" / canonical.DEVICES).write_text("")
    with caplog.at_level(logging.ERROR):
        assert [told() for _ in range(3)] == [{PANEL: GATEWAY}] * 3
    (record,) = caplog.records
    assert record.message == (
        f"roster: {tmp_path}/roster/000002: was changed since it was imported: its SHA-256 is another one: "
        "who may speak for whom stays as it was"
    )
    devices = [Device(PANEL, "classroom", agent=OTHER), Device(OTHER, "gateway")]
    again = Reading(Roster({SITE: Site(SITE)}, {device.id: device for device in devices}))
    assert Versions(tmp_path).add(again, DAY, "operator")
    assert told() == {PANEL: OTHER}


def test_a_day_that_begins_brings_its_version(tmp_path: Path) -> None:
    """A version imported for the future counts from its day on, without anything else happening."""
    give(tmp_path, GATEWAY)
    give(tmp_path, OTHER, DAY + timedelta(1))
    days = iter([DAY, DAY, DAY + timedelta(1)])
    told = RosterSpeakers(tmp_path, ZONE, lambda _: next(days), look_again_s=0)
    assert [told()[PANEL] for _ in range(3)] == [GATEWAY, GATEWAY, OTHER]


def test_the_folder_is_looked_at_once_a_second_and_read_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand batches cost a hundred thousand looks at a clock, not at a disk."""
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    give(tmp_path, GATEWAY)
    told = RosterSpeakers(tmp_path, ZONE, lambda _: DAY)
    assert told() == {PANEL: GATEWAY}
    looked: list[object] = []
    monkeypatch.setattr(Versions, "in_force", lambda *_: looked.append(1))
    now_s = 1000.1
    told()
    now_s = 1005.0
    told()
    assert not looked
    os.utime(tmp_path / "roster", ns=(1, 1))
    now_s = 1010.0
    told()
    assert looked == [1]
