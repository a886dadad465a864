"""What disputes do to a day, with and without: the tables of effects.md."""

from collections.abc import Sequence
from datetime import date

import pytest

from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.calendars.zone import day_window
from collector.disputed import Disputed, Taken, View
from collector.disputes.schema import Dispute
from collector.roster.schema import Device, Roster, Site
from collector.verify.applied import applied
from collector.verify.causes import as_text, from_text
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Concern, Finding
from collector.verify.period import Period
from collector.verify.throughput import Test as Goodput
from tests.collector.disputes.tables import SITE, ZONE, claim_of, dispute_of, rows

DAY = date(2026, 3, 2)
WINDOW = day_window(DAY, ZONE)
C1, C2 = Device(f"{SITE}.c1", "classroom", "r1"), Device(f"{SITE}.c2", "classroom", "r2")
ROSTER = Roster({SITE: Site(SITE), "441802-2": Site("441802-2")}, {C1.id: C1, C2.id: C2})
PERIOD = Period(DAY, DAY, [(DAY, ROSTER)])
RECORD = DayRecord(C1.id, WINDOW.start_ns, "criterion", from_text("480+240w", WINDOW.start_ns))
HOURS = (Window(RECORD.runs[0].start_ns, RECORD.runs[0].end_ns),)
SCHEDULE = DaySchedule(DAY, DayKind.WORKDAY, "", WINDOW.start_ns, WINDOW.end_ns, HOURS)
TEN = WINDOW.start_ns + 600 * 60 * 10**9
CLASH = Finding(Concern.NUMBER_CLASH, (C1.id,), TEN, None, ("A", "B"), (C1.id,))


def recorded(text: str) -> tuple[Dispute, ...]:
    """Return the disputes of a cell: steps, scope, begin, end, reason, finding; times are those of the day."""
    found = []
    for number, one in enumerate(filter(None, text.split("; ")), start=1):
        steps, _, what = one.partition(": ")
        level, name, first, last, reason, *finding = what.split()
        since, until = (at if "-" in at else f"{DAY}T{at}" for at in (first, last))
        kind = "closure" if "closes" in steps else "dispute"
        claim = claim_of(f"{level} {name}", since, until, reason, kind=kind, finding=finding[0] if finding else "")
        found.append(dispute_of(steps, claim, number))
    return tuple(found)


def disputed_of(text: str, found: Sequence[Finding] = (), *, is_counted: bool = True) -> Disputed:
    """Return what disputes make of the day."""
    return Disputed(Taken(recorded(text), is_counted), PERIOD, (WINDOW.start_ns, WINDOW.end_ns), found)


def seen(view: View, record: DayRecord = RECORD) -> str:
    """Return the runs of a day in a view."""
    return as_text(view.record(record).runs, record.day_start_ns)


def name(value: object) -> str:
    """Return the case of a row."""
    return value[0] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("row", rows("effects.md", "Disputes and closures"), ids=name)
def test_what_disputes_and_closures_do(row: list[str]) -> None:
    """Each row of the table: only what was approved changes the figure, and only that of its scope and period."""
    _, text, without, with_them, alerts = row
    disputed = disputed_of(text)
    assert (seen(disputed.without_them), seen(disputed.with_them)) == (without, with_them)
    assert ("off" if disputed.quiet.is_quiet(RECORD) else "on") == alerts
    assert ("off" if disputed.quiet.is_closed(C1.id, SCHEDULE) else "on") == alerts
    assert disputed.has_two_figures or without == with_them
    silent = disputed_of(text, is_counted=False)
    assert not silent.has_two_figures
    assert not silent.quiet.is_quiet(RECORD)
    assert not silent.quiet.is_closed(C1.id, SCHEDULE)


def test_a_day_is_closed_when_calendar_and_agreement_take_all_of_it() -> None:
    """Maintenance of the calendar until ten and an exam from ten on leave nothing; either alone does not."""
    until_ten = SCHEDULE._replace(excluded=(Window(SCHEDULE.service[0].start_ns, TEN),))
    from_ten = disputed_of("a proposes, b approves: site 441802-1 10:00 12:00 exam").quiet
    assert from_ten.is_closed(C1.id, until_ten)
    assert not from_ten.is_closed(C1.id, SCHEDULE)
    assert not disputed_of("").quiet.is_closed(C1.id, until_ten)


@pytest.mark.parametrize("row", rows("effects.md", "Decisions about a finding"), ids=name)
def test_what_decisions_about_a_finding_do(row: list[str]) -> None:
    """Each row of the table: a doubt is lifted by two people alone, and both figures come from one stored day."""
    _, text, stored, without, with_them = row
    disputed = disputed_of(text, [CLASH])
    judged = applied(RECORD, doubted=disputed.doubts.get(C1.id, ()))
    assert as_text(judged.runs, WINDOW.start_ns) == stored
    assert seen(disputed.without_them, judged) == without
    assert seen(disputed.with_them, judged) == with_them
    same = disputed_of(text, [CLASH], is_counted=False)
    assert same.doubts == disputed.doubts
    assert seen(same.without_them, judged) == without


def test_a_finding_is_decided_when_nothing_of_the_period_is_doubted() -> None:
    """A decision for half of the time leaves the finding open; a notice, which doubts nobody, needs none."""
    whole = "a proposes, b approves: device 441802-1.c1 10:00 2026-03-05 evidence-counts number_clash"
    half = "a proposes, b approves: device 441802-1.c1 10:00 11:00 evidence-counts number_clash"
    assert disputed_of(whole, [CLASH]).is_decided(CLASH)
    assert not disputed_of(half, [CLASH]).is_decided(CLASH)
    assert not disputed_of("", [CLASH]).is_decided(CLASH)
    assert not disputed_of(whole, [CLASH], is_counted=False).is_decided(CLASH)
    assert not disputed_of(whole, [CLASH]).is_decided(CLASH._replace(doubted=()))


def test_what_is_doubted_of_an_agent_is_doubted_of_all_it_speaks_for() -> None:
    """A gateway whose evidence does not count proves nothing for the class behind it; excluded is the gateway alone."""
    behind = Roster(
        ROSTER.sites, {C1.id: C1._replace(agent=f"{SITE}.gw"), f"{SITE}.gw": Device(f"{SITE}.gw", "gateway")}
    )
    taken = Taken(recorded("a proposes, b approves: device 441802-1.gw 09:00 10:00 evidence-does-not-count"))
    period = Period(DAY, DAY, [(DAY, behind)])
    assert seen(Disputed(taken, period, WINDOW).with_them) == "480+60w 540+60u 600+120w"
    taken = Taken(recorded("a proposes, b approves: device 441802-1.gw 09:00 10:00 exam"))
    assert seen(Disputed(taken, period, WINDOW).with_them) == "480+240w"


def test_a_room_is_that_of_the_roster_of_the_day() -> None:
    """A class that moved out of the room is not in its dispute any more."""
    tomorrow = date(2026, 3, 3)
    moved = Roster(ROSTER.sites, {C1.id: C1._replace(room_id="r9")})
    period = Period(DAY, tomorrow, [(DAY, ROSTER), (tomorrow, moved)])
    window = (WINDOW.start_ns, day_window(tomorrow, ZONE).end_ns)
    taken = Taken(recorded("a proposes, b approves: room 441802-1/r1 2026-03-02 2026-03-03 exam"))
    view = Disputed(taken, period, window).with_them
    start_ns = day_window(tomorrow, ZONE).start_ns
    later = RECORD._replace(day_start_ns=start_ns, runs=from_text("480+240w", start_ns))
    assert (seen(view), seen(view, later)) == ("480+240x", "480+240w")


def test_tests_of_the_rate_in_an_excluded_time_are_left_out() -> None:
    """A test taken while the line was being repaired says nothing of it; without the dispute it counts."""
    at_ten = Goodput(C1.id, TEN, "download", 1.0, "")
    for reason in ("network-works", "evidence-does-not-count"):
        disputed = disputed_of(f"a proposes, b approves: site 441802-1 10:00 11:00 {reason}")
        assert not disputed.with_them.takes(at_ten)
        assert disputed.with_them.takes(at_ten._replace(time_ns=TEN - 1))
        assert disputed.with_them.takes(at_ten._replace(device="441803-1.c1"))
        assert disputed.without_them.takes(at_ten)


def test_disputes_of_other_times_and_places_make_no_second_figure() -> None:
    """What is not of the period, or of nothing in its roster, costs nothing and is not said to be taken."""
    for what in ("site 441802-1 2026-02-01 2026-02-28 exam", "site 441899-1 2026-03-02 2026-03-02 exam"):
        disputed = disputed_of(f"a proposes, b approves: {what}")
        assert disputed.approved == ()
        assert not disputed.has_two_figures
