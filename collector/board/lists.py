"""Pages that are lists: hotspots, rollout, what is to be checked, disputes and closures, what a search finds."""

from collections import Counter, defaultdict

from markupsafe import Markup

from collector.access.types import without_others
from collector.board.city import pager
from collector.board.draw import Eyes, H, badge, bar, card, device_link, join, link, site_link, state_name, table
from collector.board.looks import shape
from collector.board.model import NOBODY, SHOWN, Rollout, is_hotspot
from collector.board.names import WHYS
from collector.board.view import Sections, View
from collector.disputes.schema import Dispute, Happened, person
from collector.quarantine import Entry
from collector.verify.integrity import Finding
from collector.watch.types import State
from contract.names import county_of, is_device, site_of

STAGES = ("scan", "signal", "associate", "dhcp", "dns", "portal", "http")
_MOST = 200
_MOST_FOUND = 60


# ---- hotspots


def hotspots(view: View, page: int = 0, size: int = 50) -> Sections:
    """Return how hotspots are, at which stage journeys fail now, and a page of the hotspots, the worst first."""
    eyes = view.eyes
    some = [(device, site) for device, site in view.devices() if is_hotspot(device, site)]
    counts = Counter(view.picture.now[device.id].state for device, _ in some)
    stages: Counter[str] = Counter()
    for device, _ in some:
        for (kind, _target), one in view.picture.newest.get(device.id, NOBODY).probes.items():
            if kind == "wifi_join" and one.success is not None:
                stages["done" if one.success else one.stage] += 1
    ranked = sorted(some, key=lambda one: (_rank(view, one[0].id), one[0].id))
    listed = [
        (view.place(device), view.county(site.county), badge(view.picture.now[device.id], eyes))
        for device, site in ranked[page * size : (page + 1) * size]
    ]
    columns = [eyes.say(key) for key in ("hotspot", "scope_county", "state")]
    body = table("hotspot-table", columns, listed, eyes.say("nothing_here")) + pager(
        view, "/hotspots?", page, size, len(some)
    )
    return [
        ("states", card("states", eyes.say("hotspots"), bar(counts, eyes) + _named(counts, eyes), "",
                        f"{len(some):,}")),
        ("journey", _journey(stages, eyes)),
        ("list", card("list", eyes.say("worst_first"), body, "wide")),
    ]  # fmt: skip


def _named(counts: Counter[State], eyes: Eyes) -> Markup:
    """Return how many are in which state, a line each, which leads to their list."""
    return H('<ul class="legend">{}</ul>').format(
        join(
            H('<li class="s-{}">{}<span>{}</span><b>{:,}</b></li>').format(
                state, shape(state), state_name(state, eyes), counts.get(state, 0)
            )
            for state in SHOWN
        )
    )


def _journey(stages: Counter[str], eyes: Eyes) -> Markup:
    """Return the way into the network stage by stage: of those that came so far, how many passed, and who failed."""
    left = asked = sum(stages.values())
    rows = []
    for stage in STAGES:
        if stage == "signal" and not stages[stage]:
            continue
        failed = stages[stage]
        passed = left - failed
        rows.append((eyes.say(WHYS[stage]), _passed(passed, failed, asked), f"{passed:,}",
                     f"{failed:,}" + (f" ({_share(failed, asked)})" if failed else "")))  # fmt: skip
        left = passed
    heads = [eyes.say(key) for key in ("stage", "progress", "passed_here", "fail_here")]
    note = eyes.say("journeys_now").format(done=f"{stages['done']:,}", asked=f"{asked:,}")
    if not asked:
        return card("journey", eyes.say("journey_by_stage"), H('<p class="empty">{}</p>').format(eyes.say("no_probes")))
    key = H('<p class="key">{}</p>').format(eyes.say("journey_key"))
    return card("journey", eyes.say("journey_by_stage"), table("journey-table", heads, rows) + key, note=note)


def _passed(passed: int, failed: int, asked: int) -> Markup:
    pieces = [(State.WORKING, passed), (State.FAILING, failed)]
    return H('<div class="bar" aria-hidden="true">{}</div>').format(
        join(H('<i class="f-{}" style="width:{}%"></i>').format(state, round(100 * number / asked, 3))
             for state, number in pieces if number)
    )  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


_ORDER = (State.OFFLINE, State.FAILING, State.SILENT, State.UNKNOWN, State.OFF, State.QUIET, State.WORKING)


def _rank(view: View, device: str) -> int:
    return _ORDER.index(view.picture.now[device].state)


# ---- rollout


def rollout(view: View, county: str = "") -> Sections:
    """Return how far devices have come, by county, or by site of one."""
    eyes = view.eyes
    groups: dict[str, Rollout] = defaultdict(Rollout)
    whole = Rollout()
    for one in view.sites(county):
        found = view.picture.rollout.get(one.site.id, Rollout())
        key = one.site.id if county else one.site.county
        groups[key] = groups[key].plus(found)
        whole = whole.plus(found)
    steps = ("on_roster", "installed", "reporting_now", "proven_week")
    heads = [eyes.say("site" if county else "scope_county"), *(eyes.say(step) for step in steps), eyes.say("progress")]
    rows = [(_name(view, key, county), *_cells(one), _funnel(one)) for key, one in sorted(groups.items())]
    figures = join(
        H('<div class="figure"><b>{:,}</b><span>{}</span></div>').format(number, eyes.say(step))
        for step, number in zip(steps, whole, strict=True)
    )
    title = f"{eyes.say('rollout')} {view.county(county)}".strip() if county else eyes.say("rollout")
    return [
        ("whole", card("whole", title, H('<div class="figures">{}</div><p class="said">{}</p>').format(
            figures, eyes.say("rollout_means")), "wide")),
        ("groups", card("groups", eyes.say("sites" if county else "by_county"), table("rollout-table", heads, rows),
                        "wide")),
    ]  # fmt: skip


def _name(view: View, key: str, county: str) -> Markup:
    if not county:
        return link(f"/rollout?county={key}", view.county(key))
    return site_link(key, view.picture.roster.sites[key].name or key)


def _cells(one: Rollout) -> list[str]:
    return [f"{one.roster:,}", *(f"{number:,} ({_share(number, one.roster)})" for number in one[1:])]


def _funnel(one: Rollout) -> Markup:
    widths = [round(100 * number / one.roster, 1) if one.roster else 0 for number in one]
    return H('<div class="bar funnel" aria-hidden="true">{}</div>').format(
        join(H('<i class="step{}" style="width:{}%"></i>').format(*one) for one in enumerate(widths))
    )


# ---- what somebody should look at


def check(view: View) -> Sections:
    """Return findings, devices that the roster does not have, and what was refused."""
    return [
        ("findings", _findings(view)),
        ("unregistered", _unregistered(view)),
        ("quarantine", _quarantine(view)),
    ]


def _findings(view: View) -> Markup:
    eyes = view.eyes
    found = [one for one in view.rest.findings if any(view.sees(device) for device in one.devices)]
    rows = [
        (eyes.say(f"finding_{one.kind}"), join(_devices_of(view, one)), eyes.clock(one.since_ns),
         eyes.clock(one.until_ns) if one.until_ns else eyes.say("goes_on"),
         eyes.say("not_counted") if one.doubted else eyes.say("info"),
         ", ".join(one.seen[:4]) if all(map(view.sees, one.devices)) else "–")
        for one in sorted(found, key=lambda one: one.since_ns, reverse=True)[:_MOST]
    ]  # fmt: skip
    heads = [eyes.say(key) for key in ("what", "devices", "since_when", "until_when", "meanwhile", "seen_there")]
    body = table("finding-table", heads, rows, eyes.say("no_findings"))
    return card("findings", eyes.say("to_check"), body, "wide", f"{len(found):,}")


def _devices_of(view: View, one: Finding) -> list[Markup]:
    seen = [device for device in one.devices if view.sees(device)][:4]
    pieces = [H("<div>{}</div>").format(view.place(device)) for device in seen]
    return [*pieces, H("<div>… {}</div>").format(len(one.devices))] if len(one.devices) > len(seen) else pieces


def _unregistered(view: View) -> Markup:
    eyes = view.eyes
    found = [one for one in view.picture.unregistered if view.is_whole or view.sees(one[0])]
    found.sort(key=lambda one: -one[1])
    rows = [
        (device_link(name, name), view.county(county_of(name)), view.model(name), eyes.clock(heard_ns))
        for name, heard_ns in found[:_MOST]
    ]
    heads = [eyes.say(key) for key in ("device", "scope_county", "model", "last_seen")]
    body = H('<p class="said">{}</p>{}').format(
        eyes.say("unregistered_means"), table("unregistered-table", heads, rows, eyes.say("nothing_here"))
    )
    return card("unregistered", eyes.say("unregistered"), body, "wide", f"{len(found):,}")


def _quarantine(view: View) -> Markup:
    eyes = view.eyes
    found = [one for one in view.rest.quarantined if _is_theirs(view, one)]
    rows = [
        (
            eyes.clock(one.received_ns), one.device or one.agent, one.reason,
            one.detail if view.is_whole else without_others(one.detail, view.who),
            _content(one) if view.is_whole else "–",
        )
        for one in found
    ]  # fmt: skip
    heads = [eyes.say(key) for key in ("time", "device", "reason", "detail", "content")]
    body = table("quarantine-table", heads, rows[:_MOST], eyes.say("nothing_quarantined"))
    note = f"{view.rest.quarantined_ever:,}" if view.is_whole else ""
    return card("quarantine", eyes.say("quarantine_title"), body, "wide", note)


def _is_theirs(view: View, entry: Entry) -> bool:
    """Tell whether all that an entry names is somebody's to see; what names nothing is for the whole city."""
    names = [name for name in (entry.device, entry.agent) if is_device(name)]
    return all(map(view.sees, names)) if names else view.is_whole


def _content(entry: Entry) -> Markup:
    return H("<code>{}</code>").format(entry.content[:120].decode(errors="backslashreplace"))


def nothing(view: View) -> Sections:
    """Return what is said instead of something that is not there."""
    return [("nothing", H('<p class="empty big">{}</p>').format(view.eyes.say("no_such_place")))]


# ---- disputes and closures


def disputes(view: View) -> Sections:
    """Return the disputes and closures, those that wait for a decision first."""
    eyes = view.eyes
    found = [one for one in view.rest.disputes if view.sees(one.claim.scope.id.partition("/")[0])]
    found.sort(key=lambda one: (one.state is not Happened.PROPOSED, -one.number))
    rows = [
        (
            link(f"/dispute/{one.number}", f"{one.number}"), eyes.say(one.claim.kind), _scope(view, one),
            period(view, one), eyes.say(f"reason_{one.claim.reason.replace('-', '_')}"), one.proposed.by,
            eyes.say(f"state_{one.state}"),
        )
        for one in found[:_MOST]
    ]  # fmt: skip
    heads = [eyes.say(key) for key in ("number", "kind", "place", "period", "reason", "proposed_by", "state")]
    body = table("dispute-table", heads, rows, eyes.say("no_disputes"))
    return [
        (
            "disputes",
            card("disputes", eyes.say("disputes_and_closures"), view.forms() + body, "wide", f"{len(found):,}"),
        )
    ]


def _scope(view: View, one: Dispute) -> Markup:
    level, name = one.claim.scope
    if level == "county":
        return link(f"/county/{name}", view.county(name))
    if level == "site":
        known = view.picture.roster.sites.get(name)
        return site_link(name, known.name if known and known.name else name)
    return view.place(name) if level == "device" else site_link(site_of(name).partition("/")[0], name)


def period(view: View, one: Dispute) -> str:
    """Return the period of a dispute in the programme's zone."""
    start, end = (moment.astimezone(view.eyes.zone) for moment in (one.claim.since, one.claim.until))
    return f"{start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}"


def dispute(view: View, number: int) -> Sections:
    """Return one dispute with all that happened to it."""
    one = next((one for one in view.rest.disputes if one.number == number), None)
    if one is None or not view.sees(one.claim.scope.id.partition("/")[0]):
        return nothing(view)
    eyes = view.eyes
    heads = [eyes.say(key) for key in ("time", "state", "who", "text")]
    rows = [
        (f"{entry.at.astimezone(eyes.zone):%Y-%m-%d %H:%M}", eyes.say(f"state_{entry.happened}"), entry.by,
         entry.text)
        for entry in one.entries
    ]  # fmt: skip
    facts = H('<p class="said">{} · {} · {}</p>').format(
        _scope(view, one), period(view, one), eyes.say(f"reason_{one.claim.reason.replace('-', '_')}")
    )
    title = f"{eyes.say(one.claim.kind)} {number}: {eyes.say(f'state_{one.state}')}"
    return [("dispute", card("dispute", title, facts + table("history-table", heads, rows), "wide"))]


# ---- search


def search(view: View, text: str) -> Sections:
    """Return sites, rooms and devices whose name or id has a text in it."""
    eyes = view.eyes
    wanted = person(text)
    if not wanted:
        return [("found", card("found", eyes.say("search"), H('<p class="empty">{}</p>').format(
            eyes.say("search_what")), "wide"))]  # fmt: skip
    rows = []
    for one in view.sites():
        if wanted in person(one.site.name) or wanted in one.site.id:
            rows.append((site_link(one.site.id, one.site.name or one.site.id), view.county(one.site.county),
                         bar(one.counts, eyes), one.site.id))  # fmt: skip
        if len(rows) >= _MOST_FOUND:
            break
    for device, site in view.devices() if len(rows) < _MOST_FOUND else ():
        names = person(f"{site.name}{device.class_name}")
        is_named = wanted in person(device.class_name) or (wanted in names and wanted not in person(site.name))
        if is_named or wanted in device.id.rpartition(".")[2] or wanted == device.id:
            rows.append((view.place(device), view.county(site.county),
                         badge(view.picture.now[device.id], eyes, is_long=False), device.id))  # fmt: skip
        if len(rows) >= _MOST_FOUND:
            break
    heads = [eyes.say(key) for key in ("place", "scope_county", "state", "id")]
    note = eyes.say("first_ones").format(number=_MOST_FOUND) if len(rows) >= _MOST_FOUND else f"{len(rows):,}"
    body = table("found-table", heads, rows, eyes.say("found_nothing"))
    return [("found", card("found", f"{eyes.say('search')}: {text}", body, "wide", note))]
