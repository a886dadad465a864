"""What the centre writes of itself and of its roster, beside a collector that runs: on both stores."""

import logging
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.calendars.zone import day_window
from collector.centre_points import CentrePoints, name_of_this_centre
from collector.pipeline import Collector
from collector.quarantine import Entry, Quarantine
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.roster_points import RosterPoints
from collector.store.base import Poison, Row, Store, StoreUnavailable
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import TABLE, Retention
from contract.names import check_device
from tests.collector.test_pipeline import RawAgent, batch, until
from tests.services import Mosquitto

ZONE = ZoneInfo("Asia/Shanghai")
EXAMPLE = Path(__file__).parents[3] / "collector/roster/example"


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Open a quarantine."""
    opened = Quarantine(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def collector(mosquitto: Mosquitto, store: Store, quarantine: Quarantine) -> Iterator[Collector]:
    """Run a collector."""
    running = Collector(BrokerSettings(BrokerUrl.parse(mosquitto.url)), store, quarantine)
    running.start()
    yield running
    running.stop()


class Away:
    """A store that is away, until `is_back`."""

    def __init__(self, store: Store) -> None:
        self._store, self.is_back = store, False

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Write, or fail."""
        if not self.is_back:
            raise StoreUnavailable("connection refused")
        return self._store.write(retention, lines)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def points(store: Store) -> list[Row]:
    """Return the centre's points."""
    now_ns = time.time_ns()
    return list(store.select("centre", now_ns - 3600 * 10**9, now_ns + 10**9))


def imported(data: Path, day: date) -> Versions:
    """Import the example roster, in force from a day on."""
    versions = Versions(data)
    reading = read(sorted(EXAMPLE.glob("*.csv"), reverse=True))
    assert not reading.errors
    assert versions.add(reading, day, "tests")
    return versions


def test_a_collector_says_what_it_did(
    mosquitto: Mosquitto, store: Store, collector: Collector, quarantine: Quarantine, tmp_path: Path
) -> None:
    """Batches and lines stored, what was refused, the quarantine, processor time, memory, and that nothing is wrong."""
    agent = RawAgent(mosquitto.port)
    assert until(lambda: collector.receiver.is_connected)
    agent.send(batch(1), batch(2), batch(3, b"presence lan=2.5 1764000000000000000"))
    assert until(lambda: collector.counters().stored_batches == 3)
    quarantine.add([Entry(1, "a", "a", "", -1, 0, "bad_gzip", "", 0, b"")])
    CentrePoints(collector, quarantine, store, RosterPoints(tmp_path, ZONE)).look()
    (point,) = points(store)
    assert point.fields.keys() == {field.name for field in TABLE["centre"].fields}
    said = {
        name: point.fields[name] for name in ("received", "stored_batches", "refused", "dropped", "waiting", "trouble")
    }
    assert said == {"received": 3, "stored_batches": 3, "refused": 1, "dropped": 0, "waiting": 0, "trouble": 0}
    assert point.fields["quarantine"] == quarantine.total() == 2
    assert 0 < float(point.fields["cpu_seconds"]) < 3600
    assert 10 << 20 < int(point.fields["rss_bytes"]) < 2 << 30


def test_it_has_a_name_that_no_school_has() -> None:
    """Its points are told by the machine that the collector runs on, and pass as those of any device do."""
    name = name_of_this_centre()
    assert check_device(name) == name
    assert name.startswith("centre-") and name.endswith(".collector")


def test_it_writes_on_its_own_until_it_is_stopped(
    store: Store, collector: Collector, quarantine: Quarantine, tmp_path: Path
) -> None:
    """A point at once, then one each time that is due; none after the stop."""
    centre = CentrePoints(collector, quarantine, store, RosterPoints(tmp_path, ZONE), every_s=0.05)
    centre.start()
    assert until(lambda: len(points(store)) >= 3)
    centre.stop()
    found = len(points(store))
    assert not until(lambda: len(points(store)) > found, 0.3)


def test_a_store_that_is_away_costs_nothing_but_the_point(
    store: Store, collector: Collector, quarantine: Quarantine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and written again, roster and all, when the store is back."""
    today = date(2025, 11, 24)
    imported(tmp_path, today)
    away = Away(store)
    centre = CentrePoints(collector, quarantine, away, RosterPoints(tmp_path, ZONE, lambda _zone: today))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "santong.centre"):
        for _ in range(3):
            centre.look()
    assert [record.message for record in caplog.records] == [
        "what the centre says of itself is not stored: connection refused"
    ]
    assert not points(store)
    away.is_back = True
    centre.look()
    assert len(points(store)) == 1
    assert list(store.select("roster", *day_window(today, ZONE)))


def test_the_roster_is_written_each_day_and_with_each_version(
    store: Store, collector: Collector, quarantine: Quarantine, tmp_path: Path
) -> None:
    """At the start, after midnight, and when somebody imports another one: each time once."""
    monday = date(2025, 11, 24)
    days = [monday]
    writes: list[Retention] = []

    class Counting(Away):
        def write(self, retention: Retention, lines: bytes) -> list[Poison]:
            writes.append(retention)
            return store.write(retention, lines)

    counted: Store = Counting(store)  # type: ignore[assignment]
    centre = CentrePoints(collector, quarantine, counted, RosterPoints(tmp_path, ZONE, lambda _zone: days[-1]))
    centre.look()
    assert Retention.EVIDENCE not in writes, "without a roster there is nothing to say of it"
    versions = imported(tmp_path, monday)
    for _ in range(3):
        centre.look()
    devices = [name for name, device in versions.on(monday).devices.items() if device.exists_on(monday)]
    assert writes.count(Retention.EVIDENCE) == 1
    assert {row.device for row in store.select("roster", *day_window(monday, ZONE))} == set(devices)
    days.append(monday + timedelta(1))
    centre.look()
    assert {row.device for row in store.select("roster", *day_window(days[-1], ZONE))} == set(devices)
    table = (EXAMPLE / "devices.csv").read_text(encoding="utf-8-sig").splitlines()
    (tmp_path / "devices.csv").write_text("\n".join(table[:-1]) + "\n", encoding="utf-8")
    assert versions.add(read([EXAMPLE / "sites.csv", tmp_path / "devices.csv"]), days[-1], "tests")
    centre.look()
    counts = {row.device: row.fields["counts"] for row in store.select("roster", *day_window(days[-1], ZONE))}
    assert list(counts.values()).count(0) >= 1, "who is not in the new version counts no more"
