"""
The rules: what may be recorded, by whom, and when. Each is a sentence that says what to do instead.

Rules that hold for ever are looked at again whenever records are read; who is on the list of the authorised is asked
only when something is recorded, since people come and go.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from collector.disputes.schema import (
    ADJUDICATIONS,
    CLOSING,
    FINDINGS,
    LEVELS,
    Claim,
    Dispute,
    Entry,
    Happened,
    Kind,
    Reason,
    person,
    same_person,
)
from contract.names import MAX_LENGTH, is_device

MOST_TEXT = 2000
MOST_NAME = 64
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def refusal(entry: Entry, known: Mapping[int, Dispute], authorised: Collection[str] | None = None) -> str:
    """
    Return every reason why an entry may not follow the disputes there are; empty: it may.

    `authorised` are the people who may approve, reject, and record closures; None: anybody may.
    """
    reasons = (*_said(entry), *_RULES[entry.happened](entry, known), *_authorised(entry, authorised))
    return "; ".join(reasons)


def after(entry: Entry, known: Mapping[int, Dispute]) -> Dispute:
    """Return the dispute that an entry makes, or is about, with it; the entry is one that may follow."""
    if entry.claim is not None:
        return Dispute(entry.dispute, entry.claim, (entry,))
    return known[entry.dispute]._replace(entries=(*known[entry.dispute].entries, entry))


def _said(entry: Entry) -> Iterator[str]:
    """Yield what is wrong with who said what."""
    for what, name in (("name", entry.by), ("login", entry.login)):
        if not person(name) or len(name) > MOST_NAME or _has_control(name):
            yield f"the {what} of whoever records it must be 1 to {MOST_NAME} visible characters"
    if len(entry.text) > MOST_TEXT or _has_control(entry.text):
        yield f"the text must be one paragraph of at most {MOST_TEXT} characters"


def _has_control(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def _proposal(entry: Entry, known: Mapping[int, Dispute]) -> Iterator[str]:
    if entry.dispute != len(known) + 1:
        yield f"the next dispute is number {len(known) + 1}, not {entry.dispute}"
    if not entry.text.strip():
        yield "a text must say what happened"
    if entry.claim:
        yield from _claimed(entry.claim)


def _claimed(claim: Claim) -> Iterator[str]:
    if claim.scope.level not in LEVELS or not _is_named(claim.scope.level, claim.scope.id):
        yield f"{claim.scope.id[:80]!r} is not the id of a {claim.scope.level}"
    yield from _period(claim.since, claim.until)
    for attachment in claim.attachments:
        if not attachment.name or _has_control(attachment.name) or not re.fullmatch(r"[0-9a-f]{64}", attachment.sha256):
            yield f"the attachment {attachment.name!r} needs a name that can be read, and its SHA-256"
    if claim.kind is Kind.CLOSURE and claim.reason not in CLOSING:
        yield f"a closure cannot be due to {claim.reason}: propose a dispute"
    if claim.finding and claim.finding not in FINDINGS:
        yield f"{claim.finding!r} is no kind of finding; there are {', '.join(FINDINGS)}"
    if claim.reason is Reason.EVIDENCE_COUNTS and not claim.finding:
        yield f"{claim.reason} must say which kind of finding was looked at: {', '.join(FINDINGS)}"
    if claim.finding and claim.reason not in ADJUDICATIONS:
        yield f"a finding is decided about with {' or '.join(sorted(ADJUDICATIONS))}, not with {claim.reason}"


def _is_named(level: str, name: str) -> bool:
    """Tell whether a name can be one of its level: 441802, 441802-1, 441802-1/r1 (or a device's), 441802-1.c1."""
    if level == "county":
        return "-" not in name and is_device(f"{name}-x.x")
    if level == "site":
        return is_device(f"{name}.x")
    if level == "room" and "/" in name:
        site, _, room = name.partition("/")
        return is_device(f"{site}.x") and 0 < len(room) <= MAX_LENGTH and not _has_control(room)
    return is_device(name)


def _period(since: datetime, until: datetime) -> Iterator[str]:
    for instant in (since, until):
        if instant.tzinfo is None or instant.second or instant.microsecond:
            yield f"{instant.isoformat()} is no full minute of a time zone"
        elif not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            yield f"{instant.date()} is not from {_FIRST_YEAR} to {_LAST_YEAR}"
    if (since.tzinfo is None) == (until.tzinfo is None) and since >= until:
        yield f"the period must end after it begins, and {until.isoformat()} is not after {since.isoformat()}"


def _decision(entry: Entry, known: Mapping[int, Dispute]) -> Iterator[str]:
    """Yield what is wrong with an approval or a rejection."""
    dispute = known.get(entry.dispute)
    if dispute is None:
        yield f"there is no dispute {entry.dispute}"
        return
    if dispute.state is not Happened.PROPOSED:
        yield f"dispute {dispute.number} is {dispute.state} already"
    if same_person(entry.by, dispute.proposed.by):
        yield f"{entry.by} proposed dispute {dispute.number}: another person must decide about it"
    if entry.happened is Happened.REJECTED and not entry.text.strip():
        yield "a text must say why it is rejected"


def _withdrawal(entry: Entry, known: Mapping[int, Dispute]) -> Iterator[str]:
    """Yield what is wrong with a withdrawal: who put it there takes it back."""
    dispute = known.get(entry.dispute)
    if dispute is None:
        yield f"there is no dispute {entry.dispute}"
        return
    if dispute.state not in (Happened.PROPOSED, Happened.APPROVED):
        yield f"dispute {dispute.number} is {dispute.state} already"
    last = dispute.entries[-1]
    if not same_person(entry.by, last.by):
        yield f"dispute {dispute.number} was {last.happened} by {last.by}, who alone can withdraw that"
    if dispute.state is Happened.APPROVED and not entry.text.strip():
        yield "a text must say why the approval is withdrawn"


_RULES: Mapping[Happened, Callable[[Entry, Mapping[int, Dispute]], Iterable[str]]] = {
    Happened.PROPOSED: _proposal,
    Happened.APPROVED: _decision,
    Happened.REJECTED: _decision,
    Happened.WITHDRAWN: _withdrawal,
}


def _authorised(entry: Entry, authorised: Collection[str] | None) -> Iterator[str]:
    is_closure = entry.claim is not None and entry.claim.kind is Kind.CLOSURE
    is_decision = entry.happened in (Happened.APPROVED, Happened.REJECTED)
    if authorised is None or not (is_closure or is_decision):
        return
    if person(entry.by) not in {person(name) for name in authorised}:
        what = "record a closure" if is_closure else "decide about disputes"
        yield f"{entry.by} is not on the list of those who may {what}"
