"""
One watch a data folder: who writes the journal holds DATA/watch.lock for as long as its process lives.

Two that write would each go on from their own memory, number incidents alike and tell everybody twice.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import SantongError

FILE = "watch.lock"


class Busy(SantongError):
    """Another watch runs over the folder; `process` is its id, "" where that is not known."""

    def __init__(self, data: Path, process: str) -> None:
        who = f"another watch (process {process})" if process else "another watch"
        super().__init__(
            f"{data / FILE}: {who} runs over this folder: stop it first, or ask it with `santong watch --once`"
        )
        self.process = process


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold a data folder against any other watch; Busy at once where there is one."""
    data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(data, os.pread(descriptor, 20, 0).decode(errors="replace").strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
