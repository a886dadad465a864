"""
Files of /sys, /proc and /etc, by name: the source `file` of a profile.

    type: /sys/bus/mmc/devices/*/type   mmc0:0001, mmc1:aaaa   →   Row("mmc0:0001", {"type": "SD"}), Row("mmc1:aaaa", …)

Runs in the agent's own loop, so it never waits for anything: only regular files are opened, and little is read of them.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.gather.read import Read
from agent.outcome import Outcome, Row, Unable
from contract.sample import Value

MOST_BYTES = 64 << 10
MOST_MATCHES = 256
_BLANK = " \t\r\n\0"


def read(ask: Read) -> Outcome:
    """
    Return a row for each match of `*`, its `key` what that stood for; what paths without `*` hold is in each of them.

    What is not there or cannot be read is absent; `details["absent"]` says why. Unable when it takes too long.
    """
    deadline = time.monotonic() + ask.timeout
    found: dict[str, dict[str, Value]] = {}
    always: dict[str, Value] = {}
    absent: dict[str, str] = {}
    for name, path in ask.what.files.items():
        for key, file in matches(ask.way.root, path):
            if time.monotonic() >= deadline:
                raise Unable(f"the files took longer than {ask.timeout:g} s: the device behind {file} hangs")
            try:
                text = content(file)
            except (OSError, ValueError) as error:
                absent[file] = (error.strerror if isinstance(error, OSError) else None) or str(error)
                continue
            row = always if key is None else found.setdefault(key, {})
            row[name] = text
    rows = [Row(key, {**always, **values}) for key, values in sorted(found.items())] or [Row("", always)]
    kept = tuple(row for row in rows if row.values and fits(row, ask.what.where))
    return Outcome(True, rows=kept, details={"absent": absent} if absent else {})


def matches(root: str, path: str) -> Iterator[tuple[str | None, str]]:
    """Yield what `*` stands for and the file, in order of names; the path itself, without a key, where it has none."""
    above, star, below = path.lstrip("/").partition("*")
    if not star:
        yield None, f"{root.rstrip('/')}/{above}"
        return
    folder, _, begins = above.rpartition("/")
    ends, slash, rest = below.partition("/")
    folder = f"{root.rstrip('/')}/{folder}"
    try:
        names = sorted(entry.name for entry in Path(folder).iterdir())
    except OSError:
        return
    fitting = [n for n in names if len(n) >= len(begins + ends) and n.startswith(begins) and n.endswith(ends)]
    for name in fitting[:MOST_MATCHES]:
        yield name[len(begins) : len(name) - len(ends)], f"{folder}/{name}{slash}{rest}"


def content(file: str) -> str:
    """Return a small file's text; ValueError where it is none, or more than that."""
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError("is not a file")
        data = b""
        while len(data) <= MOST_BYTES and (more := os.read(opened, MOST_BYTES)):
            data += more
    finally:
        os.close(opened)
    if len(data) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES >> 10} KiB")
    return data.decode(errors="replace").strip(_BLANK).replace("\0", " ")


def fits(row: Row, where: Mapping[str, str]) -> bool:
    """Tell whether a row has the values that are asked for; `key` is its own."""
    return all((row.key if name == "key" else row.values.get(name)) == text for name, text in where.items())
