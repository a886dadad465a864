"""
Everything is killed with -9, at random, for minutes: nothing may be lost, nothing doubled.

Agent, mosquitto, `santong collect` and influxd are real processes. The ledger is the test's own: it copies every batch
it sees in the agent's spool file, and notes after each death of the agent which sequence numbers that epoch had given
out. `SANTONG_TEST_SECONDS` shortens or lengthens the run; `SANTONG_TEST_SEED` repeats one.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Self

from contract.batch import decode
from tests.processes import AgentProcess, CollectProcess
from tests.services import Influxd, Mosquitto

DEVICE = "441802-3144001234.c0703"
SECONDS = float(os.environ.get("SANTONG_TEST_SECONDS", "300"))
SEED = int(os.environ.get("SANTONG_TEST_SEED", str(time.time_ns() % 100_000)))
KILLS_EACH = max(2, round(SECONDS / 100))
DRAIN_TIMEOUT_S = 240.0
ROUND_S = 2
MINUTE_NS = 60 * 10**9


class Ledger:
    """What the agent issued, read from its spool file while it runs and after each death."""

    def __init__(self, spool: Path) -> None:
        self._file = spool / "spool.sqlite"
        self.payloads: dict[tuple[str, int], bytes] = {}
        self.last_seq: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.3):
            self.read()

    def read(self) -> None:
        """Copy the closed batches that are there now, and note the newest sequence number of the epoch."""
        if not self._file.exists():
            return
        with self._lock, closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=5)) as db:
            try:
                for epoch, seq, body in db.execute("SELECT epoch, seq, body FROM batch WHERE NOT open"):
                    self.payloads[epoch, seq] = bytes(body)
                names = db.execute("SELECT value FROM meta WHERE key = 'name'").fetchall()
            except sqlite3.OperationalError:
                return  # not made yet, or being recovered after a kill
        for (name,) in names:
            epoch, _, seq = str(name).partition(":")
            self.last_seq[epoch] = int(seq)

    def waiting(self) -> int:
        """Count the batches in the spool."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute("SELECT count(*) FROM batch WHERE NOT open").fetchone()[0])


class Death(NamedTuple):
    """One end of the agent, in unix nanoseconds."""

    at_ns: int
    back_ns: int


class Victims:
    """The four processes, and how each is brought back."""

    def __init__(self, agent: AgentProcess, broker: Mosquitto, collector: CollectProcess, influxd: Influxd) -> None:
        self.agent = agent
        self.deaths: list[Death] = []
        self._all: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "agent": (agent.kill, agent.start),
            "broker": (broker.kill, broker.start),
            "collector": (collector.kill, collector.start),
            "influxd": (influxd.kill, influxd.start),
        }

    def kill(self, name: str, pause_s: float) -> None:
        """Kill one and bring it back after a pause."""
        end, begin = self._all[name]
        end()
        at_ns = time.time_ns()
        if name == "agent":
            self.agent.leave_stop_mark("signal 9")
        time.sleep(pause_s)
        begin()
        if name == "agent":
            self.deaths.append(Death(at_ns, time.time_ns()))


def test_nothing_is_lost_or_doubled_while_everything_is_killed(
    tmp_path: Path, mosquitto: Mosquitto, influxd: Influxd
) -> None:
    """Every batch a spool ever issued is stored exactly once, every lived minute is proven, every death is told."""
    print(f"seed {SEED}, {SECONDS:.0f} s, each killed {KILLS_EACH} times")
    chance = random.Random(SEED)
    collector = CollectProcess(tmp_path, mosquitto.url, influxd.url("santong"))
    agent = AgentProcess(
        tmp_path, DEVICE, mosquitto.url, SANTONG_ROUND_EVERY=f"{ROUND_S}s", SANTONG_PUBLISH_EVERY=f"{ROUND_S}s",
        SANTONG_PUBLISH_REPLAY_PER_SECOND="20",
    )  # fmt: skip
    victims = Victims(agent, mosquitto, collector, influxd)
    began_ns = time.time_ns()
    collector.start()
    agent.start()
    try:
        with Ledger(agent.spool) as ledger:
            _kill_all(victims, ledger, chance)
            _wait_until_drained(ledger, agent, collector)
            alive_until_ns = time.time_ns()
            agent.stop()
            ledger.read()
        collector.stop()
    finally:
        agent.kill()
        collector.kill()
    _check_batches(ledger, influxd)
    _check_minutes(influxd, began_ns, alive_until_ns, victims.deaths)
    _check_deaths(influxd, victims.deaths)


def _kill_all(victims: Victims, ledger: Ledger, chance: random.Random) -> None:
    """Spread the kills over the time, in random order."""
    plan = ["agent", "broker", "collector", "influxd"] * KILLS_EACH
    chance.shuffle(plan)
    end = time.monotonic() + SECONDS
    for number, name in enumerate(plan):
        due = end - SECONDS * (1 - (number + chance.uniform(0.3, 1.0)) / (len(plan) + 1))
        time.sleep(max(0.0, due - time.monotonic()))
        ledger.read()
        victims.kill(name, chance.uniform(0.2, 4.0))
    time.sleep(max(0.0, end - time.monotonic()))


def _wait_until_drained(ledger: Ledger, agent: AgentProcess, collector: CollectProcess) -> None:
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while ledger.waiting() > 2:  # one round's batch is always on its way, another settled but not yet forgotten
        assert time.monotonic() < deadline, f"{ledger.waiting()} still wait: {agent.words()}\n{collector.words()}"
        time.sleep(0.5)
    time.sleep(3 * ROUND_S)


def _rows(influx: Influxd, measurement: str, policy: str = "evidence") -> list[dict[str, object]]:
    series = influx.query(f'SELECT * FROM "{policy}"."{measurement}"', "santong")
    return [dict(zip(s["columns"], values, strict=True)) for s in series for values in s["values"]]


def _check_batches(ledger: Ledger, influx: Influxd) -> None:
    """Compare the ledger with what the store holds: batches by delivery point, and the lines of each payload."""
    delivered = [(str(row["epoch"]), int(str(row["seq"]))) for row in _rows(influx, "delivery")]
    # What the last epoch gave out in its last moments may still wait in the spool: that is not lost.
    still_there = {name for name in ledger.payloads if name[0] == list(ledger.last_seq)[-1] and name not in delivered}
    issued = {(epoch, seq) for epoch, last in ledger.last_seq.items() for seq in range(1, last + 1)}
    assert len(ledger.last_seq) == KILLS_EACH + 1, "the ledger missed an epoch"
    assert len(issued) > SECONDS / ROUND_S / 2
    assert len(delivered) == len(set(delivered)), "a batch is stored twice"
    lost = issued - set(delivered) - still_there
    assert not lost, f"lost: {sorted(lost)}"
    assert len(issued - set(delivered)) <= 2, "more waits than one round's batch"
    stored = {
        name: {int(str(row["time"])) for row in _rows(influx, name, policy)}
        for name, policy in (("host", "telemetry"), ("interface", "telemetry"), ("presence", "evidence"))
    }
    for name in set(delivered) & ledger.payloads.keys():
        for line in decode(ledger.payloads[name]).lines.decode().splitlines():
            measurement = line.partition(" ")[0].partition(",")[0]
            if measurement in stored:
                assert int(line.rpartition(" ")[2]) in stored[measurement], f"{name}: {line} is not stored"


def _check_minutes(influx: Influxd, began_ns: int, until_ns: int, deaths: list[Death]) -> None:
    """Every boundary at or before which a round was taken has its presence, once."""
    minutes = [int(str(row["time"])) for row in _rows(influx, "presence")]
    assert len(minutes) == len(set(minutes)), "a minute is stored twice"
    slack_ns = (ROUND_S + 5) * 10**9  # a start takes a moment
    first = began_ns - began_ns % MINUTE_NS + MINUTE_NS
    for boundary in range(first, until_ns - MINUTE_NS, MINUTE_NS):
        gone_ns = sum(
            max(0, min(boundary + MINUTE_NS, death.back_ns + slack_ns) - max(boundary, death.at_ns)) for death in deaths
        )
        assert boundary in minutes or gone_ns >= MINUTE_NS - slack_ns, f"the agent lived at {boundary}, nothing stored"


def _check_deaths(influx: Influxd, deaths: list[Death]) -> None:
    """Each death left its mark, with the time of the death."""
    marks = sorted(int(str(row["time"])) for row in _rows(influx, "stop"))
    assert len(marks) == len(deaths)
    for mark, death in zip(marks, deaths, strict=True):
        assert 0 <= mark - death.at_ns < 10 * 10**9
