"""Causes, watched devices and school days against a world whose truth is known: what is certain is never wrong."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof, Rule
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.conclude import Conclusion, Period
from collector.verify.day import judge
from collector.verify.evidence import DayRecord, Evidence, Reading
from contract.settings import Seconds
from tests.collector.verify.golden import CLASSES, SITE, roster_of
from tests.collector.verify.minutes import minutes_in
from tests.collector.verify.test_truth import LENGTH, criterion_of, judged, unlucky_worlds, worlds
from tests.collector.verify.world import MINUTE, NS, Life, World, touches

DAY = date(1970, 1, 1)
ROOM = Device(f"{SITE}.c1", "classroom", "r1")
PROJECTOR = Device(f"{SITE}.p1", "projector", agent=f"{SITE}.gw")


def is_true(life: Life, minute: int, cause: Cause) -> bool:
    """Tell whether a cause is one that a minute truly had, in part of it at least."""
    world, end = life.world, minute + MINUTE
    held_from = minute - world.every * 3 // 2
    if cause is Cause.POWER_OFF:
        return touches(world.off, minute, end)
    if cause is Cause.ASLEEP:
        return touches(world.asleep, minute, end)
    if cause is Cause.LAN_DOWN:
        # Asked at the end of the minute, and at that of the one before, which is in this one.
        return any(not lan for label, lan in life.sampled if label in (minute, end))
    if cause is Cause.SERVICE_DOWN:
        return any(not works for at, works in life.asked if held_from < at < end)
    return cause in (Cause.WORKING, Cause.UNKNOWN, Cause.AGENT_DOWN)


@settings(max_examples=150, deadline=None)
@given(world=worlds() | unlucky_worlds(), asks_lan=st.booleans(), asks_service=st.booleans())
def test_a_cause_is_one_that_the_minute_had(world: World, asks_lan: bool, asks_service: bool) -> None:
    """Nothing is called off that was on, asleep that was awake, or broken that worked."""
    life = Life(world)
    record = judged(life, criterion_of(world, asks_lan=asks_lan, asks_service=asks_service), 0, LENGTH)
    for start_ns, cause, _ in minutes_in(record.runs):
        minute = start_ns // NS
        assert is_true(life, minute, cause), f"minute {minute // MINUTE} is called {cause}"


@settings(max_examples=150, deadline=None)
@given(world=worlds() | unlucky_worlds())
def test_our_own_fault_is_never_booked_to_a_machine_that_was_off(world: World) -> None:
    """Where our agent is said to have failed, the machine had power in some of the minute."""
    life = Life(world)
    for start_ns, cause, _ in minutes_in(judged(life, Criterion((), Hours.SERVICE), 0, LENGTH).runs):
        if cause is Cause.AGENT_DOWN:
            minute = start_ns // NS
            assert not any(since <= minute and minute + MINUTE <= until for since, until in world.off)


# ---- a projector that a gateway watches


@settings(max_examples=150, deadline=None)
@given(world=worlds() | unlucky_worlds())
def test_of_a_watched_device_the_interval_contains_the_truth(world: World) -> None:
    """
    A projector in standby now and then, and a gateway that loses power, sleeps, is killed, or has no clock.

    A minute counts by the answers in it, without any by the last one that stands. No fault of the gateway is its own.
    """
    life = Life(world)
    power = Condition(
        "display.power", equals=("on",), every=Seconds(world.every / 1000), otherwise={"standby": Cause.ASLEEP}
    )
    readings = sorted(Reading(at, "on" if value else "standby") for at, value, _ in life.readings)
    evidence = Evidence(sorted(life.presence), sorted(life.stops), {(0, 0): readings}, life.unsynced_ns)
    record = judge(
        PROJECTOR,
        day_of((Window(0, LENGTH * NS),)),
        Criterion((Proof((power,)),), Hours.SERVICE),
        evidence,
        LENGTH * NS,
    )
    for start_ns, cause, _ in minutes_in(record.runs):
        minute = start_ns // NS
        own = [is_on for at, is_on in life.asked if minute <= at < minute + MINUTE]
        held = [is_on for at, is_on in life.asked if minute - world.every * 3 // 2 < at < minute]
        answers = own or held[-1:]
        assert cause in (Cause.WORKING, Cause.ASLEEP, Cause.UNKNOWN)
        if cause is not Cause.UNKNOWN:
            assert (cause is Cause.WORKING) in answers, f"minute {minute // MINUTE} was not {cause}"


# ---- school days


def day_of(lessons: tuple[Window, ...], excluded: tuple[Window, ...] = ()) -> DaySchedule:
    """Return a day of these lessons."""
    return DaySchedule(DAY, DayKind.WORKDAY, "", 0, LENGTH * NS, lessons, lessons, excluded)


def lessons(most: int) -> st.SearchStrategy[tuple[Window, ...]]:
    """Return lessons with breaks between them."""

    def laid(pairs: list[tuple[int, int]]) -> tuple[Window, ...]:
        found, minute = [], 0
        for gap, length in pairs:
            first, minute = minute + gap, minute + gap + length
            if minute <= LENGTH // MINUTE:
                found.append(Window(first * MINUTE_NS, minute * MINUTE_NS))
        return tuple(found) or (Window(5 * MINUTE_NS, 20 * MINUTE_NS),)

    return st.lists(st.tuples(st.integers(1, 9), st.integers(2, 12)), min_size=1, max_size=most).map(laid)


@settings(max_examples=150, deadline=None)
@given(
    world=worlds() | unlucky_worlds(),
    taught=lessons(4),
    agreed=st.just(()) | lessons(1),
    asks=st.tuples(st.booleans(), st.booleans()),
    minutes=st.integers(1, 25),
)
def test_a_school_day_is_what_it_truly_was_or_not_proven(
    world: World,
    taught: tuple[Window, ...],
    agreed: tuple[Window, ...],
    asks: tuple[bool, bool],
    minutes: int,
) -> None:
    """
    Switched off between lessons, asleep, killed or without a clock: a good day was good, and a bad one was bad.

    Good: it worked for so many minutes of the lessons, or all that there are less what was agreed. Bad: it did not, and
    something failed while it was on. A day that it was never on in was one without any good minute.
    """
    life = Life(world)
    criterion = criterion_of(world, asks_lan=asks[0], asks_service=asks[1])._replace(hours=Hours.LESSONS)
    record = record_of(life, criterion, day_of(taught, agreed))
    counted = [
        start_ns // NS
        for window in taught
        for start_ns in range(*window, MINUTE_NS)
        if not any(a <= start_ns < b for a, b in agreed)
    ]
    truths = [life.truth(minute, asks_lan=asks[0], asks_service=asks[1]) for minute in counted]
    owed = min(minutes, len(counted))
    least, most = sum(was for was, _ in truths), sum(may for _, may in truths)
    target = CLASSES._replace(good_when=criterion.good_when, rule=Rule(days=1.0, minutes=minutes))
    conclusion = Conclusion([target], Period(DAY, DAY, [(DAY, roster_of(ROOM))]))
    conclusion.add(record)
    ((result, _),) = conclusion.finish()
    (unit,) = result.units
    figures = unit.figures
    if figures["days_good"]:
        assert most >= owed
    if figures["days_bad"]:
        assert least < owed
        assert least < len(counted)
    if figures["never_on"]:
        assert least == 0
    assert record.minutes().get(Cause.WORKING, 0) <= most
    unknown = sum(record.minutes().get(cause, 0) for cause in (Cause.UNKNOWN, Cause.AGENT_DOWN))
    assert least <= record.minutes().get(Cause.WORKING, 0) + unknown


def record_of(life: Life, criterion: Criterion, schedule: DaySchedule) -> DayRecord:
    """Return the judgement of a day, from all that was reported."""
    number = len(criterion.good_when[0].all) - 1 if criterion.good_when else 0
    readings = {(0, number): sorted(life.readings, key=lambda one: one.time_ns)}
    evidence = Evidence(sorted(life.presence), sorted(life.stops), readings, life.unsynced_ns)
    return judge(ROOM, schedule, criterion, evidence, LENGTH * NS)
