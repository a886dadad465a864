"""
Sites and devices, as the programme promised them: the denominator of every rate.

    441802-3144001234           a site: its county and code
    441802-3144001234.c0703     a device of it, named by its place; stays when the hardware is replaced

Dates are days of the programme's time zone, both ends included. A device counts from the later of `valid_from` and
`commissioned_on`: a class that never reported since is a class without evidence, never one left out.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from contract.names import county_of, site_of


class Area(StrEnum):
    """Where a site lies, by the statistical code of urban and rural places."""

    URBAN = "urban"
    RURAL = "rural"


class SiteKind(StrEnum):
    """What a site is."""

    SCHOOL = "school"
    PUBLIC = "public"  # a square, a station, a hall: where public WiFi is
    VILLAGE = "village"
    OFFICE = "office"
    OTHER = "other"


class Reach(StrEnum):
    """How an agent gets its releases and settings."""

    SSH = "ssh"  # from the centre, at its `host`
    PULL = "pull"  # it fetches them itself: behind NAT, or switched off most of the time
    NONE = "none"  # nobody does from here: no agent runs on it, or somebody else looks after it


class Site(NamedTuple):
    """
    One site. Empty text, None: not known.

    `contracted_mbps` is what the operator 运营商 owes; `calendar` the name of the site's calendar, else its county's;
    `declared_classes` how many classes the school itself reports, by `declared_source`: those without a row of their
    own stay in the denominator as unproven.
    """

    id: str
    name: str = ""
    area: Area | None = None
    kind: SiteKind = SiteKind.SCHOOL
    operator: str = ""
    contracted_mbps: float | None = None
    calendar: str = ""
    contact: str = ""
    phone: str = ""
    address: str = ""
    declared_classes: int | None = None
    declared_source: str = ""

    @property
    def county(self) -> str:
        """The county's code."""
        return county_of(self.id)


class Device(NamedTuple):
    """
    One device.

    `room_id` and `class_name` name the room and the class in people's language; a room without an id is the device's
    own. `agent` speaks for it, the device itself when empty. `successor` is the device that took its place. `host` is
    the address or name under which SSH reaches it, `reach` how it is administered, where somebody said so.
    """

    id: str
    role: str
    room_id: str = ""
    class_name: str = ""
    profile: str = ""
    agent: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    commissioned_on: date | None = None
    successor: str = ""
    host: str = ""
    reach: Reach | None = None

    @property
    def site(self) -> str:
        """The id of its site, which follows from its own."""
        return site_of(self.id)

    @property
    def speaker(self) -> str:
        """The agent that speaks for it."""
        return self.agent or self.id

    @property
    def room(self) -> str:
        """The room that it is counted in: unique in the programme."""
        return f"{self.site}/{self.room_id}" if self.room_id else self.id

    def exists_on(self, day: date) -> bool:
        """Tell whether it should exist on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def counts_on(self, day: date) -> bool:
        """Tell whether it should exist and work on a day: it is commissioned."""
        return self.exists_on(day) and (self.commissioned_on is None or self.commissioned_on <= day)


class Roster(NamedTuple):
    """All sites and devices of one version, by id."""

    sites: Mapping[str, Site]
    devices: Mapping[str, Device]

    def site_of(self, device: str) -> Site:
        """Return the site of a device id."""
        return self.sites[site_of(device)]
