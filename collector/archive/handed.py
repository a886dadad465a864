"""
To whom the roots of days were handed: a line for each try, only ever added.

    DATA/evidence/handed.log     day, chain, address, when (unix ns), outcome

The address is its name, which has no secret in it. A root is due at an address until the outcome is `taken` once.
"""

import fcntl
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from collector.archive.chain import BadRoots, Root
from collector.archive.keys import FOLDER

LOG = "handed.log"
TAKEN = "taken"
_LINE = re.compile(r"(\d{4}-\d\d-\d\d) ([0-9a-f]{64}) (\S+) (\d{1,19}) (\S+)")
_STRANGE = re.compile(r"[^\w-]+")


class Handed(NamedTuple):
    """One try to hand the root of a day to somebody, and what came of it."""

    day: str
    chain: str
    address: str
    at_ns: int
    outcome: str

    @property
    def is_taken(self) -> bool:
        """Tell whether the other side said that it has it."""
        return self.outcome == TAKEN

    def line(self) -> str:
        """Return it as it is written, with its line feed."""
        outcome = _STRANGE.sub("?", self.outcome) or "?"  # what another side answered may be anything
        return " ".join(map(str, self._replace(outcome=outcome))) + "\n"


class HandedLog:
    """The record in a data folder."""

    def __init__(self, data: Path) -> None:
        self.file = data / FOLDER / LOG

    def read(self) -> list[Handed]:
        """Return every try, the oldest first; half a line, that a power cut left at the end, is none."""
        if not self.file.is_file():
            return []
        text = self.file.read_text(encoding="utf-8", errors="replace")
        found = []
        for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
            match = _LINE.fullmatch(line)
            if match is None:
                raise BadRoots(f"{self.file}:{number}: does not say to whom a root was handed: {line[:60]!r}")
            found.append(Handed(match[1], match[2], match[3], int(match[4]), match[5]))
        return found

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Hold the record against others, so that no two hand out the same, and cut off half a line; see `add`."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = self.file.read_bytes()
            if not content.endswith(b"\n"):
                os.ftruncate(descriptor, content.rfind(b"\n") + 1)
            yield descriptor
        finally:
            os.close(descriptor)


def add(descriptor: int, some: Sequence[Handed]) -> None:
    """Write tries down, durably."""
    os.write(descriptor, "".join(one.line() for one in some).encode())
    os.fsync(descriptor)


def due(roots: Sequence[Root], handed: Sequence[Handed], address: str, new: Collection[Root]) -> list[Root]:
    """
    Return what an address has not taken yet, the oldest first.

    One that was never tried begins with the new roots, or else with the last: it vouches for all before it.
    """
    tried = {one.chain: False for one in handed if one.address == address}
    tried |= {one.chain: True for one in handed if one.address == address and one.is_taken}
    known = [at for at, root in enumerate(roots) if root.chain in tried]
    first = [at for at, root in enumerate(roots) if root in new] or [len(roots) - 1]
    begin = known[0] if known else max(0, first[0])
    return [root for root in roots[begin:] if not tried.get(root.chain)]
