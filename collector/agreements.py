"""Disputes and closures as people read them, and as scripts do: of screens and of reports."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from collector.disputes.schema import Claim, Dispute, Reason
from collector.words import WORDS, Language, word

_REASONS = {
    Reason.POWER_MAINTENANCE: "reason_power_maintenance",
    Reason.BUILDING_WORKS: "reason_building_works",
    Reason.NETWORK_WORKS: "reason_network_works",
    Reason.SCHOOL_CLOSED: "reason_school_closed",
    Reason.EXAM: "reason_exam",
    Reason.WEATHER_ALARM: "reason_weather_alarm",
    Reason.STOLEN_EQUIPMENT: "reason_stolen_equipment",
    Reason.WRONG_ROSTER_ENTRY: "reason_wrong_roster_entry",
    Reason.AGENT_FAULT: "reason_agent_fault",
    Reason.EVIDENCE_COUNTS: "reason_evidence_counts",
    Reason.EVIDENCE_DOES_NOT_COUNT: "reason_evidence_does_not_count",
}
_LEVELS = {"county": "scope_county", "site": "scope_site", "room": "scope_room", "device": "scope_device"}
_FINDINGS = {
    "number_clash": "finding_number_clash",
    "place": "finding_place",
    "shared_gateway": "finding_shared_gateway",
}


def reason_text(claim: Claim, language: Language) -> str:
    """Return why, with the kind of finding where one is decided about."""
    said = word(_REASONS[claim.reason], language)
    if not claim.finding:
        return said
    finding = word(_FINDINGS[claim.finding], language)
    return f"{said}（{finding}）" if language == "zh" else f"{said} ({finding})"


def scope_text(claim: Claim, language: Language) -> str:
    """Return whom it is about."""
    return f"{word(_LEVELS[claim.scope.level], language)} {claim.scope.id}"


def period_text(claim: Claim, zone: ZoneInfo) -> str:
    """Return the period: whole days by their dates, both included, anything else to the minute."""
    since, until = claim.since.astimezone(zone), claim.until.astimezone(zone)
    if since.time() == until.time() == time():
        last = (until - timedelta(days=1)).date()
        return f"{since.date()}" if last == since.date() else f"{since.date()} … {last}"
    end = f"{until:%H:%M}" if until.date() == since.date() else f"{until:%Y-%m-%d %H:%M}"
    return f"{since:%Y-%m-%d %H:%M} … {end}"


def as_json(dispute: Dispute, zone: ZoneInfo) -> dict[str, Any]:
    """Return a dispute as `--json` prints it; instants in the programme's zone."""
    claim = dispute.claim
    chinese, english = WORDS[_REASONS[claim.reason]]
    return {
        "dispute": dispute.number,
        "kind": str(claim.kind),
        "state": str(dispute.state),
        "scope": {claim.scope.level: claim.scope.id},
        "since": _iso(claim.since, zone),
        "until": _iso(claim.until, zone),
        "reason": str(claim.reason),
        "reason_title": {"zh": chinese, "en": english},
        "finding": claim.finding or None,
        "attachments": [attachment._asdict() for attachment in claim.attachments],
        "changes_verdicts": dispute.changes_verdicts,
        "stops_alerts": dispute.stops_alerts,
        "events": [
            {
                "event": str(entry.happened),
                "at": _iso(entry.at, zone),
                "by": entry.by,
                "login": entry.login,
                "text": entry.text,
            }
            for entry in dispute.entries
        ],
    }


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat()
