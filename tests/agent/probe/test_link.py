"""Filters that the kernel runs, and what is said of an interface that is not ready."""

import socket
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from agent.outcome import Unable
from agent.probe import arp_packets, dhcp_packets
from agent.probe.dhcp_packets import Client
from agent.probe.link import Instruction, attach, card, is_held

MAC = "02:5a:00:00:00:0a"
XID = 0xDEADBEEF
BOOTP = Raw(b"\x02\x01\x06\x00" + XID.to_bytes(4, "big") + bytes(300))


def passes(program: Sequence[Instruction], *frames: bytes) -> list[bool]:
    """Return which frames the kernel lets through: a socket pair runs the same program, without privilege."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        attach(ours, program)
        ours.settimeout(0)
        through = []
        for frame in frames:
            theirs.send(frame)
            try:
                through.append(ours.recv(65535) == frame)
            except BlockingIOError:
                through.append(False)
    return through


def ip(payload: Packet, **fields: Any) -> bytes:
    """Return a frame with an IPv4 packet from a server."""
    return bytes(Ether(src=MAC, dst=MAC) / IP(src="192.0.2.1", dst="192.0.2.10", **fields) / payload)


def test_only_dhcp_replies_of_our_exchange_wake_us() -> None:
    """UDP to port 68 with our id comes in, also after IP options; other ids, ports, protocols, fragments do not."""
    program = dhcp_packets.only_replies_to(Client(bytes(6), XID))
    ours = UDP(sport=67, dport=68) / BOOTP
    assert passes(program, ip(ours), ip(ours, options=[IPOption_NOP()] * 4)) == [True, True]
    strangers = (
        ip(UDP(sport=67, dport=68) / Raw(b"\x02\x01\x06\x00" + bytes(300))),
        ip(UDP(sport=68, dport=67) / BOOTP),
        ip(TCP(sport=67, dport=68) / BOOTP),
        ip(ICMP() / BOOTP),
        ip(ours, frag=100),
        ip(ours)[:40],
        bytes(Ether(src=MAC, dst=MAC) / Dot1Q(vlan=5) / IP(src="192.0.2.1", dst="192.0.2.10") / ours),
        bytes(Ether(src=MAC, dst=MAC) / ARP(op=2)),
        b"\0",
    )
    assert passes(program, *strangers) == [False] * len(strangers)


def test_only_arp_replies_wake_us() -> None:
    """Replies come in; requests, which a network is full of, and everything else do not."""
    frames = [bytes(Ether(src=MAC, dst=MAC) / ARP(op=op, psrc="192.0.2.1", pdst="192.0.2.2")) for op in (2, 1, 3)]
    assert passes(arp_packets.only_replies(), *frames, ip(UDP()), b"\0") == [True, False, False, False, False]


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
def test_any_bytes_are_filtered(frames: list[bytes]) -> None:
    """Whatever comes by, a filter lets through nothing that is not of its kind."""
    client = Client(bytes(6), XID)
    for program in (dhcp_packets.only_replies_to(client), arp_packets.only_replies()):
        for frame, is_through in zip(frames, passes(program, *frames), strict=True):
            assert not is_through or frame[12:14] in (b"\x08\x00", b"\x08\x06")


def test_an_interface_that_is_not_ready_is_named() -> None:
    """A missing interface and one that is no Ethernet each get a sentence."""
    with pytest.raises(Unable, match="there is no interface pk-none"):
        card("pk-none")
    with pytest.raises(Unable, match="lo is neither Ethernet nor WiFi"):
        card("lo")


def test_addresses_of_this_machine_are_known() -> None:
    """The loopback address is held, one of the documentation's networks is not."""
    assert is_held("127.0.0.1")
    assert not is_held("198.51.100.77")
