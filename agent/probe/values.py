"""What the settings of probes are made of: hosts, addresses, patterns, windows; each says what is wrong with a text."""

import ipaddress
import re
from itertools import pairwise
from typing import Self
from urllib.parse import urlsplit

# Labels of at most 63 characters (RFC 1035 §2.3.4); the last one is no number, else it would be a mistyped address.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"(?=.{{1,253}}$)(?!(?:.*\.)?[0-9]+\.?$)(?:{_LABEL}\.)*{_LABEL}\.?"


class Host(str):
    """A host name or an IP address, without brackets."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the host; ValueError says what is wrong."""
        if not re.fullmatch(_HOST, text) and not is_address(text):
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
        inside = host.strip("[]")
        if ":" in inside and host != f"[{inside}]":
            raise ValueError(f"{text!r} is not host:port: an IPv6 address stands in brackets, as in [2001:db8::1]:80")
        if ":" not in inside and host != inside:
            raise ValueError(f"{text!r} is not host:port: only an IPv6 address stands in brackets")
        Host.parse(inside)
        return cls(text)

    @property
    def host(self) -> str:
        """The host, without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.rpartition(":")[2])


class Resolver(str):
    """A name server: an address, with a port where it is not 53: `192.0.2.53`, `192.0.2.53:5353`, `[v6]:5353`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name server; ValueError says what is wrong."""
        host = text.rpartition(":")[0].strip("[]")
        if not is_address(text) and not is_address(host):
            raise ValueError(
                f"{text!r} is not an address such as 192.0.2.53: a name server cannot be asked for its own"
            )
        return cls(text if is_address(text) else HostPort.parse(text))

    @property
    def host(self) -> str:
        """The address, without brackets."""
        return str(self) if is_address(self) else HostPort(self).host

    @property
    def port(self) -> int:
        """The port."""
        return 53 if is_address(self) else HostPort(self).port


class Network(str):
    """An address or a network, `192.0.2.0/24`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the network; ValueError says what is wrong."""
        ipaddress.ip_network(text)
        return cls(text)

    def holds(self, address: str) -> bool:
        """Tell whether an address is in the network."""
        return ipaddress.ip_address(address) in ipaddress.ip_network(self)


class Ipv4(str):
    """An IPv4 address."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address; ValueError says what is wrong."""
        return cls(ipaddress.IPv4Address(text))


class Subnet(str):
    """An IPv4 network, `192.0.2.0/24`, or `auto`: the interface's own."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the network; ValueError says what is wrong."""
        return cls(text if text == "auto" else ipaddress.IPv4Network(text))


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
        Host.parse(parts.hostname)
        return cls(text)


# What phones and computers ask, and what is due where no login page stands in between.
_TEXTS = {
    "http://captive.apple.com/hotspot-detect.html": "Success",
    "http://www.msftconnecttest.com/connecttest.txt": "Microsoft Connect Test",
    "http://detectportal.firefox.com/success.txt": "success",
}


class Endpoint(str):
    """
    A plain http address and what is due there: `http://host/path|text`, or `|204` for an answer without content.

    Addresses that end with `generate_204` and those of the table above need no `|`.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the endpoint; ValueError says what is wrong."""
        endpoint = cls(text)
        if not Url.parse(endpoint.url).startswith("http://"):
            raise ValueError(f"{text!r} is not a plain http address, in whose place a portal can answer")
        if "|" not in text and endpoint.due == "":
            raise ValueError(f"{text!r} does not say what is due there: write http://host/path|text, or |204")
        return endpoint

    @property
    def url(self) -> Url:
        """The address."""
        return Url(self.partition("|")[0])

    @property
    def due(self) -> str:
        """The text that is due, `204` for an answer without content."""
        url, bar, text = self.partition("|")
        if bar:
            return text.strip() or "204"
        return "204" if urlsplit(url).path.endswith("generate_204") else _TEXTS.get(url, "")


ENDPOINTS = (
    Endpoint("http://connect.rom.miui.com/generate_204"),
    Endpoint("http://connectivitycheck.platform.hicloud.com/generate_204"),
    Endpoint("http://www.msftconnecttest.com/connecttest.txt"),
)


def hide(url: str) -> str:
    """Return the address without what stands before the @."""
    return re.sub(r"//[^/@]*@", "//***@", url)


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


SECURITY = ("open", "wep", "wpa-psk", "wpa2-psk", "wpa3-sae", "802.1x", "owe")


class Security(str):
    """A way in which a wireless network is protected, or `open`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the way; ValueError says what is wrong."""
        if text not in SECURITY:
            raise ValueError(f"{text!r} is not one of {', '.join(SECURITY)}")
        return cls(text)


_SPAN = r"\d\d:\d\d-\d\d:\d\d"
_MOST_ZONE_S = 14 * 3600


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
        if any(start < end for (_, end), (start, _) in pairwise(sorted(window.spans_s))):
            raise ValueError(f"{text!r} is not a window: two of its parts overlap")
        if abs(window.zone_s) > _MOST_ZONE_S or int(text[-2:]) > 59:
            raise ValueError(f"{text!r} is not a window: the zone at its end is from -14:00 to +14:00")
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


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address, with its interface where that is needed."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
