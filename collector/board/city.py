"""The first page: the whole city, or one county of it."""

from collections import defaultdict
from collections.abc import Iterable

from markupsafe import Markup

from collector.board.draw import H, badge, bar, card, join, link, numbers, site_link, state_name, table
from collector.board.incidents import open_ones
from collector.board.looks import shape
from collector.board.model import SHOWN, Rollout, SiteNow, is_hotspot
from collector.board.view import Sections, View
from collector.watch.types import Incident, State
from contract.names import county_of

_WORST = _MOST = 6  # a wall shows them all without a hand


def city(view: View, county: str = "", page: int = 0) -> Sections:
    """Return the pieces of the page."""
    if county and not view.sees(county):
        return [("nothing", H('<p class="empty big">{}</p>').format(view.eyes.say("beyond_your_scope")))]
    sites = view.sites(county)
    pieces = [("states", _states(view, sites, county))]
    if not view.picture.roster.devices:
        pieces.append(("empty", H('<p class="empty big">{}</p>').format(view.eyes.say("no_roster_yet"))))
    if not county:
        pieces.append(("counties", _counties(view, sites)))
    return [
        *pieces,
        ("worst", _worst(view, sites)),
        ("incidents", open_ones(view, _of(view, county)) if county else open_ones(view, _of(view, county), _MOST)),
        ("more", _more(view, sites, county)),
        *([("all", _all_sites(view, sites, county, page))] if county else []),
    ]


def _of(view: View, county: str) -> list[Incident]:
    """Return the open incidents, of a county those that any of its devices is part of."""
    return [
        one
        for one in view.incidents()
        if county in ("", one.county) or any(county_of(device) == county for device in one.devices)
    ]


def _whole(view: View) -> str:
    """Return what all that somebody sees is called."""
    site, county = view.who.site, view.who.county
    if site:
        known = view.picture.roster.sites.get(site)
        return known.name if known and known.name else site
    return view.county(county) if county else view.eyes.say("city")


def _states(view: View, sites: list[SiteNow], county: str) -> Markup:
    """Return how many devices are in which state, as large as a wall needs it; each leads to its list."""
    eyes = view.eyes
    counts = view.picture.counts(sites)
    where = f"&county={county}" if county else ""
    tiles = [
        H('<a class="tile s-{}" id="count-{}" href="/devices?state={}{}">{}<b>{:,}</b><span>{}</span></a>').format(
            state, state, state, where, shape(state), counts.get(state, 0), state_name(state, eyes)
        )
        for state in SHOWN
    ]
    total = sum(counts.values())
    title = view.county(county) if county else _whole(view)
    note = eyes.say("devices_total").format(devices=f"{total:,}", sites=f"{len(sites):,}")
    kinds = _kinds(view, sites)
    return card("states", title, H('<div class="tiles">{}</div>{}').format(join(tiles), kinds), "wide", note)


def _kinds(view: View, sites: list[SiteNow]) -> Markup:
    """Return schools and hotspots apart: what is off in a school is no trouble, a hotspot that is off is."""
    eyes = view.eyes
    rows = []
    for key, wanted in (("schools", False), ("hotspots", True)):
        some = [one for one in sites if _is_public(view, one) is wanted]
        if some:
            counts = view.picture.counts(some)
            rows.append((eyes.say(key), bar(counts, eyes), numbers(counts, eyes)))
    return H('<div class="kinds">{}</div>').format(
        join(H('<div class="kind"><span>{}</span>{}{}</div>').format(*row) for row in rows)
    )


def _is_public(view: View, one: SiteNow) -> bool:
    devices = view.picture.places.get(one.site.id, ())
    return bool(devices) and is_hotspot(devices[0], one.site)


def _counties(view: View, sites: list[SiteNow]) -> Markup:
    eyes = view.eyes
    found: dict[str, list[SiteNow]] = defaultdict(list)
    for one in sites:
        found[one.site.county].append(one)
    rows = []
    for code, some in sorted(found.items()):
        counts = view.picture.counts(some)
        name = link(f"/county/{code}", view.county(code))
        rows.append((name, f"{len(some):,}", f"{sum(counts.values()):,}", bar(counts, eyes), numbers(counts, eyes)))
    heads = [eyes.say(key) for key in ("scope_county", "sites", "devices", "states", "numbers")]
    return card("counties", eyes.say("by_county"), table("county-table", heads, rows))


def _worst(view: View, sites: list[SiteNow]) -> Markup:
    """Return the sites with the largest share of devices that need a look."""
    eyes = view.eyes
    some = [one for one in sites if one.trouble and one.total]
    some.sort(key=lambda one: (-one.trouble / one.total, -one.trouble, one.site.id))
    heads = [eyes.say(key) for key in ("site", "scope_county", "to_look_at", "states", "longest")]
    rows = [
        (
            site_link(one.site.id, one.site.name or one.site.id),
            view.county(one.site.county),
            f"{one.trouble} / {one.total}",
            bar(one.counts, eyes),
            eyes.ago(one.since_ns) if one.since_ns else "",
        )
        for one in some[:_WORST]
    ]
    note = view.of_all(len(rows), len(some))
    return card("worst", eyes.say("worst_sites"), table("worst-table", heads, rows, eyes.say("nothing_to_look_at")),
                note=note)  # fmt: skip


def _more(view: View, sites: list[SiteNow], county: str) -> Markup:
    """Return what else waits for somebody, each a number that leads to its page; all that is known to be a county's."""
    eyes, rest = view.eyes, view.rest

    def counted(devices: Iterable[str]) -> bool:
        return any(county in ("", county_of(device)) and view.sees(device) for device in devices)

    rollout = Rollout()
    for one in sites:
        rollout = rollout.plus(view.picture.rollout.get(one.site.id, Rollout()))
    waiting = [one for one in rest.disputes if one.state == "proposed" and counted([one.claim.scope.id])]
    findings = [one for one in rest.findings if counted(one.devices)]
    unregistered = [name for name, _ in view.picture.unregistered if counted([name])]
    figures = [
        ("/rollout", "rollout", f"{rollout.proven:,} / {rollout.roster:,}"),
        ("/check#findings", "to_check", f"{len(findings):,}"),
        ("/check#unregistered", "unregistered", f"{len(unregistered):,}"),
        *([] if county else [("/check#quarantine", "quarantine_title", f"{rest.quarantined_ever:,}")]),
        ("/disputes", "disputes_waiting", f"{len(waiting):,}"),
    ]
    body = join(
        H('<a class="figure" href="{}"><b>{}</b><span>{}</span></a>').format(address, number, eyes.say(key))
        for address, key, number in figures
    )
    return card("more", eyes.say("what_else"), H('<div class="figures">{}</div>').format(body), "wide")


def _all_sites(view: View, sites: list[SiteNow], county: str, page: int, size: int = 50) -> Markup:
    """Return the sites of a county, a page of them."""
    eyes = view.eyes
    heads = [eyes.say(key) for key in ("site", "devices", "states", "numbers")]
    ranked = sorted(sites, key=lambda one: one.site.id)
    rows = [
        (site_link(one.site.id, one.site.name or one.site.id), one.total, bar(one.counts, eyes),
         numbers(one.counts, eyes))
        for one in ranked[page * size : (page + 1) * size]
    ]  # fmt: skip
    body = table("site-table", heads, rows) + pager(view, f"/county/{county}?", page, size, len(sites))
    return card("all", eyes.say("sites"), body, "wide", f"{len(sites):,}")


def devices(view: View, state: str, county: str, page: int, size: int = 50) -> Sections:
    """Return the devices in a state, or all for "", a page of them."""
    eyes = view.eyes
    if state and state not in SHOWN:
        said = H('<p class="empty big">{}</p>').format(eyes.say("no_such_state").format(state=state))
        return [("devices", card("devices", eyes.say("devices"), said, "wide"))]
    wanted = [
        (view.picture.now[device.id], device)
        for device, site in view.devices()
        if county in ("", site.county) and state in ("", view.picture.now[device.id].state)
    ]
    wanted.sort(key=lambda one: (one[0].since_ns or 1 << 62, one[1].id))
    heads = [eyes.say(key) for key in ("place", "scope_county", "state", "model")]
    rows = [
        (view.place(device), view.county(device.site.partition("-")[0]), badge(now, eyes), view.model(device.id))
        for now, device in wanted[page * size : (page + 1) * size]
    ]
    title = state_name(State(state), eyes) if state else eyes.say("devices")
    way = H("{}{}").format(
        table("device-table", heads, rows, eyes.say("nobody_in_state")),
        pager(view, f"/devices?state={state}&county={county}", page, size, len(wanted)),
    )
    return [("devices", card("devices", title, way, "wide", f"{len(wanted):,}"))]


def pager(view: View, address: str, page: int, size: int, total: int) -> Markup:
    """Return links to the pages before and after."""
    last = max(0, (total - 1) // size)
    if not last:
        return H("")
    pieces = []
    if page > 0:
        pieces.append(link(f"{address}&page={page - 1}", f"‹ {view.eyes.say('before')}", "button"))
    pieces.append(H("<span>{} / {}</span>").format(page + 1, last + 1))
    if page < last:
        pieces.append(link(f"{address}&page={page + 1}", f"{view.eyes.say('behind_this')} ›", "button"))
    return H('<p class="pager">{}</p>').format(join(pieces))
