"""
ARP requests and replies (RFC 826), without a network.

Twenty-eight bytes of fixed places are clearer with struct than with scapy, whose import would cost 30 MB; the tests
have scapy build and read the same.
"""

import socket
import struct
from typing import NamedTuple

from agent.probe.link import BROADCAST, ETH_ARP, ETH_IP, Instruction

REQUEST, REPLY = 1, 2
_HEAD = struct.Struct("!6s6sH")  # Ethernet: to, from, EtherType
_BODY = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = 1


class Owner(NamedTuple):
    """Who says that an address is its own: the address, and the MAC that frames to it shall go to."""

    address: str
    mac: str


def request(mac: bytes, sender: str, wanted: str) -> bytes:
    """Return a broadcast frame that asks for an address; `sender` is empty where we have none (RFC 5227 §1.1)."""
    own = socket.inet_aton(sender) if sender else bytes(4)
    body = _BODY.pack(_ETHERNET, ETH_IP, 6, 4, REQUEST, mac, own, bytes(6), socket.inet_aton(wanted))
    return _HEAD.pack(BROADCAST, mac, ETH_ARP) + body


def only_replies() -> list[Instruction]:
    """Return the BPF program that lets in ARP replies."""
    load_half, jump_equal, give = 0x28, 0x15, 0x06
    return [
        Instruction(load_half, 0, 0, 12),  # EtherType
        Instruction(jump_equal, 0, 3, ETH_ARP),
        Instruction(load_half, 0, 0, 20),  # operation
        Instruction(jump_equal, 0, 1, REPLY),
        Instruction(give, 0, 0, 0xFFFF),
        Instruction(give, 0, 0, 0),
    ]


def reply(frame: bytes, mac: bytes) -> Owner | None:
    """Return who answers us in this frame; None for anything else, malformed frames included."""
    if len(frame) < _HEAD.size + _BODY.size:
        return None
    kind, protocol, mac_length, ip_length, operation, owner, address, to, _ = _BODY.unpack_from(frame, _HEAD.size)
    shape = (kind, protocol, mac_length, ip_length, operation)
    if shape != (_ETHERNET, ETH_IP, 6, 4, REPLY) or frame[12:14] != ETH_ARP.to_bytes(2, "big") or to != mac:
        return None
    if owner == mac or owner[0] & 1:  # ourselves, or a group's address, which nobody is
        return None
    return Owner(socket.inet_ntoa(address), owner.hex(":"))
