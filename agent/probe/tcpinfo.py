"""What the kernel knows of a TCP connection: tcp(7) TCP_INFO, struct tcp_info of linux/tcp.h, and SIOCOUTQ."""

import socket
import struct
from typing import NamedTuple

_BYTES = 152  # as far as tcpi_min_rtt
_OPTION = getattr(socket, "TCP_INFO", None)
_UNKNOWN_RTT = 0xFFFFFFFF
_SIOCOUTQ = 0x5411


class Counts(NamedTuple):
    """Bytes and segments of a connection in both directions; the bytes are those of TCP, headers apart."""

    bytes: int = 0
    segments: int = 0

    def __add__(self, other: object) -> "Counts":
        """Return both together."""
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.bytes + other.bytes, self.segments + other.segments)


class Info(NamedTuple):
    """The counts so far, and the shortest round trip that was seen (s); None where the kernel does not say."""

    counts: Counts
    min_rtt_s: float | None


def read(sock: socket.socket) -> Info:
    """Return what the kernel says, nothing where it says nothing or the socket is closed (Linux before 4.9, others)."""
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, _OPTION, _BYTES) if _OPTION else b""
    except OSError:
        raw = b""
    if len(raw) < _BYTES:
        return Info(Counts(), None)
    acked, received, segments_out, segments_in = struct.unpack_from("=QQII", raw, 120)
    (min_rtt_us,) = struct.unpack_from("=I", raw, 148)
    min_rtt_s = None if min_rtt_us in (0, _UNKNOWN_RTT) else min_rtt_us / 1e6
    return Info(Counts(acked + received, segments_out + segments_in), min_rtt_s)


def unacknowledged(sock: socket.socket) -> int:
    """Return the bytes in the send queue that the other end has not acknowledged yet (tcp(7): SIOCOUTQ)."""
    import fcntl  # noqa: PLC0415  not on Windows

    try:
        return int(struct.unpack("=i", fcntl.ioctl(sock, _SIOCOUTQ, b"\0\0\0\0"))[0])
    except (OSError, ValueError):
        return 0
