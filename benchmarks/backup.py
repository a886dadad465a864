"""
A backup and its way back: seconds, processor time, memory and size for a million points; what a collector feels.

The evidence is that of `benchmarks.archive`, in a file of SQLite and in an influxd. Commands are those that people
call, each in a process of its own. What a collector feels: how long a write of 5,000 lines takes, alone and while a
backup is written.

    python -m benchmarks.backup [--devices 50] [--days 10]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path

from benchmarks.archive import ZONE, Cost, cost_of, fill
from collector.store.open import open_store
from contract.measurements import Retention
from tests.services import Influxd


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--days", type=int, default=10)
    given = parser.parse_args()
    last = datetime.now(ZONE).date() - timedelta(days=1)
    days = [last - timedelta(days=number) for number in reversed(range(given.days))]
    with tempfile.TemporaryDirectory(prefix="santong-backup-") as name:
        measure(Path(name), given.devices, days)


def measure(folder: Path, devices: int, days: list[date]) -> None:
    """Back up both stores, restore both, and print what each cost."""
    data, passphrase = folder / "data", folder / "passphrase"
    data.mkdir()
    points = fill(data, devices, days)
    passphrase.write_text("correct horse battery staple\n", encoding="utf-8")
    size = (data / "santong.sqlite").stat().st_size
    print(f"{points:,} points of evidence; as SQLite {size:,} bytes", flush=True)
    server = Influxd(folder / "influxd")
    server.start()
    try:
        cost_of("migrate", "--data", data, "--to", server.url("santong"))
        for kind, store in (("SQLite", ()), ("InfluxDB", ("--store", server.url("santong")))):
            _measure_store(folder, kind, store, points)
        for kind, url in (("SQLite", f"sqlite://{data}/santong.sqlite"), ("InfluxDB", server.url("santong"))):
            _measure_writes(folder, kind, url)
    finally:
        server.stop()


def _measure_store(folder: Path, kind: str, store: tuple[str, ...], points: int) -> None:
    out, config = folder / f"out-{kind}", folder / "etc"
    config.mkdir(exist_ok=True)
    whole = ("--data", folder / "data", "--config", config, *store)
    if kind == "InfluxDB":
        (folder / "data/santong.sqlite").rename(folder / "aside.sqlite")
    sealed = ("--passphrase-file", folder / "passphrase")
    _say(f"{kind}: back up", cost_of("backup", "--out", out, *whole), points)
    (file,) = out.glob("*.tar.gz")
    _say(f"{kind}: back up, sealed", cost_of("backup", "--out", out, *whole, *sealed), points)
    _say(f"{kind}: check it", cost_of("backup", "check", file), points)
    _say(f"{kind}: restore it as SQLite", cost_of("restore", file, "--data", folder / f"new-{kind}"), points)
    print(f"  {kind}: the file has {file.stat().st_size / points * 1e6:,.0f} bytes a million points", flush=True)
    if kind == "InfluxDB":
        (folder / "aside.sqlite").rename(folder / "data/santong.sqlite")


def _say(what: str, cost: Cost, points: int) -> None:
    million = 1e6 / points
    print(
        f"  {what:<32} {cost.passed_s:>7.1f} s  {cost.cpu_s:>7.1f} s of a core  "
        f"{cost.passed_s * million:>6.1f} s a million points  {cost.peak / 2**20:>6.0f} MiB",
        flush=True,
    )


def _measure_writes(folder: Path, kind: str, url: str) -> None:
    """Print how long writes take, without a backup and with one."""
    program = str(Path(sys.executable).with_name("santong"))
    words = ["backup", "--out", str(folder / f"busy-{kind}"), "--data", str(folder / "data"), "--store", url]
    alone = _writes(url, time.monotonic() + 8, None)
    backup = subprocess.Popen([program, *words, "--config", str(folder / "etc")], stdout=subprocess.DEVNULL)
    beside = _writes(url, time.monotonic() + 300, backup)
    for what, found in (("alone", alone), ("beside a backup", beside)):
        median, high = statistics.median(found), sorted(found)[len(found) * 99 // 100]
        print(
            f"  {kind}: a write of 5,000 lines, {what}: median {median * 1e3:.0f} ms, p99 {high * 1e3:.0f} ms",
            flush=True,
        )


def _writes(url: str, until: float, beside: "subprocess.Popen[bytes] | None") -> list[float]:
    """Write as a collector of 11,000 points a second does, until the time is over or a process has ended."""
    store, took, at_ns = open_store(url), [], time.time_ns()
    try:
        while time.monotonic() < until and (beside is None or beside.poll() is None):
            began = time.monotonic()
            lines = "".join(
                f"presence,device=441802-1.c{number % 100},site=441802-1,county=441802 lan=1i {at_ns - number}\n"
                for number in range(5000)
            )
            at_ns += 10**10
            made = time.monotonic()
            store.write(Retention.EVIDENCE, lines.encode())
            took.append(time.monotonic() - made)
            time.sleep(max(0.0, began + 5000 / 11_000 - time.monotonic()))
    finally:
        store.close()
    return took


if __name__ == "__main__":
    main()
