"""
Names carry identity: county and site follow from a device id alone.

    441802-3144001234.c0703      county 441802, site 441802-3144001234, place c0703

Tags never depend on the roster, so a roster import splits no series and sending twice stores once.
"""

import re

from contract.errors import BadName

MAX_LENGTH = 64
_PIECE = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SITE = rf"(?P<county>[a-z0-9]+)-{_PIECE}"
_DEVICE = re.compile(rf"(?P<site>{_SITE})\.(?P<place>{_PIECE})")
_RULE = "<county>-<school code>.<place>, in a-z, 0-9 and '-', at most 64 characters"


def check_device(name: str) -> str:
    """Return `name` when it is a device id, raise BadName otherwise."""
    if len(name) > MAX_LENGTH or not _DEVICE.fullmatch(name):
        raise BadName(f"{name[:80]!r} is not a device id: {_RULE}")
    return name


def is_device(name: str) -> bool:
    """Tell whether `name` is a device id."""
    return len(name) <= MAX_LENGTH and _DEVICE.fullmatch(name) is not None


def site_of(device: str) -> str:
    """Return the site id of a device id."""
    return device.partition(".")[0]


def county_of(device_or_site: str) -> str:
    """Return the county code of a device or site id."""
    return device_or_site.partition("-")[0]


def may_speak(agent: str, device: str) -> bool:
    """Tell, from the names alone, whether `agent` may send for `device`: both stand on one site."""
    return site_of(agent) == site_of(device)


def suggest(text: str) -> str:
    """Make a piece of a name out of any text (a host name): lower case, '-' for all else, never empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:24].strip("-") or "device"


class DeviceName(str):
    """A device id in a configuration."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "DeviceName":
        """Return the id; ValueError says the rule."""
        return cls(check_device(text))
