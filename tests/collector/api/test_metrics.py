"""Metrics: as Prometheus reads them, by its own parser, and by the rules of its own linter."""

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.centre_points import centre_line
from collector.metering import METRICS, Meter, families_of
from collector.metrics import TYPE, Family, as_text
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.sqlite import SqliteStore
from contract.broker import BrokerSettings, BrokerUrl
from contract.errors import ConfigError
from contract.measurements import TABLE
from tests.collector.api.conftest import PASSWORD, Served
from tests.collector.web import ask, basic
from tests.deploy.grafana import dashboards, targets
from tests.processes import CollectProcess
from tests.services import Mosquitto, free_port

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def parsed(text: str) -> Samples:
    """Return the samples by name and labels, as Prometheus' client reads them."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def lint(text: str) -> list[str]:
    """Return what `promtool check metrics` would complain of: https://prometheus.io/docs/practices/naming."""
    flaws = []
    for family in text_string_to_metric_families(text):
        name = family.samples[0].name
        if not family.documentation:
            flaws.append(f"{name}: no help")
        if (family.type == "counter") != name.endswith("_total"):
            flaws.append(f"{name}: counters, and they alone, end with _total")
        if not re.fullmatch(r"santong(_[a-z0-9]+)+", name) or re.search(
            r"_(gauge|counter|ms|minutes|kb|mb|hours)\b", name
        ):
            flaws.append(f"{name}: is not named as metrics are")
        for sample in family.samples:
            flaws += [
                f"{name}: label {label}" for label in sample.labels if label in ("le", "quantile", "job", "instance")
            ]
    lines = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    return flaws + [f"{name}: twice" for name in set(lines) if lines.count(name) > 1]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXTS, st.floats(allow_nan=False), TEXTS)
def test_whatever_is_counted_can_be_read_back(label: str, value: float, about: str) -> None:
    """Any label and any number, infinities among them: the parser gives back what was written."""
    families = [Family("santong_x", "gauge", about, [({"county": label}, value)])]
    assert parsed(as_text(families).decode())["santong_x"][("county", label),] == value


def test_the_city_is_counted(served: Served) -> None:
    """Devices by county and state, incidents that are open, quarantine, the age of the evidence, and each part."""
    answer = ask(served.url, "/metrics", basic("admin", PASSWORD))
    assert answer.headers["content-type"] == TYPE
    text = answer.body.decode()
    assert lint(text) == []
    found = parsed(text)
    devices = len(served.city.roster.devices)
    assert sum(found["santong_devices"].values()) == devices
    assert {dict(labels)["county"] for labels in found["santong_devices"]} == set(served.city.counties)
    assert found["santong_incidents_open"][("kind", "operator"),] == 1
    assert found["santong_incidents_open"][("kind", "fault"),] == 0, "a kind of which there is none is 0, not away"
    assert found["santong_quarantine_entries"][()] == found["santong_quarantine_refused_total"][()] == 2 * devices + 1
    assert 0 <= found["santong_evidence_age_seconds"][()] < 900
    assert found["santong_part_up"] == {(("part", part),): 1 for part in ("store", "roster", "evidence")}


def test_whoever_sees_a_part_gets_no_metrics(served: Served) -> None:
    """They are of the whole centre."""
    name = next(name for name, who in served.city.people.items() if who.county)
    assert ask(served.url, "/metrics", basic(name, PASSWORD)).status == 403


def test_a_collector_has_its_own(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """`santong collect --metrics`: counters of this very process, over HTTP, on this machine alone; then it ends."""
    store = SqliteStore(tmp_path / "santong.sqlite")
    store.prepare()
    quarantine = Quarantine(tmp_path)
    collector = Collector(BrokerSettings(BrokerUrl.parse(mosquitto.url)), store, quarantine)
    meter = Meter("0", lambda: families_of(collector, quarantine))
    assert meter.url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(meter.url, timeout=10) as answer:  # noqa: S310  our own loopback address
        text = answer.read().decode()
        assert answer.headers["Content-Type"] == TYPE
    assert lint(text) == []
    found = parsed(text)
    for name in collector.counters()._fields:
        assert found[f"santong_collector_{name}_total"] == {(): 0}
    for name in ("waiting_batches", "in_trouble", "quarantined_total"):
        assert found[f"santong_collector_{name}"] == {(): 0}
    assert found["santong_collector_cpu_seconds_total"][()] > 0
    assert found["santong_collector_resident_memory_bytes"][()] > 10e6
    metrics = {f"santong_collector_{name}" for name, _ in METRICS.values()}
    lags = {"santong_collector_lag_p50_seconds", "santong_collector_lag_p99_seconds"}
    assert found.keys() == metrics - lags, "nothing came: no lag is not a lag of nothing"
    collector.lags.add([500] * 9)
    centre_line(collector, quarantine, "a-b.c", 1)
    with urllib.request.urlopen(meter.url, timeout=10) as answer:  # noqa: S310  our own loopback address
        found = parsed(answer.read().decode())
    assert found.keys() == metrics
    assert all(found[name][()] == pytest.approx(0.5, rel=0.03) for name in lags)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(meter.url.replace("/metrics", "/"), timeout=10)  # noqa: S310
    meter.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(meter.url, timeout=10)  # noqa: S310
    store.close()


def test_every_figure_of_a_collector_has_its_metric() -> None:
    """Whatever field of `centre` the dashboard asks for, and each that there is, Prometheus can read as well."""
    fields = {field.name for field in TABLE["centre"].fields}
    asked: set[str] = set()
    for board in dashboards().values():
        for target in targets("centre", board):
            if '"centre"' in target.text:
                asked |= {name for name in re.findall(r'"(\w+)"', target.text) if name in fields}
    assert asked >= {"stored_lines", "quarantine", "waiting", "dropped", "cpu_seconds", "rss_bytes", "trouble"}
    assert fields <= METRICS.keys()
    told = (Path(__file__).parents[3] / "docs/api.md").read_text(encoding="utf-8")
    for field in fields:
        assert METRICS[field][0] in told, f"docs/api.md does not tell of {METRICS[field][0]}"


def test_the_command_has_them_where_it_is_asked_to(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """`santong collect --metrics PORT`, a process of its own that ends in good order."""
    port = free_port()
    more = ("--metrics", str(port))
    process = CollectProcess(tmp_path, mosquitto.url, f"sqlite://{tmp_path / 'santong.sqlite'}", *more)
    process.start()
    process.wait_until_receiving()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert parsed(answer.read().decode())["santong_collector_in_trouble"] == {(): 0}
    process.stop()
    assert "Traceback" not in process.words()


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1:99999", "192.0.2.1:9", "127.0.0.1:"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    """One line that names the setting."""
    with pytest.raises(ConfigError, match=r"^settings: metrics: ") as caught:
        Meter(address, list)
    assert len(caught.value.problems) == 1
