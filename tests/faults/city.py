"""
Everything that runs: four agents, broker, collector, influxd, and the proxies between them.

    agents ══▶ MqttProxy ══▶ mosquitto ══▶ santong collect ──▶ HttpProxy ──▶ influxd (on a small disk)
      └ ledgers, spools (one on a small disk)

What may be missing at the end, and which marks must be there, is noted here while the faults happen.
"""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from contract.measurements import TABLE
from tests.end_to_end.proxy import until
from tests.faults import ledger
from tests.faults.agents import HurriedCollector, LedgerAgent, SmallDisk, kill_9
from tests.faults.http_proxy import HttpProxy
from tests.faults.ledger import Exempt, Mark, Produced, Stored
from tests.faults.mqtt_proxy import MqttProxy
from tests.processes import Process
from tests.services import Influxd, Mosquitto, Service

SITE = "441802-3144001234"
DATABASE = "santong"
_IDENTITY = ("device", "site", "county", "agent")
_STORE_DISK = 256 << 20
_SPOOL_DISK = 12 << 20
# A queue that a collector standing still fills within a second or two; its state survives kill -9 of the broker.
_BROKER = (
    "log_type notice",
    "max_queued_messages 2",
    "sys_interval 1",
    "persistence true",
    "autosave_interval 2",
)


class Happening(NamedTuple):
    """A fault, between two instants of the boot time."""

    number: int
    kind: str
    began_ns: int
    ended_ns: int
    detail: str


class City:
    """The processes of a run. Entering it starts them; leaving it ends them, and unmounts the disks, in any case."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.exempt = Exempt(set(), set(), set(), set(), [])
        self.marks: list[Mark] = []
        self.raw: list[Produced] = []
        self.clones: list[LedgerAgent] = []
        self.happenings: list[Happening] = []
        self.complaints: list[str] = []
        self.details: list[str] = []
        self._parts = ExitStack()

    # ---- beginning and end

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._start(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start(self, parts: ExitStack) -> None:
        self.store_disk = SmallDisk(self.folder / "store-disk", _STORE_DISK)
        self.spool_disk = SmallDisk(self.folder / "spool-disk", _SPOOL_DISK)
        parts.enter_context(self.store_disk)
        parts.enter_context(self.spool_disk)
        self.influxd = Influxd(self.store_disk.where / "influxd")
        parts.callback(self.influxd.kill)
        self.influxd.start()
        self.broker = Mosquitto(
            self.folder / "mosquitto",
            (*_BROKER, f"persistence_location {self.folder}/mosquitto/"),
            log_type="warning",
        )
        parts.callback(self.broker.kill)
        self.broker.start()
        self.http = parts.enter_context(HttpProxy(self.influxd.port))
        self.mqtt = parts.enter_context(MqttProxy(self.broker.port, random.Random(self.chance.random())))
        self.collector = HurriedCollector(self.folder, self.broker.url, self.http.url(DATABASE))
        parts.callback(self.collector.kill)
        self.collector.start()
        self.agents = [self._agent(number) for number in range(4)]
        for agent in self.agents:
            parts.callback(agent.kill)
            agent.start()
        self.collector.wait_until_receiving()
        for agent in self.agents:
            assert agent.wait_for_round(), agent.words()

    def _agent(self, number: int) -> LedgerAgent:
        device = f"{SITE}.c{number:02}"
        spool = self.spool_disk.where / "spool" if number == 0 else None  # the first has a disk of its own
        return LedgerAgent(self.folder / f"agent{number}", device, self.mqtt.url, spool=spool)

    # ---- chance

    def hold(self, shortest_s: float = 0.3, longest_s: float = 1.6) -> None:
        """Let a fault last for a while."""
        time.sleep(self.chance.uniform(shortest_s, longest_s))

    def any_agent(self) -> LedgerAgent:
        """Return a victim."""
        agent = self.chance.choice(self.agents)
        self.detail(agent.device)
        return agent

    def detail(self, text: str) -> None:
        """Note what exactly is done; it stands beside an offence of that time."""
        self.details.append(text)

    def wait_for_write(self, seconds: float = 10) -> bool:
        """Wait until something new is stored: collector and store work, and have each other."""
        before = self.http.passed
        return until(lambda: self.http.passed > before, seconds)

    # ---- ends of agents

    def kill_agent(self, agent: LedgerAgent, *, mark: bool = True) -> bool:
        """End an agent with kill -9: its last round may be missing. Tell whether that is how it ended."""
        is_killed = kill_9(agent)
        self.exempt.in_flight.add((agent.device, agent.last_round()))
        if mark:
            self.leave_mark(agent, "signal 9")
        return is_killed

    def stop_agent(self, agent: LedgerAgent) -> None:
        """End an agent in good order: nothing may be missing."""
        agent.stop()
        self.leave_mark(agent, "signal 15")

    def leave_mark(self, agent: LedgerAgent, reason: str) -> None:
        """Leave a stop mark that must come to the store."""
        self.marks.append(agent.leave_mark(f"{reason} number {len(self.marks)}"))

    def supervise(self) -> None:
        """Start again what ended by itself, as a service manager would, and complain."""
        everybody: list[Process | Service] = [self.influxd, self.broker, self.collector, *self.agents]
        for process in everybody:
            running = process._process
            if running is None or running.poll() is not None:
                last_words = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
                self.complaints.append(f"{process.log} ended by itself: {last_words}")
                process.kill()
                if isinstance(process, LedgerAgent):
                    self.exempt.in_flight.add((process.device, process.last_round()))
                    self.leave_mark(process, "ended by itself")
                process.start()

    # ---- the end

    def drain(self, seconds: float) -> bool:
        """
        Let the agents measure no more and everything arrive; tell whether it did.

        They are started once more before: only then is a damage found that nobody came across.
        """
        everybody = [*self.agents, *self.clones]
        for agent in everybody:
            agent.tell(quiet=True, step_ns=0, vouched=True)
        for agent in self.agents:
            self.stop_agent(agent)
            agent.start()
        is_drained = until(lambda: all(agent.is_drained() for agent in self.agents), seconds)
        for agent in self.agents:
            agent.stop()
        for clone in self.clones:
            if not clone.is_drained():  # one that was ended before it could say all
                clone.start()
                is_drained &= until(clone.is_drained, seconds)
                clone.stop()
        return is_drained

    def produced(self) -> Iterator[Produced]:
        """Yield everything in the ledgers."""
        for agent in (*self.agents, *self.clones):
            if agent.ledger.exists():
                yield from ledger.read(agent.ledger, agent.device)
        yield from self.raw

    def stored(self) -> Iterator[Stored]:
        """Yield everything in influxd."""
        for name, row in TABLE.items():
            for series in self.influxd.query(f'SELECT * FROM "{row.retention}"."{name}" GROUP BY *', DATABASE):
                own = tuple(sorted((k, v) for k, v in series["tags"].items() if k not in _IDENTITY))
                for time_ns, *values in series["values"]:
                    pairs = zip(series["columns"][1:], values, strict=True)
                    fields = {field: value for field, value in pairs if value is not None}
                    yield Stored(series["tags"]["device"], name, own, time_ns, fields)

    def words(self) -> str:
        """Return what all processes of the product said."""
        return "\n".join(process.words() for process in (self.collector, *self.agents, *self.clones))

    def broker_state(self) -> Path:
        """Return the file in which the broker keeps what it knows."""
        return self.folder / "mosquitto" / "mosquitto.db"
