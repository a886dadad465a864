"""
What the centre asks of a store, and the three fates of a write: accepted, refused (poison lines named), keep.

    Store (Protocol)
     ├─ SqliteStore   one file, the default of `santong up`
     └─ InfluxStore   InfluxDB 1.6 to 3 through line protocol and InfluxQL

Reads identify a series by device, source (the agent that observed) and own tags, and see each instant once. `site`
and `county` follow from the device id and are not repeated.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

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


# Own tag -> pattern of its value, in which `*` is any text and `?` any one character; all of them must fit.
Patterns = Mapping[str, str]
NO_PATTERNS: Patterns = {}
DAY_NS = 86_400_000_000_000
REACH_NS = 90 * DAY_NS
MOST_VALUES = 16


class Track(NamedTuple):
    """
    The points of one series as lean tuples: (time_ns, one value for each field asked for), sorted by time.

    A field that a point does not have is None. A number comes as the store gave it: a float without a fraction may be
    an int.
    """

    device: str
    source: str
    tags: tuple[tuple[str, str], ...]
    points: list[tuple[Any, ...]]


class Life(NamedTuple):
    """What a presence says of the life of its agent: since when it has run, and how long of that it slept."""

    time_ns: int
    boot: str
    uptime_s: float
    asleep_s: float


class PresenceSummary(NamedTuple):
    """
    The presences of one series that prove minutes of a window: how many, the first and the last.

    `lan` and `wan` say for how many of these minutes the gateway, and the internet, answered; 0 where it was not asked.
    Presences are labelled with whole minutes, one at most a label: a window of n minutes is proven without a gap when
    there are n.
    `uptime_sum_s`, the sum of `uptime_s`, is presences × (first + last) ÷ 2 as long as one boot is seen.
    """

    device: str
    source: str
    presences: int
    lan: int
    wan: int
    uptime_sum_s: float
    first: Life
    last: Life


class ReadingSummary(NamedTuple):
    """
    One field of one series in a period: how many values, which ones, and how far apart at most.

    `values` are the different ones, sorted; of more than MOST_VALUES the least and the greatest alone, and `is_range`
    says so. `gap_ns` is the longest time between neighbours, 0 for a single one; what is before the first and behind
    the last is for the reader to judge.
    """

    device: str
    source: str
    tags: tuple[tuple[str, str], ...]
    points: int
    values: tuple[Value, ...]
    is_range: bool
    first_ns: int
    last_ns: int
    gap_ns: int


class Tally(NamedTuple):
    """How many values each of some fields has in one series over a period, and the sums of them, 0 without any."""

    device: str
    source: str
    tags: tuple[tuple[str, str], ...]
    counts: tuple[int, ...]
    sums: tuple[float, ...]


class Distinct(NamedTuple):
    """The different values of one field that a device has by one source, sorted."""

    device: str
    source: str
    values: tuple[Value, ...]


class Late(NamedTuple):
    """
    Batches of one device that were stored long after their samples were taken, those of one hour together.

    `stored_ns` is the time of the last of them, or later but within that hour; `oldest_ns` and `newest_ns` are those of
    all their samples, to the ms and not narrower.
    """

    device: str
    stored_ns: int
    oldest_ns: int
    newest_ns: int


class Reads(Protocol):
    """What is asked of a store. Times are unix nanoseconds, periods are [start_ns, end_ns)."""

    def devices(self, start_ns: int, end_ns: int, among: Collection[str] | None = None) -> list[str]:
        """Return the ids of all devices, or of some, with any presence or delivery in the period, sorted."""

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

    def tracks(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
        where: Patterns = NO_PATTERNS,
    ) -> Iterator[Track]:
        """
        Yield what `select` does as lean tuples of `fields`, a series at a time; points with none of them are left out.

        Several times as fast as `select`. Sorted by device, source, own tags; bounded in memory, but for one series.
        Few fields, and short ones, cost less: name only what is used. A field that few points have costs little,
        however many points there are: `tracks("delivery", ["held"], …)`.
        """

    def of_sites(
        self, measurement: str, fields: Sequence[str], start_ns: int, end_ns: int, sites: Collection[str]
    ) -> Iterator[Track]:
        """Yield what `tracks` does of all devices that some sites ever had; for a period of a day or two."""

    def last_before(
        self,
        measurement: str,
        fields: Sequence[str],
        at_ns: int,
        devices: Collection[str] | None = None,
        reach_ns: int = REACH_NS,
        *,
        own: bool = True,
    ) -> Iterator[Track]:
        """
        Yield for each device the last point before `at_ns`, no more than `reach_ns` before: one point a track.

        Of measurements without own tags; of what a device said itself (source = device), or with `own` false of what
        anybody said of it. Sorted by device. What is near is found soon: name the devices, and only those without any
        nearby are looked for further off.
        """

    def first_from(
        self,
        measurement: str,
        fields: Sequence[str],
        at_ns: int,
        devices: Collection[str] | None = None,
        reach_ns: int = REACH_NS,
    ) -> Iterator[Track]:
        """Yield for each device the first point at or after `at_ns`, less than `reach_ns` after; see `last_before`."""

    def presences(
        self, start_ns: int, end_ns: int, devices: Collection[str], network: Sequence[str] = ("lan", "wan")
    ) -> Iterator[PresenceSummary]:
        """
        Yield a summary of each series that may prove the whole of a window, sorted by device, source.

        The window is one of service minutes, and begins and ends with one: a presence labelled T proves [T − 60 s, T),
        so those of `start_ns` < T ≤ `end_ns` are looked at. Presences without `uptime_s` prove nothing. A series
        without presences of one boot at both ends is left out: that costs little to find. `network` says of what there
        are sums.
        """

    def readings(
        self,
        measurement: str,
        field: str,
        start_ns: int,
        end_ns: int,
        where: Patterns = NO_PATTERNS,
        devices: Collection[str] | None = None,
    ) -> Iterator[ReadingSummary]:
        """Yield a summary of `field` for each series that has it in the period, sorted by device, source, tags."""

    def tallies(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Tally]:
        """
        Yield counts and sums of numeric fields for each series that has any of them, sorted by device, source, tags.

        The store adds up, whatever the number of points; a long period is added up piece by piece.
        """

    def edges(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Track]:
        """Yield the first and the last point in the period of each series that has any of `fields`, sorted as `tracks`.

        A track has one point or two.
        """

    def distinct(
        self, measurement: str, field: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Distinct]:
        """Yield which different values of `field` each device and source has in the period, sorted by these."""

    def late(self, since_ns: int, until_ns: int) -> Iterator[Late]:
        """Yield what was stored late in [since, until), by device and hour, sorted so."""


class Store(Reads, Protocol):
    """
    A store of evidence.

    Thread-safe for writes and reads. `write` is durable when it returns and idempotent: a line written twice is
    stored once; fields written later to the same series and time are merged, the later value winning.
    """

    def prepare(self) -> None:
        """Create what is missing: database, retention, tables, columns. StoreMisconfigured says what it may not."""

    def ready(self) -> None:
        """Return when the store can be used now, raise StoreError when not."""

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Write tagged lines, each ending with a line feed; return those refused; raise StoreError: none is lost."""

    def close(self) -> None:
        """Release files and connections; may be called twice."""
