"""
Who a certificate can be for, told by its common name alone: the broker takes that for the user.

    441802-3144001234.c0703    an agent: the id of the device it runs on
    santong-collector          a service of the centre; it has no dot, so it is no device
    mqtt.example.org           a server, with DNS names and IP addresses; never what could be one of the others
"""

import ipaddress
import re
from enum import StrEnum
from typing import NamedTuple

from collector.authority.files import AuthorityError
from contract.names import check_device, is_device

SERVICES = ("santong-collector", "santong-watch", "santong-ask")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
MAX_LENGTH = 64  # of a common name: X.520's ub-common-name


class Kind(StrEnum):
    """What a certificate is for."""

    AGENT = "agent"
    SERVICE = "service"
    SERVER = "server"


class Identity(NamedTuple):
    """Whom a certificate names; `names` are the DNS names and IP addresses of a server."""

    name: str
    kind: Kind
    names: tuple[str, ...] = ()


def client(name: str) -> Identity:
    """Return the identity of an agent or a service; BadName when it is neither."""
    if name in SERVICES:
        return Identity(name, Kind.SERVICE)
    return Identity(check_device(name), Kind.AGENT)


def server(name: str, others: tuple[str, ...] = ()) -> Identity:
    """Return the identity of a server: `name` and `others` are DNS names or IP addresses; AuthorityError."""
    names = tuple(dict.fromkeys(_host(one) for one in (name, *others)))
    if len(names[0]) > MAX_LENGTH:
        raise AuthorityError(f"{name[:80]!r} is too long: a server's first name has at most {MAX_LENGTH} characters")
    return Identity(names[0], Kind.SERVER, names)


def is_address(name: str) -> bool:
    """Tell whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    if is_address(text):
        return str(ipaddress.ip_address(text))
    name = text.lower()
    if len(name) > 253 or not _DNS.fullmatch(name):
        raise AuthorityError(f"{text[:80]!r} is neither a DNS name nor an IP address")
    if name in SERVICES or is_device(name):
        raise AuthorityError(f"{text!r} is a name that agents and services have: a server needs another one")
    return name
