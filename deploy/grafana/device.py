"""One device: what it said of itself, minute by minute, and what was judged of its days."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from collector.report.looks import BAD
from collector.verify.causes import Cause
from collector.words import Language
from deploy.grafana import queries as q
from deploy.grafana.influx import Event
from deploy.grafana.parts import (
    GREY,
    Panel,
    Query,
    by_name,
    choice,
    colour_of,
    coloured,
    filled,
    named,
    over_time,
    page,
    placed,
    rows,
    sources,
    strip,
)
from deploy.grafana.promises import Promises
from deploy.grafana.school import site_variables
from deploy.grafana.texts import text


def build(language: Language, _promised: Promises) -> builders.Dashboard:
    """Return the dashboard."""
    board = page("device", language, "now-24h", "1m")
    where = "\"county\" = '$county' AND \"site\" = '$site'"
    device = choice("device", text("device", language), q.entries("device", where), names=True)
    for variable in (*sources(language), *site_variables(language), device):
        board.with_variable(variable)
    for event in _events(language):
        board.annotation(event)
    panels = (
        _state(language),
        _display(language),
        _identity(language),
        _judged(language),
        _uptime(language),
        _starts(language),
        _rates(language),
        _errors(language),
        *_probes(language),
        *_machine(language),
        _sensors(language),
        _faults(language),
        *_waiting(language),
        _ends(language),
    )
    return filled(board, panels)


def _events(language: Language) -> list[Event]:
    fault = q.select('"severity", "active"', q.evidence("fault"), f'{q.DEVICE} AND "active" = 1', '"code"')
    end = q.select('"reason"', q.evidence("stop"), q.DEVICE)
    return [
        Event(text("fault_event", language), fault, BAD, "severity", "code"),
        Event(text("end_event", language), end, colour_of(Cause.AGENT_DOWN), "reason"),
    ]


def _state(language: Language) -> Panel:
    states = {
        "2": (text("internet_works", language), colour_of(Cause.WORKING)),
        "1": (named(Cause.WAN_DOWN, language), colour_of(Cause.WAN_DOWN)),
        "0": (named(Cause.LAN_DOWN, language), colour_of(Cause.LAN_DOWN)),
    }
    query = q.select('min("lan") + min("wan")', q.evidence("presence"), q.DEVICE, q.STEP, "null")
    panel = strip(states, text("no_presence", language)).interval("1m")
    about = text("state_means", language)
    return placed(panel, [Query(query, text("state_strip", language))], (24, 5), text("state_strip", language), about)


def _display(language: Language) -> Panel:
    colours = (colour_of(Cause.WORKING), colour_of(Cause.ASLEEP), "#e69f00", "#cc79a7", colour_of(Cause.POWER_OFF))
    words = ("on", "standby", "warming", "cooling", "off")
    states = {word: (text(word, language), colour) for word, colour in zip(words, colours, strict=True)}
    query = q.select('last("power")', q.evidence("display"), q.DEVICE, q.STEP, "none")
    panel = strip(states).interval("1m")
    title = text("display_strip", language)
    return placed(panel, [Query(query, title)], (24, 4), title, text("display_means", language))


def _identity(language: Language) -> Panel:
    fields = {
        "model": text("model", language),
        "serial": text("serial", language),
        "profile": text("profile", language),
        "version": text("version", language),
    }
    wanted = ", ".join(f'last("{field}") AS "{name}"' for field, name in fields.items())
    return placed(
        rows(), [Query(q.select(wanted, q.evidence("identity"), q.DEVICE))], (24, 4), text("identity", language)
    )


def _judged(language: Language) -> Panel:
    names = {cause: named(cause, language) for cause in Cause}
    wanted = ", ".join(f'"{cause}" AS "{name}"' for cause, name in names.items())
    query = q.select(wanted, q.evidence("availability"), q.DEVICE, '"criterion"')
    return placed(rows(), [Query(query)], (24, 7), text("judged_days", language), text("lost_means", language))


def _uptime(language: Language) -> Panel:
    query = q.select('max("uptime_s")', q.evidence("presence"), q.DEVICE, q.STEP, "none")
    title = text("running", language)
    return placed(over_time("s").min(0).interval("1m"), [Query(query, title)], (12, 7), title)


def _starts(language: Language) -> Panel:
    title = text("starts", language)
    query = q.by_day('count(distinct("boot"))', q.evidence("presence"), q.DEVICE)
    panel = coloured(over_time("short", bars=True).min(0).decimals(0), {title: GREY})
    return placed(panel, [Query(query, title)], (12, 7), title, text("starts_means", language))


def _rates(language: Language) -> Panel:
    names = {"rx_bytes": text("received", language), "tx_bytes": text("sent", language)}
    queries = [
        Query(
            q.select(
                f'non_negative_derivative(max("{field}"), 1s) * 8',
                q.telemetry("interface"),
                q.DEVICE,
                f'{q.STEP}, "name"',
                "none",
            ),
            f"$tag_name {name}",
        )
        for field, name in names.items()
    ]
    panel = over_time("bps").interval("2m")
    panel.override_by_regexp(
        f"/ {names['tx_bytes']}$/", [dashboard.DynamicConfigValue("custom.transform", "negative-Y")]
    )
    return placed(panel, queries, (12, 8), text("interface_rates", language), text("rates_means", language))


def _errors(language: Language) -> Panel:
    names = {"rx_errors": text("received", language), "tx_errors": text("sent", language)}
    queries = [
        Query(
            q.select(
                f'non_negative_difference(max("{field}"))',
                q.telemetry("interface"),
                q.DEVICE,
                f'{q.STEP}, "name"',
                "none",
            ),
            f"$tag_name {name}",
        )
        for field, name in names.items()
    ]
    return placed(
        over_time("short", bars=True).min(0).interval("2m"), queries, (12, 8), text("interface_errors", language)
    )


def _probes(language: Language) -> list[Panel]:
    groups = f'{q.STEP}, "kind", "target"'
    success = q.select('mean("success")', q.evidence("probe"), q.DEVICE, groups, "none")
    rtt = q.select('median("rtt_ms")', q.evidence("probe"), q.DEVICE, groups, "none")
    called = "$tag_kind $tag_target"
    return [
        placed(
            over_time("percentunit").min(0).max(1).interval("1m"),
            [Query(success, called)],
            (12, 8),
            text("probe_success", language),
        ),
        placed(over_time("ms").min(0).interval("1m"), [Query(rtt, called)], (12, 8), text("probe_rtt", language)),
    ]


def _machine(language: Language) -> list[Panel]:
    names = {"cpu_percent": "cpu", "memory_used_percent": "memory", "disk_used_percent": "disk"}
    wanted = ", ".join(f'mean("{field}") AS "{text(key, language)}"' for field, key in names.items())
    query = q.select(wanted, q.telemetry("host"), q.DEVICE, q.STEP, "none")
    hot = q.select('max("temperature_celsius")', q.telemetry("host"), q.DEVICE, q.STEP, "none")
    title = text("temperature", language)
    return [
        placed(over_time("percent").min(0).max(100).interval("1m"), [Query(query)], (12, 8), text("machine", language)),
        placed(over_time("celsius").interval("1m"), [Query(hot, title)], (12, 8), title),
    ]


def _sensors(language: Language) -> Panel:
    query = q.select('mean("value")', q.telemetry("sensor"), q.DEVICE, f'{q.STEP}, "name"', "none")
    return placed(over_time("short").interval("1m"), [Query(query, "$tag_name")], (12, 8), text("sensors", language))


def _faults(language: Language) -> Panel:
    states = {"0": ("✔", colour_of(Cause.WORKING)), "1": ("✘", BAD)}
    query = q.select('max("active")', q.evidence("fault"), q.DEVICE, f'{q.STEP}, "code"', "none")
    panel = strip(states).interval("1m")
    return placed(panel, [Query(query, "$tag_code")], (12, 8), text("faults", language), text("faults_means", language))


def _waiting(language: Language) -> list[Panel]:
    agent = q.telemetry("agent")
    waits = q.select('max("spool_batches")', agent, q.DEVICE, q.STEP, "none")
    names = {"refused_total": text("refused_by_centre", language), "dropped_total": text("given_up", language)}
    lost = [
        Query(q.select(f'non_negative_difference(max("{field}"))', agent, q.DEVICE, q.STEP, "none"), name)
        for field, name in names.items()
    ]
    title = text("waiting_data", language)
    return [
        placed(
            over_time("short").min(0).interval("1m"),
            [Query(waits, title)],
            (12, 8),
            title,
            text("waiting_means", language),
        ),
        placed(over_time("short", bars=True).min(0).interval("2m"), lost, (12, 8), text("lost_on_devices", language)),
    ]


def _ends(language: Language) -> Panel:
    wanted = f'"reason" AS "{text("reason", language)}", "uptime_s" AS "{text("uptime", language)}"'
    query = q.select(wanted, q.evidence("stop"), q.DEVICE)
    panel = by_name(rows("Time", descending=True), text("uptime", language), unit="s")
    return placed(panel, [Query(query)], (24, 6), text("ends", language))
