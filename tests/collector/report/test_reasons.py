"""Why a unit is not good, who must act, and what is the cheapest that may help: a case a row."""

from datetime import date

import pytest

from collector.report.model import Strip
from collector.report.reasons import Around, fix_of
from collector.roster.schema import Site, SiteKind
from collector.targets.schema import Rule, Target
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.evidence import DayRecord
from collector.verify.results import UnitResult, Verdict
from firmware_profiles.schema import Slug, Title

SITE, DEVICE = "441802-3144001234", "441802-3144001234.c0701"
TARGET = Target(Slug("ours"), Title("我们的", "Ours"), rule=Rule(availability=0.95), share=1.0)
OFF_IS_NEUTRAL = TARGET._replace(counts={Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded"})
NOBODY = Around(frozenset(), frozenset())


def fixed(
    verdict: Verdict,
    why: str,
    minutes: dict[str, int],
    *,
    target: Target = TARGET,
    kind: SiteKind = SiteKind.SCHOOL,
    around: Around = NOBODY,
    stage: str = "",
) -> tuple[str, str, int, str]:
    """Return reason, party, minutes and action of a unit with these minutes."""
    runs, at = [], 0
    for cause, number in minutes.items():
        runs.append(Run(at, number, Cause(cause), stage if cause == "service_down" else ""))
        at += number * MINUTE_NS
    strip = Strip(DEVICE, date(2026, 3, 2), DayRecord(DEVICE, 0, "x", tuple(runs)), 0, 0, 0, 0, "none")
    unit = UnitResult(DEVICE, "七(1)班", SITE, verdict, minutes=minutes, why=why)
    fix = fix_of(unit, target, Site(SITE, kind=kind), [strip] if minutes else [], around)
    assert fix.stage == (stage if fix.reason == "service_down" else "")
    return fix.reason, fix.party, fix.minutes, fix.action


@pytest.mark.parametrize(
    ("minutes", "party", "action"),
    [
        ({"working": 50, "wan_down": 40, "power_off": 10}, "operator", "mend_line"),
        ({"working": 50, "power_off": 40, "wan_down": 10}, "site", "switch_on"),
        ({"working": 50, "asleep": 40}, "site", "no_sleep"),
        ({"working": 50, "lan_down": 40, "unknown": 90}, "site", "check_switch"),
    ],
)
def test_a_failing_unit_is_told_by_what_took_most_of_its_time(minutes: dict[str, int], party: str, action: str) -> None:
    """Unknown minutes, however many, are not why a unit fails; the operator mends lines, the school switches on."""
    cause = max((cause for cause in minutes if cause not in {"working", "unknown"}), key=minutes.__getitem__)
    assert fixed(Verdict.FAIL, "availability_fail", minutes) == (cause, party, 40, action)


def test_a_service_that_failed_is_mended_by_who_runs_it() -> None:
    """A hotspot's by its operator, a school's platform by the school; the stage is told."""
    down = {"working": 9, "service_down": 30}
    told = fixed(Verdict.FAIL, "availability_fail", down, kind=SiteKind.PUBLIC, stage="dhcp")
    assert told == ("service_down", "operator", 30, "repair_hotspot")
    assert fixed(Verdict.FAIL, "availability_fail", down)[1::2] == ("site", "repair_platform")


@pytest.mark.parametrize(
    ("minutes", "around", "action"),
    [
        ({"unknown": 90, "working": 10}, NOBODY, "look_at_gaps"),
        ({"unknown": 90}, NOBODY, "find_silent"),
        ({"unknown": 90, "power_off": 10}, Around(frozenset(), frozenset({DEVICE})), "set_up_reading"),
        ({"unknown": 90, "working": 10}, Around(frozenset({DEVICE}), frozenset({DEVICE})), "look_at_finding"),
        ({"unknown": 90}, Around(frozenset({DEVICE}), frozenset()), "look_at_finding"),
        ({"agent_down": 90, "unknown": 10}, NOBODY, "restart_agent"),
    ],
)
def test_evidence_that_lacks_is_ours_to_bring(minutes: dict[str, int], around: Around, action: str) -> None:
    """Gaps, silence, readings that nobody set up, doubts and dead agents are booked to us, never to the school."""
    found = fixed(Verdict.NOT_PROVEN, "availability_not_proven", minutes, around=around)
    assert found == (max(minutes, key=minutes.__getitem__), "us", 90, action)


def test_a_class_that_was_never_on_is_the_schools_to_switch_on() -> None:
    """Off counts neither way there, and is the reason all the same."""
    found = fixed(Verdict.NOT_PROVEN, "never_on", {"power_off": 240}, target=OFF_IS_NEUTRAL)
    assert found == ("power_off", "site", 240, "switch_on")


@pytest.mark.parametrize(
    ("why", "party", "action"),
    [
        ("never_reported", "us", "install_agent"),
        ("undelivered", "site", "complete_roster"),
        ("throughput_fail", "operator", "raise_rate"),
        ("too_few_tests", "us", "more_tests"),
        ("only_inconclusive", "us", "better_tester"),
    ],
)
def test_units_without_minutes_are_told_by_what_they_lack(why: str, party: str, action: str) -> None:
    """Reason, party and action follow from why the unit is not proven."""
    assert fixed(Verdict.NOT_PROVEN, why, {}) == (why, party, 0, action)


def test_the_deadline_is_no_reason() -> None:
    """Of a unit that fails since the deadline is over it is told what it lacks."""
    assert fixed(Verdict.FAIL, "after_deadline", {}) == ("never_reported", "us", 0, "install_agent")
