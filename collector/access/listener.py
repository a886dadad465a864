"""
Where a page listens, and whom it believes: localhost alone, a reverse proxy, or everybody's password.

    127.0.0.1                               nobody logs in: whoever sits here could read every file
    127.0.0.1, with a proxy or `--login`    everybody logs in: what comes from here may come from anywhere
    any other address                       everybody logs in; without any user it does not start
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contract.errors import ConfigError, Problem

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Listener(NamedTuple):
    """
    Address and port; whom to believe.

    `trusted` are the addresses of reverse proxies, whose X-Forwarded-… count; `header` is what such a proxy names the
    user in. `hours` is how long a login holds.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    trusted: tuple[Network, ...] = ()
    header: str = ""
    login: bool = False
    hours: float = 12.0

    @property
    def asks_nobody(self) -> bool:
        """Tell whether no login is asked: it is bound to localhost alone, and no proxy stands before it."""
        return is_loopback(self.host) and not self.login and not self.trusted and not self.header

    def trusts(self, peer: str) -> bool:
        """Tell whether a peer is a reverse proxy of ours."""
        address = _address(peer)
        return address is not None and any(address in network for network in self.trusted)


def listener_of(address: str, proxy: Iterable[str] = (), header: str = "", *, login: bool = False) -> Listener:
    """Return what options say: `address` is host:port, a port, or [IPv6]:port; ConfigError names every mistake."""
    problems = []
    host, port = _host_and_port(address)
    if port is None:
        problems.append(Problem("--listen", f"{address!r} is no address such as 127.0.0.1:8080, 8080 or [::]:8080"))
    trusted = []
    for one in proxy:
        try:
            trusted.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            problems.append(Problem("--proxy", f"{one!r} is no address such as 192.0.2.7 or 192.0.2.0/24"))
    if header and not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in header):
        problems.append(Problem("--proxy-user", f"{header!r} is no name of a header such as X-Remote-User"))
    if header and not trusted and not problems:
        problems.append(Problem("--proxy-user", "whose header? Name the proxy's address with --proxy"))
    if problems:
        raise ConfigError("listen", problems)
    return Listener(host, port or 0, tuple(trusted), header.lower(), login)


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return host, None
    is_port = port.isascii() and port.isdigit() and int(port) <= 65535
    return host or "127.0.0.1", int(port) if is_port else None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine alone."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_here(peer: str, headers: Mapping[str, str]) -> bool:
    """
    Tell whether a request was made on this machine, to this machine.

    A page of the Internet can have its name lead here; then the name is in Host. What a proxy hands on says so.
    """
    name = headers.get("host", "").rpartition("@")[2]
    host = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(peer) and is_loopback(host.lower()) and not any(one in headers for one in _FORWARDED)


def client_of(listener: Listener, peer: str, headers: Mapping[str, str]) -> str:
    """Return the address that a request comes from: the last one before our own proxies."""
    if not listener.trusts(peer):
        return peer
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
    for hop in reversed(hops):
        if _address(hop) is None:
            return peer
        if not listener.trusts(hop):
            return hop
    return peer


def host_of(listener: Listener, peer: str, headers: Mapping[str, str]) -> str:
    """Return the host, with its port, that the browser asked for."""
    forwarded = headers.get("x-forwarded-host", "") if listener.trusts(peer) else ""
    return (forwarded or headers.get("host", "")).lower()


def is_secure(listener: Listener, peer: str, scheme: str, headers: Mapping[str, str]) -> bool:
    """Tell whether the browser asked over TLS."""
    forwarded = headers.get("x-forwarded-proto", "") if listener.trusts(peer) else ""
    return (forwarded or scheme) in ("https", "wss")


def refusal(listener: Listener, users: int) -> str:
    """Say why a listener does not start, nothing when it may."""
    if listener.asks_nobody or users:
        return ""
    where = f"{listener.host}:{listener.port}"
    add = "add somebody with `santong user add NAME --role admin`"
    return f"{where}: nobody could log in: {add}{'' if is_loopback(listener.host) else ', or listen on 127.0.0.1'}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
