"""
The report as a tree of plain values, and its fingerprint.

    Report ──▶ tree ──▶ canonical text (JSON, keys sorted, no spaces, UTF-8) ──▶ SHA-256
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from collector.agreements import as_json
from collector.report.basis import tree_of_basis
from collector.report.beside import Sample, Without
from collector.report.minimal import needed
from collector.report.model import Counts, Group, Page, Report, Strip, counts_of
from collector.roster.schema import Site
from collector.sampling.agreement import as_json as agreement_json
from collector.sentences import sentence_of_target
from collector.verify.causes import Cause, as_text
from collector.verify.integrity import Finding
from collector.verify.outages import Outage, Reliability
from collector.verify.results import Interval, Journey, Operator, Rates, TargetResult, UnitResult
from collector.verify.throughput import Test

FORMAT = "santong-report/1"


def tree_of(report: Report) -> dict[str, Any]:
    """Return the tree: days and instants as ISO 8601, shares 0 to 1, minutes whole, in both languages where in any."""
    zone = ZoneInfo(report.head.zone)
    return {
        "number": report.head.number,
        "from": _plain(report.head.first),
        "to": _plain(report.head.last),
        "zone": report.head.zone,
        "county": report.head.county,
        "site": report.head.site,
        "target": report.head.target,
        "corrects": report.correction.as_tree() if report.correction else None,
        "basis": tree_of_basis(report.basis),
        "targets": [
            _page(page, zone) | {"without_disputes": _without(report.agreed.without.get(page.target.id), zone)}
            for page in report.pages
        ],
        "declared": [_target(result) for result in report.declared],
        "outside": [_target(result) for result in report.outside],
        "visits": [
            {"site": _site(visit.site), "fixes": [fix._asdict() for fix in visit.fixes]} for visit in report.visits
        ],
        "findings": [
            *(_finding(finding, zone) | {"decided": False} for finding in report.findings),
            *(_finding(finding, zone) | {"decided": True} for finding in report.agreed.decided),
        ],
        "disputes": [as_json(one, zone) for one in report.agreed.disputes],
        "disputes_head": report.agreed.head or None,
        "samples": [_sample(one, zone) for one in report.samples],
        "journeys": [_journey(one) for one in report.rates.journeys.total],
        "contracts": [_operator(one) for one in report.rates.operators],
        "rates": _rates(report.rates),
        "left_out": list(report.left_out),
    }


def canonical(tree: Any) -> bytes:
    """Return the canonical text of a tree: what the fingerprint is taken of."""
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def fingerprint(tree: Any) -> str:
    """Return the SHA-256 of the canonical text, as hex digits."""
    return hashlib.sha256(canonical(tree)).hexdigest()


def _plain(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _iso(time_ns: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, zone).isoformat()


def _interval(rate: Interval | None) -> dict[str, float] | None:
    return None if rate is None else {"low": rate.low, "high": rate.high}


def _numbers(pairs: Mapping[str, float]) -> dict[str, float]:
    return {str(name): pairs[name] for name in sorted(pairs)}


def _target(result: TargetResult) -> dict[str, Any]:
    target = result.target
    return {
        "id": target.id,
        "title": target.title._asdict(),
        "project": target.project,
        "deadline": _plain(target.deadline),
        "evidence": target.evidence,
        "unit": target.unit,
        "criterion": target.criterion.id if target.evidence == "measured" else None,
        "definition": target.definition._asdict(),
        "source": target.source,
        "share": target.share,
        "at_least": target.at_least,
        "verdict": str(result.verdict),
        "why": result.why,
        "sentence": {"zh": sentence_of_target(result, "zh"), "en": sentence_of_target(result, "en")},
        "rate": _interval(result.rate),
        "declared": {**target.declared._asdict(), "on": _plain(target.declared.on)},
    }


def _page(page: Page, zone: ZoneInfo) -> dict[str, Any]:
    return _target(page.result) | {
        "counts": _counts(page.counts) | {"needed": page.needed},
        "counties": [_group(one) for one in page.counties],
        "sites": [_group(one) for one in page.sites],
        "minutes": _numbers(page.minutes),
        "counts_as": {str(cause): page.target.meaning(Cause(cause)) for cause in sorted(page.minutes)},
        "reliability": _reliability(page.reliability),
        "outages": [_outage(one, zone) for one in page.outages],
        "days": [one._asdict() | {"day": _plain(one.day), "units": dict(one.units)} for one in page.days],
        "units": [_unit(unit, page, zone) for unit in page.result.units],
        "minimal": {
            "units": [fix._asdict() for fix in page.minimal.fixes],
            "sites": page.minimal.sites,
            "missing": page.minimal.missing,
        },
    }


def _without(other: Without | None, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return what a target comes to without disputes and closures, in the same keys; None where it is the same."""
    if other is None:
        return None
    result, figures = other
    target = _target(result)
    return {key: target[key] for key in ("verdict", "why", "sentence", "rate")} | {
        "counts": _counts(counts_of(result.units)) | {"needed": needed(result.target, len(result.units))},
        "minutes": _numbers(figures.minutes),
        "reliability": _reliability(figures.reliability),
        "outages": [_outage(one, zone) for one in figures.outages],
        "units": [_figures_of(unit) for unit in result.units],
    }


def _reliability(one: Reliability) -> dict[str, Any]:
    return one._asdict() | {"mtbf_minutes": one.mtbf_minutes, "mttr_minutes": one.mttr_minutes}


def _sample(one: Sample, zone: ZoneInfo) -> dict[str, Any]:
    """Return a sample as `santong sample results --json` has it."""
    return {
        "sample": one.id,
        "drawn_at": one.at.isoformat(),
        "drawn_by": one.by,
        "question": one.question._asdict(),
        "results": [stored._asdict() | {"at": stored.at.isoformat()} for stored in one.results],
        **agreement_json(one.found, zone),
        "county": one.county,
        "outside": one.outside,
    }


def _counts(counts: Counts) -> dict[str, int]:
    return counts._asdict() | {"total": counts.total}


def _group(group: Group) -> dict[str, Any]:
    return {"id": group.id, "counts": _counts(group.counts), "rate": _interval(group.counts.rate)}


def _unit(unit: UnitResult, page: Page, zone: ZoneInfo) -> dict[str, Any]:
    return _figures_of(unit) | {
        "days": [_strip(strip) for strip in page.strips.get(unit.id, ())],
        "tests": [_test(test, zone) for test in page.tests.get(unit.id, ())],
    }


def _figures_of(unit: UnitResult) -> dict[str, Any]:
    return {
        "id": unit.id,
        "title": unit.title,
        "site": unit.site,
        "verdict": str(unit.verdict),
        "why": unit.why,
        "rate": _interval(unit.rate),
        "minutes": _numbers(unit.minutes),
        "figures": _numbers(unit.figures),
    }


def _strip(strip: Strip) -> dict[str, Any]:
    return {
        "device": strip.device,
        "day": _plain(strip.day),
        "good": strip.good,
        "bad": strip.bad,
        "unknown": strip.unknown,
        "excluded": strip.excluded,
        "kind": strip.kind,
        "runs": as_text(strip.record.runs, strip.record.day_start_ns),
    }


def _test(test: Test, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "device": test.device,
        "time": _iso(test.time_ns, zone),
        "goodput_mbps": test.goodput_mbps,
        "limited_by": test.limited_by,
    }


def _outage(outage: Outage, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "device": outage.device,
        "start": _iso(outage.start_ns, zone),
        "end": _iso(outage.end_ns, zone),
        "minutes": outage.minutes,
        "cause": str(outage.cause),
        "stage": outage.stage,
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "name": site.name,
        "county": site.county,
        "operator": site.operator,
        "contact": site.contact,
        "phone": site.phone,
        "address": site.address,
    }


def _finding(finding: Finding, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "devices": list(finding.devices),
        "since": _iso(finding.since_ns, zone),
        "until": None if finding.until_ns is None else _iso(finding.until_ns, zone),
        "seen": list(finding.seen),
        "doubted": list(finding.doubted),
    }


def _journey(one: Journey) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "journeys": one.journeys,
        "done": one.done,
        "unable": one.unable,
        "failed": dict(sorted(one.failed.items())),
        "stages": [stage._asdict() | {"failed": stage.failed} for stage in one.stages],
    }


def _operator(one: Operator) -> dict[str, Any]:
    counts = {str(verdict): one.count(verdict) for verdict in sorted({site.verdict for site in one.sites})}
    return {"operator": one.operator, "counts": counts, "no_contract": one.no_contract, "rate": _interval(one.rate)}


def _rates(rates: Rates) -> dict[str, Any]:
    reporting, equipment = rates.reporting, rates.equipment
    return {
        "devices": reporting.devices,
        "reporting": reporting.reporting,
        "at_risk": [{"device": one.device, "days": one.days} for one in reporting.at_risk],
        "equipment": {
            "right": equipment.right,
            "other": len(equipment.other),
            "without_profile": equipment.without_profile,
            "never": len(equipment.never),
        },
        "batches": sum(one.batches for one in rates.delivery),
        "missing": sum(one.missing for one in rates.delivery),
    }
