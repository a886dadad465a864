"""
Series of one device: its points as they are, or so many seconds at a time together.

Read in pieces, so that a page costs what it shows; of numbers the mean, the least, the greatest and the last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from collector.api.answer import BadRequest, Item
from collector.api.centre import Centre
from collector.api.listings import iso
from contract.meant import did_you_mean
from contract.measurements import TABLE, Kind, Measurement

DAY_NS = 86_400 * 10**9
MOST_DAYS = 100
LEAST_EVERY_S, MOST_EVERY_S = 60, 31 * 86_400
MOST_STEPS = 20_000
_FIRST_PIECE_NS = DAY_NS // 4
_SUMMED_PIECE_NS = 7 * DAY_NS

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Span(NamedTuple):
    """Of which measurement, of which device, which fields, from when to when (unix ns)."""

    measurement: Measurement
    device: str
    fields: tuple[str, ...]
    start_ns: int
    end_ns: int


def span_of(measurement: str, device: str, fields: str, start_ns: int, end_ns: int) -> Span:
    """Return what is asked for; BadRequest says what is wrong."""
    row = TABLE.get(measurement)
    if row is None:
        hint = did_you_mean(measurement, TABLE, f"; there are {', '.join(TABLE)}")
        raise BadRequest(f"measurement: {measurement[:40]} is not known{hint}")
    known = [field.name for field in row.fields]
    chosen = tuple(dict.fromkeys(name.strip() for name in fields.split(","))) if fields else tuple(known)
    for name in chosen:
        if name not in known:
            raise BadRequest(f"fields: {row.name} has no {name[:40]}{did_you_mean(name, known, f'; it has {known}')}")
    if start_ns >= end_ns:
        raise BadRequest("from: is not before to")
    if end_ns - start_ns > MOST_DAYS * DAY_NS:
        raise BadRequest(f"from: is more than {MOST_DAYS} days before to: ask for less at a time")
    return Span(row, device, chosen, start_ns, end_ns)


def raw(centre: Centre, span: Span, after: str) -> Iterator[Item]:
    """Yield points as they are, by time, then by series."""
    start = max(span.start_ns, int(after[:20])) if after[:20].isdecimal() else span.start_ns
    length = _FIRST_PIECE_NS
    while start < span.end_ns:
        end = min(start + length, span.end_ns)
        items = []
        for one in centre.points(span.measurement.name, span.fields, span.device, start, end):
            said = ",".join(f"{name}={value}" for name, value in one.tags.items())
            for time_ns, *values in one.points:
                present = dict(zip(span.fields, values, strict=True))
                row = {"time": iso_ns(time_ns, centre.zone), "source": one.source, **one.tags, **present}
                items.append(Item(f"{time_ns:020} {one.source} {said}", row))
        yield from sorted(items, key=lambda item: item.key)
        start, length = end, length * 2


def raw_columns(span: Span) -> list[str]:
    """Return the columns of points as they are."""
    return ["time", "source", *span.measurement.tags, *span.fields]


class _Step:
    """The points of one series in one step."""

    def __init__(self, fields: Sequence[tuple[str, Kind]]) -> None:
        self._fields = fields
        self._points = 0
        self._count = [0] * len(fields)
        self._sum = [0.0] * len(fields)
        self._least: list[Any] = [None] * len(fields)
        self._most: list[Any] = [None] * len(fields)
        self._last: list[Any] = [None] * len(fields)

    def add(self, values: Sequence[Any]) -> None:
        self._points += 1
        for at, (value, (_, kind)) in enumerate(zip(values, self._fields, strict=True)):
            if value is None:
                continue
            self._last[at] = value
            if kind is not Kind.STRING:
                self._count[at] += 1
                self._sum[at] += value
                self._least[at] = value if self._least[at] is None else min(self._least[at], value)
                self._most[at] = value if self._most[at] is None else max(self._most[at], value)

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = {"points": self._points}
        for at, (name, kind) in enumerate(self._fields):
            if kind is not Kind.STRING:
                row[f"{name}_mean"] = self._sum[at] / self._count[at] if self._count[at] else None
                row[f"{name}_min"], row[f"{name}_max"] = self._least[at], self._most[at]
            row[f"{name}_last"] = self._last[at]
        return row


def summed(centre: Centre, span: Span, every_s: int, after: str) -> Iterator[Item]:
    """Yield steps of `every_s`, counted from the beginning, that have any point."""
    every_ns = every_s * 10**9
    if (span.end_ns - span.start_ns) // every_ns > MOST_STEPS:
        raise BadRequest(f"every: makes more than {MOST_STEPS:,} steps: take a longer one, or ask for less at a time")
    fields = [(name, span.measurement.kind_of(name) or Kind.FLOAT) for name in span.fields]
    start = max(span.start_ns, int(after[:20])) if after[:20].isdecimal() else span.start_ns
    step_of = _stepping(span.start_ns, every_ns)
    start = step_of(start)
    piece = max(every_ns, _SUMMED_PIECE_NS // every_ns * every_ns)
    while start < span.end_ns:
        end = min(start + piece, span.end_ns)
        yield from _steps(centre, span._replace(start_ns=start, end_ns=end), fields, step_of)
        start = end


def _stepping(origin: int, every_ns: int) -> Callable[[int], int]:
    return lambda time_ns: origin + (time_ns - origin) // every_ns * every_ns


def _steps(
    centre: Centre, span: Span, fields: Sequence[tuple[str, Kind]], step_of: Callable[[int], int]
) -> Iterator[Item]:
    steps: dict[tuple[int, _Key], _Step] = {}
    for one in centre.points(span.measurement.name, span.fields, span.device, span.start_ns, span.end_ns):
        key = (one.source, tuple(one.tags.items()))
        for time_ns, *values in one.points:
            at = (step_of(time_ns), key)
            if at not in steps:
                steps[at] = _Step(fields)
            steps[at].add(values)
    for (start, (source, tags)), step in sorted(steps.items(), key=lambda one: one[0]):
        said = ",".join(f"{name}={value}" for name, value in tags)
        row: Mapping[str, Any] = {"time": iso(start, centre.zone), "source": source, **dict(tags), **step.row()}
        yield Item(f"{start:020} {source} {said}", row)


def summed_columns(span: Span) -> list[str]:
    """Return the columns of steps."""
    columns = ["time", "source", *span.measurement.tags, "points"]
    for name in span.fields:
        if span.measurement.kind_of(name) is not Kind.STRING:
            columns += [f"{name}_mean", f"{name}_min", f"{name}_max"]
        columns.append(f"{name}_last")
    return columns


def iso_ns(time_ns: int, zone: ZoneInfo) -> str:
    """Return an instant to the ms, where it has any."""
    text = iso(time_ns, zone)
    ms = time_ns // 10**6 % 1000
    return f"{text[:19]}.{ms:03}{text[19:]}" if ms else text
