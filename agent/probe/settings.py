"""
What each kind of probe can be asked, `[[probe.<kind>]]` in the settings. Light: the agent's loop loads it.

Every kind has `target`, `every`, `timeout` (of the whole probe) and `name`, the tag `target` of its points where the
target itself will not do (two probes of one kind and target need two names). `docs/probes.md` explains the others.
"""

from typing import Annotated, Literal, NamedTuple

from agent.probe.values import (
    ENDPOINTS,
    Endpoint,
    Host,
    HostPort,
    InterfaceName,
    Ipv4,
    Network,
    Resolver,
    Security,
    Ssid,
    Subnet,
    Url,
    Window,
)
from contract.settings import POSITIVE, Pattern, Seconds, Size


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
    resolver: Resolver | None = None
    type: Literal["A", "AAAA"] = "A"
    expect: tuple[Network, ...] = ()
    hijack: bool = True
    max_rtt: Seconds | None = None


class Dhcp(NamedTuple):
    """A lease as a new client would get it (RFC 2131). The target is the interface."""

    target: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(8)
    name: str = ""
    request: bool = False
    servers: tuple[Ipv4, ...] = ()
    complete: bool = True
    listen: Annotated[Seconds, POSITIVE] = Seconds(1)


class Arp(NamedTuple):
    """Who is on the local network (RFC 826). The target is the interface."""

    target: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(3600)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    subnet: Subnet = Subnet("auto")
    expect: tuple[Ipv4, ...] = ()
    shared: tuple[Ipv4, ...] = ()
    per_second: Annotated[int, POSITIVE] = 250


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
    proxy: HostPort | None = None


class Portal(NamedTuple):
    """Is there a login page between us and the Internet? The target is a name for the place; endpoints are asked."""

    target: str = "internet"
    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(10)
    name: str = ""
    interface: InterfaceName | None = None
    endpoints: tuple[Endpoint, ...] = ENDPOINTS
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
    """Is the network in the air (iw)? The target is its SSID; `security` is all that may be offered."""

    target: Ssid
    interface: InterfaceName
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    timeout: Annotated[Seconds, POSITIVE] = Seconds(20)
    name: str = ""
    min_rssi_dbm: float | None = None
    security: tuple[Security, ...] = ()


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
    endpoints: tuple[Endpoint, ...] = ENDPOINTS
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
