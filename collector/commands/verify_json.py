"""What `santong verify --json` prints: everything that others need to compute with, in one tree."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from collector import agreements
from collector.commands.verify_rates_json import rates_tree, silent_tree
from collector.commands.verify_times import iso
from collector.commands.verify_words import counts_of
from collector.sentences import sentence_of_target
from collector.verification import Verified
from collector.verify.conclude import TargetFigures
from collector.verify.integrity import Finding
from collector.verify.outages import Outage
from collector.verify.results import Interval, TargetResult, UnitResult
from contract import __version__


def as_tree(found: Verified, zone: ZoneInfo, now_ns: int, disputes_head: str = "") -> dict[str, Any]:
    """
    Return the tree; instants are ISO 8601 in the programme's zone, shares 0 to 1, minutes whole.

    `disputes_head` is the hash of the newest record of disputes, empty while there is none.
    """
    without = found.differing
    return {
        "version": __version__,
        "from": found.period.first.isoformat(),
        "to": found.period.last.isoformat(),
        "zone": str(zone),
        "verified_at": iso(now_ns, zone),
        "device_days": {"judged": found.judged, "reused": found.reused},
        "seconds": {
            "judging": round(found.judging_s, 3),
            "summing": round(found.summing_s, 3),
            "rates": round(found.rates_s, 3),
        },
        "disputes": {
            "head": disputes_head or None,
            "taken": [agreements.as_json(one, zone) for one in found.disputes],
        },
        "targets": [
            _target(result, figures, zone) | {"without_disputes": _without(without.get(result.target.id), zone)}
            for result, figures in found.targets
        ],
        "findings": [_finding(finding, zone) | {"decided": finding in found.decided} for finding in found.findings],
        "at_risk": silent_tree(found.rates.reporting, zone),
        "rates": rates_tree(found.rates, found.left_out, zone),
    }


def _target(result: TargetResult, figures: TargetFigures, zone: ZoneInfo) -> dict[str, Any]:
    target, counts = result.target, counts_of(result)
    return {
        "id": target.id,
        "title": target.title._asdict(),
        "project": target.project,
        "deadline": target.deadline and target.deadline.isoformat(),
        "evidence": target.evidence,
        "unit": target.unit,
        "criterion": target.criterion.id if target.evidence == "measured" else None,
        "definition": target.definition._asdict(),
        "verdict": str(result.verdict),
        "why": result.why,
        "sentence": {"zh": sentence_of_target(result, "zh"), "en": sentence_of_target(result, "en")},
        "share": target.share,
        "at_least": target.at_least,
        "counts": counts._asdict() | {"total": counts.total},
        "rate": _interval(result.rate),
        "minutes": _numbers(figures.minutes.items()),
        "reliability": figures.reliability._asdict()
        | {"mtbf_minutes": figures.reliability.mtbf_minutes, "mttr_minutes": figures.reliability.mttr_minutes},
        "outages": [_outage(outage, zone) for outage in figures.outages],
        "units": [_unit(unit) for unit in result.units],
    }


def _without(other: tuple[TargetResult, TargetFigures] | None, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return what a target comes to without disputes and closures, in the same keys; None where it is the same."""
    if other is None:
        return None
    tree = _target(*other, zone)
    keys = ("verdict", "why", "sentence", "counts", "rate", "minutes", "reliability", "outages", "units")
    return {key: tree[key] for key in keys}


def _interval(rate: Interval | None) -> dict[str, float] | None:
    return None if rate is None else {"low": rate.low, "high": rate.high}


def _numbers(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {str(name): number for name, number in sorted(pairs)}


def _unit(unit: UnitResult) -> dict[str, Any]:
    return {
        "id": unit.id,
        "title": unit.title,
        "site": unit.site,
        "verdict": str(unit.verdict),
        "why": unit.why,
        "rate": _interval(unit.rate),
        "minutes": _numbers(unit.minutes.items()),
        "figures": _numbers(unit.figures.items()),
    }


def _outage(outage: Outage, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "device": outage.device,
        "start": iso(outage.start_ns, zone),
        "end": iso(outage.end_ns, zone),
        "minutes": outage.minutes,
        "cause": str(outage.cause),
        "stage": outage.stage,
    }


def _finding(finding: Finding, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "devices": list(finding.devices),
        "since": iso(finding.since_ns, zone),
        "until": None if finding.until_ns is None else iso(finding.until_ns, zone),
        "seen": list(finding.seen),
        "doubted": list(finding.doubted),
    }
