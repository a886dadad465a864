"""From what the centre has to the rows of each list: cut to what whoever asks may see, in the order of their keys."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from collector.access.types import Who, without_others
from collector.api.answer import Item
from collector.api.asking import Takes, is_of_all
from collector.api.centre import Centre, Claimed, Closed, Heard, Missing, Place, Refused
from collector.verdicts import Kept, Verification, part_of
from collector.verify.results import Verdict
from collector.watch.types import Incident, Now
from contract.names import county_of, is_device, site_of

_PIECE = 500


def iso(time_ns: int, zone: ZoneInfo) -> str:
    """Return an instant as ISO 8601 with its offset, to the second."""
    return datetime.fromtimestamp(time_ns // 10**9, zone).isoformat()


# ---- status


def status(centre: Centre, takes: Takes, state: str | None, after: str, most: int) -> Iterator[Item]:
    """Yield devices with their states; no more than a page and one: when each was seen last is asked of the store."""
    places, live = centre.places(), centre.now()
    known = sorted(places.keys() | (live or {}).keys())
    wanted = (
        (device, place)
        for device in known
        if device > after
        and takes((place := places.get(device) or unregistered(device)).county, place.site)
        and (state is None or (live is not None and device in live and live[device].state == state))
    )
    some = list(islice(wanted, most + 1))
    seen = centre.last_seen([device for device, _ in some[:most]])
    for device, place in some:
        yield Item(device, _status(place, live.get(device) if live else None, seen.get(device), centre.zone))


def _status(place: Place, now: Now | None, seen_ns: int | None, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "device": place.device,
        "county": place.county,
        "site": place.site,
        "site_name": place.site_name,
        "class_name": place.class_name,
        "role": place.role,
        "registered": place.registered,
        "state": str(now.state) if now else None,
        "since": iso(now.since_ns, zone) if now and now.since_ns else None,
        "why": now.why if now else "",
        "incident": now.incident if now else "",
        "last_seen": None if seen_ns is None else iso(seen_ns, zone),
    }


def unregistered(device: str) -> Place:
    """Return the place of a device that is not in the roster."""
    return Place(device, site_of(device), county_of(device), registered=False, counts=False)


# ---- verdicts


def verdicts(found: Verification, target: str, takes: Takes, *, is_whole: bool) -> Iterator[Item]:
    """Yield targets in the order of the programme: of the whole city as they were found, else of a part of it."""
    for number, one in enumerate(_targets(found, target)):
        part = one if is_whole else part_of(one, lambda site: takes(county_of(site), site))
        if part:
            yield Item(f"{number:06}", _verdict(part, found))


def _targets(found: Verification, target: str) -> list[Kept]:
    chosen = [one for one in found.targets if target in ("", one.id)]
    if not chosen:
        raise Missing(f"target: {target} is not among those of {found.first} to {found.last}")
    return chosen


def _verdict(one: Kept, found: Verification) -> dict[str, Any]:
    return {
        "target": one.id,
        "title_zh": one.title["zh"],
        "title_en": one.title["en"],
        "project": one.project,
        "unit": one.unit,
        "evidence": one.evidence,
        "verdict": str(one.verdict),
        "why": one.why,
        "share": one.share,
        "at_least": one.at_least,
        "proven": one.count(Verdict.PASS),
        "failing": one.count(Verdict.FAIL),
        "unproven": one.count(Verdict.NOT_PROVEN),
        "total": len(one.units),
        "rate_low": one.rate.low if one.rate else None,
        "rate_high": one.rate.high if one.rate else None,
        "first": found.first.isoformat(),
        "last": found.last.isoformat(),
        "made_at": found.made_at,
        "source": found.source,
    }


def units(found: Verification, target: str, verdict: str | None, takes: Takes) -> Iterator[Item]:
    """Yield the units of targets."""
    for number, one in enumerate(_targets(found, target)):
        for unit in sorted(one.units, key=lambda unit: unit.id):
            county = county_of(unit.site)
            if takes(county, unit.site) and verdict in (None, unit.verdict):
                row = {
                    "target": one.id,
                    "unit": unit.id,
                    "title": unit.title,
                    "county": county,
                    "site": unit.site,
                    "verdict": str(unit.verdict),
                    "why": unit.why,
                    "rate_low": unit.rate.low if unit.rate else None,
                    "rate_high": unit.rate.high if unit.rate else None,
                    "minutes": dict(unit.minutes),
                    "figures": dict(unit.figures),
                }
                yield Item(f"{number:06} {unit.id}", row)


# ---- roster: what should exist, reports, is proven


def proven_of(found: Verification | None) -> Mapping[str, bool] | None:
    """Return of each unit that is a class or a device whether it passes every target that counts it."""
    if found is None:
        return None
    proven: dict[str, bool] = {}
    for target in found.targets:
        if target.unit in ("class", "device"):
            for unit in target.units:
                proven[unit.id] = proven.get(unit.id, True) and unit.verdict is Verdict.PASS
    return proven


def covered(centre: Centre, takes: Takes, found: Verification | None) -> Iterator[Item]:
    """Yield devices of the roster, and those that were heard and are not in it."""
    places, heard, proven = centre.places(), centre.heard(), proven_of(found)
    for device in sorted(places.keys() | heard.devices):
        place = places.get(device) or unregistered(device)
        if takes(place.county, place.site):
            row = {
                "device": device,
                "county": place.county,
                "site": place.site,
                "class_name": place.class_name,
                "role": place.role,
                "registered": place.registered,
                "counts": place.counts,
                "reporting": device in heard.devices,
                "proven": _is_proven(place, proven),
                "heard_since": iso(heard.since_ns, centre.zone),
            }
            yield Item(device, row)


def _is_proven(place: Place, proven: Mapping[str, bool] | None) -> bool | None:
    if proven is None:
        return None
    said = [proven[unit] for unit in {place.device, place.room} if unit in proven]
    return all(said) if said else None


def coverage(centre: Centre, takes: Takes, found: Verification | None, *, by_county: bool) -> Iterator[Item]:
    """Yield sites or counties with how many devices should exist, report and are proven."""
    places, heard, proven, names = centre.places(), centre.heard(), proven_of(found), centre.sites()
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for site in names:
        if takes(county_of(site), site):
            counts[county_of(site), "" if by_county else site]  # a site without devices is one, too
    for device in places.keys() | heard.devices:
        place = places.get(device) or unregistered(device)
        if not takes(place.county, place.site):
            continue
        count = counts[place.county, "" if by_county else place.site]
        count[0] += place.counts
        count[1] += place.counts and device in heard.devices
        count[2] += place.counts and bool(_is_proven(place, proven))
        count[3] += not place.registered
    for (county, site), count in sorted(counts.items()):
        yield Item(f"{county} {site}", _coverage(county, site, names, count, heard, centre.zone, proven is not None))


def _coverage(  # noqa: PLR0913, PLR0917  one column each
    county: str, site: str, names: Mapping[str, str], count: list[int], heard: Heard, zone: ZoneInfo, is_known: bool
) -> dict[str, Any]:
    return {
        "county": county,
        "site": site,
        "name": names.get(site, ""),
        "devices": count[0],
        "reporting": count[1],
        "proven": count[2] if is_known else None,
        "unregistered": count[3],
        "heard_since": iso(heard.since_ns, zone),
    }


# ---- incidents, disputes, quarantine, closings


def incidents(found: Iterable[Incident], takes: Takes, zone: ZoneInfo) -> Iterator[Item]:
    """Yield incidents, the newest first, each with those of its devices that may be seen."""
    for one in sorted(found, key=lambda one: (-one.opened_ns, one.id)):
        row = incident(one, takes, zone)
        if row:
            yield Item(f"{10**20 - one.opened_ns:021} {one.id}", row)


def incident(one: Incident, takes: Takes, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return an incident with those of its devices that may be seen; None where nothing of it may be."""
    devices = [device for device in one.devices if takes(county_of(device), site_of(device))]
    is_seen = takes(one.county, one.site)
    if not is_seen and not devices:
        return None
    return _incident(one, devices, zone, is_all=is_seen and len(devices) == len(one.devices))


def _incident(one: Incident, devices: list[str], zone: ZoneInfo, *, is_all: bool) -> dict[str, Any]:
    return {
        "incident": one.id,
        "began": iso(one.since_ns, zone),
        "opened": iso(one.opened_ns, zone),
        "closed": None if one.closed_ns is None else iso(one.closed_ns, zone),
        "kind": one.kind,
        "county": one.county if is_all else "",
        "site": one.site if is_all else "",
        "operator": one.operator,
        "why": one.why,
        "minutes": one.minutes,
        "devices": devices,
        "acknowledged_by": one.acknowledged_by,
        "notes": [f"{iso(note.at_ns, zone)} {note.by}: {note.text}" for note in one.notes] if is_all else [],
    }


def disputes(found: Iterable[Claimed], takes: Takes, who: Who, state: str | None) -> Iterator[Item]:
    """Yield disputes and closures by number; those of a county are seen at its sites, too."""
    for one in found:
        is_around = bool(who.site) and not one.site and one.county == county_of(who.site)
        if (takes(one.county, one.site) or is_around) and state in (None, one.tree["state"]):
            ((level, name),) = one.tree["scope"].items()
            shown = (
                "dispute",
                "kind",
                "state",
                "since",
                "until",
                "reason",
                "finding",
                "changes_verdicts",
                "stops_alerts",
            )
            row = {key: one.tree[key] for key in shown} | {
                "county": one.county,
                "site": one.site,
                "scope": f"{level} {name}",
                "events": one.tree["events"],
            }
            yield Item(f"{one.number:09}", row)


def quarantined(centre: Centre, takes: Takes, who: Who, after: str) -> Iterator[Item]:
    """Yield what was refused, the newest first, read in pieces."""
    before = 10**15 - int(after) if after.isdecimal() else None
    while some := centre.quarantined(_PIECE, before):
        for one in some:
            names = [name for name in (one.device, one.agent) if is_device(name)]
            if all(takes(county_of(name), site_of(name)) for name in names) and (names or is_of_all(who)):
                yield Item(f"{10**15 - one.number:016}", _refused(one, names, who, centre.zone))
        before = some[-1].number


def _refused(one: Refused, names: list[str], who: Who, zone: ZoneInfo) -> dict[str, Any]:
    site = site_of(names[0]) if names else ""
    return {
        "number": one.number,
        "received": iso(one.received_ns, zone),
        "county": county_of(site),
        "site": site,
        "device": one.device,
        "agent": one.agent,
        "line": one.line,
        "reason": one.reason,
        "detail": one.detail if is_of_all(who) else without_others(one.detail, who),
        "size": one.size,
    }


def closings(found: Iterable[Closed], *, with_files: bool) -> Iterator[Item]:
    """Yield what was closed, in order."""
    for number, one in enumerate(found):
        yield Item(f"{number:06}", one._asdict() | {"files": dict(one.files) if with_files else {}})
