"""Which devices of a roster an agent runs on."""

from datetime import date, timedelta

from collector.fleet.agents import agents_on, ever, retired
from collector.roster.schema import Device, Reach
from tests.collector.fleet.fleets import TODAY, roster

SITE = "441802-9990000001"
BEFORE, LATER = TODAY - timedelta(1), TODAY + timedelta(1)


def test_a_device_that_speaks_for_itself_or_for_others_is_an_agent() -> None:
    """What a gateway looks after is none of its own, and stands with the gateway."""
    found = agents_on(
        roster(
            [
                Device(f"{SITE}.c1", "classroom"),
                Device(f"{SITE}.gw", "gateway"),
                Device(f"{SITE}.sw", "switch", agent=f"{SITE}.gw"),
                Device(f"{SITE}.c2", "classroom", agent=f"{SITE}.gw"),
            ]
        ),
        TODAY,
    )
    assert [(agent.id, [other.id for other in agent.observed]) for agent in found] == [
        (f"{SITE}.c1", []),
        (f"{SITE}.gw", [f"{SITE}.sw", f"{SITE}.c2"]),
    ]


def test_a_projector_of_which_nothing_is_said_is_no_agent() -> None:
    """Nothing can be installed on it; one that the roster gives a host, or a way, is meant to be one."""
    devices = [
        Device(f"{SITE}.p1", "projector"),
        Device(f"{SITE}.p2", "projector", host="192.0.2.1"),
        Device(f"{SITE}.s1", "switch", reach=Reach.PULL),
        Device(f"{SITE}.s2", "switch"),
        Device(f"{SITE}.p3", "projector", agent=f"{SITE}.s2"),
    ]
    assert [agent.id for agent in agents_on(roster(devices), TODAY)] == [f"{SITE}.{at}" for at in ("p2", "s1", "s2")]


def test_how_an_agent_is_reached() -> None:
    """As the roster says; else by SSH where it has a host, else it fetches its releases itself."""
    devices = [
        Device(f"{SITE}.c1", "classroom", host="192.0.2.1"),
        Device(f"{SITE}.c2", "classroom"),
        Device(f"{SITE}.c3", "classroom", host="192.0.2.3", reach=Reach.PULL),
        Device(f"{SITE}.c4", "classroom", reach=Reach.NONE),
    ]
    assert [agent.reach for agent in agents_on(roster(devices), TODAY)] == ["ssh", "pull", "pull", "none"]


def test_agents_are_those_of_the_day() -> None:
    """Neither what ended nor what is still to come."""
    devices = [
        Device(f"{SITE}.c1", "classroom", valid_to=TODAY),
        Device(f"{SITE}.c2", "classroom", valid_to=BEFORE),
        Device(f"{SITE}.c3", "classroom", valid_from=LATER),
    ]
    assert [agent.id for agent in agents_on(roster(devices), TODAY)] == [f"{SITE}.c1"]


def test_who_was_an_agent_and_is_none_is_retired() -> None:
    """Its end passed, or another agent speaks for it; not what never was one, and not what is still to come."""
    devices = [
        Device(f"{SITE}.c1", "classroom"),
        Device(f"{SITE}.c2", "classroom", valid_to=BEFORE, host="192.0.2.2"),
        Device(f"{SITE}.c3", "classroom", valid_from=LATER),
        Device(f"{SITE}.c4", "classroom", agent=f"{SITE}.c1"),
        Device(f"{SITE}.p1", "projector", valid_to=BEFORE),
    ]
    before = roster([Device(f"{SITE}.c4", "classroom"), Device(f"{SITE}.c5", "classroom")])
    now = agents_on(roster(devices), TODAY)
    gone = retired([*ever(roster(devices), TODAY), *ever(before, TODAY)], now)
    assert [agent.id for agent in gone] == [f"{SITE}.{at}" for at in ("c2", "c4", "c5")]
    assert gone[0].device.host == "192.0.2.2"


def test_the_host_of_a_retired_agent_that_another_one_has_now_is_forgotten() -> None:
    """Who takes down what was replaced must not meet the machine of its successor."""
    devices = [
        Device(f"{SITE}.c1", "classroom", valid_to=BEFORE, host="192.0.2.1"),
        Device(f"{SITE}.c2", "classroom", host="192.0.2.1"),
    ]
    gone = retired(ever(roster(devices), TODAY), agents_on(roster(devices), TODAY))
    assert [(agent.id, agent.device.host, agent.device.valid_to) for agent in gone] == [
        (f"{SITE}.c1", "", date(2026, 10, 11))
    ]
