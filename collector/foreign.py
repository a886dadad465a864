"""
Line protocol that others publish: which topics and measurements an operator listed, and the check of each line.

    [[foreign]]
    topic = "telegraf/+/cpu"
    measurements = ["cpu"]

Accepted is a line with an explicit time in nanoseconds within retention, each tag and field once, integers of 63 bits
and a sign, finite floats, booleans, strings without control characters. Tags and fields may have any name, `device`
too: what comes this way is telemetry under a listed name, and no evidence has such a name.

Source of the format: InfluxDB 1.x "Line protocol reference"; what is accepted here, influxd 1.6.7 takes.
"""

import math
import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, NoReturn, Self

from contract.batch import text_of
from contract.errors import ConfigError, Problem, Reason
from contract.lines import INTEGER_RANGE
from contract.measurements import RETENTION_DAYS, TABLE, Retention
from contract.topics import ROOT

MAX_LINE_BYTES = 65_536
_DAY_NS = 86_400_000_000_000
_HOUR_NS = _DAY_NS // 24

# ---- what an operator lists


class TopicFilter(str):
    """An MQTT topic filter, `+` and `#` as in MQTT 5 §4.7, which takes in nothing of our own topics."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the filter; ValueError says what is wrong."""
        levels = text.split("/")
        misplaced = any("#" in level for level in levels[:-1]) or any(
            level not in ("+", "#") and ("+" in level or "#" in level) for level in levels
        )
        if not text or misplaced or _CONTROL.search(text) or len(text.encode()) > 65_535:
            raise ValueError(f"{text[:80]!r} is not a topic filter such as telegraf/+/cpu or telegraf/#")
        if text.startswith("$"):
            raise ValueError(
                f"{text!r} begins with $: shared subscriptions and topics of the broker's own cannot be used"
            )
        if _overlap(text, f"{ROOT}/#"):
            raise ValueError(f"{text!r} takes in {ROOT}/…, the topics of our own agents: choose others")
        return cls(text)


class MeasurementName(str):
    """The name of a measurement that is not one of ours."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name; ValueError says what is wrong."""
        if text in TABLE:
            raise ValueError(
                f"{text!r} is a measurement of our own, which others cannot write: let them use another name"
            )
        if not text or text.startswith("#") or "\\" in text or _CONTROL.search(text):
            raise ValueError(f"{text!r} cannot be the name of a measurement")
        return cls(text)


class Foreign(NamedTuple):
    """One section `[[foreign]]`: the topics of somebody who publishes line protocol, and what may be in it."""

    topic: TopicFilter
    measurements: tuple[MeasurementName, ...]


class Rule(NamedTuple):
    """A section ready for use; `names` are measurements as they are written in a line."""

    topic: str
    pattern: re.Pattern[str]
    names: frozenset[bytes]


def rules_of(sections: Sequence[Foreign], source: str) -> tuple[Rule, ...]:
    """Return the rules; ConfigError, with every mistake, where two take in the same topic or one lists no name."""
    problems = [
        Problem(f"foreign[{second}].topic", f"{b.topic!r} overlaps with {a.topic!r}: each message would come twice")
        for (first, a), (second, b) in combinations(enumerate(sections), 2)
        if _overlap(a.topic, b.topic)
    ] + [
        Problem(f"foreign[{n}].measurements", "is empty: name what may be stored")
        for n, section in enumerate(sections)
        if not section.measurements
    ]
    if problems:
        raise ConfigError(source, sorted(problems))
    return tuple(Rule(s.topic, _matcher(s.topic), frozenset(map(_written, s.measurements))) for s in sections)


def _overlap(one: str, other: str) -> bool:
    """Tell whether there is a topic that both filters take in."""
    a, b = one.split("/"), other.split("/")
    for left, right in zip(a, b, strict=False):
        if "#" in (left, right):
            return True
        if left != right and "+" not in (left, right):
            return False
    longer = a[len(b) :] or b[len(a) :]
    return longer in ([], ["#"])  # `a/#` takes in `a`


def _matcher(topic: str) -> re.Pattern[str]:
    parent, _, last = topic.rpartition("/")
    levels = (parent if last == "#" else topic).split("/")
    text = "/".join("[^/]*" if level == "+" else re.escape(level) for level in levels)
    return re.compile(text + ("(?:/.*)?" if last == "#" else ""), re.DOTALL)


def _written(name: str) -> bytes:
    return re.sub("([ ,])", r"\\\1", name).encode()


# ---- the check of a payload


class Flaw(NamedTuple):
    """What is refused: a line by its number (the first is 1), or with 0 the whole payload."""

    number: int
    reason: Reason
    detail: str
    content: bytes


class Taken(NamedTuple):
    """What is left of a payload: good lines, each ending with a line feed, and what was refused."""

    body: bytes
    lines: int
    refused: tuple[Flaw, ...]


def check(payload: bytes, names: frozenset[bytes], now_ns: int) -> Taken:
    """
    Return what may be stored of a payload, gzip or not, at `now_ns` (unix ns).

    Comments, blank lines and the empty payload that clears a retained message are passed over.
    """
    if not payload:
        return Taken(b"", 0, ())
    text, flaw = text_of(payload)
    if flaw is not None:
        return Taken(b"", 0, (Flaw(0, flaw.reason, flaw.detail, payload),))
    good: list[bytes] = []
    refused: list[Flaw] = []
    for number, whole in enumerate(text.split(b"\n"), start=1):
        line = whole.strip(b" \r")
        if not line or line.startswith(b"#"):
            continue
        try:
            _judge(line, names, now_ns)
        except _Refused as why:
            refused.append(Flaw(number, why.reason, why.detail, line))
        else:
            good.append(line + b"\n")
    return Taken(b"".join(good), len(good), tuple(refused))


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# InfluxDB takes a separator behind a backslash as escaped, however many backslashes stand before; others count them.
_ESCAPED = rb"\\[ ,=]|\\++(?![ ,=]|\Z)"
_TAG_TEXT = rb"(?:[^ ,=\\]|%b)++" % _ESCAPED
_HEAD = re.compile(rb"((?:[^ ,\\]|\\[ ,])++)(?=[ ,])")
_TAG = re.compile(rb",(%b)=%b" % (_TAG_TEXT, _TAG_TEXT))
_FIELD = re.compile(rb"((?:[^ ,=\\\"]|%b)++)=" % _ESCAPED)
_VALUE = re.compile(
    rb'(?:"(?:[^"\\]|\\.)*+"|t|T|true|True|TRUE|f|F|false|False|FALSE'
    rb"|(?P<integer>-?\d{1,64}+)i|(?P<float>-?(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?\d{1,4}+)?+))(?=[ ,]|\Z)"
)
_BARE = re.compile(rb"[^ ,]*+")
_NOT_A_NUMBER = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_END = re.compile(rb" ++(-?\d{1,64})")
_RESERVED = b"time"


def _judge(line: bytes, names: frozenset[bytes], now_ns: int) -> None:
    """Raise _Refused for a line that is not to be stored."""
    if len(line) > MAX_LINE_BYTES:
        raise _Refused(Reason.LINE_TOO_LONG, f"{len(line)} bytes, {MAX_LINE_BYTES} are allowed")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise _Refused(Reason.NOT_UTF8) from None
    if _CONTROL.search(text):
        raise _Refused(Reason.CONTROL_CHARACTER)
    head = _HEAD.match(line)
    if head is None:
        raise _Refused(Reason.MALFORMED)
    if head[1] not in names:
        raise _Refused(Reason.UNKNOWN_MEASUREMENT, f"{head[1].decode()[:80]} is not listed in [[foreign]]")
    _check_time(line, _after_fields(line, _after_tags(line, head.end())), now_ns)


def _after_tags(line: bytes, at: int) -> int:
    """Return where the fields begin."""
    seen: set[bytes] = set()
    while match := _TAG.match(line, at):
        _add(seen, match[1], Reason.DUPLICATE_TAG)
        at = match.end()
    if line[at : at + 1] != b" ":
        raise _Refused(Reason.MALFORMED)
    while line[at : at + 1] == b" ":
        at += 1
    return at


def _after_fields(line: bytes, at: int) -> int:
    """Return where the fields end."""
    seen: set[bytes] = set()
    while True:
        name = _FIELD.match(line, at)
        if name is None:
            raise _Refused(Reason.MALFORMED if seen or not re.fullmatch(rb"-?\d*", line[at:]) else Reason.NO_FIELD)
        _add(seen, name[1], Reason.DUPLICATE_FIELD)
        at = name.end()
        value = _VALUE.match(line, at)
        if value is None:
            _explain_value(line, at)
        if value["integer"] is not None and int(value["integer"]) not in INTEGER_RANGE:
            raise _Refused(Reason.OUT_OF_RANGE)
        if value["float"] is not None and not math.isfinite(float(value["float"])):
            raise _Refused(Reason.OUT_OF_RANGE)
        at = value.end()
        if line[at : at + 1] != b",":
            return at
        at += 1


def _add(seen: set[bytes], name: bytes, reason: Reason) -> None:
    if name == _RESERVED:
        raise _Refused(Reason.MALFORMED, "InfluxDB takes neither a tag nor a field with the name time")
    if name in seen:
        raise _Refused(reason, name.decode())
    seen.add(name)


def _explain_value(line: bytes, at: int) -> NoReturn:
    bare = line[at : _BARE.match(line, at).end()]  # type: ignore[union-attr]
    if bare.startswith(b'"'):
        is_closed = re.match(rb'"(?:[^"\\]|\\.)*+"', line[at:])
        raise _Refused(Reason.MALFORMED if is_closed else Reason.UNCLOSED_STRING)
    if re.fullmatch(rb"\d+u", bare):
        raise _Refused(Reason.WRONG_TYPE, "unsigned integers are not stored: write 42i (influx_uint_support = false)")
    if _NOT_A_NUMBER.fullmatch(bare):
        raise _Refused(Reason.NOT_FINITE)
    raise _Refused(Reason.WRONG_TYPE if bare else Reason.MALFORMED, bare.decode()[:80])


def _check_time(line: bytes, at: int, now_ns: int) -> None:
    if at == len(line):
        raise _Refused(Reason.NO_TIME, "without a time of its own a line sent twice would be stored twice")
    match = _END.fullmatch(line, at)
    if match is None:
        raise _Refused(Reason.MALFORMED)
    time_ns = int(match[1])
    if time_ns > now_ns + _DAY_NS:
        raise _Refused(Reason.IN_FUTURE)
    days = RETENTION_DAYS[Retention.TELEMETRY]
    if time_ns < now_ns - days * _DAY_NS + _HOUR_NS:
        raise _Refused(Reason.TOO_OLD, f"times are unix nanoseconds, and telemetry is kept {days} days")
