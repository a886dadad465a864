"""Days that need no look at their minutes: told from a few figures, and never wrong."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conditions import fits, holding_ns, is_presence
from collector.verify.day import all_working, judge, perfect
from collector.verify.evidence import DaySummary, Evidence, Presence, Reading, ReadingSummary, Stop
from contract.settings import Seconds
from tests.collector.verify.test_truth import worlds
from tests.collector.verify.world import MINUTE, NS, Kill, Life, World

PANEL = Device("441802-3144001234.c0703", "panel", profile="seewo")
SERVICE = Condition("probe.success", equals=("1",))
POWER = Condition("display.power", equals=("on",), every=Seconds(300))
LAN, WAN = (Condition(f"presence.{name}", equals=("1",)) for name in ("lan", "wan"))


def schedule_of(since_ns: int, until_ns: int, excluded: tuple[Window, ...] = ()) -> DaySchedule:
    """Return a day with these hours."""
    return DaySchedule(
        date(2026, 9, 1), DayKind.WORKDAY, "", since_ns, until_ns, (Window(since_ns, until_ns),), (), excluded
    )


def summary_of(criterion: Criterion, schedule: DaySchedule, evidence: Evidence) -> DaySummary:
    """Return what a store would say of the same evidence: the definition of its figures."""
    windows = schedule.windows(criterion.hours)
    start_ns, end_ns = windows[0].start_ns, windows[-1].end_ns
    rows = [row for row in evidence.presence if start_ns - MINUTE_NS <= row.time_ns <= end_ns]
    readings = {}
    longest_ns = MINUTE_NS
    for number, proof in enumerate(criterion.good_when):
        for n, condition in enumerate(proof.all):
            if is_presence(condition):
                continue
            longest_ns = max(longest_ns, holding_ns(condition))
            some = [
                one
                for one in evidence.readings.get((number, n), ())
                if start_ns - holding_ns(condition) <= one.time_ns < end_ns
            ]
            if some:
                readings[number, n] = of_readings(condition, some)
    return DaySummary(
        len(rows),
        rows[0] if rows else None,
        rows[-1] if rows else None,
        sum(row.lan or 0 for row in rows),
        sum(row.wan or 0 for row in rows),
        sum(row.uptime_s for row in rows),
        readings,
        sum(start_ns - longest_ns <= mark.time_ns < end_ns for mark in evidence.stops),
    )


def of_readings(condition: Condition, some: Sequence[Reading]) -> ReadingSummary:
    """Return the figures of the readings of a condition."""
    gaps = [after.time_ns - before.time_ns for before, after in pairwise(some)]
    fitting = sum(fits(condition, one.value) for one in some)
    return ReadingSummary(len(some), fitting, some[0].time_ns, some[-1].time_ns, max(gaps, default=0))


def evidence_of(life: Life, keys: Sequence[tuple[int, int]]) -> Evidence:
    """Return all that a world reported, with its readings for these conditions."""
    readings = sorted(life.readings, key=lambda one: one.time_ns)
    return Evidence(sorted(life.presence), sorted(life.stops), dict.fromkeys(keys, readings), life.unsynced_ns)


def quiet_worlds() -> st.SearchStrategy[World]:
    """Return worlds of which most hours are perfect: at most some of their faults, and these short."""

    def quieter(world: World, kept: int) -> World:
        return world._replace(
            off=world.off[: kept & 1],
            asleep=world.asleep[: kept >> 1 & 1],
            kills=tuple(Kill(kill.at, kill.again_after and kill.again_after % 30_000 + 1) for kill in world.kills[:1]),
            lan_down=world.lan_down[: kept >> 2 & 1],
            service_down=world.service_down[: kept >> 3 & 1],
            clockless=(),
        )

    return st.builds(quieter, worlds(), st.integers(0, 15))


@settings(max_examples=600, deadline=None)
@given(
    world=quiet_worlds(),
    first=st.integers(1, 30),
    length=st.integers(1, 12),
    asked=st.lists(st.sampled_from(["service", "lan", "wan"]), unique=True),
    is_observed=st.booleans(),
)
def test_a_perfect_day_is_all_working(
    world: World, first: int, length: int, asked: list[str], is_observed: bool
) -> None:
    """What a summary calls perfect is working in every minute, when it is judged by the minute."""
    service = SERVICE._replace(every=Seconds(world.every / 1000))
    named = {"service": service, "lan": LAN, "wan": WAN}
    conditions = tuple(named[name] for name in asked)
    criterion = Criterion((Proof(conditions),) if conditions else (), Hours.SERVICE)
    schedule = schedule_of(first * MINUTE * NS, (first + length) * MINUTE * NS)
    evidence = evidence_of(Life(world), [(0, asked.index("service"))] if "service" in asked else [])
    device = PANEL._replace(agent="441802-3144001234.gw") if is_observed else PANEL
    summary = summary_of(criterion, schedule, evidence)
    if perfect(device, schedule, criterion, summary):
        record = judge(device, schedule, criterion, evidence, schedule.end_ns)
        assert record == all_working(device, schedule, criterion)
        assert record.minutes() == {Cause.WORKING: length}


START_NS = 1_788_220_800_000_000_000
HOURS = 90


def quiet(minutes: int = HOURS) -> Evidence:
    """Return a piece of a day in which all went well, with a panel that is asked every five minutes."""
    presence = [Presence(START_NS + n * MINUTE_NS, "A", 900 + n * 60.0, 0.0, 1, 1) for n in range(-3, minutes + 3)]
    probes = [Reading(START_NS + n * MINUTE_NS + 7_000_000_000, 1.0) for n in range(-1, minutes)]
    panel = [Reading(START_NS + n * MINUTE_NS + 9_000_000_000, "on") for n in range(-5, minutes, 5)]
    return Evidence(presence, readings={(0, 1): probes, (0, 2): panel})


CRITERION = Criterion((Proof((LAN, SERVICE, POWER)),), Hours.SERVICE)
SCHEDULE = schedule_of(START_NS, START_NS + HOURS * MINUTE_NS)


def is_perfect(evidence: Evidence, *, has_sum: bool = True) -> bool:
    """Tell whether the summary of evidence is that of a perfect day."""
    summary = summary_of(CRITERION, SCHEDULE, evidence)
    return perfect(PANEL, SCHEDULE, CRITERION, summary if has_sum else summary._replace(uptime_sum=None))


def test_a_quiet_day_is_perfect() -> None:
    """A day in which all went well needs no look at its minutes; its record is one run."""
    assert is_perfect(quiet())
    assert judge(PANEL, SCHEDULE, CRITERION, quiet(), SCHEDULE.end_ns) == all_working(PANEL, SCHEDULE, CRITERION)
    assert all_working(PANEL, SCHEDULE, CRITERION).runs == (Run(START_NS, HOURS, Cause.WORKING),)


def test_maintenance_in_a_perfect_day_is_excluded() -> None:
    """A perfect day has its excluded minutes too, as if it had been judged by the minute."""
    excluded = (Window(START_NS + 5 * MINUTE_NS, START_NS + 9 * MINUTE_NS),)
    schedule = SCHEDULE._replace(excluded=excluded)
    record = all_working(PANEL, schedule, CRITERION)
    assert record == judge(PANEL, schedule, CRITERION, quiet(), SCHEDULE.end_ns)
    assert record.minutes() == {Cause.WORKING: HOURS - 4, Cause.EXCLUDED: 4}


def test_whatever_is_amiss_makes_a_day_imperfect() -> None:
    """One figure that is not as it should be, and the minutes are looked at."""
    good = quiet()
    rows = good.presence
    assert not is_perfect(good._replace(presence=[*rows[:20], *rows[21:]]))
    assert not is_perfect(good._replace(presence=[*rows[:20], rows[20]._replace(lan=0), *rows[21:]]))
    assert not is_perfect(good._replace(presence=[*rows[:20], rows[20]._replace(lan=None), *rows[21:]]))
    assert not is_perfect(good._replace(presence=[row._replace(asleep_s=9.0 * (n > 40)) for n, row in enumerate(rows)]))
    assert not is_perfect(good._replace(presence=[row._replace(boot="AB"[n > 40]) for n, row in enumerate(rows)]))
    assert not is_perfect(good._replace(stops=[Stop(START_NS + 7, "A")]))
    probes = good.readings[0, 1]
    panel = good.readings[0, 2]
    for some in (probes[3:], probes[:-3], [*probes[:20], *probes[23:]], [*probes[:20], probes[20]._replace(value=0.0)]):
        assert not is_perfect(good._replace(readings={(0, 1): some, (0, 2): panel}))
    assert not is_perfect(good._replace(readings={(0, 1): probes}))
    assert not perfect(PANEL, SCHEDULE, CRITERION, DaySummary(0))
    doubt = [(START_NS + 3, START_NS + 4)]
    assert not perfect(PANEL, SCHEDULE, CRITERION, summary_of(CRITERION, SCHEDULE, good), doubt)


def test_another_machine_in_the_middle_is_given_away_by_the_sum_of_uptimes() -> None:
    """Two machines under one number, which take turns: the day is looked at, where the sum is known."""
    rows = quiet().presence
    turns = [row._replace(boot="B", uptime_s=row.uptime_s + 300) if n % 7 == 3 else row for n, row in enumerate(rows)]
    assert not is_perfect(quiet()._replace(presence=turns))
    assert is_perfect(quiet()._replace(presence=turns), has_sum=False)


def test_the_first_proof_with_evidence_decides_a_perfect_day() -> None:
    """A proof of another profile, or one without any reading, is passed over; one with readings decides."""
    both = Criterion((Proof((POWER,), ("maxhub",)), Proof((POWER,)), Proof((SERVICE,))), Hours.SERVICE)
    readings = {(0, 0): quiet().readings[0, 2], (2, 0): quiet().readings[0, 1]}
    evidence = quiet()._replace(readings=readings)
    assert perfect(PANEL, SCHEDULE, both, summary_of(both, SCHEDULE, evidence))
    evidence = quiet()._replace(readings=readings | {(1, 0): [Reading(START_NS, "standby")]})
    assert not perfect(PANEL, SCHEDULE, both, summary_of(both, SCHEDULE, evidence))


def test_a_day_off_is_perfect() -> None:
    """A day without hours asks for nothing, and its record is empty."""
    off = SCHEDULE._replace(service=())
    assert perfect(PANEL, off, CRITERION, DaySummary(0))
    assert all_working(PANEL, off, CRITERION).runs == ()
    assert not judge(PANEL, off, CRITERION, Evidence(()), SCHEDULE.end_ns).is_open
