"""
What the API asks of the centre; `collector.centre` answers it from the store and the files of the data folder.

Each question costs no more than what it returns: what would take long is made beforehand, or read in pieces.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from collector.metrics import Family
from collector.verdicts import Verification
from collector.watch.types import Handling, Incident, Now
from contract.errors import SantongError


class Unavailable(SantongError):
    """A part of the centre that cannot be read now: `part` is its name, the message is for whoever runs the centre."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class Missing(SantongError):
    """What was asked for is not there; the message is for whoever asks."""


class Refusal(SantongError):
    """What was asked for cannot be done as things are; the message is for whoever asks."""


class Place(NamedTuple):
    """A device that should exist today, or one that was heard and is not in the roster (`registered` false)."""

    device: str
    site: str
    county: str
    site_name: str = ""
    class_name: str = ""
    role: str = ""
    registered: bool = True
    counts: bool = True  # it is commissioned: it is in the denominator today
    room: str = ""


class Refused(NamedTuple):
    """An entry of quarantine, without its content; the newest has the highest `number`."""

    number: int
    received_ns: int
    agent: str
    device: str
    line: int
    reason: str
    detail: str
    size: int


class Closed(NamedTuple):
    """A month that was closed, or a correction; `files` by name with their SHA-256."""

    id: str
    number: str
    month: str
    corrects: str
    closed_at: str
    closed_by: str
    fingerprint: str
    files: Mapping[str, str]


class Claimed(NamedTuple):
    """A dispute or closure as `santong dispute list --json` has it, and where it is: `site` empty for a county's."""

    number: int
    county: str
    site: str
    tree: Mapping[str, Any]


class Part(NamedTuple):
    """Whether a part of the centre does its work, and since when not or why, without names."""

    name: str
    is_well: bool
    text: str


class Heard(NamedTuple):
    """Devices that said anything from `since_ns` on, as of `at_ns`."""

    at_ns: int
    since_ns: int
    devices: frozenset[str]


class Points(NamedTuple):
    """Points of one series: source, own tags, and tuples of time_ns and a value for each field asked for."""

    source: str
    tags: Mapping[str, str]
    points: list[tuple[Any, ...]]


class Centre(Protocol):
    """The centre. Everything may raise Unavailable."""

    zone: ZoneInfo

    def places(self) -> Mapping[str, Place]:
        """Return the devices of today's roster, by id."""

    def sites(self) -> Mapping[str, str]:
        """Return the names of the sites of today's roster, by id."""

    def now(self) -> Mapping[str, Now] | None:
        """Return the state of each device; None where nobody watches."""

    def incidents(self, since_ns: int | None, *, open_only: bool) -> Sequence[Incident]:
        """Return incidents that are open, or ended since then; None: within 30 days."""

    def incident(self, name: str) -> Incident:
        """Return an incident; Missing where there is none of that number."""

    def handle(self, name: str, what: Handling, by: str, text: str, before: Callable[[], None]) -> Incident:
        """Write down, durably, what somebody does about an incident, after `before`; Refusal says why not."""

    def disputes(self) -> Sequence[Claimed]:
        """Return disputes and closures by number."""

    def quarantined(self, most: int, before: int | None) -> Sequence[Refused]:
        """Return what was refused, the newest first; of numbers below `before`."""

    def closings(self) -> Sequence[Closed]:
        """Return what was closed, in order."""

    def closing_file(self, name: str, file: str) -> Path:
        """Return a file of a closing, which is as it was signed; Missing where there is none."""

    def verification(self, first: date | None, last: date | None) -> Verification:
        """Return what is kept of a period; Missing says of which there is anything."""

    def last_seen(self, devices: Collection[str]) -> Mapping[str, int]:
        """Return when each device was seen last, unix ns, of those that were seen at all within 35 days."""

    def heard(self) -> Heard:
        """Return who reported lately."""

    def points(
        self, measurement: str, fields: Sequence[str], device: str, start_ns: int, end_ns: int
    ) -> Iterator[Points]:
        """Yield the points of one device in a period, by series."""

    def health(self) -> Sequence[Part]:
        """Return how each part is; never raises."""

    def metrics(self) -> Sequence[Family]:
        """Return what there is to count; parts that cannot be read are left out."""
