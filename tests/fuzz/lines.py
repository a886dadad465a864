"""What can be wrong with one line, by kind: each function gets a drawn line in its parts and returns it damaged."""

import random
from collections.abc import Callable

from contract.lines import MAX_LINE_BYTES
from contract.measurements import IDENTITY_TAGS, Kind
from tests.fuzz.grammar import DAY_NS, INTEGERS, Draft, Grammar, pick

Random = random.Random
Pairs = list[tuple[bytes, bytes]]

SPECIAL: list[bytes] = [
    *(b" ", b",", b"=", b'"', b"\\", b"\\ ", b"\\,", b"\\=", b"\\\\", b"\r", b"\n", b"\0", b"\t", b"#", b"i", b"e"),
    *(c.encode() for c in ("\u2028", "\u2029", "\u0085", "\u00a0", "\ufeff", "中", "１", "\u200d")),
    *(b"\x7f", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe4\xb8", b"\xf4\x90\x80\x80", b"\x1b[0m", b".", b"0", b"+"),
    b"-",
]
NUMBERS: tuple[bytes, ...] = (
    *b"9223372036854775808i -9223372036854775809i 18446744073709551615i 99999999999999999999i 1e3i 1.0i 0x10i".split(),
    *b"i -i +5i --5i 5u 5I 5ii 1_000i 1,5i 1e309 -1e309 1.8e308 1e99999 1. .5 -.5 +1.5 1e 1e+ 1e-+5 1e5.0 1d5".split(),
    *b"NaN nan -nan NAN inf -inf +Inf infinity -Infinity none null true false t F T True 1.5.5 1-5 5- - + e5".split(),
    *b'0x1p3 1_0.5 E "" "1i" i1 1i2'.split(),
    *(b"", b"1 i", "１".encode(), "٣i".encode(), "−5i".encode()),
    *(b"9" * 309, b"0." + b"3" * 65, b"0i".rjust(66, b"0"), b"9" * 64 + b"i", b"9" * 1000 + b"i", b"1" * 3000),
)
_BYTES = [bytes([n]) for n in range(256)]
_FIELDS = (b"lan", b"value", b"time", b"Up", b"", b"device", "级".encode(), b"a b", b"a\\ b", b"success")
_TAGS = (b"name", b"kind", b"room", b"host", b"time", b"Name", b"", b"_field", b"lan", "级".encode())
_MEASUREMENTS = (
    *(b"weather", b"delivery", b"availability", b"roster", b"", b"#", b"=", b'"host"', b"host\\ ", b"_internal"),
    *(b"presence", b"interface", b"sensor", b"stop", b"\xef\xbb\xbf"),
)
_KINDS = tuple(Kind)


def edit(chance: Random, content: bytes, most: int = 3) -> bytes:
    """Change, take out, double or put in some bytes, one to `most` times."""
    for _ in range(1 + int(chance.random() * most)):
        start = place(chance, content)
        end = min(len(content), start + pick(chance, (0, 0, 1, 1, 2, 8)))
        draw = chance.random()
        if draw < 0.6:
            middle = pick(chance, SPECIAL if draw < 0.35 else _BYTES)
        else:
            middle = b"" if draw < 0.8 else content[start:end] * 2
        content = content[:start] + middle + content[end:]
    return content


def flip(chance: Random, content: bytes) -> bytes:
    """Turn one bit."""
    at = int(chance.random() * len(content))
    return content[:at] + bytes([content[at] ^ 1 << int(chance.random() * 8)]) + content[at + 1 :]


def put_in(chance: Random, content: bytes, more: bytes) -> bytes:
    """Put something in anywhere."""
    at = place(chance, content)
    return content[:at] + more + content[at:]


def place(chance: Random, items: bytes | Pairs | list[bytes]) -> int:
    """Return a place before, between or behind some items."""
    return int(chance.random() * (len(items) + 1))


def _set(chance: Random, pairs: Pairs, value: bytes) -> None:
    """Give one of the tags or fields, if any, another value."""
    if pairs:
        at = int(chance.random() * len(pairs))
        pairs[at] = pairs[at][0], value


# ---- values


def wrong_type(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Give a field a value of another type."""
    at = int(chance.random() * len(draft.fields))
    name, _ = draft.fields[at]
    kind = draft.row.kind_of(name.decode())
    draft.fields[at] = name, grammar.value(pick(chance, [other for other in _KINDS if other is not kind]))
    return draft.line()


def odd_number(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Write numbers at and beyond the limits, NaN, and what looks like a number."""
    _set(chance, draft.fields, pick(chance, NUMBERS))
    return draft.line()


def other_number(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Write leading zeros, signs, points, exponents, a missing or doubled `i`."""
    at = int(chance.random() * len(draft.fields))
    name, value = draft.fields[at]
    if value[:1] == b'"':
        value = pick(chance, INTEGERS)
    value = _rewritten(chance, value)
    if chance.random() < 0.5:
        value = _rewritten(chance, value)
    draft.fields[at] = name, value
    return draft.line()


def _rewritten(chance: Random, value: bytes) -> bytes:
    """Return a number in another form, which may be the same number."""
    sign = value[:1] if value[:1] == b"-" else b""
    digits = value[len(sign) :]
    zeros = b"0" * pick(chance, (1, 1, 2, 17, 18, 19, 20, 60, 300))
    exponent = b"%b%d" % (pick(chance, (b"e", b"E", b"e+", b"e-")), int(chance.random() * 400))
    forms = (
        sign + zeros + digits,
        pick(chance, (b"+", b"-", b"--", b"+-", b" ")) + value,
        value.removesuffix(b"i"),
        value + b"i",
        value + pick(chance, (exponent, b".", b".0", zeros, b"." + zeros + b"1")),
        value.removesuffix(b"i") + exponent,
        sign + b"." + digits,
    )
    return pick(chance, forms)


def odd_text(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Put escapes, quotes, control characters, broken UTF-8 and line ends into a string."""
    _set(chance, draft.fields, b'"%b"' % put_in(chance, grammar.value(Kind.STRING)[1:-1], pick(chance, SPECIAL)))
    return draft.line()


def odd_quotes(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Leave quotes out, double, escape them, or take another kind."""
    text = grammar.value(Kind.STRING)[1:-1]
    forms = (b'"%b', b'%b"', b"%b", b'""%b""', b'"%b""', b"'%b'", b'\\"%b\\"', b'"%b"x', b'x"%b"', b'"%b" ', b'"a""%b"')
    _set(chance, draft.fields, pick(chance, forms) % text)
    return draft.line()


def odd_tag(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Put escapes, quotes, control characters and broken UTF-8 into a tag; empty it; end it with a backslash."""
    value = put_in(chance, grammar.tag_value(), pick(chance, SPECIAL))
    _set(chance, draft.tags, pick(chance, (value, value, value, b"", b'"%b"' % value, value + b"\\", b"\\" + value)))
    return draft.line()


def odd_time(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Give times of other units, ages and forms, at both limits, and none at all."""
    now_ns, time, oldest_ns = grammar.now_ns, int(draft.time), grammar.oldest_ns.values()
    draw = chance.random()
    if draw < 0.35:
        limits = [limit + aside for limit in (*oldest_ns, now_ns + DAY_NS, 2**63 - 1) for aside in (-1, 0, 1)]
        return draft._replace(time=b"%d" % pick(chance, (*limits, now_ns, 0, 1, 10**19 - 1))).line()
    if draw < 0.6:
        others = (time // 10**9, time // 10**6, time // 10**3, time * 10, -time, time - 365 * DAY_NS)
        return draft._replace(time=b"%d" % pick(chance, others)).line()
    if draw < 0.7:
        line = draft.line()
        return line[: line.rindex(b" ")]
    forms = (b"0%d", b"+%d", b"%di", b"%d.0", b"%d ", b" %d", b"%du", b'"%d"', b"%d,x=1i", b"%d %d", b"-%d", b"%d\t")
    form = pick(chance, (*forms, b""))
    return draft._replace(time=form % ((time,) * form.count(b"%d"))).line()


# ---- names and their order


def field_names(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Double fields, name unknown ones, leave out names, values or everything."""
    fields = draft.fields
    draw = int(chance.random() * 7)
    if draw == 0:
        fields.insert(place(chance, fields), pick(chance, fields))
    elif draw == 1:
        fields.append((fields[0][0], grammar.value(pick(chance, _KINDS))))
    elif draw == 2:
        fields.insert(place(chance, fields), (pick(chance, _FIELDS), grammar.value(pick(chance, _KINDS))))
    elif draw == 3:
        fields[0] = fields[0][0] + pick(chance, (b" ", b"_", b"x", b"\\", b'"', b"=")), fields[0][1]
    elif draw == 4:
        fields.clear()
    elif draw == 5:
        fields.insert(place(chance, fields), (b"", b""))
    else:
        old, new = pick(chance, (b"=", b",", b"i,", b"i ")), pick(chance, (b"", b"==", b",,", b", ", b" ="))
        return draft.line().replace(old, new, 1)
    return draft.line()


def tag_names(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Double tags, name unknown ones, leave them out, and claim the identity that only the centre gives."""
    tags = draft.tags
    draw = int(chance.random() * 6)
    if draw == 0 and tags:
        tags.insert(place(chance, tags), pick(chance, tags))
    elif draw == 1:
        tags.insert(place(chance, tags), (pick(chance, _TAGS), grammar.tag_value()))
    elif draw == 2:
        identity = pick(chance, IDENTITY_TAGS).encode()
        tags.insert(place(chance, tags), (identity, pick(chance, (b"441802-1.c1", b"", b"x"))))
    elif draw == 3 and tags:
        tags.pop(int(chance.random() * len(tags)))
    elif draw == 4 and tags:
        tags[0] = tags[0][0] + pick(chance, (b" ", b"\\ ", b"\\", b"=", b"x")), tags[0][1]
    else:
        return draft.line().replace(b" ", pick(chance, (b", ", b",, ", b",x ", b"= ", b",= ", b",x= ")), 1)
    return draft.line()


def measurement(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Name measurements that nobody knows, that only the centre writes, or not quite as they should be."""
    name = draft.name
    odd = (name.upper(), name + b"s", name[:-1], b" " + name, b"\\" + name, b"\xef\xbb\xbf" + name)
    return draft._replace(name=pick(chance, (*_MEASUREMENTS, *odd))).line()


def order(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Put tags and fields in any order, and fields where tags belong."""
    chance.shuffle(draft.fields)
    chance.shuffle(draft.tags)
    if chance.random() < 0.3:
        return draft._replace(tags=draft.fields, fields=draft.tags).line()
    return draft.line()


# ---- bytes


def spaces(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Put spaces, tabs and line ends where none belong."""
    line, space = draft.line(), pick(chance, (b" ", b"  ", b"\t", b"\r", b"\x0b", "\u3000".encode(), b"\0"))
    at = pick(chance, [0, len(line), *(at for at, byte in enumerate(line) if byte in b" ,=")])
    return line[:at] + space + line[at:]


def long_line(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Make lines about as long as a line may be, and much longer ones."""
    size = pick(chance, (*range(MAX_LINE_BYTES - 1, MAX_LINE_BYTES + 3), 5000, 9000))
    room = max(1, size - len(draft.line()) - 9)
    text = (pick(chance, (b"x", b"5", "中".encode(), b"\\ ", b"a,", b"a=", b"\xff")) * room)[:room]
    where = int(chance.random() * 4)
    if where == 0:
        _set(chance, draft.tags, text)
    elif where == 1:
        _set(chance, draft.fields, text + b"i")
    elif where == 2:
        draft = draft._replace(time=text)
    else:
        _set(chance, draft.fields, b'"%b"' % text)
    return draft.line()


def bytes_of_a_line(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Change, take out, double or put in one to three bytes."""
    return edit(chance, draft.line())


def flipped_bit(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Turn one bit of a line."""
    return flip(chance, draft.line())


def two_lines_crossed(chance: Random, draft: Draft, grammar: Grammar) -> bytes:
    """Put the end of another line, or of itself, behind the beginning of a line."""
    one, other = draft.line(), pick(chance, (draft, grammar.draft())).line()
    return one[: int(chance.random() * len(one)) + 1] + other[int(chance.random() * len(other)) :]


def odd_character(chance: Random, draft: Draft, _: Grammar) -> bytes:
    """Put any character of Unicode anywhere."""
    code = int(chance.random() * pick(chance, (0x100, 0x3000, 0x10000, 0x110000)))
    return put_in(chance, draft.line(), chr(code).encode(errors="surrogatepass"))


LineMutation = Callable[[Random, Draft, Grammar], bytes]
OF_A_LINE: tuple[LineMutation, ...] = (
    *(wrong_type, odd_number, other_number, odd_text, odd_quotes, odd_tag, odd_time, field_names, tag_names),
    *(measurement, order, spaces, long_line, bytes_of_a_line, flipped_bit, two_lines_crossed, odd_character),
)
