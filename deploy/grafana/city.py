"""The city: classes and hotspots by day against their targets, by county, the worst schools, lost minutes by cause."""

import re

from grafana_foundation_sdk.builders import bargauge
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common, dashboard

from collector.report.looks import BAD
from collector.verify.causes import Cause
from collector.words import Language
from deploy.grafana import queries as q
from deploy.grafana.influx import Event
from deploy.grafana.parts import (
    Panel,
    Query,
    by_name,
    choice,
    colour_of,
    coloured,
    divided,
    filled,
    good_from,
    grouped,
    joined,
    linked,
    named,
    note,
    number,
    of_row,
    only,
    ordered,
    over_time,
    page,
    placed,
    rows,
    shared,
    sources,
    way,
    with_target_line,
)
from deploy.grafana.promises import Promises
from deploy.grafana.texts import text

SITES, PLACES = q.evidence("site_availability"), q.evidence("site_roster")  # added up by the centre: cheap for a city
RATE, SCHOOLS = 6, 10  # the panels that others show parts of, by their place among all
# Every cause that takes a minute away and is somebody's fault, or nobody's.
LOST = (Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.AGENT_DOWN, Cause.UNKNOWN)


def build(language: Language, promised: Promises) -> builders.Dashboard:
    """Return the dashboard."""
    board = page("city", language, "now-14d/d", "15m")
    for variable in (*sources(language), *variables(language, promised)):
        board.with_variable(variable)
    board.annotation(trouble(language))
    panels = (
        *_numbers(language, promised),
        _class_rate(language, promised),
        _lost(language),
        _hotspots(language, promised),
        _counties(language),
        _schools(language, promised),
        note(text("city_note", language), (24, 3)),
    )
    return filled(board, panels)


def variables(language: Language, promised: Promises) -> list[builders.QueryVariable]:
    """Return county, and by which criteria days are looked at."""
    return [
        choice("county", text("county", language), q.entries("county"), many=True, names=True),
        criterion("classes", language, promised),
        criterion("hotspots", language, promised),
    ]


def criterion(kind: str, language: Language, promised: Promises) -> builders.QueryVariable:
    """Return the variable of a criterion; without another choice that of the shipped targets."""
    shipped = promised.classes if kind == "classes" else promised.hotspots
    variable = choice(kind, text(f"{kind}_criterion", language), q.criteria(shipped.partition("-")[0]))
    return variable.current(dashboard.VariableOption(text=shipped, value=shipped, selected=True))


def trouble(language: Language) -> Event:
    """Return the annotation of times at which the centre stored nothing."""
    query = q.select('max("trouble") AS "trouble"', q.telemetry("centre"), '"trouble" = 1', "time(5m)", "none")
    return Event(text("trouble_event", language), query, BAD, "trouble")


def _numbers(language: Language, promised: Promises) -> list[Panel]:
    journeys = q.recent(
        'last("success") AS "value"',
        q.evidence("probe"),
        f'{q.COUNTIES} AND "kind" =~ /^(wifi_join|portal)$/',
        '"device"',
    )
    seen = q.recent('last("lines") AS "value"', q.evidence("delivery"), q.COUNTIES, '"device"')
    proven = text("proven_rate", language)
    latest = number("percentunit", steps=good_from(promised.days_share), field=f"/^{proven}$/")
    return [
        shared(latest, RATE, (5, 5), text("class_rate", language), _means(language, promised)),
        placed(
            number(), [Query(q.today('sum("platform")', PLACES, q.COUNTIES), "")], (5, 5), text("platforms", language)
        ),
        placed(
            number(),
            [Query(q.counted(seen), "")],
            (5, 5),
            text("devices_up", language),
            text("devices_up_means", language),
        ),
        placed(
            number(),
            [Query(q.counted(journeys, '"value" = 1'), "")],
            (5, 5),
            text("hotspots_up", language),
            text("hotspots_up_means", language),
        ),
        placed(
            number(),
            [Query(q.today('sum("hotspot")', PLACES, q.COUNTIES), "")],
            (4, 5),
            text("hotspots_in_roster", language),
        ),
    ]


def _means(language: Language, promised: Promises) -> str:
    return text("class_rate_means", language, minutes=promised.minutes, share=f"{promised.days_share:.0%}")


def _class_rate(language: Language, promised: Promises) -> Panel:
    panel = with_target_line(over_time("percentunit").min(0).max(1), promised.days_share)
    names = {"proven": text("proven_rate", language), "possible": text("possible_rate", language)}
    wanted = ", ".join(f'{q.share(days, "counted")} AS "{name}"' for days, name in names.items())
    query = q.by_day(wanted, SITES, f'{q.COUNTIES} AND {q.CLASSES} AND "counted" > 0')
    coloured(panel, {names["proven"]: colour_of(Cause.WORKING), names["possible"]: colour_of(Cause.UNKNOWN)})
    about = _means(language, promised)
    return placed(panel, [Query(query)], (12, 9), text("class_rate_by_day", language), about)


def _lost(language: Language) -> Panel:
    names = {cause: named(cause, language) for cause in LOST}
    pattern = "|".join(map(re.escape, names.values()))
    values = common_builders.ReduceDataOptions().calcs(["sum"]).values(values=False).fields(f"/^({pattern})$/")
    panel = bargauge.Panel().unit(f"suffix: {text('minutes_unit', language)}").min(0).reduce_options(values)
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    coloured(panel, {name: colour_of(cause) for cause, name in names.items()})
    return shared(panel, SCHOOLS, (12, 9), text("lost_by_cause", language), text("lost_means", language))


def _hotspots(language: Language, promised: Promises) -> Panel:
    panel = with_target_line(over_time("percentunit", bars=True).min(0).max(1), promised.works_share)
    name = text("works", language)
    query = q.by_day(f'{q.works(promised.hotspots_count)} AS "{name}"', SITES, f"{q.COUNTIES} AND {q.HOTSPOTS}")
    about = text("hotspots_by_day_means", language, share=f"{promised.works_share:.0%}")
    return placed(
        coloured(panel, {name: colour_of(Cause.WORKING)}),
        [Query(query)],
        (12, 9),
        text("hotspots_by_day", language),
        about,
    )


def _schools(language: Language, promised: Promises) -> Panel:
    rate, lost, all_, name, county = (text(key, language) for key in _COLUMNS)
    causes = {named(cause, language): f'sum("{cause}")' for cause in (Cause.WORKING, *LOST)}
    wanted = {rate: q.works(promised.classes_count), lost: q.sums(LOST), all_: q.sums(promised.classes_count), **causes}
    columns = ", ".join(f'{what} AS "{column}"' for column, what in wanted.items())
    each = q.select(columns, SITES, f"{q.COUNTIES} AND {q.CLASSES}", '"county", "site"')
    panel = placed(
        rows(rate),
        [
            Query(q.within(", ".join(f'"{column}"' for column in ("county", "site", *wanted)), each)),
            Query(q.names({"site_name": name, "county_name": county}, "site", q.COUNTIES)),
        ],
        (24, 12),
        text("worst_schools", language),
        text("works_means", language),
    )
    only(ordered(joined(panel, "site"), rate), [name, county, rate, lost, *causes, all_, "county", "site"])
    by_name(panel, rate, unit="percentunit", decimals=1)
    return linked(panel, name, text("school_title", language), _to_school(language))


def _to_school(language: Language) -> str:
    return way("school", language, county=of_row("county"), site=of_row("site"))


def _counties(language: Language) -> Panel:
    rate, lost, all_, _, county = (text(key, language) for key in _COLUMNS)
    good = f"{named(Cause.WORKING, language)} (sum)"
    panel = grouped(rows(rate), [county, "county"], [lost, all_, good.removesuffix(" (sum)")])
    divided(panel, good, f"{all_} (sum)", rate)
    only(ordered(panel, rate), [county, rate, f"{lost} (sum)", "county"])
    by_name(panel, rate, unit="percentunit", decimals=1)
    by_name(panel, f"{lost} (sum)", called=lost)
    linked(panel, county, text("city_title", language), way("city", language, county=of_row("county")))
    return shared(panel, SCHOOLS, (12, 9), text("by_county", language), text("works_means", language))


_COLUMNS = ("works", "minutes_lost", "minutes_all", "school", "county_title")
