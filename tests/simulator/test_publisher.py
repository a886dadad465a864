"""A city through a real broker and collector, and into files."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from collector.by_hand import Importer, Trust
from collector.cli import app
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.base import Row
from collector.store.open import open_store
from collector.up import store_url
from contract.broker import BrokerSettings, BrokerUrl
from tests.services import Mosquitto, free_port

FAR = 1 << 62
CITY = ("simulate", "--devices", "12", "--days", "1", "--seed", "4", "--publish-every", "15", "--fault-rate", "5")


class Outcome(NamedTuple):
    """What a command ended with: its code, all that it said, and what of that went to standard output."""

    code: int
    text: str
    stdout: str


def santong(*arguments: str) -> Outcome:
    """Run a command."""
    result = CliRunner().invoke(app, [*arguments, "--lang", "en"])
    return Outcome(result.exit_code, result.output, result.stdout)


def stored(folder: Path) -> dict[str, list[Row]]:
    """Return the evidence in a folder's store."""
    store = open_store(store_url(folder), create=False)
    names = ("presence", "identity", "probe", "display", "usage", "stop", "throughput", "firmware")
    found = {name: list(store.select(name, 0, FAR)) for name in names}
    store.close()
    return found


def counted(folder: Path) -> dict[str, int]:
    """Return how many points there are of each measurement."""
    return {name: len(rows) for name, rows in stored(folder).items()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a city that went straight into a store."""
    folder = tmp_path_factory.mktemp("straight")
    assert santong(*CITY, "--out", str(folder)).code == 0
    return folder


def test_through_a_broker_it_is_the_same_evidence(mosquitto: Mosquitto, straight: Path, tmp_path: Path) -> None:
    """Sent over MQTT to a real collector a city has the same points as written straight into a store."""
    store = open_store(store_url(tmp_path))
    store.prepare()
    quarantine = Quarantine(tmp_path)
    collector = Collector(BrokerSettings(BrokerUrl.parse(mosquitto.url)), store, quarantine)
    collector.start()
    outcome = santong(*CITY, "--out", str(tmp_path), "--broker", mosquitto.url)
    collector.stop()
    store.close()
    assert outcome.code == 0, outcome.text
    assert stored(tmp_path) == stored(straight)
    assert (tmp_path / "truth.sqlite").stat().st_size == (straight / "truth.sqlite").stat().st_size


def test_files_are_imported(straight: Path, tmp_path: Path) -> None:
    """Written into files it can be imported, and is the same evidence again."""
    outcome = santong(*CITY, "--out", str(tmp_path), "--to-files")
    assert outcome.code == 0, outcome.text
    store = open_store(store_url(tmp_path))
    store.prepare()
    importer = Importer(store, tmp_path, Trust(None, True))
    refused: Counter[str] = Counter()
    for file in sorted((tmp_path / "batches").iterdir()):
        refused.update(importer.run(file, lambda _: None, lambda *_: None).refused)
    importer.close()
    store.close()
    assert not refused
    assert counted(tmp_path) == counted(straight)


def test_it_can_be_done_again(straight: Path) -> None:
    """The same city into the same store changes nothing."""
    before = counted(straight)
    assert santong(*CITY, "--out", str(straight), "--json").code == 0
    assert counted(straight) == before


def test_another_city_does_not_go_into_the_same_folder(straight: Path) -> None:
    """A folder that holds a city is not filled with another one, whose evidence would mix with it."""
    before = counted(straight)
    outcome = santong("simulate", "--devices", "12", "--days", "1", "--seed", "5", "--out", str(straight))
    assert outcome.code == 2
    assert "holds another city" in outcome.text
    assert counted(straight) == before


def test_the_folder_can_be_verified_at_once(straight: Path) -> None:
    """`santong verify` finds store, roster and calendars in the folder, and gives verdicts."""
    day = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=1)).date().isoformat()
    outcome = santong("verify", "--data", str(straight), "--from", day, "--json")
    assert outcome.code in (0, 1), outcome.text
    assert {target["id"] for target in json.loads(outcome.stdout)["targets"]} >= {"banbantong", "schools-online"}


def test_what_a_user_can_get_wrong_is_one_line(tmp_path: Path) -> None:
    """Wrong dates, two destinations, a broker that is not there: a line that says so, and exit code 2."""
    out = ("--out", str(tmp_path), "--devices", "3", "--days", "1")
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    for arguments, words in (
        (("--from", "soon"), "is not a date"),
        (("--from", "2999-01-01"), "in the future"),
        (("--from", "2001-01-01"), "longer ago"),
        (("--from", "2026-01-05"), "--lean"),
        (("--broker", nobody, "--to-files"), "one of them"),
        (("--broker", nobody), "is the broker running"),
        (("--broker", "http://x"), "does not start with"),
        (("--to-store", "nonsense://x"), "is no store"),
    ):
        outcome = santong("simulate", *out, *arguments)
        assert outcome.code == 2, (arguments, outcome.text)
        assert words in outcome.text
        assert outcome.text.count("\n") <= 2
