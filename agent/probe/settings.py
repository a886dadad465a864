"""
What each kind of probe can be asked, `[[probe.<kind>]]` in the settings. Light: the agent's loop loads it.

Every kind has `target`, `every`, `timeout` (of the whole probe) and `name`, the tag `target` of its points where the
target itself will not do (two probes of one kind and target need two names). `docs/probes.md` explains the others.
"""

import re
import socket
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from contract.settings import POSITIVE, Seconds, Size

_HOST = r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?"


class Host(str):
    """A host name or an IP address, without brackets."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the host; ValueError says what is wrong."""
        if not re.fullmatch(_HOST, text) and not _is_address(text):
            raise ValueError(f"{text!r} is not a host name or an address such as 192.0.2.1")
        return cls(text)


class HostPort(str):
    """`host:port` or `[v6 address]:port`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the pair; ValueError says what is wrong."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is not host:port such as 192.0.2.1:443")
        Host.parse(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
        return cls(text)

    @property
    def host(self) -> str:
        """The host, without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.rpartition(":")[2])


class Url(str):
    """An http or https address without user and password (it becomes a tag that everybody sees)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address; ValueError says what is wrong."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{text!r} is not an address: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError(f"{text!r} is not an address such as http://192.0.2.1/")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"{hide(text)!r} has a user in it, which everybody would see: leave it out")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"{text!r} has characters that an address cannot have: write them as %XX")
        return cls(text)


def hide(url: str) -> str:
    """Return the address without what stands before the @."""
    return re.sub(r"//[^/@]*@", "//***@", url)


class Pattern(str):
    """A regular expression."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the expression; ValueError says what is wrong with it."""
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is not a regular expression: {error}") from None
        return cls(text)


class InterfaceName(str):
    """The name of a network interface."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name; ValueError says what is wrong."""
        if not re.fullmatch(r"[A-Za-z0-9_.@-]{1,15}", text):
            raise ValueError(f"{text!r} is not an interface such as eth0")
        return cls(text)


class Ssid(str):
    """The name of a wireless network, 1 to 32 bytes (IEEE 802.11 §9.4.2.2)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name; ValueError says what is wrong."""
        if not 1 <= len(text.encode()) <= 32 or not text.isprintable():
            raise ValueError(f"{text!r} is not the name of a wireless network: 1 to 32 bytes, no control characters")
        return cls(text)


_SPAN = r"\d\d:\d\d-\d\d:\d\d"


class Window(str):
    """Times of a day, `12:00-14:00,17:30-19:00+08:00`; the zone at the end is +08:00 where it is left out."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the times; ValueError says what is wrong."""
        if not re.fullmatch(rf"{_SPAN}(,{_SPAN})*([+-]\d\d:\d\d)?", text):
            raise ValueError(f"{text!r} is not a window such as 12:00-14:00,17:30-19:00+08:00")
        window = cls(text)
        for start, end in window.spans_s:
            if not 0 <= start < end <= 86_400:
                raise ValueError(f"{text!r} is not a window: each part ends later than it begins, within a day")
        return window

    @property
    def spans_s(self) -> list[tuple[int, int]]:
        """Begin and end of each part, in seconds of the local day."""
        spans = [[int(number) for number in re.findall(r"\d\d", span)] for span in re.findall(_SPAN, self)]
        return [(a * 3600 + b * 60, c * 3600 + d * 60) for a, b, c, d in spans]

    @property
    def zone_s(self) -> int:
        """Local time minus UTC, in seconds."""
        match = re.search(rf"{_SPAN}([+-])(\d\d):(\d\d)$", self)
        if not match:
            return 8 * 3600
        seconds = int(match[2]) * 3600 + int(match[3]) * 60
        return -seconds if match[1] == "-" else seconds


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


class Icmp(NamedTuple):
    """Echo requests (RFC 792, RFC 4443): round trip, loss, jitter."""

    target: Host
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    interface: InterfaceName | None = None
    packets: Annotated[int, POSITIVE] = 10
    interval: Annotated[Seconds, POSITIVE] = Seconds(0.1)
    max_loss_percent: float = 99.9
    max_rtt: Seconds | None = None


class Tcp(NamedTuple):
    """A TCP connection (RFC 9293), opened and closed."""

    target: HostPort
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(5)
    name: str = ""
    interface: InterfaceName | None = None
    max_rtt: Seconds | None = None


class Dns(NamedTuple):
    """A question to a resolver (RFC 1035), and whether it lies about names that do not exist."""

    target: Host
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(5)
    name: str = ""
    interface: InterfaceName | None = None
    resolver: str = ""
    type: Literal["A", "AAAA"] = "A"
    expect: tuple[str, ...] = ()
    hijack: bool = True
    max_rtt: Seconds | None = None


class Dhcp(NamedTuple):
    """A lease as a new client would get it (RFC 2131). The target is the interface."""

    target: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(8)
    name: str = ""
    request: bool = False
    servers: tuple[str, ...] = ()
    listen: Annotated[Seconds, POSITIVE] = Seconds(1)


class Arp(NamedTuple):
    """Who is on the local network (RFC 826). The target is the interface."""

    target: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(3600)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    subnet: str = "auto"
    expect: tuple[str, ...] = ()


class Http(NamedTuple):
    """A page (RFC 9110): status, text, certificate, time to first byte."""

    target: Url
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    interface: InterfaceName | None = None
    status: tuple[int, ...] = ()
    body: Pattern | None = None
    ca: str = ""
    verify: bool = True
    min_certificate_days: float = 0.0
    max_first_byte: Seconds | None = None
    max_redirects: int = 5


class Portal(NamedTuple):
    """Is there a login page between us and the Internet? The target is a name for the place; endpoints are asked."""

    target: str = "internet"
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    interface: InterfaceName | None = None
    endpoints: tuple[Url, ...] = ()
    expect: Literal["any", "open", "portal"] = "any"
    api: Url | None = None
    ca: str = ""


class Throughput(NamedTuple):
    """
    Goodput to a server (RFC 6349): a LibreSpeed backend (the address ends with /) or any large file.

    It runs once in `every`, in the device's own slot of the window; a slot is as long as `timeout`.
    """

    target: Url
    every: Annotated[Seconds, POSITIVE] = Seconds(72_000)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(30)
    name: str = ""
    interface: InterfaceName | None = None
    streams: Annotated[int, POSITIVE] = 4
    seconds: Annotated[Seconds, POSITIVE] = Seconds(8)
    warm_up: Annotated[Seconds, POSITIVE] = Seconds(2)
    upload: bool = True
    window: Window = Window("12:00-14:00")
    slot: int | None = None
    budget: Annotated[Size, POSITIVE] = Size(20_000_000_000)
    max_bytes: Annotated[Size, POSITIVE] = Size(2_000_000_000)
    ca: str = ""
    verify: bool = True


class WifiScan(NamedTuple):
    """Is the network in the air (iw)? The target is its SSID."""

    target: Ssid
    interface: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(20)
    name: str = ""
    min_rssi_dbm: float | None = None
    security: str = ""


class WifiJoin(NamedTuple):
    """
    The whole way of a stranger's phone: scan, associate, DHCP, DNS, portal, HTTP. The target is the SSID.

    The interface must be one that nothing else uses, with a wpa_supplicant that has a control socket.
    """

    target: Ssid
    interface: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(60)
    name: str = ""
    passphrase_file: str = ""
    control: str = "/run/wpa_supplicant"
    dns: Host = Host("www.baidu.com")
    endpoints: tuple[Url, ...] = ()
    http: Url | None = None
    body: Pattern | None = None
    min_rssi_dbm: float | None = None
    expect: Literal["any", "open", "portal"] = "any"


class ProbeSettings(NamedTuple):
    """Every probe that the agent runs, by kind."""

    icmp: tuple[Icmp, ...] = ()
    tcp: tuple[Tcp, ...] = ()
    dns: tuple[Dns, ...] = ()
    dhcp: tuple[Dhcp, ...] = ()
    arp: tuple[Arp, ...] = ()
    http: tuple[Http, ...] = ()
    portal: tuple[Portal, ...] = ()
    throughput: tuple[Throughput, ...] = ()
    wifi_scan: tuple[WifiScan, ...] = ()
    wifi_join: tuple[WifiJoin, ...] = ()


Ask = Icmp | Tcp | Dns | Dhcp | Arp | Http | Portal | Throughput | WifiScan | WifiJoin
KINDS: dict[str, type[Ask]] = {
    "icmp": Icmp,
    "tcp": Tcp,
    "dns": Dns,
    "dhcp": Dhcp,
    "arp": Arp,
    "http": Http,
    "portal": Portal,
    "throughput": Throughput,
    "wifi_scan": WifiScan,
    "wifi_join": WifiJoin,
}
