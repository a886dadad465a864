"""
What the centre must make of a message.

Written from docs/contract.md in another way than the product: no patterns, no shortcuts for batches that are all good.
"""

import unicodedata
import zlib
from functools import lru_cache
from typing import NamedTuple

from contract.batch import MAX_BATCH_BYTES, MAX_BATCH_LINES
from contract.lines import MAX_LINE_BYTES
from contract.measurements import RETENTION_DAYS, TABLE, Kind, Measurement, Retention
from tests.fuzz.grammar import DAY_NS, HOUR_NS

_HEX = frozenset("0123456789abcdef")
_DIGITS = frozenset("0123456789")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz")
_VALUE = _DIGITS | _WORD | {":"}
_NAME = _DIGITS | _WORD | {"-"}
_CONTROLS = frozenset(c for c in map(chr, range(0x3000)) if unicodedata.category(c) in ("Cc", "Zl", "Zp"))
_SPACE, _COMMA, _EQUALS, _STRING = "\x01", "\x02", "\x03", "\x04"
_OF_TAGS = frozenset(("\\", _SPACE, _COMMA, _EQUALS))


class Fate(NamedTuple):
    """What becomes of one line; `row` is None when it is refused."""

    row: Measurement | None
    time_ns: int = 0
    is_expired: bool = False


class Header(NamedTuple):
    """A header that can be read."""

    epoch: str
    seq: int
    clock: str
    previous: str
    at_ns: int
    held: int


class Expected(NamedTuple):
    """What the centre must make of a message: refused as a whole (`header` None), or line by line."""

    agent: str
    device: str
    header: Header | None
    lines: tuple[bytes, ...] = ()
    named: tuple[str, int] | None = None  # the only batch that a refusal may name


# ---- a line

REFUSED = Fate(None)


def judge(line: bytes, now_ns: int) -> Fate:
    """Return what becomes of a line that arrives at `now_ns`."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return REFUSED
    if len(line) > MAX_LINE_BYTES or _has_control(text):
        return REFUSED
    marked = text.replace("\\ ", _SPACE).replace("\\,", _COMMA).replace("\\=", _EQUALS)
    head, _, rest = marked.partition(" ")
    name, *tags = head.split(",")
    row = TABLE.get(name)
    if row is None or not row.from_agent or not _are_tags_of(row, tags):
        return REFUSED
    body, _, time = rest.rpartition(" ")
    if not _OF_TAGS.isdisjoint(rest) or not _are_fields_of(row, body):
        return REFUSED
    return _dated(row, time, now_ns)


def _has_control(text: str) -> bool:
    return not _CONTROLS.isdisjoint(text)


def _are_tags_of(row: Measurement, tags: list[str]) -> bool:
    names = []
    for tag in tags:
        name, _, value = tag.partition("=")
        names.append(name)
        if not value or not {"=", '"', "\\"}.isdisjoint(value):
            return False
    return sorted(names) == sorted(row.tags)


def _are_fields_of(row: Measurement, body: str) -> bool:
    parts = body.split('"')
    if len(parts) % 2 == 0:
        return False  # a string is open
    seen = set()
    for field in _STRING.join(parts[::2]).split(","):
        name, _, value = field.partition("=")
        kind = row.kind_of(name)
        if kind is None or name in seen or not _is_value(kind, value):
            return False
        seen.add(name)
    return True


def _is_value(kind: Kind, value: str) -> bool:
    if kind is Kind.STRING:
        return value == _STRING
    if kind is Kind.INTEGER:
        digits = value.removeprefix("-").removesuffix("i")
        return value.endswith("i") and _is_digits(digits, 64) and -(2**63) <= int(value[:-1]) < 2**63
    return _is_float(value)


def _is_float(value: str) -> bool:
    mantissa, mark, exponent = value.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.removeprefix("-").partition(".")
    if not _is_digits(whole, 308) or (point and not _is_digits(fraction, 64)):
        return False
    if mark and not _is_digits(exponent[1:] if exponent[:1] in ("+", "-") else exponent, 4):
        return False
    return abs(float(value)) <= 1.7976931348623157e308


def _is_digits(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and _DIGITS.issuperset(text)


def _dated(row: Measurement, time: str, now_ns: int) -> Fate:
    if not _is_digits(time, 19) or (time[0] == "0" and time != "0"):
        return REFUSED
    time_ns = int(time)
    if not oldest(Retention.EVIDENCE, now_ns) <= time_ns <= now_ns + DAY_NS:
        return REFUSED
    is_expired = row.retention is Retention.TELEMETRY and time_ns < oldest(Retention.TELEMETRY, now_ns)
    return Fate(row, time_ns, is_expired)


def oldest(retention: Retention, now_ns: int) -> int:
    """Return the oldest time that is stored: an hour inside the retention."""
    return now_ns - RETENTION_DAYS[retention] * DAY_NS + HOUR_NS


# ---- a message


def expect(topic: str, payload: bytes, now_ns: int) -> Expected:
    """Return what the centre must make of a message that arrives at `now_ns`."""
    levels = topic.split("/")
    is_topic = len(levels) == 5 and levels[:2] == ["santong", "v1"] and levels[4] == "batch"
    agent, device = levels[2:4] if is_topic else (levels[2] if len(levels) > 2 else "", "")
    plain, is_whole = _unpack(payload)
    head, end, lines = plain.partition(b"\n")
    header, named = _header(head)
    if not end and not is_whole:
        named = None  # a header that was cut could be another's
    refused = Expected(agent, device, None, (), named)
    if not is_topic or not _is_device(agent) or not _is_device(device):
        return refused
    if header is None or not is_whole or agent.split(".")[0] != device.split(".")[0]:
        return refused
    if plain.count(b"\n") > MAX_BATCH_LINES + 1:
        return refused
    if lines:
        return Expected(agent, device, header._replace(at_ns=0, held=0), tuple(_lines_of(lines)), named)
    if not oldest(Retention.EVIDENCE, now_ns) <= header.at_ns <= now_ns + DAY_NS:
        return refused
    return Expected(agent, device, header, (), named)


def _lines_of(lines: bytes) -> list[bytes]:
    found = lines.split(b"\n")
    return found if found[-1] else found[:-1]


@lru_cache(1000)
def _is_device(name: str) -> bool:
    site, dot, place = name.partition(".")
    county, dash, school = site.partition("-")
    if len(name) > 64 or not dot or not dash or not _NAME.issuperset(county + school + place):
        return False
    return all(piece and piece[0] != "-" and piece[-1] != "-" for piece in (county, school, place))


def _unpack(payload: bytes) -> tuple[bytes, bool]:
    """Return what can be read of a payload, and whether that is all of it."""
    if payload[:2] != b"\x1f\x8b":
        return payload[:MAX_BATCH_BYTES], 0 < len(payload) <= MAX_BATCH_BYTES
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(payload, MAX_BATCH_BYTES)
    except zlib.error:
        return b"", False
    return plain, unpacker.eof and not unpacker.unused_data


def _header(head: bytes) -> tuple[Header | None, tuple[str, int] | None]:
    """Return the header, and the name in it, where they can be read."""
    first, *pairs = head.decode("latin-1").split(" ")
    keys = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if not key or not value or not _WORD.issuperset(key) or not _VALUE.issuperset(value):
            return None, None
        keys[key] = value
    mark, _, version = first.partition("/")
    if mark != "#santong" or not _is_digits(version, 4):
        return None, None
    epoch, seq = keys.get("epoch", ""), keys.get("seq", "")
    if not _is_epoch(epoch) or not _is_digits(seq, 15):
        return None, None
    named = epoch, int(seq)
    previous, at, held = keys.get("previous", ""), keys.get("at", ""), keys.get("held", "")
    before, _, last = previous.partition(":")
    is_good = (
        int(version) == 1
        and keys.get("clock") in ("synced", "trusted", "unsynced")
        and (not previous or (_is_epoch(before) and _is_digits(last, 15)))
        and (not at or (len(at) == 19 and _is_digits(at, 19) and at[0] != "0"))
        and (not held or _is_digits(held, 15))
    )
    if not is_good:
        return None, named
    return Header(epoch, int(seq), keys["clock"], previous, int(at or 0), int(held or 0)), named


def _is_epoch(text: str) -> bool:
    return 8 <= len(text) <= 16 and _HEX.issuperset(text)
