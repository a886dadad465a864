"""Service minutes of an incident: those of all its devices, of each from its own beginning until it is back."""

from pathlib import Path

import pytest

from collector.watch.journal import Journal
from collector.watch.memory import Case, Moment
from collector.watch.rules import ns
from tests.collector.watch.town import MINUTE_NS, Town, school

FIRST = school(0)
WILL = 2.75  # minutes: the longest until an agent is missed


def ended(town: Town) -> Case:
    """Return the one incident that is over."""
    (news,) = (news for news in town.news if news.what == "recovered")
    return news.case


def test_a_schools_are_those_of_all_its_devices() -> None:
    """Five devices that are gone for twenty minutes lost a hundred, but for what the wills take."""
    town = Town()
    town.run(5)
    town.cut(FIRST)
    town.run(20)
    town.mend(FIRST)
    town.run(10)
    assert 5 * (20 - WILL) <= ended(town).minutes <= 5 * 20


def test_a_device_that_is_back_earlier_stops_counting() -> None:
    """And each counts from when it went: one at ten for twenty minutes, another at twenty for ten."""
    town = Town(1, 0)
    for place in ("sw1", "sw2", "sw3"):
        town.add(town.things[f"{FIRST}.gw"]._replace(device=f"{FIRST}.{place}", is_gateway=False))
    town.core.plan(town.things.values())
    town.run(10)
    town.causes = dict.fromkeys(town.of(FIRST), "wan_down")
    town.run(20)
    town.causes = {f"{FIRST}.gw": "wan_down", f"{FIRST}.sw1": "wan_down", f"{FIRST}.sw2": "wan_down"}
    town.run(20)
    town.causes = {}
    town.run(10)
    assert abs(ended(town).minutes - (3 * 40 + 20)) <= 4


def test_what_another_agent_speaks_for_counts_until_it_is_heard_again() -> None:
    """A panel behind the gateway: nobody knows how it is while that is away, and it can serve nobody."""
    town = Town(1, 1)
    panel = f"{FIRST}.p1"
    town.add(town.things[f"{FIRST}.c0"]._replace(device=panel, speaker=f"{FIRST}.gw"))
    town.core.plan(town.things.values())
    town.run(30)
    town.away.add(panel)
    town.lose([f"{FIRST}.gw", f"{FIRST}.c0"])
    town.run(20)
    town.away.discard(panel)
    town.mend(FIRST)
    town.run(10)
    assert set(ended(town).devices) == set(town.of(FIRST))
    assert 3 * (20 - WILL) <= ended(town).minutes <= 3 * 21


def test_an_operators_are_those_of_all_its_schools_and_not_those_of_the_first_alone() -> None:
    """Six schools of five devices: one is back after ten minutes, the others after forty."""
    town = Town(12, operators=1)
    sites = [school(number) for number in range(6)]
    town.run(5)
    town.cut(*sites)
    town.run(10)
    town.mend(FIRST)
    town.run(30)
    town.mend(*sites[1:])
    town.run(10)
    whole = 5 * 10 + 5 * 5 * 40
    assert whole - 30 * WILL <= ended(town).minutes <= whole


def test_what_a_class_lost_before_its_school_went_is_part_of_it() -> None:
    """Its incident was taken up: the recovery of the school speaks for both."""
    town = Town(1)
    town.run(5)
    town.causes = {f"{FIRST}.c0": "wan_down"}
    town.run(60)
    town.causes = dict.fromkeys(town.of(FIRST), "wan_down")
    town.run(20)
    town.causes = {}
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "escalated", "opened", "recovered"]
    assert abs(ended(town).minutes - (80 + 4 * 20)) <= 5


def test_a_class_that_is_switched_off_loses_nothing_and_its_incident_stays() -> None:
    """Off is no outage, nor a repair."""
    town = Town(1)
    town.causes = {f"{FIRST}.c0": "service_down"}
    town.run(20)
    town.lose([f"{FIRST}.c0"], "stopped")
    town.run(60)
    (case,) = town.core.memory.cases.values()
    assert abs(case.minutes - 20) <= 1
    town.find([f"{FIRST}.c0"])
    town.run(10)
    town.causes = {}
    town.run(10)
    assert abs(ended(town).minutes - 30) <= 2


def test_minutes_of_a_closure_are_not_lost() -> None:
    """One of two schools' devices are closed for twenty of sixty minutes: they count before and afterwards."""
    town = Town(12, 0, operators=1)
    sites = [school(number) for number in range(6)]
    town.run(5)
    town.causes = {f"{site}.gw": "wan_down" for site in sites}
    town.run(20)
    town.quiet.update(town.of(FIRST))
    town.run(20)
    town.quiet.clear()
    town.run(20)
    town.causes = {}
    town.run(10)
    assert abs(ended(town).minutes - (5 * 60 + 40)) <= 7


class Hours(Town):
    """A town whose first school owes service in every other hour alone."""

    def moment(self) -> Moment:
        """Return what is known, with the hours."""

        def lost(site: str, since_ns: int, until_ns: int) -> int:
            minutes = range(since_ns // MINUTE_NS, until_ns // MINUTE_NS)
            return sum(site != FIRST or minute // 60 % 2 == 0 for minute in minutes)

        return super().moment()._replace(lost=lost)


def test_each_school_has_its_own_hours() -> None:
    """What the first of them does not owe the others may."""
    town = Hours(12, 0, operators=1)
    sites = [school(number) for number in range(6)]
    town.run(5)
    town.causes = {f"{site}.gw": "wan_down" for site in sites}
    town.run(120)
    town.causes = {}
    town.run(10)
    assert abs(ended(town).minutes - (5 * 120 + 60)) <= 7


def test_a_fault_counts_for_each_device_that_has_it() -> None:
    """Three lamps for ten minutes, one of them for twenty."""
    town = Town(1)
    devices = [f"{FIRST}.c{number}" for number in range(3)]
    town.faults = dict.fromkeys(devices, ("lamp-failed",))
    town.run(10)
    town.faults = {devices[0]: ("lamp-failed",)}
    town.run(10)
    town.faults = {}
    town.run(10)
    assert abs(ended(town).minutes - 40) <= 3


def test_silent_classes_count_from_when_each_was_heard_last() -> None:
    """Until it is heard."""
    town = Town(1)
    silent = [f"{FIRST}.c0", f"{FIRST}.c1"]
    town.run(5)
    town.lose(silent[:1])
    town.run(10)
    town.lose(silent[1:])
    town.run(10)
    town.silent = dict.fromkeys(silent, 2)
    town.step()
    town.silent = None
    town.run(10)
    town.find(silent)
    town.run(10)
    assert 30 + 20 - 2 * WILL - 2 <= ended(town).minutes <= 30 + 20 + 2


@pytest.mark.parametrize("away_s", [1, 600])
def test_a_restart_changes_nothing(tmp_path: Path, away_s: int) -> None:
    """The same minutes come out, whether watch was killed in between or not."""
    counts = []
    for folder in (None, tmp_path):
        town = Town(1, 3, journal=folder)
        town.run(5)
        town.causes = dict.fromkeys(town.of(FIRST), "wan_down")
        town.run(10)
        if folder:
            town.restart(away_s)
        town.run(10)
        town.causes = {}
        town.run(20)
        counts.append(ended(town).minutes)
    assert counts[0] == counts[1]


def test_an_incident_that_an_earlier_version_opened_goes_on(tmp_path: Path) -> None:
    """Its journal knows one beginning for all devices."""
    town = Town(1, 3, journal=tmp_path)
    town.run(5)
    town.causes = dict.fromkeys(town.of(FIRST), "wan_down")
    town.run(10)
    with Journal(tmp_path).transaction() as connection:
        connection.execute("UPDATE incident SET content = json_remove(content, '$.told', '$.since', '$.lost')")
    town.restart()
    town.run(10)
    town.causes = {}
    town.run(10)
    assert abs(ended(town).minutes - 4 * 20) <= 4


def test_the_centres_own_are_those_of_the_clock() -> None:
    """It has no devices."""
    town = Town(1)
    town.run(5)
    town.centre = "store_down"
    town.run(20)
    town.centre = ""
    town.run(20)
    case = ended(town)
    assert case.kind == "centre"
    assert abs(ns(60) * case.minutes - ns(1200)) <= ns(60)
