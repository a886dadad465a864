"""What a page is drawn from: the picture, who looks, and what of it they may see."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from collector.access.types import TABLE, Action, Who, may
from collector.board.detail import NOTHING, SiteDetail
from collector.board.draw import Eyes, H, device_link, join, link, site_link, why_text
from collector.board.model import NOBODY, Picture, Rest, SiteNow
from collector.roster.columns import COUNTIES
from collector.roster.schema import Device, Site
from collector.watch.types import Incident
from contract.names import county_of, site_of

# The counties in Latin letters, as maps have them.
_LATIN = {
    "441802": "Qingcheng", "441803": "Qingxin", "441821": "Fogang", "441823": "Yangshan", "441825": "Lianshan",
    "441826": "Liannan", "441881": "Yingde", "441882": "Lianzhou",
}  # fmt: skip
Sections = Sequence[tuple[str, Markup]]


class View(NamedTuple):
    """Everything that a page may show to somebody."""

    picture: Picture
    rest: Rest
    who: Who
    eyes: Eyes
    details: Mapping[str, SiteDetail] = {}

    def sees(self, place: str) -> bool:
        """Tell whether somebody may see a county, site or device; what has no place is for the whole city."""
        if not place:
            return self.is_whole
        if "-" not in place:
            return may(self.who, Action.VIEW, place) or county_of(self.who.site) == place
        return may(self.who, Action.VIEW, county_of(place), site_of(place))

    def of_all(self, shown: int, total: int) -> str:
        """Return how many are shown, where these are not all."""
        return self.eyes.say("of_sites").format(shown=f"{shown:,}", all=f"{total:,}") if shown < total else ""

    def forms(self, query: str = "") -> Markup:
        """Return links to the forms that are somebody's to use, for a place that a query names."""
        ways = ((Action.CLOSE, "closure", "file_closure"), (Action.PROPOSE, "dispute", "file_dispute"))
        links = [
            link(f"/file?kind={kind}{query}", self.eyes.say(key), "button")
            for action, kind, key in ways
            if action in TABLE[self.who.role]
        ]
        return H('<p class="actions">{}</p>').format(join(links)) if links else H("")

    @property
    def is_whole(self) -> bool:
        """Tell whether somebody sees the whole city."""
        return may(self.who, Action.VIEW)

    def sites(self, county: str = "") -> list[SiteNow]:
        """Return the sites that somebody sees, of a county or of all."""
        sites = self.picture.sites.values()
        return [one for one in sites if county in ("", one.site.county) and (self.is_whole or self.sees(one.site.id))]

    def devices(self) -> Iterator[tuple[Device, Site]]:
        """Yield the devices that somebody sees, with their sites."""
        for one in self.sites():
            for device in self.picture.places.get(one.site.id, ()):
                yield device, one.site

    def incidents(self) -> list[Incident]:
        """Return the open incidents that somebody sees, the newest first."""
        found = [one for one in self.picture.incidents if one.closed_ns is None and self.touches(one)]
        return sorted(found, key=lambda one: one.opened_ns, reverse=True)

    def ended(self) -> list[Incident]:
        """Return the incidents that ended lately that somebody sees, the last that ended first."""
        found = [one for one in self.picture.incidents if one.closed_ns is not None and self.touches(one)]
        return sorted(found, key=lambda one: one.closed_ns or 0, reverse=True)

    def touches(self, incident: Incident) -> bool:
        """Tell whether anything of an incident is within what somebody sees."""
        if self.is_whole:
            return True
        places = [incident.site or incident.county, *incident.devices]
        return any(self.sees(place) for place in places if place)

    def has_all(self, incident: Incident) -> bool:
        """Tell whether all of an incident is within what somebody sees: notes and contacts are of all its places."""
        places = incident.devices or (incident.site or incident.county,)
        return all(map(self.sees, places))

    def detail(self, site: str) -> SiteDetail:
        """Return what is known of a site beyond the picture."""
        return self.details.get(site, NOTHING)

    def county(self, code: str) -> str:
        """Return what a county is called."""
        return (COUNTIES if self.eyes.language == "zh" else _LATIN).get(code, code)

    def place(self, device: Device | str) -> Markup:
        """Return links to a device and its site, by the names that people have for them."""
        name = device if isinstance(device, str) else device.id
        known = self.picture.roster.devices.get(name)
        site = self.picture.roster.sites.get(site_of(name))
        label = (known.class_name if known else "") or name.rpartition(".")[2]
        if known is None or site is None:
            return H("{}").format(name)
        return join([site_link(site.id, site.name or site.id), H(" · "), device_link(name, label)])

    def fault(self, device: str, code: str) -> str:
        """Return what a fault of a device is called; its code where no profile says."""
        known, newest = self.picture.roster.devices.get(device), self.picture.newest.get(device, NOBODY)
        chinese, english = self.rest.fault_titles(newest.profile or (known.profile if known else ""), code)
        return chinese if self.eyes.language == "zh" else english

    def why(self, one: Incident) -> str:
        """Return the reason of an incident in words."""
        return (
            self.fault(one.devices[0], one.why) if one.kind == "fault" and one.devices else why_text(one.why, self.eyes)
        )

    def model(self, device: str) -> str:
        """Return what a device is: the title of its profile as it says, else the roster's; else the model it says."""
        newest = self.picture.newest.get(device, NOBODY)
        known = self.picture.roster.devices.get(device)
        profile = newest.profile or (known.profile if known else "")
        if not profile:
            return newest.model
        chinese, english = self.rest.profile_titles(profile)
        return chinese if self.eyes.language == "zh" else english
