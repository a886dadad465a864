"""What may be recorded, by whom, and when: the tables of rules.md."""

import pytest

from collector.disputes.rules import after, refusal
from collector.disputes.schema import ADJUDICATIONS, CLOSING, FINDINGS, Dispute, Entry, Happened, Kind, Reason
from collector.verify.integrity import Concern
from tests.collector.disputes.tables import claim_of, dispute_of, known_after, rows, step_of


def outcome(entry: Entry, known: dict[int, Dispute], authorised: list[str] | None = None) -> str:
    """Return the state that an entry leads to, or why it may not be."""
    return refusal(entry, known, authorised) or str(after(entry, known).state)


def name(value: object) -> str:
    """Return the case of a row."""
    return value[0] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("row", rows("rules.md", "Who may do what after what"), ids=name)
def test_who_may_do_what_after_what(row: list[str]) -> None:
    """Each row of the table: two different people, and what is decided stays decided."""
    _, before, then, result = row
    assert outcome(step_of(then), known_after(before)) == result


@pytest.mark.parametrize("row", rows("rules.md", "What can be claimed"), ids=name)
def test_what_can_be_claimed(row: list[str]) -> None:
    """Each row of the table: scope, period, reason and finding go together, or a sentence says what does not."""
    _, kind, about, first, last, reason, finding, result = row
    claim = claim_of(about, first, last, reason, kind=kind, finding=finding)
    assert outcome(step_of("a proposes", claim=claim), {}) == result


@pytest.mark.parametrize("row", rows("rules.md", "Who is on the list"), ids=name)
def test_who_is_on_the_list(row: list[str]) -> None:
    """Each row of the table: those on the list decide, and record closures."""
    _, listed, before, then, result = row
    authorised = None if listed == "–" else listed.split()
    assert outcome(step_of(then), known_after(before), authorised) == result


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Somebody who is not on the list and says no reason learns both."""
    known = known_after("a proposes")
    said = refusal(step_of("c rejects silently"), known, ["b"])
    assert said.split("; ") == [
        "a text must say why it is rejected",
        "c is not on the list of those who may decide about disputes",
    ]


def test_texts_are_one_paragraph() -> None:
    """What would break a table or a line, or is a book, is refused; Chinese punctuation and its wide space are fine."""
    entry = step_of("a proposes")
    for text in ("one\ntwo", "bell\a", "x" * 2001, "half of a pair \ud800"):
        assert refusal(entry._replace(text=text), {}) == "the text must be one paragraph of at most 2000 characters"
    assert refusal(entry._replace(text="停课一天，　台风“山竹”。"), {}) == ""


def test_the_kinds_of_findings_are_those_of_the_verifier() -> None:
    """An adjudication can be about every finding that verification makes, and about no other."""
    assert set(FINDINGS) == set(Concern)
    assert not ADJUDICATIONS & CLOSING


@pytest.mark.parametrize(
    ("steps", "kind", "reason", "verdicts", "alerts"),
    [
        ("a proposes", "dispute", "exam", False, False),
        ("a proposes, b approves", "dispute", "exam", True, True),
        ("a proposes", "closure", "exam", False, True),
        ("a proposes, b approves", "closure", "exam", True, True),
        ("a proposes, b rejects", "closure", "exam", False, False),
        ("a proposes, a withdraws", "closure", "exam", False, False),
        ("a proposes, b approves, b withdraws", "closure", "exam", False, False),
        ("a proposes, b approves", "dispute", "evidence-does-not-count", True, False),
    ],
)
def test_a_closure_stops_alerts_at_once_and_verdicts_wait_for_two(
    steps: str, kind: str, reason: str, *, verdicts: bool, alerts: bool
) -> None:
    """A closure is in force for alerts from its record on; a figure changes only when two people agreed."""
    found = dispute_of(steps, claim_of(reason=reason, kind=kind))
    assert (found.changes_verdicts, found.stops_alerts) == (verdicts, alerts)
    assert found.claim.kind is Kind(kind)
    assert found.claim.reason is Reason(reason)
    assert found.proposed.happened is Happened.PROPOSED
