"""
From what a device gives to what is measured: raw values of rows become fields of samples, as its profile says.

    raw ──pattern, base, mask──▶ value ──per (increase ÷ increase)──▶ enum ──scale, offset──▶ field
    "throttled=0x50005"  "0x50005"   1

What cannot be mapped is absent, with the reason for those who try a profile out. State (the read before, for `per`;
bits that were once set, for `sticky`) is kept here, so that a source need not.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from agent.outcome import Row
from contract.lines import INTEGER_RANGE, clean_tag, clean_text
from contract.measurements import TABLE, Kind
from contract.sample import Sample, Value
from firmware_profiles.sources import Reading

_MOST_BITS = 1000
_ALL_ROWS = -1
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_Series = tuple[str, tuple[tuple[str, str], ...]]  # measurement and tags


class Absent(Exception):
    """A raw value that does not become a field; the text says why."""


class Mapped(NamedTuple):
    """What became of one reading in one row: the value or, where it is None, why there is none."""

    reading: Reading
    key: str
    raw: Value | None
    tags: Mapping[str, str]
    value: Value | None
    why: str = ""

    @property
    def series(self) -> _Series:
        """The measurement and tags that its field belongs to."""
        return self.reading.field.measurement, tuple(sorted(self.tags.items()))


class Mapper:
    """
    Maps the readings of one device.

    `sticky` is what was once set, by a name of its own: it is read and written, and belongs to one boot.
    """

    def __init__(self, sticky: dict[str, int] | None = None) -> None:
        self.sticky = {} if sticky is None else sticky
        self._before: dict[str, dict[str, dict[str, float]]] = {}  # by entry, row and name: of the last read alone

    def samples(self, entry: str, readings: Sequence[Reading], rows: Sequence[Row], at_ns: int) -> list[Sample]:
        """Return the samples of one read of one entry of `collect`."""
        return joined(self.trace(entry, readings, rows), at_ns)

    def trace(self, entry: str, readings: Sequence[Reading], rows: Sequence[Row]) -> list[Mapped]:
        """Return what becomes of every reading of every row."""
        found: list[tuple[int, Mapped]] = []
        for reading in readings:
            each = [self._mapped(entry, reading, row) for row in rows]
            found += enumerate(each) if reading.rows == "each" else [(_ALL_ROWS, _one_of_all(reading, each))]
        if names := {name for reading in readings for name in (reading.raw, reading.per) if reading.per}:
            self._before[entry] = {row.key: dict(_counters(row, names)) for row in rows}
        return _of_one_row(found)

    def _mapped(self, entry: str, reading: Reading, row: Row) -> Mapped:
        raw = row.values.get(reading.raw, row.key if reading.raw == "key" else None)
        tags: dict[str, str] = {}
        try:
            if raw is None:
                raise Absent("the device does not have it")
            if str(raw) in map(str, reading.absent):
                raise Absent("the device says that it has none")
            tags = {tag: _filled(text, row) for tag, text in reading.tags.items()}
            value: Value = self._increase(entry, reading, row) if reading.per else _taken(reading, raw)
            value = _typed(reading, _scaled(reading, _named(reading, value)))
            if reading.sticky:
                value = self._stuck(f"{entry} {row.key} {reading.raw} {reading.field} {tags}", value)
        except Absent as absent:
            return Mapped(reading, row.key, raw, tags, None, str(absent))
        except (ArithmeticError, ValueError) as error:  # no finite number: it must not cost the other readings
            return Mapped(reading, row.key, raw, tags, None, f"{_quoted(raw)}: {error}")
        return Mapped(reading, row.key, raw, tags, value)

    def _increase(self, entry: str, reading: Reading, row: Row) -> float:
        """Return increase ÷ increase since the read before; counters that were reset say nothing."""
        rises = []
        for name in (reading.raw, reading.per):
            if name not in row.values:
                raise Absent(f"{name} is not there")
            if (before := self._before.get(entry, {}).get(row.key, {}).get(name)) is None:
                raise Absent("the first read only begins the measuring")
            rises.append(_number(row.values[name]) - before)
        if rises[0] < 0 or rises[1] <= 0:
            raise Absent("the counters were reset, or stand still")
        return rises[0] / rises[1]

    def _stuck(self, name: str, value: Value) -> Value:
        """Return the value with every bit that was set before in this boot."""
        kept = self.sticky.get(name, 0) | int(value)
        self.sticky[name] = kept
        return kept if isinstance(value, int) else float(kept)


def _counters(row: Row, names: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Yield the counters that a row has."""
    for name in names:
        with suppress(Absent):
            yield name, _number(row.values.get(name, ""))


def _of_one_row(found: Sequence[tuple[int, Mapped]]) -> list[Mapped]:
    """Leave each measurement and tags to the first row that has a value for them: no sample is of two rows."""
    first: dict[_Series, int] = {}
    for row, mapped in found:
        if mapped.value is not None and row != _ALL_ROWS:
            first[mapped.series] = min(row, first.get(mapped.series, row))
    return [
        mapped
        if mapped.value is None or row in (_ALL_ROWS, first.get(mapped.series))
        else mapped._replace(value=None, why="another row has these tags")
        for row, mapped in found
    ]


def joined(traced: Iterable[Mapped], at_ns: int) -> list[Sample]:
    """Return what was mapped as samples: fields of one measurement and tags are one."""
    found: dict[_Series, dict[str, Value]] = {}
    for mapped in traced:
        if mapped.value is not None:
            found.setdefault(mapped.series, {})[mapped.reading.field.field] = mapped.value
    return [Sample(measurement, fields, at_ns, dict(tags)) for (measurement, tags), fields in found.items()]


def _taken(reading: Reading, raw: Value) -> Value:
    """Return the value that `pattern`, `base` and `mask` take out of the raw one."""
    if reading.pattern is not None:
        match = re.search(reading.pattern, str(raw))
        if not match or match[1] is None:
            raise Absent(f"{_quoted(raw)} does not match {reading.pattern}")
        raw = match[1]
    if reading.mask is not None:
        return int(bool(int(_number(raw, reading.base)) & reading.mask))
    if reading.base != 10:
        return int(_number(raw, reading.base))
    return raw


def _number(raw: Value, base: int = 10) -> float:
    """Return the number that a raw value is or writes; a whole one stays whole, as far as a float reaches too."""
    number = raw if isinstance(raw, int | float) else _written(raw, base)
    if isinstance(number, int) and number.bit_length() > _MOST_BITS:
        raise Absent(f"{_quoted(raw)} is larger than any number here")
    return number


def _written(raw: str, base: int) -> float:
    text = raw.strip()
    try:
        return int(text, base)
    except ValueError:
        pass
    try:
        if base == 10:
            return float(text)
    except ValueError:
        pass
    raise Absent(f"{_quoted(raw)} is not a number")


def _named(reading: Reading, value: Value) -> Value:
    if not reading.enum:
        return value
    name = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    if name not in reading.enum:
        raise Absent(f"{_quoted(value)} is not in enum")
    return reading.enum[name]  # type: ignore[no-any-return]


def _scaled(reading: Reading, value: Value) -> Value:
    if reading.scale == 1 and reading.offset == 0:
        return value
    return _number(value) * reading.scale + reading.offset


def _typed(reading: Reading, value: Value) -> Value:
    """Return the value in its field's own type."""
    kind = TABLE[reading.field.measurement].kind_of(reading.field.field)
    if kind is Kind.STRING:
        if text := clean_text(str(value)).strip():
            return text
        raise Absent("is empty")
    number = _number(value)
    if number != number or abs(number) == float("inf"):  # noqa: PLR0124  not a number
        raise Absent(f"{_quoted(value)} is not finite")
    if kind is Kind.FLOAT:
        return float(number)
    whole = round(number)
    if whole not in INTEGER_RANGE:
        raise Absent(f"{whole} is beyond 63 bits")
    return whole


def _filled(text: str, row: Row) -> str:
    """Return a tag's value, its placeholders replaced by the row's raw values."""

    def of(match: "re.Match[str]") -> str:
        name = match[1]
        if name == "key":
            return row.key
        if name not in row.values:
            raise Absent(f"the tag needs {name}, which is not there")
        return str(row.values[name])

    if filled := clean_tag(_PLACEHOLDER.sub(of, text)):
        return filled
    raise Absent("the tag is empty")


def _one_of_all(reading: Reading, each: Iterable[Mapped]) -> Mapped:
    """Return several rows as one."""
    there = [mapped for mapped in each if mapped.value is not None]
    if not there:
        return Mapped(reading, "", None, {}, None, "no row has it")
    numbers = [_number(mapped.value) for mapped in there if mapped.value is not None]
    ways: dict[str, Callable[[list[float]], float]] = {
        "sum": sum,
        "max": max,
        "min": min,
        "any": any,
        "count": lambda all_: sum(map(bool, all_)),
    }
    raw = clean_text(", ".join(str(mapped.raw) for mapped in there))
    try:
        value = _typed(reading, ways[reading.rows](numbers))
    except (Absent, ArithmeticError) as error:
        return Mapped(reading, "", raw, there[0].tags, None, str(error))
    return Mapped(reading, "", raw, there[0].tags, value)


def _quoted(value: object) -> str:
    return repr(clean_text(str(value))[:60])
