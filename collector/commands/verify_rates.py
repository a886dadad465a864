"""The further rates on the screen: a short section for each that has evidence, its worst cases by name."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from collector.commands.verify_times import local
from collector.sentences import percent
from collector.verify.results import (
    Delivered,
    Equipment,
    Firmware,
    Interval,
    Journeys,
    LessonRate,
    Operator,
    Rates,
    Reporting,
    Usage,
    Verdict,
)
from collector.words import Language, word

_KINDS = {
    "wifi_join": "journey_wifi_join",
    "portal": "journey_portal",
    "http": "journey_http",
    "throughput": "journey_throughput",
}
_STAGES = {
    "scan": "stage_scan",
    "signal": "stage_signal",
    "associate": "stage_associate",
    "dhcp": "stage_dhcp",
    "dns": "stage_dns",
    "portal": "stage_portal",
    "http": "stage_http",
}
_LEFT_OUT = {"journeys": "journeys", "usage": "use", "delivery": "completeness"}
_MOST = 5  # lines of examples; --json has all
_MOST_VERSIONS = 3


def sections(rates: Rates, left_out: Sequence[str], language: Language, zone: ZoneInfo) -> Iterator[RenderableType]:
    """Yield the sections that have evidence, each behind an empty line."""
    found = [
        _operators(rates.operators, language),
        _journeys(Journeys() if "journeys" in left_out else rates.journeys, language),
        _equipment(rates.equipment, language),
        _firmware(rates.firmware, language),
        _usage(rates.usage, language),
        _delivery(rates.delivery, language),
        _reporting(rates.reporting, language, zone),
        _left_out(left_out, language),
    ]
    for section in found:
        for number, line in enumerate(section):
            if number == 0:
                yield Text()
            yield line


def span(rate: Interval, language: Language) -> str:
    """Return an interval, `83.3–91.6 %`; where nothing is unknown its one value."""
    low, high = percent(rate.low, language), percent(rate.high, language)
    return low if low == high else f"{low.rstrip(' %')}–{high}"


def _facts(language: Language, *facts: tuple[str, str]) -> Text:
    return Text("  " + "   ".join(f"{word(key, language)}: {value}" for key, value in facts))


def _head(key: str, language: Language) -> Text:
    return Text(word(key, language), style="bold")


def _new_table(language: Language, texts: Sequence[str], numbers: Sequence[str], last: str = "") -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1, 0, 1))
    for column in texts:
        table.add_column(word(column, language), no_wrap=True)
    for column in numbers:
        table.add_column(word(column, language), justify="right", overflow="fold")
    if last:
        table.add_column(word(last, language), overflow="fold")
    return table


def _more(number: int, language: Language) -> Iterator[Text]:
    if number > _MOST:
        yield Text(f"    … {number - _MOST:,} {word('more', language)}")


def _operators(operators: Sequence[Operator], language: Language) -> Iterator[RenderableType]:
    """Yield how contracts are kept, by operator, once there is any test."""
    if not any(site.figures.get("tests") for operator in operators for site in operator.sites):
        return
    yield _head("contracts", language)
    table = _new_table(language, ("operator",), ("kept", "broken", "unproven", "no_contract"))
    for one in operators:
        counts = map(one.count, (Verdict.PASS, Verdict.FAIL, Verdict.NOT_PROVEN))
        table.add_row(Text(one.operator or "–"), *(f"{count:,}" for count in counts), f"{one.no_contract:,}")
    yield table
    broken = [site for operator in operators for site in operator.sites if site.verdict is Verdict.FAIL]
    broken.sort(key=lambda site: site.figures["upper_mbps"] / site.figures["contracted_mbps"])
    for site in broken[:_MOST]:
        rate = f"{site.figures['median_mbps']:.1f} / {site.figures['contracted_mbps']:g} Mbit/s"
        yield Text(f"  {word('broken', language)}: {site.title}  {rate}")
    yield from _more(len(broken), language)


def _journeys(journeys: Journeys, language: Language) -> Iterator[RenderableType]:
    if not journeys.total:
        return
    yield _head("journeys", language)
    for one in journeys.total:
        share = percent(one.done / one.journeys, language) if one.journeys else "–"
        unable = [("could_not_ask", f"{one.unable:,}")] if one.unable else []
        done = f"{one.done:,} / {one.journeys:,} ({share})"
        yield _facts(language, (_KINDS[one.kind], done), *unable)
    table = _new_table(language, ("stage",), ("asked", "failed", "half_within", "most_within"))
    for one in journeys.total:
        if len(one.stages) > 1:
            for stage in one.stages:
                times = map(_time, (stage.p50_ms, stage.p95_ms))
                name = word(_STAGES[stage.stage], language)
                table.add_row(name, f"{stage.asked:,}", f"{stage.failed:,}", *times)
    if table.row_count:
        yield table


def _time(ms: float | None) -> str:
    """Return a time in two digits: a quantile of steps of a percent knows no more."""
    return "–" if ms is None else f"{float(f'{ms:.2g}'):,.0f} ms"


def _equipment(equipment: Equipment, language: Language) -> Iterator[RenderableType]:
    total = equipment.right + len(equipment.other) + equipment.without_profile + len(equipment.never)
    if total == len(equipment.never):
        return
    yield _head("equipment", language)
    facts = [("as_in_roster", f"{equipment.right:,} / {total:,} ({span(equipment.rate, language)})")]
    counts = (len(equipment.other), equipment.without_profile, len(equipment.never))
    some = zip(("another_model", "model_unknown", "never_seen"), counts, strict=True)
    yield _facts(language, *facts, *((key, f"{count:,}") for key, count in some if count))
    for one in equipment.other[:_MOST]:
        yield Text(f"    {one.device}  {one.wanted} → {one.seen}")
    yield from _more(len(equipment.other), language)
    for device in equipment.never[:_MOST]:
        yield Text(f"    {device}  {word('never_seen', language)}")
    yield from _more(len(equipment.never), language)


def _firmware(firmware: Sequence[Firmware], language: Language) -> Iterator[RenderableType]:
    """Yield the profiles of which any device said its version."""
    told = [one for one in firmware if one.compliant or one.behind or one.versions]
    if not told:
        return
    yield _head("firmware", language)
    table = _new_table(language, ("model",), ("good", "behind", "not_known", "share"), "versions")
    for one in told:
        most = sorted(one.versions.items(), key=lambda pair: (-pair[1], pair[0]))
        versions = ", ".join(f"{version} × {count:,}" for version, count in most[:_MOST_VERSIONS])
        counts = (f"{count:,}" for count in (one.compliant, one.behind, one.unknown))
        rest = " …" if len(most) > _MOST_VERSIONS else ""
        table.add_row(Text(one.profile or "–"), *counts, span(one.rate, language), Text(versions + rest))
    yield table


def _usage(usage: Usage, language: Language) -> Iterator[RenderableType]:
    if not any(lesson.used or lesson.unused for lesson in usage.lessons):
        return
    yield _head("use", language)
    table = _new_table(language, ("lesson",), ("used", "unused", "not_known", "share", "screen_on"))
    for one in usage.lessons:
        table.add_row(f"{one.number}", *_lesson(one, language))
    yield table


def _lesson(one: LessonRate, language: Language) -> Iterator[str]:
    for count in (one.used, one.unused, one.unknown):
        yield f"{count:,}"
    yield span(one.rate, language)
    yield "–" if one.on is None else percent(one.on, language)


def _delivery(delivery: Sequence[Delivered], language: Language) -> Iterator[RenderableType]:
    if not delivery:
        return
    yield _head("completeness", language)
    came, missing = sum(one.batches for one in delivery), sum(one.missing for one in delivery)
    agents = f"{sum(not one.missing for one in delivery):,} / {len(delivery):,}"
    share = percent(came / (came + missing), language)
    yield _facts(language, ("came", f"{came:,} ({share})"), ("missing", f"{missing:,}"), ("agents_complete", agents))
    holes = sorted((one for one in delivery if one.missing), key=lambda one: (-one.missing, one.agent))
    for one in holes[:_MOST]:
        yield Text(f"    {one.agent}  {word('missing', language)} {one.missing:,} / {one.batches + one.missing:,}")
    yield from _more(len(holes), language)


def _reporting(reporting: Reporting, language: Language, zone: ZoneInfo) -> Iterator[RenderableType]:
    if not reporting.devices:
        return
    yield _head("reporting", language)
    yield _facts(language, ("reports", f"{reporting.reporting:,} / {reporting.devices:,}"))
    if not reporting.at_risk:
        return
    yield Text(f"  {word('at_risk', language)}: {len(reporting.at_risk):,}", style="yellow")
    for one in reporting.at_risk[:_MOST]:
        last = word("never_seen", language)
        if one.last_seen_ns is not None:
            last = f"{word('last_seen', language)} {local(one.last_seen_ns, zone)}"
        yield Text(f"    {one.device}  {one.days} {word('service_days', language)}  {last}")
    yield from _more(len(reporting.at_risk), language)


def _left_out(left_out: Sequence[str], language: Language) -> Iterator[RenderableType]:
    if left_out:
        names = word("and", language).join(word(_LEFT_OUT[name], language) for name in left_out)
        yield Text(f"{word('left_out', language)}: {names}", style="dim")
