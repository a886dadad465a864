"""
InfluxQL: the text of the queries, and the rows of their answers. Nothing here goes over a network.

Values in a text are the names of the measurement table and escaped device ids, so S608 does not apply.
"""

# ruff: noqa: S608

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from collector.store.base import Patterns, Row
from collector.store.tracks import is_exact, regular
from contract.measurements import RETENTION_DAYS, Kind, Measurement, Retention

# Bounds the text of a query: 50 ids of at most 64 characters stay within the 8 KiB that proxies allow a URL.
DEVICES_A_QUERY = 50
SITES_A_QUERY = 50

# The tags by which series are told apart, before their own.
IDENTITY = ("device", "agent", "site", "county")
OLDEST, NEWEST = " ORDER BY time ASC LIMIT 1", " ORDER BY time DESC LIMIT 1"

Series = dict[str, Any]  # {"name": …, "tags": {…}, "columns": […], "values": [[…], …]}


# ---- texts


def name(text: str) -> str:
    """Return an identifier in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(text: str) -> str:
    """Return a string in quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _some(fields: Iterable[str]) -> str:
    return ", ".join(f"{name(field)}::field" for field in fields)


def _fields(row: Measurement) -> str:
    return _some(field.name for field in row.fields)


def period(start_ns: int, end_ns: int) -> str:
    """Return the condition of a period."""
    return f"time >= {start_ns} AND time < {end_ns}"


def among(ids: Collection[str]) -> str:
    """Return the condition that the device is one of some."""
    some = " OR ".join(f'"device" = {_literal(device)}' for device in ids)
    return f"({some})"


def fitting(where: Patterns) -> str:
    """Return conditions on tags, each behind an AND; a tag is equal to a text, or fits a regular expression."""
    return "".join(
        f" AND {name(tag)} = {_literal(pattern)}"
        if is_exact(pattern)
        else f" AND {name(tag)} =~ /^{regular(pattern)}$/"
        for tag, pattern in where.items()
    )


def periods(start_ns: int, end_ns: int, devices: Collection[str] | None = None) -> Iterator[str]:
    """Yield conditions on time and device, DEVICES_A_QUERY ids each, in the order of the ids."""
    condition = period(start_ns, end_ns)
    if devices is None:
        yield condition
        return
    ids = sorted(set(devices))
    for at in range(0, len(ids), DEVICES_A_QUERY):
        yield f"{condition} AND {among(ids[at : at + DEVICES_A_QUERY])}"


def of_sites(start_ns: int, end_ns: int, sites: Collection[str]) -> Iterator[str]:
    """Yield conditions on time and site, SITES_A_QUERY sites each, in the order of their devices' ids."""
    ordered = sorted(set(sites), key=lambda site: f"{site}.")
    for at in range(0, len(ordered), SITES_A_QUERY):
        some = " OR ".join(f'"site" = {_literal(site)}' for site in ordered[at : at + SITES_A_QUERY])
        yield f"{period(start_ns, end_ns)} AND ({some})"


def select(row: Measurement, period: str) -> str:
    """
    Return the query for all rows, grouped by device, with agent and own tags as columns.

    InfluxDB sorts groups by the names of their tags, `agent` before `device`: with the device as the only group, the
    devices come in order, and one device at a time can be sorted by the rest.
    """
    tags = ", ".join(f"{name(tag)}::tag" for tag in ("agent", *row.tags))
    return f'SELECT {_fields(row)}, {tags} FROM {name(row.name)} WHERE {period} GROUP BY "device"'


def latest(row: Measurement, period: str) -> str:
    """Return the query for the newest row of each series; `last(*)` would mix the last values of several rows."""
    groups = ", ".join(map(name, ("device", "agent", *row.tags)))
    return f"SELECT {_fields(row)} FROM {name(row.name)} WHERE {period} GROUP BY {groups} ORDER BY time DESC LIMIT 1"


def devices(period: str) -> str:
    """Return the query for one row of each device that has presence or delivery."""
    return f'SELECT *::field FROM "presence", "delivery" WHERE {period} GROUP BY "device" LIMIT 1'


def summarise(row: Measurement, period: str) -> tuple[str, str, str]:
    """
    Return the queries for the number of points, the first and the last row of each device.

    `count` counts the values of one field, which a point need not have: so each point is given a column that it
    always has, its device, and these are counted.
    """
    points = f'SELECT {_fields(row)}, "device"::tag FROM {name(row.name)} WHERE {period}'
    one = f'SELECT {_fields(row)} FROM {name(row.name)} WHERE {period} GROUP BY "device" ORDER BY time'
    return f'SELECT count("device") FROM ({points}) GROUP BY "device"', f"{one} ASC LIMIT 1", f"{one} DESC LIMIT 1"


def tracks(row: Measurement, fields: Sequence[str], condition: str, order: str = "") -> str:
    """Return the query for some fields of each series, with all its tags but site and county as its group."""
    groups = ", ".join(map(name, ("device", "agent", *row.tags)))
    return f"SELECT {_some(fields)} FROM {name(row.name)} WHERE {condition} GROUP BY {groups}{order}"


def devices_with(row: Measurement, fields: Sequence[str], condition: str) -> str:
    """Return the query for one row of each device that has any of the fields."""
    return f'SELECT {_some(fields)} FROM {name(row.name)} WHERE {condition} GROUP BY "device" LIMIT 1'


def at_once(row: Measurement, fields: Sequence[str], condition: str) -> str:
    """Return the query for some fields of all series at one instant, with the identity as columns: groups cost more."""
    tags = ", ".join(f"{name(tag)}::tag" for tag in IDENTITY)
    return f"SELECT {_some(fields)}, {tags} FROM {name(row.name)} WHERE {condition}"


def sums(row: Measurement, field: str, others: Sequence[str], condition: str) -> str:
    """Return the query for how many values a field of each series has, and for its sum and those of others."""
    groups = ", ".join(map(name, IDENTITY))
    wanted = ", ".join((f"count({name(field)})", *(f"sum({name(one)})" for one in (field, *others))))
    return f"SELECT {wanted} FROM {name(row.name)} WHERE {condition} GROUP BY {groups}"


def tally(row: Measurement, field: str, condition: str) -> str:
    """Return the query for count and sum of a field of each series; series are told apart as `presences` does."""
    groups = ", ".join(map(name, (*IDENTITY, *row.tags)))
    return f"SELECT count({name(field)}), sum({name(field)}) FROM {name(row.name)} WHERE {condition} GROUP BY {groups}"


def distinct(row: Measurement, field: str, condition: str) -> str:
    """Return the query for the different values of a field of each device and agent."""
    return f'SELECT distinct({name(field)}) FROM {name(row.name)} WHERE {condition} GROUP BY "device", "agent"'


def late(row: Measurement, condition: str) -> str:
    """Return the query for what is late, by device and hour."""
    wanted = 'min("oldest"), max("newest")'
    return f'SELECT {wanted} FROM {name(row.name)} WHERE {condition} GROUP BY time(1h), "device" fill(none)'


def newest_late(row: Measurement, condition: str) -> str:
    """Return the query for the last mark of each device."""
    return f'SELECT "newest" FROM {name(row.name)} WHERE {condition} GROUP BY "device"{NEWEST}'


def seconds(duration: str) -> float:
    """Return the seconds of a Go duration such as `26304h0m0s`; 0s, which is for ever, as infinity."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", duration)) or math.inf


def seconds_kept(retention: Retention) -> int:
    """Return how long a retention class is kept."""
    return RETENTION_DAYS[retention] * 86_400


# ---- rows


def rows_of(row: Measurement, series: Series) -> Iterator[Row]:
    """Yield the rows of a piece of a series whose columns are time, the fields of `row`, agent, own tags."""
    device = series["tags"]["device"]
    names = [field.name for field in row.fields]
    # JSON has one kind of number: a float without a fraction arrives as an integer.
    floats = [at for at, field in enumerate(row.fields, start=1) if field.kind is Kind.FLOAT]
    end = 1 + len(names)
    for values in series["values"]:
        for at in floats:
            if type(values[at]) is int:
                values[at] = float(values[at])
        fields = dict(zip(names, values[1:end], strict=True))
        if None in fields.values():
            fields = {name: value for name, value in fields.items() if value is not None}
        agent, *own = values[end:]
        tags = tuple((tag, value or "") for tag, value in zip(row.tags, own, strict=True)) if own else ()
        yield Row(device, agent or device, tags, values[0], fields)


def with_tags(row: Measurement, series: Series) -> Series:
    """Move agent and own tags from the key of a series to its columns."""
    own = [series["tags"].get(tag) for tag in ("agent", *row.tags)]
    return {**series, "values": [[*values, *own] for values in series["values"]]}


def canonical(rows: Iterable[Row]) -> Iterator[Row]:
    """Sort rows by device, source, own tags, time; rows of one instant, from foreign series, become one."""
    for _, same in groupby(sorted(rows, key=lambda row: row[:4]), key=lambda row: row[:4]):
        first, *others = same
        for other in others:
            first.fields.update(other.fields)
        yield first
