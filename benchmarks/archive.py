"""
An archive of a period: bytes, time to write, to check, to compare with its store, to recompute, to report; memory.

Classes that run from 07:00 to 18:00: a presence a minute, a batch each two minutes, an HTTP probe each five, identity
each hour, a stop mark in the evening; values vary as those of agents do. The evidence is made, not simulated. Commands
are those that people call, each in a process of its own.

    python -m benchmarks.archive [--devices 50] [--days 5] [--folder DIR]

With `--folder` what was made stays there, and a later run goes on with it: steps of a large one can be run apart.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.check import identity_tags
from collector.store.sqlite import SqliteStore
from contract.measurements import Retention
from contract.names import site_of

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE_NS = 60 * 10**9
ON, OFF = 420, 1080  # minutes of the day
CLASSES_A_SITE = 40
LINES = 50_000
CALENDARS = """zone: Asia/Shanghai
holidays: none
default: school
calendars:
  school:
    title: school
    service: 07:30-17:30
    lessons: {mon-fri: [08:20-09:00, 09:10-09:50, 10:20-11:00, 11:10-11:50, 14:30-15:10, 15:20-16:00]}
"""


class Cost(NamedTuple):
    """What a command took: seconds that passed, seconds of processor time, bytes of memory at most."""

    passed_s: float
    cpu_s: float
    peak: int


def devices_of(number: int) -> list[str]:
    """Return the ids of classes, forty a school."""
    return [f"441802-{n // CLASSES_A_SITE:05d}.c{n % CLASSES_A_SITE:02d}" for n in range(number)]


def lines_of(device: str, day: date) -> Iterator[str]:
    """Yield the lines of a class on a day."""
    chance = random.Random(f"{device} {day}")
    tags = identity_tags(device, device).decode()
    named = identity_tags(device, device, name_agent=True).decode()
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp()) * 10**9
    boot, phase_ns = f"{chance.getrandbits(128):032x}", chance.randrange(5, 50) * 10**9
    for minute in range(ON, OFF):
        at_ns = midnight + minute * MINUTE_NS
        uptime = (minute - ON) * 60 + chance.randrange(90, 100)
        yield f'presence{tags} boot="{boot}",uptime_s={uptime}.0,asleep_s=0.0,lan=1i,wan=1i,broker=1i {at_ns}\n'
        if minute % 2 == 0:
            received = (at_ns + phase_ns) // 10**6 + chance.randrange(40, 900)
            number = (minute - ON) // 2 + 1
            yield (
                f'delivery{named} epoch="{boot[:8]}",seq={number}i,lines=5i,received={received}i,'
                f'lag_ms={chance.randrange(10**4, 10**5)}i,partial=0i,expired=0i,clock="synced" {at_ns + number}\n'
            )
        if minute % 5 == 0:
            rtt = chance.lognormvariate(3, 0.4)
            yield (
                f"probe{tags},kind=http,target=http://connect.rom.miui.com/generate_204 success=1i,rtt_ms={rtt:.3f},"
                f'stage="http",code=204i,duration_ms={rtt + chance.random():.3f},connect_ms={rtt / 3:.3f} '
                f"{at_ns + phase_ns}\n"
            )
        if minute % 60 == 0:
            mac = f"0a0000{int(site_of(device)[-5:]):06x}"
            yield (
                f'identity{tags} serial="{device[-9:]}",model="panel",gateway_mac="{mac}",subnet="10.0.0.0/24",'
                f'version="0.1.0",profile="windows-classroom-pc",stop_marks=1i {at_ns + phase_ns}\n'
            )
    off_ns = midnight + OFF * MINUTE_NS
    yield f'stop{tags} boot="{boot}",uptime_s={(OFF - ON) * 60}.0,reason="shutdown",asleep_s=0.0 {off_ns}\n'


def fill(folder: Path, devices: int, days: list[date]) -> int:
    """Make the data folder of a city, and return how many points it has."""
    ids = devices_of(devices)
    (folder / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
    sites = "".join(f"{site},school {site[-5:]}\n" for site in sorted(set(map(site_of, ids))))
    (folder / "sites.csv").write_text(f"id,name\n{sites}", encoding="utf-8")
    rows = "".join(f"{one},classroom\n" for one in ids)
    (folder / "devices.csv").write_text(f"id,role\n{rows}", encoding="utf-8")
    store = SqliteStore(folder / "santong.sqlite", is_scratch=True)
    store.prepare()
    written = 0
    waiting: list[str] = []
    for device in ids:
        for day in days:
            waiting += lines_of(device, day)
            if len(waiting) >= LINES:
                written += _write(store, waiting)
    written += _write(store, waiting)
    store.close()
    return written


def _write(store: SqliteStore, lines: list[str]) -> int:
    assert store.write(Retention.EVIDENCE, "".join(lines).encode()) == []
    count = len(lines)
    lines.clear()
    return count


def cost_of(*words: object, codes: tuple[int, ...] = (0,)) -> Cost:
    """Run a command of the centre, and return what it cost."""
    command = [str(Path(sys.executable).with_name("santong")), *map(str, words)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in codes, command
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--steps", default="write,check,compare,recompute,report,recheck,store")
    given = parser.parse_args()
    last = datetime.now(ZONE).date() - timedelta(days=1)
    days = [last - timedelta(days=number) for number in reversed(range(given.days))]
    with tempfile.TemporaryDirectory(prefix="santong-archive-") as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "made").exists():
            points = fill(folder, given.devices, days)
            cost_of("evidence", "key", "--data", folder)
            (folder / "made").write_text(f"{points} {days[0]} {days[-1]}")
        text, first, until = (folder / "made").read_text().split()
        measure(folder, int(text), (first, until), given.steps.split(","))


def measure(folder: Path, points: int, days: tuple[str, str], steps: list[str]) -> None:
    """Run the steps, and print what each cost."""
    file = folder / "archive.zip"
    period = ("--from", days[0], "--to", days[1])
    roster = ("--roster", folder / "sites.csv", "--roster", folder / "devices.csv")
    commands: dict[str, tuple[object, ...]] = {
        "write": ("evidence", "export", "--data", folder, *period, *roster, "--out", file),
        "check": ("evidence", "check", file, "--data", folder / "nothing", "--key", folder / "evidence/public.pem"),
        "compare": ("evidence", "check", file, "--data", folder),
        "recompute": ("verify", "--evidence", file, "--data", folder),
        "report": ("report", "--evidence", file, "--data", folder, "--out", folder / "report.json"),
        "recheck": ("report", "check", folder / "report.json", "--evidence", file, "--data", folder),
        "store": ("verify", "--data", folder, *period, *roster, "--recompute"),
    }
    names = {
        "write": "write the archive",
        "check": "check the file: signature, hashes, leaves, root",
        "compare": "the same, and compare it with its store",
        "recompute": "recompute all verdicts from the file",
        "report": "write the report of it, as JSON",
        "recheck": "recompute that report, and compare every figure and hash",
        "store": "for comparison: from the store",
    }
    print(f"{points:,} points of evidence, {days[0]} to {days[1]}", flush=True)
    for step in steps:
        if step == "write":
            file.unlink(missing_ok=True)
        cost = cost_of(*commands[step], codes=(0, 1) if commands[step][0] == "verify" else (0,))
        print(
            f"  {names[step]:<50} {cost.passed_s:>8.1f} s  {cost.cpu_s:>8.1f} s of a core  "
            f"{cost.cpu_s / points * 1e6:>6.1f} µs a point  {cost.peak / 2**20:>7.0f} MiB",
            flush=True,
        )
    size, store = file.stat().st_size, (folder / "santong.sqlite").stat().st_size
    print(f"  the file has {size:,} bytes, {size / points:.2f} a point; its store {store:,}")


if __name__ == "__main__":
    main()
