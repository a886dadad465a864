"""Records that were changed, removed, moved or added by other means are found and named."""

import json
from collections.abc import Sequence

import pytest

from collector.disputes.chain import Examined, Head, digest, examine, head_from, head_text, line_of
from collector.disputes.schema import Entry
from tests.collector.disputes.tables import claim_of, step_of

STORY = (
    ("a proposes", 1),
    ("b proposes", 2),
    ("b approves", 1),
    ("c rejects", 2),
    ("b withdraws", 1),
    ("c proposes", 3),
)


def lines_of(entries: Sequence[Entry]) -> list[bytes]:
    """Return entries as they are written one after the other."""
    head, lines = Head(), []
    for entry in entries:
        lines.append(line_of(entry, head))
        head = Head(head.record + 1, digest(lines[-1]))
    return lines


LINES = lines_of([step_of(text, number=number, claim=claim_of()) for text, number in STORY])
CONTENT, HEAD = b"".join(LINES), Head(6, digest(LINES[-1]))


def found(*lines: bytes, head: Head = HEAD) -> tuple[str, ...]:
    """Return what is wrong with a file of these lines."""
    return examine(b"".join(lines), head).problems


def test_what_was_written_is_whole() -> None:
    """Six records of three disputes, read back as they were."""
    whole = examine(CONTENT, HEAD)
    assert whole.problems == ()
    assert whole.head == HEAD
    assert {number: str(one.state) for number, one in whole.disputes.items()} == {
        1: "withdrawn",
        2: "rejected",
        3: "proposed",
    }
    assert examine(b"", Head()) == Examined({}, (), ())


def test_a_changed_record_is_named() -> None:
    """Whether in the middle or the last one: another name under it is not what the next record, or the head, knows."""
    second = LINES[1].replace(b'"by":"b"', b'"by":"d"')
    assert found(LINES[0], second, *LINES[2:]) == ("record 2: changed since record 3 was written",)
    last = LINES[5].replace(b"2026-03-02", b"2026-03-01")
    assert found(*LINES[:5], last) == ("record 6: changed since it was written",)
    first = LINES[0].replace(b'"text":"because"', b'"text":""')
    assert found(first, *LINES[1:]) == ("record 1: changed since record 2 was written",)


def test_removed_records_are_named() -> None:
    """At the begin, in the middle, at the end, some, and all."""
    assert found(*LINES[1:]) == ("record 1: removed",)
    assert found(LINES[0], *LINES[2:]) == ("record 2: removed",)
    assert found(LINES[0], *LINES[4:]) == ("records 2 to 4: removed",)
    assert found(*LINES[:5]) == ("record 6: removed",)
    assert found() == ("records 1 to 6: removed",)
    assert found(LINES[0], LINES[2], LINES[3]) == ("record 2: removed", "records 5 to 6: removed")


def test_moved_and_doubled_records_are_named() -> None:
    """Two that changed places, one that is there twice."""
    assert found(*LINES[:2], LINES[3], LINES[2], *LINES[4:]) == ("record 3: moved behind record 4",)
    assert found(*LINES[:3], LINES[2], *LINES[3:]) == ("record 3: there 2 times",)


def test_what_is_no_record_is_named_by_its_line() -> None:
    """Text of an editor, other spaces, a key more: none of it is as it was written."""
    for line in (b"approved by phone\n", b"{}\n", b"[]\n", b"\n", b"[" * 5000 + b"\n", b'{"record":2,"previous":5}\n'):
        assert found(LINES[0], line, *LINES[2:]) == ("line 2: is not a record as it was written",)
    tree = json.loads(LINES[1])
    for other in (tree | {"why": ""}, tree | {"by": 5}, tree | {"dispute": True}, tree | {"since": "monday"}):
        line = json.dumps(other, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        assert found(LINES[0], line, *LINES[2:]) == ("line 2: is not a record as it was written",)
    assert found(LINES[0], json.dumps(tree).encode() + b"\n", *LINES[2:])[0].startswith("line 2")


@pytest.mark.parametrize(("text", "why"), [("a approves", "another person must decide"), ("b withdraws", "by a")])
def test_a_record_that_no_command_writes_is_named(text: str, why: str) -> None:
    """Somebody who knows how to chain cannot approve what he proposed: the rules hold for what is read, too."""
    (problem,) = found(*(lines := lines_of([step_of("a proposes"), step_of(text)])), head=Head(2, digest(lines[1])))
    assert problem.startswith("record 2: breaks a rule: ")
    assert why in problem


def test_every_single_changed_byte_is_found() -> None:
    """Of each byte of the file one bit is turned: never does it pass, never does the check fail itself."""
    for at in range(len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[at] ^= 1 << at % 8
        assert examine(bytes(changed), HEAD).problems, at


def test_every_cut_is_found() -> None:
    """Wherever a file that was confirmed is cut off, something is missed."""
    for at in range(len(CONTENT)):
        assert examine(CONTENT[:at], HEAD).problems, at


def test_a_power_cut_leaves_no_problem() -> None:
    """The head is written after the record: it may be one behind, and what stands behind the last line is no record."""
    before = Head(5, digest(LINES[4]))
    assert examine(CONTENT, before).problems == ()
    for at in range(len(CONTENT) - len(LINES[5]), len(CONTENT)):
        cut = examine(CONTENT[:at], before)
        assert (cut.problems, cut.head) == ((), before)
        assert cut.torn == CONTENT[len(CONTENT) - len(LINES[5]) : at]


def test_a_head_that_was_set_back_is_found() -> None:
    """Two records behind is no power cut."""
    (problem,) = found(CONTENT, head=Head(4, digest(LINES[3])))
    assert problem == "the head names record 4 as the newest, and there is 6: it was changed or removed"
    assert found(LINES[0], head=Head()) == ()


def test_a_head_is_read_as_it_was_written() -> None:
    """Anything else is none."""
    assert head_from(head_text(HEAD)) == HEAD
    for text in (b"", b"6", b"{}", b'{"record":"6","sha256":""}', b"\xff"):
        with pytest.raises(ValueError):
            head_from(text)
