"""Whatever happens to a machine, the truth lies within what the verifier says."""

from datetime import date

from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import Cause, minutes_in
from collector.verify.day import judge
from collector.verify.evidence import Evidence
from tests.collector.verify.world import START_S, Fault, World

MINUTES = 60
START_NS = START_S * 10**9
HOURS = Window(START_NS, START_NS + MINUTES * 60 * 10**9)
DAY = DaySchedule(date(2026, 9, 21), DayKind.WORKDAY, "", START_NS, HOURS.end_ns, (HOURS,), (HOURS,))
WAN = Criterion((Proof((Condition("presence.wan", equals=("1",)),)),), Hours.SERVICE)
DEVICE = Device("441802-1.c1", "classroom")

seconds = st.integers(1, MINUTES * 60 - 1)


def faults(*kinds: str, least_s: int = 1) -> st.SearchStrategy[list[Fault]]:
    """Return lists of faults of these kinds."""
    one = st.builds(Fault, st.sampled_from(kinds), seconds, st.integers(least_s, 1500))
    return st.lists(one, max_size=6)


def apart(found: list[Fault]) -> list[Fault]:
    """Keep faults of machine and agent that leave each other three minutes: each gap then has one reason."""
    kept: list[Fault] = []
    for fault in sorted(found, key=lambda fault: fault.start):
        if fault.kind in ("lan", "wan") or all(
            fault.start > other.start + other.length + 240 for other in kept if other.kind not in ("lan", "wan")
        ):
            kept.append(fault)
    return kept


def counts(world: World) -> tuple[int, int, int, int]:
    """Return the minutes that are good, that truly were, good or unknown, and unknown alone."""
    evidence = Evidence(world.presence(), world.stops())
    record = judge(DEVICE, DAY, WAN, evidence, HOURS.end_ns + 10**12)
    causes = [minute.cause for minute in minutes_in(record.runs)]
    assert len(causes) == MINUTES
    good = causes.count(Cause.WORKING)
    unknown = causes.count(Cause.UNKNOWN) + causes.count(Cause.AGENT_DOWN)
    return good, sum(world.truth()), good + unknown, causes.count(Cause.UNKNOWN)


@settings(max_examples=400, deadline=None)
@given(faults("power", "shutdown", "sleep", "kill", "lan", "wan"), st.integers(1, 58))
@example([Fault("power", 61, 5)], 30)
@example([Fault("shutdown", 2, 478)], 1)
@example([Fault("sleep", 1, 1)], 2)
def test_the_truth_is_within(found: list[Fault], offset: int) -> None:
    """
    Power cuts, shutdowns, sleep, killed agents and dead networks at any second: low ≤ truth ≤ high.

    Networks fail whenever they like; machine and agent leave four minutes between two faults: one that is up for less
    may have said nothing, and then nobody knows that it was.
    """
    low, truth, high, _ = counts(World(MINUTES, offset, apart(found)))
    assert low <= truth <= high


@settings(max_examples=200, deadline=None)
@given(faults("power", "sleep", "lan", "wan"), st.integers(1, 58))
def test_little_is_unknown(found: list[Fault], offset: int) -> None:
    """Evidence leaves open at most two minutes a fault: those beside which it began and ended."""
    some = [fault for fault in apart(found) if fault.start > 120 and fault.start + fault.length < (MINUTES - 3) * 60]
    *_, unknown = counts(World(MINUTES, offset, some))
    assert unknown <= 2 * sum(fault.kind in ("power", "sleep") for fault in some)
