"""Who gets a release when."""

import pytest

from collector.fleet.agents import Agent
from collector.fleet.waves import NAMES, in_order, waves
from collector.roster.schema import Device
from tests.collector.fleet.fleets import PROFILES, fleet


def panel(site: int, place: str, profile: str) -> Agent:
    """Return an agent."""
    return Agent(Device(f"441802-999000000{site}.{place}", "classroom", profile=profile))


def test_one_canary_a_profile_then_5_then_25_percent_then_the_rest() -> None:
    """Of 200 agents with three profiles: 3, 10, 50, 137, and everybody once."""
    agents = fleet(200)
    found = waves(agents)
    assert [(wave.name, len(wave.agents)) for wave in found] == [("canary", 3), ("5", 10), ("25", 50), ("all", 137)]
    profiles = {agent.id: agent.device.profile for agent in agents}
    assert sorted(profiles[name] for name in found[0].agents) == sorted(PROFILES)
    assert sorted(name for name, _ in in_order(found)) == sorted(profiles)


def test_the_waves_do_not_depend_on_the_order_of_the_roster() -> None:
    """The same agents in another order have the same waves."""
    agents = fleet(90)
    assert waves(agents) == waves(agents[::-1])


@pytest.mark.parametrize("count", range(9))
def test_a_few_agents_have_early_waves_and_perhaps_no_late_ones(count: int) -> None:
    """Nobody is left out or comes twice, however few there are."""
    found = waves(fleet(count))
    assert tuple(wave.name for wave in found) == NAMES
    assert sorted(name for name, _ in in_order(found)) == [agent.id for agent in fleet(count)]


def test_canaries_are_proven_where_a_profile_has_any_who_is() -> None:
    """A canary that is switched off says nothing."""
    agents = [panel(1, f"c{number}", "openwrt") for number in range(9)] + [panel(1, "pi", "raspberry-pi-4")]
    for one in agents[:9]:
        assert set(waves(agents, [one.id])[0].agents) == {one.id, "441802-9990000001.pi"}


def test_canaries_are_of_different_sites_where_that_can_be() -> None:
    """A site without power must not hide what the release does to every model."""
    agents = [panel(1, "c1", "openwrt"), panel(1, "c2", "pjlink-panel"), panel(2, "c1", "pjlink-panel")]
    assert set(waves(agents)[0].agents) == {"441802-9990000001.c1", "441802-9990000002.c1"}
