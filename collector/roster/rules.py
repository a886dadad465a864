"""What sites and devices must be to each other: rules over the whole roster, each with the row that breaks it."""

from collections.abc import Iterable, Iterator, Mapping

from collector.roster.findings import Finding, Known, Where
from collector.roster.schema import Device, Reach, Roster
from contract.meant import did_you_mean
from contract.names import site_of

Places = Mapping[str, Where]
_MOST_HINTS = 100


class _Hints:
    """
    Says what was meant, for the first hundred of what is unknown.

    Comparing each of 22,000 devices with every site, when a column is wrong from top to bottom, would take minutes.
    """

    def __init__(self, roster: Roster) -> None:
        self._said: dict[str, str] = {}
        self.sites = tuple(roster.sites)
        self._devices: dict[str, list[str]] = {}
        for device in roster.devices:
            self._devices.setdefault(site_of(device), []).append(device)

    def of(self, wrong: str, known: Iterable[str]) -> str:
        """Return what was meant of what is known, or nothing."""
        if wrong not in self._said and len(self._said) < _MOST_HINTS:
            self._said[wrong] = did_you_mean(wrong, known)
        return self._said.get(wrong, "")

    def of_device(self, wrong: str) -> str:
        """Return which device of the same site was meant."""
        return self.of(wrong, self._devices.get(site_of(wrong), ()))


def check(roster: Roster, sites: Places, devices: Places, known: Known) -> Iterator[Finding]:
    """Yield what is wrong; `sites` and `devices` say where each stands."""
    hints = _Hints(roster)
    yield from _sites(roster, sites, known)
    for device in roster.devices.values():
        where = devices[device.id]
        if device.site not in roster.sites:
            hint = hints.of(device.site, hints.sites)
            yield where.finding("device", f"there is no site {device.site}{hint}")
        if device.profile and known.profiles is not None and device.profile not in known.profiles:
            hint = hints.of(device.profile, known.profiles) or "; `santong profiles list` names them"
            yield where.finding("profile", f"there is no profile {device.profile}{hint}")
        yield from _dates(device, where)
        yield from _agent(device, roster.devices, where, hints)
        yield from _successor(device, roster.devices, where, hints)
    yield from _circles(roster.devices, devices)
    yield from _rooms(roster.devices.values(), devices)
    yield from _hosts(roster.devices.values(), devices)


def _sites(roster: Roster, places: Places, known: Known) -> Iterator[Finding]:
    unknown: set[str] = set()
    for site in roster.sites.values():
        where = places.get(site.id)
        if where is None:
            continue
        if site.county not in known.counties and site.county not in unknown:
            unknown.add(site.county)
            hint = did_you_mean(site.county, known.counties)
            yield where.finding("site", f"the county {site.county} is not known{hint}", is_warning=True)
        if site.calendar and known.calendars is not None and site.calendar not in known.calendars:
            hint = did_you_mean(site.calendar, known.calendars)
            yield where.finding("calendar", f"there is no calendar {site.calendar}{hint}")


def _dates(device: Device, where: Where) -> Iterator[Finding]:
    first, last, commissioned = device.valid_from, device.valid_to, device.commissioned_on
    if first and last and last < first:
        yield where.finding("valid_to", f"{last} is before valid_from {first}")
    elif commissioned and first and commissioned < first:
        yield where.finding("commissioned_on", f"{commissioned} is before valid_from {first}")
    elif commissioned and last and commissioned > last:
        yield where.finding("commissioned_on", f"{commissioned} is after valid_to {last}")


def _agent(device: Device, devices: Mapping[str, Device], where: Where, hints: _Hints) -> Iterator[Finding]:
    name = device.agent
    if not name or name == device.id:
        return
    if site_of(name) != device.site:
        yield where.finding("agent", f"{name} is on another site: an agent speaks for devices of its own")
    elif name not in devices:
        yield where.finding("agent", f"there is no device {name}{hints.of_device(name)}")
    elif devices[name].speaker != name:
        message = f"{devices[name].speaker} speaks for {name}, which then speaks for nobody"
        yield where.finding("agent", message, is_warning=True)
    elif (end := devices[name].valid_to) and (device.valid_to is None or device.valid_to > end):
        yield where.finding(
            "agent", f"{name} ends on {end}, before the device: nobody speaks for it then", is_warning=True
        )


def _successor(device: Device, devices: Mapping[str, Device], where: Where, hints: _Hints) -> Iterator[Finding]:
    name = device.successor
    if not name:
        return
    if site_of(name) != device.site:
        yield where.finding("successor", f"{name} is on another site: a move is an end there and a beginning here")
    elif name not in devices:
        yield where.finding("successor", f"there is no device {name}{hints.of_device(name)}")
    elif device.valid_to is None and name != device.id:
        yield where.finding("successor", "the device has no valid_to: both count from then on", is_warning=True)


def _circles(devices: Mapping[str, Device], places: Places) -> Iterator[Finding]:
    """Yield each circle of successors once, at the first of its devices."""
    done: set[str] = set()
    for start in devices:
        way: list[str] = []
        at = start
        while at in devices and at not in done:
            done.add(at)
            way.append(at)
            at = devices[at].successor
        if at in way:
            circle = way[way.index(at) :]
            message = f"goes round in a circle: {' → '.join([*circle, at])}"
            yield places[at].finding("successor", message)


def _rooms(devices: Iterable[Device], places: Places) -> Iterator[Finding]:
    """Yield devices whose room another one, at the same time, calls by another class name."""
    rooms: dict[str, list[Device]] = {}
    for device in devices:
        if not device.class_name:
            continue
        others = rooms.setdefault(device.room, [])
        for other in others:
            if other.class_name != device.class_name and _meet(device, other):
                there = places[other.id]
                message = f"{device.class_name} contradicts {other.class_name} of {other.id}, {there}: the same room"
                yield places[device.id].finding("class_name", message)
                break
        else:
            others.append(device)


def _hosts(devices: Iterable[Device], places: Places) -> Iterator[Finding]:
    """Yield hosts that are another agent's at the same time, that nobody asks for, and that are missing."""
    owners: dict[str, list[Device]] = {}
    for device in devices:
        where = places[device.id]
        if device.reach == Reach.SSH and not device.host:
            yield where.finding("reach", "ssh, and there is no host to reach it at")
        if not device.host:
            continue
        if device.speaker != device.id:
            message = f"{device.speaker} speaks for the device: nothing of ours runs on it to be reached"
            yield where.finding("host", message, is_warning=True)
            continue
        others = owners.setdefault(device.host, [])
        if other := next((other for other in others if _meet(device, other)), None):
            message = f"{device.host} is the host of {other.id}, {places[other.id]}, too: one agent runs on a machine"
            yield where.finding("host", message)
        others.append(device)


def _meet(one: Device, other: Device) -> bool:
    """Tell whether there is a day on which both exist."""
    begins = [device.valid_from for device in (one, other) if device.valid_from]
    ends = [device.valid_to for device in (one, other) if device.valid_to]
    return not begins or not ends or max(begins) <= min(ends)
