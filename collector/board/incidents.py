"""Incidents: those that are open, those of the last days, and one of them with all that was done about it."""

from datetime import datetime

from markupsafe import Markup

from collector.board.draw import H, card, join, link, site_link, table
from collector.board.names import KINDS
from collector.board.view import Sections, View
from collector.watch.types import Incident
from contract.names import site_of

_MOST, _MOST_LISTED, _MOST_DEVICES = 20, 200, 60


def open_ones(view: View, found: list[Incident], most: int = _MOST) -> Markup:
    """Return open incidents, the newest first, as a card among others."""
    eyes = view.eyes
    heads = [eyes.say(key) for key in ("since_when", "place", "reason", "devices", "minutes_lost", "taken_on_by")]
    rows = [
        (
            _way(one, eyes.clock(one.since_ns)), where(view, one), view.why(one), f"{len(one.devices):,}",
            f"{one.minutes:,}", one.acknowledged_by or "–",
        )
        for one in found[:most]
    ]  # fmt: skip
    note = view.of_all(len(rows), len(found))
    body = table("incident-table", heads, rows, eyes.say("no_open_incidents"))
    return card("incidents", eyes.say("open_incidents"), body, note=note)


def listing(view: View) -> Sections:
    """Return the incidents that are open, and those that ended lately."""
    eyes = view.eyes
    found = view.incidents()
    keys = ("incident", "kind", "since_when", "place", "reason", "devices", "minutes_lost", "taken_on_by")
    heads = [eyes.say(key) for key in keys]
    rows = [_row(view, one, eyes.clock(one.since_ns)) for one in found[:_MOST_LISTED]]
    body = table("open-table", heads, rows, eyes.say("no_open_incidents"))
    ended = view.ended()
    past = [
        _row(view, one, f"{eyes.clock(one.since_ns)} – {eyes.clock(one.closed_ns or 0)}")
        for one in ended[:_MOST_LISTED]
    ]
    heads = [eyes.say("period") if head == eyes.say("since_when") else head for head in heads]
    return [
        ("open", card("open", eyes.say("open_incidents"), body, "wide", f"{len(found):,}")),
        ("ended", card("ended", eyes.say("ended_incidents"), table("ended-table", heads, past, eyes.say("none_ended")),
                       "wide", f"{len(ended):,}")),
    ]  # fmt: skip


def _row(view: View, one: Incident, when: str) -> tuple[object, ...]:
    return (
        _way(one, one.id), view.eyes.say(KINDS[one.kind]), when, where(view, one), view.why(one),
        f"{len(one.devices):,}", f"{one.minutes:,}", one.acknowledged_by or "–",
    )  # fmt: skip


def incident(view: View, one: Incident) -> Sections:
    """Return one incident; what of it is beyond somebody's scope is left out."""
    if not view.touches(one):
        return nothing(view)
    eyes = view.eyes
    facts = [
        ("place", where(view, one)),
        ("operator", one.operator),
        ("reason", view.why(one)),
        ("since_when", eyes.clock(one.since_ns)),
        ("until_when", eyes.say("goes_on") if one.closed_ns is None else eyes.clock(one.closed_ns)),
        ("minutes_lost", f"{one.minutes:,}"),
        ("taken_on_by", one.acknowledged_by or "–"),
        ("contact", _contact(view, one)),
    ]
    body = H('<dl class="facts">{}</dl>').format(
        join(H("<div><dt>{}</dt><dd>{}</dd></div>").format(eyes.say(key), value) for key, value in facts if value)
    )
    title = f"{eyes.say('incident')} {one.id} · {eyes.say(KINDS[one.kind])}"
    return [
        ("incident", card("incident", title, body, "wide")),
        ("notes", _notes(view, one)),
        ("devices", _devices(view, one)),
    ]


def nothing(view: View) -> Sections:
    """Return what is said instead of an incident that is not there, or not somebody's to see."""
    return [("nothing", H('<p class="empty big">{}</p>').format(view.eyes.say("no_such_incident")))]


def _contact(view: View, one: Incident) -> str:
    site = None if _is_of_many(one) else view.picture.roster.sites.get(one.site)
    return " ".join(filter(None, (site.contact, site.phone))) if site and view.has_all(one) else ""


def _notes(view: View, one: Incident) -> Markup:
    eyes = view.eyes
    has_all = view.has_all(one)
    rows = [(_instant(view, note.at_ns), note.by, note.text) for note in one.notes] if has_all else []
    heads = [eyes.say(key) for key in ("time", "who", "text")]
    empty = eyes.say("no_notes" if has_all else "notes_of_all")
    return card("notes", eyes.say("notes"), table("note-table", heads, rows, empty), "wide")


def _devices(view: View, one: Incident) -> Markup:
    seen = [device for device in one.devices if view.sees(device)]
    body = H('<ul class="places">{}</ul>').format(
        join(H("<li>{}</li>").format(view.place(device)) for device in seen[:_MOST_DEVICES])
    )
    note = view.of_all(min(len(seen), _MOST_DEVICES), len(one.devices)) or f"{len(one.devices):,}"
    return card("devices", view.eyes.say("devices"), body, "wide", note)


def where(view: View, one: Incident) -> object:
    """Return where an incident is: a site, a device, an operator and how many sites, or the centre itself."""
    if _is_of_many(one):
        return _many(view, one)
    site = view.picture.roster.sites.get(one.site) if view.sees(one.site) else None
    if len(one.devices) == 1:
        return view.place(one.devices[0])
    if site:
        return site_link(site.id, site.name or site.id)
    return one.operator or view.county(one.county) or view.eyes.say("the_centre")


def _is_of_many(one: Incident) -> bool:
    return one.kind == "operator" or (one.kind == "centre" and bool(one.devices))


def _many(view: View, one: Incident) -> str:
    """Return whose sites went together, and how many of them: none is it alone."""
    sites = view.eyes.say("told_sites").format(number=f"{len({site_of(device) for device in one.devices}):,}")
    return f"{one.operator} {sites}".strip()


def _way(one: Incident, text: str) -> Markup:
    return link(f"/incident/{one.id}", text)


def _instant(view: View, time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, view.eyes.zone).strftime("%Y-%m-%d %H:%M")
