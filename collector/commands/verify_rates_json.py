"""The further rates as `santong verify --json` prints them: all of them, whatever the screen leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from collector.commands.verify_times import iso
from collector.verify.results import (
    Delivered,
    Equipment,
    Firmware,
    Interval,
    Journey,
    Journeys,
    LessonRate,
    Operator,
    Rates,
    Reporting,
    Silent,
    UnitResult,
    Usage,
)


def rates_tree(rates: Rates, left_out: Sequence[str], zone: ZoneInfo) -> dict[str, Any]:
    """Return the tree; what was not read is null, what had no evidence is an empty list."""
    read: dict[str, Any] = {
        "operators": [_operator(one) for one in rates.operators],
        "journeys": _journeys(rates.journeys),
        "equipment": _equipment(rates.equipment),
        "firmware": [_firmware(one) for one in rates.firmware],
        "usage": _usage(rates.usage),
        "reporting": _reporting(rates.reporting, zone),
        "delivery": _delivery(rates.delivery),
    }
    return {name: None if name in left_out else tree for name, tree in read.items()}


def interval(rate: Interval) -> dict[str, float]:
    """Return the bounds of a rate, 0 to 1."""
    return {"low": rate.low, "high": rate.high}


def _operator(one: Operator) -> dict[str, Any]:
    return {
        "operator": one.operator,
        "rate": interval(one.rate),
        "no_contract": one.no_contract,
        "sites": [_site(site) for site in one.sites],
    }


def _site(site: UnitResult) -> dict[str, Any]:
    return {
        "id": site.id,
        "title": site.title,
        "verdict": str(site.verdict),
        "why": site.why,
        "figures": {name: site.figures[name] for name in sorted(site.figures)},
    }


def _journeys(journeys: Journeys) -> dict[str, Any]:
    return {
        "total": [_journey(one) for one in journeys.total],
        "sites": {site: [_journey(one) for one in some] for site, some in journeys.by_site.items()},
    }


def _journey(one: Journey) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "journeys": one.journeys,
        "done": one.done,
        "unable": one.unable,
        "failed": _counts(one.failed),
        "stages": [stage._asdict() | {"failed": stage.failed} for stage in one.stages],
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _equipment(equipment: Equipment) -> dict[str, Any]:
    return {
        "right": equipment.right,
        "other": [one._asdict() for one in equipment.other],
        "without_profile": equipment.without_profile,
        "never": list(equipment.never),
        "rate": interval(equipment.rate),
    }


def _firmware(one: Firmware) -> dict[str, Any]:
    return one._asdict() | {"versions": dict(one.versions), "rate": interval(one.rate)}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "lessons": [_lesson(one) | {"lesson": one.number} for one in usage.lessons],
        "sites": {site: _lesson(one) for site, one in usage.by_site.items()},
    }


def _lesson(one: LessonRate) -> dict[str, Any]:
    return {
        "used": one.used,
        "unused": one.unused,
        "unknown": one.unknown,
        "rate": interval(one.rate),
        "on": one.on,
        "active": one.active,
    }


def _reporting(reporting: Reporting, zone: ZoneInfo) -> dict[str, Any]:
    return {"devices": reporting.devices, "reporting": reporting.reporting, "at_risk": silent_tree(reporting, zone)}


def silent_tree(reporting: Reporting, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return who is at risk, the longest silence first."""
    return [_silent(one, zone) for one in reporting.at_risk]


def _silent(one: Silent, zone: ZoneInfo) -> dict[str, Any]:
    last = None if one.last_seen_ns is None else iso(one.last_seen_ns, zone)
    return {"device": one.device, "last_seen": last, "days": one.days}


def _delivery(delivery: Sequence[Delivered]) -> dict[str, Any]:
    return {
        "batches": sum(one.batches for one in delivery),
        "missing": sum(one.missing for one in delivery),
        "agents": [one._asdict() | {"share": one.share} for one in delivery],
    }
