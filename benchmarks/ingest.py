"""
How fast the centre takes evidence in, against what InfluxDB alone takes.

In one run, in turns: (a) a writer posts ready-made bytes straight into influxd, 5,000 lines a request; (b) the same
points go as batches through mosquitto and `santong collect` into influxd until the last one is acknowledged. All of it
shares this machine. The figure is the ratio of the paces, pair by pair; the collector's processor time is the kernel's
count.

    python -m benchmarks.ingest [--points 600000] [--pairs 3] [--rounds-a-batch 6 20]
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import NamedTuple

from benchmarks.agent_footprint import cpu_seconds
from benchmarks.load import Publisher, Sent, make_batches
from benchmarks.report import Figure, print_figures
from collector.check import check, delivery_line
from collector.store.open import open_store
from contract import batch
from contract.measurements import Retention
from tests.services import Influxd, Mosquitto

LINES_A_ROUND = 5
CHUNK_LINES = 5000
DEVICES = 500
WINDOW = 4000


def ready_made(batches: list[Sent]) -> list[tuple[Retention, bytes]]:
    """Return what the collector would write, in bodies of 5,000 lines."""
    lines: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}
    now_ns = time.time_ns()
    for sent in batches:
        checked = check(sent.agent, sent.agent, batch.decode(sent.payload), now_ns)
        if checked.refused:
            raise ValueError(f"a batch of the load is refused: {checked.refused[0]}")
        for kind, body in checked.bodies.items():
            lines[kind] += body.splitlines(keepends=True)
        lines[Retention.EVIDENCE].append(delivery_line(checked, now_ns))
    return [
        (kind, b"".join(some[at : at + CHUNK_LINES]))
        for kind, some in lines.items()
        for at in range(0, len(some), CHUNK_LINES)
    ]


def write_directly(port: int, database: str, bodies: list[tuple[Retention, bytes]]) -> float:
    """Post the bodies over one connection; return the seconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began = time.monotonic()
    for kind, body in bodies:
        query = urllib.parse.urlencode({"db": database, "rp": kind, "precision": "ns"})
        connection.request("POST", f"/write?{query}", body)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise RuntimeError(f"influxd answers {answer.status}")
    took = time.monotonic() - began
    connection.close()
    return took


class CollectProcess:
    """`santong collect` as its own process."""

    def __init__(self, folder: Path, broker: Mosquitto, influx_port: int, database: str) -> None:
        program = str(Path(sys.executable).with_name("santong"))
        self.log = folder / f"{database}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program, "collect", "--broker", broker.url, "--data", str(folder / database),
                    "--store", f"influxdb://127.0.0.1:{influx_port}/{database}",
                ],
                stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while b"receiving from" not in self.log.read_bytes():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"santong collect did not start: {self.log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


class Pair(NamedTuple):
    """Seconds written directly and through the whole path; in the latter the processor seconds of each program."""

    direct_s: float
    path_s: float
    cpu_s: dict[str, float]


def one_pair(
    folder: Path, influx: Influxd, broker: Mosquitto, batches: list[Sent], bodies: list[tuple[Retention, bytes]], n: str
) -> Pair:
    """Measure both ways, in databases of their own."""
    for database in (f"direct{n}", f"path{n}"):
        store = open_store(f"influxdb://127.0.0.1:{influx.port}/{database}")
        store.prepare()
        store.close()
    direct_s = write_directly(influx.port, f"direct{n}", bodies)
    time.sleep(2)  # let influxd finish what it does behind the answers
    collector = CollectProcess(folder, broker, influx.port, f"path{n}")
    publisher = Publisher(broker.port, batches, WINDOW)
    pids = {"collector": collector.process.pid, "influxd": influx.pid, "mosquitto": broker.pid, "load": os.getpid()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    path_s = publisher.run(timeout_s=600)
    cpu_s = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    publisher.close()
    collector.stop()
    time.sleep(2)
    return Pair(direct_s, path_s, cpu_s)


def measure(folder: Path, influx: Influxd, broker: Mosquitto, options: argparse.Namespace, rounds: int) -> None:
    """Measure and print the figures for batches of so many rounds."""
    lines_a_batch = rounds * LINES_A_ROUND
    each = max(1, options.points // (DEVICES * (lines_a_batch + 1)))
    batches = make_batches(DEVICES, each, rounds, time.time_ns(), compress=True)
    bodies = ready_made(batches)
    points = sum(body.count(b"\n") for _, body in bodies)
    print(f"  {points:,} points in {len(batches):,} batches of {lines_a_batch} lines and a delivery point each")
    ratios, loads = [], []
    for n in range(options.pairs):
        pair = one_pair(folder, influx, broker, batches, bodies, f"{rounds}_{n}")
        ratios.append(pair.direct_s / pair.path_s)
        loads.append(pair.cpu_s["collector"] / points * 1e6)
        spent = ", ".join(f"{name} {seconds / points * 1e6:.2f}" for name, seconds in pair.cpu_s.items())
        print(
            f"  pair {n + 1}: straight {points / pair.direct_s:,.0f}/s, whole path {points / pair.path_s:,.0f}/s, "
            f"ratio {ratios[-1]:.2f}; processor seconds a million points: {spent}"
        )
    figures = [
        Figure("pace of the whole path ÷ influxd's own pace", statistics.median(ratios), 0.9, "", False),
        Figure("collector processor time", statistics.median(loads), 5, "s/M points"),
    ]
    print_figures(f"centre: taking in, {lines_a_batch} lines a batch", figures)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=600_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rounds-a-batch", type=int, nargs="+", default=[6, 20])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        influx = Influxd(folder / "influxd")
        limits = ("max_inflight_messages 1000", "max_queued_messages 20000")
        broker = Mosquitto(folder / "mosquitto", limits, log_type="error")
        influx.start()
        broker.start()
        try:
            for rounds in options.rounds_a_batch:
                measure(folder, influx, broker, options, rounds)
        finally:
            broker.stop()
            influx.stop()


if __name__ == "__main__":
    main()
