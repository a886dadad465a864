"""Whatever happens, and wherever watch is killed: nothing is lost, nothing is told twice, everything ends."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from collector.watch.memory import BY_HAND, OPENED, RECOVERED, TAKEN_UP, Case, Said, Swing
from collector.watch.rules import Rules, ns
from tests.collector.watch.town import MINUTE_NS, START_NS, Town, school

MEMORY = Path("/dev/shm")  # noqa: S108  thousands of commits, none of which has to survive a power cut
SITES = [school(number) for number in range(12)]
RULES = Rules(escalate=1e9)  # type: ignore[arg-type]


def story(town: Town, kill_at: int, *, is_committed: bool) -> list[tuple[str, str, str]]:
    """Tell a story of some hours, with watch killed at one of its steps, before it wrote down what it saw or after."""
    steps = 0

    def run(minutes: int) -> None:
        nonlocal steps
        for _ in range(2 * minutes):
            steps += 1
            if steps == kill_at and not is_committed:
                town.core.step(town.moment())  # its news die with it
                town.restart()
            town.run(0.5)
            if steps == kill_at and is_committed:
                town.restart()

    run(3)
    town.cut(SITES[0])
    town.causes[f"{SITES[1]}.c0"] = "service_down"
    run(10)
    town.cut(*SITES[2::2])
    run(10)
    town.mend(*SITES)
    town.causes.clear()
    run(12)
    return town.told


def test_killed_at_any_step_watch_tells_the_same() -> None:
    """A school, a class, an operator's cut: killed before or after any commit, the same is told, each once."""
    undisturbed = story(Town(12, 1, RULES), 0, is_committed=True)
    assert {kind for _, kind, _ in undisturbed} == {"site", "device", "operator"}
    assert [what for what, _, _ in undisturbed].count(RECOVERED) == 2
    for kill_at in range(1, 71, 3):
        for is_committed in (False, True):
            with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
                town = Town(12, 1, RULES, journal=Path(folder))
                told = story(town, kill_at, is_committed=is_committed)
                assert sorted(told) == sorted(undisturbed), (kill_at, is_committed)


def check_ends(cases: list[Case], entries: Counter[tuple[str, str]]) -> None:
    """Each incident was told once, and ended once: by itself, or within the one that took it up."""
    by_id = {case.id: case for case in cases}
    for case in cases:
        assert entries[case.id, OPENED] == 1, case
        if case.ended == TAKEN_UP:
            assert entries[case.id, RECOVERED] == 0
            assert case.id in by_id[case.parent].includes
        else:
            assert entries[case.id, RECOVERED] == (case.closed_ns is not None), case
    for one in cases:
        assert len(set(one.includes)) == len(one.includes)


class Watched(RuleBasedStateMachine):
    """A town to which anything happens, and a watch that is killed now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.town = Town(12, 2, RULES, journal=Path(self.folder.name))
        self.number = 0

    @rule(sites=st.lists(st.sampled_from(SITES), min_size=1, max_size=12, unique=True))
    def cut(self, sites: list[str]) -> None:
        """Cut some schools off."""
        self.town.cut(*sites)

    @rule(sites=st.lists(st.sampled_from(SITES), min_size=1, max_size=12, unique=True))
    def mend(self, sites: list[str]) -> None:
        """Let some schools be back."""
        self.town.mend(*sites)

    @rule(
        site=st.sampled_from(SITES),
        place=st.sampled_from(["gw", "c0", "c1"]),
        cause=st.sampled_from(["working", "service_down", "wan_down", "lan_down", "asleep", "power_off", "unknown"]),
    )
    def becomes(self, site: str, place: str, cause: str) -> None:
        """Let a device be so."""
        self.town.causes[f"{site}.{place}"] = cause

    @rule(
        site=st.sampled_from(SITES),
        place=st.sampled_from(["gw", "c0", "c1"]),
        word=st.sampled_from(["offline", "stopped"]),
    )
    def goes(self, site: str, place: str, word: str) -> None:
        """Let an agent go."""
        self.town.lose([f"{site}.{place}"], word)

    @rule(site=st.sampled_from(SITES))
    def closes(self, site: str) -> None:
        """Close a school, or open it again."""
        self.town.quiet ^= set(self.town.of(site))

    @rule(site=st.sampled_from(SITES))
    def ends_service(self, site: str) -> None:
        """End the hours of a school, or begin them."""
        self.town.closed_hours ^= {site}

    @rule(site=st.sampled_from(SITES), is_active=st.booleans())
    def has_fault(self, site: str, is_active: bool) -> None:
        """Let a class have a fault, or not."""
        self.town.faults = {f"{site}.c0": ("lamp-failed",)} if is_active else {}

    @rule(what=st.sampled_from(["", "broker_down", "store_down"]))
    def centre(self, what: str) -> None:
        """Let the centre fail, or work."""
        self.town.centre = what

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.town.run(minutes)

    @rule()
    def somebody_closes(self) -> None:
        """Let somebody close an incident by hand."""
        if cases := list(self.town.core.memory.cases.values()):
            self.number += 1
            self.town.said = [Said(self.number, self.town.now_ns, cases[0].id, "close", "On Call", "known")]
            self.town.step()

    @rule(is_committed=st.booleans())
    def killed(self, is_committed: bool) -> None:
        """Kill watch, before or after it wrote down what it saw."""
        if not is_committed:
            self.town.core.step(self.town.moment())
        self.town.restart()

    @invariant()
    def one_case_a_subject(self) -> None:
        """No two open incidents are about the same, and none is lost on its way to the journal."""
        cases = self.town.core.memory.cases.values()
        assert len({case.subject for case in cases}) == len(cases)

    def teardown(self) -> None:
        """At last everything is good for some hours: then every incident has ended, each as it should."""
        town = self.town
        town.causes.clear()
        town.quiet.clear()
        town.closed_hours.clear()
        town.centre, town.faults = "", {}
        town.mend(*SITES)
        town.run(200)
        assert town.journal is not None
        assert town.core.memory.cases == {}
        with town.journal.transaction() as connection:
            entries = Counter(connection.execute("SELECT incident, what FROM entry").fetchall())
        check_ends(town.journal.cases(open_only=False), entries)
        town.journal.shut()
        self.folder.cleanup()


TestWatched = Watched.TestCase
TestWatched.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=200),
)
def test_however_something_flaps_the_openings_of_any_hours_are_bounded(changes: list[tuple[int, bool]]) -> None:
    """Of one device at most four incidents are opened before it has to be steady for an hour: at most 4 in any hour."""
    rules = Rules()
    swing, now_ns, opened_ns, is_open = Swing(), START_NS, [], False
    for minutes, is_bad in changes:
        swing = swing.bad(now_ns, rules) if is_bad else swing.good(now_ns)
        for _ in range(minutes):  # looked at once a minute
            now_ns += MINUTE_NS
            if not is_open and swing.is_ripe(now_ns, rules.device, rules):
                is_open = True
                opened_ns.append(now_ns)
            elif is_open and swing.is_over(now_ns, rules):
                is_open = False
    for first, last in zip(opened_ns, opened_ns[rules.flaps :], strict=False):
        assert last - first >= ns(rules.steady)


@pytest.mark.parametrize("minutes", [1, 3, 6, 11, 30, 90, 170])
def test_messages_of_a_flapping_school_are_bounded(minutes: int) -> None:
    """However often the uplink of a school comes and goes in two days, somebody is told eight times at the most."""
    town = Town(1, 2, RULES)
    for number in range(2880 // minutes):
        (town.mend if number % 2 else town.cut)(SITES[0])
        town.run(minutes)
    assert len(town.told) <= 8
    assert all(case.ended != BY_HAND for case in town.core.memory.cases.values())
