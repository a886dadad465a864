"""
What a backlog does to live data: agents come back after eight hours off line, all at once.

Real agents with a round and a batch a second, a real mosquitto, `santong collect` and influxd. Each agent begins with
480 batches of an outage in its spool. Measured from the centre's own delivery points: the lag of live batches while the
backlog drains and in the half minute after it, in the same run, and the pace of the backlog beside the configured one;
the second run asks for a pace that only the window of unacknowledged batches bounds. A handful of agents, not a city:
this is about what an agent's own backlog does to its live data.

    python -m benchmarks.replay [--agents 4] [--minutes 480] [--paces 10 1000]
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from benchmarks.report import Figure, print_figures
from collector.status import live_and_late, quantile
from collector.store.base import Row, Store
from collector.store.open import open_store
from tests.end_to_end.backlog import keep_off_line
from tests.processes import AgentProcess, CollectProcess
from tests.services import Influxd, Mosquitto

AFTER_S = 30
TIMEOUT_S = 900
# Seven of the backlog are on their way at a time, and a collector answers a chunk after 0.25 s at most.
REACHABLE = 7 / 0.25


def run(folder: Path, agents: int, minutes: int, pace: float, stack: ExitStack) -> list[Row]:
    """Let the agents come back; return all delivery points once the backlog has arrived and a while after."""
    influxd, broker = Influxd(folder / "influxd"), Mosquitto(folder / "mosquitto", log_type="error")
    for server in (influxd, broker):
        stack.callback(server.stop)
        server.start()
    url = influxd.url("replay")
    collector = CollectProcess(folder, broker.url, url)
    stack.callback(collector.stop)
    collector.start()
    collector.wait_until_receiving()
    for number in range(agents):
        device = f"441802-3144001234.c{number:04}"
        home = folder / device
        keep_off_line(home / "spool", device, minutes)
        agent = AgentProcess(
            home, device, broker.url, SANTONG_ROUND_EVERY="1s", SANTONG_PUBLISH_EVERY="1s",
            SANTONG_PUBLISH_REPLAY_PER_SECOND=str(pace),
        )  # fmt: skip
        stack.callback(agent.kill)
        agent.start()
    store = open_store(url)
    stack.callback(store.close)
    deadline = time.monotonic() + TIMEOUT_S
    while sum(len(late) for _, late in split(read(store))) < agents * minutes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the backlog did not arrive within {TIMEOUT_S} s")
        time.sleep(3)
    time.sleep(AFTER_S)
    return read(store)


def read(store: Store) -> list[Row]:
    """Return every delivery point, sorted by device."""
    return list(store.select("delivery", 0, 2**63 - 1))


def split(rows: list[Row]) -> list[tuple[list[Row], list[Row]]]:
    """Return each device's live and late batches."""
    return [live_and_late(some) for _, some in groupby(rows, key=lambda row: row.device)]


def received_ms(row: Row) -> int:
    """Return when a batch was received, unix ms."""
    return int(row.fields["received"])


def figures(rows: list[Row], agents: int, pace: float) -> list[Figure]:
    """Return what the delivery points say."""
    halves = split(rows)
    late = [received_ms(row) for _, some in halves for row in some]
    first, last = min(late), max(late)
    lags: dict[bool, list[int]] = {True: [], False: []}
    for live, _ in halves:
        for row in live:
            lags[received_ms(row) <= last].append(int(row.fields["lag_ms"]))
    during, after = ([(quantile(lags[when], share) or 0) / 1000 for share in (0.5, 0.99)] for when in (True, False))
    took_s = (last - first) / 1000
    print(f"  {len(late):,} batches of the backlog in {took_s:.1f} s beside {len(lags[True]):,} live ones")
    for name, now, then in zip(("p50", "p99"), during, after, strict=True):
        print(f"  live lag {name} {now:.3f} s while the backlog drains, {then:.3f} s after it")
    return [
        Figure("lag of live data while the backlog drains, p50", during[0], 5, "s"),
        Figure("lag of live data while the backlog drains, p99", during[1], 5, "s"),
        Figure(
            "pace of the backlog, batches a second and agent",
            len(late) / took_s / agents,
            min(pace, REACHABLE) * 0.8,
            "/s",
            False,
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--minutes", type=int, default=480)
    parser.add_argument("--paces", type=float, nargs="+", default=[10.0, 1000.0])
    options = parser.parse_args()
    for pace in options.paces:
        print(f"\n{options.agents} agents, {options.minutes} batches each, configured pace {pace:g} a second")
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            rows = run(Path(name), options.agents, options.minutes, pace, stack)
        print_figures("replay", figures(rows, options.agents, pace))


if __name__ == "__main__":
    main()
