"""
The lean part of the centre's MQTT: what comes and goes once a batch.

    broker ══▶ Wire ──▶ PUBLISH: taken out of the stream, handed on in lists, their PUBACKs gathered into one write
                └─────▶ every other packet: paho, for which a Wire is its socket

paho reads each packet with four system calls or more and makes a table of MQTT 5 properties for it, 100 µs a message in
all; here it is 3. Packets are those of MQTT 5.0 (OASIS Standard, §2.1, §3.3, §3.4). A PUBLISH at QoS 2, or one that is
malformed, is left to paho, which knows what to do about it.
"""

import contextlib
import errno
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

_READ_BYTES = 1 << 16
_ARRIVAL_BYTES = 200
MAX_PACKET_BYTES = 16 << 20  # the broker is told, and keeps larger ones back: what comes can still be refused by name
_PUBLISH, _QOS_1, _QOS_2 = 0x30, 0x02, 0x04
_PUBACK = b"\x40\x02"


class Arrival(NamedTuple):
    """One message as it came."""

    topic: str
    payload: bytes
    received_ns: int

    @property
    def size(self) -> int:
        """About how many bytes it takes while it waits: a topic may be as long as a payload."""
        return len(self.topic) + len(self.payload) + _ARRIVAL_BYTES


class Socket(Protocol):
    """What is asked of a socket below: paho's layer for WebSockets has no more than this."""

    def recv(self, size: int, /) -> bytes:
        """Return what is there; BlockingIOError or ssl.SSLWant… when nothing is."""

    def send(self, data: bytes, /) -> int:
        """Send some of the bytes and return how many; the rest is to be tried again."""

    def close(self) -> None:
        """Close."""

    def fileno(self) -> int:
        """Return the descriptor for select()."""

    def setblocking(self, flag: bool, /) -> None:
        """Wait, or raise instead of waiting."""


class Wire:
    """
    The socket of one connection, as paho and the session see it.

    `deliver` gets lists of arrivals and must not block. All but `put` belongs to the session's thread.
    """

    def __init__(self, link: Socket, deliver: Callable[[list[Arrival]], None]) -> None:
        self._link = link
        self._deliver = deliver
        self._parts: list[bytes] = []  # of a packet that has not come whole
        self._held, self._needed = 0, 2  # bytes in them, and how many there must be before it is worth a look
        self._for_paho = bytearray()
        self._out: deque[bytes] = deque()
        self._unsent = b""

    # ---- a socket

    def recv(self, size: int) -> bytes:
        """Return bytes for paho; when there are none, read, take the batches, and BlockingIOError if that was all."""
        if not self._for_paho:
            data = self._link.recv(_READ_BYTES)
            if not data:
                return b""
            self._take(data)
            self.flush()
            if not self._for_paho:
                raise BlockingIOError
        some = bytes(self._for_paho[:size])
        del self._for_paho[:size]
        return some

    def send(self, data: bytes | bytearray) -> int:
        """Take all of paho's bytes; they go out behind what already waits."""
        self.put(bytes(data))
        self.flush()
        return len(data)

    def pending(self) -> int:
        """Return how many bytes are here that select() does not see."""
        inner: Callable[[], int] | None = getattr(self._link, "pending", None)
        return len(self._for_paho) + (inner() if inner else 0)

    def close(self) -> None:
        """Send what can be sent at once, and close."""
        with contextlib.suppress(OSError):
            self.flush()
        self._link.close()

    def fileno(self) -> int:
        """Return the descriptor for select()."""
        return self._link.fileno()

    def setblocking(self, flag: bool) -> None:
        """Wait, or raise instead of waiting."""
        self._link.setblocking(flag)

    # ---- out

    def put(self, packets: bytes) -> None:
        """Let whole packets wait for the next `flush`; from any thread."""
        self._out.append(packets)

    @property
    def wants_write(self) -> bool:
        """Tell whether something waits to be sent."""
        return bool(self._unsent or self._out)

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self.wants_write:
            # Layers of TLS and WebSockets that did not take all want the same bytes again, and nothing before them.
            if not self._unsent:
                self._unsent = b"".join([self._out.popleft() for _ in range(len(self._out))])
            try:
                sent = self._link.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            self._unsent = self._unsent[sent:]
            if not sent:
                return

    # ---- in

    def _take(self, data: bytes) -> None:
        """Take the packets that are whole, and keep the rest."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return
        buffer = b"".join(self._parts)
        rest = self._sort(buffer)
        self._parts, self._held = [buffer[rest:]], len(buffer) - rest
        if self._needed > MAX_PACKET_BYTES:
            raise ConnectionAbortedError(
                errno.EMSGSIZE, f"a packet of {self._needed} bytes, {MAX_PACKET_BYTES} allowed"
            )

    def _sort(self, buffer: bytes) -> int:
        """Hand each whole packet on to where it belongs; return where the rest begins."""
        received_ns = time.time_ns()
        arrivals: list[Arrival] = []
        pubacks: list[bytes] = []
        at, end = 0, len(buffer)
        while True:
            start, stop = _bounds(buffer, at)
            if stop > end:
                break
            publish = _read_publish(buffer[at], buffer[start:stop])
            if publish:
                topic, mid, payload = publish
                arrivals.append(Arrival(topic, payload, received_ns))
                if mid:
                    pubacks.append(_PUBACK + mid)
            else:
                self._for_paho += buffer[at:stop]
            at = stop
        self._needed = stop - at
        if arrivals:
            self._deliver(arrivals)
        if pubacks:
            self.put(b"".join(pubacks))
        return at


# ---- packets


def publish_packet(topic: str, payload: bytes) -> bytes:
    """Return a PUBLISH at QoS 0 without properties."""
    name = topic.encode()
    return b"%c%b%b%b\0%b" % (
        _PUBLISH,
        _digits(2 + len(name) + 1 + len(payload)),
        struct.pack("!H", len(name)),
        name,
        payload,
    )


def _digits(number: int) -> bytes:
    """Return a variable byte integer (§1.5.5)."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return where a variable byte integer ends, and its value. IndexError when it is cut, ValueError when too long."""
    value = data[at]
    if value < 128:
        return at + 1, value
    value &= 127
    for shift in (7, 14, 21):
        at += 1
        value |= (data[at] & 127) << shift
        if data[at] < 128:
            return at + 1, value
    raise ValueError("more than four digits")


def _bounds(buffer: bytes, at: int) -> tuple[int, int]:
    """
    Return where the body of the packet at `at` begins and ends.

    The end is beyond the buffer when the packet is not whole. Behind a length that is none nothing can be told apart:
    all there is counts as one packet with an empty body.
    """
    end = len(buffer)
    try:
        start, length = _number(buffer, at + 1)
    except IndexError:
        return end, end + 1
    except ValueError:
        return end, end
    return start, start + length


def _read_publish(kind: int, body: bytes) -> tuple[str, bytes, bytes] | None:
    """Return topic, packet id (empty at QoS 0) and payload of a PUBLISH; None for what is left to paho."""
    if kind & (0xF0 | _QOS_2) != _PUBLISH:
        return None
    try:
        topic_end = 2 + (body[0] << 8 | body[1])
        mid_end = topic_end + (2 if kind & _QOS_1 else 0)
        start, length = _number(body, mid_end)
        topic = body[2:topic_end].decode()
    except (IndexError, ValueError):
        return None
    return (topic, body[topic_end:mid_end], body[start + length :]) if start + length <= len(body) else None
