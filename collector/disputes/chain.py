"""
Records as lines of a file, each with the hash of the line before it.

    {"record":1,"previous":"000…","at":…,"event":"proposed",…}
    {"record":2,"previous":SHA-256 of line 1,"at":…,"event":"approved",…}
    {"record":3,"pre                                     a line that a power cut tore: never confirmed to anybody

Beside the file its head is kept, the number and hash of the newest record: what is cut off at the end is missed, too.
What changes all of that at once is not seen from the file alone, but by any head that was noted elsewhere.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from collector.disputes.rules import after, refusal
from collector.disputes.schema import Dispute, Entry

NOTHING = "0" * 64


class Head(NamedTuple):
    """The newest record: its number and the SHA-256 of its line; 0 while there is none."""

    record: int = 0
    sha256: str = NOTHING


class Examined(NamedTuple):
    """
    What a file of records holds.

    `hashes` are those of its lines. `problems` name each record that was changed, removed or added by other means than
    the commands; where there are any, `disputes` are not to be used. `torn` is what stands behind the last whole line.
    """

    disputes: Mapping[int, Dispute]
    hashes: tuple[str, ...]
    problems: tuple[str, ...]
    torn: bytes = b""

    @property
    def head(self) -> Head:
        """The newest record."""
        return Head(len(self.hashes), self.hashes[-1]) if self.hashes else Head()


class _Line(NamedTuple):
    """A line: the number of its record, what it says of the one before, its own hash; `entry` None: it is spoilt."""

    record: int
    previous: str
    sha256: str
    entry: Entry | None


def line_of(entry: Entry, before: Head) -> bytes:
    """Return the line of an entry that follows a record, with its line feed."""
    tree = {"record": before.record + 1, "previous": before.sha256} | entry.as_json()
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def digest(line: bytes) -> str:
    """Return the hash of a line with its line feed, which the next one carries."""
    return hashlib.sha256(line).hexdigest()


def examine(content: bytes, kept: Head | None) -> Examined:
    """Return what a file holds, against the head that was kept beside it; None: it is not looked at."""
    *whole, torn = content.split(b"\n")
    lines = [_line(number, line + b"\n") for number, line in enumerate(whole, start=1)]
    problems = [*_spoilt(lines), *_out_of_place(lines, kept), *_changed(lines, kept), *_head_behind(lines, kept)]
    known: dict[int, Dispute] = {}
    if not problems:
        problems += _followed(lines, known)
    return Examined(known, tuple(line.sha256 for line in lines), tuple(dict.fromkeys(problems)), torn)


def _line(number: int, line: bytes) -> _Line:
    try:
        tree = json.loads(line)
        record, previous = int(tree.pop("record")), str(tree.pop("previous"))
        entry = Entry.from_json(tree)
        if line == line_of(entry, Head(record - 1, previous)):
            return _Line(record, previous, digest(line), entry)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return _Line(number, "", digest(line), None)


def _spoilt(lines: Sequence[_Line]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if line.entry is None:
            yield f"line {number}: is not a record as it was written"


def _out_of_place(lines: Sequence[_Line], kept: Head | None) -> Iterator[str]:
    """Name the records that are missing, moved, or there twice."""
    found = Counter(line.record for line in lines)
    end = max([*found, kept.record if kept else 0], default=0) + 1
    for before, record in pairwise([0, *sorted(found), *([] if end in found else [end])]):
        if record - before > 1:
            is_one = record - before == 2
            yield f"record {before + 1}: removed" if is_one else f"records {before + 1} to {record - 1}: removed"
    highest = 0
    for line in lines:
        if found[line.record] > 1:
            yield f"record {line.record}: there {found[line.record]} times"
        elif line.record < highest:
            yield f"record {line.record}: moved behind record {highest}"
        highest = max(highest, line.record)


def _changed(lines: Sequence[_Line], kept: Head | None) -> Iterator[str]:
    """Name the records that are not those that the next one, or the head, was written after."""
    hashes = {line.record: line.sha256 for line in lines if line.entry}
    for line in lines:
        before = NOTHING if line.record == 1 else hashes.get(line.record - 1)
        if line.entry and before and line.previous != before:
            what = f"record {line.record - 1}: changed since record {line.record} was written"
            yield what if line.record > 1 else "record 1: is not the first that was written"
    if kept and hashes.get(kept.record, kept.sha256) != kept.sha256:
        yield f"record {kept.record}: changed since it was written"


def _head_behind(lines: Sequence[_Line], kept: Head | None) -> Iterator[str]:
    """Tell a head that was set back: written after its record, a power cut leaves it one behind, and never more."""
    newest = max((line.record for line in lines), default=0)
    if kept and kept.record < newest - 1:
        yield f"the head names record {kept.record} as the newest, and there is {newest}: it was changed or removed"


def _followed(lines: Sequence[_Line], known: dict[int, Dispute]) -> Iterator[str]:
    """Take the entries into `known`, until one breaks a rule."""
    for line in lines:
        if line.entry is None:
            continue
        if why := refusal(line.entry, known):
            yield f"record {line.record}: breaks a rule: {why}"
            return
        known[line.entry.dispute] = after(line.entry, known)


def head_text(head: Head) -> bytes:
    """Return what is kept beside the file."""
    return json.dumps(head._asdict()).encode() + b"\n"


def head_from(text: bytes) -> Head:
    """Return the head that was kept; ValueError for anything else."""
    tree: Any = json.loads(text)
    if not isinstance(tree, dict) or set(tree) != set(Head._fields):
        raise ValueError("it has other keys")
    head = Head(**tree)
    if type(head.record) is not int or not isinstance(head.sha256, str):
        raise ValueError("its values are of other types")
    return head
