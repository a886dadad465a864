"""A site: its rooms as a grid, its uplink, what its line carries; and one device of it, with all that is known."""

from collections import Counter
from collections.abc import Iterable

from markupsafe import Markup

from collector.board.draw import (
    Eyes,
    H,
    badge,
    card,
    device_link,
    join,
    key_of_causes,
    link,
    minutes_in_words,
    numbers,
    probe_name,
    site_link,
    strip,
    table,
    throughput,
    week,
    why_text,
)
from collector.board.incidents import open_ones
from collector.board.looks import shape
from collector.board.model import NOBODY, Rooms, rooms_of
from collector.board.names import UPLINKS, WHYS
from collector.board.newest import Newest, Outcome
from collector.board.state import FRESH_NS
from collector.board.view import Sections, View
from collector.roster.schema import Device, Site
from collector.stages import stage_as_reason
from collector.watch.types import Incident, State

STAGES = ("scan", "signal", "associate", "dhcp", "dns", "portal", "http")


def site(view: View, name: str) -> Sections:
    """Return the pieces of a site's page."""
    found = view.picture.roster.sites.get(name)
    if found is None or not view.sees(name):
        return [("nothing", _nothing(view))]
    rooms = rooms_of(view.picture, name)
    return [
        ("head", _head(view, found, rooms)),
        ("rooms", _rooms(view, found, rooms)),
        ("uplink", _uplink(view, found)),
        ("throughput", _throughput(view, found)),
        *_incidents(view, [one for one in view.incidents() if _is_about(one.devices, one.site, name)]),
    ]


def _is_about(devices: Iterable[str], where: str, site: str) -> bool:
    return where == site or any(device.startswith(f"{site}.") for device in devices)


def _incidents(view: View, found: list[Incident]) -> Sections:
    return [("incidents", open_ones(view, found))] if found else []


def _nothing(view: View) -> Markup:
    return H('<p class="empty big">{}</p>').format(view.eyes.say("no_such_place"))


def _facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    return H('<dl class="facts">{}</dl>').format(
        join(H("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value) for name, value in pairs if value)
    )


def _head(view: View, site: Site, rooms: list[Rooms]) -> Markup:
    eyes = view.eyes
    schedule = view.detail(site.id).schedule
    hours = ", ".join(f"{eyes.clock(one.start_ns)}–{_end(one.end_ns, eyes)}" for one in schedule.service[:4]) \
        if schedule else ""  # fmt: skip
    kind = eyes.say(f"day_{schedule.kind}") if schedule else ""
    title = (schedule.title if eyes.language == "zh" else schedule.title_en) if schedule else ""
    counts = Counter(room.now.state for room in rooms)
    facts = _facts((
        (eyes.say("scope_county"), link(f"/county/{site.county}", view.county(site.county))),
        (eyes.say("site_id"), site.id),
        (eyes.say("operator"), site.operator),
        (eyes.say("contract"), f"{site.contracted_mbps:g} Mbit/s" if site.contracted_mbps else ""),
        (eyes.say("contact"), " ".join(filter(None, (site.contact, site.phone)))),
        (eyes.say("address"), site.address),
        (eyes.say("today"), " · ".join(filter(None, (kind, title)))),
        (eyes.say("service_hours"), hours or eyes.say("none_today")),
    ))  # fmt: skip
    actions = view.forms(f"&site={site.id}")
    return card("head", site.name or site.id, H("{}{}{}").format(numbers(counts, eyes), facts, actions), "wide")


def _end(time_ns: int, eyes: Eyes) -> str:
    text = eyes.clock(time_ns)
    return "24:00" if text.endswith(" 00:00") else text


def _rooms(view: View, site: Site, rooms: list[Rooms]) -> Markup:
    detail = view.detail(site.id)
    tiles = []
    for room in rooms:
        worst = next((one for one in room.devices if view.picture.now[one.id] == room.now), room.devices[0])
        tiles.append(
            H('<a class="room s-{}" id="room-{}" href="/device/{}"><h3>{}</h3>{}{}<small>{}</small></a>').format(
                room.now.state, worst.id.replace(".", "-"), worst.id, room.name, badge(room.now, view.eyes),
                strip(detail.today.get(worst.id), view.eyes, "thin"), _who(view, room),
            )
        )  # fmt: skip
    body = H('<div class="grid">{}</div>{}').format(join(tiles), key_of_causes(view.eyes))
    if detail.flaw:
        body = H('<p class="trouble">{}</p>{}').format(detail.flaw, body)
    note = view.eyes.say("strips_are_today")
    return card("rooms", view.eyes.say("rooms"), body, "wide", note)


def _who(view: View, room: Rooms) -> str:
    """Return what hangs in a room: places and models."""
    return ", ".join(f"{one.id.rpartition('.')[2]} {view.model(one.id)}".strip() for one in room.devices)


def _uplink(view: View, site: Site) -> Markup:
    """Return whether the site's devices reach the Internet now, as most of those say that were just heard."""
    eyes = view.eyes
    fresh = [
        newest
        for device in view.picture.places.get(site.id, ())
        if (newest := view.picture.newest.get(device.id)) and eyes.now_ns - newest.presence_ns < FRESH_NS
    ]
    reach = sum(1 for one in fresh if one.wan == 1)
    gateway = sum(1 for one in fresh if one.lan == 1)
    rows = [
        (eyes.say("devices_heard"), f"{len(fresh)}"),
        (eyes.say("reach_gateway"), f"{gateway} / {len(fresh)}"),
        (eyes.say("reach_internet"), f"{reach} / {len(fresh)}"),
    ]
    state, why = State.UNKNOWN, "not_heard"
    if fresh:
        state, why = (State.WORKING, "") if reach * 2 >= len(fresh) else (State.FAILING, "wan_down")
    said = H('<p class="uplink s-{}">{} <b>{}</b></p>').format(state, shape(state), eyes.say(UPLINKS[state]))
    return card("uplink", eyes.say("uplink"), said + _facts(rows), note=why_text(why, eyes) if fresh else "")


def _throughput(view: View, site: Site, device: str = "") -> Markup:
    tests = [one for one in view.detail(site.id).tests if device in ("", one.device)]
    title = view.eyes.say("throughput_month")
    return card("throughput", title, throughput(tests, site.contracted_mbps, view.eyes))


# ---- one device


def device(view: View, name: str) -> Sections:
    """Return the pieces of a device's page."""
    known = view.picture.roster.devices.get(name)
    now = view.picture.now.get(name)
    if not view.sees(name) or (known is None and name not in view.picture.newest):
        return [("nothing", _nothing(view))]
    newest = view.picture.newest.get(name, NOBODY)
    if known is None or now is None:
        return [
            ("head", _unregistered(view, name, newest)),
            ("probes", _probes(view, newest)),
        ]
    at = view.picture.roster.sites[known.site]
    detail = view.detail(known.site)
    eyes = view.eyes
    today = detail.today.get(name)
    hours = H('{}<p class="said">{}</p>{}').format(strip(today, eyes), minutes_in_words(today, eyes),
                                                   key_of_causes(eyes))  # fmt: skip
    return [
        ("head", _device_head(view, known, at, newest)),
        ("today", card("today", eyes.say("today_minutes"), hours, "wide")),
        ("week", card("week", eyes.say("this_week"), week(detail.week.get(name, ()), eyes),
                      note=eyes.say("week_note"))),
        ("throughput", _throughput(view, at, name)),
        ("probes", _probes(view, newest)),
        ("faults", _faults(view, name, newest)),
        *_incidents(view, [one for one in view.incidents() if name in one.devices]),
    ]  # fmt: skip


def _device_head(view: View, known: Device, at: Site, newest: Newest) -> Markup:
    eyes = view.eyes
    now = view.picture.now[known.id]
    title = f"{at.name or at.id} · {known.class_name or known.id.rpartition('.')[2]}"
    facts = _facts((
        (eyes.say("site"), site_link(at.id, at.name or at.id)),
        (eyes.say("device_id"), known.id),
        (eyes.say("model"), _model(view, known.id, newest)),
        (eyes.say("versions"), newest.version),
        (eyes.say("seen_by"), device_link(known.speaker, known.speaker.rpartition(".")[2])
         if known.speaker != known.id else ""),
        (eyes.say("last_seen"), _heard(newest, eyes)),
        (eyes.say("uptime"), _uptime(newest, eyes) if now.state is State.WORKING else ""),
    ))  # fmt: skip
    actions = view.forms(f"&device={known.id}")
    state = H('<div class="bigstate" id="device-state">{}</div>').format(badge(now, eyes))
    return card("head", title, H("{}{}{}").format(state, facts, actions), "wide")


def _model(view: View, name: str, newest: Newest) -> str:
    """Return what a device is, and what it says itself of its hardware."""
    return " · ".join(dict.fromkeys(filter(None, (view.model(name), newest.model))))


def _uptime(newest: Newest, eyes: Eyes) -> str:
    return eyes.ago(eyes.now_ns - round(newest.uptime_s * 1e9)) if newest.uptime_s else ""


def _heard(newest: Newest, eyes: Eyes) -> str:
    if not newest.heard_ns:
        return eyes.say("never_seen")
    return f"{eyes.clock(newest.heard_ns)} ({eyes.say('ago').format(time=eyes.ago(newest.heard_ns))})"


def _unregistered(view: View, name: str, newest: Newest) -> Markup:
    eyes = view.eyes
    facts = _facts((
        (eyes.say("model"), _model(view, name, newest)),
        (eyes.say("last_seen"), eyes.clock(newest.heard_ns) if newest.heard_ns else ""),
    ))  # fmt: skip
    said = H('<p class="trouble">{}</p>').format(eyes.say("unregistered_means"))
    return card("head", name, said + facts, "wide")


def _probes(view: View, newest: Newest) -> Markup:
    """Return the newest outcome of each probe; a journey stage by stage."""
    eyes = view.eyes
    rows = [
        (probe_name(kind, eyes), target, _outcome(outcome, eyes), eyes.clock(outcome.time_ns))
        for (kind, target), outcome in sorted(newest.probes.items())
    ]
    heads = [eyes.say(key) for key in ("kind_of_probe", "target_of_probe", "outcome", "time")]
    body = table("probe-table", heads, rows, eyes.say("no_probes"))
    walks = [one for (kind, _), one in newest.probes.items() if kind == "wifi_join"]
    return card("probes", eyes.say("newest_probes"), join([*(_walk(one, eyes) for one in walks), body]))


def _outcome(outcome: Outcome, eyes: Eyes) -> Markup:
    if outcome.success is None:
        return H("{} {}").format(shape(State.UNKNOWN), eyes.say("could_not_ask"))
    if outcome.success:
        return H("{} {}").format(shape(State.WORKING), eyes.say("passed"))
    said = stage_as_reason(outcome.stage, eyes.language) or f"{eyes.say('fails_at')} {outcome.stage}"
    return H("{} {}").format(shape(State.FAILING), said)


def _walk(outcome: Outcome, eyes: Eyes) -> Markup:
    """Return the stages of a journey: those passed with their time, the one that failed, and those not reached."""
    took = dict(outcome.took)
    pieces, is_over = [], False
    for stage in STAGES:
        ms = took.get(stage)
        if ms is None and stage != outcome.stage and (outcome.success or stage == "signal"):
            continue
        is_here = stage == outcome.stage and outcome.success is False
        state = State.FAILING if is_here else State.UNKNOWN if is_over else State.WORKING
        note = f"{ms:.0f} ms" if ms is not None and not is_over else eyes.say("failed") if is_here else ""
        pieces.append(H('<li class="s-{}">{}<b>{}</b><small>{}</small></li>').format(
            state, shape(state), eyes.say(WHYS[stage]), note))  # fmt: skip
        is_over = is_over or is_here
    return H('<ol class="walk">{}</ol>').format(join(pieces))


def _faults(view: View, device: str, newest: Newest) -> Markup:
    eyes = view.eyes
    active = {code: fault for code, fault in newest.faults.items() if fault.active}
    heads = [eyes.say(key) for key in ("fault", "severity", "time")]
    words = ("info", "warning", "critical")
    rows = [
        (
            view.fault(device, code),
            eyes.say(fault.severity) if fault.severity in words else fault.severity,
            eyes.clock(fault.time_ns),
        )
        for code, fault in sorted(active.items())
    ]
    return card("faults", eyes.say("faults_now"), table("fault-table", heads, rows, eyes.say("no_faults")))
