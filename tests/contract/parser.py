"""A small reader of line protocol for tests, written from InfluxDB's reference and not from the product's encoder."""

from itertools import pairwise
from typing import NamedTuple

Value = float | int | str


class Line(NamedTuple):
    """One line taken apart; an integer comes back as int, a float as float, a string as str."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int


def parse(line: bytes) -> Line:
    """Return the parts of one line without its line feed; ValueError for anything that is not a line."""
    head, rest = _cut(line.decode(), " ", quotes=False)
    body, time = _cut(rest, " ", quotes=True)
    if not time.isdigit() or len(time) != 19:
        raise ValueError(f"{time!r} is not a time of 19 digits")
    measurement, *tags = _split(head, quotes=False)
    return Line(
        measurement, dict(_tag(tag) for tag in tags), dict(_field(f) for f in _split(body, quotes=True)), int(time)
    )


def parse_all(lines: bytes) -> list[Line]:
    """Return every line of a batch; each must end with a line feed."""
    *complete, rest = lines.split(b"\n")
    if rest:
        raise ValueError(f"{rest!r} has no line feed")
    return [parse(line) for line in complete]


def _positions(text: str, separator: str, *, quotes: bool) -> list[int]:
    """Return where `separator` stands unescaped and, if strings are quoted here, outside of them."""
    found, inside, at = [], False, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif quotes and text[at] == '"':
            inside = not inside
        elif text[at] == separator and not inside:
            found.append(at)
        at += 1
    if inside:
        raise ValueError(f"{text!r} has an open string")
    return found


def _cut(text: str, separator: str, *, quotes: bool) -> tuple[str, str]:
    found = _positions(text, separator, quotes=quotes)
    if not found:
        raise ValueError(f"{text!r} has no {separator!r}")
    return text[: found[0]], text[found[0] + 1 :]


def _split(text: str, *, quotes: bool) -> list[str]:
    edges = [-1, *_positions(text, ",", quotes=quotes), len(text)]
    return [text[left + 1 : right] for left, right in pairwise(edges)]


def _tag(text: str) -> tuple[str, str]:
    key, value = _cut(text, "=", quotes=False)
    if not key or not value or _positions(value, "=", quotes=False):
        raise ValueError(f"{text!r} is not a tag")
    for special in (" ", ",", "="):
        value = value.replace("\\" + special, special)
    return key, value


def _field(text: str) -> tuple[str, Value]:
    key, value = _cut(text, "=", quotes=True)
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        return key, value[1:-1]
    if value.endswith("i"):
        return key, int(value[:-1])
    return key, float(value)
