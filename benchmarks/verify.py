"""
Verification of a city on a real influxd: a day from raw evidence, and a month from daily points.

Ten of eleven devices are class computers, forty a school; the others public access points that a probe beside them
speaks of every five minutes. They are judged by the shipped targets. Two days are filled:

    usual   nine in ten ran all day; others were off for an hour, lost their agent, the Internet, or were never seen
    worst   nearly all classes are switched on for each lesson and off after it: six boots a day

Without the rates for which every point is looked at, as the command does for so many device-days: those are measured by
verify_rates.py.

    python -m benchmarks.verify [--devices 22000] [--smaller 5500 11000] [--days 31]
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.agent_footprint import cpu_seconds
from benchmarks.report import Figure, print_figures
from collector.asked import Promise, Questions
from collector.calendars.calendar import Calendars
from collector.calendars.schema import Calendar, CalendarFile, Period, Service
from collector.check import identity_tags
from collector.days import Judged, write_days
from collector.roster.schema import Area, Device, Roster, Site, SiteKind
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.load import load
from collector.verification import Verified, promise_of, verify
from collector.verify import conclude
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.day import all_working
from contract.measurements import Retention
from firmware_profiles.schema import Slug, Title
from tests.services import Influxd

CLASSES_A_SITE = 40
LINES = 5000
LESSONS = ("08:20-09:00", "09:10-09:50", "10:20-11:00", "11:10-11:50", "14:30-15:10", "15:20-16:00")
ON, OFF = 420, 1080  # classes run from 07:00 to 18:00, half an hour longer than service at either end
BOOT = b'boot="3e2916d4-89c0-4369-a021-%012d"'


# ---- the city


def calendars() -> Calendars:
    """Return hours like those of the shipped example, on every Monday to Friday of any year."""
    lessons = {"mon-fri": tuple(map(Period.parse, LESSONS))}
    given = CalendarFile(
        {
            "school": Calendar(
                Title("学校", "School"), lessons=lessons, service=(Service("07:30-17:30"),), follows_holidays=False
            ),
            "hotspot": Calendar(
                Title("热点", "Hotspot"), service=(Service("06:00-23:00"),), every_day=True, follows_holidays=False
            ),
        },
        default=Slug("school"),
        holidays="none",
    )
    return Calendars(given, Path("benchmark"))


def roster(devices: int) -> Roster:
    """Return schools of forty classes, and one access point in a public place for ten classes."""
    sites, found = {}, {}
    for n in range(devices):
        if n % 11 == 10:
            site = Site(f"441802-9{n // 11:05d}", f"广场 {n // 11}", Area.URBAN, SiteKind.PUBLIC, calendar="hotspot")
            device = Device(f"{site.id}.ap1", "access-point", profile="openwrt")
        else:
            number = n - n // 11
            site = Site(f"441802-{number // CLASSES_A_SITE:05d}", f"学校 {number // CLASSES_A_SITE}", Area.URBAN)
            device = Device(f"{site.id}.c{number % CLASSES_A_SITE:04d}", "classroom", profile="windows-classroom-pc")
        sites[site.id], found[device.id] = site, device
    return Roster(sites, found)


class Machine(NamedTuple):
    """A device of the city: its number, and its tags as the collector writes them."""

    number: int
    device: Device
    tags: bytes

    @property
    def is_class(self) -> bool:
        """Tell a class from an access point."""
        return self.device.role == "classroom"


def usual(chance: random.Random, one: Machine) -> list[tuple[int, int, int]]:
    """Return when a device is seen on a usual day: (first minute, last minute, whether it reached the Internet)."""
    start, end = (ON, OFF) if one.is_class else (0, 1440)
    fate = chance.random()
    if fate < 0.90:
        return [(start, end, 1)]
    if fate < 0.91:
        return []
    at = chance.randrange(start + 60, end - 120)
    length = chance.randrange(5, 100)
    return [(start, at, 1), (at, at + length, 0), (at + length, end, 1)] if fate < 0.93 else [
        (start, at, 1), (at + length, end, 1)
    ]  # fmt: skip


def worst(chance: random.Random, one: Machine) -> list[tuple[int, int, int]]:
    """Return when a device is seen on a day on which classes run in lessons alone."""
    if not one.is_class or chance.random() < 0.05:
        return usual(chance, one)
    lessons = [Period.parse(text) for text in LESSONS]
    return [(lesson.start - chance.randrange(1, 5), lesson.end + chance.randrange(1, 4), 1) for lesson in lessons]


def evidence(
    machines: Sequence[Machine], start_ns: int, fate: Callable[..., list[tuple[int, int, int]]]
) -> Iterator[bytes]:
    """Yield the lines of one local day."""
    chance = random.Random(start_ns)
    for one in machines:
        identity = b'identity%b serial="%d",gateway_mac="02:00:00:00:%02x:%02x",subnet="10.0.0.0/24",version="1" %d\n'
        for part, (first, last, wan) in enumerate(fate(chance, one)):
            boot = BOOT % (one.number * 10 + part)
            for minute in range(first, last):
                at_ns = start_ns + (minute + 1) * MINUTE_NS
                yield b"presence%b %b,uptime_s=%d.2,asleep_s=0,lan=1i,wan=%di,broker=1i %d\n" % (
                    one.tags, boot, 90 + (minute - first) * 60, wan, at_ns,
                )  # fmt: skip
                if minute == first or minute % 60 == one.number % 60:
                    school = one.number // 44
                    yield identity % (one.tags, one.number, school >> 8, school & 255, at_ns)
                if not one.is_class and minute % 5 == one.number % 5:
                    for kind in (b"portal", b"http"):
                        yield b"probe%b,kind=%b,target=%b success=%di,duration_ms=20.5 %d\n" % (
                            one.tags, kind, kind, wan, at_ns - 7_000_000_000,
                        )  # fmt: skip


def tests(machines: Sequence[Machine], start_ns: int) -> Iterator[bytes]:
    """Yield a throughput test a week of the first class of each school."""
    chance = random.Random(1)
    for one in machines:
        if one.is_class and one.device.id.endswith("c0000"):
            yield b"throughput%b,direction=download,server=centre goodput_mbps=%.1f %d\n" % (
                one.tags, chance.gauss(180, 20), start_ns + 600 * MINUTE_NS,
            )  # fmt: skip


def write(store: Store, lines: Iterable[bytes]) -> int:
    """Write lines of evidence, and return how many."""
    rest, written = iter(lines), 0
    while some := list(islice(rest, LINES)):
        if poison := store.write(Retention.EVIDENCE, b"".join(some)):
            raise RuntimeError(f"the store refuses {poison[0]}")
        written += len(some)
    return written


def month(promise: Promise, judged_ms: int) -> Iterator[Judged]:
    """Yield the records of days as an earlier verification wrote them: nine in ten perfect."""
    chance = random.Random(3)
    questions = Questions(promise)
    for device in questions.devices():
        for asked in questions.of(device):
            record = all_working(asked.device, asked.schedule, asked.criterion)
            if chance.random() < 0.1:
                first, *others = record.runs
                cut = chance.randrange(1, first.minutes)
                parts = Run(first.start_ns, cut, Cause.WORKING), Run(first.start_ns + cut * MINUTE_NS,
                                                                     first.minutes - cut, Cause.POWER_OFF)  # fmt: skip
                record = record._replace(runs=(*parts, *others))
            yield Judged(record, judged_ms, asked.inputs)


# ---- measuring


class Taken(NamedTuple):
    """Seconds, of which our own processor, and the peak of our memory."""

    seconds: float
    own_s: float
    peak_mib: float


def timed(name: str, pid: int, run: Callable[[], Verified]) -> Taken:
    """Verify, print, and return what it took."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of memory begins anew
    theirs, ours, began = cpu_seconds(pid), time.process_time(), time.monotonic()
    found = run()
    taken = Taken(time.monotonic() - began, time.process_time() - ours, _peak_mib())
    verdicts = " ".join(str(result.verdict) for result, _ in found.targets if result.units)
    print(
        f"  {name:<34} {taken.seconds:7.1f} s  own {taken.own_s:6.1f} s  influxd {cpu_seconds(pid) - theirs:6.1f} s  "
        f"{taken.peak_mib:5.0f} MiB  judged {found.judged:,} reused {found.reused:,}  "
        f"judging {found.judging_s:.1f} s summing {found.summing_s:.1f} s  {verdicts}",
        flush=True,
    )
    return taken


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(devices: int, days: int) -> list[Taken]:
    """Return what a usual day, the worst day, the same day again, and a month take."""
    hours = calendars()
    known = roster(devices)
    machines = [
        Machine(n, device, identity_tags(device.id, device.id)) for n, device in enumerate(known.devices.values())
    ]
    targets = load().targets
    tuesday = datetime.now(hours.zone).date()
    tuesday -= timedelta(days=(tuesday.weekday() - 1) % 7 + 7)

    def promise(first: date, last: date) -> Promise:
        return promise_of(conclude.Period(first, last, [(first, known)]), hours.zone, hours.day, targets)

    one, other = promise(tuesday, tuesday), promise(tuesday + timedelta(days=1), tuesday + timedelta(days=1))
    whole = promise(tuesday - timedelta(days=days), tuesday - timedelta(days=1))
    with tempfile.TemporaryDirectory() as name:
        server = Influxd(Path(name) / "influxd")
        server.start()
        try:
            with closing(open_store(f"influxdb://127.0.0.1:{server.port}/city")) as store:
                store.prepare()
                began = time.monotonic()
                points = write(store, evidence(machines, one.start_ns, usual))
                points += write(store, evidence(machines, other.start_ns, worst))
                points += write(store, tests(machines, whole.start_ns))
                written = write_days(store, month(whole, one.start_ns // 10**6 + 3_600_000))
                print(f"\n{devices:,} devices: {points:,} points and {written:,} device-days written "
                      f"in {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
                now_ns = time.time_ns()

                def ask(about: Promise) -> Callable[[], Verified]:
                    return lambda: verify(store, about, now_ns, all_points=False)

                return [
                    timed(
                        "a usual day, from raw evidence",
                        server.pid,
                        lambda: verify(store, one, now_ns, all_points=False),
                    ),
                    timed(
                        "the worst day, from raw evidence",
                        server.pid,
                        lambda: verify(store, other, now_ns, all_points=False),
                    ),
                    timed("the usual day again", server.pid, ask(one)),
                    timed(
                        f"{days} days, from daily points",
                        server.pid,
                        lambda: verify(store, whole, now_ns, all_points=False),
                    ),
                ]
        finally:
            server.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--smaller", type=int, nargs="*", default=[5_500, 11_000])
    parser.add_argument("--days", type=int, default=31)
    options = parser.parse_args()
    smaller = [measure(devices, options.days) for devices in sorted(options.smaller)]
    day, worst_day, _, days = found = measure(options.devices, options.days)
    figures = [
        Figure(f"a usual day of {options.devices:,} devices, raw", day.seconds, 60, "s"),
        Figure("the worst day, raw", worst_day.seconds, 60, "s"),
        Figure(f"{options.days} days from daily points", days.seconds, 60, "s"),
        Figure("peak memory", max(one.peak_mib for one in found), 1024, "MiB"),
    ]
    for devices, parts in zip(sorted(options.smaller), smaller, strict=True):
        for name, small, large in zip(("usual day", "worst day", "month"), (parts[0], parts[1], parts[3]),
                                      (day, worst_day, days), strict=True):  # fmt: skip
            grown = (large.seconds / options.devices) / (small.seconds / devices)
            figures.append(Figure(f"{name}: seconds a device against those at {devices:,}", grown, 1.3, "x"))
    print_figures("verification", figures)


if __name__ == "__main__":
    main()
