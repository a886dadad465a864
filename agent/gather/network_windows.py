"""
What presence and identity ask of the network on Windows: the tables of iphlpapi, and its echo.

Structures are read and written by `struct`, as iprtrmib.h, ws2ipdef.h, netioapi.h and ipexport.h lay them out on x64.
Never run on Windows: docs/windows.md.
"""

import ctypes
import socket
import struct
from typing import NamedTuple

from agent import windows
from agent.gather.network import NUD_REACHABLE, Gateway, Neighbour

_INSUFFICIENT = 122  # ERROR_INSUFFICIENT_BUFFER
_ROUTE = struct.Struct("=4s4s4x4sII12xI16x")  # MIB_IPFORWARDROW: destination, mask, next hop, interface, type, metric
_ANY = "0.0.0.0"  # noqa: S104  nothing is bound to it
_INDIRECT = 4  # MIB_IPROUTE_TYPE_INDIRECT
_ENTRY = struct.Struct("=HH4s20xIQ32sIIB3xI")  # MIB_IPNET_ROW2, with a sockaddr_in in its SOCKADDR_INET
_REACHABLE = 5  # NL_NEIGHBOR_STATE.NlnsReachable
_NO_HANDLE = ctypes.c_void_p(-1).value
_ALIAS_LENGTH = 257  # NDIS_IF_MAX_STRING_SIZE + 1
_DATA = b"santong."
_REPLY_BYTES = 256  # ICMP_ECHO_REPLY, its data, and room for an error of ICMP


class Route(NamedTuple):
    """A route: destination and mask, next hop, interface's index, whether it goes by a next hop, metric."""

    destination: str
    mask: str
    via: str
    interface: int
    is_indirect: bool
    metric: int


class Entry(NamedTuple):
    """What a row of the neighbour table says."""

    mac: str
    state: int


# ---- plain data


def parse_routes(table: bytes) -> list[Route]:
    """Return the rows of a MIB_IPFORWARDTABLE: their number, then as many rows of 56 octets."""
    (count,) = struct.unpack_from("=I", table)
    rows = []
    for at in range(4, min(len(table) - _ROUTE.size + 1, 4 + count * _ROUTE.size), _ROUTE.size):
        *packed, interface, kind, metric = _ROUTE.unpack_from(table, at)
        destination, mask, via = map(socket.inet_ntoa, packed)
        rows.append(Route(destination, mask, via, interface, kind == _INDIRECT, metric))
    return rows


def best_default(routes: list[Route]) -> Route | None:
    """Return the default route of lowest metric; since Vista that of the interface is in it."""
    defaults = [r for r in routes if r.destination == r.mask == _ANY and r.is_indirect]
    return min(defaults, key=lambda route: (route.metric, route.interface), default=None)


def subnet_of(address: str, interface: int, routes: list[Route]) -> str:
    """Return the narrowest subnet of the interface that holds the address (`192.0.2.0/24`), empty when none does."""
    number = _number(address)
    holding = [
        (_number(route.mask), route.destination)
        for route in routes
        if route.interface == interface and not route.is_indirect
        if route.mask not in (_ANY, "255.255.255.255")
        if number & _number(route.mask) == _number(route.destination)
    ]
    mask, destination = max(holding, default=(0, ""))
    return f"{destination}/{mask.bit_count()}" if destination else ""


def _number(address: str) -> int:
    return int.from_bytes(socket.inet_aton(address), "big")


def question(address: str, interface: int) -> bytes:
    """Return the row that asks GetIpNetEntry2 for an IPv4 address on an interface."""
    return _ENTRY.pack(socket.AF_INET, 0, socket.inet_aton(address), interface, 0, b"", 0, 0, 0, 0)


def parse_entry(row: bytes) -> Entry:
    """Return what GetIpNetEntry2 has put into the row."""
    _, _, _, _, _, hardware, length, state, _, _ = _ENTRY.unpack(row)
    return Entry(hardware[: min(length, 32)].hex(":"), state)


def is_reply(buffer: bytes) -> bool:
    """Tell whether an ICMP_ECHO_REPLY is one of the host itself: its status, after the address, is IP_SUCCESS."""
    _, status = struct.unpack_from("=4sI", buffer)
    return bool(status == 0)


# ---- asking Windows


def default_gateway() -> Gateway | None:
    """Return the IPv4 default gateway of lowest metric; None when there is none."""
    routes = parse_routes(_route_table())
    best = best_default(routes)
    return Gateway(best.via, _alias(best.interface), subnet_of(best.via, best.interface, routes)) if best else None


def _route_table() -> bytes:
    """Read the table (GetIpForwardTable), which may grow between the two calls."""
    read = windows.library("iphlpapi").GetIpForwardTable
    size = ctypes.c_uint32(4096)
    for _ in range(3):
        buffer = ctypes.create_string_buffer(size.value)
        error = read(buffer, ctypes.byref(size), 0)
        if not error:
            return buffer.raw
        if error != _INSUFFICIENT:
            break
    return bytes(4)  # ERROR_NO_DATA: there are no routes


def _alias(interface: int) -> str:
    """Return the name that people see, which is also the tag of `interface`."""
    library = windows.library("iphlpapi")
    luid = ctypes.c_uint64()
    name = ctypes.create_unicode_buffer(_ALIAS_LENGTH)
    if library.ConvertInterfaceIndexToLuid(ctypes.c_uint32(interface), ctypes.byref(luid)):
        return str(interface)
    if library.ConvertInterfaceLuidToAlias(ctypes.byref(luid), name, ctypes.c_size_t(_ALIAS_LENGTH)):
        return str(interface)
    return name.value


def neighbour(address: str) -> Neighbour | None:
    """Return the neighbour entry of an IPv4 address (GetIpNetEntry2), None when there is none."""
    library = windows.library("iphlpapi")
    packed = socket.inet_aton(address)
    interface = ctypes.c_uint32()
    if library.GetBestInterface(ctypes.c_uint32(int.from_bytes(packed, "little")), ctypes.byref(interface)):
        return None
    row = ctypes.create_string_buffer(question(address, interface.value), _ENTRY.size)
    if library.GetIpNetEntry2(row):
        return None
    found = parse_entry(row.raw)
    return Neighbour(found.mac, NUD_REACHABLE if found.state == _REACHABLE else 0)


def answers_ping(host: str, timeout_s: float) -> bool | None:
    """Send one ICMP echo (IcmpSendEcho, which needs no privilege); None where Windows gives no handle for it."""
    try:
        packed = socket.inet_aton(socket.gethostbyname(host))
    except (OSError, UnicodeError):  # UnicodeError: no name that can be looked up
        return False
    library = windows.library("iphlpapi")
    library.IcmpCreateFile.restype = ctypes.c_void_p
    handle = library.IcmpCreateFile()
    if handle in (None, _NO_HANDLE):
        return None
    reply = ctypes.create_string_buffer(_REPLY_BYTES)
    try:
        count = library.IcmpSendEcho(
            ctypes.c_void_p(handle),
            ctypes.c_uint32(int.from_bytes(packed, "little")),
            _DATA,
            ctypes.c_uint16(len(_DATA)),
            None,
            reply,
            ctypes.c_uint32(_REPLY_BYTES),
            ctypes.c_uint32(max(1, int(timeout_s * 1000))),
        )
    finally:
        library.IcmpCloseHandle(ctypes.c_void_p(handle))
    return bool(count) and is_reply(reply.raw)
