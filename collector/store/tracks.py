"""Tracks, whatever store they come from: patterns of tags, points of one instant, summaries."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import eq, itemgetter, sub
from typing import Any

from collector.store.base import MOST_VALUES, NO_PATTERNS, Late, Life, Patterns, PresenceSummary, ReadingSummary, Track
from contract.measurements import Measurement

HOUR_NS = 3_600_000_000_000
MINUTE_NS = 60_000_000_000
MS_NS = 1_000_000
LIFE = ("boot", "uptime_s", "asleep_s")

Point = tuple[Any, ...]


def check_names(row: Measurement, fields: Sequence[str], where: Patterns = NO_PATTERNS) -> None:
    """Raise ValueError for a field or tag that a measurement does not have: names go into the text of a query."""
    unknown = [name for name in fields if row.kind_of(name) is None] + [tag for tag in where if tag not in row.tags]
    if unknown or not fields:
        raise ValueError(f"{row.name} has no {', '.join(unknown) or 'field without a name'}")


def check_single(row: Measurement) -> None:
    """Raise ValueError for a measurement of which a device has several series of its own."""
    if row.tags:
        raise ValueError(f"{row.name} has the tags {', '.join(row.tags)}: a device has no single last point of it")


def is_exact(pattern: str) -> bool:
    """Tell whether a pattern fits one text alone."""
    return not {"*", "?"} & set(pattern)


def regular(pattern: str) -> str:
    """
    Return a pattern as a regular expression that Python, Go and Rust read alike.

    What is neither a letter nor a digit of ASCII stands as its number, so that no sign means anything in a query.
    """
    signs = {"*": ".*", "?": "."}
    return "".join(signs.get(c) or (c if c.isalnum() and c.isascii() else rf"\x{{{ord(c):x}}}") for c in pattern)


def fitting(where: Patterns) -> Callable[[Mapping[str, str]], bool]:
    """Return what tells whether tags fit patterns."""
    checks = {
        tag: re.compile("".join({"*": ".*", "?": "."}.get(c) or re.escape(c) for c in pattern), re.DOTALL)
        for tag, pattern in where.items()
    }
    return lambda tags: all(check.fullmatch(tags[tag]) for tag, check in checks.items())


def single(points: list[Point]) -> list[Point]:
    """Return points sorted by time, those of one instant (from foreign series) as one, the later value winning."""
    times = list(map(itemgetter(0), points))
    if not any(map(eq, times, times[1:])):
        return points
    return [_merged(list(same)) for _, same in groupby(points, key=itemgetter(0))]


def _merged(same: list[Point]) -> Point:
    return tuple(
        next((value for value in reversed(values) if value is not None), None) for values in zip(*same, strict=True)
    )


def summary_of(track: Track) -> ReadingSummary:
    """Return the summary of a track of one field."""
    times = list(map(itemgetter(0), track.points))
    values = sorted(set(map(itemgetter(1), track.points)))
    is_range = len(values) > MOST_VALUES
    return ReadingSummary(
        *track[:3],
        points=len(times),
        values=(values[0], values[-1]) if is_range else tuple(values),
        is_range=is_range,
        first_ns=times[0],
        last_ns=times[-1],
        gap_ns=max(map(sub, times[1:], times), default=0),
    )


def life_of(point: Sequence[Any]) -> Life | None:
    """Return the life that (time, boot, uptime_s, asleep_s) tells of; None without an uptime."""
    time_ns, boot, uptime_s, asleep_s = point
    return None if uptime_s is None else Life(time_ns, boot or "", float(uptime_s), float(asleep_s or 0))


def presence_summary(
    device: str, source: str, network: Sequence[str], sums: Sequence[Any], ends: tuple[Life, Life]
) -> PresenceSummary:
    """Return a summary of (count, sum of uptime, sums of `network`), and of the first and last presence."""
    count, uptime_s, *answered = sums
    some = {name: int(value or 0) for name, value in zip(network, answered, strict=True)}
    return PresenceSummary(device, source, int(count), some.get("lan", 0), some.get("wan", 0), float(uptime_s), *ends)


def late_of(device: str, marks: Iterable[tuple[int, int, int]]) -> Iterator[Late]:
    """Yield what is late of one device, from (stored ns, oldest ms, newest ms)."""
    for stored_ns, oldest_ms, newest_ms in marks:
        yield Late(device, stored_ns, oldest_ms * MS_NS, (newest_ms + 1) * MS_NS - 1)
