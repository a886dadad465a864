"""A publisher of ready-made batches that costs next to nothing itself: its packets are made before the clock starts."""

import json
import random
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple

from contract import topics
from contract.batch import Batch, encode
from contract.lines import encode_line

_CONNECT, _PUBLISH, _SUBSCRIBE = 0x10, 0x32, 0x82


class Sent(NamedTuple):
    """One batch of the load: its agent, its seq, the payload."""

    agent: str
    seq: int
    payload: bytes


EPOCH = "0badcafe"


def make_batches(devices: int, batches_each: int, rounds_a_batch: int, end_ns: int, *, compress: bool) -> list[Sent]:
    """Return batches like those of agents with one interface: 5 lines a round, a minute apart, ending at `end_ns`."""
    chance = random.Random(7)
    made = []
    for number in range(batches_each):
        for device in range(devices):
            agent = f"441802-{device // 40:04d}.c{device % 40:04d}"
            first = number * rounds_a_batch
            body = b"".join(
                _round(chance, end_ns - (batches_each * rounds_a_batch - first - n) * 60 * 10**9 + device)
                for n in range(rounds_a_batch)
            )
            made.append(Sent(agent, number + 1, encode(Batch(EPOCH, number + 1, "synced", body), compress=compress)))
    return made


def _round(chance: random.Random, now_ns: int) -> bytes:
    minute_ns = now_ns - now_ns % (60 * 10**9)
    lines = (
        encode_line(
            "presence", {},
            {"boot": "3e2916d4-89c0-4369-a021-d107c70d98cb", "uptime_s": minute_ns / 1e9 % 1e6, "asleep_s": 0.0,
             "lan": 1, "wan": 1, "broker": 1}, minute_ns,
        ),
        encode_line(
            "host", {},
            {"cpu_percent": round(chance.uniform(0, 100), 1), "memory_used_percent": round(chance.uniform(20, 60), 1),
             "disk_used_percent": 22.5, "load1": round(chance.uniform(0, 2), 2),
             "temperature_celsius": round(chance.uniform(40, 60), 1)}, now_ns,
        ),
        *(
            encode_line(
                "interface", {"name": name},
                {"rx_bytes": chance.randrange(10**10), "tx_bytes": chance.randrange(10**9), "rx_errors": 0,
                 "tx_errors": 0, "speed_mbps": 100, "up": 1}, now_ns,
            )
            for name in ("eth0", "wlan0")
        ),
        encode_line(
            "agent", {},
            {"spool_batches": 0, "spool_bytes": 0, "dropped_total": 0, "refused_total": 0, "clock_offset_ms": 3.0,
             "rss_bytes": 27_000_000, "cpu_seconds": round(chance.uniform(0, 100), 3)}, now_ns,
        ),
    )  # fmt: skip
    return b"".join(line + b"\n" for line in lines)


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _varint(len(body)) + body


class Acknowledged(NamedTuple):
    """What one ack says: the agent, and (first, last) of each run of its batches that were stored."""

    agent: str
    runs: list[tuple[int, int]]


def publish_packet(sent: Sent, mid: int) -> bytes:
    """Return the PUBLISH of a batch at QoS 1."""
    head = _text(topics.batch(sent.agent, sent.agent)) + struct.pack("!H", mid % 60_000 + 1)
    return _packet(_PUBLISH, head + b"\x00" + sent.payload)


class Connection:
    """One raw MQTT 5 connection that speaks for many agents and reads their acks."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Receive Maximum 65,535, clean start, keep-alive off
        self._socket.sendall(_packet(_CONNECT, _text("MQTT") + b"\x05\x02\x00\x00" + b"\x00" + _text("load")))
        self._socket.sendall(
            _packet(_SUBSCRIBE, b"\x00\x01\x00" + _text(topics.ack("+")) + b"\x00")
        )  # QoS 0 is enough to count
        self._buffer = bytearray()
        self._waiting = memoryview(b"")
        self._socket.settimeout(10)
        while self._read_one() != 0x90:  # SUBACK
            pass
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)

    @property
    def is_idle(self) -> bool:
        """Tell whether all that was given was sent."""
        return not self._waiting

    def send(self, packets: bytes) -> None:
        """Send packets during the next steps; only while idle."""
        self._waiting = memoryview(packets)

    def step(self, timeout_s: float) -> list[Acknowledged]:
        """Wait for the socket, write and read what it takes and gives; return the acks that came."""
        wanted = selectors.EVENT_READ | (0 if self.is_idle else selectors.EVENT_WRITE)
        self._selector.modify(self._socket, wanted)
        acks: list[Acknowledged] = []
        for _, events in self._selector.select(timeout_s):
            if events & selectors.EVENT_WRITE:
                self._waiting = self._waiting[self._socket.send(self._waiting[:65536]) :]
            if events & selectors.EVENT_READ:
                acks += self._read_acks()
        return acks

    def close(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._socket.close()

    def _read_acks(self) -> list[Acknowledged]:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the broker closed the connection")
        self._buffer += data
        acks = []
        at = 0
        while (found := _first_packet(self._buffer, at)) is not None:
            kind, start, at = found
            if kind >> 4 == 3:
                acks.append(_acknowledged(bytes(self._buffer[start:at])))
        del self._buffer[:at]
        return acks

    def _read_one(self) -> int:
        while (found := _first_packet(self._buffer, 0)) is None:
            self._buffer += self._socket.recv(65536)
        kind, _, end = found
        del self._buffer[:end]
        return kind


class Publisher:
    """
    Publishes batches as fast as they are acknowledged, and counts the acknowledgements.

    `window` bounds the batches that are not acknowledged end to end. Nothing is sent twice: this measures a pace, and
    a batch that is lost ends the measurement with an error.
    """

    def __init__(self, port: int, batches: Sequence[Sent], window: int) -> None:
        self._window = window
        self._packets = [publish_packet(sent, n) for n, sent in enumerate(batches)]
        self._connection = Connection(port)

    def run(self, timeout_s: float) -> float:
        """Publish everything; return the seconds until the last acknowledgement. TimeoutError when some never come."""
        began = time.monotonic()
        total, sent, acknowledged = len(self._packets), 0, 0
        while acknowledged < total:
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(f"{total - acknowledged} batches were not acknowledged")
            if self._connection.is_idle and sent < min(total, acknowledged + self._window):
                more = min(total, acknowledged + self._window, sent + 200)
                self._connection.send(b"".join(self._packets[sent:more]))
                sent = more
            for ack in self._connection.step(1):
                acknowledged += sum(last - first + 1 for first, last in ack.runs)
        return time.monotonic() - began

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _first_packet(buffer: bytearray, begin: int) -> tuple[int, int, int] | None:
    """Return kind, start and end of the body of the packet at `begin`, None when it has not come whole."""
    length = shift = 0
    for at in range(begin + 1, min(begin + 5, len(buffer))):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if not buffer[at] & 0x80:
            end = at + 1 + length
            return (buffer[begin], at + 1, end) if len(buffer) >= end else None
    return None


def _acknowledged(body: bytes) -> Acknowledged:
    """Read an ack's PUBLISH; raise when it refuses a batch."""
    (topic_bytes,) = struct.unpack_from("!H", body)
    ack = json.loads(body[2 + topic_bytes + 1 + body[2 + topic_bytes] :])
    if ack["refused"]:
        raise ValueError(f"the collector refused a batch: {ack['refused'][0]}")
    agent = body[2 : 2 + topic_bytes].decode().split("/")[2]
    return Acknowledged(agent, [(first, last) for _, first, last in ack["stored"]])
