"""
Alert rules of Grafana: about the centre's own health, and nothing else.

Schools, hotspots and devices are watched by `santong watch`, which knows service hours, closures and whose fault it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml
from grafana_foundation_sdk.models import alerting

from deploy.grafana import queries as q
from deploy.grafana.centre import ANY, CENTRE, points_a_second
from deploy.grafana.texts import text

FOLDER = "Santong"
EVIDENCE_UID, TELEMETRY_UID = "santong-evidence", "santong-telemetry"  # of the provisioned data sources
_EXPRESSION = {"type": "__expr__", "uid": "__expr__"}
LAG_S, QUARANTINED, CPU_SHARE = 120, 100, 0.9


class AlertRule(NamedTuple):
    """
    A rule: a query over `minutes`, what is made of its values (`reducer`), and the bound that must not be crossed.

    `nothing` is what no data mean: Alerting, or OK.
    """

    name: str
    query: str
    minutes: int
    reducer: str
    bound: tuple[str, float]
    lasting: str
    nothing: str
    words: Mapping[str, object] = {}


RULES = (
    AlertRule("silent", points_a_second(), 10, "max", ("lt", 0.001), "5m", "Alerting"),
    AlertRule("trouble", q.select('max("trouble")', CENTRE, ANY, q.STEP, "none"), 5, "last", ("gt", 0), "2m", "OK"),
    AlertRule(
        "lag",
        q.select('percentile("lag_ms", 50)', q.evidence("delivery"), ANY, q.STEP, "none"),
        10,
        "last",
        ("gt", LAG_S * 1000),
        "15m",
        "OK",
        {"seconds": LAG_S},
    ),
    AlertRule(
        "quarantine",
        q.select('spread("quarantine")', CENTRE, ANY),
        15,
        "last",
        ("gt", QUARANTINED),
        "0s",
        "OK",
        {"number": QUARANTINED},
    ),
    AlertRule("dropped", q.select('spread("dropped")', CENTRE, ANY), 10, "last", ("gt", 0), "5m", "OK"),
    AlertRule(
        "cpu",
        q.select('non_negative_derivative(max("cpu_seconds"), 1s)', CENTRE, ANY, f'{q.STEP}, "device"', "none"),
        15,
        "mean",
        ("gt", CPU_SHARE),
        "15m",
        "OK",
        {"percent": f"{CPU_SHARE:.0%}"},
    ),
)


def as_yaml() -> str:
    """Return the provisioning file of all rules."""
    group = {
        "orgId": 1,
        "name": f"{text('alert_group', 'zh')} {text('alert_group', 'en')}",
        "folder": FOLDER,
        "interval": "1m",
        "rules": [_rule(rule) for rule in RULES],
    }
    head = "# Written by python -m deploy.grafana: change deploy/grafana/alerts.py, not this file.\n"
    tree = {"apiVersion": 1, "groups": [group]}
    return head + yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=120)


def _rule(rule: AlertRule) -> dict[str, Any]:
    key = f"alert_{rule.name}"
    title = " · ".join(text(key, language, **rule.words) for language in ("zh", "en"))
    evidence = '"evidence".' in rule.query
    return {
        "uid": f"santong-centre-{rule.name}",
        "title": title,
        "condition": "C",
        "data": [_plain(query) for query in _steps(rule, EVIDENCE_UID if evidence else TELEMETRY_UID)],
        "noDataState": rule.nothing,
        "execErrState": "Error",
        "for": rule.lasting,
        "annotations": {
            "summary": title,
            "description": "\n".join(text(f"{key}_do", language) for language in ("zh", "en")),
        },
        "labels": {"about": "santong-centre"},
        "isPaused": False,
    }


def _steps(rule: AlertRule, uid: str) -> list[alerting.Query]:
    kind, value = rule.bound
    asked = {"refId": "A", "query": rule.query, "rawQuery": True, "resultFormat": "time_series", "intervalMs": 120_000}
    reduced = {"refId": "B", "type": "reduce", "expression": "A", "reducer": rule.reducer, "datasource": _EXPRESSION}
    bounded = {
        "refId": "C",
        "type": "threshold",
        "expression": "B",
        "conditions": [{"evaluator": {"type": kind, "params": [value]}}],
        "datasource": _EXPRESSION,
    }
    period = alerting.RelativeTimeRange(from_val=rule.minutes * 60, to=0)
    models = ((uid, asked), ("__expr__", reduced), ("__expr__", bounded))
    return [
        alerting.Query(datasource_uid=source, model=model, ref_id=str(model["refId"]), relative_time_range=period)  # type: ignore[arg-type]
        for source, model in models
    ]


def _plain(query: alerting.Query) -> dict[str, Any]:
    tree = query.to_json()
    period: Any = tree["relativeTimeRange"]
    return tree | {"relativeTimeRange": period.to_json()}
