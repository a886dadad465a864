"""Disputes and closures on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from collector.agreements import period_text, reason_text, scope_text
from collector.disputes.schema import Dispute, Happened, Kind
from collector.words import Language, word

_STATES = {
    Happened.PROPOSED: ("state_proposed", "yellow"),
    Happened.APPROVED: ("state_approved", "green"),
    Happened.REJECTED: ("state_rejected", "red"),
    Happened.WITHDRAWN: ("state_withdrawn", "dim"),
}
_KINDS = {Kind.DISPUTE: "dispute", Kind.CLOSURE: "closure"}
_MOST_TAKEN = 20


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
