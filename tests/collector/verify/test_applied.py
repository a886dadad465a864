"""What was agreed on, applied to a judged day: the same as judging the day with it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.calendars.schedule import Hours, Window
from collector.targets.schema import Criterion, Proof
from collector.verify.applied import applied
from collector.verify.causes import Cause, Run, as_text, from_text
from collector.verify.day import judge
from collector.verify.evidence import DayRecord, Evidence
from tests.collector.verify.test_perfect import schedule_of
from tests.collector.verify.test_truth import LAN, LENGTH, PANEL, worlds
from tests.collector.verify.world import MINUTE, NS, Life, World

MINUTE_NS = MINUTE * NS
TIMES = st.lists(st.tuples(st.integers(0, LENGTH * NS), st.integers(0, 9 * MINUTE_NS)), max_size=4).map(
    lambda some: [(since, since + length) for since, length in some]
)


@settings(max_examples=400, deadline=None)
@given(worlds(), TIMES, TIMES, TIMES)
def test_it_is_the_same_as_judging_with_it(
    world: World, agreed: list[tuple[int, int]], excluded: list[tuple[int, int]], doubted: list[tuple[int, int]]
) -> None:
    """Whatever happened that day, and whatever the calendar excluded before: minute by minute, and joined alike."""
    life = Life(world)
    evidence = Evidence(life.presence, life.stops, {}, life.unsynced_ns)
    criterion = Criterion((Proof((LAN,)),), Hours.SERVICE)
    before = tuple(Window(*times) for times in agreed)
    hours = schedule_of(MINUTE_NS, LENGTH * NS - MINUTE_NS, before)
    later = hours._replace(excluded=(*before, *(Window(*times) for times in excluded)))
    horizon_ns = 10 * LENGTH * NS
    wanted = judge(PANEL, later, criterion, evidence._replace(doubted=doubted), horizon_ns)
    assert applied(judge(PANEL, hours, criterion, evidence, horizon_ns), excluded, doubted) == wanted


def test_nothing_agreed_is_the_very_same_day() -> None:
    """Days that nothing is said about stay one object, so that a month of a city stays small."""
    record = DayRecord("441802-1.c1", 0, "criterion", from_text("480+60w 545+5s:dns", 0))
    assert applied(record) is record


def test_a_minute_that_is_touched_is_meant_and_hours_keep_their_gaps() -> None:
    """Seconds of a minute take all of it; the break between two lessons stays one."""
    record = DayRecord("441802-1.c1", 0, "criterion", from_text("480+40w 530+20w 550+20s:dns", 0), is_open=True)
    since, until = 500 * MINUTE_NS + 1, 555 * MINUTE_NS + 1
    found = applied(record, [(since, until)])
    assert as_text(found.runs, 0) == "480+20w 500+20x 530+26x 556+14s:dns"
    assert found.is_open
    assert applied(record, doubted=[(0, 10**18)]).runs == (
        Run(480 * MINUTE_NS, 40, Cause.UNKNOWN),
        Run(530 * MINUTE_NS, 40, Cause.UNKNOWN),
    )
