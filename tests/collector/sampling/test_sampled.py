"""From the draw to the figure: a simulated city whose truth plays the inspector, over both stores."""

import csv
import io
import json
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from collector.asked import Asked
from collector.at_minutes import At, causes_at
from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.calendars.zone import day_window
from collector.judging import Judge
from collector.roster.schema import Device, Roster
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.load import load
from collector.verify.causes import MINUTE_NS
from simulator.minutes import Truth
from tests.collector.commands import run
from tests.collector.verify.minutes import minutes_in
from tests.services import Influxd

ZONE = ZoneInfo("Asia/Shanghai")
DEVICES, DAYS, SIZE = 30, 2, 24
_TODAY = datetime.now(UTC).date()
MONDAY = _TODAY - timedelta(days=_TODAY.weekday() + 7)
TUESDAY = MONDAY + timedelta(days=1)
BANBANTONG = next(one for one in load().targets if one.id == "banbantong")


class City(NamedTuple):
    """A simulated city: its folder, and the store that its evidence is in."""

    folder: Path
    url: str


@pytest.fixture(scope="module", params=["sqlite", "influx"])
def city(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Make a city in a store, once for all tests of this file."""
    folder = tmp_path_factory.mktemp("sampled") / "city"
    url = f"sqlite://{folder}/santong.sqlite"
    if request.param == "influx":
        server: Influxd = request.getfixturevalue("shared_influxd")
        url = server.url(f"test_{secrets.token_hex(6)}")
    words = ["--devices", DEVICES, "--days", DAYS, "--seed", 5, "--from", MONDAY, "--lean", "--fault-rate", 4]
    run("simulate", *words, "--out", folder, "--to-store", url)
    yield City(folder, url)
    if request.param == "influx":
        server.query(f'DROP DATABASE "{url.rpartition("/")[2]}"')


def roster_of(city: City) -> Roster:
    """Return the roster of a city."""
    return Versions(city.folder).on(TUESDAY)


def truth_of(city: City, devices: list[Device], at: datetime) -> str:
    """Return what an inspector would see of a class: the number on the form."""
    truth = Truth(city.folder / "truth.sqlite")
    seen = []
    for device in devices:
        known = truth.known(device.id)
        speaker = truth.known(device.speaker) if device.speaker != device.id else None
        minute = known.minute(int(at.timestamp()) * 1000, speaker) if known.is_there else None
        seen.append("absent" if minute is None else "usable" if minute.is_good else minute.why)
    truth.close()
    if "usable" in seen:
        return "1"
    return {"off": "3", "absent": "4"}.get(seen[0], "2")


def fill(city: City, table: Path, days: tuple[date, ...] = (MONDAY, TUESDAY), lie: int = 0) -> Path:
    """Fill the table from the truth, each class at some minute between eight and twelve; `lie` about so many."""
    chance = random.Random(1)
    rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    devices = roster_of(city).devices.values()
    for number, row in enumerate(rows[1:]):
        on = chance.choice(days)
        at = datetime(on.year, on.month, on.day, chance.randrange(8, 12), chance.randrange(60), tzinfo=ZONE)
        seen = truth_of(city, [one for one in devices if one.room == row[2] and one.role == "classroom"], at)
        if number < lie:
            seen = "1" if seen != "1" else "3"
        row[5:8] = [seen, f"{at:%Y-%m-%d}", f"{at:%H:%M}"]
    filled = table.with_name("filled.csv")
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    filled.write_text(text.getvalue(), encoding="gbk")
    return filled


def drawn(city: City, seed: str) -> Path:
    """Draw a sample of a city; return the table to fill."""
    out = city.folder / f"sample-{seed}"
    run("sample", "draw", "--size", SIZE, "--seed", seed, "--day", MONDAY, "--data", city.folder, "--out", out)
    return out / "results.csv"


def test_truth_and_evidence_agree(city: City) -> None:
    """What an inspector who sees the truth writes down agrees with the evidence wherever there is any."""
    filled = fill(city, drawn(city, "a"))
    said, _ = run("sample", "results", filled, "--data", city.folder, "--store", city.url, "--json")
    found = json.loads(said)
    assert found["compared"] + sum(found["unknown"].values()) == SIZE
    assert found["compared"] >= SIZE * 3 // 4
    assert found["agreed"] >= found["compared"] - 1
    assert found["estimate"]["share"] > 0.9
    assert found["estimate"]["low"] < found["estimate"]["share"] <= found["estimate"]["high"]
    assert found["table"]["both"] > 0
    assert sum(one["compared"] for one in found["strata"]) == found["compared"]
    assert sum(one["drawn"] for one in found["strata"]) == SIZE


def test_what_was_seen_otherwise_is_named(city: City) -> None:
    """Whoever sees the contrary in six classes makes sentences of them; a later file corrects an earlier one."""
    table = drawn(city, "b")
    said, _ = run(
        "sample", "results", fill(city, table, lie=6), "--data", city.folder, "--store", city.url, "--lang", "en"
    )
    disagreements = [line for line in said.splitlines() if ": evidence says" in line or ": it was seen" in line]
    assert len(disagreements) >= 3
    assert f"disagreements: {len(disagreements)}" in said
    corrected, _ = run(
        "sample", "results", fill(city, table), "--data", city.folder, "--store", city.url, "--lang", "en"
    )
    assert len([line for line in corrected.splitlines() if line.startswith("corrected: ")]) == 6
    again, _ = run(
        "sample", "results", table.with_name("filled.csv"), "--data", city.folder, "--store", city.url, "--lang", "en"
    )
    assert "is stored already" in again


def test_a_minute_alone_is_judged_as_within_its_day(city: City) -> None:
    """The cause of one minute is the one that it has when the whole day is judged."""
    roster, criterion = roster_of(city), BANBANTONG.criterion
    devices = [one for one in roster.devices.values() if one.role == "classroom"][:12]
    now_ns = int(datetime.now(UTC).timestamp()) * 10**9
    day = day_window(TUESDAY, ZONE)
    hours = (Window(day.start_ns + 7 * 60 * MINUTE_NS, day.start_ns + 18 * 60 * MINUTE_NS),)
    schedule = DaySchedule(TUESDAY, DayKind.WORKDAY, "", day.start_ns, day.end_ns, hours, hours)
    opened = open_store(city.url)
    whole = judged_whole(opened, [Asked(one, schedule, criterion, "") for one in devices], now_ns)
    chance = random.Random(2)
    asked = [At(one, hours[0].start_ns + chance.randrange(660) * MINUTE_NS) for one in devices for _ in range(20)]
    causes: Counter[str] = Counter()
    for at, run_ in causes_at(opened, asked, criterion, ZONE, now_ns):
        assert run_ is not None
        assert (run_.cause, run_.stage) == whole[at]
        causes[run_.cause] += 1
    opened.close()
    assert len(causes) > 2


def judged_whole(store: Store, asked: list[Asked], now_ns: int) -> dict[At, tuple[str, str]]:
    """Return the cause of each minute of whole days."""
    devices = {one.device.id: one.device for one in asked}
    return {
        At(devices[record.device], minute.start_ns): (minute.cause, minute.stage)
        for record in Judge(store, {}, now_ns).day(asked)
        for minute in minutes_in(record.runs)
    }


def test_a_minute_that_is_not_over_has_no_cause(city: City) -> None:
    """What lies ahead of the evidence is unknown."""
    device = next(iter(roster_of(city).devices.values()))
    opened = open_store(city.url)
    now_ns = int(datetime(TUESDAY.year, TUESDAY.month, TUESDAY.day, 9, 30, tzinfo=ZONE).timestamp()) * 10**9
    ((_, run_),) = causes_at(opened, [At(device, now_ns)], BANBANTONG.criterion, ZONE, now_ns)
    opened.close()
    assert run_ is None
