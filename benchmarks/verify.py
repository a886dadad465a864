"""
Verification of a city on a real influxd: a day from raw evidence, the worst day, and a month from daily points.

What the city is: `benchmarks.verify_city`; it is judged by the shipped targets. Measured is once influxd has put its
files together. Wall time depends on what else the machine does: processor time of both processes stands beside it.

    python -m benchmarks.verify [--devices 22000] [--smaller 5500 11000] [--days 31] [--questions] [--profile FILE]
                                [--folder FOLDER]

Without the rates for which every point is looked at, as the command does for so many device-days: those are measured by
verify_rates.py.

`--questions` prints the time of each question to the store; `--profile` writes a profile of our process at the largest
city; `--folder` keeps influxd's data, and finds it there the next time on that day.
"""

import argparse
import cProfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.agent_footprint import cpu_seconds
from benchmarks.report import Figure, print_figures
from benchmarks.verify_city import City
from collector.asked import Promise
from collector.store.base import Store
from collector.store.influx import InfluxStore
from collector.store.open import open_store
from collector.verification import Verified, verify
from contract.measurements import Retention
from tests.services import Influxd

CORES = 2  # of the machine that the goals are for
_QUIET = 0.05  # of a core: influxd puts no files together any more
_MOST_SETTLING_S = 300
_QUESTIONS = ("devices", "tracks", "last_before", "first_from", "presences", "readings", "distinct", "late", "write")


# ---- measuring


class Taken(NamedTuple):
    """What a verification took: seconds, processor time of ours and of influxd, and the peak of our memory."""

    seconds: float
    own_s: float
    influxd_s: float
    peak_mib: float

    @property
    def cpu_s(self) -> float:
        """Processor time of both."""
        return self.own_s + self.influxd_s


class Watched:
    """A store whose questions are timed: how often, seconds that were waited, processor time of ours and of influxd."""

    def __init__(self, store: Store, pid: int) -> None:
        self._store, self._pid = store, pid
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._timed(name, found) if name in _QUESTIONS else found

    def _timed(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **more: Any) -> Any:
            key = f"{name} {args[0]}" if isinstance(args[0], str) else name
            self.spent[key][0] += 1
            answer = self._within(key, lambda: ask(*args, **more))
            return self._each(key, answer) if isinstance(answer, Iterator) else answer

        return asked

    def _each(self, key: str, answer: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (one := self._within(key, lambda: next(answer, end))) is not end:
            yield one

    def _within(self, key: str, work: Callable[[], Any]) -> Any:
        began = self._now()
        try:
            return work()
        finally:
            self.spent[key][1:] = [
                so_far + now - then for so_far, now, then in zip(self.spent[key][1:], self._now(), began, strict=True)
            ]

    def _now(self) -> tuple[float, float, float]:
        return time.monotonic(), time.process_time(), cpu_seconds(self._pid)

    def __str__(self) -> str:
        ranked = sorted(self.spent.items(), key=lambda item: -item[1][1])
        return "\n".join(
            f"      {key:<28} {count:5.0f} times  {seconds:6.1f} s  own {own:6.1f} s  influxd {theirs:6.1f} s"
            for key, (count, seconds, own, theirs) in ranked
        )


class Bench:
    """Times verifications over one store."""

    def __init__(self, store: Store, pid: int, options: argparse.Namespace) -> None:
        self._store, self._pid = store, pid
        self._questions: bool = options.questions
        self._profile = cProfile.Profile() if options.profile else None
        self._file: str = options.profile

    def run(self, name: str, ask: Callable[[Store], Verified]) -> Taken:
        """Verify, print, and return what it took."""
        watched = Watched(self._store, self._pid) if self._questions else None
        store = cast(Store, watched) if watched else self._store
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of memory begins anew
        theirs, ours, began = cpu_seconds(self._pid), time.process_time(), time.monotonic()
        found = self._profile.runcall(ask, store) if self._profile else ask(store)
        taken = Taken(
            time.monotonic() - began, time.process_time() - ours, cpu_seconds(self._pid) - theirs, _peak_mib()
        )
        verdicts = " ".join(str(result.verdict) for result, _ in found.targets if result.units)
        print(
            f"  {name:<34} {taken.seconds:6.1f} s  own {taken.own_s:5.1f} s  influxd {taken.influxd_s:5.1f} s  "
            f"{taken.peak_mib:4.0f} MiB  judged {found.judged:,} reused {found.reused:,}  "
            f"judging {found.judging_s:.1f} s summing {found.summing_s:.1f} s  {verdicts}",
            flush=True,
        )
        if watched:
            print(watched, flush=True)
        if self._profile:
            self._profile.dump_stats(f"{self._file}.{name.replace(' ', '-')}")
            self._profile = cProfile.Profile()
        return taken


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def settle(pid: int) -> float:
    """Return when influxd has nothing left to do of its own; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < _MOST_SETTLING_S:
        before = cpu_seconds(pid)
        time.sleep(5)
        if cpu_seconds(pid) - before < 5 * _QUIET:
            break
    return time.monotonic() - began


def measure(devices: int, options: argparse.Namespace, folder: Path) -> dict[str, Taken]:
    """Return what each verification of a city takes."""
    city = City(devices, options.days)
    is_filled = (folder / "filled").exists()
    server = Influxd(folder / "influxd")
    server.start()
    try:
        with closing(open_store(f"influxdb://127.0.0.1:{server.port}/city")) as store:
            store.prepare()
            began = time.monotonic()
            if is_filled:
                _forget_days(store, city)
                print(f"\n{devices:,} devices, filled before", end="")
            else:
                points, written = city.fill(store)
                (folder / "filled").touch()
                print(f"\n{devices:,} devices: {points:,} points and {written:,} device-days written "
                      f"in {time.monotonic() - began:.0f} s", end="")  # fmt: skip
            print(f", influxd at rest after another {settle(server.pid):.0f} s", flush=True)
            return _measure(Bench(store, server.pid, options), city, options.days)
    finally:
        server.stop()


def _measure(bench: Bench, city: City, days: int) -> dict[str, Taken]:
    now_ns = time.time_ns()

    def ask(about: Promise, *, recompute: bool = False) -> Callable[[Store], Verified]:
        return lambda store: verify(store, about, now_ns, recompute=recompute, all_points=False)

    return {
        "usual": bench.run("a usual day, raw", ask(city.usual)),
        "worst": bench.run("the worst day, raw", ask(city.worst)),
        "again": bench.run("the usual day again", ask(city.usual)),
        "both": bench.run("both days, --recompute", ask(city.both, recompute=True)),
        "month": bench.run(f"{days} days, from daily points", ask(city.month)),
    }


def _forget_days(store: Store, city: City) -> None:
    """Delete what earlier runs judged of the two days."""
    text = f"DELETE FROM availability WHERE time >= {city.both.start_ns} AND time < {city.both.end_ns}"  # noqa: S608
    assert isinstance(store, InfluxStore)
    list(store._wire.query({"db": store.database, "rp": Retention.EVIDENCE, "q": text}, "POST"))


def figures(found: dict[int, dict[str, Taken]], days: int) -> list[Figure]:
    """Return the figures of the largest city, and how they grew from the smaller ones."""
    *smaller, devices = sorted(found)
    taken = found[devices]
    titles = {"usual": f"a usual day of {devices:,} devices, raw", "worst": "the worst day, raw",
              "month": f"{days} days from daily points"}  # fmt: skip
    result = [Figure(title, taken[key].seconds, 60, "s") for key, title in titles.items()]
    result += [
        Figure(f"{title}: processor time on {CORES} cores", taken[key].cpu_s / CORES, 60, "s")
        for key, title in titles.items()
    ]
    result.append(Figure("peak memory", max(one.peak_mib for one in taken.values()), 1024, "MiB"))
    for less in smaller:
        for key in titles:
            grown = taken[key].cpu_s / devices / (found[less][key].cpu_s / less)
            result.append(Figure(f"{key}: processor time a device against {less:,} devices", grown, 1.3, "x"))
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--smaller", type=int, nargs="*", default=[5_500, 11_000])
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--questions", action="store_true")
    parser.add_argument("--profile", default="")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    found = {}
    for devices in sorted({*options.smaller, options.devices}):
        with tempfile.TemporaryDirectory() as name:
            found[devices] = measure(devices, options, (options.folder or Path(name)) / str(devices))
    print_figures("verification", figures(found, options.days))


if __name__ == "__main__":
    main()
