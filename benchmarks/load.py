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

_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _PINGREQ = 0x10, 0x32, 0x4, 0x82, 0xC0


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


class Publisher:
    """
    One raw MQTT 5 connection that publishes for many agents and counts their acknowledgements.

    `window` bounds the batches that are not acknowledged end to end. Nothing is sent twice: this measures a pace, and
    a batch that is lost ends the measurement with an error.
    """

    def __init__(self, port: int, batches: Sequence[Sent], window: int) -> None:
        self._window = window
        self._packets = [
            _packet(
                _PUBLISH,
                _text(topics.batch(b.agent, b.agent)) + struct.pack("!H", n % 60_000 + 1) + b"\x00" + b.payload,
            )
            for n, b in enumerate(batches)
        ]
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Receive Maximum 65,535, clean start, keep-alive off
        self._socket.sendall(_packet(_CONNECT, _text("MQTT") + b"\x05\x02\x00\x00" + b"\x00" + _text("load")))
        self._socket.sendall(
            _packet(_SUBSCRIBE, b"\x00\x01\x00" + _text(topics.ack("+")) + b"\x00")
        )  # QoS 0 is enough to count
        self._buffer = bytearray()
        self._socket.settimeout(10)
        while self._read_one()[0] != 0x90:  # SUBACK
            pass

    def run(self, timeout_s: float) -> float:
        """Publish everything; return the seconds until the last acknowledgement. TimeoutError when some never come."""
        began = time.monotonic()
        waiting, sent, acknowledged = memoryview(b""), 0, 0
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while acknowledged < len(self._packets):
                if time.monotonic() - began > timeout_s:
                    raise TimeoutError(f"{len(self._packets) - acknowledged} batches were not acknowledged")
                if not waiting and sent < len(self._packets) and sent - acknowledged < self._window:
                    more = min(len(self._packets), acknowledged + self._window, sent + 200)
                    waiting = memoryview(b"".join(self._packets[sent:more]))
                    sent = more
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
                selector.modify(self._socket, wanted)
                for _, events in selector.select(1):
                    if events & selectors.EVENT_WRITE:
                        waiting = waiting[self._socket.send(waiting[:65536]) :]
                    if events & selectors.EVENT_READ:
                        acknowledged += self._read_acks()
        return time.monotonic() - began

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read_acks(self) -> int:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the broker closed the connection")
        self._buffer += data
        count = 0
        while (found := _first_packet(self._buffer)) is not None:
            kind, start, end = found
            if kind >> 4 == 3:
                count += _stored(bytes(self._buffer[start:end]))
            del self._buffer[:end]
        return count

    def _read_one(self) -> tuple[int, bytes]:
        while (found := _first_packet(self._buffer)) is None:
            self._buffer += self._socket.recv(65536)
        kind, start, end = found
        body = bytes(self._buffer[start:end])
        del self._buffer[:end]
        return kind, body


def _first_packet(buffer: bytearray) -> tuple[int, int, int] | None:
    """Return kind, start and end of the first whole packet's body."""
    length = shift = 0
    for at in range(1, min(5, len(buffer))):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if not buffer[at] & 0x80:
            end = at + 1 + length
            return (buffer[0], at + 1, end) if len(buffer) >= end else None
    return None


def _stored(body: bytes) -> int:
    """Count the batches that an ack names; raise when one was refused."""
    (topic_bytes,) = struct.unpack_from("!H", body)
    ack = json.loads(body[2 + topic_bytes + 1 + body[2 + topic_bytes] :])
    if ack["refused"]:
        raise ValueError(f"the collector refused a batch: {ack['refused'][0]}")
    return sum(last - first + 1 for _, first, last in ack["stored"])
