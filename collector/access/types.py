"""
Who may do what: a role says which actions, a scope says where.

    viewer       sees                                                 city, county or site
    inspector    and asks for reports, disputes what it found         city, county or site
    technician   and closes places, takes incidents on                city, county or site
    county       all but administering                                a county
    city         all but administering                                the city
    admin        all                                                  city, county or site

The table itself is TABLE, and docs/access.md prints it.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from contract.names import county_of, site_of


class Role(StrEnum):
    """What somebody is to the programme."""

    VIEWER = "viewer"
    INSPECTOR = "inspector"
    TECHNICIAN = "technician"
    COUNTY = "county"
    CITY = "city"
    ADMIN = "admin"


class Action(StrEnum):
    """What somebody may want to do. In the log: names are append-only."""

    VIEW = "view"
    PROPOSE = "propose"  # a dispute
    CLOSE = "close"  # a place, for a time: a closure, which stops alerts at once
    APPROVE = "approve"  # what another person proposed, or reject it
    ACKNOWLEDGE = "acknowledge"  # an incident, note and close it
    REPORT = "report"  # have a report made, download closed ones
    ADMINISTER = "administer"  # users, and the log of what they did


_ALL = frozenset(Action)
TABLE: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset((Action.VIEW,)),
    Role.INSPECTOR: frozenset((Action.VIEW, Action.PROPOSE, Action.REPORT)),
    Role.TECHNICIAN: frozenset((Action.VIEW, Action.PROPOSE, Action.CLOSE, Action.ACKNOWLEDGE)),
    Role.COUNTY: _ALL - {Action.ADMINISTER},
    Role.CITY: _ALL - {Action.ADMINISTER},
    Role.ADMIN: _ALL,
}


class Who(NamedTuple):
    """Somebody with a role, and where it holds: a site, else a county, else the whole city."""

    name: str
    role: Role
    county: str = ""
    site: str = ""


# Whoever sits at the machine itself could read and change every file: no login is asked on localhost.
LOCAL = Who("operator of this machine", Role.ADMIN)


_NAMED = re.compile(r"[a-z0-9]+-[a-z0-9-]+(?:\.[a-z0-9-]+)?")  # whatever may be the id of a site or device


def may(who: Who, action: Action, county: str = "", site: str = "") -> bool:
    """
    Tell whether somebody may do something at a site, in a county, or, with neither, in the whole city.

    A list of many counties is not asked about as a whole: it is cut to what `covers` each of its rows.
    """
    return action in TABLE[who.role] and covers(who, county, site)


def covers(who: Who, county: str = "", site: str = "") -> bool:
    """Tell whether somebody's scope has a site, a county or, with neither, the whole city in it."""
    if site:
        if county and county_of(site) != county:
            return False
        county = county_of(site)
    if flaw_of_scope(who):
        return False
    if who.site:
        return site == who.site
    return not who.county or county == who.county


def without_others(text: str, who: Who) -> str:
    """Return a text without the names of what is not within a scope."""
    return _NAMED.sub(lambda found: found[0] if covers(who, site=site_of(found[0])) else "…", text)


def flaw_of_scope(who: Who) -> str:
    """Say what is wrong with a scope for a role, nothing when it can be used."""
    if who.site and who.county and county_of(who.site) != who.county:
        return f"the site {who.site} is not in the county {who.county}"
    if who.role is Role.COUNTY and (not who.county or who.site):
        return "the role county needs a county and no site"
    if who.role is Role.CITY and (who.county or who.site):
        return "the role city is for the whole city: give it neither county nor site"
    return ""
