"""
The centre while its store is away: its memory, its silence, and how it comes back.

A real `santong collect` whose influxd is stopped. Agents that keep their window (the agent's own `agent/window.py`: 8
unanswered batches, then only the newest again, after 30 s, 60 s …, and the others as backlog) send far more than the
collector's buffer holds. Then influxd comes back and everything drains. All agents are played by one connection.

    python -m benchmarks.backpressure [--agents 15000] [--outage 60]
"""

import argparse
import heapq
import random
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from agent.window import Window
from benchmarks.ingest import CollectProcess
from benchmarks.load import Connection, Sent, make_batches, publish_packet
from benchmarks.report import Figure, print_figures
from collector.chunk import CHUNK_BYTES
from collector.pipeline import WORKERS, Limits
from collector.store.open import open_store
from tests.services import Influxd, Mosquitto

WINDOW = 8
ROUNDS_A_BATCH = 2
# What Python adds to a message in the buffer: tuple, topic, instant, the payload's own head.
MESSAGE_BYTES = 400
# A chunk is there as text, tagged, joined and on its way to the store.
CHUNK_COPIES = 5
DATABASE = "backpressure"


class Memory(NamedTuple):
    """Resident memory of a process in bytes: now, and the most there ever was."""

    now: int
    peak: int


def memory(pid: int) -> Memory:
    """Read the kernel's count."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, peak = (int(re.findall(rf"{name}:\s+(\d+) kB", text)[0]) << 10 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)


def memory_bound() -> int:
    """Return what buffer and workers may hold, in bytes."""
    limits = Limits()
    buffer = limits.buffer_bytes + limits.buffer_messages * MESSAGE_BYTES
    return buffer + WORKERS * CHUNK_BYTES * CHUNK_COPIES


class Agents:
    """Agents with `WINDOW` batches each, all fresh when the outage begins, on one connection."""

    def __init__(self, port: int, count: int) -> None:
        self._connection = Connection(port)
        self._names = [f"441802-{n // 40:04d}.c{n % 40:04d}" for n in range(count)]
        self._numbers = {name: n for n, name in enumerate(self._names)}
        # The device is in the topic, not in the payload: all agents can send the same bytes.
        now_ns = time.time_ns()
        self._payloads = [sent.payload for sent in make_batches(1, WINDOW, ROUNDS_A_BATCH, now_ns, compress=False)]
        chance = random.Random(11)
        self._windows = [Window(WINDOW, 2.0, chance) for _ in range(count)]
        for window in self._windows:
            for seq in range(1, WINDOW + 1):
                window.offer(seq)
        self._due = [(0.0, n) for n in range(count)]  # a heap
        self._waiting: list[bytes] = []
        self.sent = 0
        self.sends: Counter[tuple[int, int]] = Counter()
        self.acks: Counter[tuple[int, int]] = Counter()

    @property
    def batches(self) -> int:
        """Count the batches that there are."""
        return len(self._names) * WINDOW

    @property
    def lines(self) -> int:
        """Count the points that the store will have, with the delivery points."""
        return len(self._names) * sum(payload.count(b"\n") for payload in self._payloads)

    def run(self, until_s: float) -> None:
        """Send what is due and take acks until that instant, or until all is acknowledged."""
        while len(self.acks) < self.batches and (now := time.monotonic()) < until_s:
            while self._due and self._due[0][0] <= now:
                self._send_due(heapq.heappop(self._due)[1], now)
            if self._connection.is_idle and self._waiting:
                self._connection.send(b"".join(self._waiting[:500]))
                del self._waiting[:500]
            for agent, runs in self._connection.step(0.05):
                self._answered(self._numbers[agent], runs)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def _send_due(self, number: int, now: float) -> None:
        window = self._windows[number]
        due = []
        while (seq := window.take_fresh(now)) is not None:
            due.append(seq)
        due += window.take_retries(now)
        if window.wants_backlog(now):
            if old := self._next_in_backlog(number):
                window.take_backlog(old, now)
                due.append(old)
            else:
                window.pause_backlog(now)
        for seq in due:
            self.sends[number, seq] += 1
            sent = Sent(self._names[number], seq, self._payloads[seq - 1])
            self._waiting.append(publish_packet(sent, self.sent))
            self.sent += 1
        self._plan(number, now)

    def _next_in_backlog(self, number: int) -> int | None:
        window = self._windows[number]
        return next((s for s in range(1, WINDOW + 1) if (number, s) not in self.acks and s not in window), None)

    def _answered(self, number: int, runs: list[tuple[int, int]]) -> None:
        now = time.monotonic()
        for first, last in runs:
            for seq in range(first, last + 1):
                self.acks[number, seq] += 1
                self._windows[number].answered(seq, now)
        self._plan(number, now)

    def _plan(self, number: int, now: float) -> None:
        """Note when the agent has something to do next; an older, later note does no harm."""
        if (due_at := self._windows[number].next_due(now)) != float("inf"):
            heapq.heappush(self._due, (due_at, number))


def drain(agents: Agents, influx: Influxd, collector: CollectProcess) -> list[Figure]:
    """Let the store come back; return the figures of what follows."""
    sent_before, began = agents.sent, time.monotonic()
    influx.start()
    agents.run(began + 400)
    took = time.monotonic() - began
    time.sleep(61)  # until the collector's log has the last minute
    dropped = sum(int(count) for count in re.findall(r"dropped \+(\d+)", collector.log.read_text()))
    (series,) = influx.query('SELECT count("seq") FROM "delivery"', DATABASE, "evidence")
    stored = int(series["values"][0][1])
    again = agents.sent - agents.batches
    most = max(agents.sends.values())
    print(f"  sent {agents.sent:,} times, {sent_before:,} of them during the outage, no batch more than {most} times")
    print(
        f"  sent again ÷ batches: {again / agents.batches:.2f}; the buffer had dropped {dropped / agents.batches:.2f}"
    )
    print(f"  all was acknowledged {took:.0f} s after the store came back")
    return [
        Figure("batches not acknowledged at the end", agents.batches - len(agents.acks), 0, ""),
        Figure("batches that the store has not exactly once", abs(agents.batches - stored), 0, ""),
        Figure("sent again although not dropped ÷ batches", max(0, again - dropped) / agents.batches, 0.5, ""),
    ]


def measure(folder: Path, options: argparse.Namespace) -> list[Figure]:
    """Return the figures of one outage."""
    influx = Influxd(folder / "influxd")
    limits = ("max_inflight_messages 1000", "max_queued_messages 0")
    broker = Mosquitto(folder / "mosquitto", limits, log_type="error")
    influx.start()
    broker.start()
    open_store(influx.url(DATABASE)).prepare()
    collector = CollectProcess(folder, broker, influx.port, DATABASE)
    try:
        influx.stop()
        before = memory(collector.process.pid).now
        agents = Agents(broker.port, options.agents)
        print(f"  {agents.batches:,} batches, {agents.lines:,} points; the buffer holds {Limits().buffer_messages:,}")
        agents.run(time.monotonic() + options.outage)
        too_early = len(agents.acks)
        figures = drain(agents, influx, collector)
        agents.close()
        now, peak = memory(collector.process.pid)
        print(f"  collector, resident: {before >> 20} MiB before, {peak >> 20} at most, {now >> 20} afterwards")
        grown = Figure("memory grew by", (peak - before) / (1 << 20), memory_bound() / (1 << 20), "MiB")
        return [Figure("acknowledged while the store was away", too_early, 0, ""), grown, *figures]
    finally:
        collector.stop()
        broker.stop()
        influx.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=15_000)
    parser.add_argument("--outage", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), options)
    print_figures("centre: the store is away", figures)


if __name__ == "__main__":
    main()
