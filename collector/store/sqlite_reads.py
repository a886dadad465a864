"""What is read from SQLite, series by series: each is one range of the file, its key a seek from the one before."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

from collector.store import sql
from collector.store.base import (
    NO_PATTERNS,
    REACH_NS,
    Distinct,
    Late,
    Patterns,
    PresenceSummary,
    ReadingSummary,
    Reads,
    Row,
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
    fitting,
    late_of,
    life_of,
    presence_summary,
    summary_of,
)
from contract.measurements import TABLE, Measurement


def columns(connection: sqlite3.Connection, row: Measurement) -> set[str]:
    """Return the columns that the file has; none when it was never prepared for this measurement."""
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (row.name,))}


def series_of(
    connection: sqlite3.Connection, row: Measurement, devices: Collection[str] | None
) -> Iterator[tuple[str, ...]]:
    """Yield the key of every series in canonical order, one seek each; a DISTINCT would read the whole table."""
    step = sql.next_series(row)
    for device in [""] if devices is None else sorted(set(devices)):
        key = (device, "", *("" for _ in row.tags))  # comes before every key of the device
        while (key := connection.execute(step, key).fetchone()) and (devices is None or key[0] == device):
            yield key


def series_of_sites(
    connection: sqlite3.Connection, row: Measurement, sites: Collection[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the key of every series of some sites in canonical order: ids of a site's devices begin with its own."""
    step = sql.next_series(row)
    for prefix in sorted(f"{site}." for site in set(sites)):
        key = (prefix, "", *("" for _ in row.tags))
        while (key := connection.execute(step, key).fetchone()) and key[0].startswith(prefix):
            yield key


class SqliteReads(Reads):
    """The questions of a store, over `_read`: what each gives stands in `Reads`."""

    def _read(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def devices(self, start_ns: int, end_ns: int, among: Collection[str] | None = None) -> list[str]:
        rows = (row for name in ("presence", "delivery") for row in self.latest(name, start_ns, end_ns, among))
        return sorted({row.device for row in rows})

    def select(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        return self._rows(TABLE[measurement], (start_ns, end_ns), devices, "ORDER BY time")

    def latest(
        self, measurement: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Row]:
        return self._rows(TABLE[measurement], (start_ns, end_ns), devices, "ORDER BY time DESC LIMIT 1")

    def summarise(self, measurement: str, start_ns: int, end_ns: int) -> Iterator[Summary]:
        row = TABLE[measurement]
        text = sql.select(row, "count(*), min(time), max(time)")
        with self._read() as connection:
            if not columns(connection, row):
                return
            for device, keys in groupby(series_of(connection, row, None), key=lambda key: key[0]):
                found = [connection.execute(text, (*key, start_ns, end_ns)).fetchone() for key in keys]
                if points := sum(count for count, _, _ in found):
                    firsts, lasts = zip(*(span for count, *span in found if count), strict=True)
                    yield Summary(device, points, min(firsts), max(lasts))

    def _rows(
        self, row: Measurement, period: tuple[int, int], devices: Collection[str] | None, order: str
    ) -> Iterator[Row]:
        with self._read() as connection:
            have = columns(connection, row)
            if not have:
                return
            # A reader may be newer than the file: fields that it lacks are absent from every row.
            fields = [field.name for field in row.fields if field.name in have]
            text = sql.select(row, sql.names(("time", *fields)), order)
            for key in series_of(connection, row, devices):
                device, source, *own = key
                tags = tuple(zip(row.tags, own, strict=True))
                for time_ns, *values in connection.execute(text, (*key, *period)):
                    present = {name: value for name, value in zip(fields, values, strict=True) if value is not None}
                    yield Row(device, source, tags, time_ns, present)

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
        with self._read() as connection:
            if have := columns(connection, row):
                text = sql.points(row, fields, have, "ORDER BY time")
                keys = series_of(connection, row, devices)
                yield from _tracks(connection, text, row, keys, (start_ns, end_ns), where)

    def of_sites(
        self, measurement: str, fields: Sequence[str], start_ns: int, end_ns: int, sites: Collection[str]
    ) -> Iterator[Track]:
        row = TABLE[measurement]
        check_names(row, fields)
        with self._read() as connection:
            if have := columns(connection, row):
                text = sql.points(row, fields, have, "ORDER BY time")
                yield from _tracks(connection, text, row, series_of_sites(connection, row, sites), (start_ns, end_ns))

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
        found = self._nearest(TABLE[measurement], fields, (at_ns - reach_ns, at_ns), devices, "DESC", own=own)
        for _, same in groupby(found, key=lambda track: track.device):
            yield max(same, key=lambda track: track.points[0][0])

    def first_from(
        self,
        measurement: str,
        fields: Sequence[str],
        at_ns: int,
        devices: Collection[str] | None = None,
        reach_ns: int = REACH_NS,
    ) -> Iterator[Track]:
        return self._nearest(TABLE[measurement], fields, (at_ns, at_ns + reach_ns), devices, "ASC")

    def presences(
        self, start_ns: int, end_ns: int, devices: Collection[str], network: Sequence[str] = ("lan", "wan")
    ) -> Iterator[PresenceSummary]:
        row = TABLE["presence"]
        summed = "".join(f', sum("{field}")' for field in network)
        sums = sql.select(row, f"count(uptime_s), total(uptime_s){summed}")
        with self._read() as connection:
            if not (have := columns(connection, row)):
                return
            text = sql.points(row, LIFE, have, "")
            for key in series_of(connection, row, devices):
                first, last = (
                    life_of(point) if (point := connection.execute(text, (*key, at_ns, at_ns + 1)).fetchone()) else None
                    for at_ns in (start_ns + MINUTE_NS, end_ns)
                )
                if first and last and first.boot == last.boot:
                    found = connection.execute(sums, (*key, start_ns + 1, end_ns + 1)).fetchone()
                    yield presence_summary(key[0], key[1], network, found, (first, last))

    def readings(
        self,
        measurement: str,
        field: str,
        start_ns: int,
        end_ns: int,
        where: Patterns = NO_PATTERNS,
        devices: Collection[str] | None = None,
    ) -> Iterator[ReadingSummary]:
        return map(summary_of, self.tracks(measurement, [field], start_ns, end_ns, devices, where))

    def tallies(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Tally]:
        """Yield counts and sums of `fields` for each series that has any of them, sorted by device, source, tags."""
        row = TABLE[measurement]
        check_names(row, fields)
        with self._read() as connection:
            have = columns(connection, row)
            wanted = [f'"{field}"' if field in have else "NULL" for field in fields]
            text = sql.select(row, ", ".join(f"count({one}), total({one})" for one in wanted))
            for key in series_of(connection, row, devices) if have else ():
                found = connection.execute(text, (*key, start_ns, end_ns)).fetchone()
                if any(found[::2]):
                    tags = tuple(zip(row.tags, key[2:], strict=True))
                    yield Tally(key[0], key[1], tags, found[::2], found[1::2])

    def edges(
        self,
        measurement: str,
        fields: Sequence[str],
        start_ns: int,
        end_ns: int,
        devices: Collection[str] | None = None,
    ) -> Iterator[Track]:
        """Yield the first and the last point in the period of each series that has any of `fields`."""
        row = TABLE[measurement]
        check_names(row, fields)
        with self._read() as connection:
            if not (have := columns(connection, row)):
                return
            ends = [sql.points(row, fields, have, f"ORDER BY time {order} LIMIT 1") for order in ("ASC", "DESC")]
            for key in series_of(connection, row, devices):
                found = [point for text in ends for point in connection.execute(text, (*key, start_ns, end_ns))]
                if found:
                    tags = tuple(zip(row.tags, key[2:], strict=True))
                    yield Track(key[0], key[1], tags, found[:1] if found[0] == found[-1] else found)

    def distinct(
        self, measurement: str, field: str, start_ns: int, end_ns: int, devices: Collection[str] | None = None
    ) -> Iterator[Distinct]:
        row = TABLE[measurement]
        check_names(row, [field])
        with self._read() as connection:
            if field not in columns(connection, row):
                return
            text = sql.select(row, f'DISTINCT "{field}"')
            for (device, source), keys in groupby(series_of(connection, row, devices), key=lambda key: key[:2]):
                found = {value for key in keys for (value,) in connection.execute(text, (*key, start_ns, end_ns))}
                if found := found - {None}:
                    yield Distinct(device, source, tuple(sorted(found)))

    def late(self, since_ns: int, until_ns: int) -> Iterator[Late]:
        row = TABLE["late"]
        text = sql.select(row, "max(time), min(oldest), max(newest)", f"GROUP BY time / {HOUR_NS}")
        with self._read() as connection:
            if not columns(connection, row):
                return
            for device, keys in groupby(series_of(connection, row, None), key=lambda key: key[0]):
                hours = [hour for key in keys for hour in connection.execute(text, (*key, since_ns, until_ns))]
                joined = groupby(sorted(hours), key=lambda hour: hour[0] // HOUR_NS)
                yield from late_of(device, (_joined(list(same)) for _, same in joined))

    def _nearest(
        self,
        row: Measurement,
        fields: Sequence[str],
        period: tuple[int, int],
        devices: Collection[str] | None,
        order: str,
        *,
        own: bool = True,
    ) -> Iterator[Track]:
        check_names(row, fields)
        check_single(row)
        with self._read() as connection:
            if not (have := columns(connection, row)):
                return
            text = sql.points(row, fields, have, f"ORDER BY time {order} LIMIT 1")
            for device, source in series_of(connection, row, devices):
                if own and device != source:
                    continue
                if points := connection.execute(text, (device, source, *period)).fetchall():
                    yield Track(device, source, (), points)


def _tracks(
    connection: sqlite3.Connection,
    text: str,
    row: Measurement,
    keys: Iterable[tuple[str, ...]],
    period: tuple[int, int],
    where: Patterns = NO_PATTERNS,
) -> Iterator[Track]:
    fits = fitting(where)
    for key in keys:
        tags = tuple(zip(row.tags, key[2:], strict=True))
        if fits(dict(tags)) and (points := connection.execute(text, (*key, *period)).fetchall()):
            yield Track(key[0], key[1], tags, points)


def _joined(hours: list[tuple[Any, ...]]) -> tuple[int, int, int]:
    stored, oldest, newest = zip(*hours, strict=True)
    return max(stored), min(oldest), max(newest)
