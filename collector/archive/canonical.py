"""
Canonical line protocol: one point has one line, whatever store it comes from.

    measurement,device=…[,agent=…][,own tags] field=value[,field=value…] <unix ns, 19 digits>

`agent` only where another one than the device observed; own tags and fields in the order of the measurement table, with
its types; a float as Python's `repr(float())` writes it (the shortest text that reads back as the same number), never
-0.0. Nothing of the roster, and neither site nor county, which follow from the device. Lines are sorted by measurement,
then as stores sort: device, agent, own tags, time.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from collector.store.base import Row
from contract.measurements import TABLE, Kind, Measurement, Retention
from contract.sample import Value

# Judged days are conclusions, roster points copies of what the roster says, and so are their sums by site: no evidence,
# they come out the same again.
_COPIES = ("availability", "site_availability", "roster", "site_roster")
MEASUREMENTS = tuple(
    sorted(name for name, row in TABLE.items() if row.retention is Retention.EVIDENCE and name not in _COPIES)
)

_SPECIAL = re.compile(r"([ ,=])")
_LINE = re.compile(rb"((?:[^ \\\n]|\\.)+) ([^\n]+) (\d{19})\n")
_TAG = re.compile(r",([a-z0-9_]+)=((?:[^ ,=\\]|\\[ ,=])+)")
_ESCAPED = re.compile(r"\\([ ,=])")


class Head(NamedTuple):
    """What a line is about: measurement, device, who observed it, own tags."""

    measurement: str
    device: str
    source: str
    tags: tuple[tuple[str, str], ...]


class Parts(NamedTuple):
    """A line taken apart: the text before its fields, the fields, the time; bytes, so that they compare as they are."""

    head: bytes
    fields: bytes
    time: bytes


def line_of(row: Measurement, point: Row) -> bytes:
    """Return the line of a stored point, with its line feed."""
    values = point.fields
    fields = ",".join([f"{name}={write(values[name])}" for name, write in _writers(row) if name in values])
    return f"{_head(row.name, point.device, point.source, point.tags)} {fields} {point.time_ns:019d}\n".encode()


def parts_of(line: bytes) -> Parts:
    """Return the parts of a line with its line feed; ValueError for what is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:80]!r} is no line of evidence")
    return Parts(*match.groups())


@lru_cache(maxsize=1 << 16)  # the same heads come again every minute
def head_of(head: bytes) -> Head:
    """Return what the text before the fields says; ValueError for what was never written so."""
    text = head.decode()
    name, comma, rest = text.partition(",")
    tags = {tag: _ESCAPED.sub(r"\1", value) for tag, value in _TAG.findall(comma + rest)}
    row = TABLE.get(name)
    if row is None or name not in MEASUREMENTS or "device" not in tags:
        raise ValueError(f"{text[:80]!r} is no evidence")
    device = tags.pop("device")
    found = Head(name, device, tags.pop("agent", device), tuple(tags.items()))
    if text != _head(*found):
        raise ValueError(f"{text[:80]!r} is not written as evidence is")
    return found


@lru_cache(maxsize=1 << 16)
def _head(name: str, device: str, source: str, tags: tuple[tuple[str, str], ...]) -> str:
    by = f",agent={source}" if source != device else ""
    own = "".join(f",{tag}={_escaped(value)}" for tag, value in tags)
    return f"{name},device={device}{by}{own}"


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value)


def _text(value: Value) -> str:
    return f'"{value}"'


def _integer(value: Value) -> str:
    return f"{value}i"


def _float(value: Value) -> str:
    return repr(float(value) + 0.0)  # 0.0 for -0.0, which SQLite does not tell apart


_WRITERS = {Kind.STRING: _text, Kind.INTEGER: _integer, Kind.FLOAT: _float}


@cache
def _writers(row: Measurement) -> tuple[tuple[str, Callable[[Value], str]], ...]:
    return tuple((field.name, _WRITERS[field.kind]) for field in row.fields)
