"""
Records of disputes as lines of a file, each with the hash of the line before it: see `collector.chained`.

    {"record":1,"previous":"000…","at":…,"event":"proposed",…}
    {"record":2,"previous":SHA-256 of line 1,"at":…,"event":"approved",…}
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from collector import chained
from collector.chained import Head, Line, digest, head_from, head_text
from collector.disputes.rules import after, refusal
from collector.disputes.schema import Dispute, Entry

__all__ = ["Examined", "Head", "digest", "examine", "head_from", "head_text", "line_of"]


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


def line_of(entry: Entry, before: Head) -> bytes:
    """Return the line of an entry that follows a record, with its line feed."""
    return chained.line_of(entry.as_json(), before)


def examine(content: bytes, kept: Head | None) -> Examined:
    """Return what a file holds, against the head that was kept beside it; None: it is not looked at."""
    lines, torn = chained.read_lines(content, Entry.from_json, Entry.as_json)
    problems = chained.problems_of(lines, kept)
    known: dict[int, Dispute] = {}
    if not problems:
        problems += _followed(lines, known)
    return Examined(known, tuple(line.sha256 for line in lines), tuple(dict.fromkeys(problems)), torn)


def _followed(lines: Sequence[Line[Entry]], known: dict[int, Dispute]) -> Iterator[str]:
    """Take the entries into `known`, until one breaks a rule."""
    for line in lines:
        if line.entry is None:
            continue
        if why := refusal(line.entry, known):
            yield f"record {line.record}: breaks a rule: {why}"
            return
        known[line.entry.dispute] = after(line.entry, known)
