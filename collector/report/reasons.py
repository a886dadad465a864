"""
Why a unit is not good, who must act, and what the cheapest thing is that may help.

    wan_down ▶ operator    power_off, asleep, lan_down ▶ site    agent_down, unknown, never reported ▶ us
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from collector.report.model import Fix, Strip
from collector.roster.schema import Site, SiteKind
from collector.targets.schema import Target
from collector.verify.causes import Cause
from collector.verify.results import UnitResult, Verdict

DESK, CALL, ORDER, VISIT = range(4)  # effort: from our desk, a call, an order to somebody, a visit with work


class Remedy(NamedTuple):
    """Who must act, the key of the action's words, and its effort."""

    party: str
    action: str
    effort: int


_BY_CAUSE = {
    Cause.WAN_DOWN: Remedy("operator", "mend_line", ORDER),
    Cause.LAN_DOWN: Remedy("site", "check_switch", CALL),
    Cause.POWER_OFF: Remedy("site", "switch_on", CALL),
    Cause.ASLEEP: Remedy("site", "no_sleep", CALL),
    Cause.AGENT_DOWN: Remedy("us", "restart_agent", DESK),
}
_BY_WHY = {
    "never_reported": Remedy("us", "install_agent", VISIT),
    "no_device": Remedy("us", "install_agent", VISIT),
    "undelivered": Remedy("site", "complete_roster", CALL),
    "throughput_fail": Remedy("operator", "raise_rate", ORDER),
    "throughput_not_proven": Remedy("us", "more_tests", DESK),
    "too_few_tests": Remedy("us", "more_tests", DESK),
    "no_tests": Remedy("us", "more_tests", DESK),
    "only_inconclusive": Remedy("us", "better_tester", VISIT),
}
_REPAIR_HOTSPOT = Remedy("operator", "repair_hotspot", ORDER)
_REPAIR_PLATFORM = Remedy("site", "repair_platform", VISIT)
_ADJUDICATE = Remedy("us", "look_at_finding", CALL)
_SET_UP_READING = Remedy("us", "set_up_reading", DESK)
_LOOK_AT_GAPS = Remedy("us", "look_at_gaps", DESK)
_FIND_SILENT = Remedy("us", "find_silent", VISIT)
# Causes that only a reading can tell; off and asleep are told by presences, whatever else is read.
READ = frozenset({Cause.WORKING, Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN})


class Around(NamedTuple):
    """What is known beside a unit: devices in doubt, and devices of which anything was read, for whatever target."""

    doubted: frozenset[str]
    heard: frozenset[str]


def fix_of(unit: UnitResult, target: Target, site: Site, strips: Sequence[Strip], around: Around) -> Fix:
    """Return what would make a unit good that is not."""
    cause = main_cause(unit, target)
    if cause is None:
        remedy = _BY_WHY.get(_why(unit, target), _FIND_SILENT)
        return _fix(unit, target, _why(unit, target), remedy)
    stage = _stage(strips) if cause is Cause.SERVICE_DOWN else ""
    remedy = _BY_CAUSE.get(cause) or _remedy(cause, site, strips, around)
    return _fix(unit, target, str(cause), remedy)._replace(stage=stage, minutes=unit.minutes[cause])


def _fix(unit: UnitResult, target: Target, reason: str, remedy: Remedy) -> Fix:
    return Fix(target.id, unit.id, unit.title, unit.site, reason, "", 0, *remedy)


def _why(unit: UnitResult, target: Target) -> str:
    """Return the unit's reason; of one that the deadline made fail what it would have been."""
    if unit.why != "after_deadline":
        return unit.why
    if target.rule.throughput_mbps is None:
        return "never_reported"
    return "too_few_tests" if unit.figures.get("tests") else "no_tests"


def main_cause(unit: UnitResult, target: Target) -> Cause | None:
    """
    Return the cause of most of the minutes that keep a unit from being good; None where no minute does.

    Of a failing one those that count as bad, of an unproven one the unknown ones; of one that was never on, or whose
    minutes all count neither way, these.
    """
    order = ["bad", "unknown", "excluded"] if unit.verdict is Verdict.FAIL else ["unknown", "bad", "excluded"]
    for counted in order:
        found = {Cause(cause): number for cause, number in unit.minutes.items() if number}
        some = {c: n for c, n in found.items() if c is not Cause.EXCLUDED and target.meaning(c) == counted}
        if some:
            return max(some, key=lambda cause: (some[cause], cause))
    return None


def _remedy(cause: Cause, site: Site, strips: Sequence[Strip], around: Around) -> Remedy:
    """Return the remedy of a service that was down, or of unknown minutes."""
    if cause is Cause.SERVICE_DOWN:
        return _REPAIR_HOTSPOT if site.kind is SiteKind.PUBLIC else _REPAIR_PLATFORM
    devices = {strip.device for strip in strips}
    is_read = any(run.cause in READ for strip in strips for run in strip.record.runs)
    if not is_read and devices & around.heard:  # the agents live, and what the target asks for is not read
        return _SET_UP_READING
    if devices & around.doubted:
        return _ADJUDICATE
    return _LOOK_AT_GAPS if is_read else _FIND_SILENT


def _stage(strips: Sequence[Strip]) -> str:
    """Return the stage at which most minutes of a service that was down ended."""
    found: Counter[str] = Counter()
    for strip in strips:
        for run in strip.record.runs:
            if run.cause is Cause.SERVICE_DOWN:
                found[run.stage] += run.minutes
    return max(found, key=lambda stage: (found[stage], stage), default="")
