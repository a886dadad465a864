"""Public hotspots: a stranger's way in by stage, how many are on, how full the channels are."""

from grafana_foundation_sdk.builders import bargauge
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common

from collector.report.looks import GOOD
from collector.verify.causes import Cause
from collector.verify.journey import STAGES
from collector.words import Language
from deploy.grafana import queries as q
from deploy.grafana.city import PLACES, SITES, criterion, trouble
from deploy.grafana.parts import (
    LINES,
    Panel,
    Query,
    above,
    by_name,
    choice,
    colour_of,
    coloured,
    filled,
    good_from,
    joined,
    linked,
    number,
    of_row,
    only,
    ordered,
    over_time,
    page,
    placed,
    rows,
    sources,
    way,
    with_target_line,
)
from deploy.grafana.promises import Promises
from deploy.grafana.texts import text

PROBE = q.evidence("probe")
JOURNEYS = f"{q.SITES} AND \"kind\" = 'wifi_join'"
_WAYS_IN = f'{q.SITES} AND "kind" =~ /^(wifi_join|portal)$/'
_MOST_ROWS = 50
# The stages that leave a time behind when they are passed.
_TIMED = {stage: field for stage, field in STAGES["wifi_join"].items() if field}


def build(language: Language, promised: Promises) -> builders.Dashboard:
    """Return the dashboard."""
    board = page("hotspots", language, "now-3h", "5m")
    for variable in (
        *sources(language),
        choice("county", text("county", language), q.entries("county", '"hotspot" > 0'), many=True, names=True),
        choice(
            "site",
            text("site", language).capitalize(),
            q.entries("site", f'{q.COUNTIES} AND "hotspot" > 0'),
            many=True,
            names=True,
        ),
        criterion("hotspots", language, promised),
    ):
        board.with_variable(variable)
    board.annotation(trouble(language))
    panels = (
        *_numbers(language, promised),
        _stages(language),
        _failures(language),
        _by_time(language),
        _by_day(language, promised),
        _stations(language),
        _utilization(language),
        _list(language),
    )
    return filled(board, panels)


def _numbers(language: Language, promised: Promises) -> list[Panel]:
    ways = q.recent('last("success") AS "value"', PROBE, _WAYS_IN, '"device"')
    roster = q.today('sum("hotspot")', PLACES, q.SITES)
    rate = number("percentunit", steps=good_from(promised.works_share))
    return [
        placed(
            number(),
            [Query(q.counted(ways, '"value" = 1'), "")],
            (8, 5),
            text("hotspots_up", language),
            text("hotspots_up_means", language),
        ),
        placed(number(), [Query(roster, "")], (8, 5), text("hotspots_in_roster", language)),
        placed(
            rate,
            [Query(q.select('mean("success")', PROBE, JOURNEYS), "")],
            (8, 5),
            text("journeys_rate", language),
            text("journeys_rate_means", language),
        ),
    ]


def _stages(language: Language) -> Panel:
    names = {"success": text("journeys", language)}
    names |= {field: text(f"stage_{stage}", language) for stage, field in _TIMED.items()}
    wanted = ", ".join(f'count("{field}") AS "{name}"' for field, name in names.items())
    values = common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields("")
    panel = bargauge.Panel().unit("short").min(0).reduce_options(values).thresholds(above([(None, GOOD)]))
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    query = q.select(wanted, PROBE, JOURNEYS)
    return placed(panel, [Query(query)], (12, 9), text("journeys_by_stage", language), text("stages_means", language))


def _failures(language: Language) -> Panel:
    """Of journeys that failed, each stage has as many as passed the one before it, less those that passed it."""
    before, pieces = "success", []
    for stage, field in _TIMED.items():
        pieces.append(f'count("{before}") - count("{field}") AS "{text(f"stage_{stage}", language)}"')
        before = field
    panel = over_time("short", bars=True, stacked=True).min(0).interval("5m")
    coloured(panel, {text(f"stage_{stage}", language): colour for stage, colour in zip(_TIMED, LINES[1:], strict=True)})
    query = q.select(", ".join(pieces), PROBE, f'{JOURNEYS} AND "success" = 0', q.STEP, "0")
    return placed(panel, [Query(query)], (12, 9), text("failed_by_stage", language), text("failed_means", language))


def _by_time(language: Language) -> Panel:
    title = text("journeys_by_time", language)
    query = q.select('mean("success")', PROBE, JOURNEYS, q.STEP, "none")
    return placed(over_time("percentunit").min(0).max(1).interval("1m"), [Query(query, title)], (12, 8), title)


def _by_day(language: Language, promised: Promises) -> Panel:
    panel = with_target_line(over_time("percentunit", bars=True).min(0).max(1), promised.works_share).time_from("30d")
    name = text("works", language)
    query = q.by_day(f'{q.works(promised.hotspots_count)} AS "{name}"', SITES, f"{q.SITES} AND {q.HOTSPOTS}")
    about = text("hotspots_by_day_means", language, share=f"{promised.works_share:.0%}")
    coloured(panel, {name: colour_of(Cause.WORKING)})
    return placed(panel, [Query(query)], (12, 8), text("hotspots_by_day", language), about)


def _stations(language: Language) -> Panel:
    each = q.select(
        'mean("stations") AS "on"', q.telemetry("radio"), q.SITES, f'{q.STEP}, "device", "interface"', "none"
    )
    title = text("stations", language)
    query = q.within('sum("on")', each, groups=q.STEP, fill="none")
    return placed(
        over_time("short").min(0).interval("5m"),
        [Query(query, title)],
        (12, 8),
        title,
        text("stations_means", language),
    )


def _utilization(language: Language) -> Panel:
    names = {50: text("half", language), 95: text("most", language)}
    wanted = ", ".join(f'percentile("utilization_percent", {part}) AS "{name}"' for part, name in names.items())
    query = q.select(wanted, q.telemetry("radio"), q.SITES, q.STEP, "none")
    panel = over_time("percent").min(0).max(100).interval("5m")
    return placed(panel, [Query(query)], (12, 8), text("utilization", language), text("utilization_means", language))


def _list(language: Language) -> Panel:
    rate, signal, journeys = (text(key, language) for key in ("journeys_rate", "signal_dbm", "journeys"))
    name = text("place", language)
    wanted = f'mean("success") AS "{rate}", count("success") AS "{journeys}", median("rssi_dbm") AS "{signal}"'
    each = q.select(wanted, PROBE, JOURNEYS, '"county", "site", "device"')
    described = q.names({"site_name": name}, "device", f'{q.SITES} AND "hotspot" = 1')
    worst = q.least(rate, _MOST_ROWS, ("county", "site", "device", journeys, signal), each)
    panel = placed(
        rows(rate),
        [Query(worst), Query(described)],
        (24, 12),
        text("hotspot_list", language),
    )
    only(ordered(joined(panel, "device"), rate), [name, "county", "site", "device", rate, journeys, signal])
    by_name(panel, rate, unit="percentunit", decimals=1)
    by_name(panel, signal, unit="dBm")
    url = way("device", language, county=of_row("county"), site=of_row("site"), device=of_row("device"))
    return linked(panel, "device", text("device_title", language), url)
