"""A district that lives now: what its agents send and say, in the order in which it happens."""

import json
from collections import Counter
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from collector import living
from collector.calendars.load import load
from collector.check import identity_tags
from collector.roster.versions import Versions
from collector.store.open import open_store
from collector.up import store_url
from contract import batch
from contract.errors import SantongError
from contract.measurements import Retention
from simulator.living import Event, events, world_of
from simulator.spans import HOUR, MINUTE
from tests.collector.board.town import Town

# A Saturday evening in Qingyuan: nobody would be in a school.
SINCE = 1_795_864_980_000


def some(devices: int, hours: int, since: int = SINCE) -> list[Event]:
    """Return what happens in some hours."""
    return list(takewhile(lambda event: event.at < since + hours * HOUR, events(world_of(devices, since), lean=True)))


@pytest.fixture(scope="module")
def told() -> list[Event]:
    """Return two hours of forty devices."""
    return some(40, 2)


def test_it_lives_at_once_and_in_order(told: list[Event]) -> None:
    """Whatever day and hour it is most devices are heard within ten minutes; what happens comes in its order."""
    assert all(before.at <= after.at + 1000 for before, after in pairwise(told))
    assert told[0].at >= SINCE - MINUTE
    heard = {event.device for event in told if event.device and event.at < SINCE + 10 * MINUTE}
    assert len(heard) >= 25
    assert all(batch.decode(event.payload).epoch for event in told[:500] if event.device)


def test_states_are_those_of_agents(told: list[Event]) -> None:
    """Each agent says that it is online when it comes, and what is said of its end is stopped or its will."""
    states: dict[str, list[str]] = {}
    for event in told:
        if not event.device:
            states.setdefault(event.agent, []).append(json.loads(event.payload)["state"])
    assert all(said[0] == "online" for said in states.values())
    assert {name for said in states.values() for name in said} <= {"online", "offline", "stopped"}
    assert states.keys() >= {event.agent for event in told if event.device}


def test_the_places_stay_and_the_lives_do_not() -> None:
    """Started again it has the same roster, and boots, faults and batches of its own."""
    first, again = world_of(60, SINCE), world_of(60, SINCE + HOUR)
    assert first.places == again.places
    assert {event.payload for event in some(12, 1)}.isdisjoint(
        {event.payload for event in some(12, 1, SINCE + HOUR) if event.device}
    )


def test_calendars_and_roster_are_its_own(tmp_path: Path) -> None:
    """Every hour of every day is one of service; the roster is imported once, however often it is started."""
    now = SINCE + 2 * HOUR
    living.prepare(tmp_path, 40, now)
    living.prepare(tmp_path, 40, now + HOUR)
    (version,) = Versions(tmp_path).every()
    assert (version.devices, version.imported_by) == (40, living.BY)
    calendars = load(tmp_path / "calendars.yaml")
    for site in Versions(tmp_path).roster(version).sites.values():
        assert sum(window.minutes for window in calendars.day(site, version.effective).service) == 1440
    living.check_data(tmp_path)


def test_a_real_programme_is_left_alone(tmp_path: Path) -> None:
    """A folder with a roster or calendars of somebody else's gets no pretend district."""
    Town(tmp_path / "real").close()
    with pytest.raises(SantongError, match="has a real roster"):
        living.check_data(tmp_path / "real")
    (tmp_path / "calendars.yaml").write_text("zone: Asia/Shanghai\n")
    with pytest.raises(SantongError, match="calendars of its own"):
        living.check_data(tmp_path)


def test_a_second_start_goes_on_after_the_first(tmp_path: Path) -> None:
    """Two lives of one device never overlap: a start begins after what the one before left.

    The real device of this machine may have spoken before: the district's hour is none of it.
    """
    store = open_store(store_url(tmp_path))
    store.prepare()
    now_ns = (SINCE + 2 * HOUR) * 10**6
    real = identity_tags("local-pilot.mine", "local-pilot.mine").decode()
    store.write(Retention.EVIDENCE, f'presence{real} boot="b",uptime_s=1.0,lan=1i {now_ns - 10**9}\n'.encode())
    assert living.begin_ms(store, 12, now_ns) == SINCE + (2 - living.HOURS) * HOUR
    living._catch_up(store, iter(some(12, 2)))
    counted = Counter(row.device for row in store.select("presence", 0, 1 << 62) if "local" not in row.device)
    assert max(counted.values()) >= 50
    begun = living.begin_ms(store, 12, now_ns)
    newest = max(row.time_ns for row in store.latest("presence", 0, 1 << 62) if row.device in counted)
    assert begun == newest // 10**6 + MINUTE
    store.close()
