"""
The one shape of all sources of a profile.

    def read(ask: Read[Snmp]) -> Outcome        with rows of raw values; may raise Failed or Unable instead

A source reads what the profile says and nothing else, within `ask.timeout`, and keeps nothing; it runs in a child of
the worker (but `LIGHT` ones in the agent's own process). What the device does not have is absent from the row, never
zero. `Failed` says at which stage another device did not answer as it should, `Unable` what is missing on our side.
Which raw value becomes which field is not its business: `agent/mapping.py`.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from agent.outcome import Unable


class Way(NamedTuple):
    """
    Where a device is and how it is asked; secrets are in files, which only the worker's child reads.

    SNMP: a community (v2c), or a user name with authentication and privacy passwords (v3). `root` is where /sys, /proc
    and /run are found.
    """

    address: str = ""
    username: str = ""
    password_file: str = ""
    community_file: str = ""
    auth: str = ""
    auth_file: str = ""
    privacy: str = ""
    privacy_file: str = ""
    root: str = "/"


class Read(NamedTuple):
    """One entry of `collect` to be read from one device."""

    what: Any  # a section of firmware_profiles.sources
    way: Way
    timeout: float


# A few small files, or on Windows, where there is no worker, a few calls: no process is worth it.
LIGHT = frozenset({"file", "screen", "session"} if sys.platform == "win32" else {"file", "screen"})


def secret(file: str, what: str) -> str:
    """
    Return the secret in a file: its first line, without what Windows adds (CR, a byte order mark).

    Unable says what to do.
    """
    if not file:
        raise Unable(f"no {what} is given: name its file in [[credentials]]")
    try:
        text = Path(file).read_text(encoding="utf-8-sig").partition("\n")[0].strip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise Unable(f"{file}: the {what} cannot be read: {reason}") from None
    if not text:
        raise Unable(f"{file}: is empty, the {what} is missing")
    return text
