"""Echo packets (RFC 792, RFC 4443): built and parsed here, sent by presence and by the probe `icmp`."""

import struct
from typing import NamedTuple

REQUEST, REPLY = 8, 0
REQUEST6, REPLY6 = 128, 129


class Echo(NamedTuple):
    """An ICMP message: type, code, and where it is an echo its identifier, sequence number and data."""

    type: int
    code: int
    identifier: int
    seq: int
    data: bytes


def request(seq: int, data: bytes = b"santong.", identifier: int = 0, kind: int = REQUEST) -> bytes:
    """Return an echo request. The kernel fills in the identifier of a datagram socket, and all checksums of IPv6."""
    body = struct.pack("!HH", identifier, seq & 0xFFFF) + data
    header = struct.pack("!BBH", kind, 0, 0)
    return header[:2] + struct.pack("!H", checksum(header + body)) + body


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(packet: bytes) -> Echo | None:
    """Return the message, None for what is too short. The IP header of a raw IPv4 socket is skipped by `payload`."""
    if len(packet) < 8:
        return None
    kind, code, _, identifier, seq = struct.unpack_from("!BBHHH", packet)
    return Echo(kind, code, identifier, seq, packet[8:])


def payload(packet: bytes) -> bytes:
    """Return what follows the IPv4 header (RFC 791) of a packet from a raw socket."""
    return packet[(packet[0] & 0x0F) * 4 :] if packet else b""
