"""
What of a folder belongs into a backup: everything but a few kinds that are named here.

Left out are what SQLite keeps beside an open file, locks, imports that were never finished, Python's caches, sockets,
pipes and devices, and what is named by the caller. Links to files are taken as the files they lead to; links to folders
are not followed, and said.

Whoever writes into DATA holds its folder, or its file, by flock(2): so they are held here, too, shared, while they are
read, and what belongs together is of one moment.
"""

import fcntl
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from collector.backup.manifest import RESTORED
from collector.backup.snapshot import COMPANIONS

_PATIENCE_S = 10.0
_TRIES = 5


class Found(NamedTuple):
    """A file or folder: where it is, its name within the backup, what the system says of it."""

    path: Path
    name: str
    stat: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Tell a folder."""
        return stat.S_ISDIR(self.stat.st_mode)


def is_left_out(name: str, among: Collection[str]) -> bool:
    """Tell by its name, and those of its neighbours, a file or folder that no backup has."""
    # The last of these companions is named as people name files, too; the others are of no use alone.
    *logs, journal = COMPANIONS
    return (
        name.endswith((".lock", *logs))
        or name.startswith(".new-")
        or name in (RESTORED, "__pycache__", "lost+found")
        or (name.endswith(journal) and name.removesuffix(journal) in among)
    )


class Walk:
    """The files of one folder after the other; `left_out` names what was not followed."""

    def __init__(self, without: Collection[Path] = ()) -> None:
        self.left_out: list[str] = []
        self._without = {(one.st_dev, one.st_ino) for one in (path.stat() for path in without if path.exists())}

    def of(self, folder: Path, name: str) -> Iterator[Found]:
        """Yield a folder and all that is in it; while its files are given, the folder is held. OSError."""
        yield Found(folder, name, folder.stat())
        with held(folder):
            entries = sorted(one.name for one in folder.iterdir())
            inside = [Found(folder / one, f"{name}/{one}", told) for one, told in self._told(folder, entries)]
            for found in inside:
                if not found.is_folder:
                    yield found
        for found in inside:
            if found.is_folder:
                yield from self.of(found.path, found.name)

    def _told(self, folder: Path, entries: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
        among = frozenset(entries)
        for name in entries:
            path = folder / name
            try:
                told = path.stat()
            except FileNotFoundError:
                if path.is_symlink():
                    self.left_out.append(f"{path}: a link that leads nowhere")
                continue  # or it is gone since it was listed
            if is_left_out(name, among) or (told.st_dev, told.st_ino) in self._without:
                continue
            if path.is_symlink() and stat.S_ISDIR(told.st_mode):
                self.left_out.append(f"{path}: a link to a folder is not followed")
            elif stat.S_ISDIR(told.st_mode) or stat.S_ISREG(told.st_mode):
                yield name, told


@contextmanager
def held(path: Path) -> Iterator[int]:
    """
    Hold a file or folder against those who would write it, and give its descriptor.

    Who holds it for longer than some seconds does so for another reason than to write: then it is read all the same.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _is_locked(descriptor) and time.monotonic() < deadline:
            time.sleep(0.002)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks has no writers that use them
        return True
    return True


def copied(descriptor: int, into: int) -> int:
    """Copy a file as it is at one moment, and return its size: again where it was written meanwhile, OSError."""
    for _ in range(_TRIES):
        before = os.fstat(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.lseek(into, 0, os.SEEK_SET)
        os.ftruncate(into, 0)
        left = before.st_size
        while left and (piece := os.read(descriptor, min(left, 1 << 20))):
            view = memoryview(piece)
            while view:
                view = view[os.write(into, view) :]
            left -= len(piece)
        after = os.fstat(descriptor)
        if not left and (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            break
    return os.fstat(into).st_size
