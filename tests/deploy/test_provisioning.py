"""Provisioning files: data sources, dashboards, and alert rules about the centre alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import alerting

from collector.glossary import misnamed
from deploy.grafana.alerts import RULES
from tests.deploy.city import City
from tests.deploy.grafana import expand, provisioning

KINDS = ("datasources", "dashboards", "alerting")
REDUCERS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda values: values[-1],
    "max": max,
    "mean": lambda values: sum(values) / len(values),
}


def tree(kind: str) -> dict[str, Any]:
    """Return a provisioning file."""
    return dict(yaml.safe_load(provisioning(f"{kind}/santong.yaml").read_text(encoding="utf-8")))


def rules() -> list[dict[str, Any]]:
    """Return the alert rules as they are provisioned."""
    (group,) = tree("alerting")["groups"]
    return list(group["rules"])


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_stands_in_a_file(kind: str) -> None:
    """Addresses and passwords come from Grafana's environment, each by a documented name."""
    text = provisioning(f"{kind}/santong.yaml").read_text(encoding="utf-8")
    assert "password: " not in text.lower().replace("basicauthpassword: $santong_grafana_password", "")
    docs = (provisioning("").parents[2] / "docs/grafana.md").read_text(encoding="utf-8")
    for name in re.findall(r"\$(SANTONG_[A-Z_]+)", text):
        assert f"`{name}`" in docs, name


def test_both_data_sources_speak_influxql_and_are_found_by_the_dashboards() -> None:
    """Each is chosen by its name: `evidence` and `telemetry` are in them."""
    sources = tree("datasources")["datasources"]
    assert [source["name"] for source in sources] == ["Santong evidence", "Santong telemetry"]
    for source, name in zip(sources, ("evidence", "telemetry"), strict=True):
        assert source["type"] == "influxdb" and source["access"] == "proxy"
        assert source["jsonData"]["version"] == "InfluxQL"
        assert source["jsonData"]["dbName"] == f"$SANTONG_GRAFANA_{name.upper()}"
        assert source["secureJsonData"] == {"basicAuthPassword": "$SANTONG_GRAFANA_PASSWORD"}
        assert re.search(name, source["name"], re.IGNORECASE)


def test_dashboards_of_both_languages_are_provided() -> None:
    """One folder a language, from files, not to be changed in the browser."""
    providers = tree("dashboards")["providers"]
    assert [provider["options"]["path"].rpartition("/")[2] for provider in providers] == ["zh", "en"]
    assert all(provider["type"] == "file" and not provider["allowUiUpdates"] for provider in providers)


def test_alert_rules_are_about_the_centre_alone() -> None:
    """No rule reads what a school does: that is for santong watch, which knows service hours and closures."""
    for rule in rules():
        assert rule["uid"].startswith("santong-centre-")
        for query in rule["data"]:
            read = re.findall(r'"(?:evidence|telemetry)"\."(\w+)"', query["model"].get("query", ""))
            assert set(read) <= {"centre", "delivery"}


def test_every_rule_asks_reduces_and_compares() -> None:
    """A → B → C as Grafana evaluates them; who gets the alert reads what to do, in both languages."""
    sources = {source["uid"] for source in tree("datasources")["datasources"]}
    assert len(rules()) == len(RULES) == len({rule["uid"] for rule in rules()})
    for rule in rules():
        asked, reduced, bounded = (alerting.Query.from_json(query) for query in rule["data"])
        assert [asked.ref_id, reduced.ref_id, bounded.ref_id] == ["A", "B", rule["condition"]]
        assert asked.datasource_uid in sources
        assert {reduced.datasource_uid, bounded.datasource_uid} == {"__expr__"}
        models = [query["model"] for query in rule["data"]]
        assert (models[1]["expression"], models[2]["expression"]) == ("A", "B")
        assert rule["noDataState"] in ("Alerting", "OK") and rule["execErrState"] == "Error"
        for language, part in zip(("zh", "en"), rule["title"].split(" · "), strict=True):
            assert not list(misnamed(part, language))  # type: ignore[arg-type]
        assert len(rule["annotations"]["description"].split("\n")) == 2


def test_only_silence_is_alarmed_when_there_are_no_data() -> None:
    """A centre that writes nothing at all is one alert, not six."""
    assert [rule["uid"] for rule in rules() if rule["noDataState"] == "Alerting"] == ["santong-centre-silent"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_every_rule_has_an_answer_and_says_what_it_should_of_a_centre_that_runs(
    city: City, rule: dict[str, Any]
) -> None:
    """
    Of an hour of a centre whose points are known, each rule gives one number a series, and the right verdict.

    It stored 50 points a second, had no trouble in the last minutes, took batches within a minute or two, dropped one a
    minute in the last ten, added 30 entries to its quarantine in 15 minutes, and used a tenth of a core.
    """
    asked, reduced, bounded = (query["model"] for query in rule["data"])
    seconds = rule["data"][0]["relativeTimeRange"]["from"]
    period = city.period._replace(start=city.period.end - seconds * 1000, points=seconds * 1000 // asked["intervalMs"])
    series = city.server.ask(expand(asked["query"], period, {}))
    assert series
    reduce = REDUCERS[reduced["reducer"]]
    evaluator = bounded["conditions"][0]["evaluator"]
    firing = []
    for one in series:
        value = reduce([row[1] for row in one["values"] if row[1] is not None])
        firing.append(value > evaluator["params"][0] if evaluator["type"] == "gt" else value < evaluator["params"][0])
    assert any(firing) is (rule["uid"] == "santong-centre-dropped"), (rule["uid"], series)
