"""Disputes and closures as people read them, and as scripts do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from collector.disputes.schema import Claim, Dispute, Happened, Kind, Reason
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
_STATES = {
    Happened.PROPOSED: ("state_proposed", "yellow"),
    Happened.APPROVED: ("state_approved", "green"),
    Happened.REJECTED: ("state_rejected", "red"),
    Happened.WITHDRAWN: ("state_withdrawn", "dim"),
}
_KINDS = {Kind.DISPUTE: "dispute", Kind.CLOSURE: "closure"}
_LEVELS = {"county": "scope_county", "site": "scope_site", "room": "scope_room", "device": "scope_device"}
_FINDINGS = {
    "number_clash": "finding_number_clash",
    "place": "finding_place",
    "shared_gateway": "finding_shared_gateway",
}
_MOST_TAKEN = 20


def reason_text(claim: Claim, language: Language) -> str:
    """Return why, with the kind of finding where one is decided about."""
    said = word(_REASONS[claim.reason], language)
    return f"{said} ({word(_FINDINGS[claim.finding], language)})" if claim.finding else said


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


def state_text(dispute: Dispute, language: Language) -> Text:
    """Return the state; of a closure that nobody approved yet, that it stops alerts all the same."""
    key, style = _STATES[dispute.state]
    said = word(key, language)
    if dispute.stops_alerts and not dispute.changes_verdicts:
        said = f"{said}{word('and', language)}{word('stops_alerts', language)}"
    return Text(said, style=style)


def summary(dispute: Dispute, language: Language, zone: ZoneInfo) -> str:
    """Return a dispute in a line."""
    claim = dispute.claim
    what = f"{word(_KINDS[claim.kind], language)} {dispute.number}"
    return f"{what}  {scope_text(claim, language)}  {period_text(claim, zone)}  {reason_text(claim, language)}"


def table_of(disputes: Iterable[Dispute], language: Language, zone: ZoneInfo) -> Table:
    """Return the table of disputes and closures."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    columns = ("number", "kind", "state", "scope", "period", "reason", "proposed_by", "decided_by", "content")
    for column in columns:
        table.add_column(word(column, language), no_wrap=column in ("number", "kind"), overflow="fold")
    for one in disputes:
        decision = one.entries[-1] if len(one.entries) > 1 else None
        table.add_row(
            str(one.number),
            word(_KINDS[one.claim.kind], language),
            state_text(one, language),
            Text(scope_text(one.claim, language)),
            period_text(one.claim, zone),
            reason_text(one.claim, language),
            Text(one.proposed.by),
            Text(decision.by if decision else word("unknown", language)),
            Text(one.proposed.text),
        )
    return table


def detail(dispute: Dispute, language: Language, zone: ZoneInfo) -> Iterator[Text]:
    """Yield everything that is known of a dispute, a line each."""
    yield Text(summary(dispute, language, zone), style="bold")
    yield Text.assemble("  ", state_text(dispute, language))
    for attachment in dispute.claim.attachments:
        yield Text(f"  {word('attachment', language)}: {attachment.name}  SHA-256 {attachment.sha256}")
    for entry in dispute.entries:
        key, style = _STATES[entry.happened]
        who = entry.by if entry.by == entry.login else f"{entry.by} ({entry.login})"
        at = f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M}"
        yield Text.assemble(f"  {at}  ", (word(key, language), style), f"  {who}  {entry.text}".rstrip())


def taken(disputes: Sequence[Dispute], language: Language, zone: ZoneInfo) -> Iterator[Text]:
    """Yield the disputes and closures that figures are with."""
    if disputes:
        yield Text()
        yield Text(f"{word('disputes_taken', language)}: {len(disputes):,}", style="bold")
    for one in disputes[:_MOST_TAKEN]:
        yield Text(f"  {summary(one, language, zone)}")
    if len(disputes) > _MOST_TAKEN:
        yield Text(f"  {len(disputes) - _MOST_TAKEN:,} {word('more', language)}")


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
