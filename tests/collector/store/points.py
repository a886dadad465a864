"""Points for the tests of the stores: lines as the collector tags them, and the rows that must come back."""

import time
from collections.abc import Iterable, Mapping
from itertools import zip_longest

from collector.check import identity_tags
from collector.store.base import Row
from contract.lines import encode_line
from contract.measurements import TABLE, Kind, Retention
from contract.sample import Value

MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS
# Two hours ago, on the minute: within every retention, and nothing a test writes lies in the future.
BASE_NS = (time.time_ns() // MINUTE_NS - 120) * MINUTE_NS
ALL = (BASE_NS - DAY_NS, BASE_NS + DAY_NS)
DEVICE = "441802-3144001234.c0703"
GATEWAY = "441802-3144001234.gw"

EXTREMES: dict[Kind, tuple[Value, ...]] = {
    Kind.FLOAT: (0.1, 5.0, 1e-07, 1e16, -273.15, 1.7976931348623157e308, 5e-324, 123456789.123456789),
    Kind.INTEGER: (0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    Kind.STRING: ("初一(3)班 教室", "", "a b,c=d", "it's /fine/", "0", "é", "𠮷"),
}


def row(
    at: int,
    fields: Mapping[str, Value],
    *,
    device: str = DEVICE,
    source: str = "",
    tags: Mapping[str, str] | None = None,
) -> Row:
    """Return a row at BASE_NS + `at` minutes, observed by the device itself unless a source is given."""
    return Row(device, source or device, tuple((tags or {}).items()), BASE_NS + at * MINUTE_NS, dict(fields))


def line(measurement: str, point: Row) -> bytes:
    """Return the tagged line of a row, with its line feed."""
    plain = encode_line(measurement, dict(point.tags), point.fields, point.time_ns)
    name = measurement.encode()
    return plain.replace(name, name + identity_tags(point.source, point.device), 1) + b"\n"


def body(measurement: str, points: Iterable[Row]) -> tuple[Retention, bytes]:
    """Return the two arguments of `write` for rows of one measurement."""
    return TABLE[measurement].retention, b"".join(line(measurement, point) for point in points)


def presence(minutes: Iterable[int], device: str = DEVICE) -> list[Row]:
    """Return one presence for each minute after BASE_NS."""
    fields: dict[str, Value] = {"asleep_s": 0.0, "lan": 1, "wan": 1, "broker": 1, "boot": "5f0c9a1e"}
    return [row(at, {**fields, "uptime_s": 60.0 * at}, device=device) for at in minutes]


def in_order(points: Iterable[Row]) -> list[Row]:
    """Return rows in the canonical order: device, source, own tags, time."""
    return sorted(points, key=lambda point: point[:4])


def first_difference(found: Iterable[Row], wanted: Iterable[Row]) -> tuple[Row | None, Row | None] | None:
    """Return the first pair that differs; for long lists, whose whole difference nobody can read."""
    return next(((a, b) for a, b in zip_longest(found, wanted) if a != b), None)
