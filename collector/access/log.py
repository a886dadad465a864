"""
What people did: logins and actions, as lines that each carry the hash of the one before (`collector.chained`).

    DATA/access/log.jsonl          {"record":1,"previous":"000…","at":…,"who":"li.na","address":…,"what":"login",…}
                log.head.json      number and hash of the newest record

A line is confirmed when it is on disk. To add one, only the last one is read; `santong user log` examines them all.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from collector import chained
from collector.access.files import BadFile, alone, make_private, read_private, write_private
from collector.access.users import FOLDER
from collector.chained import NOTHING, Head, digest, head_from, head_text, line_of

FILE, HEAD = "log.jsonl", "log.head.json"
MOST_TEXT = 500
_TAIL_BYTES = 32 << 10  # more than any line has


class Entry(NamedTuple):
    """
    Who did what, from where, when: `what` is a verb such as login, logout, refused, user.add, approve, report.

    `on` names what it was done to; `text` is for people. `who` is empty where nobody knows.
    """

    at: datetime
    who: str
    address: str
    what: str
    on: str = ""
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return self._asdict() | {"at": self.at.isoformat()}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Return the entry that was written down; ValueError, KeyError or TypeError for anything else."""
        texts = {name: tree[name] for name in cls._fields if name != "at"}
        if set(tree) != set(cls._fields) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("it is not in the form in which records are written")
        return cls(datetime.fromisoformat(tree["at"]), **texts)


class Examined(NamedTuple):
    """The entries of a log, each None where it is spoilt, and what is wrong with them; `torn` was never confirmed."""

    entries: tuple[Entry | None, ...]
    problems: tuple[str, ...]
    torn: bytes = b""


class Log:
    """The log of a data folder, which may be empty yet."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self.file, self._head_file = self.folder / FILE, self.folder / HEAD

    def add(self, make: Callable[[], Entry]) -> Head:
        """Record what `make` returns; durable when this returns. BadFile where the last line was changed; OSError."""
        make_private(self.folder)
        with alone(self.folder):
            head = self._mended()
            line = line_of(_cut(make()).as_json(), head)
            self._append(line)
            head = Head(head.record + 1, digest(line))
            write_private(self._head_file, head_text(head))
            return head

    def examine(self) -> Examined:
        """Return everything, with everything that is wrong with it."""
        if not self.folder.is_dir():
            return Examined((), ())
        with alone(self.folder):
            content, kept = read_private(self.file) or b"", read_private(self._head_file)
        lines, torn = chained.read_lines(content, Entry.from_json, Entry.as_json)
        try:
            problems = chained.problems_of(lines, head_from(kept) if kept is not None else Head())
        except ValueError as error:
            problems = [*chained.problems_of(lines, None), f"{HEAD}: is not what was written: {error}"]
        return Examined(tuple(line.entry for line in lines), tuple(dict.fromkeys(problems)), torn)

    def _mended(self) -> Head:
        """Return the head, after a power cut too: what it tore is cut off, a whole line that it left is taken in."""
        kept = read_private(self._head_file)
        try:
            head = head_from(kept) if kept is not None else Head()
        except ValueError as error:
            raise BadFile(f"{self._head_file}: is not what was written: {error}") from None
        last, torn = self._last_line()
        if torn:
            with self.file.open("r+b") as opened:
                opened.truncate(self.file.stat().st_size - torn)
                os.fsync(opened.fileno())
        found = digest(last) if last else NOTHING
        if found == head.sha256:
            return head
        ((line,), _) = chained.read_lines(last, Entry.from_json, Entry.as_json) if last else ((None,), b"")
        if line is None or line.entry is None or (line.record, line.previous) != (head.record + 1, head.sha256):
            what = "was changed or removed: `santong user log` names everything"
            raise BadFile(f"{self.file}: record {head.record} {what}")
        return Head(line.record, line.sha256)

    def _last_line(self) -> tuple[bytes, int]:
        """Return the last whole line, and how many bytes there are behind it."""
        try:
            with self.file.open("rb") as opened:
                opened.seek(max(0, self.file.stat().st_size - _TAIL_BYTES))
                *lines, torn = opened.read().split(b"\n")
        except FileNotFoundError:
            return b"", 0
        return (lines[-1] + b"\n" if lines else b""), len(torn)

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as opened:
            opened.write(line)
            opened.flush()
            os.fsync(opened.fileno())


def _cut(entry: Entry) -> Entry:
    """Return an entry with texts that are no longer than they may be: names that were typed come from anywhere."""
    return Entry(entry.at, *(text[:MOST_TEXT].encode(errors="replace").decode() for text in entry[1:]))
