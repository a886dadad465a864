"""
What verification asks of a store, and how long the answers take: a day of a city in a real influxd, or in SQLite.

Every device has a presence each minute of the day, but some that were switched off for an hour; a third is read by
PJLink each minute, all have an HTTP probe every five minutes; weeks before that make shards to look for neighbours in.
`--formulations` compares ways to ask InfluxDB for the same, on the same data.

    python -m benchmarks.verify_queries [--devices 5500] [--minutes 1440] [--store sqlite] [--formulations]
"""

# ruff: noqa: S608  the texts are fixed

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.agent_footprint import cpu_seconds
from benchmarks.report import Figure, print_figures
from collector.check import identity_tags
from collector.days import Judged, read_days, unsynced_ns, write_days
from collector.store.base import DAY_NS, Store
from collector.store.influx import InfluxStore
from collector.store.influxql import period
from collector.store.open import open_store
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.evidence import DayRecord
from contract.measurements import Retention
from tests.services import Influxd

CITY = 22_000
LINES = 5000
DAYS = 30
WEEKS = 13
LIFE = ("boot", "uptime_s", "asleep_s", "lan", "wan")
# Within retention whenever this runs; a day that is over.
DAY = (time.time_ns() // DAY_NS - 3) * DAY_NS
OFF = range(600, 660)  # minutes in which every tenth device is without power


def ids(devices: int) -> list[str]:
    """Return the ids of so many devices, forty at a site."""
    return [f"441802-{n // 40:04d}.c{n % 40:04d}" for n in range(devices)]


# ---- the city


def evidence(names: list[str], minutes: int, start_ns: int) -> Iterator[bytes]:
    """Yield the lines of so many minutes of all devices, in the order of time."""
    tags = [identity_tags(name, name) for name in names]
    presence = [b'presence%b boot="3e2916d4-89c0-4369-a021-%012d",uptime_s=' % (t, n) for n, t in enumerate(tags)]
    probe = [b"probe%b,kind=http,target=http://example.cn success=1i,duration_ms=" % t for t in tags]
    display = [b'display%b power="on" ' % t for t in tags]
    for minute in range(minutes):
        label_ns = start_ns + (minute + 1) * MINUTE_NS
        rest = b"%.1f,asleep_s=0.0,lan=1i,wan=1i,broker=1i %d\n" % (50_000.3 + 60 * minute, label_ns)
        for n in range(len(names)):
            if n % 10 == 0 and minute in OFF:
                continue
            yield presence[n] + rest
            at_ns = label_ns - MINUTE_NS + n % 50_000 * 1_000_003 + minute
            if n % 3 == 0:
                yield display[n] + b"%d\n" % at_ns
            if minute % 5 == n % 5:
                yield probe[n] + b"%.1f %d\n" % (20 + n * minute % 77 / 10, at_ns)


def deliveries(names: list[str], minutes: int) -> Iterator[bytes]:
    """Yield delivery points every ten minutes, one device in a thousand without a clock; and marks of late batches."""
    for minute in range(0, minutes, 10):
        for n, name in enumerate(names):
            tags = identity_tags(name, name, name_agent=True)
            held = b",held=7i" if n % 1000 == 0 and minute == 0 else b""
            at_ns = DAY + minute * MINUTE_NS
            yield b'delivery%b epoch="5f0c9a1e",seq=%di,lines=30i,received=%di,lag_ms=100i,clock="synced"%b %d\n' % (
                tags, minute + 1, at_ns // 10**6, held, at_ns + minute + 1,
            )  # fmt: skip
            if minute < 200:
                oldest = (at_ns - DAY_NS) // 10**6
                yield b"late%b newest=%di,oldest=%di %d\n" % (identity_tags(name, name), oldest + 6, oldest, at_ns + n)


def write(store: Store, lines: Iterable[bytes]) -> int:
    """Write lines of evidence, and return how many."""
    rest, written = iter(lines), 0
    while some := list(islice(rest, LINES)):
        if poison := store.write(Retention.EVIDENCE, b"".join(some)):
            raise RuntimeError(f"the store refuses {poison[0]}")
        written += len(some)
    return written


def fill(store: Store, names: list[str], minutes: int) -> int:
    """Write the city, and return how many points it has."""
    written = sum(write(store, evidence(names, 3, DAY - week * 7 * DAY_NS)) for week in range(1, WEEKS))
    return written + write(store, evidence(names, minutes, DAY)) + write(store, deliveries(names, minutes))


# ---- measuring


class Clock:
    """Times questions: seconds on the wall, of influxd's processors, and of our own; and our peak of memory."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid

    def time(self, name: str, question: Callable[[], Any], unit: str = "answers") -> float:
        """Ask, print, and return the seconds on the wall."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of memory begins anew
        theirs, ours, began = self._cpu(), time.process_time(), time.monotonic()
        found = question()
        took, ours, theirs = time.monotonic() - began, time.process_time() - ours, self._cpu() - theirs
        peak = _peak_mib()
        cost = f"{took:7.2f} s  influxd {theirs:6.1f} s  own {ours:6.1f} s"
        print(f"  {name:<66} {cost}  {found:>11,} {unit}  {peak:5.0f} MiB", flush=True)
        return took

    def _cpu(self) -> float:
        return cpu_seconds(self.pid) if self.pid else 0.0


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def count(rows: Iterable[Any]) -> int:
    """Return how many rows there are, keeping none."""
    return sum(1 for _ in rows)


def points(tracks: Iterable[Any]) -> int:
    """Return how many points tracks have, keeping none."""
    return sum(len(track.points) for track in tracks)


def records(names: list[str]) -> Iterator[Judged]:
    """Yield a month of days."""
    for day in range(DAYS):
        start_ns = DAY - day * DAY_NS
        runs = (
            Run(start_ns + 480 * MINUTE_NS, 500, Cause.WORKING),
            Run(start_ns + 980 * MINUTE_NS, 40, Cause.POWER_OFF),
        )
        for name in names:
            yield Judged(DayRecord(name, start_ns, "service-0123456789", runs), DAY // 10**6, "0badcafe0123")


def ask(store: Store, names: list[str], minutes: int, clock: Clock) -> list[Figure]:
    """Ask all that verification asks; return the figures that have goals, for a city."""
    end_ns = DAY + minutes * MINUTE_NS
    # A city keeps its evidence in InfluxDB; SQLite is for a district, whose figures are not scaled.
    devices = CITY if isinstance(store, InfluxStore) else len(names)
    share = devices / len(names)
    hours = (DAY + minutes * MINUTE_NS // 3, DAY + minutes * MINUTE_NS * 3 // 4)  # ten of 24 hours
    some = names[:2000]
    spent = {
        "perfect": clock.time("presences: the whole day", lambda: count(store.presences(DAY, end_ns, names)), "series"),
        "hours": clock.time("presences: ten hours of it", lambda: count(store.presences(*hours, names)), "series"),
    }
    clock.time(
        "readings: an HTTP probe each five minutes, ten hours",
        lambda: sum(one.points for one in store.readings("probe", "success", *hours, {"kind": "http"})), "points",
    )  # fmt: skip
    clock.time(
        "readings: power of a third of the devices each minute, ten hours",
        lambda: sum(one.points for one in store.readings("display", "power", *hours)), "points",
    )  # fmt: skip
    block = (DAY + 500 * MINUTE_NS, DAY + 800 * MINUTE_NS)
    clock.time(
        "select: presence, 2,000 devices, 300 minutes", lambda: count(store.select("presence", *block, some)), "rows"
    )
    rows = clock.time(
        "tracks: the same, five fields", lambda: points(store.tracks("presence", LIFE, *block, some)), "rows"
    )
    clock.time("last_before: all devices, a day old", lambda: count(store.last_before("presence", LIFE, end_ns, names)))
    before = DAY - 4 * DAY_NS
    clock.time("last_before: all devices, days old", lambda: count(store.last_before("presence", LIFE, before, names)))
    clock.time("first_from: all devices", lambda: count(store.first_from("presence", LIFE, DAY, names)))
    clock.time("unsynced: a day of deliveries", lambda: count(unsynced_ns(store, DAY, end_ns)))
    clock.time("late: a day", lambda: count(store.late(DAY, end_ns)))
    clock.time("availability: write a month", lambda: write_days(store, records(names)), "days")
    month = (DAY - DAYS * DAY_NS, DAY + DAY_NS)
    spent["month"] = clock.time("availability: read the month", lambda: count(read_days(store, *month)), "days")
    return [
        Figure(f"presences of a day, {devices:,} devices", spent["perfect"] * share, 60, "s"),
        Figure(f"presence minute by minute, 300 of {devices:,} devices", rows * devices / len(some), 40, "s"),
        Figure(f"{DAYS * devices:,} judged days read back", spent["month"] * share, 20, "s"),
        Figure("our process at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1024, "MiB"),
    ]


# ---- ways to ask InfluxDB for the same

_LIFE = "boot, uptime_s, asleep_s"
_SELECTORS = ", ".join(f"{one}({field})" for field in _LIFE.split(", ") for one in ("first", "last"))
# What is selected of which measurement, and what follows the groups.
FORMULATIONS = [
    ("count(lan)", "presence", ""),
    ("count(uptime_s)", "presence", ""),
    ("count(boot)", "presence", ""),
    ("sum(lan)", "presence", ""),
    ("count(uptime_s), sum(lan)", "presence", ""),
    ("count(uptime_s), sum(lan), sum(wan), sum(uptime_s)", "presence", ""),
    (_LIFE, "presence", "ORDER BY time LIMIT 1"),
    (_LIFE, "presence", "ORDER BY time DESC LIMIT 1"),
    (_SELECTORS, "presence", ""),
    ("count(success), min(success), max(success)", "probe", ""),
    ("max(elapsed(success))", "probe", ""),
    ("success", "probe", ""),
    ("count(power)", "display", ""),
    ("distinct(power)", "display", ""),
    ("max(elapsed(power))", "display", ""),
    ("power", "display", ""),
]


def formulation(what: str, table: str, rest: str, when: str) -> str:
    """Return a query; the widest gap needs one in another."""
    groups = f'WHERE {when} GROUP BY "device", "agent"'
    if "elapsed" in what:
        field = what.rsplit("(", maxsplit=1)[-1].rstrip(")")
        return f"SELECT max(elapsed) FROM (SELECT elapsed({field}, 1ns) FROM {table} {groups}) {groups}"
    return f"SELECT {what} FROM {table} {groups} {rest}"


def compare(store: InfluxStore, minutes: int, clock: Clock) -> None:
    """Time each formulation over the day, as one query."""
    when = period(DAY + 1, DAY + minutes * MINUTE_NS + 1)
    for what, table, rest in FORMULATIONS:
        text = formulation(what, table, rest, when)
        name = f"{table}: {what} {rest}"[:66]
        clock.time(name, lambda: sum(len(s["values"]) for s in store._query(Retention.EVIDENCE, text)), "rows")  # noqa: B023


def measure(store: Store, options: argparse.Namespace, pid: int | None) -> None:
    """Fill a store, ask, and print."""
    store.prepare()
    names = ids(options.devices)
    clock = Clock(pid)
    print(f"\n{options.store}: {options.devices:,} devices, {options.minutes} minutes")
    clock.time("written", lambda: fill(store, names, options.minutes), "points")
    if options.formulations and isinstance(store, InfluxStore):
        compare(store, options.minutes, clock)
    print_figures("what verification asks", ask(store, names, options.minutes, clock))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=5500)
    parser.add_argument("--minutes", type=int, default=1440)
    parser.add_argument("--store", choices=["influx", "sqlite"], default="influx")
    parser.add_argument("--formulations", action="store_true")
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
