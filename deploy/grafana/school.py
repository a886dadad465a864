"""One school: a grid of its classrooms, its network, throughput against its contract."""

from grafana_foundation_sdk.builders import dashboard as builders

from collector.report.looks import BAD
from collector.verify.causes import Cause
from collector.words import Language
from deploy.grafana import queries as q
from deploy.grafana.city import LOST, PLACES, SITES, criterion
from deploy.grafana.influx import Event
from deploy.grafana.parts import (
    Panel,
    Query,
    by_name,
    choice,
    colour_of,
    coloured,
    filled,
    good_from,
    grid,
    joined,
    linked,
    named,
    of_row,
    only,
    over_time,
    page,
    placed,
    rows,
    sources,
    way,
)
from deploy.grafana.promises import Promises
from deploy.grafana.texts import text

JUDGED, ROSTER = q.evidence("availability"), q.evidence("roster")  # of its devices


def build(language: Language, promised: Promises) -> builders.Dashboard:
    """Return the dashboard."""
    board = page("school", language, "now-7d/d", "5m")
    for variable in (*sources(language), *site_variables(language), criterion("classes", language, promised)):
        board.with_variable(variable)
    board.annotation(_uplink_event(language))
    panels = (
        _facts(language),
        _grid(language, promised),
        _uplink(language),
        _throughput(language, promised),
        _lost(language),
        _classes(language, promised),
    )
    return filled(board, panels)


def site_variables(language: Language) -> list[builders.QueryVariable]:
    """Return county and site, one of each."""
    return [
        choice("county", text("county", language), q.entries("county"), names=True),
        choice("site", text("school", language), q.entries("site", "\"county\" = '$county'"), names=True),
    ]


def _uplink_event(language: Language) -> Event:
    """Return the annotation of an outage of the uplink: the gateway answers and the Internet does not."""
    where = f'{q.SITE} AND "lan" = 1 AND "wan" = 0'
    query = q.select('count("wan") AS "minutes"', q.evidence("presence"), where, "time(15m)", "none")
    return Event(text("uplink_event", language), query, BAD, "minutes")


def _facts(language: Language) -> Panel:
    columns = {
        "site_name": text("school", language),
        "operator": text("operator", language),
        "contracted_mbps": text("contracted", language),
    }
    wanted = ", ".join(f'last("{field}") AS "{name}"' for field, name in columns.items())
    panel = placed(
        rows(), [Query(q.of_the_day_before(q.select(wanted, PLACES, q.SITE)))], (24, 3), text("school_facts", language)
    )
    by_name(panel, columns["contracted_mbps"], unit="Mbits")
    return only(panel, list(columns.values()))


def _grid(language: Language, promised: Promises) -> Panel:
    query = q.by_day(f'sum("{Cause.WORKING}")', JUDGED, f"{q.SITE} AND {q.CLASSES}", '"device"')
    panel = grid(good_from(promised.minutes))
    about = text("grid_means", language, minutes=promised.minutes)
    return placed(panel, [Query(query, "$tag_device")], (24, 14), text("classroom_grid", language), about)


def _uplink(language: Language) -> Panel:
    names = {"lan": text("lan", language), "wan": text("wan", language)}
    wanted = ", ".join(f'mean("{field}") AS "{name}"' for field, name in names.items())
    panel = over_time("percentunit").min(0).max(1).interval("1m")
    coloured(panel, {names["lan"]: colour_of(Cause.LAN_DOWN), names["wan"]: colour_of(Cause.WORKING)})
    query = q.select(wanted, q.evidence("presence"), q.SITE, q.STEP, "null")
    return placed(panel, [Query(query)], (12, 9), text("site_network", language), text("site_network_means", language))


def _throughput(language: Language, promised: Promises) -> Panel:
    median, contracted, least = (text(key, language) for key in ("median_rate", "contracted", "least_rate"))
    where = f"{q.SITE} AND \"direction\" = 'download' AND \"limited_by\" = 'none'"
    panel = placed(
        over_time("Mbits").min(0),
        [
            Query(q.by_day(f'median("goodput_mbps") AS "{median}"', q.evidence("throughput"), where)),
            Query(q.by_day(f'last("contracted_mbps") AS "{contracted}"', PLACES, q.SITE)),
            Query(q.by_day(f'last("contracted_mbps") * {promised.contract_share} AS "{least}"', PLACES, q.SITE)),
        ],
        (12, 9),
        text("throughput_panel", language),
        text("throughput_means", language, share=f"{promised.contract_share:.0%}"),
    )
    by_name(panel, least, dash={"fill": "dash", "dash": [10, 10]})
    return coloured(panel, {median: colour_of(Cause.WORKING), contracted: "#8a8a8a", least: BAD})


def _lost(language: Language) -> Panel:
    names = {cause: named(cause, language) for cause in LOST}
    wanted = ", ".join(f'sum("{cause}") AS "{name}"' for cause, name in names.items())
    panel = over_time(f"suffix: {text('minutes_unit', language)}", bars=True, stacked=True).min(0)
    coloured(panel, {name: colour_of(cause) for cause, name in names.items()})
    query = q.by_day(wanted, SITES, f"{q.SITE} AND {q.CLASSES}")
    return placed(panel, [Query(query)], (24, 8), text("lost_by_cause", language), text("lost_means", language))


def _classes(language: Language, promised: Promises) -> Panel:
    rate, name, role = text("works", language), text("class", language), text("role", language)
    causes = {cause: named(cause, language) for cause in (Cause.WORKING, *LOST, Cause.POWER_OFF, Cause.ASLEEP)}
    wanted = f'{q.works(promised.classes_count)} AS "{rate}", ' + ", ".join(
        f'sum("{cause}") AS "{column}"' for cause, column in causes.items()
    )
    described = f'last("class_name") AS "{name}", last("role") AS "{role}"'
    panel = placed(
        rows(name),
        [
            Query(q.select(described, ROSTER, q.SITE, '"device"')),
            Query(q.select(wanted, JUDGED, f"{q.SITE} AND {q.CLASSES}", '"device"')),
        ],
        (24, 12),
        text("classes", language),
        text("classes_means", language),
    )
    only(joined(panel, "device", inner=False), [name, role, "device", rate, *causes.values()])
    by_name(panel, rate, unit="percentunit", decimals=1)
    url = way("device", language, county="$county", site="$site", device=of_row("device"))
    return linked(panel, "device", text("device_title", language), url)
