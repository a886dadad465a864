"""
Charts as SVG, drawn for A4: every mark has a letter or a number beside its colour, every piece a title.

Presentation attributes alone, no style sheets and no addresses: what a browser shows is what the PDF has.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from collector.report.looks import BAD, CAUSES, DIM, FAINT, GOOD, INK, KINDS, LINE, Look
from collector.report.model import DayFigure, Page, Strip
from collector.report.phrases import phrase
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.results import Journey
from collector.verify.throughput import Test
from collector.words import Language, word

WIDTH = 560
_HATCH = Markup(
    '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M-1,1 l2,-2 M0,5 l5,-5 M4,6 l2,-2" stroke="#777777" stroke-width="0.8"/></pattern></defs>'
)
_STRIP = 13  # height of a day
_LEFT, _RIGHT = 92, 56
_MARGIN = 28  # on the right of the days, for the threshold's name


def _svg(height: float, body: Iterable[Markup], label: str) -> Markup:
    start = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" aria-label="{}" {}>').format(
        WIDTH, round(height, 1), label, Markup('font-family="sans-serif" font-size="9"')
    )
    return start + _HATCH + Markup("").join(body) + Markup("</svg>")


def _text(x: float, y: float, text: object, anchor: str = "start", fill: str = INK, size: float = 9) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}" font-size="{}">{}</text>').format(
        round(x, 1), round(y, 1), anchor, fill, size, text
    )


def _rect(x: float, y: float, width: float, height: float, look: Look, title: str = "") -> Markup:
    """Return a rectangle with its hatch, title and, where there is room, letter."""
    place = Markup('x="{}" y="{}" width="{}" height="{}"').format(
        round(x, 2), round(y, 2), round(max(width, 0.6), 2), round(height, 2)
    )
    said = Markup("<title>{}</title>").format(title) if title else Markup("")
    found = Markup('<rect {} fill="{}">{}</rect>').format(place, look.fill, said)
    if look.hatch:
        found += Markup('<rect {} fill="url(#hatch)" stroke="{}" stroke-width="0.5"/>').format(place, LINE)
    if look.letter and width >= 9 and height >= 8:
        found += _text(x + width / 2, y + height / 2 + 3, look.letter, "middle", look.ink, 8)
    return found


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = LINE, dash: str = "") -> Markup:
    dashed = Markup(' stroke-dasharray="{}"').format(dash) if dash else Markup("")
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}" stroke-width="0.8"{}/>').format(
        *(round(number, 1) for number in (x1, y1, x2, y2)), colour, dashed
    )


# ---- a unit by minute


def strips(some: Sequence[Strip], unit: Sequence[Strip], zone: ZoneInfo, language: Language) -> Markup:
    """Return the heat strip of days of a unit, each from the first to the last hour of all of the unit's."""
    first, last = _hours(unit)
    scale = (WIDTH - _LEFT - _RIGHT) / (last - first)
    bottom = 14 + len(some) * (_STRIP + 2)
    body = [*_hour_lines(first, last, bottom, scale)]
    several = len({strip.device for strip in unit}) > 1
    for number, strip in enumerate(some):
        body += _row(strip, 14 + number * (_STRIP + 2), (first, scale), (zone, language), named=several)
    return _svg(bottom + 2, body, phrase("strip", language))


def _hours(some: Sequence[Strip]) -> tuple[int, int]:
    """Return the minutes of the day between which all runs lie, on full hours."""
    first = min(_minute(strip, strip.record.runs[0].start_ns) for strip in some)
    last = max(_minute(strip, strip.record.runs[-1].end_ns) for strip in some)
    return first // 60 * 60, -(-last // 60) * 60


def _minute(strip: Strip, time_ns: int) -> int:
    return (time_ns - strip.record.day_start_ns) // MINUTE_NS


def _hour_lines(first: int, last: int, bottom: float, scale: float) -> Iterable[Markup]:
    step = 60 if last - first <= 720 else 180
    for minute in range(first, last + 1, step):
        x = _LEFT + (minute - first) * scale
        yield _line(x, 11, x, bottom, FAINT)
        yield _text(x, 9, f"{minute // 60:02}:00", "middle", DIM, 8)


def _row(
    strip: Strip, y: float, axis: tuple[int, float], style: tuple[ZoneInfo, Language], *, named: bool
) -> Iterable[Markup]:
    (first, scale), (zone, language) = axis, style
    name = strip.device.partition(".")[2][:12] if named else _weekday(strip, language)
    yield _text(0, y + 10, f"{strip.day:%m-%d} {name}")
    for run in strip.record.runs:
        x = _LEFT + (_minute(strip, run.start_ns) - first) * scale
        yield _rect(x, y, run.minutes * scale, _STRIP, CAUSES[run.cause], _said(run, zone, language))
    yield _text(WIDTH - _RIGHT + 6, y + 10, f"{strip.good}/{strip.good + strip.bad + strip.unknown}")


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _weekday(strip: Strip, language: Language) -> str:
    return word(_WEEKDAYS[strip.day.weekday()], language)


def _said(run: Run, zone: ZoneInfo, language: Language) -> str:
    clock = "–".join(f"{datetime.fromtimestamp(one // 10**9, zone):%H:%M}" for one in (run.start_ns, run.end_ns))
    return f"{clock} {word(f'cause_{run.cause}', language)}{f' ({run.stage})' if run.stage else ''}"


# ---- day by day


def by_day(page: Page, language: Language) -> Markup:
    """Return availability by day: what is proven, what is unknown, what is not good, with the unit's threshold."""
    left, top, height = 34, 8, 110
    width = (WIDTH - left - _MARGIN) / max(len(page.days), 1)
    body = [*_shares(left, top, height)]
    for number, day in enumerate(page.days):
        body += _column(_parts(page, day), (left + number * width, top, width, height), language)
        if len(page.days) <= 14 or number % 3 == 0:
            body.append(_text(left + (number + 0.5) * width, top + height + 11, f"{day.day:%m-%d}", "middle"))
    threshold = page.target.rule.availability
    if threshold is not None:
        y = top + height * (1 - threshold)
        body += [
            _line(left, y, WIDTH - _MARGIN, y, INK, "4 3"),
            _text(WIDTH - _MARGIN + 3, y + 3, f"{threshold:.0%}", size=8),
        ]
    what = "by_day_units" if page.target.rule.days is not None else "by_day_minutes"
    return _svg(top + height + 16, body, phrase(what, language))


def _shares(left: float, top: float, height: float) -> Iterable[Markup]:
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + height * (1 - share)
        yield _line(left, y, WIDTH - _MARGIN, y, FAINT)
        yield _text(left - 4, y + 3, f"{share:.0%}", "end", DIM, 8)


def _parts(page: Page, day: DayFigure) -> list[tuple[str, int]]:
    """Return what a day is made of, from the bottom: units by kind of day, else minutes."""
    if page.target.rule.days is not None:
        return [(kind, day.units.get(kind, 0)) for kind in ("good", "unknown", "bad", "never_on")]
    return [("good", day.good), ("unknown", day.unknown), ("bad", day.bad)]


def _column(
    parts: Sequence[tuple[str, int]], box: tuple[float, float, float, float], language: Language
) -> Iterable[Markup]:
    x, top, width, height = box
    total = sum(number for _, number in parts)
    y = top + height
    for kind, number in parts:
        part = height * number / total if total else 0
        y -= part
        if number:
            said = f"{phrase(f'kind_{kind}', language)} {number:,} / {total:,}"
            has_number = part >= 12 and width >= 26
            look = KINDS[kind]._replace(letter="") if has_number else KINDS[kind]
            yield _rect(x + width * 0.15, y, width * 0.7, part, look, said)
            if has_number:
                yield from _number(_short(kind, number, total), x + width / 2, y + part / 2, look)


def _number(text: str, x: float, y: float, look: Look) -> Iterable[Markup]:
    """Yield a number on a column; on a hatch it has a ground of its own."""
    if look.hatch:
        wide = 4.8 * len(text) + 4
        yield _rect(x - wide / 2, y - 5.5, wide, 11, Look(look.fill, ""))
    yield _text(x, y + 3, text, "middle", look.ink, 8)


def _short(kind: str, number: int, total: int) -> str:
    return f"{KINDS[kind].letter} {number:,}".strip() if total <= 9999 else f"{number / total:.0%}"


# ---- throughput


def tests(some: Iterable[Test], threshold: float, language: Language) -> Markup:
    """Return how tests are distributed, against the threshold; those that say nothing of the line are hatched."""
    left, top, height = 34, 12, 100
    known = list(some)
    most = max([threshold * 1.25, *(test.goodput_mbps for test in known)])
    step = _step(most / 24)
    bins = [[0, 0] for _ in range(int(most // step) + 1)]
    for test in known:
        bins[int(test.goodput_mbps // step)][not test.is_conclusive] += 1
    width, tallest = (WIDTH - left - 20) / len(bins), max(map(sum, bins)) or 1
    body = [_line(left, top + height, WIDTH - 20, top + height)]
    body += [_text(left - 4, top + 6, tallest, "end", DIM, 8), _text(left - 4, top + height, 0, "end", DIM, 8)]
    for number, counts in enumerate(bins):
        said = f"{number * step:g}–{(number + 1) * step:g} Mbit/s"
        box = (left + number * width + 1, top + height, width - 2, height / tallest)
        body += _bin(counts, said, box, language, is_enough=number * step >= threshold)
        if number % max(1, len(bins) // 12) == 0:
            body.append(_text(left + number * width, top + height + 11, f"{number * step:g}", "middle", DIM, 8))
    x = left + threshold / step * width
    body += [_line(x, top - 4, x, top + height, INK, "4 3")]
    body += [_text(x + 3, top - 3, f"{phrase('threshold', language)} {threshold:g} Mbit/s", size=8.5)]
    return _svg(top + height + 16, body, phrase("throughput", language))


def _bin(
    counts: Sequence[int], said: str, box: tuple[float, float, float, float], language: Language, *, is_enough: bool
) -> Iterable[Markup]:
    """Yield a column: tests that count, in another colour below the threshold, and those that do not above them."""
    x, y, width, scale = box
    looks = (KINDS["good" if is_enough else "bad"], KINDS["unknown"])
    for count, look, what in zip(counts, looks, ("tests_of", "inconclusive"), strict=True):
        if count:
            y -= count * scale
            yield _rect(
                x, y, width, count * scale, look._replace(letter=""), f"{said}: {count} {phrase(what, language)}"
            )


def _step(rough: float) -> float:
    """Return a round width of a column, at least `rough`."""
    unit = 1.0
    while unit * 10 < rough:
        unit *= 10
    while unit > rough and unit > 0.1:
        unit /= 10
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough or factor == 10)


# ---- bars


def causes(page: Page, language: Language) -> Markup:
    """Return the minutes that were not working by cause, the largest first."""
    found = [(Cause(cause), number) for cause, number in page.minutes.items() if cause != Cause.WORKING and number]
    found.sort(key=lambda pair: (-pair[1], pair[0]))
    most, total = max((number for _, number in found), default=1), sum(page.minutes.values())
    body = []
    for number, (cause, minutes) in enumerate(found):
        y = number * 18
        body.append(_text(0, y + 12, word(f"cause_{cause}", language)))
        body.append(_rect(130, y + 2, 200 * minutes / most, 13, CAUSES[cause]))
        counted = phrase(f"counted_{page.target.meaning(cause)}", language)
        if cause is Cause.EXCLUDED:
            counted = phrase("counted_excluded", language)
        said = f"{minutes:,}  ({minutes / total:.1%})  {phrase('counts_as', language)} {counted}"
        body.append(_text(130 + 200 * minutes / most + 5, y + 12, said))
    return _svg(max(len(found) * 18 + 2, 4), body, phrase("causes", language))


def journey(one: Journey, language: Language) -> Markup:
    """Return a journey's stages: how many were asked, and passed."""
    asked = max((stage.asked for stage in one.stages), default=1) or 1
    body = []
    for number, stage in enumerate(one.stages):
        y = number * 20
        passed = stage.passed / stage.asked if stage.asked else 0.0
        body.append(_text(0, y + 12, phrase(f"stage_{stage.stage}", language)))
        full = 240 * stage.asked / asked
        body.append(_rect(90, y + 2, full, 14, Look(BAD, "")))
        body.append(_rect(90, y + 2, full * passed, 14, Look(GOOD, "")))
        times = "" if stage.p50_ms is None else f" · {stage.p50_ms:,.0f} / {stage.p95_ms or 0:,.0f} ms"
        failed = f" · ✘ {stage.failed:,}" if stage.failed else ""
        body.append(_text(340, y + 13, f"{stage.passed:,} / {stage.asked:,}{failed}{times}"))
    return _svg(len(one.stages) * 20 + 2, body, phrase("journey", language))


def key(language: Language) -> Markup:
    """Return what colours and letters of strips mean."""
    body: list[Markup] = []
    for number, (cause, look) in enumerate(CAUSES.items()):
        x, y = number % 5 * 112, number // 5 * 18
        body.append(_rect(x, y + 2, 20, 12, look))
        if not look.letter:
            body.append(_text(x + 10, y + 11, "", "middle"))
        body.append(_text(x + 25, y + 12, word(f"cause_{cause}", language).split("（")[0]))
    return _svg(38, body, phrase("letters", language))
