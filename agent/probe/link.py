"""
Ethernet frames from and to one interface, past the kernel's IP: packet(7), behind a classic BPF filter.

The kernel drops what the filter does not want, so that a busy network does not wake the agent. VLAN tags are the
kernel's business: an interface such as eth0.5 gives frames without.
"""

import array
import errno
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from agent.deadline import Deadline
from agent.outcome import Unable
from agent.probe.net import SIOCGIFADDR, about, check_ready
from agent.sockets import describe

ETH_IP, ETH_ARP = 0x0800, 0x0806
BROADCAST = b"\xff" * 6
_ETHERNET = 1  # ARPHRD_ETHER
_MASK, _HARDWARE = 0x891B, 0x8927  # netdevice(7): SIOCGIFNETMASK, SIOCGIFHWADDR
_SO_ATTACH_FILTER = 26
_LONGEST = 2048


class Instruction(NamedTuple):
    """One step of a classic BPF program: <linux/filter.h>."""

    code: int
    jump_true: int
    jump_false: int
    k: int


class Card(NamedTuple):
    """An interface: name, MAC, and its first IPv4 address with prefix length (empty and 0 where it has none)."""

    name: str
    mac: bytes
    address: str
    prefix: int


def card(interface: str) -> Card:
    """Return an interface that is ready; Unable when it is missing, no Ethernet or WiFi, down, or without carrier."""
    hardware = about(interface, _HARDWARE)
    if hardware is None:
        raise Unable(f"there is no interface {interface}")
    kind, mac = struct.unpack("=H6s", hardware[:8])
    if kind != _ETHERNET:
        raise Unable(f"{interface} is neither Ethernet nor WiFi")
    check_ready(interface)
    address, mask = (about(interface, what) for what in (SIOCGIFADDR, _MASK))
    if address is None or mask is None:
        return Card(interface, mac, "", 0)
    return Card(interface, mac, socket.inet_ntoa(address[4:8]), int.from_bytes(mask[4:8], "big").bit_count())


def is_held(address: str) -> bool:
    """Tell whether this machine holds an IPv4 address, on whatever interface: only then can a socket have it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL  # any other error: rather too careful
    return True


def attach(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Let a socket receive only what a BPF program returns a length for (socket(7): SO_ATTACH_FILTER)."""
    code = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in program))
    start, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), start))


class Link:
    """Frames of one EtherType on a card, in a `with` block. Unable when the privilege is missing or the card goes."""

    def __init__(self, card: Card, ether_type: int, program: Sequence[Instruction]) -> None:
        self.card = card
        self._ether_type = ether_type
        self._program = program

    def __enter__(self) -> Self:
        try:
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # receives nothing before bind
        except PermissionError:
            raise Unable("the agent may not send packets of its own making: give it CAP_NET_RAW") from None
        try:
            attach(self._sock, self._program)
            self._sock.bind((self.card.name, self._ether_type))
        except OSError as error:
            self._sock.close()
            raise Unable(f"{self.card.name}: {describe(error)}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._sock.close()

    def send(self, frame: bytes) -> float:
        """Send a frame with its Ethernet header; return the instant, in seconds of time.perf_counter."""
        at_s = time.perf_counter()
        try:
            self._sock.settimeout(1)
            self._sock.send(frame)
        except OSError as error:
            raise Unable(f"{self.card.name}: {describe(error)}") from None
        return at_s

    def receive(self, until: Deadline) -> Iterator[tuple[bytes, float]]:
        """Yield each frame with its instant as it comes in, until the deadline."""
        while not until.is_over:
            self._sock.settimeout(until.left_s())
            try:
                frame = self._sock.recv(_LONGEST)
            except TimeoutError:
                return
            except OSError as error:
                raise Unable(f"{self.card.name}: {describe(error)}") from None
            yield frame, time.perf_counter()
