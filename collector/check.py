"""
Check and tag the lines of a batch while they stay bytes.

The hot path knows one pattern, made from the measurement table, which finds all well-formed lines of a batch in one
call; when they are all there, their tags are inserted and that is all. Only a batch with another line in it is judged
line by line, to give each bad line its reason.

What passes here is accepted by InfluxDB 1.6 to 3: an explicit time within retention, own tags and fields of the
right type, each once.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from contract.batch import Batch
from contract.errors import BadBatch, Reason
from contract.lines import INTEGER_RANGE, MAX_LINE_BYTES
from contract.measurements import IDENTITY_TAGS, RETENTION_DAYS, TABLE, Kind, Measurement, Retention
from contract.names import county_of, site_of

DAY_NS = 86_400_000_000_000
HOUR_NS = DAY_NS // 24
# A wrong clock at the centre must not turn good evidence away for ever: a whole day of tolerance.
FUTURE_NS = DAY_NS
LATE_NS = HOUR_NS // 4

_TEXT = rb'"[^"\\\x00-\x1f\x7f]*+"'
_TAG_TEXT = rb"(?:[^ ,=\\\"\x00-\x1f\x7f]|\\[ ,=])++"
# Narrower than the slow path, so that no number needs a look at its size.
_FAST = {
    Kind.FLOAT: rb"-?\d{1,18}+(?:\.\d{1,20}+)?+(?:e[+-]?\d\d?)?+",
    Kind.INTEGER: rb"-?\d{1,18}+i",
    Kind.STRING: _TEXT,
}
_ACCEPTED = {name.encode(): row for name, row in TABLE.items() if row.from_agent}


def _line(row: Measurement) -> bytes:
    """Return the pattern of a measurement's line: all its fields in the table's order, or else some in that order."""
    tags = b"".join(b",%b=%b" % (tag.encode(), _TAG_TEXT) for tag in row.tags)
    fields = [b"%b=%b" % (f.name.encode(), _FAST[f.kind]) for f in row.fields]
    some = b"".join(b"(?:%b(?:,|(?= )))?+" % field for field in fields) + b"(?<![ ,])"
    every = b",".join(fields)  # what agents send mostly, and half the time to match
    return b"%b%b (?:%b|%b) [1-9]\\d{18}\n" % (row.name.encode(), tags, every, some)


def _lines(retention: Retention) -> bytes:
    return b"|".join(_line(row) for row in _ACCEPTED.values() if row.retention is retention)


# Well-formed lines of one retention class, as many as follow each other. Groups: evidence, telemetry.
_RUN = re.compile(b"|".join(b"((?:%b)++)" % _lines(kind) for kind in (Retention.EVIDENCE, Retention.TELEMETRY)))
# From behind a measurement's name to behind the next one, or to the end.
_TO_NAME = re.compile(rb"[^\n]*+\n[^ ,]*+")
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")


class BadLine(NamedTuple):
    """A refused line: its number in the batch (the first after the header is 1), why, and the line."""

    number: int
    reason: Reason
    line: bytes


class Checked(NamedTuple):
    """
    What is left of a batch after the check: tagged lines by retention class, each body ending with a line feed.

    `newest_ns` is the time of the newest sample that was not refused, `oldest_ns` that of the oldest one to be stored;
    0 without any. `expired` counts good telemetry that is older than its retention: acknowledged and not stored.
    """

    batch: Batch
    device: str
    agent: str
    bodies: dict[Retention, bytes]
    lines: int
    newest_ns: int
    refused: tuple[BadLine, ...] = ()
    expired: int = 0
    oldest_ns: int = 0


def check(agent: str, device: str, batch: Batch, now_ns: int) -> Checked:
    """
    Return what may be stored of `batch` at `now_ns` (unix ns), and what is refused, line by line.

    A boot that never got the time (`clock=unsynced`) counts as no evidence: none of its lines are stored.
    """
    if batch.clock == "unsynced":
        refused = tuple(BadLine(n, Reason.UNSYNCED, line) for n, line in _numbered(batch.lines))
        return Checked(batch, device, agent, {}, 0, 0, refused)
    lines = batch.lines
    runs = _RUN.findall(lines) if _is_clean_text(lines) else []
    evidence, telemetry = (b"".join(some) for some in zip(*runs, strict=True)) if runs else (b"", b"")
    if lines and len(evidence) + len(telemetry) == len(lines):  # nothing was skipped between the runs
        single = lines[:-1].split(b"\n")
        times = [line[-19:] for line in single]
        newest_ns, oldest_ns = int(max(times)), int(min(times))
        is_in_time = oldest_ns >= _oldest(Retention.TELEMETRY, now_ns) and newest_ns <= now_ns + FUTURE_NS
        if is_in_time and max(map(len, single)) <= MAX_LINE_BYTES:
            bodies = _bodies(evidence, telemetry, identity_tags(agent, device))
            return Checked(batch, device, agent, bodies, len(times), newest_ns, oldest_ns=oldest_ns)
    return _check_each(agent, device, batch, now_ns)


def check_delivery_time(batch: Batch, now_ns: int) -> None:
    """Raise BadBatch when a batch without lines gives a time of delivery that cannot be."""
    if batch.lines:
        return
    if batch.at_ns > now_ns + FUTURE_NS:
        raise BadBatch(Reason.IN_FUTURE, f"at={batch.at_ns}", batch.epoch, batch.seq)
    if batch.at_ns < _oldest(Retention.EVIDENCE, now_ns):
        raise BadBatch(Reason.TOO_OLD, f"at={batch.at_ns}", batch.epoch, batch.seq)


def _oldest(retention: Retention, now_ns: int) -> int:
    """Return the oldest time that a store still takes, an hour inside the limit."""
    return now_ns - RETENTION_DAYS[retention] * DAY_NS + HOUR_NS


def _is_clean_text(lines: bytes) -> bool:
    """Tell that what is not ASCII is UTF-8 without control characters."""
    if lines.isascii():
        return True
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    return not _C1_CONTROL.search(lines)


@lru_cache(1 << 16)
def identity_tags(agent: str, device: str, *, name_agent: bool = False) -> bytes:
    """
    Return `,device=…,site=…,county=…`.

    `,agent=…` follows where an agent speaks for another device, and with `name_agent` (delivery points) always.
    """
    site = site_of(device)
    by = f",agent={agent}" if name_agent or agent != device else ""
    return f",device={device},site={site},county={county_of(site)}{by}".encode()


def _bodies(evidence: bytes, telemetry: bytes, tags: bytes) -> dict[Retention, bytes]:
    """Insert the identity behind each measurement's name; good lines have line feeds at their ends only."""
    bodies = {Retention.EVIDENCE: evidence, Retention.TELEMETRY: telemetry}
    return {kind: tags.join(_TO_NAME.findall(b"\n" + body))[1:] for kind, body in bodies.items() if body}


# ---- the slow path: one line at a time


def _numbered(lines: bytes) -> Iterator[tuple[int, bytes]]:
    return enumerate(lines.removesuffix(b"\n").split(b"\n") if lines else (), start=1)


def _check_each(agent: str, device: str, batch: Batch, now_ns: int) -> Checked:
    good: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}
    newest_ns = 0
    refused: list[BadLine] = []
    expired = 0
    for number, line in _numbered(batch.lines):
        verdict = _judge(line, now_ns)
        if isinstance(verdict, Reason):
            refused.append(BadLine(number, verdict, line))
            continue
        newest_ns = max(newest_ns, _time_of(line))
        if verdict.retention is Retention.TELEMETRY and _time_of(line) < _oldest(Retention.TELEMETRY, now_ns):
            expired += 1
        else:
            good[verdict.retention].append(line + b"\n")
    evidence, telemetry = (b"".join(good[kind]) for kind in (Retention.EVIDENCE, Retention.TELEMETRY))
    bodies = _bodies(evidence, telemetry, identity_tags(agent, device))
    times = [_time_of(line[:-1]) for lines in good.values() for line in lines]
    return Checked(batch, device, agent, bodies, len(times), newest_ns, tuple(refused), expired, min(times, default=0))


def _time_of(line: bytes) -> int:
    return int(line[-19:])


_HEAD = re.compile(rb"([^ ,\\]*)")
_TAG = re.compile(rb",([^ ,=\\]*)=(%b)" % _TAG_TEXT)
_FIELD = re.compile(rb"([^ ,=\"\\]*)=(?:(%b)|([^ ,\"\\]+))" % _TEXT)
_INTEGER = re.compile(rb"-?\d{1,64}i")
_FLOAT = re.compile(rb"-?\d{1,308}(?:\.\d{1,64})?(?:[eE][+-]?\d{1,4})?")
_NOT_A_NUMBER = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_END = re.compile(rb" (-?[1-9]\d{0,18}|0)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def _judge(line: bytes, now_ns: int) -> Reason | Measurement:
    """Return the measurement of a good line, or why the line is refused."""
    if len(line) > MAX_LINE_BYTES:
        return Reason.LINE_TOO_LONG
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return Reason.NOT_UTF8
    if _CONTROL.search(text):
        return Reason.CONTROL_CHARACTER
    try:
        return _parse(line, now_ns)
    except _Refused as refused:
        return refused.reason


def _parse(line: bytes, now_ns: int) -> Measurement:
    head = _HEAD.match(line)
    row = _ACCEPTED.get(head[1]) if head else None
    if head is None or row is None:
        raise _Refused(Reason.UNKNOWN_MEASUREMENT)
    end = _parse_fields(row, line, _parse_tags(row, line, head.end()))
    _check_time(line, end, now_ns)
    return row


def _parse_tags(row: Measurement, line: bytes, at: int) -> int:
    seen: set[str] = set()
    while match := _TAG.match(line, at):
        name = match[1].decode()
        if name in IDENTITY_TAGS:
            raise _Refused(Reason.IDENTITY_TAG)
        if name not in row.tags:
            raise _Refused(Reason.UNKNOWN_TAG)
        if name in seen:
            raise _Refused(Reason.DUPLICATE_TAG)
        seen.add(name)
        at = match.end()
    if line[at : at + 1] != b" ":
        raise _Refused(Reason.MALFORMED)
    if len(seen) < len(row.tags):
        raise _Refused(Reason.MISSING_TAG)
    return at + 1


def _parse_fields(row: Measurement, line: bytes, at: int) -> int:
    seen: set[str] = set()
    while True:
        match = _FIELD.match(line, at)
        if match is None:
            raise _Refused(_no_field(line, at))
        name = match[1].decode()
        kind = row.kind_of(name)
        if kind is None:
            raise _Refused(Reason.UNKNOWN_FIELD)
        if name in seen:
            raise _Refused(Reason.DUPLICATE_FIELD)
        seen.add(name)
        _check_value(kind, match)
        at = match.end()
        if line[at : at + 1] != b",":
            return at
        at += 1


def _no_field(line: bytes, at: int) -> Reason:
    rest = line[at:]
    if re.fullmatch(rb" ?-?\d*", rest):
        return Reason.NO_FIELD
    is_open = re.match(rb'[^ ,="\\]*="[^"]*\Z', rest) is not None
    return Reason.UNCLOSED_STRING if is_open else Reason.MALFORMED


def _check_value(kind: Kind, match: re.Match[bytes]) -> None:
    number = match[3]
    if number is None:
        if kind is not Kind.STRING:
            raise _Refused(Reason.WRONG_TYPE)
    elif _NOT_A_NUMBER.fullmatch(number):
        raise _Refused(Reason.NOT_FINITE)
    elif kind is Kind.INTEGER and _INTEGER.fullmatch(number):
        if int(number[:-1]) not in INTEGER_RANGE:
            raise _Refused(Reason.OUT_OF_RANGE)
    elif kind is Kind.FLOAT and _FLOAT.fullmatch(number):
        if not math.isfinite(float(number)):
            raise _Refused(Reason.OUT_OF_RANGE)
    else:
        raise _Refused(Reason.WRONG_TYPE)


def _check_time(line: bytes, at: int, now_ns: int) -> None:
    if at == len(line):
        raise _Refused(Reason.NO_TIME)
    match = _END.fullmatch(line, at)
    if match is None:
        raise _Refused(Reason.MALFORMED)
    time_ns = int(match[1])
    if time_ns > now_ns + FUTURE_NS:
        raise _Refused(Reason.IN_FUTURE)
    if time_ns < _oldest(Retention.EVIDENCE, now_ns):
        raise _Refused(Reason.TOO_OLD)


def lag_ms(checked: Checked, received_ns: int) -> int:
    """Return how long after its newest sample a batch came."""
    return (received_ns - _newest(checked, received_ns)) // 1_000_000


def _newest(checked: Checked, received_ns: int) -> int:
    return checked.newest_ns or checked.batch.at_ns or received_ns


def delivery_line(checked: Checked, received_ns: int, marks: Collection[str] = ()) -> bytes:
    """
    Return the `delivery` point of a batch: what came, when, and how late; the fields in `marks` are 1.

    Time = newest sample + seq ns, so that a re-send overwrites. The epoch is a field: as a tag, each start of each
    agent would be a new series (22,000 devices switched on daily pass InfluxDB's default limit of a million series
    within a term).
    """
    batch = checked.batch
    newest_ns = _newest(checked, received_ns)
    fields = [
        f'epoch="{batch.epoch}"',
        f"seq={batch.seq}i",
        f"lines={checked.lines}i",
        f"received={received_ns // 1_000_000}i",
        f"lag_ms={lag_ms(checked, received_ns)}i",
        f"partial={len(checked.refused)}i",
        f"expired={checked.expired}i",
        f'clock="{batch.clock}"',
    ]
    if held := batch.held or (len(checked.refused) if batch.clock == "unsynced" else 0):
        fields.append(f"held={held}i")
    if batch.previous:
        fields.append(f'previous="{batch.previous}"')
    fields += [f"{mark}=1i" for mark in marks]
    tags = identity_tags(checked.agent, checked.device, name_agent=True)
    return b"delivery%b %b %019d\n" % (tags, ",".join(fields).encode(), newest_ns + batch.seq)


def is_late(checked: Checked, stored_ns: int) -> bool:
    """
    Tell whether a batch is stored more than LATE_NS after its oldest sample: its day may be judged already.

    The oldest, since what was held for want of the time, or kept for hours, comes together with what is fresh. A batch
    without lines is about the time of its delivery.
    """
    return 0 < _span(checked)[0] < stored_ns - LATE_NS


def late_line(some: Sequence[Checked], stored_ns: int) -> bytes:
    """Return the `late` point of late batches of one device and agent; a seq keeps points of one instant apart."""
    oldest, newest = zip(*map(_span, some), strict=True)
    tags = identity_tags(some[0].agent, some[0].device)
    fields = f"newest={max(newest) // 1_000_000}i,oldest={min(oldest) // 1_000_000}i"
    return b"late%b %b %019d\n" % (tags, fields.encode(), stored_ns + some[0].batch.seq)


def _span(checked: Checked) -> tuple[int, int]:
    return (checked.oldest_ns, checked.newest_ns) if checked.batch.lines else (checked.batch.at_ns, checked.batch.at_ns)


def without(checked: Checked, poison: Collection[bytes]) -> Checked:
    """Return a checked batch less the tagged lines in `poison`, which the store refused; they join the bad lines."""
    bad = {line.number for line in checked.refused}
    tags = identity_tags(checked.agent, checked.device)
    found = []
    for number, line in _numbered(checked.batch.lines):
        name = _HEAD.match(line)
        tagged = name[1] + tags + line[name.end() :] if name else line
        if number not in bad and tagged in poison:
            found.append(BadLine(number, Reason.STORE_REFUSED, tagged))
    return checked._replace(refused=(*checked.refused, *found), lines=checked.lines - len(found)) if found else checked


def explain(refused: tuple[BadLine, ...], *, most: int = 20) -> str:
    """Say in one line which lines were refused and why: `line 2 wrong_type, line 5 not_utf8, and 3 more`."""
    named = ", ".join(f"line {bad.number} {bad.reason}" for bad in refused[:most])
    return f"{named}, and {len(refused) - most} more" if len(refused) > most else named
