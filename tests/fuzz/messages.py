"""What can be wrong with a message beyond its lines, by kind: separators, the header, the payload, sizes, the topic."""

import json
import random
import zlib
from collections.abc import Callable
from typing import NamedTuple

from contract.batch import MAX_BATCH_BYTES, MAX_BATCH_LINES
from tests.fuzz.grammar import pick
from tests.fuzz.lines import edit, flip, place, put_in

Random = random.Random

_NAMES = (
    *("441802-1.C1", "441802-1", "c1", "441802-1.c1.d2", "441802-1.初一", "441802-1.c1 ", "441802-.c1", "-1.c1", ""),
    *("441802-1.-c", "441802-1.c-", "441802--1.c1", "441802-1-.c1", "441802-1..c1", ".", "-", "-.", "a-b.c", "+", "#"),
    *(
        "441802-1." + "x" * 60,
        "x" * 5000,
        "\0",
        "a\nb-1.c",
        "441802-1.c\u0661",
        "４41802-1.c1",
        "'; --",
        "\U000e0001" * 90,
    ),
    *("441802-99.c1", "441802-2.gw", "441803-1.gw", "441802-1.c,site=x", "441802-1.c=x", "441802-1." + "x" * 55),
)
_VALUES: dict[bytes, tuple[bytes, ...]] = {
    b"epoch": (b"5f0c9a1", b"5f0c9a1e5f0c9a1e", b"5f0c9a1e5f0c9a1e5", b"5F0C9A1E", b"5f0c9a1g", b"", b"a" * 9000),
    b"seq": (b"0", b"-1", b"+1", b"007", b"9" * 15, b"9" * 16, b"1.0", b"1e3", b"", b"x", "１".encode(), b"0" * 15),
    b"clock": (b"unsynced", b"unsynced", b"trusted", b"Synced", b"none", b"", b"synced2", b"s" * 9000),
    b"previous": (b"5f0c9a1e:7", b"5f0c9a1e", b":7", b"5f0c9a1e:", b"5f0c9a1e:" + b"9" * 16, b"5f0c9a1e:7:8", b""),
    b"at": (b"0" * 19, b"1" * 19, b"9" * 19, b"9" * 20, b"0", b"", b"now"),
    b"held": (b"0", b"7", b"9" * 15, b"9" * 16, b"-1", b"", b"x"),
    b"colour": (b"red", b"1:2", b"", b"RED", b"r" * 9000),
}


class Message(NamedTuple):
    """A message before it is packed."""

    topic: str
    header: bytes
    body: bytes
    is_packed: bool = False

    def plain(self) -> bytes:
        """Return the text of the payload."""
        return self.header + b"\n" + self.body

    def payload(self) -> bytes:
        """Return the payload."""
        return pack(self.plain()) if self.is_packed else self.plain()


def pack(plain: bytes, level: int = 1) -> bytes:
    """Return gzip of anything."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 31, 5)
    return packer.compress(plain) + packer.flush()


# ---- the body


def no_last_line_feed(_: Random, message: Message) -> Message:
    """Let the last line not end."""
    return message._replace(body=message.body.removesuffix(b"\n"))


def other_line_ends(chance: Random, message: Message) -> Message:
    """Write CRLF, CR, NUL or U+2028 for line feeds, at one place or everywhere."""
    end = pick(chance, (b"\r\n", b"\r", b"\0", "\u2028".encode(), b"\x0b", b"\n\r", b"\\n", b" \n", b";"))
    return message._replace(body=message.body.replace(b"\n", end, pick(chance, (1, 1, -1))))


def odd_lines(chance: Random, message: Message) -> Message:
    """Put empty lines, comments, a second header and rubbish before, between and behind the lines."""
    lines = message.body.split(b"\n")
    others = (b"", b"", b" ", b"# a comment", b"#", message.header, b"x", b"\0" * 9, b'"', b"\\", b"\xff", b"=", b",")
    for _ in range(1 + int(chance.random() * 3)):
        lines.insert(place(chance, lines), pick(chance, others))
    return message._replace(body=b"\n".join(lines))


def joined_lines(chance: Random, message: Message) -> Message:
    """Lose a line feed, or put in one too many."""
    at = pick(chance, [at for at, byte in enumerate(message.body) if byte == ord("\n")])
    if chance.random() < 0.5:
        return message._replace(body=message.body[:at] + message.body[at + 1 :])
    return message._replace(body=put_in(chance, message.body, b"\n"))


def doubled_lines(chance: Random, message: Message) -> Message:
    """Send the same lines many times, and a part of the last one."""
    body = message.body * pick(chance, (2, 2, 3, 20))
    return message._replace(body=body[: int(chance.random() * len(body)) + 1])


def cut_body(chance: Random, message: Message) -> Message:
    """Send a piece of the body, or none of it."""
    size = len(message.body)
    start, end = int(chance.random() * 1.3 * size) if chance.random() < 0.5 else 0, int(chance.random() * size)
    return message._replace(body=message.body[start:end])


# ---- the header


def header_key(chance: Random, message: Message) -> Message:
    """Give a key of the header another value, lose it, double it, or add an unknown one; with a body or without."""
    first, *pairs = message.header.split(b" ")
    for _ in range(1 + int(chance.random() * 2)):
        key = pick(chance, list(_VALUES))
        values = (*_VALUES[key], message.body[-20:-1]) if key == b"at" else _VALUES[key]
        pair = key + b"=" + pick(chance, values)
        known = [at for at, item in enumerate(pairs) if item.startswith(key + b"=")]
        draw = chance.random()
        if draw < 0.6 and known:
            pairs[known[0]] = pair
        elif draw < 0.7 and known:
            pairs.pop(known[0])
        else:
            pairs.insert(place(chance, pairs), pair)
    body = b"" if chance.random() < 0.3 else message.body
    return message._replace(header=b" ".join([first, *pairs]), body=body)


def unsynced_boot(chance: Random, message: Message) -> Message:
    """Let a boot never have got the time, with and without lines, at all times."""
    at = pick(chance, (message.body[-20:-1], message.body[-20:-1], *_VALUES[b"at"]))
    header = message.header.partition(b" clock=")[0] + b" clock=unsynced at=%b held=1440" % at
    return message._replace(header=header, body=pick(chance, (b"", b"", message.body, b"bad\n", b"\n")))


def version(chance: Random, message: Message) -> Message:
    """Name another version, or something that is no version."""
    versions = (b"/2", b"/0", b"/0001", b"/00001", b"/9999", b"/", b"/1.0", b"/-1", b"", b"/x", b"/ 1", "/１".encode())
    return message._replace(header=message.header.replace(b"/1", pick(chance, versions), 1))


def separators_of_the_header(chance: Random, message: Message) -> Message:
    """Write other spaces and signs in the header."""
    old = pick(chance, (b" ", b"="))
    new = pick(chance, (old * 2, b"", b"\t", b",", b":", b"\n", b" = "))
    return message._replace(header=message.header.replace(old, new, pick(chance, (1, 1, -1))))


def ends_of_the_header(chance: Random, message: Message) -> Message:
    """Put something before or behind the header."""
    before = pick(chance, (b"", b"", b"\xef\xbb\xbf", b" ", b"\n", b"#", b"\0"))
    behind = pick(chance, (b"", b" ", b"\r", b" x", b" x=", b" =x", b"\0", b" a=b" * 500, b" a=" + b"b" * 5000))
    return message._replace(header=before + message.header + behind)


def bytes_of_the_header(chance: Random, message: Message) -> Message:
    """Change, take out, double or put in one to three bytes of the header."""
    return message._replace(header=edit(chance, message.header))


# ---- the payload


def bytes_of_the_payload(chance: Random, message: Message) -> bytes:
    """Change, take out, double or put in bytes of the payload, packed or not."""
    return edit(chance, message.payload(), 4)


def cut_payload(chance: Random, message: Message) -> bytes:
    """Cut a payload short, or let it lose its beginning."""
    payload = message.payload()
    at = int(chance.random() * len(payload))
    return payload[:at] if chance.random() < 0.7 else payload[at:]


def damaged_gzip(chance: Random, message: Message) -> bytes:
    """Turn a bit of a packed payload, in its header, its content or its checksum, or lose bytes of it."""
    payload = pack(message.plain())
    where = chance.random()
    if where < 0.3:
        return flip(chance, payload[:10]) + payload[10:]
    if where < 0.6:
        return payload[:-8] + flip(chance, payload[-8:])
    return flip(chance, payload) if where < 0.9 else payload[: place(chance, payload)]


def gzip_members(chance: Random, message: Message) -> bytes:
    """Send more than one member, something behind the end, gzip within gzip, other containers of deflate."""
    plain, payload = message.plain(), pack(message.plain())
    half = int(chance.random() * len(plain))
    forms = (
        payload + payload,
        pack(plain[:half]) + pack(plain[half:]),
        pack(b"") + payload,
        payload + pick(chance, (b"\0", b"x", b"\x1f\x8b", b"\0" * 512, plain)),
        pack(payload),
        zlib.compress(plain),
        plain[:half] + pack(plain[half:]),
        payload[:2],
        payload[:10],
        pack(b""),
    )
    return pick(chance, forms)


def gzip_forms(chance: Random, message: Message) -> bytes:
    """Write gzip in every form (RFC 1952): stored, with a name, a comment, extra fields, another time or system."""
    payload = pack(message.plain(), pick(chance, (0, 1, 9)))
    flags = pick(chance, (0, 1, 4, 8, 16, 8 | 16, 0x20, 0x80))
    parts = [payload[:3], bytes([flags]), pick(chance, (b"\0" * 4, b"\xff" * 4)), pick(chance, (b"\0\3", b"\2\xff"))]
    parts += [b"\x05\0extra"] if flags & 4 else []
    parts += [b"a.txt\0"] * (bool(flags & 8) + bool(flags & 16))
    return b"".join([*parts, payload[10:]])


def no_batch(chance: Random, message: Message) -> bytes:
    """Send something else altogether."""
    plain = message.plain()
    forms = (
        b"",
        message.body,
        json.dumps({"epoch": "5f0c9a1e", "seq": 2}).encode(),
        plain.decode(errors="replace").encode("utf-16"),
        chance.randbytes(int(chance.random() * 300)),
        b"\x1f\x8b" + chance.randbytes(int(chance.random() * 100)),
        plain[::-1],
        bytes(len(plain)),
        message.header,
        message.header + b"\n",
        b"\n" + plain,
        plain.upper(),
        plain.hex().encode(),
    )
    return pick(chance, forms)


# ---- sizes


def many_lines(chance: Random, message: Message) -> bytes:
    """Send about as many lines as a batch may have, and more."""
    shortest = min(message.body.split(b"\n")[:-1], key=len)
    line = pick(chance, (b"", b"x", shortest))
    count = min(MAX_BATCH_LINES + pick(chance, (-1, 0, 1, 2)), MAX_BATCH_BYTES // (len(line) + 1))
    return message._replace(body=(line + b"\n") * count + pick(chance, (b"", b"x"))).payload()


def large(chance: Random, message: Message) -> bytes:
    """Send about as many bytes as a batch may have, packed and plain, and more."""
    plain = message.plain()
    room = MAX_BATCH_BYTES - len(plain) + pick(chance, (-1, 0, 1, 1000))
    plain += pick(chance, (b"\n", b"x", b"\0")) * room
    return pack(plain) if chance.random() < 0.5 else plain


def bomb(chance: Random, message: Message) -> bytes:
    """Send a few kilobytes that unpack to many megabytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    unit = pick(chance, (b"\0", b"\n", b"x", message.body))
    block = unit * (MAX_BATCH_BYTES // len(unit))
    head = pick(chance, (b"", message.header + b"\n", message.header))
    parts = [packer.compress(head), *(packer.compress(block) for _ in range(pick(chance, (1, 2, 10))))]
    return b"".join([*parts, packer.flush()])


# ---- the topic


def topic(chance: Random, message: Message) -> Message:
    """Take the topic of another agent or device, of a device that cannot be, or of other levels."""
    levels = message.topic.split("/")
    draw = chance.random()
    if draw < 0.8:
        levels[pick(chance, (2, 3, 3))] = pick(chance, _NAMES)
    elif draw < 0.9:
        at = int(chance.random() * len(levels))
        levels[at] = pick(chance, (levels[at] + "x", levels[at].upper(), "", "$share", "v2", "ack", "batch"))
    else:
        levels = levels[: int(chance.random() * 5)] if draw < 0.95 else [*levels, "batch"]
    return message._replace(topic="/".join(levels))


OF_A_MESSAGE: dict[str, tuple[Callable[[Random, Message], Message], ...]] = {
    "body": (no_last_line_feed, other_line_ends, odd_lines, joined_lines, doubled_lines, cut_body),
    "header": (
        *(header_key, header_key, header_key, unsynced_boot, version),
        *(separators_of_the_header, ends_of_the_header, bytes_of_the_header),
    ),
    "topic": (topic,),
}
OF_A_PAYLOAD: tuple[Callable[[Random, Message], bytes], ...] = (
    *(bytes_of_the_payload, bytes_of_the_payload, cut_payload, damaged_gzip, damaged_gzip, gzip_members, gzip_forms),
    no_batch,
)
OF_A_SIZE = (many_lines, large, bomb)
