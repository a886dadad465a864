"""Which stored days still hold, and which are judged again."""

from datetime import date, timedelta

from collector.asked import Asked
from collector.calendars.schedule import Hours
from collector.days import StoredDay
from collector.known import Mark, Marks, still_valid
from collector.roster.schema import Device
from collector.store.base import Late
from collector.targets.schema import Condition, Criterion, Proof
from contract.settings import Seconds
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    FRIDAY,
    MINUTE_NS,
    MONDAY,
    NEXT_MONDAY,
    SCHOOL_1,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    after,
    at,
    roster,
    schedule_of,
)

WEEK = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)
SITE = roster().sites[SCHOOL_1]


def asked(day: date, inputs: str = "same") -> Asked:
    """Return the question for a day of class 1."""
    return Asked(Device(CLASS_1, "classroom"), schedule_of(SITE, day), AVAILABLE.criterion, inputs)


def stored(
    day: date, runs: str = "480+240w", *, judged_ns: int = 0, is_open: bool = False, inputs: str = "same"
) -> StoredDay:
    """Return a stored day, judged an hour after its end unless told otherwise."""
    judged_ms = (judged_ns or after(day)) // 10**6
    return StoredDay(CLASS_1, AVAILABLE.criterion.id, at(day), runs, is_open, judged_ms, inputs)


def valid(
    *days: StoredDay, marks: tuple[Mark, ...] = (), newest_ns: int = 0, questions: tuple[Asked, ...] = ()
) -> list[date]:
    """Return which days of the week hold."""
    some = questions or tuple(asked(day) for day in WEEK)
    found = still_valid(some, {day.day_start_ns: day for day in days}, marks, newest_ns)
    return [one.schedule.day for one in some if one.schedule.start_ns in found]


def test_a_settled_day_holds_for_ever() -> None:
    """A day that was judged an hour after its end, and to which nothing was added, is not judged again."""
    assert valid(*map(stored, WEEK)) == list(WEEK)


def test_a_day_without_a_record_is_judged() -> None:
    """What was never judged is not valid, whatever the others are."""
    assert valid(stored(MONDAY), stored(FRIDAY)) == [MONDAY, FRIDAY]


def test_a_day_judged_before_all_had_come_is_judged_again() -> None:
    """Within half an hour after the end of a day its last minutes may be under way still."""
    early = stored(MONDAY, judged_ns=after(MONDAY, hours=0.49))
    assert valid(early, stored(TUESDAY, judged_ns=after(TUESDAY, hours=0.5))) == [TUESDAY]


def test_a_day_waits_for_a_reading_that_may_be_half_an_interval_late() -> None:
    """Asked every four hours: the next answer, two hours after its time, may still say how the day ended."""
    power = Condition("display.power", equals=("on",), every=Seconds(4 * 3600))
    question = asked(MONDAY)._replace(criterion=Criterion((Proof((power,)),), Hours.SERVICE))
    for hours, holds in ((2.2, []), (2.3, [MONDAY])):
        assert valid(stored(MONDAY, judged_ns=after(MONDAY, hours=hours)), questions=(question,)) == holds


def test_a_day_with_other_hours_speakers_or_doubts_is_judged_again() -> None:
    """A maintenance entered afterwards, another speaker, a finding of integrity: the record is of another question."""
    assert valid(stored(MONDAY, inputs="other"), stored(TUESDAY)) == [TUESDAY]


def test_an_open_day_holds_until_the_agent_speaks_again() -> None:
    """A class that went dark on Friday stays as it is until there is news; then the gap may have a cause."""
    friday = stored(FRIDAY, "480+60w 540+180u", judged_ns=after(FRIDAY), is_open=True)
    assert valid(friday, newest_ns=at(FRIDAY, "09:00")) == [FRIDAY]
    assert valid(friday, newest_ns=at(NEXT_MONDAY, "07:30")) == []


def test_late_evidence_makes_its_day_be_judged_again() -> None:
    """A batch of Wednesday that came after Wednesday was judged changes Wednesday, and it may change its neighbours."""
    came = Mark(at(FRIDAY, "10:00"), at(WEDNESDAY, "09:00"), at(WEDNESDAY, "09:30"))
    assert valid(*map(stored, WEEK), marks=(came,)) == [MONDAY, FRIDAY]


def test_late_evidence_from_before_the_judgement_was_in_it() -> None:
    """What came late but before a day was judged has been seen; what came just then may not have been."""
    seen = Mark(at(TUESDAY, "00:10"), at(MONDAY, "09:00"), at(MONDAY, "09:30"))
    judged_late = stored(MONDAY, judged_ns=after(TUESDAY))
    assert valid(judged_late, marks=(seen,)) == [MONDAY]
    just = seen._replace(stored_ns=after(TUESDAY) - 10 * MINUTE_NS)
    assert valid(judged_late, marks=(just,)) == []


def test_late_evidence_reaches_as_far_as_the_gap_around_it() -> None:
    """
    In a week of darkness a stop mark of Tuesday that comes late may explain Wednesday and Thursday too.

    Monday, with a proven minute, may have its end explained; nothing before it can change.
    """
    dark = "480+240p"
    days = [stored(MONDAY), stored(TUESDAY), *(stored(day, dark) for day in (WEDNESDAY, THURSDAY)), stored(FRIDAY)]
    came = Mark(at(NEXT_MONDAY), at(WEDNESDAY, "01:00"), at(WEDNESDAY, "01:00"))
    assert valid(*days, marks=(came,)) == [MONDAY]


def test_marks_next_to_each_other_join_and_many_become_coarser() -> None:
    """A backlog of a night is one mark, not five hundred; a thousand outages are some marks that miss none of them."""
    minute = 60 * 10**9
    base = at(MONDAY)
    backlog = (Late(CLASS_1, base + n * 10**9, base - (n + 2) * minute, base - n * minute) for n in range(500))
    assert Marks(backlog).of(CLASS_1) == [Mark(base + 499 * 10**9, base - 501 * minute, base)]
    apart = [Late(CLASS_1, base + n * 3600 * 10**9, base + n, base + n) for n in range(1000)]
    found = Marks(apart).of(CLASS_1)
    assert len(found) <= 32
    assert all(any(m.oldest_ns <= one.oldest_ns <= m.newest_ns for m in found) for one in apart)
    assert max(mark.stored_ns for mark in found) == apart[-1].stored_ns


def test_marks_of_the_speaker_count_as_well() -> None:
    """What is known of an observed device hangs on the presence of its gateway."""
    marks = Marks([Late("a-1.gw", 3, 1, 2), Late("a-1.c1", 6, 4, 5)])
    assert marks.of("a-1.c1", "a-1.gw") == [Mark(6, 4, 5), Mark(3, 1, 2)]
    assert marks.of("a-1.c2") == []


def test_a_day_off_between_two_days_does_not_end_a_gap() -> None:
    """From Friday into Monday there is no day that is asked about, but the gap goes on."""
    questions = (asked(FRIDAY), asked(NEXT_MONDAY), asked(NEXT_MONDAY + timedelta(days=1)))
    came = Mark(after(NEXT_MONDAY, hours=30), at(FRIDAY, "18:00"), at(FRIDAY, "18:05"))
    days = [stored(FRIDAY), stored(NEXT_MONDAY, "480+240p"), stored(questions[2].schedule.day, "480+240p")]
    assert valid(*days, marks=(came,), questions=questions) == []
