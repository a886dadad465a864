"""Pieces of pages as HTML and SVG: states, bars, strips of minutes, charts. Whatever is put in is escaped."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup

from collector.board.detail import DayShare, Test, Today
from collector.board.looks import FILLS, shape
from collector.board.model import SHOWN, Counts
from collector.board.names import PROBES, WHYS
from collector.report.looks import CAUSES
from collector.stages import stage_as_reason
from collector.verify.causes import Cause
from collector.watch.types import Now, State
from collector.words import Language, word

H = Markup
NOTHING = Markup("")
_MINUTE_NS = 60 * 10**9
_DAY_NS = 1440 * _MINUTE_NS
_KEPT = 0.8  # of the contracted rate
# Of minutes, the ones that a strip can have; those that need a word come first.
_ORDER = (
    Cause.WORKING, Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.AGENT_DOWN, Cause.POWER_OFF, Cause.ASLEEP,
    Cause.UNKNOWN, Cause.EXCLUDED,
)  # fmt: skip


class Eyes(NamedTuple):
    """Who looks: in which language, in which zone, and when."""

    language: Language
    zone: ZoneInfo
    now_ns: int

    def say(self, key: str) -> str:
        """Return a word."""
        return word(key, self.language)

    def clock(self, time_ns: int) -> str:
        """Return an instant: the time, and the day where it is not today."""
        at = datetime.fromtimestamp(time_ns / 1e9, self.zone)
        today = datetime.fromtimestamp(self.now_ns / 1e9, self.zone)
        return at.strftime("%H:%M" if at.date() == today.date() else "%Y-%m-%d %H:%M")

    def since(self, time_ns: int) -> str:
        """Return since when something is so, "" where nobody knows."""
        return self.say("since_time").format(time=self.clock(time_ns), ago=self.ago(time_ns)) if time_ns else ""

    def ago(self, time_ns: int) -> str:
        """Return how long ago something was."""
        minutes = max(0, self.now_ns - time_ns) // _MINUTE_NS
        for size, unit in ((1440, "unit_days"), (60, "unit_hours")):
            if minutes >= 2 * size:
                return f"{minutes // size:,} {self.say(unit)}"
        return f"{minutes} {self.say('unit_minutes')}" if minutes else self.say("under_a_minute")


def join(pieces: Iterable[Markup]) -> Markup:
    """Return pieces after one another."""
    return NOTHING.join(pieces)


def link(address: str, text: object, css: str = "") -> Markup:
    """Return a link within the board."""
    return H('<a href="{}" class="{}">{}</a>').format(address, css, text)


def site_link(site: str, text: object) -> Markup:
    """Return a link to a site."""
    return link(f"/site/{quote(site)}", text)


def device_link(device: str, text: object) -> Markup:
    """Return a link to a device."""
    return link(f"/device/{quote(device)}", text)


def card(name: str, title: str, body: Markup, css: str = "", note: str = "") -> Markup:
    """Return a card; its id keeps it the same piece from look to look."""
    more = H('<span class="note">{}</span>').format(note) if note else NOTHING
    return H('<section class="card {}" id="{}"><h2>{} {}</h2>{}</section>').format(css, name, title, more, body)


def table(name: str, heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> Markup:
    """Return a table whose cells carry their heading: a narrow screen shows each row as a card."""
    body = [
        H("<tr>{}</tr>").format(
            join(
                H('<td data-head="{}"><div>{}</div></td>').format(head, cell)
                for head, cell in zip(heads, row, strict=True)
            )
        )
        for row in rows
    ]
    if not body and empty:
        return H('<p class="empty">{}</p>').format(empty)
    head = join(H("<th>{}</th>").format(one) for one in heads)
    return H('<table id="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(name, head, join(body))


def state_name(state: State, eyes: Eyes) -> str:
    """Return what a state is called."""
    return eyes.say(f"state_{state}")


def why_text(why: str, eyes: Eyes) -> str:
    """Return why, in words where there are any: a cause, what fails at a stage, or the code of a fault."""
    return stage_as_reason(why, eyes.language) or (eyes.say(WHYS[why]) if why in WHYS else why)


def probe_name(kind: str, eyes: Eyes) -> str:
    """Return what a kind of probe is called."""
    return eyes.say(PROBES[kind]) if kind in PROBES else kind


def badge(now: Now, eyes: Eyes, *, is_long: bool = True) -> Markup:
    """Return a state: shape, word, and since when and why."""
    said = H("<b>{}</b>").format(state_name(now.state, eyes))
    if not is_long:
        return H('<span class="badge s-{}">{}{}</span>').format(now.state, shape(now.state), said)
    reason = why_text(now.why, eyes)
    reason = "" if reason == state_name(now.state, eyes) else reason
    since = (
        eyes.say("since_time").format(time=eyes.clock(now.since_ns), ago=eyes.ago(now.since_ns)) if now.since_ns else ""
    )
    rest = eyes.say("and").join(filter(None, (reason, since)))
    return H('<span class="badge s-{}">{}{}<span class="why">{}</span></span>').format(
        now.state, shape(now.state), said, rest
    )


def bar(counts: Counts, eyes: Eyes) -> Markup:
    """Return how many are in which state as one bar; each piece says its number."""
    total = sum(counts.values()) or 1
    pieces = [
        H('<i class="f-{}" style="width:{}%" title="{} {:,}"></i>').format(
            state, round(100 * counts.get(state, 0) / total, 3), state_name(state, eyes), counts.get(state, 0)
        )
        for state in SHOWN
        if counts.get(state, 0)
    ]
    label = ", ".join(f"{state_name(state, eyes)} {counts.get(state, 0)}" for state in SHOWN if counts.get(state))
    return H('<div class="bar" role="img" aria-label="{}">{}</div>').format(label, join(pieces))


def numbers(counts: Counts, eyes: Eyes, *, is_all: bool = False) -> Markup:
    """Return how many are in which state, each with its shape."""
    return H('<span class="numbers">{}</span>').format(
        join(
            H('<span class="number s-{}" title="{}">{}{:,}</span>').format(
                state, state_name(state, eyes), shape(state), counts.get(state, 0)
            )
            for state in SHOWN
            if is_all or counts.get(state)
        )
    )


# ---- minutes


def strip(today: Today | None, eyes: Eyes, css: str = "") -> Markup:
    """Return today's hours of a device, minute by minute; what is still to come is empty."""
    if today is None or not today.windows:
        return H('<div class="strip none {}">{}</div>').format(css, eyes.say("no_hours_today"))
    first_ns, last_ns = today.windows[0].start_ns, today.windows[-1].end_ns

    def piece(kind: str, start_ns: int, end_ns: int, title: str = "") -> Markup:
        left, width = (round(100 * ns / (last_ns - first_ns), 3) for ns in (start_ns - first_ns, end_ns - start_ns))
        return H('<i class="{}" style="left:{}%;width:{}%" title="{}"></i>').format(kind, left, width, title)

    pieces = [piece("owed", window.start_ns, window.end_ns) for window in today.windows]
    for run in today.runs:
        stage = f" · {why_text(run.stage, eyes)}" if run.stage else ""
        said = f"{eyes.say(f'cause_{run.cause}')}{stage}"
        title = f"{_hour(run.start_ns, eyes)}–{_hour(run.end_ns, eyes)} {said}"
        pieces.append(piece(f"c-{run.cause}", run.start_ns, run.end_ns, title))
    if first_ns < eyes.now_ns < last_ns:
        pieces.append(piece("nowline", eyes.now_ns, eyes.now_ns))
    label = minutes_in_words(today, eyes)
    ends = H("<span>{}</span><span>{}</span>").format(_hour(first_ns, eyes), _hour(last_ns, eyes, is_end=True))
    return H(
        '<div class="strip {}"><div class="run" role="img" aria-label="{}">{}</div><div class="ends">{}</div></div>'
    ).format(css, label, join(pieces), ends)


def _hour(time_ns: int, eyes: Eyes, *, is_end: bool = False) -> str:
    text = datetime.fromtimestamp(time_ns / 1e9, eyes.zone).strftime("%H:%M")
    return "24:00" if is_end and text == "00:00" else text


def _said(today: Today, eyes: Eyes) -> str:
    minutes: dict[Cause, int] = {}
    for run in today.runs:
        minutes[run.cause] = minutes.get(run.cause, 0) + run.minutes
    unit = eyes.say("unit_minutes")
    return eyes.say("and").join(
        f"{eyes.say(f'cause_{cause}')} {minutes[cause]} {unit}" for cause in _ORDER if cause in minutes
    )


def minutes_in_words(today: Today | None, eyes: Eyes) -> str:
    """Return what today's minutes were due to, as a sentence."""
    return _said(today, eyes) if today and today.runs else ""


def key_of_causes(eyes: Eyes) -> Markup:
    """Return what the colours of strips mean."""
    return H('<p class="key">{}</p>').format(
        join(
            H('<span><i class="swatch c-{}"></i>{}</span>').format(cause, eyes.say(f"cause_{cause}"))
            for cause in _ORDER
        )
    )


def week(days: Sequence[DayShare], eyes: Eyes) -> Markup:
    """Return the last seven days, each with its share that is proven, and what is unknown above it."""
    if not any(day.counted for day in days):
        return H('<p class="empty">{}</p>').format(eyes.say("no_minutes_this_week"))
    known = {day.day: day for day in days}
    today = datetime.fromtimestamp(eyes.now_ns / 1e9, eyes.zone).date()
    columns = [
        _day(known.get(day, DayShare(day)), eyes) for day in (today - timedelta(back) for back in range(6, -1, -1))
    ]
    return H('<div class="week">{}</div>').format(join(columns))


def _day(day: DayShare, eyes: Eyes) -> Markup:
    name = eyes.say(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[day.day.weekday()])
    if not day.counted:
        return H('<div class="day"><b>–</b><div class="col"></div><span>{}</span></div>').format(name)
    good, unknown = 100 * day.good / day.counted, 100 * day.unknown / day.counted
    title = f"{eyes.say('works')} {good:.1f}–{good + unknown:.1f} %"
    return H(
        '<div class="day" title="{}"><b>{:.0f}%</b><div class="col" role="img" aria-label="{}">'
        '<i class="f-unknown" style="height:{}%"></i><i class="f-working" style="height:{}%"></i></div>'
        "<span>{}</span></div>"
    ).format(title, good, title, round(unknown, 1), round(good, 1), name)


# ---- throughput


def throughput(tests: Sequence[Test], contracted: float | None, eyes: Eyes) -> Markup:
    """Return the tests of a month, with the contracted rate and what of it is asked for."""
    if not tests:
        return H('<p class="empty">{}</p>').format(eyes.say("no_tests_yet"))
    end_ns, days = eyes.now_ns, 30
    start_ns = end_ns - days * _DAY_NS
    if end_ns - tests[0].time_ns < _DAY_NS:  # the first ones would be one heap at the edge
        start_ns = min(tests[0].time_ns, end_ns - _DAY_NS // 24)
    most = 1.1 * max([contracted or 0, *(test.mbps for test in tests)])
    pieces = [
        H('<line x1="46" x2="412" y1="{0}" y2="{0}" class="grid"/><text x="41" y="{1}" text-anchor="end">{2}</text>')
        .format(round(_y(value, most), 1), round(_y(value, most) + 4, 1), f"{value:g}")
        for value in _ticks(most)
    ]  # fmt: skip
    if contracted:
        for share, css in ((1.0, "owed-line"), (_KEPT, "asked-line")):
            y = round(_y(contracted * share, most), 1)
            pieces.append(H('<line x1="46" x2="412" y1="{}" y2="{}" class="{}"/>').format(y, y, css))
    for test in tests:
        x = 46 + 366 * (test.time_ns - start_ns) / max(1, end_ns - start_ns)
        pieces.append(_dot(test, x, _y(test.mbps, most), eyes))
    for at_ns, x, anchor in ((start_ns, 46, "start"), (end_ns, 412, "end")):
        form = "%m-%d" if end_ns - start_ns > _DAY_NS else "%H:%M"
        day = datetime.fromtimestamp(at_ns / 1e9, eyes.zone).strftime(form)
        pieces.append(H('<text x="{}" y="155" text-anchor="{}">{}</text>').format(x, anchor, day))
    chart = H('<svg class="chart" viewBox="0 0 420 160" role="img" aria-label="{}">{}</svg>').format(
        eyes.say("throughput"), join(pieces)
    )
    signs = [
        (H('<circle cx="7" cy="5" r="4" class="down"/>'), eyes.say("download")),
        (H('<path d="M7 1 12 9H2z" class="up"/>'), eyes.say("upload")),
        (H('<circle cx="7" cy="5" r="3.4" class="open"/>'), eyes.say("test_limited")),
    ]
    if contracted:
        line = H('<line x1="0" x2="14" y1="5" y2="5" class="{}"/>')
        signs.append((line.format("owed-line"), eyes.say("contracted").format(mbps=f"{contracted:g}")))
        signs.append((line.format("asked-line"), eyes.say("asked_of_contract")))
    key = (H('<span><svg viewBox="0 0 14 10" class="swatch">{}</svg>{}</span>').format(*one) for one in signs)
    return chart + H('<p class="key">{}</p>').format(join(key))


def _y(value: float, most: float) -> float:
    return 136 - 128 * value / (most or 1)


def _ticks(most: float) -> list[float]:
    step = next((one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if most / one <= 5), 2000)
    return [number * step for number in range(int(most // step) + 1)]


def _dot(test: Test, x: float, y: float, eyes: Eyes) -> Markup:
    way = eyes.say("download" if test.direction == "download" else "upload")
    is_open = test.limited_by not in ("", "none")
    title = f"{eyes.clock(test.time_ns)} {way} {test.mbps:g} Mbit/s {test.device}"
    css = "open" if is_open else "down" if test.direction == "download" else "up"
    if test.direction == "download":
        return H('<circle cx="{}" cy="{}" r="3.2" class="{}"><title>{}</title></circle>').format(
            round(x, 1), round(y, 1), css, title
        )
    return H('<path d="M{} {}l4 6.4h-8z" class="{}"><title>{}</title></path>').format(
        round(x, 1), round(y - 3.6, 1), css, title
    )


def colours() -> str:
    """Return the style of states and causes: the colours of reports."""
    hatch = "repeating-linear-gradient(45deg, var(--hatchback) 0 3px, var(--hatchline) 3px 4px)"
    rules = [f".f-{state}{{background:{FILLS[state] or hatch}}}" for state in State]
    rules += [f".c-{cause}{{background:{hatch if look.hatch else look.fill}}}" for cause, look in CAUSES.items()]
    return "\n".join(rules)
