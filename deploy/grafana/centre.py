"""The centre itself: how much it takes, how late, what it refuses, what waits, how busy it is."""

from grafana_foundation_sdk.builders import dashboard as builders

from collector.report.looks import BAD, GOOD
from collector.words import Language
from deploy.grafana import queries as q
from deploy.grafana.city import trouble
from deploy.grafana.parts import (
    Panel,
    Query,
    filled,
    linked,
    note,
    of_row,
    over_time,
    page,
    placed,
    rows,
    sources,
    strip,
    way,
)
from deploy.grafana.promises import Promises
from deploy.grafana.texts import text

CENTRE = q.telemetry("centre")
ANY = '"device" =~ /.+/'
_MOST_ROWS = 20


def build(language: Language, _promised: Promises) -> builders.Dashboard:
    """Return the dashboard."""
    board = page("centre", language, "now-1h", "1m")
    for variable in sources(language):
        board.with_variable(variable)
    board.annotation(trouble(language))
    panels = (
        _stores(language),
        _points(language),
        _lag(language),
        _refused(language),
        _buffer(language),
        _cpu(language),
        _memory(language),
        *_backlog(language),
        _late(language),
        _lost(language),
        note(text("centre_note", language), (24, 4)),
    )
    return filled(board, panels)


def counter(field: str, change: str) -> str:
    """Return a query of how a counter of each collector changes; `change` is an InfluxQL function of it."""
    what = change.replace("$", f'max("{field}")')
    return q.select(what, CENTRE, ANY, f'{q.STEP}, "device"', "none")


def points_a_second() -> str:
    """Return the query of how many points are stored a second, by each collector."""
    return counter("stored_lines", "non_negative_derivative($, 1s)")


def _stores(language: Language) -> Panel:
    states = {"0": (text("stores", language), GOOD), "1": (text("stores_nothing", language), BAD)}
    query = q.select('max("trouble")', CENTRE, ANY, f'{q.STEP}, "device"', "null")
    panel = strip(states).interval("1m")
    return placed(
        panel, [Query(query, "$tag_device")], (24, 4), text("trouble_strip", language), text("trouble_means", language)
    )


def _points(language: Language) -> Panel:
    panel = over_time("short").min(0).interval("2m")
    query = Query(points_a_second(), "$tag_device")
    return placed(panel, [query], (12, 8), text("points_a_second", language), text("points_means", language))


def _lag(language: Language) -> Panel:
    names = {"lag_p50_ms": text("half", language), "lag_p99_ms": "p99"}
    groups = f'{q.STEP}, "device"'
    queries = [
        Query(q.select(f'max("{field}")', CENTRE, ANY, groups, "none"), f"$tag_device {name}")
        for field, name in names.items()
    ]
    panel = over_time("ms").min(0).interval("1m")
    return placed(panel, queries, (12, 8), text("lag", language), text("lag_means", language))


def _refused(language: Language) -> Panel:
    query = Query(counter("quarantine", "non_negative_difference($)"), "$tag_device")
    return placed(over_time("short", bars=True).min(0).interval("2m"), [query], (12, 8), text("quarantined", language))


def _buffer(language: Language) -> Panel:
    waits = Query(q.select('max("waiting")', CENTRE, ANY, f'{q.STEP}, "device"', "none"), text("buffer", language))
    drops = Query(counter("dropped", "non_negative_difference($)"), text("dropped", language))
    panel = over_time("short").min(0).interval("2m")
    return placed(panel, [waits, drops], (12, 8), text("buffer", language), text("buffer_means", language))


def _cpu(language: Language) -> Panel:
    query = Query(counter("cpu_seconds", "non_negative_derivative($, 1s)"), "$tag_device")
    return placed(over_time("percentunit").min(0).interval("2m"), [query], (12, 8), text("collector_cpu", language))


def _memory(language: Language) -> Panel:
    query = Query(q.select('max("rss_bytes")', CENTRE, ANY, f'{q.STEP}, "device"', "none"), "$tag_device")
    return placed(over_time("bytes").min(0).interval("1m"), [query], (12, 8), text("collector_memory", language))


def _backlog(language: Language) -> list[Panel]:
    agent, waits = q.telemetry("agent"), text("waiting", language)
    some = '"spool_batches" > 0'  # a device with nothing adds nothing, and most have none
    each = q.select('max("spool_batches") AS "waits"', agent, some, f'{q.STEP}, "device"', "none")
    total = Query(q.within('sum("waits")', each, groups=q.STEP, fill="none"), waits)
    newest = q.recent(f'last("spool_batches") AS "{waits}"', agent, ANY, '"county", "site", "device"')
    most = Query(q.least(waits, _MOST_ROWS, ("county", "site", "device"), newest, greatest=True))
    table = placed(rows(waits, descending=True), [most], (12, 8), text("backlog_list", language))
    url = way("device", language, county=of_row("county"), site=of_row("site"), device=of_row("device"))
    return [
        placed(
            over_time("short").min(0).interval("5m"),
            [total],
            (12, 8),
            text("backlog", language),
            text("waiting_means", language),
        ),
        linked(table, "device", text("device_title", language), url),
    ]


def _late(language: Language) -> Panel:
    query = Query(q.select('count("newest")', q.evidence("late"), ANY, q.STEP, "none"), text("late_marks", language))
    return placed(over_time("short", bars=True).min(0).interval("5m"), [query], (12, 8), text("late_marks", language))


def _lost(language: Language) -> Panel:
    names = {"refused_total": text("refused_by_centre", language), "dropped_total": text("given_up", language)}
    queries = []
    for field, name in names.items():
        change = f'non_negative_difference(max("{field}")) AS "more"'
        each = q.select(change, q.telemetry("agent"), f'"{field}" > 0', f'{q.STEP}, "device"', "none")
        queries.append(Query(q.within('sum("more")', each, groups=q.STEP, fill="none"), name))
    panel = over_time("short", bars=True).min(0).interval("5m")
    return placed(panel, queries, (12, 8), text("agents_refused", language), text("agents_refused_means", language))
