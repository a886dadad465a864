"""Small fleets for the tests."""

from collections.abc import Iterable
from datetime import date

from collector.fleet.agents import Agent, agents_on
from collector.roster.schema import Device, Roster, Site
from contract.names import site_of

TODAY = date(2026, 10, 12)
PROFILES = ("raspberry-pi-4", "openwrt", "windows-classroom-pc")


def roster(devices: Iterable[Device]) -> Roster:
    """Return a roster of devices, with the sites that they stand on."""
    by_id = {device.id: device for device in devices}
    return Roster({site: Site(site) for site in sorted(map(site_of, by_id))}, by_id)


def panels(count: int, *, at_a_site: int = 10) -> list[Device]:
    """Return so many classroom devices, of three profiles, every second with a host."""
    return [
        Device(
            f"441802-9990{number // at_a_site:06}.c{number % at_a_site:02}",
            "classroom",
            profile=PROFILES[number % 3],
            host=f"192.0.{number // 250}.{number % 250 + 1}" if number % 2 else "",
        )
        for number in range(count)
    ]


def fleet(count: int) -> list[Agent]:
    """Return so many agents."""
    return agents_on(roster(panels(count)), TODAY)
