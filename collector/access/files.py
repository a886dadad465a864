"""Files that only their owner may read, written whole or not at all, by one writer at a time."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.durable import sync
from contract.errors import SantongError


class BadFile(SantongError):
    """A file of access that cannot be used as it is; the message says which, and what to do."""


def read_private(file: Path) -> bytes | None:
    """Return what is in a file, None where there is none; BadFile where others than its owner can read it."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror}") from None
    if mode & 0o077:
        raise BadFile(f"{file}: others can read the secrets in it (mode {mode:04o}): chmod 600 {file}")
    return content


def write_private(file: Path, content: bytes) -> None:
    """Write a file in the place of the one that is there, durably: it is there whole or as it was. OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)  # of mode 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(file.parent)


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may look into, durably, where there is none."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(folder.parent)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder against other writers."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
