"""
Lines of a file, each with the hash of the line before it: records of disputes, the log of access.

    {"record":1,"previous":"000…",…}
    {"record":2,"previous":SHA-256 of line 1,…}
    {"record":3,"pre                                     a line that a power cut tore: never confirmed to anybody

Beside the file its head is kept, the number and hash of the newest record: what is cut off at the end is missed, too.
What changes all of that at once is not seen from the file alone, but by any head that was noted elsewhere.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

NOTHING = "0" * 64
Entry = TypeVar("Entry")


class Head(NamedTuple):
    """The newest record: its number and the SHA-256 of its line; 0 while there is none."""

    record: int = 0
    sha256: str = NOTHING


class Line(NamedTuple, Generic[Entry]):
    """A line: the number of its record, what it says of the one before, its own hash; `entry` None: it is spoilt."""

    record: int
    previous: str
    sha256: str
    entry: Entry | None


def line_of(tree: Mapping[str, Any], before: Head) -> bytes:
    """Return the line of an entry that follows a record, with its line feed."""
    numbered = {"record": before.record + 1, "previous": before.sha256} | dict(tree)
    return json.dumps(numbered, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def digest(line: bytes) -> str:
    """Return the hash of a line with its line feed, which the next one carries."""
    return hashlib.sha256(line).hexdigest()


def read_lines(
    content: bytes, entry_of: Callable[[dict[str, Any]], Entry], tree_of: Callable[[Entry], Mapping[str, Any]]
) -> tuple[list[Line[Entry]], bytes]:
    """
    Return the lines of a file, and what stands behind the last whole one.

    `entry_of` returns the entry of a tree, or raises ValueError, KeyError, TypeError or AttributeError; what `tree_of`
    makes of it must be the very bytes that were read.
    """
    *whole, torn = content.split(b"\n")
    return [_line(number, line + b"\n", entry_of, tree_of) for number, line in enumerate(whole, start=1)], torn


def _line(
    number: int,
    line: bytes,
    entry_of: Callable[[dict[str, Any]], Entry],
    tree_of: Callable[[Entry], Mapping[str, Any]],
) -> Line[Entry]:
    try:
        tree = json.loads(line)
        record, previous = int(tree.pop("record")), str(tree.pop("previous"))
        entry = entry_of(tree)
        if line == line_of(tree_of(entry), Head(record - 1, previous)):
            return Line(record, previous, digest(line), entry)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return Line(number, "", digest(line), None)


def problems_of(lines: Sequence[Line[Entry]], kept: Head | None) -> list[str]:
    """Name what was changed, removed or added by other means, against the head that was kept; None: it is not known."""
    return [*_spoilt(lines), *_out_of_place(lines, kept), *_changed(lines, kept), *_head_behind(lines, kept)]


def _spoilt(lines: Sequence[Line[Entry]]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if line.entry is None:
            yield f"line {number}: is not a record as it was written"


def _out_of_place(lines: Sequence[Line[Entry]], kept: Head | None) -> Iterator[str]:
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


def _changed(lines: Sequence[Line[Entry]], kept: Head | None) -> Iterator[str]:
    """Name the records that are not those that the next one, or the head, was written after."""
    hashes = {line.record: line.sha256 for line in lines if line.entry is not None}
    for line in lines:
        before = NOTHING if line.record == 1 else hashes.get(line.record - 1)
        if line.entry is not None and before and line.previous != before:
            what = f"record {line.record - 1}: changed since record {line.record} was written"
            yield what if line.record > 1 else "record 1: is not the first that was written"
    if kept and hashes.get(kept.record, kept.sha256) != kept.sha256:
        yield f"record {kept.record}: changed since it was written"


def _head_behind(lines: Sequence[Line[Entry]], kept: Head | None) -> Iterator[str]:
    """Tell a head that was set back: written after its record, a power cut leaves it one behind, and never more."""
    newest = max((line.record for line in lines), default=0)
    if kept and kept.record < newest - 1:
        yield f"the head names record {kept.record} as the newest, and there is {newest}: it was changed or removed"


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
