"""
A mark beside the spool's file: the number of its last commit.

It is written after each commit, without an fsync. Where it is ahead of the file, commits are missing that the disk had
promised to keep: the log was cut off, the disk lied, or an older copy was put here.
"""

import os
from contextlib import suppress
from pathlib import Path

from agent import files
from agent.rows import checksum

FILE = "spool.mark"


class Mark:
    """The mark of a folder, open for writing. OSError when it cannot be opened."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | files.BINARY, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def write(self, commit: int) -> None:
        """Note the number of a commit; without it only a loss would go unnoticed."""
        number = f"{commit:020d}"
        with suppress(OSError):
            files.write_over(self._descriptor, f"{number} {checksum('mark', (number,)):010d}\n".encode())


def read(directory: Path) -> int:
    """Return the number of the last commit, 0 without a mark that can be read."""
    try:
        content = (directory / FILE).read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    number, _, crc = content.strip().partition(" ")
    return int(number) if number.isdecimal() and crc == f"{checksum('mark', (number,)):010d}" else 0


def is_there(directory: Path) -> bool:
    """Tell whether a spool of ours was ever here."""
    return (directory / FILE).is_file()


def forget(directory: Path) -> None:
    """Remove the mark, with the file that it belongs to."""
    (directory / FILE).unlink(missing_ok=True)
