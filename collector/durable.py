"""What makes files durable at the centre: that a name is on disk, as well as what it names."""

import os
import tempfile
from pathlib import Path


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk when this returns; OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file in the place of one that may be there, durably: it is there whole or as it was. OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)  # of mode 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, mode)
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(file.parent)
