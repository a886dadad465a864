"""How many bytes throughput tests have moved this month, and when the last one was; kept beside the spool."""

import json
import os
from pathlib import Path
from typing import NamedTuple

FILE = "throughput.json"


class Spent(NamedTuple):
    """Bytes moved in a month (`2026-11`), and when the last test of each target began (unix s)."""

    month: str = ""
    bytes: int = 0
    tested: dict[str, float] = {}  # noqa: RUF012  a default that nobody changes

    def in_month(self, month: str) -> int:
        """Return the bytes moved in this month."""
        return self.bytes if self.month >= month else 0  # a clock that went back begins no month again

    def plus(self, month: str, moved: int) -> "Spent":
        """Return it with bytes booked (below zero: given back); a new month begins at nothing."""
        return self._replace(month=max(month, self.month), bytes=max(0, self.in_month(month) + moved))

    def begun(self, target: str, unix_s: float) -> "Spent":
        """Return it with the beginning of a test noted."""
        return self._replace(tested={**self.tested, target: unix_s})

    def last(self, target: str, now_s: float) -> float:
        """Return when the last test of a target began, 0 before the first; a time to come is a wrong clock's."""
        tested_s = self.tested.get(target, 0.0)
        return tested_s if tested_s <= now_s else 0.0


def read(folder: Path) -> Spent:
    """Return what was spent; nothing where the file is missing or no longer readable."""
    try:
        found = json.loads((folder / FILE).read_text())
        tested = {str(name): float(at) for name, at in found["tested"].items()}
        return Spent(str(found["month"]), int(found["bytes"]), tested)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Spent()


def write(folder: Path, spent: Spent) -> None:
    """Write the file whole or not at all; OSError when the disk refuses."""
    draft = folder / f"{FILE}.new"
    with draft.open("w") as file:
        json.dump(spent._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / FILE)
