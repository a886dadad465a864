"""
A month that is over, of the county in tests/collector/report: evidence of its first Monday and Tuesday, closed.

Everything is done by the commands that people type.
"""

import csv
import json
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from collector.store.open import open_store
from tests.collector.commands import run
from tests.collector.report.conftest import DEVICES, SITES, TARGETS
from tests.collector.verification.test_cli_rates import CALENDARS
from tests.collector.verification.world import CLASS_1, CLASS_2, ZONE, World

LAST_OF_MONTH = datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)
FIRST = LAST_OF_MONTH.replace(day=1)
MONDAY = FIRST + timedelta(days=-FIRST.weekday() % 7)
TUESDAY = MONDAY + timedelta(days=1)
MONTH = f"{FIRST:%Y-%m}"
CLOSED = f"ST-{MONTH}"
KINDS = ("json", "html", "xlsx", "pdf")


class County(NamedTuple):
    """A data folder, and how it is asked about."""

    data: Path
    options: Sequence[object]

    @property
    def store(self) -> Path:
        """The file of its store."""
        return self.data / "santong.sqlite"

    def close(self, *more: object, code: int = 0) -> tuple[str, str]:
        """Close the month."""
        return run("close", MONTH, *self.options, *more, code=code)

    def file(self, kind: str, closing: str = CLOSED) -> Path:
        """Return a file of a closing."""
        return self.data / "reports" / closing / f"{closing}.{kind}"

    def document(self, closing: str = CLOSED) -> dict[str, Any]:
        """Return the report of a closing as JSON."""
        found: dict[str, Any] = json.loads(self.file("json", closing).read_text(encoding="utf-8"))
        return found

    def check(self, file: Path, *more: object, code: int = 0) -> dict[str, Any]:
        """Check a report against the store, and return what `--json` says."""
        found: dict[str, Any] = json.loads(run("report", "check", file, *self.options, "--json", *more, code=code)[0])
        return found

    def recheck(self, file: Path, closing: str = CLOSED, code: int = 0) -> dict[str, Any]:
        """Check a report with nothing but the archive of a closing and the public key."""
        nothing = self.data / "nothing"
        key = self.data / "evidence" / "public.pem"
        archive = self.file("evidence.zip", closing)
        words = ("report", "check", file, "--evidence", archive, "--key", key, "--data", nothing, "--json")
        found: dict[str, Any] = json.loads(run(*words, code=code)[0])
        return found

    def add(self, world: World) -> None:
        """Put more evidence into the store."""
        opened = open_store(f"sqlite:///{self.store}")
        world.write(opened)
        opened.close()

    def tamper(self, statement: str, *values: object) -> None:
        """Do to the store what somebody with its file can do; one row at least is touched."""
        with sqlite3.connect(self.store) as connection:
            assert connection.execute(statement, values).rowcount >= 1
        connection.close()


def county_in(folder: Path) -> County:
    """Return the county of a folder."""
    rosters = ("--roster", folder / "sites.csv", "--roster", folder / "devices.csv")
    return County(folder, ("--data", folder, "--targets", folder / "targets.yaml", *rosters))


@pytest.fixture(scope="session")
def _closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("closed") / "data"
    folder.mkdir()
    (folder / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
    (folder / "targets.yaml").write_text(TARGETS, encoding="utf-8")
    for name, rows in (("sites.csv", SITES), ("devices.csv", DEVICES)):
        with (folder / name).open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows(rows)
    store = open_store(f"sqlite:///{folder / 'santong.sqlite'}")
    store.prepare()
    world = World()
    for day in (MONDAY, TUESDAY):
        world.works(CLASS_1, day)
        world.works(CLASS_2, day, wan=0)
    world.write(store)
    store.close()
    run("evidence", "key", "--data", folder)
    county_in(folder).close("--lang", "zh")
    return folder


@pytest.fixture
def county(_closed: Path, tmp_path: Path) -> County:
    """Return the county with its month closed; whatever is done to it is done to a copy."""
    shutil.copytree(_closed, tmp_path / "data")
    return county_in(tmp_path / "data")
