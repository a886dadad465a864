"""
Valid lines, drawn from the measurement table: every measurement, tag and field, with values at their edges.

A line is drawn as a `Draft`, in its parts, so that a mutation can put one of them wrong.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from contract.measurements import RETENTION_DAYS, TABLE, Kind, Measurement, Retention

DAY_NS = 86_400_000_000_000
HOUR_NS = DAY_NS // 24
ROWS = tuple(row for row in TABLE.values() if row.from_agent)
NAMES = {row.name: row.name.encode() for row in ROWS}

# No line feed, quote, backslash or control character: all else is text.
TEXTS = (
    *("", "a", "0", "1i", "-", "#", "=", ",", " ", "  ", "'", "/", "null", "NaN", "true", "{}", "[]", "<&>", "$a"),
    *("a b,c=d", "it's /fine/", "presence lan=1i 1764000000000000000", "#santong/1 epoch=5f0c9a1e", "x" * 255),
    *("初一(3)班 教室", "é", "e\u0301", "𠮷", "\u3000", "\ufeff", "\u200b", "\ufffe", "\uffff", "\ufffd", "\u00a0x"),
    *("\u202e", "\u00ad", "\ue000", "\U0010ffff", "👩‍🏫", "中" * 80, "ß", "İ", "ǅ", "\u2060"),
)
INTEGERS = (
    *(
        b"0i -0i 1i -1i 007i 9i 255i 65536i 4294967296i 9007199254740993i 999999999999999999i 1000000000000000000i "
        b"-9223372036854775808i 9223372036854775807i 9223372036854775806i 0000000000000000001i"
    ).split(),
    b"42i".rjust(65, b"0"),
    b"-" + b"7i".rjust(30, b"0"),
)
FLOATS = (
    *(
        b"0 -0 0.0 -0.0 1 -1 1.5 007 0001.50 1e0 1E5 1e+5 1e-5 1e-07 1e+16 1e0016 5e-324 -5e-324 4.9e-325 1e-400 "
        b"2.2250738585072014e-308 1.7976931348623157e308 -1.7976931348623157E+308 1.7976931348623158e308 0.1 1e22 1e23 "
        b"1e-9999 123456789012345678 1234567890123456789012345 18446744073709551616 9007199254740993 "
        b"0.30000000000000004 0.12345678901234567890123456789 100000000000000000000000 3.141592653589793238462643383279"
    ).split(),
    *(b"9" * 308, b"1" + b"0" * 307, b"0." + b"3" * 64, b"-" + b"0" * 300 + b".5", b"1e308".rjust(308, b"0")),
)

USUAL_INTEGERS = tuple(number for number in INTEGERS if len(number.strip(b"-i")) <= 18)
USUAL_FLOATS = tuple(number for number in FLOATS if len(number) < 20 and b"E" not in number and b"e00" not in number)

Item = TypeVar("Item")


def pick(chance: random.Random, items: Sequence[Item]) -> Item:
    """Return one of some items, a third of the time that `choice` takes."""
    return items[int(chance.random() * len(items))]


def escape(text: str) -> bytes:
    """Return a tag's value as it stands in a line."""
    return text.replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=").encode()


TAG_TEXTS = tuple(escape(text) for text in TEXTS if text)
FIELD_TEXTS = tuple(f'"{text}"'.encode() for text in TEXTS)


class Draft(NamedTuple):
    """A line in its parts, as they are written; the lists may be changed."""

    row: Measurement
    name: bytes
    tags: list[tuple[bytes, bytes]]
    fields: list[tuple[bytes, bytes]]
    time: bytes

    def line(self) -> bytes:
        """Return the line without its line feed."""
        head = b"".join([self.name, *[b",%b=%b" % tag for tag in self.tags]])
        return b"%b %b %b" % (head, b",".join([b"%b=%b" % field for field in self.fields]), self.time)


class Grammar:
    """
    Draws lines that must be accepted at `now_ns`; numbers, texts and times are edges more often than not.

    `is_usual` draws what an agent of ours sends: the table's order, numbers of a usual size, times of the last weeks.
    Only such lines take the short way through the check, and only a batch without any other.
    """

    def __init__(self, chance: random.Random, now_ns: int, *, is_usual: bool = False) -> None:
        self.chance = chance
        self.now_ns = now_ns
        self.is_usual = is_usual
        self.oldest_ns = {kind: now_ns - RETENTION_DAYS[kind] * DAY_NS + HOUR_NS for kind in Retention}

    def draft(self) -> Draft:
        """Return a line in its parts."""
        chance = self.chance
        row = pick(chance, ROWS)
        fields = [field for field in row.fields if chance.random() < 0.6] or [pick(chance, row.fields)]
        tags = list(row.tags)
        if not self.is_usual and chance.random() < 0.5:
            chance.shuffle(fields)
            chance.shuffle(tags)
        return Draft(
            row,
            NAMES[row.name],
            [(tag.encode(), self.tag_value()) for tag in tags],
            [(field.name.encode(), self.value(field.kind)) for field in fields],
            b"%d" % self.time(row.retention),
        )

    def tag_value(self) -> bytes:
        """Return a tag value, escaped."""
        return pick(self.chance, TAG_TEXTS)

    def value(self, kind: Kind) -> bytes:
        """Return the value of a field."""
        chance = self.chance
        if kind is Kind.STRING:
            return pick(chance, FIELD_TEXTS)
        is_edge = chance.random() < 0.4
        if kind is Kind.INTEGER:
            if is_edge:
                return pick(chance, USUAL_INTEGERS if self.is_usual else INTEGERS)
            size = pick(chance, (2, 100, 10**6, 10**9, 10**18)) if self.is_usual else 2**63
            return b"%di" % int((chance.random() * 2 - 1) * size)
        if is_edge:
            return pick(chance, USUAL_FLOATS if self.is_usual else FLOATS)
        return repr((chance.random() - 0.5) * 10.0 ** int(chance.random() * 40 - 20)).encode()

    def time(self, retention: Retention) -> int:
        """Return an instant that is stored; in one of twenty lines near a limit, or at it."""
        oldest_ns = self.oldest_ns[Retention.TELEMETRY if self.is_usual else retention]
        if (draw := self.chance.random()) < 0.05:
            aside = int(self.chance.random() * 1e9) if draw < 0.04 else 0
            at_the_end = self.chance.random() < 0.5
            return self.now_ns + DAY_NS - aside if at_the_end else oldest_ns + aside
        return self.now_ns - int(self.chance.random() * (self.now_ns - oldest_ns))
