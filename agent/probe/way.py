"""
The way of the test interface: address, routes and rules of its own, which the rest of the machine does not notice.

Everything is in one routing table, which only packets of the test interface reach (ip-rule(8)): those that leave by it
(sockets bound to it), come in by it, or have its address (that is what a strict rp_filter, RFC 3704 §2.2, looks up).
The leased address has no subnet (/32), so that the main table gets no route, and the kernel's note that it is local
is moved into that table: where machine and WiFi have the same subnet, or the WiFi leases an address that someone on
the machine's LAN has, the machine's own traffic goes on as before. Therefore a socket reaches the WiFi by being bound
to the interface (SO_BINDTODEVICE), not to the address. The last route says "unreachable": nothing falls through.

Nothing is written to disk. What a killed run left is known by the rules' priority and removed by the next.
"""

import os
import re
import socket
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Protocol

from agent.outcome import Unable
from agent.probe.base import Via
from agent.probe.net import address_of, interface_of

PRIORITY = 730  # before those of VPNs and the main table
_TABLES = 73_000_000
_LAST = 4_294_967_295
_COMMAND_S = 5.0
_FORBIDDEN = "the privilege CAP_NET_ADMIN is missing, which addresses and routes need"
_SYSCTL = {
    # An ARP request for an address of another interface is not answered (the WiFi may be bridged into the LAN).
    "ipv4/conf/{}/arp_ignore": "1",
    # No IPv6 address and no IPv6 default route from a router of the WiFi.
    "ipv6/conf/{}/accept_ra": "0",
}


class Lease(Protocol):
    """What the way must know of a lease."""

    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def prefix(self) -> int: ...  # noqa: D102
    @property
    def router(self) -> str: ...  # noqa: D102
    @property
    def resolvers(self) -> tuple[str, ...]: ...  # noqa: D102


# ---- the commands, as data


def table_of(interface: str) -> int:
    """Return the number of the interface's routing table: the same after a card was pulled out and put in again."""
    return _TABLES + zlib.crc32(interface.encode()) % 1_000_000


def laying(interface: str, lease: Lease) -> list[list[str]]:
    """Return the commands that lay the way, in their order; what is needed to find leftovers comes first."""
    table, address = str(table_of(interface)), lease.address
    subnet = str(IPv4Interface(f"{address}/{lease.prefix}").network)
    rule, route = ["ip", "rule", "add", "pref", str(PRIORITY)], ["ip", "route", "add"]
    commands = [
        [*rule, "from", address, "lookup", table],
        [*rule, "oif", interface, "lookup", table],
        [*rule, "iif", interface, "lookup", table],
        [*route, "unreachable", "default", "metric", str(_LAST), "table", table],
        ["ip", "addr", "add", f"{address}/32", "dev", interface],
    ]
    if lease.prefix < 32:
        commands.append([*route, subnet, "dev", interface, "scope", "link", "src", address, "table", table])
    if lease.router:
        via = ["default", "via", lease.router, "dev", interface, "onlink"]
        commands.append([*route, *via, "src", address, "table", table])
    return [
        *commands,
        [*route, "local", address, "dev", interface, "table", table],
        ["ip", "route", "del", "local", address, "dev", interface, "table", "local"],
    ]


def lifting(interface: str, address: str) -> list[list[str]]:
    """Return the commands that take the way away; the rule that tells of leftovers goes last."""
    table = str(table_of(interface))
    rule = ["ip", "rule", "del", "pref", str(PRIORITY)]
    return [
        ["ip", "addr", "del", f"{address}/32", "dev", interface],
        ["ip", "route", "flush", "table", table],
        [*rule, "iif", interface, "lookup", table],
        [*rule, "oif", interface, "lookup", table],
        [*rule, "from", address, "lookup", table],
    ]


def leftovers(rules: str, interface: str) -> list[str]:
    """Return the addresses that an earlier run left, from what `ip rule show` says."""
    pattern = rf"^{PRIORITY}:\s+from (\d+\.\d+\.\d+\.\d+) lookup {table_of(interface)}\b"
    return re.findall(pattern, rules, re.MULTILINE)


# ---- doing it


@contextmanager
def prepared(interface: str) -> Iterator[None]:
    """
    Make the interface ours alone: one probe at a time, leftovers gone, no answers for other interfaces.

    Unable: it does not exist, has an address that is not ours, is used by another probe, or privileges are missing.
    """
    with ExitStack() as stack:
        try:
            socket.if_nametoindex(interface)
        except OSError:
            raise Unable(f"there is no interface {interface}") from None
        stack.enter_context(_alone(interface))
        clear(interface)
        if address := address_of(interface):
            hint = "leave it out of NetworkManager, dhcpcd and the like (docs/probes.md)"
            raise Unable(f"{interface} has the address {address}, something else uses it: {hint}")
        for name, wanted in _SYSCTL.items():
            stack.enter_context(_setting(Path("/proc/sys/net", name.format(interface)), wanted))
        yield


def clear(interface: str) -> None:
    """Remove what a killed run left; nothing else is touched."""
    for address in leftovers(_run(["ip", "-4", "rule", "show"]), interface):
        _lift(interface, address)


@contextmanager
def laid(interface: str, lease: Lease) -> Iterator[Via]:
    """
    Give the way over the interface with a lease, and take it away at the end.

    Unable: the machine has the address already, or `ip` refuses (the privilege CAP_NET_ADMIN is missing).
    """
    if owner := interface_of(lease.address):
        raise Unable(f"the network gives {lease.address}, which this machine has on {owner}: they cannot be told apart")
    try:
        for command in laying(interface, lease):
            _run(command)
        yield Via(interface, "", lease.resolvers)
    finally:
        _lift(interface, lease.address)


def _lift(interface: str, address: str) -> None:
    """Take away what is there: each command for itself, since some of it may be missing."""
    for command in lifting(interface, address):
        with suppress(Unable):
            _run(command)


def _run(command: Sequence[str]) -> str:
    environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_COMMAND_S, env=environment, errors="replace"
        )
    except FileNotFoundError:
        raise Unable("the program ip is missing: install iproute2") from None
    except subprocess.TimeoutExpired:
        raise Unable(f"{' '.join(command)} takes longer than {_COMMAND_S:g} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        if any("not permitted" in line for line in said):
            raise Unable(_FORBIDDEN)
        raise Unable(f"{' '.join(command)}: {said[-1] if said else done.returncode}")
    return done.stdout


@contextmanager
def _alone(interface: str) -> Iterator[None]:
    """Hold an abstract socket (unix(7)) as a lock: it is gone with the process, however that ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0santong-probe-{interface}")
        except OSError:
            raise Unable(f"another probe is using {interface}") from None
        yield


@contextmanager
def _setting(file: Path, wanted: str) -> Iterator[None]:
    """Set a sysctl of the interface and put it back; Unable when it has another value and cannot be set."""
    try:
        before = file.read_text(encoding="ascii").strip()
    except OSError:  # a kernel without IPv6
        yield
        return
    if before == wanted:
        yield
        return
    try:
        file.write_text(wanted, encoding="ascii")
    except PermissionError:
        raise Unable(_FORBIDDEN) from None
    except OSError as error:  # a read-only /proc/sys
        name = ".".join(file.parts[3:])
        hint = f"write {name}={wanted} into /etc/sysctl.d/60-santong.conf"
        raise Unable(f"{name} is {before} and cannot be set ({os.strerror(error.errno or 0)}): {hint}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            file.write_text(before, encoding="ascii")
