"""What the probes share of the network: a deadline, numeric addresses, sockets that go out by the chosen way."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from agent.outcome import Unable
from agent.probe.base import Via

SIOCGIFADDR, _SIOCGIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8915, 0x8913, 0x1, 0x40  # netdevice(7)
_STACK_BYTES = 1 << 19


class Address(NamedTuple):
    """A numeric address and its family (socket.AF_INET, AF_INET6)."""

    family: int
    address: str


class Endpoint(NamedTuple):
    """A numeric address and port in the shape that sockets take, the interface of a link-local address included."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def endpoint(address: str, port: int) -> Endpoint:
    """
    Return the endpoint of a numeric address; OSError when it is none.

    Unable: the interface that it names, as fe80::1%eth0 does, is not ready.
    """
    if scope := address.partition("%")[2]:
        check_ready(_interface_named(scope))
    family, _, _, _, sockaddr = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[
        0
    ]
    return Endpoint(family, sockaddr)  # type: ignore[arg-type]  # the third kind is of builds without IPv6


@contextmanager
def small_stacks() -> Iterator[None]:
    """Let threads that are started in here have small stacks: the worker's address space is limited."""
    before = threading.stack_size(_STACK_BYTES)
    try:
        yield
    finally:
        threading.stack_size(before)


def milliseconds(seconds: float) -> float:
    """Return a duration in ms, to the microsecond."""
    return round(seconds * 1000, 3)


def bind(sock: socket.socket, via: Via) -> None:
    """
    Make a socket go out by the interface and address of `via`.

    Unable: there is no such interface or address. (SO_BINDTODEVICE needs no privilege since Linux 5.7.)
    """
    try:
        if via.interface:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, via.interface.encode() + b"\0")
        if via.address and sock.family == socket.AF_INET:
            sock.bind((via.address, 0))
    except OSError as error:
        way = " ".join(part for part in (via.interface, via.address) if part)
        raise Unable(f"cannot go out by {way}: {error.strerror}") from None


class Connected(NamedTuple):
    """An open connection, where it leads, and how long its handshake took: one round trip (RFC 2681)."""

    sock: socket.socket
    peer: Address
    connect_s: float


def dial(address: Address, port: int, timeout_s: float, via: Via) -> Connected:
    """Open a TCP connection to a numeric address; OSError."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        bind(sock, via)
        sock.settimeout(timeout_s)
        begun = time.perf_counter()
        sock.connect(endpoint(address.address, port).sockaddr)
        return Connected(sock, address, time.perf_counter() - begun)
    except BaseException:
        sock.close()
        raise


def interface_of(address: str) -> str:
    """Return the interface that holds an IPv4 address of this machine, empty when none does."""
    for _, name in socket.if_nameindex():
        if address_of(name) == address:
            return name
    return ""


def address_of(interface: str) -> str:
    """Return the first IPv4 address of an interface, empty when it has none."""
    answer = about(interface, SIOCGIFADDR)
    return socket.inet_ntoa(answer[4:8]) if answer else ""


def check_ready(interface: str) -> None:
    """Raise Unable when an interface is missing, down, or without carrier: nothing can be asked by it."""
    answer = about(interface, _SIOCGIFFLAGS)
    if answer is None:
        raise Unable(f"there is no interface {interface}")
    flags = int.from_bytes(answer[:2], sys.byteorder)
    if not flags & _IFF_UP:
        raise Unable(f"{interface} is down: ip link set {interface} up")
    if not flags & _IFF_RUNNING:
        raise Unable(f"{interface} has no carrier: is the cable plugged in, the WiFi joined?")


def about(interface: str, what: int) -> bytes | None:
    """Return the answer of an ioctl of netdevice(7), None when there is no such interface or address."""
    import fcntl  # noqa: PLC0415  not on Windows
    import struct  # noqa: PLC0415

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            return fcntl.ioctl(sock, what, struct.pack("16s24x", os.fsencode(interface)))[16:]
        except OSError:
            return None


def _interface_named(scope: str) -> str:
    """Return the interface of an address's scope, which is its name or its number (RFC 4007 §11)."""
    if not scope.isdecimal():
        return scope
    try:
        return socket.if_indextoname(int(scope))
    except (OSError, OverflowError):
        raise Unable(f"there is no interface with the number {scope}") from None
