"""
The cause of a minute, and a day as runs of minutes with one cause.

A service minute 服务分钟 is [T − 60 s, T), T on the minute. It is good when the device ran all through it and what the
target asks for worked when it was asked; else it has the cause that took that away.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

MINUTE_NS = 60_000_000_000


class Cause(StrEnum):
    """What a minute is due to."""

    WORKING = "working"
    SERVICE_DOWN = "service_down"
    WAN_DOWN = "wan_down"
    LAN_DOWN = "lan_down"
    POWER_OFF = "power_off"
    ASLEEP = "asleep"
    AGENT_DOWN = "agent_down"
    UNKNOWN = "unknown"
    EXCLUDED = "excluded"


class Run(NamedTuple):
    """Minutes in a row with one cause; `stage` says what failed of a service that is down."""

    start_ns: int
    minutes: int
    cause: Cause
    stage: str = ""

    @property
    def end_ns(self) -> int:
        """The end of its last minute."""
        return self.start_ns + self.minutes * MINUTE_NS


# One letter a cause, in the text of a stored day: append-only.
_LETTERS = {
    Cause.WORKING: "w", Cause.SERVICE_DOWN: "s", Cause.WAN_DOWN: "n", Cause.LAN_DOWN: "l", Cause.POWER_OFF: "p",
    Cause.ASLEEP: "z", Cause.AGENT_DOWN: "a", Cause.UNKNOWN: "u", Cause.EXCLUDED: "x",
}  # fmt: skip
_CAUSES = {letter: cause for cause, letter in _LETTERS.items()}
_RUN = re.compile(r"(\d+)\+(\d+)([a-z])(?::([a-z0-9_.-]+))?")


def as_text(runs: Iterable[Run], day_start_ns: int) -> str:
    """Return runs as `500+45w 545+10s:dns`: minute of the day, how many, cause, stage."""
    return " ".join(
        f"{(run.start_ns - day_start_ns) // MINUTE_NS}+{run.minutes}{_LETTERS[run.cause]}"
        f"{f':{run.stage}' if run.stage else ''}"
        for run in runs
    )


def from_text(text: str, day_start_ns: int) -> tuple[Run, ...]:
    """Return the runs of a text; ValueError for one that `as_text` did not make."""
    runs = []
    for part in text.split():
        match = _RUN.fullmatch(part)
        if not match or match[3] not in _CAUSES:
            raise ValueError(f"{part!r} is not a run of minutes")
        start_ns = day_start_ns + int(match[1]) * MINUTE_NS
        runs.append(Run(start_ns, int(match[2]), _CAUSES[match[3]], match[4] or ""))
    return tuple(runs)
