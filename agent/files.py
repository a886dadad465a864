"""What Linux and Windows do each in its own way with a file: lock it, write over its begin, make its name durable."""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    BINARY = os.O_BINARY  # without it `\n` would be written as two bytes
else:
    import fcntl

    BINARY = 0


def lock(descriptor: int) -> None:
    """Lock a file for this process until the descriptor is closed; BlockingIOError when another process has it."""
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:  # EACCES, https://learn.microsoft.com/cpp/c-runtime-library/reference/locking
            raise BlockingIOError(error.errno, error.strerror) from None
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_over(descriptor: int, data: bytes) -> None:
    """Write over the begin of a file."""
    if sys.platform == "win32":
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, data)
    else:
        os.pwrite(descriptor, data, 0)


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk when this returns. NTFS keeps a journal of its own and opens no folders."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
