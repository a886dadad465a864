"""What presence and identity ask of the network: default gateway, its neighbour entry, does an address answer."""

import errno
import socket
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from agent import echo

NUD_REACHABLE = 0x02
_RTM_GETNEIGH, _RTM_NEWNEIGH = 30, 28
_NLM_F_REQUEST, _NLM_F_DUMP, _NLMSG_DONE = 0x01, 0x300, 3
_NDA_DST, _NDA_LLADDR = 1, 2
# What a host that is there answers to a connection it does not want.
_ANSWERS = {errno.ECONNREFUSED, errno.ECONNRESET}


class Gateway(NamedTuple):
    """The default route: next hop, interface, and the subnet on that interface (`192.0.2.0/24`, may be empty)."""

    address: str
    interface: str
    subnet: str


class Neighbour(NamedTuple):
    """An entry of the kernel's neighbour table: hardware address and state (NUD_*, rtnetlink(7))."""

    mac: str
    state: int

    @property
    def is_fresh(self) -> bool:
        """Tell whether the kernel heard from it within the last half minute or so."""
        return bool(self.state & NUD_REACHABLE)


def default_gateway(root: Path = Path("/")) -> Gateway | None:
    """Return the IPv4 default gateway of lowest metric, from /proc/net/route; None when there is none."""
    if sys.platform == "win32":
        from agent.gather import network_windows  # noqa: PLC0415

        return network_windows.default_gateway()
    best: tuple[int, str, str] | None = None
    subnets: list[tuple[str, int, int]] = []  # interface, network, mask
    for row in _routes(root):
        interface, destination, via, flags, metric, mask = row[0], row[1], row[2], int(row[3], 16), int(row[6]), row[7]
        if destination == mask == "00000000" and flags & 0x2:
            best = min(best, (metric, interface, _ip(via))) if best else (metric, interface, _ip(via))
        elif not flags & 0x2 and destination != "00000000":
            subnets.append((interface, _number(_ip(destination)), _number(_ip(mask))))
    return Gateway(best[2], best[1], _subnet_of(best[2], best[1], subnets)) if best else None


def _subnet_of(address: str, interface: str, subnets: list[tuple[str, int, int]]) -> str:
    """Return the narrowest subnet of the interface that holds the address, empty when none does."""
    holding = [(mask, net) for name, net, mask in subnets if name == interface and _number(address) & mask == net]
    mask, net = max(holding, default=(0, 0))
    return f"{socket.inet_ntoa(struct.pack('!I', net))}/{mask.bit_count()}" if holding else ""


def _number(address: str) -> int:
    (number,) = struct.unpack("!I", socket.inet_aton(address))
    return int(number)


def _routes(root: Path) -> list[list[str]]:
    try:
        lines = (root / "proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return []
    return [fields for line in lines if len(fields := line.split()) >= 8]


def _ip(little_endian_hex: str) -> str:
    return socket.inet_ntoa(struct.pack("<I", int(little_endian_hex, 16)))


def neighbour(address: str) -> Neighbour | None:
    """Return the neighbour entry of an IPv4 address (a netlink dump, RFC 3549; needs no privilege)."""
    if sys.platform == "win32":
        from agent.gather import network_windows  # noqa: PLC0415

        return network_windows.neighbour(address)
    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.settimeout(1)
        ndmsg = struct.pack("=BxxxiHBB", socket.AF_INET, 0, 0, 0, 0)
        header = struct.pack("=IHHII", 16 + len(ndmsg), _RTM_GETNEIGH, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0)
        link.send(header + ndmsg)
        while True:
            data = link.recv(65536)
            entries, is_done = parse_neighbours(data)
            if wanted in entries:
                return entries[wanted]
            if is_done:
                return None


def parse_neighbours(data: bytes) -> tuple[dict[bytes, Neighbour], bool]:
    """Return the entries of one netlink datagram by packed address, and whether the dump ends with it."""
    entries: dict[bytes, Neighbour] = {}
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == _NLMSG_DONE or length < 16:
            return entries, True
        if kind == _RTM_NEWNEIGH:
            (state,) = struct.unpack_from("=H", data, at + 24)
            attributes = _attributes(data[at + 28 : at + length])
            if _NDA_DST in attributes:
                mac = attributes.get(_NDA_LLADDR, b"").hex(":")
                entries[attributes[_NDA_DST]] = Neighbour(mac, state)
        at += (length + 3) & ~3
    return entries, False


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def answers_ping(address: str, timeout_s: float) -> bool | None:
    """Send one ICMP echo (RFC 792) from an unprivileged datagram socket; None where the kernel forbids those."""
    if sys.platform == "win32":
        from agent.gather import network_windows  # noqa: PLC0415

        return network_windows.answers_ping(address, timeout_s)
    try:
        icmp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except OSError:
        return None
    with icmp:
        icmp.settimeout(timeout_s)
        try:
            icmp.sendto(echo.request(1), (address, 0))
            return icmp.recv(1024)[:1] == b"\x00"
        except (OSError, UnicodeError):  # UnicodeError: no name that can be looked up
            return False


def answers_tcp(host: str, port: int, timeout_s: float) -> bool:
    """Tell whether anything answers a TCP connection, be it by a reset (RFC 9293 §3.5.2)."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError as error:
        return error.errno in _ANSWERS
    except UnicodeError:  # no name that can be looked up
        return False
