"""
Rollouts as they are kept: one file each, written as a whole or not at all.

    DATA/rollouts/000003.json     a rollout: its waves, where it stands, its journal; the highest is the current one

Nothing else is to be believed: the plan in the depot is made from it, and made again where it is not what it should be.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.durable import sync, write_whole
from collector.fleet.rollout import Rollout, RolloutError

FOLDER = "rollouts"
_NAME = re.compile(r"\d{6}\.json")


class Kept:
    """The rollouts of a data folder, which may have none yet."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder against other commands, and remove what one left that was killed."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync(self.folder.parent)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            remove_left(self.folder, "*.json")
            yield
        finally:
            os.close(descriptor)

    def current(self) -> Rollout | None:
        """Return the rollout that was begun last; RolloutError where its file is not what was written."""
        try:
            names = sorted(name for name in os.listdir(self.folder) if _NAME.fullmatch(name))  # noqa: PTH208
        except FileNotFoundError:
            return None
        if not names:
            return None
        file = self.folder / names[-1]
        try:
            return Rollout.from_json(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise RolloutError(f"{file}: is not what was written: {error}: restore it from a backup") from error

    def keep(self, rollout: Rollout) -> None:
        """Write a rollout down, durably."""
        text = json.dumps(rollout.as_json(), ensure_ascii=False, indent=1) + "\n"
        write_whole(self.folder / f"{rollout.id:06}.json", text.encode())


def remove_left(folder: Path, name: str) -> None:
    """Remove what a write left behind that was cut short."""
    for left in folder.glob(f".{name}-*"):
        left.unlink(missing_ok=True)
