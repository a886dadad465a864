"""The folder of a centre for the tests of `santong verify`, and how they call it."""

import os
from pathlib import Path

from typer.testing import CliRunner

from collector.cli import app
from collector.store.base import Store
from collector.store.open import open_store
from tests.collector.verification import city
from tests.collector.verification.city import day

# One that works, one whose gateway was silent on Monday, one never seen, and one that moved on Tuesday.
SCHOOL = """
roster   a.c1    room 701, class 七(1)班
roster   a.c2    room 702, class 七(2)班
roster   a.c3    room 703, class 七(3)班
roster   a.c4    room 704, class 七(4)班
roster   b.c1    room 701, class 七(1)班, built Wed 1
Mon 1    a.c1    signs 07:50 to 10:30, booted 07:45
Tue 1    a.c1    signs 07:50 to 10:30, booted 07:45
Mon 1    a.c2    signs 07:50 to 10:30, booted 07:45, gateway silent 07:49 to 10:30
Tue 1    a.c2    signs 07:50 to 10:30, booted 07:45
Mon 1    a.c4    signs 07:50 to 10:30, booted 07:45
Tue 1    a.c4    signs 07:50 to 10:30, booted 07:45
Mon 1    a.c1    behind G1, at 07:50
Tue 1    a.c1    behind G1, at 07:50, at 09:30
Mon 1    a.c4    behind G1, at 07:50
Tue 1    a.c4    behind G9, at 08:30, at 09:30
"""
DAYS = ("--from", str(day("Mon 1")), "--to", str(day("Tue 1")))
FIRST, LAST = DAYS[1::2]


class Office:
    """The folder of a centre: roster, calendar and targets, and the options that name them."""

    def __init__(self, folder: Path, url: str = "") -> None:
        case = city.case_of("school", SCHOOL)
        self.folder = folder
        self.url = url or f"sqlite://{folder}/store.db"
        self.data = folder / "data"
        self.targets = folder / "targets.yaml"
        city.calendars_of(folder, [])
        city.rosters_of(folder, [(cells[1], cells[2]) for cells in case.lines if cells[0] == "roster"], "")
        (folder / "calendars.yaml").rename(self.data / "calendars.yaml")
        self.targets.write_text(city.TARGETS, encoding="utf-8")
        self._case = case

    def open(self, *, is_filled: bool) -> None:
        """Create the store, and write the evidence into it."""
        store = open_store(self.url)
        store.prepare()
        if is_filled:
            self._fill(store)
        store.close()

    def _fill(self, store: Store) -> None:
        evidence = city.Evidence({})
        for cells in self._case.lines:
            if city.is_event(cells):
                evidence.add(*cells)
        evidence.world.write(store)

    def words(self, *more: object) -> list[object]:
        """Return a command line of the two days."""
        return ["verify", "--data", self.data, "--store", self.url, "--targets", self.targets, *DAYS, *more]


def asked(*words: object, code: int = 2) -> tuple[str, str]:
    """Return what a command says on stdout and stderr, within this process: of wrong use there is much."""
    without = {name: None for name in os.environ if name.startswith("SANTONG_")}
    done = CliRunner().invoke(app, [str(word) for word in words], env=without | {"LANG": "C.UTF-8"})
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr
