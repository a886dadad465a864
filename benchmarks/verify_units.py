"""
From device-days to verdicts: how long a month of a city takes, and how much of memory.

Classrooms with seven lessons a day and access points with service all day, 10 to 1; nine days of ten are perfect, the
others have outages, sleep and unknown minutes at random. Records are made as they are taken in, so that what is held is
the verifier's own; the time to make them is measured alone and taken off.

    python -m benchmarks.verify_units [--devices 22000] [--days 31] [--seed 7]
"""

import argparse
import resource
import time
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from benchmarks.report import Figure, print_figures
from collector.calendars.schedule import Hours
from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Condition, Proof, Rule, Scope, Target
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Conclusion, Period
from collector.verify.evidence import DayRecord
from firmware_profiles.schema import Slug, Title

DAY_NS = 86_400_000_000_000
FIRST = date(2026, 8, 1)
START_NS = 1_785_513_600_000_000_000
PROOF = (Proof((Condition("presence.wan", at_least=1),)),)
CLASSES = Target(
    Slug("classes"), Title("班级", "classes"), scope=Scope(role=("classroom",)), unit="class", hours=Hours.LESSONS,
    good_when=PROOF, counts={Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded"}, rule=Rule(days=0.9), share=1.0,
)  # fmt: skip
HOTSPOTS = Target(
    Slug("hotspots"), Title("热点", "hotspots"), scope=Scope(role=("access-point",)), good_when=PROOF,
    rule=Rule(availability=0.95), share=1.0,
)  # fmt: skip
LESSONS = tuple((480 + 55 * number, 45) for number in range(7))
SERVICE = ((480, 900),)
TROUBLES = [Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.POWER_OFF, Cause.ASLEEP, Cause.UNKNOWN]


def roster(devices: int) -> Roster:
    """Return a city: forty devices a site, every eleventh an access point."""
    sites: dict[str, Site] = {}
    found: dict[str, Device] = {}
    for number in range(devices):
        site = f"441802-{number // 40:05d}"
        sites.setdefault(site, Site(site, f"示例学校{number // 40}", declared_classes=37))
        role = "access-point" if number % 11 == 10 else "classroom"
        device = Device(f"{site}.c{number % 40:04d}", role, f"r{number % 40}" if role == "classroom" else "")
        found[device.id] = device
    return Roster(sites, found)


def records(city: Roster, days: int, seed: int) -> Iterator[DayRecord]:
    """Yield the records of a city, by device and day; perfect days share their runs, as the store's reader does."""
    random = Random(seed)
    perfect = {
        (target.id, number): tuple(_run(number, at, length, Cause.WORKING) for at, length in hours)
        for target, hours in ((CLASSES, LESSONS), (HOTSPOTS, SERVICE))
        for number in range(days)
    }
    for device in city.devices.values():
        target, hours = (CLASSES, LESSONS) if device.role == "classroom" else (HOTSPOTS, SERVICE)
        criterion = target.criterion.id
        for number in range(days):
            runs = perfect[target.id, number]
            if random.random() < 0.1:
                runs = tuple(_broken(random, number, hours))
            yield DayRecord(device.id, START_NS + number * DAY_NS, criterion, runs)


def _run(number: int, at: int, length: int, cause: Cause) -> Run:
    return Run(START_NS + number * DAY_NS + at * MINUTE_NS, length, cause)


def _broken(random: Random, number: int, hours: tuple[tuple[int, int], ...]) -> Iterator[Run]:
    for at, length in hours:
        one, two = sorted((random.randint(1, length - 2), random.randint(1, length - 2)))
        yield _run(number, at, one, Cause.WORKING)
        yield _run(number, at + one, two - one + 1, random.choice(TROUBLES))
        yield _run(number, at + two + 1, length - two - 1, Cause.WORKING)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    city = roster(asked.devices)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    number = sum(1 for _ in records(city, asked.days, asked.seed))
    making_s = time.process_time() - began
    began = time.process_time()
    last = FIRST + timedelta(days=asked.days - 1)
    conclusion = Conclusion([CLASSES, HOTSPOTS], Period(FIRST, last, [(FIRST, city)]))
    for record in records(city, asked.days, asked.seed):
        conclusion.add(record)
    found = conclusion.finish()
    seconds = time.process_time() - began - making_s
    used_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    for result, figures in found:
        print(
            f"{result.target.id}: {result.verdict}, {len(result.units)} units, {figures.reliability.failures} outages"
        )
    print_figures(
        f"{number:,} device-days of {asked.devices:,} devices to verdicts",
        [
            Figure("a month to verdicts", seconds, 60 * number / (22_000 * 31), "s"),
            Figure("each device-day", seconds / number * 1e6, 10, "µs"),
            Figure("memory beside the roster", used_mib, 256, "MiB"),
        ],
    )


if __name__ == "__main__":
    main()
