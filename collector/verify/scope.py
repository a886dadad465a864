"""Which sites and devices of the roster a target is about."""

from fnmatch import fnmatchcase

from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Scope, Target


def in_scope(scope: Scope, device: Device, site: Site) -> bool:
    """Tell whether a device is one that a target is about."""
    return (
        is_site_in_scope(scope, site)
        and (not scope.role or device.role in scope.role)
        and (not scope.profile or any(fnmatchcase(device.profile, pattern) for pattern in scope.profile))
    )


def is_site_in_scope(scope: Scope, site: Site) -> bool:
    """Tell whether a site is one whose devices a target may be about."""
    return (
        (not scope.kind or site.kind in scope.kind)
        and (not scope.area or (site.area is not None and site.area in scope.area))
        and (not scope.county or site.county in scope.county)
        and (not scope.site or site.id in scope.site)
    )


def sites_of(target: Target, roster: Roster) -> list[Site]:
    """Return the sites of a target: where it asks for roles or profiles, those that have such a device."""
    sites = [site for site in roster.sites.values() if is_site_in_scope(target.scope, site)]
    if not target.scope.role and not target.scope.profile:
        return sites
    equipped = {device.site for device in roster.devices.values() if _is_in(target.scope, device, roster)}
    return [site for site in sites if site.id in equipped]


def _is_in(scope: Scope, device: Device, roster: Roster) -> bool:
    site = roster.sites.get(device.site)
    return site is not None and in_scope(scope, device, site)


def unit_of(target: Target, device: Device) -> str:
    """Return the id of the unit that a device belongs to."""
    return {"device": device.id, "class": device.room, "site": device.site}[target.unit]
