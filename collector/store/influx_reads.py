"""
What is read from InfluxDB, from the text of a query to rows, tracks and summaries; `influx` has the connection.

influxd works at one query on little more than one core. So questions about many devices are asked in pieces, two at a
time, while the piece before is read: that also bounds what is in memory.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, TypeVar

from collector.store import influxql
from collector.store.base import (
    DAY_NS,
    NO_PATTERNS,
    REACH_NS,
    Distinct,
    Late,
    Life,
    Patterns,
    PresenceSummary,
    ReadingSummary,
    Reads,
    Row,
    StoreUnavailable,
    Summary,
    Tally,
    Track,
)
from collector.store.tracks import (
    HOUR_NS,
    LIFE,
    MINUTE_NS,
    check_names,
    check_single,
    late_of,
    life_of,
    presence_summary,
    single,
    summary_of,
)
from contract.measurements import TABLE, Measurement, Retention
from contract.sample import Value

READERS = 2
# Of a piece: what a query costs besides its points is little then, and 100,000 points are some 20 MB.
POINTS_A_PIECE = 100_000
# How far off neighbours are looked for at first, and then: most are there, and each shard more costs.
_NEAR_NS = (2 * DAY_NS, 14 * DAY_NS)
# Beyond, it is cheaper to ask for all devices and drop some.
_MOST_NAMED = 500

A = TypeVar("A")
B = TypeVar("B")


def ahead(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield `work` of each item in order, READERS at a time; what is given up half-way ends with what is under way."""
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(READERS, "store-read")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > READERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _distances(reach_ns: int) -> Iterator[tuple[int, int]]:
    """Yield how far off neighbours are looked for, from and to, one after the other."""
    return pairwise([0, *(step for step in _NEAR_NS if step < reach_ns), reach_ns])


class _Pieces:
    """Sorted devices in pieces that grow and shrink with the points that are found."""

    def __init__(self, devices: Collection[str], period_ns: int) -> None:
        self._devices = sorted(set(devices))
        # One a minute is the most that is usual; what is rarer shows with the first pieces.
        self._size = self._bounded(POINTS_A_PIECE * MINUTE_NS // max(period_ns, 1))

    def __iter__(self) -> Iterator[list[str]]:
        at = 0
        while some := self._devices[at : at + self._size]:
            at += len(some)
            yield some

    def learn(self, devices: int, points: int) -> None:
        """Make the next pieces such that they have the points of one, at most twice as large."""
        self._size = self._bounded(min(2 * devices, devices * POINTS_A_PIECE // max(points, 1)))

    @staticmethod
    def _bounded(size: int) -> int:
        return max(1, min(influxql.DEVICES_A_QUERY, size))


class InfluxReads(Reads):
    """The questions of a store, over `_query`: what each gives stands in `Reads`."""

    server: str

    def _query(self, retention: Retention, text: str) -> Iterator[influxql.Series]:
        raise NotImplementedError

    def devices(self, start_ns: int, end_ns: int, among: Collection[str] | None = None) -> list[str]:
        answers = ahead(
            lambda period: [one["tags"]["device"] for one in self._query(Retention.EVIDENCE, influxql.devices(period))],
            influxql.periods(start_ns, end_ns, among),
        )
        return sorted({device for some in answers for device in some})

    def select(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        # InfluxDB sorts groups by the names of their tags, `agent` first: so only the device groups, agent and own tags
        # are read as columns, and the rows of each device, one at a time, are sorted here.
        row = TABLE[measurement]
        for period in influxql.periods(start_ns, end_ns, devices):
            before = ""
            pieces = self._query(row.retention, influxql.select(row, period))
            for device, series in groupby(pieces, key=lambda piece: piece["tags"]["device"]):
                if device < before:
                    raise StoreUnavailable(f"{self.server}: {device} came after {before}, out of order")
                before = device
                yield from influxql.canonical(found for piece in series for found in influxql.rows_of(row, piece))

    def latest(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        row = TABLE[measurement]
        for period in influxql.periods(start_ns, end_ns, devices):
            pieces = self._query(row.retention, influxql.latest(row, period))
            tagged = (influxql.with_tags(row, piece) for piece in pieces)
            found = influxql.canonical(found for piece in tagged for found in influxql.rows_of(row, piece))
            for _, same in groupby(found, key=lambda row: row[:3]):
                *_, newest = same
                yield newest

    def summarise(self, measurement: str, start_ns: int, end_ns: int) -> Iterator[Summary]:
        row = TABLE[measurement]
        (period,) = influxql.periods(start_ns, end_ns)
        counts, firsts, lasts = (
            {series["tags"]["device"]: series["values"][0] for series in self._query(row.retention, text)}
            for text in influxql.summarise(row, period)
        )
        for device in sorted(counts.keys() & firsts.keys() & lasts.keys()):
            yield Summary(device, counts[device][1], firsts[device][0], lasts[device][0])

    # ---- for verification

    def tracks(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
        where: Patterns = NO_PATTERNS,
    ) -> Iterator[Track]:
        row = TABLE[measurement]
        check_names(row, fields, where)
        period = influxql.period(start_ns, end_ns) + influxql.fitting(where)
        if devices is None:
            devices = self._devices_with(row, fields, period)
        pieces = _Pieces(devices, end_ns - start_ns)

        def read(some: list[str]) -> list[Track]:
            found = self._read(row, fields, f"{period} AND {influxql.among(some)}")
            pieces.learn(len(some), sum(len(track.points) for track in found))
            return found

        for found in ahead(read, pieces):
            yield from found

    def of_sites(
        self, measurement: str, fields: Sequence[str], start_ns: int, end_ns: int, sites: Collection[str]
    ) -> Iterator[Track]:
        row = TABLE[measurement]
        check_names(row, fields)
        conditions = influxql.of_sites(start_ns, end_ns, sites)
        for found in ahead(lambda condition: self._read(row, fields, condition), conditions):
            yield from found

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
        spans = [(at_ns - far, at_ns - near) for near, far in _distances(reach_ns)]
        return self._nearest(TABLE[measurement], fields, spans, devices, influxql.NEWEST, own=own)

    def first_from(
        self,
        measurement: str,
        fields: Sequence[str],
        at_ns: int,
        devices: Collection[str] | None = None,
        reach_ns: int = REACH_NS,
    ) -> Iterator[Track]:
        spans = [(at_ns + near, at_ns + far) for near, far in _distances(reach_ns)]
        return self._nearest(TABLE[measurement], fields, spans, devices, influxql.OLDEST)

    def presences(
        self, start_ns: int, end_ns: int, devices: Collection[str], network: Sequence[str] = ("lan", "wan")
    ) -> Iterator[PresenceSummary]:
        # Series of one device and source that others wrote under another site are not added up, since the same minute
        # may be in both: the one with the most presences counts.
        row = TABLE["presence"]
        ids = sorted(set(devices))
        firsts, lasts = (self._lives_at(row, ids, label_ns) for label_ns in (start_ns + MINUTE_NS, end_ns))
        ends = {
            key: (first, lasts[key]) for key, first in firsts.items() if key in lasts and first.boot == lasts[key].boot
        }
        conditions = influxql.periods(start_ns + 1, end_ns + 1, {key[0] for key in ends})
        found: dict[tuple[str, str], PresenceSummary] = {}
        for sums in ahead(lambda one: self._values(row, influxql.sums(row, "uptime_s", network, one)), conditions):
            for key in sums.keys() & ends.keys():
                _, *values = sums[key]
                summary = presence_summary(key[0], key[1] or key[0], network, values, ends[key])
                other = found.get(summary[:2])
                if other is None or summary.presences > other.presences:
                    found[summary[:2]] = summary
        yield from (found[name] for name in sorted(found))

    def _lives_at(self, row: Measurement, ids: Sequence[str], label_ns: int) -> dict[tuple[str, ...], Life]:
        """Return what the presences of one label say, by device, agent, site, county."""
        found = {}
        conditions = influxql.periods(label_ns, label_ns + 1, ids)
        for answer in ahead(lambda one: list(self._query(row.retention, influxql.at_once(row, LIFE, one))), conditions):
            for series in answer:
                for values in series["values"]:
                    if life := life_of(values[:4]):
                        found[tuple(tag or "" for tag in values[4:])] = life
        return found

    def readings(
        self,
        measurement: str,
        field: str,
        start_ns: int,
        end_ns: int,
        where: Patterns = NO_PATTERNS,
        devices: Collection[str] | None = None,
    ) -> Iterator[ReadingSummary]:
        # From the readings themselves: what `elapsed`, `distinct` and `count` cost together in influxd is more.
        return map(summary_of, self.tracks(measurement, [field], start_ns, end_ns, devices, where))

    def tallies(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Tally]:
        """
        Yield counts and sums of `fields` for each series that has any of them, sorted by device, source, tags.

        A day and a field at a time, since influxd computes a query on one core. Of series of one device, source and
        tags that others wrote under another site, which may hold the same points, the one with the most counts.
        """
        row = TABLE[measurement]
        check_names(row, fields)
        texts = [
            (at, influxql.tally(row, field, condition))
            for since_ns in range(start_ns, end_ns, DAY_NS)
            for condition in influxql.periods(since_ns, min(since_ns + DAY_NS, end_ns), devices)
            for at, field in enumerate(fields)
        ]
        found: dict[tuple[str, ...], list[list[float]]] = {}
        for at, sums in ahead(lambda text: (text[0], self._values(row, text[1], own=True)), texts):
            for key, (_, count, total) in sums.items():
                if count:
                    counts = found.setdefault(key, [[0, 0] for _ in fields])
                    counts[at][0] += count
                    counts[at][1] += total
        yield from _tallies(row, found)

    def edges(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Track]:
        """Yield the first and the last point in the period of each series that has any of `fields`; holds them all."""
        row = TABLE[measurement]
        check_names(row, fields)
        asked = [
            (condition, order)
            for condition in influxql.periods(start_ns, end_ns, devices)
            for order in (influxql.OLDEST, influxql.NEWEST)
        ]
        found: dict[tuple[Any, ...], Track] = {}
        for tracks in ahead(lambda ask: self._read(row, fields, *ask), asked):
            for track in tracks:
                found.setdefault(track[:3], track._replace(points=[])).points.extend(track.points)
        for key in sorted(found):
            points = single(sorted(found[key].points, key=itemgetter(0)))
            yield found[key]._replace(points=points if len(points) == 1 else [points[0], points[-1]])

    def distinct(
        self, measurement: str, field: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Distinct]:
        # In pieces also of all devices: influxd merges the points of all series by their time before it looks at them,
        # which costs the more the more series there are.
        row = TABLE[measurement]
        check_names(row, [field])
        if devices is None:
            devices = self._devices_with(row, [field], influxql.period(start_ns, end_ns))

        def read(condition: str) -> list[Distinct]:
            found: dict[tuple[str, str], set[Value]] = {}
            for series in self._query(row.retention, influxql.distinct(row, field, condition)):
                device = series["tags"]["device"]
                key = (device, series["tags"].get("agent") or device)
                found.setdefault(key, set()).update(value for _, value in series["values"])
            return [Distinct(*key, tuple(sorted(found[key]))) for key in sorted(found)]

        for some in ahead(read, influxql.periods(start_ns, end_ns, devices)):
            yield from some

    def late(self, since_ns: int, until_ns: int) -> Iterator[Late]:
        row = TABLE["late"]
        period = influxql.period(since_ns, until_ns)
        newest = {
            series["tags"]["device"]: series["values"][0][0]
            for series in self._query(row.retention, influxql.newest_late(row, period))
        }
        marks: dict[str, list[tuple[int, int, int]]] = {}
        for series in self._query(row.retention, influxql.late(row, period)):
            device = series["tags"]["device"]
            if last_ns := newest.get(device):
                marks.setdefault(device, []).extend(
                    (min(hour_ns + HOUR_NS - 1, last_ns), oldest, latest)
                    for hour_ns, oldest, latest in series["values"]
                    if oldest is not None and latest is not None and hour_ns <= last_ns
                )
        for device in sorted(marks):
            yield from late_of(device, marks[device])

    def _devices_with(self, row: Measurement, fields: Sequence[str], period: str) -> list[str]:
        pieces = self._query(row.retention, influxql.devices_with(row, fields, period))
        return sorted({piece["tags"]["device"] for piece in pieces})

    def _read(self, row: Measurement, fields: Sequence[str], condition: str, order: str = "") -> list[Track]:
        """Return the tracks of one query, sorted."""
        found: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[tuple[Any, ...]]] = {}
        for series in self._query(row.retention, influxql.tracks(row, fields, condition, order)):
            tags = series["tags"]
            own = tuple((tag, tags.get(tag) or "") for tag in row.tags)
            key = (tags["device"], tags.get("agent") or tags["device"], own)
            found.setdefault(key, []).extend(map(tuple, series["values"]))
        return [Track(*key, single(found[key])) for key in sorted(found)]

    def _nearest(
        self,
        row: Measurement,
        fields: Sequence[str],
        spans: list[tuple[int, int]],
        devices: Collection[str] | None,
        order: str,
        *,
        own: bool = True,
    ) -> Iterator[Track]:
        """Yield the nearest point of each device, looking for those without one in the next span."""
        check_names(row, fields)
        check_single(row)
        if devices is None:
            edges = [edge for span in spans for edge in span]
            spans = [(min(edges), max(edges))]
        missing = None if devices is None else set(devices)
        found: dict[str, Track] = {}
        for span in spans:
            period = influxql.period(*span)
            conditions = [period]
            if missing is not None and len(missing) <= _MOST_NAMED:
                conditions = list(influxql.periods(*span, missing))
            for tracks in ahead(lambda condition: self._read(row, fields, condition, order), conditions):
                for track in tracks:
                    is_wanted = missing is None or track.device in missing
                    if is_wanted and (track.device == track.source or not own):
                        found[track.device] = max(track, found.get(track.device, track), key=_when)
            if missing is not None:
                missing -= found.keys()
        yield from (found[device] for device in sorted(found))

    def _values(self, row: Measurement, text: str, *, own: bool = False) -> dict[tuple[str, ...], list[Any]]:
        """Return the one row of each group, by device, agent, site, county, and with `own` by own tags."""
        tags = (*influxql.IDENTITY, *(row.tags if own else ()))
        return {
            tuple(series["tags"].get(tag) or "" for tag in tags): series["values"][0]
            for series in self._query(row.retention, text)
        }


def _when(track: Track) -> int:
    return int(track.points[-1][0])


def _tallies(row: Measurement, found: Mapping[tuple[str, ...], list[list[float]]]) -> Iterator[Tally]:
    """Yield tallies from [count, sum] of each field, by device, agent, site, county, own tags."""
    best: dict[tuple[Any, ...], Tally] = {}
    for (device, agent, _, _, *own), fields in found.items():
        tags = tuple(zip(row.tags, own, strict=True))
        counts, sums = zip(*fields, strict=True)
        tally = Tally(device, agent or device, tags, tuple(map(int, counts)), sums)
        if tally[:3] not in best or sum(tally.counts) > sum(best[tally[:3]].counts):
            best[tally[:3]] = tally
    yield from (best[key] for key in sorted(best))
