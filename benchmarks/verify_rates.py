"""
Further rates of a city on a real influxd, or of a district in SQLite: what each costs.

The devices are those of benchmarks/verify.py. Each day classes run for ten hours: a delivery every two minutes over two
boots, a session asked about each minute; access points have a journey every ten minutes, login page and page every
five, a delivery every two; all have an identity each hour and a test each way. One agent in a hundred lacks a delivery.

    python -m benchmarks.verify_rates [--devices 5500] [--days 2] [--store sqlite]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.report import Figure, print_figures
from benchmarks.verify_city import Machine, calendars, roster, write
from benchmarks.verify_queries import Clock
from collector.asked import Promise, days_of
from collector.check import identity_tags
from collector.deliveries import Batches
from collector.lessons import lessons_on
from collector.rates import AT_ONCE, newest, tests, walks
from collector.records import Records
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.load import load
from collector.verification import promise_of
from collector.verify.causes import MINUTE_NS
from collector.verify.conclude import Conclusion, Period
from collector.verify.journey import Walks
from tests.services import Influxd

CITY, SCHOOL_DAYS = 22_000, 22
OPENED = (480, 1080)  # 08:00 to 18:00
REBOOT = 780
JOURNEY = b"scan_ms=2100.5,associate_ms=640.2,dhcp_ms=380.1,dns_ms=45.3,portal_ms=120.4,http_ms=210.6"


# ---- the city


def evidence(machines: Sequence[Machine], start_ns: int, day: int) -> Iterator[bytes]:
    """Yield the lines of one local day."""
    for one in machines:
        first, last = OPENED if one.is_class else (0, 1440)
        for minute in range(first, last):
            at_ns = start_ns + minute * MINUTE_NS + one.number % 50_000 * 1_000_000
            if minute % 2 == 0:
                yield delivery(one, day, minute, at_ns)
            if one.is_class:
                yield b"usage%b session_active=%di %d\n" % (one.tags, minute // 40 % 2, at_ns)
            elif minute % 5 == 0:
                yield from probes(one, minute, at_ns)
            if minute % 60 == one.number % 60:
                yield b'identity%b profile="%b" %d\n' % (one.tags, one.device.profile.encode(), at_ns)
                yield b'firmware%b version="23.05",compliant=1i %d\n' % (one.tags, at_ns)
                yield b'presence%b boot="b",uptime_s=%d.0,asleep_s=0,lan=1i,wan=1i %d\n' % (one.tags, minute, at_ns)
        for way in (b"download", b"upload"):
            fields = b'goodput_mbps=93.5,limited_by="none"'
            yield b"throughput%b,direction=%b,server=s %b %d\n" % (one.tags, way, fields, start_ns + 30 * MINUTE_NS)


def delivery(one: Machine, day: int, minute: int, at_ns: int) -> bytes:
    """Return a delivery point; classes have two boots a day, access points one for ever, and some lack a number."""
    if one.is_class:
        boot, begins = (2 * day + 1, REBOOT) if minute >= REBOOT else (2 * day, OPENED[0])
        seq = (minute - begins) // 2 + 1
        told = b',previous="%08x:150"' % (boot - 1) if seq == 1 and boot else b""
    else:
        boot, seq, told = 0, (day * 1440 + minute) // 2 + 1, b""
    seq += one.number % 100 == 7 and minute == 1002
    tags = identity_tags(one.device.id, one.device.id, name_agent=True)
    return b'delivery%b epoch="%08x",seq=%di,lines=30i,received=%di%b %d\n' % (
        tags, boot, seq, at_ns // 10**6, told, at_ns + seq,
    )  # fmt: skip


def probes(one: Machine, minute: int, at_ns: int) -> Iterator[bytes]:
    """Yield what a probe beside an access point finds."""
    ok = minute % 200 != 0
    stage = b"done" if ok else b"dhcp"
    if minute % 10 == 0:
        took = JOURNEY if ok else JOURNEY[:32]
        yield b'probe%b,kind=wifi_join,target=w success=%di,stage="%b",%b %d\n' % (one.tags, ok, stage, took, at_ns)
    for kind in (b"portal", b"http"):
        yield b'probe%b,kind=%b,target=t success=%di,stage="%b",duration_ms=20.5 %d\n' % (
            one.tags, kind, ok, stage, at_ns,
        )  # fmt: skip


# ---- measuring


def count(take: Callable[..., None], things: Iterable[object]) -> int:
    """Hand on all things, and return how many there are."""
    number = 0
    for thing in things:
        take(thing)
        number += 1
    return number


def outcomes(conclusion: Conclusion, found: Iterable[Walks]) -> int:
    """Hand on outcomes, and return how many there are."""
    number = 0
    for alike in found:
        conclusion.walks(alike)
        number += alike.number
    return number


def ask(store: Store, promise: Promise, clock: Clock) -> dict[str, float]:
    """Return the seconds that each rate takes."""
    conclusion = Conclusion(promise.targets, promise.period)
    period = (promise.start_ns, promise.end_ns)
    records = Records()

    def lessons() -> int:
        return sum(
            count(conclusion.lesson, lessons_on(store, promise, records, day)) for day in days_of(promise.period)
        )

    def journeys() -> int:
        kinds = ("wifi_join", "portal", "http")
        return sum(outcomes(conclusion, walks(store, kind, conclusion.hotspots, *period)) for kind in kinds)

    def batches() -> int:
        looked_at = 0

        def one(arrival: object) -> None:
            nonlocal looked_at
            looked_at += 1
            conclusion.arrival(arrival)  # type: ignore[arg-type]

        Batches(store, promise).give(conclusion.whole, one)
        return looked_at

    took = {
        "newest": clock.time("the newest of each device", lambda: count(conclusion.heard, newest(store, promise))),
        "seen": clock.time("who reported", lambda: count(conclusion.seen, store.devices(*period))),
        "tests": clock.time("throughput tests", lambda: count(conclusion.test, tests(store, *period))),
        "journeys": clock.time("journeys and pages of access points", journeys, "probes"),
        "usage": clock.time("use by lesson", lessons, "lessons"),
        "delivery": clock.time("completeness of delivery", batches, "read one by one"),
    }
    rates = conclusion.rates(time.time_ns(), promise.schedule_of)
    missing = sum(one.missing for one in rates.delivery)
    print(f"  {len(rates.delivery):,} agents, {missing:,} missing; {rates.usage.lessons[0]}")
    return took


def measure(store: Store, options: argparse.Namespace, pid: int | None) -> None:
    """Fill a store, ask, and print."""
    store.prepare()
    hours = calendars()
    known = roster(options.devices)
    machines = [Machine(n, one, identity_tags(one.id, one.id)) for n, one in enumerate(known.devices.values())]
    today = datetime.now(hours.zone).date()
    monday = today - timedelta(days=today.weekday() + 7)
    last = monday + timedelta(days=options.days - 1)
    promise = promise_of(Period(monday, last, [(monday, known)]), hours.zone, hours.day, load().targets)
    began, points = time.monotonic(), 0
    for number, day in enumerate(days_of(promise.period)):
        points += write(store, evidence(machines, hours.day(next(iter(known.sites.values())), day).start_ns, number))
    took_s = time.monotonic() - began
    print(f"\n{options.store}: {options.devices:,} devices, {options.days} days, {points:,} points in {took_s:.0f} s")
    took = ask(store, promise, Clock(pid))
    share = AT_ONCE / (options.devices * options.days)
    spent = sum(took[name] for name in ("journeys", "usage", "delivery"))
    month = CITY * SCHOOL_DAYS / (options.devices * options.days)
    print_figures("further rates", [
        Figure("the newest, who reported, tests: a city's days", (
            took["newest"] + took["seen"] + took["tests"]) * CITY / options.devices, 60, "s"),
        Figure(f"every point of {AT_ONCE:,} device-days", spent * share, 30, "s"),
        Figure(f"every point of a city's {SCHOOL_DAYS} school days", spent * month, 900, "s"),
    ])  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=5_500)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--store", choices=["influx", "sqlite"], default="influx")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.store == "sqlite":
            with closing(open_store(f"sqlite://{name}/store.db")) as store:
                measure(store, options, None)
            return
        server = Influxd(Path(name) / "influxd")
        server.start()
        try:
            with closing(open_store(f"influxdb://127.0.0.1:{server.port}/city")) as store:
                measure(store, options, server.pid)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
