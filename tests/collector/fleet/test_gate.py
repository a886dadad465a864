"""Whether a release is good: simulated evidence of a city, in SQLite and in a real influxd."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.fleet.agents import Agent
from collector.fleet.facts import MINUTE_NS, Facts, Seen
from collector.fleet.judgement import Judgement, Outcome, Rules, State
from collector.gated import Group, gate
from collector.roster.read import Reading
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from tests.collector.commands import run
from tests.collector.fleet.evidence import NEW, NOW, OLD, UPGRADE, Behaviour, City
from tests.collector.fleet.fleets import TODAY, fleet, panels, roster

AGENTS = fleet(60)
CANARIES = AGENTS[::20]  # of three sites
WAVE = AGENTS[::3]


def split(wave: list[Agent]) -> tuple[list[str], list[str]]:
    """Return the ids of a wave, and of all others."""
    names = {agent.id for agent in wave}
    return sorted(names), [agent.id for agent in AGENTS if agent.id not in names]


def said(store: Store, city: City, wave: list[Agent], rules: Rules | None = None) -> Judgement:
    """Return what the gate says of a wave."""
    city.write(store)
    names = {agent.id for agent in wave}
    return gate(store, Group(wave, [agent for agent in AGENTS if agent.id not in names]), city.release(), rules)


def states(found: Judgement) -> set[tuple[State, str]]:
    """Return what is said of agents."""
    return {(told.state, told.why) for told in found.agents}


@pytest.mark.parametrize("wave", [CANARIES, WAVE], ids=["canaries", "a third"])
def test_a_release_that_does_what_the_old_one_did_passes(store: Store, wave: list[Agent]) -> None:
    """Every agent came up with it, and since then not a minute misses."""
    city, (some, rest) = City(), split(wave)
    city.lives(some, upgraded=UPGRADE + 2)
    city.lives(rest)
    found = said(store, city, wave)
    assert (found.outcome, found.reasons) == (Outcome.PASSED, ())
    assert states(found) == {(State.GOOD, "")}
    assert (found.completeness, found.usual, found.others) == (1.0, 1.0, len(rest))


@pytest.mark.parametrize("wave", [CANARIES, WAVE], ids=["canaries", "a third"])
def test_a_release_that_halves_the_minutes_fails(store: Store, wave: list[Agent]) -> None:
    """Every second minute misses since the restart, and nobody else's."""
    city, (some, rest) = City(), split(wave)
    city.lives(some, upgraded=UPGRADE, there=lambda minute: minute < UPGRADE or minute % 2 == 0)
    city.lives(rest)
    found = said(store, city, wave)
    assert found.outcome is Outcome.FAILED
    assert states(found) == {(State.BAD, "missing")}
    assert found.completeness is not None
    assert 0.45 < found.completeness < 0.6
    assert [code for code, _ in found.reasons] == ["too_many_bad", "incomplete"]


@pytest.mark.parametrize("every", [3, 1000], ids=["two of three", "all"])
def test_a_release_that_leaves_out_presences_fails_at_once(store: Store, every: int) -> None:
    """The agent is there and sends all else: what its newest minutes miss is told without a presence after them."""
    city, (some, rest) = City(UPGRADE + 9), split(CANARIES)
    city.lives(some, upgraded=UPGRADE, mute=lambda minute: minute >= UPGRADE and minute % every != 2)
    city.lives(rest)
    found = said(store, city, CANARIES, Rules(minutes=3))
    assert found.outcome is Outcome.FAILED
    assert states(found) == {(State.BAD, "missing")}


def test_a_release_that_loses_a_tenth_of_the_minutes_fails_as_a_whole(store: Store) -> None:
    """Of no single agent could that be said; of all of them it can."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some, upgraded=UPGRADE, there=lambda minute: minute < UPGRADE or minute % 10 != 5)
    city.lives(rest)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.FAILED
    assert [code for code, _ in found.reasons] == ["incomplete"]
    assert found.counts[State.GOOD] == len(WAVE)


@pytest.mark.parametrize("wave", [CANARIES, WAVE], ids=["canaries", "a third"])
def test_a_release_that_measures_half_fails(store: Store, wave: list[Agent]) -> None:
    """Each minute is proven, and half of the lines that came with it before come no more."""
    city, (some, rest) = City(), split(wave)
    city.lives(some, upgraded=UPGRADE, lines=lambda minute: 10 if minute < UPGRADE else 4)
    city.lives(rest)
    found = said(store, city, wave)
    assert found.outcome is Outcome.FAILED
    assert {code for code, _ in found.reasons} == {"too_many_bad", "wave_volume"}
    assert (found.volume, found.usual_volume) == (0.4, 1.0)


def test_a_school_that_measures_less_at_the_end_of_lessons_is_no_fault_of_a_release(store: Store) -> None:
    """Lines become fewer everywhere."""
    city, (some, rest) = City(), split(WAVE)

    def lines(minute: int) -> int:
        return 10 if minute < UPGRADE else 4

    city.lives(some, upgraded=UPGRADE, lines=lines)
    city.lives(rest, lines=lines)
    assert said(store, city, WAVE).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (Behaviour(upgraded=UPGRADE, back=UPGRADE + 5), "went_back"),
        (Behaviour(upgraded=UPGRADE, version=OLD), "came_back"),
        (Behaviour(upgraded=UPGRADE, more=(65, 70, 75, 80)), "restarts"),
        (Behaviour(upgraded=UPGRADE, refused=3), "refused"),
        (Behaviour(upgraded=UPGRADE, fault="spool-damaged"), "fault"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_a_canary_bad(store: Store, behaviour: Behaviour, why: str) -> None:
    """It went back by itself, never came up with it, restarts again and again, is refused, or says that it is ill."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some[:1], behaviour)
    city.lives(some[1:], upgraded=UPGRADE)
    city.lives(rest)
    found = said(store, city, CANARIES)
    assert found.outcome is Outcome.FAILED
    assert states(found) == {(State.BAD, why), (State.GOOD, "")}
    assert found.reasons == (("too_many_bad", "1/3"),)


def test_a_fault_of_the_hardware_is_no_fault_of_a_release(store: Store) -> None:
    """A lamp that is too old was too old before."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some, upgraded=UPGRADE, fault="lamp-old")
    city.lives(rest)
    assert said(store, city, CANARIES).outcome is Outcome.PASSED


def test_an_outage_of_the_whole_city_is_no_fault_of_a_release(store: Store) -> None:
    """While nothing comes from anybody it cannot be told; a third of the minutes lost by everybody is usual."""
    dark = City()
    some, rest = split(WAVE)
    dark.lives(some, upgraded=UPGRADE, powered=lambda minute: minute < UPGRADE + 3)
    dark.lives(rest, powered=lambda minute: minute < UPGRADE + 3)
    found = said(store, dark, WAVE)
    assert found.outcome is Outcome.OPEN
    assert states(found) == {(State.SILENT, "")}


def test_minutes_that_everybody_lost_are_not_missing(store: Store) -> None:
    """The centre could not store ten minutes of anyone, and nothing had kept them."""
    city, (some, rest) = City(), split(WAVE)

    def there(minute: int) -> bool:
        return not 70 <= minute < 80

    city.lives(some, upgraded=UPGRADE, there=there)
    city.lives(rest, there=there)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.PASSED
    assert found.completeness == pytest.approx(found.usual)
    assert found.completeness is not None
    assert found.completeness < 0.7


def test_an_outage_of_one_operator_is_no_fault_of_a_release(store: Store) -> None:
    """Half of the sites, of the wave as of the others, are cut off: what is there is judged."""
    city, (some, rest) = City(), split(WAVE)

    def is_cut(name: str) -> bool:
        return int(name[15:17]) % 2 == 0  # by site

    for names, upgraded in ((some, UPGRADE), (rest, None)):
        city.lives([one for one in names if is_cut(one)], upgraded=upgraded, powered=lambda minute: minute < 66)
        city.lives([one for one in names if not is_cut(one)], upgraded=upgraded)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.PASSED
    assert found.counts[State.SILENT] + found.counts[State.GOOD] == len(WAVE)
    assert found.counts[State.SILENT] > 0


def test_a_device_that_was_switched_off_is_not_judged(store: Store) -> None:
    """Neither good nor bad: of the two that are on it can be told, and they are named."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some[:1], powered=lambda minute: minute < 30)
    city.lives(some[1:], upgraded=UPGRADE)
    city.lives(rest)
    found = said(store, city, CANARIES)
    assert found.outcome is Outcome.PASSED
    assert [told.agent for told in found.agents if told.state is State.OFF] == some[:1]
    assert found.counts[State.GOOD] == 2


def test_a_device_that_was_switched_off_and_on_again_lost_nothing(store: Store) -> None:
    """Minutes between two boots belong to nobody."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some, upgraded=UPGRADE, powered=lambda minute: not 70 <= minute < 78)
    city.lives(rest)
    found = said(store, city, CANARIES)
    assert found.outcome is Outcome.PASSED
    assert found.completeness == 1.0


@pytest.mark.parametrize(
    ("now", "behaviour", "state"),
    [
        (NOW, Behaviour(powered=lambda minute: minute < 30), State.OFF),
        (NOW, Behaviour(), State.BEHIND),
        (UPGRADE + 5, Behaviour(upgraded=UPGRADE + 1), State.EARLY),
    ],
    ids=["off", "behind", "early"],
)
def test_a_wave_of_which_too_few_are_judged_cannot_be_told(
    store: Store, now: int, behaviour: Behaviour, state: State
) -> None:
    """All of it is off, has not fetched it yet, or came up a moment ago: wait."""
    city, (some, rest) = City(now), split(CANARIES)
    city.lives(some, behaviour)
    city.lives(rest)
    found = said(store, city, CANARIES)
    assert (found.outcome, states(found)) == (Outcome.OPEN, {(state, "")})
    assert found.reasons[0] == ("too_few", "0/3")


def test_a_wave_of_which_most_are_still_to_fetch_it_cannot_be_told(store: Store) -> None:
    """The next wave does not overtake this one."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some[:8], upgraded=UPGRADE)
    city.lives(some[8:])
    city.lives(rest)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.OPEN
    assert found.reasons == (("too_few_alive", "8/20"),)


def test_a_release_that_kills_the_agents_fails(store: Store) -> None:
    """They were there until they got it, and fell silent, which of the others nobody did."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some, powered=lambda minute: minute < UPGRADE + 1)
    city.lives(rest)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.FAILED
    assert found.reasons == (("fell_silent", "20/20, 0/40"),)


def test_a_release_that_kills_the_agents_after_a_quarter_of_an_hour_fails(store: Store) -> None:
    """They were good until then."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some, upgraded=UPGRADE, powered=lambda minute: minute < UPGRADE + 15)
    city.lives(rest)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.FAILED
    assert found.reasons == (("fell_silent", "20/20, 0/40"),)


def test_one_canary_that_somebody_switches_off_fails_nothing(store: Store) -> None:
    """A plug that is pulled looks like a release that kills: of one site nothing is concluded."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some[:1], upgraded=UPGRADE, powered=lambda minute: minute < UPGRADE + 2)
    city.lives(some[1:], upgraded=UPGRADE)
    city.lives(rest)
    assert said(store, city, CANARIES).outcome is Outcome.PASSED


def test_what_is_bad_everywhere_is_not_held_against_a_wave(store: Store) -> None:
    """A tenth of all agents restarts again and again, with the new version as with the old one."""
    city, (some, rest) = City(), split(WAVE)
    again = (65, 70, 75, 80)
    for names, upgraded in ((some, UPGRADE), (rest, None)):
        city.lives(names[::10], upgraded=upgraded, more=again)
        city.lives([one for one in names if one not in names[::10]], upgraded=upgraded)
    found = said(store, city, WAVE)
    assert found.outcome is Outcome.PASSED
    assert found.counts[State.BAD] == 2


def test_a_few_bad_ones_do_not_stop_a_large_wave_before_enough_are_judged(store: Store) -> None:
    """One bad agent of two that are told of says nothing of twenty, one bad canary of three does."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some[:1], upgraded=UPGRADE, refused=3)
    city.lives(some[1:2], upgraded=UPGRADE)
    city.lives(some[2:], powered=lambda minute: minute < 30)
    city.lives(rest)
    assert said(store, city, WAVE).outcome is Outcome.OPEN


def test_agents_that_have_the_version_already_are_good_without_a_restart(store: Store) -> None:
    """A wave that is rolled out twice passes."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some, upgraded=10)
    city.lives(rest)
    assert said(store, city, CANARIES).outcome is Outcome.PASSED


def test_those_that_were_good_before_are_not_looked_at_again_unless_they_went_back(store: Store) -> None:
    """A wave may take days: who was good and is switched off now stays good."""
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some[:2], upgraded=UPGRADE, powered=lambda minute: minute < 62)
    city.lives(some[2:], upgraded=UPGRADE, back=80)
    city.lives(rest)
    city.write(store)
    names = set(some)
    group = Group(CANARIES, [agent for agent in AGENTS if agent.id not in names], settled=frozenset(some))
    found = gate(store, group, city.release())
    assert {told.agent: told.state for told in found.agents} == {
        some[0]: State.GOOD, some[1]: State.GOOD, some[2]: State.BAD,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("there", "outcome"),
    [(lambda _: True, Outcome.PASSED), (lambda minute: minute < UPGRADE + 5 or minute % 2 == 0, Outcome.FAILED)],
    ids=["complete", "halved"],
)
def test_a_wave_without_anybody_to_compare_it_with_is_judged_by_itself(
    store: Store, there: Callable[[int], bool], outcome: Outcome
) -> None:
    """Three agents are all there are: every minute is expected of them."""
    city = City()
    city.lives([agent.id for agent in CANARIES], upgraded=UPGRADE, there=there)
    city.write(store)
    assert gate(store, Group(CANARIES, []), city.release()).outcome is outcome


def test_agents_that_somebody_restarts_before_they_got_it_are_not_bad_where_others_are_too(store: Store) -> None:
    """Settings were changed everywhere: that a fifth of the wave began anew on the old version says nothing."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some[:4], more=(65,))
    city.lives(some[4:], upgraded=UPGRADE)
    city.lives(rest[:10], more=(65,))
    city.lives(rest[10:])
    found = said(store, city, WAVE)
    assert (found.outcome, found.counts[State.BAD]) == (Outcome.PASSED, 4)


@pytest.mark.parametrize(("is_numbered", "state"), [(True, State.EARLY), (False, State.BAD)], ids=["backlog", "lost"])
def test_minutes_that_are_on_their_way_are_waited_for(store: Store, is_numbered: bool, state: State) -> None:
    """After a cut what is fresh comes first; by the numbers of what came it is known that more is to come."""
    city, (some, rest) = City(), split(CANARIES)

    def there(minute: int) -> bool:
        return not 64 <= minute < 84

    city.lives(some, upgraded=UPGRADE + 1, there=there, is_numbered=is_numbered)
    city.lives(rest)
    found = said(store, city, CANARIES)
    assert {told.state for told in found.agents} == {state}


@pytest.mark.parametrize(
    ("behaviour", "code", "zh"),
    [
        (Behaviour(upgraded=UPGRADE), 0, "通过\n"),
        (Behaviour(upgraded=UPGRADE, refused=2), 1, "有 60 行数据被拒收"),
        (Behaviour(), 2, "在线，尚未更新，不判断"),
    ],
    ids=["passed", "failed", "open"],
)
def test_the_command_of_a_playbook(tmp_path: Path, behaviour: Behaviour, code: int, zh: str) -> None:
    """`santong rollout gate` says it by its exit code, in words, and as JSON with all figures."""
    Versions(tmp_path).add(Reading(roster(panels(60))), TODAY - timedelta(900), "tester")
    opened = open_store(store_url(tmp_path))
    opened.prepare()
    city, (some, rest) = City(), split(CANARIES)
    city.lives(some, behaviour)
    city.lives(rest)
    city.write(opened)
    opened.close()
    (tmp_path / "wave").write_text("\n".join(some))
    since = datetime.fromtimestamp(city.at(UPGRADE) / 1e9, UTC).isoformat()
    line = ["rollout", "gate", "--version", NEW, "--since", since, "--agents", tmp_path / "wave", "--data", tmp_path]
    assert zh in run(*line, "--lang", "zh", code=code)[0]
    found = json.loads(run(*line, "--json", code=code)[0])
    assert found["outcome"] == {0: "passed", 1: "failed", 2: "open"}[code]
    assert len(found["agents"]) == 3


def test_mistakes_of_the_command_are_one_line(tmp_path: Path) -> None:
    """Who is no agent, what is no instant, what is no duration."""
    Versions(tmp_path).add(Reading(roster(panels(3))), TODAY - timedelta(900), "tester")
    wave = tmp_path / "wave"
    wave.write_text("441802-9990000000.c00,441802-9990000000.c77")
    line = ["rollout", "gate", "--version", NEW, "--agents", wave, "--data", tmp_path, "--since"]
    assert "'441802-9990000000.c77' is no agent of the roster" in run(*line, "2026-10-12T09:30:00", code=2)[1]
    wave.write_text("441802-9990000000.c00")
    assert "'yesterday' is not an instant" in run(*line, "yesterday", code=2)[1]
    assert "--wait: 'long' is not a duration" in run(*line, "2026-10-12", "--wait", "long", code=2)[1]


def test_a_wave_of_nobody_passes(store: Store) -> None:
    """A profile less, a county that is small: there is nothing to wait for."""
    assert gate(store, Group([], AGENTS), City().release()).outcome is Outcome.PASSED


def test_devices_that_are_switched_off_in_the_evening_are_no_releases_fault(store: Store) -> None:
    """A third of all agents speak for devices that go off meanwhile: those of the wave as those of the others."""
    city, (some, rest) = City(), split(WAVE)

    def fewer(minute: int) -> int:
        return 10 if minute < UPGRADE else 4

    city.lives(some[::3], upgraded=UPGRADE, lines=fewer)
    city.lives([name for name in some if name not in some[::3]], upgraded=UPGRADE)
    city.lives(rest[::3], lines=fewer)
    city.lives([name for name in rest if name not in rest[::3]])
    found = said(store, city, WAVE)
    assert (found.outcome, found.reasons) == (Outcome.PASSED, ())
    assert (State.BAD, "volume") in states(found), "they are told, and the others are like them"


def test_a_clock_that_is_set_forward_loses_no_minutes(store: Store) -> None:
    """The machine ran for a minute between two presences, whatever their labels say."""
    agent = CANARIES[0].id
    points = [Seen(minute * MINUTE_NS, "boot", 60.0 * minute, 0.0) for minute in range(1, 11)]
    points += [Seen((minute + 180) * MINUTE_NS, "boot", 60.0 * minute, 0.0) for minute in range(11, 21)]
    told = list(Facts(agent, seen=points).minutes(MINUTE_NS, 300 * MINUTE_NS))
    assert [is_there for _, is_there in told] == [True] * 20


def test_who_was_bad_is_bad_until_something_better_is_known(store: Store) -> None:
    """In a wave that takes days each look sees hours: who went back in the morning is not forgotten by evening."""
    city, (some, rest) = City(), split(WAVE)
    city.lives(some[2:], upgraded=UPGRADE)
    city.lives(some[:1])  # on the old version, since this morning
    city.lives(some[1:2], powered=lambda minute: minute < UPGRADE - 30)
    city.lives(rest)
    city.write(store)
    others = [agent for agent in AGENTS if agent.id not in some]
    assert gate(store, Group(WAVE, others), city.release()).outcome is Outcome.PASSED
    found = gate(store, Group(WAVE, others, failing=frozenset(some[:3])), city.release())
    assert (found.outcome, found.reasons) == (Outcome.FAILED, (("too_many_bad", "2/20"),))
    assert {told.agent: told.why for told in found.agents if told.state is State.BAD} == dict.fromkeys(
        some[:2], "before"
    )


def test_a_wave_is_not_compared_with_those_that_got_the_same_release_before(store: Store) -> None:
    """What it takes from all that have it, a tenth of their minutes, is not usual."""
    city, (some, rest) = City(), split(AGENTS[:10])

    def most(minute: int) -> bool:
        return minute < UPGRADE or minute % 10 != 0

    city.lives(some, upgraded=UPGRADE, there=most)
    city.lives(rest[:30], upgraded=UPGRADE - 20, there=most)
    city.lives(rest[30:])
    found = said(store, city, AGENTS[:10])
    assert (found.outcome, [code for code, _ in found.reasons]) == (Outcome.FAILED, ["incomplete"])
    assert (found.usual, found.others) == (1.0, 20)
