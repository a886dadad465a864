"""A simulated city in a real influxd, with days judged and whatever a simulated agent does not say."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from collector.check import identity_tags
from collector.roster.schema import Roster
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from contract.lines import encode_line
from contract.measurements import TABLE
from contract.sample import Value
from tests.deploy.grafana import Period, Server
from tests.processes import BIN
from tests.services import HOST, Influxd

ZONE = ZoneInfo("Asia/Shanghai")
DEVICES, DAYS, SEED = 60, 4, 7
CENTRE = "centre-test.collector"
_MINUTE_MS = 60_000


class City(NamedTuple):
    """The city: its folder, the server, a period that ends in the forenoon of a school day, its roster."""

    folder: Path
    url: str
    server: Server
    period: Period
    roster: Roster

    def store(self) -> Store:
        """Return the store."""
        return open_store(self.url)

    def of_role(self, role: str) -> list[str]:
        """Return the devices of a role."""
        return [name for name, device in self.roster.devices.items() if device.role == role]

    def of_profile(self, profile: str) -> list[str]:
        """Return the devices of a profile."""
        return [name for name, device in self.roster.devices.items() if device.profile == profile]


@pytest.fixture(scope="session")
def city(shared_influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Make a city of four days, so that two are school days at least, judge them, and add what is missing."""
    folder = tmp_path_factory.mktemp("city")
    database = f"grafana_{secrets.token_hex(6)}"
    url = shared_influxd.url(database)
    make = ("--devices", DEVICES, "--days", DAYS, "--seed", SEED, "--publish-every", 5, "--fault-rate", 3)
    _santong("simulate", *make, "--to-store", url, "--out", folder)
    _santong("verify", "--data", folder, "--store", url, "--from", _first_day(), "--to", _last_day(), code=None)
    period = Period(_at(_first_day(), 0), _at(_last_school_day(), 10) + 30 * _MINUTE_MS)
    made = City(
        folder, url, Server(f"http://{HOST}:{shared_influxd.port}", database), period, Versions(folder).on(_day(1))
    )
    _add(made)
    yield made
    shared_influxd.query(f'DROP DATABASE "{database}"')


def _day(ago: int) -> date:
    return datetime.now(ZONE).date() - timedelta(days=ago)


def _first_day() -> str:
    return str(_day(DAYS))


def _last_day() -> str:
    return str(_day(1))


def _last_school_day() -> str:
    return next(str(_day(ago)) for ago in range(1, DAYS + 1) if _day(ago).weekday() < 5)


def _at(day: str, hour: int) -> int:
    return int(datetime.fromisoformat(day).replace(hour=hour, tzinfo=ZONE).astimezone(UTC).timestamp()) * 1000


def _santong(*words: object, code: int | None = 0) -> None:
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")} | {"LANG": "C.UTF-8"}
    line = [str(BIN / "santong"), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False, env=known)
    assert "Traceback" not in done.stderr, done.stderr
    assert code is None or done.returncode == code, done


def _add(city: City) -> None:
    """Write what simulated agents do not say, through the store as the collector does."""
    store = city.store()
    platform, spot, silent = (city.of_profile(one)[0] for one in ("windows-classroom-pc", "openwrt", "pjlink-panel"))
    for minute in range(60):
        at = city.period.end - (60 - minute) * _MINUTE_MS
        errors: dict[str, Value] = {"rx_errors": minute, "tx_errors": minute // 5}
        _write(store, "interface", platform, errors, at, name="eth1")
        _write(store, "late", spot, {"oldest": at - 3_600_000, "newest": at - 60_000}, at)
        _write(store, "sensor", platform, {"value": 40.0 + minute / 10}, at, name="lamp")
        _write(
            store, "fault", platform, {"active": int(minute % 30 < 20), "severity": "warning"}, at, code="fan-blocked"
        )
        _write(store, "stop", platform, {"boot": "b", "uptime_s": 60.0 * minute, "reason": "exit 1"}, at)
        waits: dict[str, Value] = {
            "spool_batches": minute,
            "dropped_total": minute // 10,
            "refused_total": minute // 20,
        }
        _write(store, "agent", silent, waits, at)
        _write(
            store,
            "radio",
            spot,
            {"stations": 20 + minute % 5, "utilization_percent": 30.0 + minute % 9},
            at,
            interface="wlan0",
        )
        _write(
            store,
            "centre",
            CENTRE,
            {
                "received": minute * 600, "dropped": max(0, minute - 50), "stored_batches": minute * 600,
                "stored_lines": minute * 3000, "refused": minute, "waiting": minute % 7, "quarantine": minute * 2,
                "trouble": int(minute == 30), "cpu_seconds": minute * 6.0, "rss_bytes": 64_000_000,
                "lag_p50_ms": 300 + minute, "lag_p99_ms": 2000 + minute,
            },
            at,
        )  # fmt: skip
    store.close()


def _write(store: Store, measurement: str, device: str, fields: dict[str, Value], at: int, **tags: str) -> None:
    line = encode_line(measurement, tags, fields, at * 1_000_000)
    head = measurement.encode()
    assert not store.write(
        TABLE[measurement].retention, head + identity_tags(device, device) + line[len(head) :] + b"\n"
    )
