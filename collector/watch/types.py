"""What watch says of a device now, and what it calls an incident: read by the board and the API."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How a device is now."""

    WORKING = "working"  # proven good now
    FAILING = "failing"  # powered, but service, Internet or LAN is down
    OFF = "off"  # ended or powered off in order, or a classroom that is simply off
    OFFLINE = "offline"  # gone without a word while it should be there
    SILENT = "silent"  # not heard on so many school days
    UNKNOWN = "unknown"  # never heard, or no evidence
    QUIET = "quiet"  # closure, maintenance, outside hours


class Now(NamedTuple):
    """The state of one device."""

    device: str
    state: State
    since_ns: int
    why: str = ""  # a cause or stage of the verifier (wan_down, lan_down, service_down, power_off …) or a fault's code
    incident: str = ""  # id of the open incident that it is part of


class Handling(StrEnum):
    """What somebody does about an incident."""

    ACKNOWLEDGE = "ack"  # looks after it: it is not escalated any more
    NOTE = "note"
    CLOSE = "close"  # it is over; nothing more is opened about it until it was good again


class Note(NamedTuple):
    """What somebody wrote to an incident."""

    at_ns: int
    by: str
    text: str


class Incident(NamedTuple):
    """One thing that is wrong, of one device or of many."""

    id: str
    opened_ns: int
    closed_ns: int | None
    kind: str  # device, site, operator, fault, silent, centre
    county: str
    site: str
    operator: str
    devices: tuple[str, ...]
    why: str
    minutes: int  # of service lost so far, of all its devices together
    acknowledged_by: str = ""
    notes: tuple[Note, ...] = ()
    began_ns: int = 0  # when it began; somebody was told from `opened_ns` on

    @property
    def since_ns(self) -> int:
        """Since when it is so, as messages tell it."""
        return self.began_ns or self.opened_ns
