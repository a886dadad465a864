"""Rosters of made-up schools, and samples of them."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from collector.roster.canonical import digest
from collector.roster.schema import Area, Device, Roster, Site
from collector.sampling.draw import Draw, Inspector, Question, draw
from collector.sampling.frame import frame_of

DAY = date(2026, 9, 1)
AREAS = {"urban": Area.URBAN, "rural": Area.RURAL, "": None}


def roster_of(sizes: Mapping[tuple[str, str], Sequence[int]]) -> Roster:
    """Return schools with so many classes each, by county and area."""
    sites: dict[str, Site] = {}
    devices: dict[str, Device] = {}
    for (county, area), numbers in sizes.items():
        for number, classes in enumerate(numbers, start=1):
            code = {"urban": 1, "rural": 2, "": 3}[area] * 1000 + number
            site = Site(f"{county}-{code}", f"学校{county[-2:]}{code}", AREAS[area])
            sites[site.id] = site
            for one in range(1, classes + 1):
                device = Device(f"{site.id}.c{one:02}", "classroom", f"{one:02}", f"{one}班")
                devices[device.id] = device
    return Roster(sites, devices)


SMALL = roster_of({
    ("441802", "urban"): [6, 4], ("441802", "rural"): [3, 2], ("441881", "rural"): [8, 6, 4], ("441882", ""): [1],
})  # fmt: skip


def drawn(
    size: int,
    seed: str = "1",
    inspectors: Sequence[Inspector] = (),
    *,
    roster: Roster = SMALL,
    people: int | None = None,
    county: str = "",
) -> Draw:
    """Return a sample of all classes of a roster."""
    frame = frame_of(roster, DAY, lambda *_: True, county)
    question = Question(seed, size, f"{DAY}", digest(roster), "banbantong", {}, county, people)
    return draw(question, frame, inspectors)


def workbook(file: Path, sheets: Mapping[str, Sequence[Any]]) -> Path:
    """Write an XLSX with these sheets."""
    book = Workbook()
    del book["Sheet"]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file
