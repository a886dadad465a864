"""Verification with and without disputes, from evidence in a store: the same from SQLite and from a real influxd."""

from datetime import date, datetime, timedelta

from collector.days import read_days
from collector.disputed import Taken
from collector.disputes.schema import Claim, Dispute, Kind, Reason, Scope
from collector.store.base import Store
from collector.verification import Verified, promise_of, verify
from collector.verify.conclude import Period, TargetFigures
from collector.verify.results import TargetResult, Verdict
from tests.collector.disputes.tables import dispute_of
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    FRIDAY,
    MONDAY,
    SCHOOL_1,
    SUNDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    ZONE,
    World,
    at,
    now_ns,
    roster,
    schedule_of,
)

WEEK = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)


def about(
    scope: Scope, day: date, reason: str = "power-maintenance", *, kind: str = "dispute", finding: str = ""
) -> Claim:
    """Return a claim about a whole day."""
    since = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    return Claim(Kind(kind), scope, since, since + timedelta(days=1), Reason(reason), finding)


def approved(claim: Claim) -> Dispute:
    """Return what two people agreed on."""
    return dispute_of("a proposes, b approves", claim)


def asked(store: Store, *disputes: Dispute, is_counted: bool = True, recompute: bool = False) -> Verified:
    """Return what verification says of the week."""
    promise = promise_of(Period(MONDAY, SUNDAY, [(MONDAY, roster())]), ZONE, schedule_of, (AVAILABLE,))
    return verify(store, promise, now_ns(), recompute=recompute, taken=Taken(disputes, is_counted))


def units(of: tuple[TargetResult, TargetFigures]) -> dict[str, tuple[Verdict, dict[str, int]]]:
    """Return verdict and minutes of each unit."""
    return {unit.id: (unit.verdict, dict(unit.minutes)) for unit in of[0].units}


def stored(store: Store) -> list[tuple[str, int, str, str]]:
    """Return what is stored of the days."""
    return [(day.device, day.day_start_ns, day.runs, day.inputs) for day in read_days(store, at(MONDAY), at(SUNDAY))]


def write_week(store: Store) -> None:
    """Class 1 works all week, class 2 had no power on Wednesday morning, class 3 never reports."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
        if day != WEDNESDAY:
            world.works(CLASS_2, day)
    world.write(store)


def test_an_approved_dispute_gives_a_second_figure_and_changes_nothing_stored(store: Store) -> None:
    """
    With the power maintenance of Wednesday class 2 is proven, without it it fails: both are said.

    What is stored is the same before, with and without, and no day is judged again for it.
    """
    write_week(store)
    before = asked(store)
    kept = stored(store)
    cut = about(Scope("site", SCHOOL_1), WEDNESDAY)
    waiting = asked(store, dispute_of("a proposes", cut))
    found = asked(store, approved(cut))
    off = asked(store, approved(cut), is_counted=False)
    assert units(before.targets[0])[CLASS_2] == (Verdict.FAIL, {"working": 960, "power_off": 240})
    assert units(waiting.targets[0]) == units(before.targets[0])
    assert waiting.without == ()
    assert units(found.targets[0]) == {
        CLASS_1: (Verdict.PASS, {"working": 960, "excluded": 240}),
        CLASS_2: (Verdict.PASS, {"working": 960, "excluded": 240}),
        CLASS_3: (Verdict.NOT_PROVEN, {"unknown": 1200}),
    }
    assert units(found.without[0]) == units(before.targets[0]) == units(off.targets[0])
    assert (found.targets[0][0].verdict, found.without[0][0].verdict) == (Verdict.NOT_PROVEN, Verdict.FAIL)
    assert (off.without, off.disputes) == ((), ())
    assert [one.claim for one in found.disputes] == [cut]
    assert (found.judged, off.judged) == (0, 0)
    assert stored(store) == kept


def test_recomputing_gives_both_figures_again(store: Store) -> None:
    """From the minutes or from stored days: the same two figures."""
    write_week(store)
    cut = approved(about(Scope("room", CLASS_2), WEDNESDAY))
    first, again, anew = asked(store, cut), asked(store, cut), asked(store, cut, recompute=True)
    for found in (again, anew):
        assert (units(found.targets[0]), units(found.without[0])) == (units(first.targets[0]), units(first.without[0]))
    assert (again.judged, anew.judged) == (0, 15)


def write_clash(store: Store) -> None:
    """Of class 1 two machines take turns on Tuesday; all else of the week is as it should be."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
    for number, serial in enumerate(("A", "B", "A", "B", "A")):
        world.add("identity", CLASS_1, at(TUESDAY, f"{8 + number // 2:02}:{number % 2 * 30:02}"), {"serial": serial})
    world.add("identity", CLASS_1, at(THURSDAY, "11:30"), {"serial": "A"})
    world.write(store)


def test_a_decision_lifts_a_doubt_and_the_days_are_judged_again_once(store: Store) -> None:
    """
    Two machines under one number are doubted until two people decide that the evidence counts.

    The figure without the decision is what it was. The stored days are those of the decision from then on, whichever
    figure is asked for; when it is withdrawn they are doubted again.
    """
    write_clash(store)
    doubted = asked(store)
    (finding,) = doubted.findings
    assert finding.doubted == (CLASS_1,)
    assert "unknown" in units(doubted.targets[0])[CLASS_1][1]
    decision = about(Scope("device", CLASS_1), TUESDAY, "evidence-counts", finding="number_clash")
    decision = decision._replace(until=decision.until + timedelta(days=5))
    found = asked(store, approved(decision))
    kept = stored(store)
    assert found.judged > 0
    assert found.decided == [finding]
    assert units(found.targets[0])[CLASS_1] == (Verdict.PASS, {"working": 1200})
    assert units(found.without[0]) == units(doubted.targets[0])
    off = asked(store, approved(decision), is_counted=False)
    assert units(off.targets[0]) == units(doubted.targets[0])
    assert (off.judged, off.decided, stored(store)) == (0, [], kept)
    withdrawn = asked(store, dispute_of("a proposes, b approves, b withdraws", decision))
    assert units(withdrawn.targets[0]) == units(doubted.targets[0])
    assert withdrawn.judged > 0


def test_evidence_that_does_not_count_is_unknown_for_as_long_as_it_was_decided(store: Store) -> None:
    """Somebody found the Pi of class 1 in an office: what it said on Monday proves nothing of the class."""
    write_week(store)
    found = asked(store, approved(about(Scope("device", CLASS_1), MONDAY, "evidence-does-not-count")))
    assert units(found.targets[0])[CLASS_1] == (Verdict.NOT_PROVEN, {"working": 960, "unknown": 240})
    assert units(found.without[0])[CLASS_1] == (Verdict.PASS, {"working": 1200})


def test_devices_of_a_closed_school_are_not_at_risk(store: Store) -> None:
    """From the record of a closure on, before anybody approved it: who is told to be away is not looked for."""
    world = World()
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        world.works(CLASS_1, day)
        world.works(CLASS_3, day)
    world.write(store)
    before = asked(store).rates.reporting.at_risk
    assert [(one.device, one.days) for one in before] == [(CLASS_2, 5), (CLASS_1, 2), (CLASS_3, 2)]
    closed = [
        dispute_of("a proposes", about(Scope("site", SCHOOL_1), day, "school-closed", kind="closure"))
        for day in (THURSDAY, FRIDAY)
    ]
    found = asked(store, *closed)
    at_risk = [(one.device, one.days) for one in found.rates.reporting.at_risk]
    assert at_risk == [(CLASS_2, 3), (CLASS_3, 2)]  # class 2 was silent before, too
    assert units(found.targets[0]) == units(asked(store).targets[0])
