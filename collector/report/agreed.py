"""
What was agreed, in a report: the disputes and closures that its figures are with, and what targets come to without.

    dispute ──▶ scope, period, reason, text, attachments, who and when
    target ──▶ verdict and rate without ──▶ verdict and rate with
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from collector.agreements import reason_text
from collector.disputes.schema import Attachment, Dispute
from collector.report.model import Counts, Page, Report, counts_of
from collector.report.views import View
from collector.verify.results import Verdict
from contract.names import site_of

_SHORT = 12  # digits of a hash, where people compare it


class Figure(NamedTuple):
    """A target's verdict and counts of units without disputes and closures, and with them."""

    page: Page
    without: Verdict
    counts_without: Counts
    verdict: Verdict
    counts: Counts


class Row(NamedTuple):
    """A dispute or closure as people read it."""

    number: int
    kind: str
    scope: str
    scope_id: str
    period: str
    reason: str
    text: str
    attachments: tuple[Attachment, ...]
    proposed_by: str
    proposed_on: str
    approved_by: str
    approved_on: str


def figures(report: Report) -> tuple[list[Figure], list[Page]]:
    """Return the targets whose verdicts or units are others without what was agreed; and those whose minutes alone."""
    without = report.agreed.without
    pairs = [(page, without[page.target.id].result) for page in report.pages if page.target.id in without]
    every = [
        Figure(page, other.verdict, counts_of(other.units), page.result.verdict, page.counts) for page, other in pairs
    ]
    changed = [one for one in every if one[1:3] != one[3:]]
    return changed, [one.page for one in every if one not in changed]


def rows(view: View) -> list[Row]:
    """Return disputes and closures as people read them, in the order of their numbers."""
    rooms = {unit.id: unit.title for page in view.report.pages for unit in page.result.units}
    return [_row(one, view, rooms) for one in view.report.agreed.disputes]


def _row(one: Dispute, view: View, rooms: Mapping[str, str]) -> Row:
    claim, approved = one.claim, one.approved
    names: Mapping[str, Callable[[str], str]] = {
        "county": view.county,
        "site": view.site,
        "room": lambda name: rooms.get(name, name),
        "device": lambda name: " ".join((view.site(site_of(name)), name.partition(".")[2])),
    }
    return Row(
        one.number,
        view.text(str(claim.kind)),
        names[claim.scope.level](claim.scope.id),
        claim.scope.id,
        view.span(claim.since, claim.until),
        reason_text(claim, view.language),
        one.proposed.text,
        claim.attachments,
        one.proposed.by,
        view.day(one.proposed.at.astimezone(view.zone).date()),
        approved.by if approved else "",
        view.day(approved.at.astimezone(view.zone).date()) if approved else "",
    )


def short(sha256: str) -> str:
    """Return as much of a hash as people compare."""
    return sha256[:_SHORT]
