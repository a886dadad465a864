"""What becomes an incident, what does not, and what belongs together."""

import pytest

from collector.watch.memory import Said, Thing
from collector.watch.rules import Rules, ns
from collector.watch.types import State
from tests.collector.watch.town import Town, school

FIRST = school(0)


def states(town: Town, site: str) -> set[State]:
    """Return how the devices of a site are."""
    return {town.core.memory.tracks[device].state for device in town.of(site)}


def test_a_town_that_works_is_quiet() -> None:
    """Nobody is told anything while everything works, however long that is."""
    town = Town()
    town.run(120)
    assert town.told == []
    assert states(town, FIRST) == {State.WORKING}


def test_a_school_whose_uplink_is_cut_is_one_incident_and_one_recovery() -> None:
    """Not one for each of its agents; the incident names all of them, and the recovery the minutes that were lost."""
    town = Town()
    town.run(5)
    town.cut(FIRST)
    town.run(15)
    assert town.told == [("opened", "site", f"site:{FIRST}")]
    assert set(town.news[0].case.devices) == set(town.of(FIRST))
    assert states(town, FIRST) == {State.OFFLINE}
    town.mend(FIRST)
    town.run(30)
    assert town.told == [("opened", "site", f"site:{FIRST}"), ("recovered", "site", f"site:{FIRST}")]
    assert 5 * 10 <= town.news[1].case.minutes <= 5 * 15


def test_a_school_is_missed_within_the_will_and_alerted_after_the_hold_down() -> None:
    """Its devices are offline 1.5 keep-alives and the will's delay after the cut; somebody is told 3 minutes later."""
    town = Town()
    town.run(5)
    cut_ns = town.now_ns
    town.cut(FIRST)
    town.run(3)
    assert town.core.memory.tracks[f"{FIRST}.gw"].state is State.OFFLINE
    town.run(5)
    assert ns(180) <= town.news[0].at_ns - cut_ns <= ns(135 + 30 + 180 + 30)


def test_a_school_without_a_gateway_is_known_by_all_its_agents_going_at_once() -> None:
    """In a lesson that is no switching off."""
    town = Town(gateways=False)
    town.run(5)
    town.cut(FIRST)
    town.run(15)
    assert town.told == [("opened", "site", f"site:{FIRST}")]
    town.mend(FIRST)
    town.run(15)
    assert town.told[1:] == [("recovered", "site", f"site:{FIRST}")]


def test_the_breaker_in_the_afternoon_is_no_outage() -> None:
    """All classes that go at once when no lesson is given were switched off."""
    town = Town(gateways=False)
    town.run(5)
    town.no_lessons.add(FIRST)
    town.cut(FIRST)
    town.run(60)
    assert town.told == []
    assert states(town, FIRST) == {State.OFF}


def test_a_class_that_is_switched_off_alerts_nobody() -> None:
    """With or without a word: a classroom may be off."""
    town = Town()
    town.run(5)
    town.lose([f"{FIRST}.c0"])
    town.lose([f"{FIRST}.c1"], "stopped")
    town.run(60)
    assert town.told == []
    assert town.core.memory.tracks[f"{FIRST}.c0"].state is State.OFF


@pytest.mark.parametrize("cause", ["service_down", "wan_down", "lan_down"])
def test_a_class_that_is_on_and_fails_is_alerted(cause: str) -> None:
    """One that runs and does not work is news, after the hold-down; and it is when it works again."""
    town = Town()
    town.causes[f"{FIRST}.c0"] = cause
    town.run(10)
    assert town.told == [("opened", "device", f"device:{FIRST}.c0")]
    assert town.news[0].case.why == cause
    del town.causes[f"{FIRST}.c0"]
    town.run(10)
    assert town.told[1:] == [("recovered", "device", f"device:{FIRST}.c0")]


def test_what_is_bad_for_less_than_the_hold_down_is_told_to_nobody() -> None:
    """Four minutes of a class, two of a school: somebody rebooted something."""
    town = Town()
    town.run(5)
    town.causes = {f"{FIRST}.c0": "service_down"}
    town.run(4)
    town.causes = dict.fromkeys(town.of(FIRST), "wan_down")
    town.run(2)
    town.causes = {}
    town.run(60)
    assert town.told == []


def test_a_recovery_is_told_when_it_has_held() -> None:
    """Good for four minutes and bad again is the same incident; good for five it is over."""
    town = Town()
    town.run(5)
    town.causes = {f"{FIRST}.c0": "service_down"}
    town.run(10)
    town.causes = {}
    town.run(4)
    town.causes = {f"{FIRST}.c0": "service_down"}
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened"]
    town.causes = {}
    town.run(4)
    assert len(town.told) == 1
    town.run(2)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]


def test_a_class_that_fails_and_is_switched_off_is_not_repaired_by_that() -> None:
    """The incident stays until it works."""
    town = Town()
    town.causes[f"{FIRST}.c0"] = "service_down"
    town.run(10)
    town.lose([f"{FIRST}.c0"])
    town.run(120)
    assert [what for what, _, _ in town.told] == ["opened", "escalated"]
    town.causes.clear()
    town.find([f"{FIRST}.c0"])
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "escalated", "recovered"]


@pytest.mark.parametrize(("word", "subject"), [("offline", "site:441802-2000"), ("stopped", "device:441802-2000.ap1")])
def test_a_hotspot_is_alerted_on_being_off(word: str, subject: str) -> None:
    """
    An access point has to be there in every service minute, and nobody has to switch it off.

    Gone without a word, all that is always on at its site is gone: that may be its line. With a word it is the agent.
    """
    town = Town()
    town.add(Thing("441802-2000.ap1", "441802-2000", "441802"))
    town.core.plan(town.things.values())
    town.run(5)
    town.lose(["441802-2000.ap1"], word)
    town.run(15)
    assert town.told == [("opened", subject.partition(":")[0], subject)]


def test_an_operators_cut_over_single_hotspots_is_one_incident() -> None:
    """Squares with one access point each count as schools do."""
    town = Town(schools=12)
    spots = [f"441802-{2000 + number}.ap1" for number in range(8)]
    for spot in spots:
        town.add(Thing(spot, spot.partition(".")[0], "441802", "operator-a"))
    town.core.plan(town.things.values())
    town.run(5)
    town.lose(spots)
    town.run(15)
    assert town.told == [("opened", "operator", "operator:operator-a")]


def test_nobody_is_alerted_outside_service_hours() -> None:
    """What goes in the night is not told; what is not back some time after service has begun is."""
    town = Town()
    town.run(5)
    town.closed_hours.add(FIRST)
    town.cut(FIRST)
    town.run(300)
    assert town.told == []
    assert states(town, FIRST) == {State.QUIET}
    town.closed_hours.clear()
    town.service_ns = town.now_ns
    town.run(14)
    assert town.told == []
    town.run(5)
    assert town.told == [("opened", "site", f"site:{FIRST}")]


def test_nobody_is_alerted_of_what_is_closed() -> None:
    """A closure, maintenance or a dispute keeps everything back; what was open ends with it."""
    town = Town()
    town.run(5)
    town.cut(FIRST)
    town.run(15)
    town.quiet.update(town.of(FIRST))
    town.run(60)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]
    assert town.news[1].case.ended == "agreed"
    assert states(town, FIRST) == {State.QUIET}


def test_a_device_incident_is_taken_up_by_that_of_its_site() -> None:
    """Who was told of a class is told of the school once, and of the recovery of both once, by name."""
    town = Town()
    town.causes[f"{FIRST}.c0"] = "wan_down"
    town.run(10)
    town.causes |= dict.fromkeys(town.of(FIRST), "wan_down")
    town.run(10)
    assert town.told == [("opened", "device", f"device:{FIRST}.c0"), ("opened", "site", f"site:{FIRST}")]
    town.causes.clear()
    town.run(10)
    assert town.told[2:] == [("recovered", "site", f"site:{FIRST}")]
    assert town.news[2].case.includes == (town.news[0].case.id,)


def test_an_operators_cut_over_thirty_schools_is_one_incident() -> None:
    """Thirty schools of one operator that go within minutes are one message, and one when they are back."""
    town = Town(schools=70, classes=2)
    town.run(5)
    some = [school(number) for number in range(0, 60, 2)]
    town.cut(*some)
    town.run(15)
    assert town.told == [("opened", "operator", "operator:operator-0")]
    assert {device.partition(".")[0] for device in town.news[0].case.devices} == set(some)
    town.mend(*some)
    town.run(15)
    assert town.told[1:] == [("recovered", "operator", "operator:operator-0")]


def test_a_school_that_is_not_back_with_the_others_gets_an_incident_of_its_own() -> None:
    """The operator's cut is over, the school is not forgotten."""
    town = Town(schools=70, classes=2)
    town.run(5)
    some = [school(number) for number in range(0, 60, 2)]
    town.cut(*some)
    town.run(15)
    town.mend(*some[1:])
    town.run(15)
    assert town.told[1:] == [("recovered", "operator", "operator:operator-0"), ("opened", "site", f"site:{FIRST}")]


def test_a_few_schools_of_an_operator_are_incidents_of_their_own() -> None:
    """Four schools are no cut of an operator."""
    town = Town(schools=70, classes=2)
    town.run(5)
    some = [school(number) for number in range(0, 8, 2)]
    town.cut(*some)
    town.run(15)
    assert sorted(town.told) == [("opened", "site", f"site:{one}") for one in some]


def test_everything_gone_at_once_is_the_centre() -> None:
    """When most schools of several operators go within minutes it is the line of the centre: one message."""
    town = Town(schools=40, classes=2)
    town.run(5)
    town.cut(*(school(number) for number in range(40)))
    town.run(15)
    assert town.told == [("opened", "centre", "centre:everyone")]
    town.mend(*(school(number) for number in range(40)))
    town.run(15)
    assert town.told[1:] == [("recovered", "centre", "centre:everyone")]


def test_a_dead_centre_says_nothing_of_the_schools() -> None:
    """While broker, collector or store are dead there is one incident; afterwards the schools have time to be heard."""
    town = Town(schools=40, classes=2)
    town.run(5)
    town.centre = "store_down"
    town.lose(town.things)
    town.run(60)
    assert [one for one in town.told if one[0] == "opened"] == [("opened", "centre", "centre:")]
    town.centre = ""
    town.find(town.things)
    town.run(30)
    assert [one for one in town.told if one[0] != "escalated"][1:] == [("recovered", "centre", "centre:")]


def test_two_thousand_flaps_are_a_bounded_number_of_messages() -> None:
    """A gateway that comes and goes each minute for 33 hours is one incident, until it was good for an hour."""
    town = Town(schools=1, rules=Rules(escalate=1e9))  # type: ignore[arg-type]
    gateway = f"{FIRST}.gw"
    for number in range(4000):
        town.causes = {gateway: "wan_down"} if number % 2 else {}
        town.run(0.5)
    assert [what for what, _, _ in town.told] == ["opened"]
    town.causes = {}
    town.run(59)
    assert len(town.told) == 1
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]


def test_slow_flaps_are_bounded_too() -> None:
    """Seven minutes bad, seven minutes good, for two days: longer than the hold-downs, and so often that it is one."""
    town = Town(schools=1, rules=Rules(escalate=1e9))  # type: ignore[arg-type]
    for number in range(400):
        town.causes = {f"{FIRST}.c0": "service_down"} if number % 2 else {}
        town.run(7)
    assert len(town.told) <= 2 * town.rules.flaps


def test_faults_of_a_site_are_one_incident_for_a_code() -> None:
    """Thirty lamps that fail in a school are one message; it is over when none of them does."""
    town = Town()
    town.faults = {f"{FIRST}.c{number}": ("lamp-failed",) for number in range(3)}
    town.run(5)
    assert town.told == [("opened", "fault", f"fault:{FIRST} lamp-failed")]
    assert len(town.news[0].case.devices) == 3
    town.faults = {}
    town.run(10)
    assert town.told[1:] == [("recovered", "fault", f"fault:{FIRST} lamp-failed")]


def test_classes_that_are_silent_for_school_days_are_one_incident_of_their_school() -> None:
    """Two classes that nobody has heard for two school days are at risk; the incident ends when both were."""
    town = Town()
    silent = [f"{FIRST}.c0", f"{FIRST}.c1"]
    town.lose(silent)
    town.run(5)
    town.silent = dict.fromkeys(silent, 2)
    town.step()
    town.silent = None
    assert town.told == [("opened", "silent", f"silent:{FIRST}")]
    assert town.core.memory.tracks[silent[0]].state is State.SILENT
    town.find(silent[:1])
    town.run(10)
    assert len(town.told) == 1
    town.find(silent[1:])
    town.run(10)
    assert town.told[1:] == [("recovered", "silent", f"silent:{FIRST}")]


def test_an_incident_that_nobody_acknowledges_is_escalated_once() -> None:
    """After half an hour, and once; one that somebody looks after is not."""
    town = Town(schools=4)
    town.run(5)
    town.cut(FIRST, school(1))
    town.run(10)
    number = next(news.case.id for news in town.news if news.case.site == FIRST)
    town.said = [Said(1, town.now_ns, number, "ack", "On Call")]
    town.run(120)
    assert town.told[2:] == [("escalated", "site", f"site:{school(1)}")]
    assert town.core.memory.of_subject(f"site:{FIRST}") is not None


def test_what_was_closed_by_hand_is_not_opened_again_until_it_was_good() -> None:
    """Who closes an incident knows why; when the school fails the next time it is another one."""
    town = Town()
    town.run(5)
    town.cut(FIRST)
    town.run(10)
    town.said = [Said(1, town.now_ns, town.news[0].case.id, "close", "On Call", "known")]
    town.run(120)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]
    assert town.news[1].case.ended == "by_hand"
    town.mend(FIRST)
    town.run(70)
    town.cut(FIRST)
    town.run(15)
    assert [what for what, _, _ in town.told] == ["opened", "recovered", "opened"]


def test_a_retained_word_is_a_state_and_nothing_that_happens() -> None:
    """Agents that were long gone when watch began are no outage of their school: all classes of it are simply off."""
    town = Town(gateways=False)
    town.core.subscribed(ns(86_400))
    for device in town.of(FIRST):
        town.away.add(device)
        town.core.said(device, "offline", town.now_ns, is_retained=True)
    town.run(60)
    assert town.told == []
    assert states(town, FIRST) == {State.OFF}


def test_a_device_that_leaves_the_roster_ends_its_incident() -> None:
    """Nobody waits for what is not there any more."""
    town = Town()
    town.causes[f"{FIRST}.c0"] = "service_down"
    town.run(10)
    del town.things[f"{FIRST}.c0"]
    town.core.plan(town.things.values())
    town.run(1)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]
    assert town.news[1].case.ended == "retired"


def test_an_agent_that_is_online_and_delivers_nothing_is_told() -> None:
    """Its word alone proves nothing; after a quarter of an hour without evidence it has failed."""
    town = Town()
    town.run(5)
    town.away.add(f"{FIRST}.c0")  # no evidence any more, and no will
    town.run(30)
    assert town.told == [("opened", "device", f"device:{FIRST}.c0")]
    assert town.news[0].case.why == "no_evidence"


def test_what_another_agent_speaks_for_is_unknown_while_that_agent_is_gone() -> None:
    """A panel behind a gateway that is away is not broken."""
    town = Town()
    panel = f"{FIRST}.p1"
    town.add(Thing(panel, FIRST, "441802", "operator-0", speaker=f"{FIRST}.gw", may_be_off=True))
    town.core.plan(town.things.values())
    town.run(5)
    town.lose([f"{FIRST}.gw"])
    town.away.add(panel)
    town.run(15)
    assert town.core.memory.tracks[panel].state is State.UNKNOWN
    assert town.told == [("opened", "device", f"device:{FIRST}.gw")]
