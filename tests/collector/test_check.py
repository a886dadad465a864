"""The check of a batch: what is stored, what is refused and why; and that influxd takes whatever passes."""

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.check import BadLine, Checked, check, delivery_line, explain
from collector.store.open import open_store
from contract.batch import Batch
from contract.errors import Reason
from contract.lines import MAX_LINE_BYTES
from contract.measurements import IDENTITY_TAGS, RETENTION_DAYS, TABLE, Kind, Measurement, Retention
from tests.services import Influxd

NOW_NS = 1_764_000_000_123_456_789
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
AT = b"1764000000000000000"
DEVICE = "441802-3144001234.c0703"
GATEWAY = "441802-3144001234.gw"
TAGS = b",device=441802-3144001234.c0703,site=441802-3144001234,county=441802"
GOOD = b"presence lan=1i " + AT


def at(time_ns: int) -> bytes:
    """Return a good evidence line of that instant."""
    return b"presence lan=1i %d" % time_ns


def batch_of(*lines: bytes, clock: str = "synced", seq: int = 41) -> Batch:
    """Return a batch of these lines."""
    return Batch("5f0c9a1e", seq, clock, b"".join(line + b"\n" for line in lines))


def checked(*lines: bytes, now_ns: int = NOW_NS) -> Checked:
    """Check lines that a device sends for itself."""
    return check(DEVICE, DEVICE, batch_of(*lines), now_ns)


def tagged(line: bytes, tags: bytes = TAGS) -> bytes:
    """Return what is to be stored of a good line: the identity stands behind the measurement's name."""
    end = min(at for at in (line.find(b","), line.find(b" ")) if at > 0)
    return line[:end] + tags + line[end:] + b"\n"


# ---- every reason


REFUSED: list[tuple[Reason, bytes]] = [
    (Reason.LINE_TOO_LONG, b'identity model="' + b"x" * 4060 + b'" ' + AT),
    (Reason.LINE_TOO_LONG, b"\xff" * 5000),
    (Reason.NOT_UTF8, b'identity model="\xff" ' + AT),
    (Reason.NOT_UTF8, b'identity model="\xc3(" ' + AT),
    (Reason.NOT_UTF8, b'identity model="\xed\xa0\x80" ' + AT),  # half a surrogate pair
    (Reason.NOT_UTF8, b'identity model="\xc0\xaf" ' + AT),  # an overlong slash
    (Reason.NOT_UTF8, b"interface,name=\xe4\xb8 up=1i " + AT),  # half of 中
    (Reason.CONTROL_CHARACTER, b'identity model="a\tb" ' + AT),
    (Reason.CONTROL_CHARACTER, b'identity model="a\0b" ' + AT),
    (Reason.CONTROL_CHARACTER, b'identity model="a\x7fb" ' + AT),
    (Reason.CONTROL_CHARACTER, 'identity model="a\x85b" '.encode() + AT),
    (Reason.CONTROL_CHARACTER, 'identity model="a\u2028b" '.encode() + AT),
    (Reason.CONTROL_CHARACTER, "interface,name=a\u2029b up=1i ".encode() + AT),
    (Reason.CONTROL_CHARACTER, GOOD + b"\r"),
    (Reason.CONTROL_CHARACTER, b"interface,name=a\x1bb up=1i " + AT),
    (Reason.MALFORMED, b"presence  lan=1i " + AT),
    (Reason.MALFORMED, b"presence, lan=1i " + AT),
    (Reason.MALFORMED, b"presence lan=1i  " + AT),
    (Reason.MALFORMED, b"presence lan=1i " + AT + b" "),
    (Reason.MALFORMED, b"presence lan=1i " + AT + b"0"),
    (Reason.MALFORMED, b"presence lan=1i 0" + AT[1:]),
    (Reason.MALFORMED, b"presence lan=1i now"),
    (Reason.MALFORMED, b"presence lan=1i 1764000000.5"),
    (Reason.MALFORMED, b"presence lan " + AT),
    (Reason.MALFORMED, b'identity model="a\\b" ' + AT),
    (Reason.MALFORMED, b'identity model="a"b" ' + AT),
    (Reason.MALFORMED, b'interface,name="eth0" up=1i ' + AT),
    (Reason.MALFORMED, b"interface,name= up=1i " + AT),
    (Reason.MALFORMED, b"interface,name=a\\b up=1i " + AT),
    (Reason.MALFORMED, b"interface,name=eth0\\"),
    (Reason.UNCLOSED_STRING, b'identity model="Pi ' + AT),
    (Reason.UNCLOSED_STRING, b'identity model="'),
    (Reason.UNKNOWN_MEASUREMENT, b"weather value=1.0 " + AT),
    (Reason.UNKNOWN_MEASUREMENT, b"Presence lan=1i " + AT),
    (Reason.UNKNOWN_MEASUREMENT, b""),
    (Reason.UNKNOWN_MEASUREMENT, b" "),
    (Reason.UNKNOWN_MEASUREMENT, b"# a comment"),
    (Reason.UNKNOWN_MEASUREMENT, b"delivery lines=1i " + AT),  # the centre alone writes it
    (Reason.UNKNOWN_MEASUREMENT, b"availability lines=1i " + AT),
    *((Reason.IDENTITY_TAG, b"presence,%b=441802-1.c1 lan=1i %b" % (tag.encode(), AT)) for tag in IDENTITY_TAGS),
    (Reason.IDENTITY_TAG, b"interface,name=eth0,device=441802-1.c1 up=1i " + AT),
    (Reason.UNKNOWN_TAG, b"presence,room=3 lan=1i " + AT),
    (Reason.UNKNOWN_TAG, b"presence,lan=1i " + AT),
    (Reason.UNKNOWN_TAG, b"interface,name=eth0,room=3 up=1i " + AT),
    (Reason.MISSING_TAG, b"interface up=1i " + AT),
    (Reason.MISSING_TAG, b"probe,kind=icmp success=1i " + AT),
    (Reason.DUPLICATE_TAG, b"interface,name=eth0,name=eth1 up=1i " + AT),
    (Reason.UNKNOWN_FIELD, b"presence lam=1i " + AT),
    (Reason.UNKNOWN_FIELD, b"presence lan=1i,rx_bytes=1i " + AT),
    (Reason.DUPLICATE_FIELD, b"presence lan=1i,lan=0i " + AT),
    (Reason.DUPLICATE_FIELD, b"presence lan=1i,wan=1i,lan=1i " + AT),
    (Reason.NO_FIELD, b"presence " + AT),
    (Reason.NO_FIELD, b"presence  " + AT),
    (Reason.NO_FIELD, b"presence "),
    (Reason.NO_FIELD, b"presence lan=1i, " + AT),
    (Reason.WRONG_TYPE, b"presence lan=1 " + AT),
    (Reason.WRONG_TYPE, b"presence lan=1.0 " + AT),
    (Reason.WRONG_TYPE, b'presence lan="1" ' + AT),
    (Reason.WRONG_TYPE, b"presence lan=true " + AT),
    (Reason.WRONG_TYPE, b"presence lan=t " + AT),
    (Reason.WRONG_TYPE, b"presence lan=1u " + AT),
    (Reason.WRONG_TYPE, b"presence lan=1.5i " + AT),
    (Reason.WRONG_TYPE, b"presence boot=5 " + AT),
    (Reason.WRONG_TYPE, b"presence uptime_s=5i " + AT),
    (Reason.WRONG_TYPE, b"presence uptime_s=0x10 " + AT),
    (Reason.WRONG_TYPE, b"presence uptime_s=1_000.0 " + AT),
    (Reason.WRONG_TYPE, "presence uptime_s=１ ".encode() + AT),
    *((Reason.NOT_FINITE, b"presence uptime_s=%b %b" % (word, AT)) for word in (b"NaN", b"nan", b"inf", b"-Infinity")),
    (Reason.NOT_FINITE, b"presence lan=NaN " + AT),
    (Reason.OUT_OF_RANGE, b"presence lan=9223372036854775808i " + AT),
    (Reason.OUT_OF_RANGE, b"presence lan=-9223372036854775809i " + AT),
    (Reason.OUT_OF_RANGE, b"presence lan=99999999999999999999i " + AT),
    (Reason.OUT_OF_RANGE, b"presence uptime_s=1e309 " + AT),
    (Reason.OUT_OF_RANGE, b"presence uptime_s=-1e9999 " + AT),
    (Reason.NO_TIME, b"presence lan=1i"),
    (Reason.NO_TIME, b'presence boot="x"'),
    (Reason.TOO_OLD, at(0)),
    (Reason.TOO_OLD, at(1000)),
    (Reason.TOO_OLD, at(1764000000)),  # seconds
    (Reason.TOO_OLD, at(1764000000000)),  # milliseconds
    (Reason.TOO_OLD, at(-1764000000000000000)),
    (Reason.TOO_OLD, b"host load1=0.5 0"),
    (Reason.TOO_OLD, at(NOW_NS - RETENTION_DAYS[Retention.EVIDENCE] * DAY_NS)),
    (Reason.IN_FUTURE, at(4070908800_000000000)),  # 2099
    (Reason.IN_FUTURE, at(9999999999999999999)),
    (Reason.IN_FUTURE, b"host load1=0.5 %d" % (NOW_NS + 25 * HOUR_NS)),
]


@pytest.mark.parametrize(("reason", "line"), REFUSED, ids=lambda item: repr(item)[:60])
def test_a_bad_line_is_named_and_spoils_no_neighbour(reason: Reason, line: bytes) -> None:
    """A bad line is refused with its number and the exact reason; the lines around it are stored."""
    before, after = b"presence lan=1i,wan=0i " + AT, b"interface,name=eth0 up=1i " + AT
    result = checked(before, line, after)
    assert result.refused == (BadLine(2, reason, line),)
    assert result.lines == 2
    assert result.bodies == {Retention.EVIDENCE: tagged(before), Retention.TELEMETRY: tagged(after)}
    assert result.newest_ns == int(AT)


def test_every_reason_for_lines_has_a_case() -> None:
    """No reason for a line goes untested; names of reasons are append-only, so the list only grows."""
    of_lines = list(Reason)[list(Reason).index(Reason.LINE_TOO_LONG) :]
    assert {reason for reason, _ in REFUSED} == set(of_lines) - {Reason.STORE_REFUSED}


def test_many_bad_lines_are_numbered_from_one() -> None:
    """The first line behind the header is number 1, and empty lines count."""
    result = checked(b"x", GOOD, b"", GOOD, b"presence lan=1i")
    assert [(bad.number, bad.reason) for bad in result.refused] == [
        (1, Reason.UNKNOWN_MEASUREMENT),
        (3, Reason.UNKNOWN_MEASUREMENT),
        (5, Reason.NO_TIME),
    ]
    assert result.lines == 2


def test_a_line_feed_within_a_string_makes_two_bad_lines() -> None:
    """A string does not go on over a line feed: both halves are refused, the neighbours are stored."""
    result = checked(GOOD, b'identity model="a\nb" ' + AT, GOOD)
    assert [(bad.number, bad.reason) for bad in result.refused] == [
        (2, Reason.UNCLOSED_STRING),
        (3, Reason.UNKNOWN_MEASUREMENT),
    ]
    assert result.lines == 2


def test_the_last_line_may_lack_its_line_feed() -> None:
    """A batch that was not ended with a line feed is taken whole, or its last line is named; nothing is cut off."""
    whole = batch_of(GOOD, b"interface,name=eth0 up=1i " + AT)
    result = check(DEVICE, DEVICE, whole._replace(lines=whole.lines[:-1]), NOW_NS)
    assert result.bodies == check(DEVICE, DEVICE, whole, NOW_NS).bodies
    assert result.refused == ()


def test_a_batch_without_the_time_stores_nothing() -> None:
    """A boot that never got the time counts as no evidence: each of its lines is refused as unsynced."""
    result = check(DEVICE, DEVICE, batch_of(GOOD, b"x", clock="unsynced"), NOW_NS)
    assert result.bodies == {}
    assert result.refused == (BadLine(1, Reason.UNSYNCED, GOOD), BadLine(2, Reason.UNSYNCED, b"x"))


@pytest.mark.parametrize("clock", ["synced", "trusted"])
def test_a_clock_that_somebody_vouches_for_is_believed(clock: str) -> None:
    """The kernel's word and the operator's both make evidence."""
    assert check(DEVICE, DEVICE, batch_of(GOOD, clock=clock), NOW_NS).lines == 1


# ---- limits


def test_the_longest_line_is_stored() -> None:
    """4 KiB without the line feed is the limit, and is allowed, alone and among others."""
    room = MAX_LINE_BYTES - len(b'identity model="" ' + AT)
    longest = b'identity model="' + b"x" * room + b'" ' + AT
    assert len(longest) == MAX_LINE_BYTES
    assert checked(longest).lines == 1
    assert checked(GOOD, longest, GOOD).lines == 3
    longer = longest.replace(b"x", b"xx", 1)
    assert [bad.reason for bad in checked(GOOD, longer, GOOD).refused] == [Reason.LINE_TOO_LONG]


FLOATS = (
    b"0 -0 0.0 -0.0 1e-07 1e+16 1E5 5e-324 1.7976931348623157e308 -1.7976931348623157e+308 123456789012345678 "
    b"0.12345678901234567890123456789 1234567890123456789012345 1e-9999 0001.5 18446744073709551616 2e308e"
).split()[:-1]
INTEGERS = (
    b"0i -0i 1i -1i 9223372036854775807i -9223372036854775808i 999999999999999999i 9007199254740993i 007i".split()
)


@pytest.mark.parametrize("number", [*FLOATS, b"9" * 308, b"0." + b"3" * 64])
def test_floats_of_every_form_are_stored_as_they_are(number: bytes) -> None:
    """Exponents, long digits and the limits of a double pass untouched."""
    line = b"presence uptime_s=" + number + b" " + AT
    assert checked(line).bodies == {Retention.EVIDENCE: tagged(line)}


@pytest.mark.parametrize("number", INTEGERS)
def test_integers_up_to_64_bits_are_stored_as_they_are(number: bytes) -> None:
    """All of int64 passes untouched."""
    line = b"presence lan=" + number + b" " + AT
    assert checked(line).bodies == {Retention.EVIDENCE: tagged(line)}


@pytest.mark.parametrize(
    ("line", "stored", "refused", "expired"),
    [
        (at(NOW_NS - RETENTION_DAYS[Retention.EVIDENCE] * DAY_NS + HOUR_NS), 1, 0, 0),
        (at(NOW_NS - RETENTION_DAYS[Retention.EVIDENCE] * DAY_NS + HOUR_NS - 1), 0, 1, 0),
        (at(NOW_NS - 36 * DAY_NS), 1, 0, 0),
        (at(NOW_NS + DAY_NS), 1, 0, 0),
        (at(NOW_NS + DAY_NS + 1), 0, 1, 0),
        (b"host load1=0.5 %d" % (NOW_NS - 35 * DAY_NS + HOUR_NS), 1, 0, 0),
        (b"host load1=0.5 %d" % (NOW_NS - 35 * DAY_NS + HOUR_NS - 1), 0, 0, 1),
        (b"host load1=0.5 %d" % (NOW_NS - 1000 * DAY_NS), 0, 0, 1),
    ],
)
def test_the_age_that_is_taken(line: bytes, stored: int, refused: int, expired: int) -> None:
    """
    Evidence is taken for three years and refused beyond, telemetry older than 35 days is counted and not refused.

    A whole day of future is taken: a wrong clock at the centre must not turn good evidence away.
    """
    result = checked(line, GOOD)
    assert (result.lines - 1, len(result.refused), result.expired) == (stored, refused, expired)


def test_expired_telemetry_leaves_the_rest() -> None:
    """A backlog of two months: its evidence is stored, its telemetry counted as expired; nothing is refused."""
    old = NOW_NS - 60 * DAY_NS
    result = checked(at(old), b"host load1=0.5 %d" % (old + 5), b"interface,name=eth0 up=1i %d" % (old + 6))
    assert result.bodies == {Retention.EVIDENCE: tagged(at(old))}
    assert (result.lines, result.expired, result.refused, result.newest_ns) == (1, 2, (), old + 6)


def test_a_backlog_of_telemetry_alone_is_acknowledged_empty() -> None:
    """Where all of a batch has expired nothing is stored and nothing refused."""
    result = checked(b"host load1=0.5 %d" % (NOW_NS - 60 * DAY_NS))
    assert (result.bodies, result.lines, result.expired, result.refused) == ({}, 0, 1, ())
    assert b"lines=0i" in delivery_line(result, NOW_NS)
    assert b"expired=1i" in delivery_line(result, NOW_NS)


# ---- identity


def test_identity_comes_from_the_names_alone() -> None:
    """`device`, `site` and `county` follow from the device id; `agent` stands only where it differs."""
    lines = batch_of(b"probe,kind=icmp,target=a\\ b success=1i " + AT)
    own = check(DEVICE, DEVICE, lines, NOW_NS).bodies[Retention.EVIDENCE]
    assert own == b"probe%b,kind=icmp,target=a\\ b success=1i %b\n" % (TAGS, AT)
    other = check(GATEWAY, DEVICE, lines, NOW_NS).bodies[Retention.EVIDENCE]
    assert other == b"probe%b,agent=%b,kind=icmp,target=a\\ b success=1i %b\n" % (TAGS, GATEWAY.encode(), AT)


def test_every_measurement_is_tagged_and_lies_in_its_retention_class() -> None:
    """Each measurement of the table goes to the body of its own class, in the order sent."""
    lines = []
    for row in TABLE.values():
        if row.from_agent:
            values = {Kind.FLOAT: b"1.5", Kind.INTEGER: b"2i", Kind.STRING: '"教室 a,b=c"'.encode()}
            head = row.name.encode() + b"".join(b",%b=x" % tag.encode() for tag in row.tags)
            fields = b",".join(b"%b=%b" % (field.name.encode(), values[field.kind]) for field in row.fields)
            lines.append(b"%b %b %b" % (head, fields, AT))
    for order in (lines, lines[::-1]):
        for more in ([], [b"bad"]):  # the second takes the slow way
            result = checked(*order, *more)
            assert result.lines == len(lines)
            for kind in Retention:
                mine = [line for line in order if TABLE[line.split(b" ")[0].split(b",")[0].decode()].retention is kind]
                assert result.bodies[kind] == b"".join(map(tagged, mine))


def test_text_that_looks_like_lines_is_not_touched() -> None:
    """Names of measurements, commas and times within a string or a tag are text."""
    line = 'identity model="presence lan=1i {0}",serial="host load1=1 {0}" {0}'.format(AT.decode()).encode()
    odd = b"interface,name=presence\\ lan\\=1i\\,host up=1i " + AT
    result = checked(line, odd)
    assert result.bodies == {Retention.EVIDENCE: tagged(line), Retention.TELEMETRY: tagged(odd)}


@pytest.mark.parametrize(
    ("usual", "odd"),
    [
        (b'presence boot="a",lan=1i,wan=0i ', b'presence wan=0i,lan=1i,boot="a" '),
        (b"probe,kind=icmp,target=x success=1i,rtt_ms=1.5 ", b"probe,target=x,kind=icmp rtt_ms=1.5,success=1i "),
        (b"interface,name=e rx_bytes=1i,up=1i ", b"interface,name=e up=1i,rx_bytes=1i "),
    ],
)
def test_any_order_of_tags_and_fields_is_taken(usual: bytes, odd: bytes) -> None:
    """An agent by another hand may order tags and fields as it likes: the same content is stored."""
    one, other = checked(usual + AT), checked(odd + AT)
    assert (one.lines, one.refused, one.newest_ns) == (other.lines, other.refused, other.newest_ns) == (1, (), int(AT))
    (kept,), (odd_kept,) = one.bodies.values(), other.bodies.values()
    assert read(kept[:-1]) == read(odd_kept[:-1])


# ---- delivery, explain


def test_the_delivery_point_says_what_came() -> None:
    """Exactly these fields, at newest sample + seq ns; the epoch is a field, the agent always a tag."""
    batch = batch_of(GOOD, b"bad", b"host load1=1.0 %d" % (NOW_NS - 60 * DAY_NS), seq=7)._replace(
        previous="00c0ffee:12"
    )
    received_ns = NOW_NS + 5_000_000_000
    line = delivery_line(check(GATEWAY, DEVICE, batch, received_ns), received_ns)
    tags = TAGS + b",agent=" + GATEWAY.encode()
    fields = (
        b'epoch="5f0c9a1e",seq=7i,lines=1i,received=%di,lag_ms=5123i,partial=1i,expired=1i,clock="synced",'
        b'previous="00c0ffee:12"' % (received_ns // 1_000_000)
    )
    assert line == b"delivery%b %b %d\n" % (tags, fields, int(AT) + 7)
    assert b"agent=" + DEVICE.encode() in delivery_line(checked(GOOD), NOW_NS)


def test_the_delivery_point_of_a_re_send_overwrites() -> None:
    """The same batch received later gives a point of the same series and time; another seq gives another time."""
    points = [delivery_line(checked(GOOD), received_ns) for received_ns in (NOW_NS, NOW_NS + HOUR_NS)]
    heads = {(point.split(b" ")[0], point.rsplit(b" ", 1)[1]) for point in points}
    assert len(heads) == 1
    other = delivery_line(check(DEVICE, DEVICE, batch_of(GOOD, seq=42), NOW_NS), NOW_NS)
    assert other.rsplit(b" ", 1)[1] not in {time for _, time in heads}


def test_a_boot_without_the_time_has_its_delivery_point_only() -> None:
    """A batch without lines gives one point at the time that its header names, with the number held back."""
    batch = Batch("5f0c9a1e", 3, "unsynced", b"", at_ns=NOW_NS - HOUR_NS, held=120)
    result = check(DEVICE, DEVICE, batch, NOW_NS)
    assert (result.bodies, result.refused) == ({}, ())
    line = delivery_line(result, NOW_NS)
    assert line.endswith(b'clock="unsynced",held=120i %d\n' % (NOW_NS - HOUR_NS + 3))
    assert b"lag_ms=3600000i" in line


def test_explain_names_lines_and_reasons() -> None:
    """One line for people: the first twenty by number and reason, then how many more."""
    assert explain(checked(GOOD, b"x", GOOD, b"presence lan=NaN " + AT).refused) == (
        "line 2 unknown_measurement, line 4 not_finite"
    )
    many = explain(checked(*[b"x"] * 23).refused)
    assert many.startswith("line 1 unknown_measurement, line 2 ")
    assert many.endswith("line 20 unknown_measurement, and 3 more")


# ---- a grammar of lines, and mutations of them


TEXTS = (
    *(
        "",
        "a",
        "初一(3)班 教室",
        "a b,c=d",
        "it's /fine/",
        "é",
        "𠮷",
        "\u3000",
        "\ufeff",
        "\u200b",
        "#",
        "=",
        ",",
        " ",
        "  ",
    ),
    *("\ufffe", "null", "{}", "\u00a0x", "0", "1i", "x" * 300, "presence lan=1i 1", "%41", "<&>", "$a", "'", "\u202e"),
)
BYTES = [bytes([n]) for n in range(256)] + [
    b" ",
    b",",
    b"=",
    b'"',
    b"\\",
    b"\\ ",
    b"\r",
    "中".encode(),
    b"i",
    b"e",
    b"-",
] * 12


class Grammar:
    """Draws lines that an agent of any make might send; the numbers and texts are edges more often than not."""

    def __init__(self, chance: random.Random, now_ns: int) -> None:
        self.chance = chance
        self.now_ns = now_ns

    def line(self) -> bytes:
        """Return a line that must be accepted."""
        row = self.chance.choice([row for row in TABLE.values() if row.from_agent])
        tags = list(row.tags)
        fields = self.chance.sample(row.fields, self.chance.randint(1, len(row.fields)))
        if self.chance.random() < 0.5:
            self.chance.shuffle(tags)
        else:
            fields.sort(key=row.fields.index)
        head = row.name.encode() + b"".join(b",%b=%b" % (tag.encode(), self.tag_value()) for tag in tags)
        body = b",".join(b"%b=%b" % (field.name.encode(), self.value(field.kind)) for field in fields)
        return b"%b %b %d" % (head, body, self.time(row))

    def tag_value(self) -> bytes:
        """Return a tag value, escaped."""
        text = self.chance.choice([text for text in TEXTS if text])
        return b"".join(b"\\" + c.encode() if c in " ,=" else c.encode() for c in text)

    def value(self, kind: Kind) -> bytes:
        """Return the value of a field."""
        if kind is Kind.STRING:
            return f'"{self.chance.choice(TEXTS)}"'.encode()
        if kind is Kind.INTEGER:
            return self.chance.choice([*INTEGERS, b"%di" % self.chance.randrange(-(2**63), 2**63)])
        return self.chance.choice([*FLOATS, repr(self.chance.uniform(-1e6, 1e6)).encode(), b"9" * 308])

    def time(self, row: Measurement) -> int:
        """Return an instant that is taken; in one of ten lines at a limit."""
        oldest = self.now_ns - RETENTION_DAYS[row.retention] * DAY_NS + HOUR_NS
        if self.chance.random() < 0.1:
            return self.chance.choice((oldest, self.now_ns + DAY_NS))
        return self.now_ns - self.chance.randrange(20 * DAY_NS)

    def mutant(self) -> bytes:
        """Return a line with one to three small accidents."""
        line = self.line()
        for _ in range(self.chance.randint(1, 3)):
            start = self.chance.randrange(len(line) + 1)
            end = min(len(line), start + self.chance.choice((0, 0, 1, 1, 2, 8)))
            middle = self.chance.choice(
                (b"", line[start:end] * 2, self.chance.choice(BYTES), self.chance.choice(BYTES))
            )
            line = line[:start] + middle + line[end:]
        return line.replace(b"\n", b"")


class Point(NamedTuple):
    """A line taken apart by the tests' own reader."""

    measurement: str
    tags: frozenset[tuple[str, str]]
    fields: dict[str, float | int | str]
    time_ns: int


def pieces(text: str, mark: str) -> list[str]:
    """Split at marks that are neither escaped nor in a string."""
    found, is_string, is_escaped = [""], False, False
    for c in text:
        if c == mark and not is_string and not is_escaped:
            found.append("")
            continue
        is_string ^= c == '"' and not is_escaped
        is_escaped = c == "\\" and not is_escaped
        found[-1] += c
    return found


def read(line: bytes) -> Point:
    """Read an accepted line, independently of the product."""
    head, fields, time_ns = pieces(line.decode(), " ")
    name, *tags = pieces(head, ",")
    pairs = [pieces(tag, "=") for tag in tags]
    values = [pieces(field, "=") for field in pieces(fields, ",")]
    plain = {tag: value.replace("\\ ", " ").replace("\\,", ",").replace("\\=", "=") for tag, value in pairs}
    return Point(name, frozenset(plain.items()), {field: read_value(text) for field, text in values}, int(time_ns))


def read_value(text: str) -> float | int | str:
    """Return the value of a field."""
    if text.startswith('"'):
        return text[1:-1]
    return int(text[:-1]) if text.endswith("i") else float(text)


randoms = st.randoms(use_true_random=False)


@settings(max_examples=100)
@given(chance=randoms, size=st.integers(1, 5))
def test_every_line_of_the_grammar_is_accepted_on_both_ways(chance: random.Random, size: int) -> None:
    """Good lines are tagged alike whether a bad neighbour sends them the slow way or not, and nothing else changes."""
    grammar = Grammar(chance, NOW_NS)
    lines = [grammar.line() for _ in range(size)]
    result, slow = checked(*lines), checked(*lines, b"x")
    assert (result.lines, result.refused, result.expired) == (size, (), 0)
    assert slow == result._replace(batch=slow.batch, refused=(BadLine(size + 1, Reason.UNKNOWN_MEASUREMENT, b"x"),))
    expected = {kind: [line for line in lines if TABLE[read(line).measurement].retention is kind] for kind in Retention}
    assert result.bodies == {kind: b"".join(map(tagged, some)) for kind, some in expected.items() if some}
    assert result.newest_ns == max(read(line).time_ns for line in lines)


@settings(max_examples=150)
@given(chance=randoms, size=st.integers(1, 6))
def test_mutated_lines_never_fail_and_are_judged_one_by_one(chance: random.Random, size: int) -> None:
    """No accident raises; a line's fate does not depend on its neighbours, so both ways of the check agree."""
    grammar = Grammar(chance, NOW_NS)
    lines = [grammar.mutant() if chance.random() < 0.7 else grammar.line() for _ in range(size)]
    together, alone = checked(*lines), [checked(line) for line in lines]
    assert together.lines == sum(result.lines for result in alone)
    assert together.expired == sum(result.expired for result in alone)
    assert together.refused == tuple(
        bad._replace(number=number) for number, result in enumerate(alone, start=1) for bad in result.refused
    )
    for kind in Retention:
        assert together.bodies.get(kind, b"") == b"".join(result.bodies.get(kind, b"") for result in alone)
    assert together.newest_ns == max(result.newest_ns for result in alone)
    assert together.lines + together.expired + len(together.refused) == size


@settings(max_examples=200)
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_never_fail(content: bytes) -> None:
    """Whatever stands behind a header is stored, counted or refused with a reason, line by line."""
    result = check(DEVICE, DEVICE, Batch("5f0c9a1e", 1, "synced", content), NOW_NS)
    assert result.lines + result.expired + len(result.refused) == len(content.removesuffix(b"\n").split(b"\n")) - (
        not content
    )


# ---- what the check accepts, influxd accepts


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """Run an influxd with the retention policies that the product makes."""
    server = Influxd(tmp_path_factory.mktemp("check"))
    server.start()
    try:
        store = open_store(server.url("santong"))
        store.prepare()
        store.close()
        yield server
    finally:
        server.stop()


def write(server: Influxd, kind: Retention, body: bytes) -> str:
    """Write straight to influxd; return its words when it does not take all."""
    url = f"http://127.0.0.1:{server.port}/write?db=santong&rp={kind}&precision=ns"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return "" if answer.status == 204 else str(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return str(json.load(error)["error"])


@pytest.mark.parametrize("seed", range(3))
def test_what_the_check_accepts_influxd_accepts_and_gives_back(influxd: Influxd, seed: int) -> None:
    """Thousands of lines with every edge, and accidents that passed: influxd takes each and returns it as sent."""
    device = f"441802-{seed}.c1"
    now_ns = time.time_ns()
    grammar = Grammar(random.Random(seed), now_ns)
    lines = [grammar.line() if n % 2 else grammar.mutant() for n in range(4000)]
    result = check(device, device, batch_of(*lines), now_ns)
    assert result.lines > 2200
    assert {kind: write(influxd, kind, body) for kind, body in result.bodies.items()} == dict.fromkeys(Retention, "")

    expected: Stored = {}
    for body in result.bodies.values():
        for line in body.splitlines():
            point = read(line)
            expected.setdefault((point.measurement, point.tags, point.time_ns), {}).update(point.fields)
    assert stored(influxd, device) == expected


Stored = dict[tuple[str, frozenset[tuple[str, str]], int], dict[str, float | int | str]]


def stored(server: Influxd, device: str) -> Stored:
    """Return all that influxd has of a device; a float without a fraction comes as digits only."""
    found: Stored = {}
    for kind in Retention:
        text = f"SELECT * FROM /.*/ WHERE device = '{device}' GROUP BY *"
        for series in server.query(text, "santong", kind):
            tags = frozenset((tag, value) for tag, value in series["tags"].items() if value)
            row = TABLE[series["name"]]
            for time_ns, *values in series["values"]:
                fields = {name: v for name, v in zip(series["columns"][1:], values, strict=True) if v is not None}
                found[row.name, tags, time_ns] = {
                    name: float(value) if row.kind_of(name) is Kind.FLOAT else value for name, value in fields.items()
                }
    return found


def test_what_the_check_accepts_the_sqlite_store_accepts(tmp_path: Path) -> None:
    """The embedded store takes the same lines, so `santong up` and a city differ in nothing."""
    now_ns = time.time_ns()
    grammar = Grammar(random.Random(7), now_ns)
    store = open_store(f"sqlite://{tmp_path}/store.db")
    store.prepare()
    result = checked(*[grammar.line() if n % 2 else grammar.mutant() for n in range(4000)], now_ns=now_ns)
    assert [poison for kind, body in result.bodies.items() for poison in store.write(kind, body)] == []
    store.close()
