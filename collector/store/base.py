"""
What the centre asks of a store, and the three fates of a write: accepted, refused (poison lines named), keep.

    Store (Protocol)
     ├─ SqliteStore   one file, the default of `santong up`
     └─ InfluxStore   InfluxDB 1.6 to 3 through line protocol and InfluxQL

Reads identify a series by device, source (the agent that observed) and own tags, and see each instant once. `site`
and `county` follow from the device id and are not repeated.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from contract.errors import SantongError
from contract.measurements import Retention
from contract.sample import Value


class StoreError(SantongError):
    """
    Base of what a store raises. An unknown failure means: keep the data and try again.

        StoreError
         ├─ StoreUnavailable     try the same again; after `retry_after_s`, 30 s at most, when it said so
         └─ StoreMisconfigured   an operator must act (database, password, retention policy, disk): keep, alarm
    """


class StoreUnavailable(StoreError):
    """The store cannot take or answer this now."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreMisconfigured(StoreError):
    """The store will not take anything until an operator acts; the message says what to do."""


class Poison(NamedTuple):
    """One line that the store refuses, and its own words."""

    line: bytes
    message: str


class Row(NamedTuple):
    """One stored point. `source` is the agent that observed; it equals `device` unless another agent spoke for it."""

    device: str
    source: str
    tags: tuple[tuple[str, str], ...]
    time_ns: int
    fields: dict[str, Value]


class Summary(NamedTuple):
    """How many points of one measurement a device has in a period, and when the first and the last."""

    device: str
    points: int
    first_ns: int
    last_ns: int


class Store(Protocol):
    """
    A store of evidence. Times are unix nanoseconds, periods are [start_ns, end_ns).

    Thread-safe for writes and reads. `write` is durable when it returns and idempotent: a line written twice is
    stored once; fields written later to the same series and time are merged, the later value winning.
    """

    def prepare(self) -> None:
        """Create what is missing: database, retention, tables, columns. StoreMisconfigured says what it may not."""

    def ready(self) -> None:
        """Return when the store can be used now, raise StoreError when not."""

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Write tagged lines, each ending with a line feed; return those refused; raise StoreError: none is lost."""

    def devices(self, start_ns: int, end_ns: int) -> list[str]:
        """Return the ids of all devices that have any presence or delivery in the period, sorted."""

    def select(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        """Yield rows sorted by device, source, own tags, time; of all devices or of `devices`."""

    def latest(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        """Yield the newest row of each series in the period, sorted as `select` does."""

    def summarise(self, measurement: str, start_ns: int, end_ns: int) -> Iterator[Summary]:
        """Yield a summary for each device with points of `measurement` in the period, sorted by device."""

    def close(self) -> None:
        """Release files and connections; may be called twice."""
