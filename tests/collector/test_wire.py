"""The socket between paho and the broker: batches are taken out, all else reaches paho, however it is cut."""

import ssl
import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire import Arrival, Wire, publish_packet

TOPIC = "santong/v1/441802-1.c1/441802-1.c1/batch"


class Link:
    """A double of a socket: gives its pieces one by one, takes as many bytes a time as it is told."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.takes: list[int | type[OSError]] = []
        self.tried: list[bytes] = []
        self.sent = b""
        self.is_closed = False

    def recv(self, size: int) -> bytes:
        """Return the next piece, or as much of it as was asked for."""
        if not self.pieces:
            raise BlockingIOError
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def send(self, data: bytes) -> int:
        """Take all, or what comes next in `takes`."""
        self.tried.append(data)
        most = self.takes.pop(0) if self.takes else len(data)
        if not isinstance(most, int):
            raise most
        self.sent += data[:most]
        return min(most, len(data))

    def close(self) -> None:
        """Note it."""
        self.is_closed = True

    def fileno(self) -> int:
        """Have none."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """Never block."""


class Read(NamedTuple):
    """What came out of a wire."""

    arrivals: list[Arrival]
    for_paho: bytes
    sent: bytes


def read_all(link: Link) -> Read:
    """Read until the link has nothing more, as paho does: byte for byte."""
    arrivals: list[Arrival] = []
    wire = Wire(link, arrivals.extend)
    for_paho = b""
    while link.pieces or wire.pending():
        try:
            for_paho += wire.recv(1)
        except BlockingIOError:
            continue
    return Read(arrivals, for_paho, link.sent)


def varint(number: int) -> bytes:
    """Return a variable byte integer, written down apart from the product."""
    head, rest = number % 128, number // 128
    return bytes([head]) if not rest else bytes([head | 128]) + varint(rest)


def publish(flags: int, topic: bytes, mid: int, properties: bytes, payload: bytes) -> bytes:
    """Return a PUBLISH packet with these flags (DUP 8, QoS 4 and 2, RETAIN 1)."""
    name = struct.pack("!H", len(topic)) + topic
    number = struct.pack("!H", mid) if flags & 6 else b""
    body = name + number + varint(len(properties)) + properties + payload
    return bytes([0x30 | flags]) + varint(len(body)) + body


class Packet(NamedTuple):
    """A packet, and what is to come of it."""

    data: bytes
    arrival: tuple[str, bytes] | None
    puback: bytes


def _batch(flags: int, topic: str, mid: int, properties: bytes, payload: bytes) -> Packet:
    puback = b"\x40\x02" + struct.pack("!H", mid) if flags & 2 else b""
    return Packet(publish(flags, topic.encode(), mid, properties, payload), (topic, payload), puback)


SIZES = st.sampled_from([0, 1, 126, 127, 128, 300, 16_383, 16_384, 70_000])
BATCHES = st.builds(
    _batch,
    flags=st.sampled_from([0, 2, 1, 3, 10, 11]),
    topic=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
    mid=st.integers(1, 65_535),
    properties=st.integers(0, 40).map(lambda count: b"\x26\0\1k\0\1v" * count),
    payload=SIZES.map(lambda size: bytes(n * 7 % 256 for n in range(size))),
)
OTHERS = st.builds(
    lambda kind, body: Packet(bytes([kind]) + varint(len(body)) + body, None, b""),
    kind=st.sampled_from([0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0]),
    body=st.binary(max_size=200),
)


@given(st.lists(BATCHES | OTHERS, max_size=12), st.data())
def test_every_packet_comes_to_where_it_belongs(packets: list[Packet], data: st.DataObject) -> None:
    """However the stream is cut: batches are delivered once, in order, and answered; the rest is paho's, unchanged."""
    stream = b"".join(packet.data for packet in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    read = read_all(Link(*filter(None, pieces)))
    assert [(a.topic, a.payload) for a in read.arrivals] == [p.arrival for p in packets if p.arrival]
    assert read.for_paho == b"".join(p.data for p in packets if not p.arrival)
    assert read.sent == b"".join(p.puback for p in packets)


@pytest.mark.parametrize(
    "packet",
    [
        publish(4, TOPIC.encode(), 7, b"", b"QoS 2"),
        publish(6, TOPIC.encode(), 7, b"", b"both bits of QoS"),
        b"\x32\x00",
        b"\x32\x01\x00",
        b"\x32\x06\xff\xffabcd",  # a topic that ends behind the packet
        b"\x32\x05\x00\x01a\x00\x01",  # no properties
        b"\x32\x08\x00\x01a\x00\x01\x09xy",  # properties that end behind the packet
        b"\x32\x0a\x00\x01a\x00\x01\xff\xff\xff\xffx",  # a length of properties that is none
        publish(2, b"\xff/no text", 7, b"", b"x"),
    ],
    ids=repr,
)
def test_what_is_not_understood_is_left_to_paho(packet: bytes) -> None:
    """Nothing of it is delivered or answered here; what stands around it is."""
    good = publish(2, TOPIC.encode(), 258, b"", b"good")
    read = read_all(Link(good + packet + good))
    assert [arrival.payload for arrival in read.arrivals] == [b"good", b"good"]
    assert read.for_paho == packet
    assert read.sent == b"\x40\x02\x01\x02" * 2


def test_behind_a_length_that_is_none_all_is_paho_s() -> None:
    """Five digits of length are no MQTT: paho gets what is there, and will end the connection."""
    wrong = b"\x32\xff\xff\xff\xff\x01" + publish(2, TOPIC.encode(), 1, b"", b"x")
    read = read_all(Link(wrong))
    assert read == Read([], wrong, b"")


def test_the_end_of_a_connection_reaches_paho() -> None:
    """An end of the stream and a reset are paho's to handle."""
    assert Wire(Link(b""), print).recv(1) == b""
    with pytest.raises(BlockingIOError):
        Wire(Link(), print).recv(1)


def test_answers_wait_for_the_socket_and_keep_their_order() -> None:
    """A socket that takes a part, or nothing, gets the rest later: the same bytes, before any that came after."""
    link = Link()
    wire = Wire(link, print)
    link.takes = [4, BlockingIOError, ssl.SSLWantWriteError, 0, 3]
    wire.put(b"first ")
    wire.put(b"second ")
    wire.flush()
    assert (link.sent, wire.wants_write) == (b"firs", True)
    wire.put(b"third ")
    assert wire.send(bytearray(b"paho's")) == 6  # all of it is taken, and waits its turn
    wire.flush()  # takes nothing
    assert link.tried[1:] == [b"t second "] * 3
    wire.flush()
    assert (link.sent, wire.wants_write) == (b"first second third paho's", False)


def test_close_sends_what_waits() -> None:
    """The last answers, and paho's goodbye, are not thrown away; a broken socket is closed all the same."""
    link, broken = Link(), Link()
    broken.takes = [ConnectionResetError]
    for each in (link, broken):
        wire = Wire(each, print)
        wire.put(b"bye")
        wire.close()
    assert (link.sent, link.is_closed, broken.is_closed) == (b"bye", True, True)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60), SIZES)
def test_an_answer_is_a_publish_packet(topic: str, size: int) -> None:
    """What is packed here reads as a PUBLISH at QoS 0."""
    packet = publish_packet(topic, b"x" * size)
    assert packet == publish(0, topic.encode(), 0, b"", b"x" * size)
