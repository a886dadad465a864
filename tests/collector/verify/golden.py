"""The tables that were computed by hand: golden_units.md."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from collector.calendars.schedule import Hours
from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Condition, Proof, Rule, Target
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.evidence import DayRecord
from firmware_profiles.schema import Slug, Title

TABLE = Path(__file__).parent / "golden_units.md"
LETTERS = {
    "w": Cause.WORKING, "s": Cause.SERVICE_DOWN, "n": Cause.WAN_DOWN, "l": Cause.LAN_DOWN, "p": Cause.POWER_OFF,
    "z": Cause.ASLEEP, "a": Cause.AGENT_DOWN, "u": Cause.UNKNOWN, "x": Cause.EXCLUDED,
}  # fmt: skip
DAY_NS = 86_400_000_000_000
FIRST, LAST = date(2026, 9, 1), date(2026, 9, 30)
START_NS = 1_788_192_000_000_000_000  # midnight of the first day, in China
SITE = "441802-1"
PROOF = (Proof((Condition("probe.success", equals=("1",)),)),)
HOTSPOTS = Target(Slug("hotspots"), Title("热点", "hotspots"), good_when=PROOF, rule=Rule(availability=0.9), share=1.0)
CLASSES = Target(
    Slug("classes"), Title("班级", "classes"), unit="class", hours=Hours.LESSONS, good_when=PROOF,
    counts={Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded"}, rule=Rule(days=0.9, minutes=40), share=1.0,
)  # fmt: skip


def rows(section: str) -> list[list[str]]:
    """Return the cells of each row of a section's table, without its head."""
    found: list[list[str]] = []
    is_in = False
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            is_in = line[3:].partition(":")[0] == section
        elif is_in and line.startswith("|"):
            found.append([cell.strip() for cell in line.strip()[1:-1].split("|")])
    assert len(found) > 2, f"there is no table {section}"
    return found[2:]


def record(target: Target, device: str, number: int, day: str) -> DayRecord:
    """Return a device-day, `240w 10p`, by the number of the day from 0."""
    at = day_start = START_NS + number * DAY_NS
    runs = []
    for count, letter in re.findall(r"(\d+)([a-z])", day):
        runs.append(Run(at, int(count), LETTERS[letter]))
        at += int(count) * MINUTE_NS
    return DayRecord(device, day_start, target.criterion.id, tuple(runs))


def records(target: Target, device: str, days: str) -> Iterator[DayRecord]:
    """Yield days in a row, separated by `/`."""
    for number, day in enumerate(days.split("/")):
        yield record(target, device, number, day)


def roster_of(*devices: Device, declared: int | None = None, site: str = SITE) -> Roster:
    """Return a roster of one school with these devices."""
    school = Site(site, "示例小学", declared_classes=declared, declared_source="2026年秋季报表" if declared else "")
    return Roster({school.id: school}, {device.id: device for device in devices})
