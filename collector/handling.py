"""Who may do something about an incident: joins roles and scopes with what an incident is about."""

from collector.access.types import Action, Who, may
from collector.watch.types import Incident
from contract.names import county_of, site_of


def may_handle(who: Who, incident: Incident) -> bool:
    """Tell whether somebody may acknowledge, note and close an incident: all that it is about must be their own."""
    places = {site_of(device) for device in incident.devices} or {incident.site}
    return all(may(who, Action.ACKNOWLEDGE, county_of(site) or incident.county, site) for site in sorted(places))
