"""
Time on a device without a battery, end to end: its clock begins in 1970, NTP comes late or never, somebody sets it.

Agent, mosquitto, collector and store are real; the machine's clocks are a double (tests/end_to_end/machine.py). At the
end it is the centre's clock that is wrong.
"""

import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from agent import health
from agent.clock import MINUTE_NS
from agent.spoolfile import peek
from collector.quarantine import Quarantine
from collector.store.base import Row, StoreError
from collector.store.open import open_store
from tests.end_to_end.machine import AgentOnMachine, Machine, Note
from tests.end_to_end.proxy import HurriedAgent, Proxy, until
from tests.processes import CollectProcess
from tests.services import Mosquitto

DEVICE = "441802-3144001234.c0703"
SECOND_NS = 10**9
YEAR_2026_NS = 1_767_225_600 * SECOND_NS


class Minute(NamedTuple):
    """What a stored presence must say."""

    boot: str
    uptime_s: float


def offsets_of(notes: list[Note]) -> list[int | None]:
    """
    Return, for each reading, the unix time - boot time by which it must be dated, None where it is no evidence.

    That is the clock as NTP held it last in this boot; before it ever did, as NTP held it first.
    """
    held: dict[str, int] = {}
    for note in reversed(notes):
        if note.voucher:
            held[note.boot] = note.set_ns
    offsets: list[int | None] = []
    for note in notes:
        if note.voucher:
            held[note.boot] = note.set_ns
        offsets.append(held.get(note.boot))
    return offsets


def minutes_of(notes: list[Note]) -> dict[int, Minute]:
    """Return the minutes that these readings prove, by their end in unix ns; the first reading of a minute counts."""
    minutes: dict[int, Minute] = {}
    for note, offset_ns in zip(notes, offsets_of(notes), strict=True):
        if offset_ns is None:
            continue
        end_ns = (note.at_ns + offset_ns) // MINUTE_NS * MINUTE_NS
        if end_ns > offset_ns:
            minutes.setdefault(end_ns, Minute(note.boot, (end_ns - offset_ns) / SECOND_NS))
    return minutes


class Centre:
    """A collector and what its store has of the device."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        url = f"sqlite://{folder}/store.db"
        self.collector = CollectProcess(folder, broker_url, url)
        self._store = open_store(url)
        self._quarantine = folder / "collect-data"

    def rows(self, measurement: str) -> list[Row]:
        """Return every row, oldest first; none while the store is not made yet."""
        try:
            return list(self._store.select(measurement, 0, 2**63 - 1, [DEVICE]))
        except StoreError:
            return []

    def refused(self) -> int:
        """Count what was refused."""
        quarantine = Quarantine(self._quarantine)
        total = quarantine.total()
        quarantine.close()
        return total

    def minutes(self) -> set[int]:
        """Return the ends of the minutes that are proven, unix ns."""
        return {row.time_ns for row in self.rows("presence")}


@pytest.fixture
def centre(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> Centre:
    """Run a collector at the broker."""
    made = Centre(tmp_path, mosquitto.url)
    parts.callback(made.collector.kill)
    made.collector.start()
    made.collector.wait_until_receiving()
    return made


class Life:
    """An agent on a machine, switched on and off by the test, which notes who was killed."""

    def __init__(self, agent: AgentOnMachine, machine: Machine) -> None:
        self.agent, self.machine = agent, machine
        self.killed: list[int] = []

    def start(self) -> None:
        """Start the agent."""
        self.agent.start()

    def live(self, minutes: float) -> None:
        """Let the machine live on for so long, measured by the readings that the agent takes."""
        since_ns = self.machine.state.boottime_ns()
        assert until(lambda: self.machine.has_lived(minutes, since_ns), 60), self.agent.words()

    def kill(self) -> None:
        """Kill the agent: whether its last reading got to the disk is open."""
        self.killed.append(self.agent.pid)
        self.agent.kill()

    def sure(self, notes: list[Note]) -> list[Note]:
        """Return the notes without the last one of each agent that was killed."""
        last = {note.pid: n for n, note in enumerate(notes) if note.pid in self.killed}
        return [note for n, note in enumerate(notes) if n not in last.values()]


@pytest.fixture
def life(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> Life:
    """Return an agent on a machine that is still switched off. There it is six hours ago: time goes fast."""
    unix_ns = time.time_ns() - 6 * 60 * MINUTE_NS
    made = Life(AgentOnMachine(tmp_path, DEVICE, mosquitto.url), Machine(tmp_path, unix_ns))
    parts.callback(made.agent.kill)
    return made


def check(life: Life, centre: Centre, *, unsynced: list[int]) -> None:
    """Assert that the store has exactly the minutes and readings of the notes, rightly dated; stop the agent."""
    sure = minutes_of(life.sure(life.machine.notes()))
    assert until(lambda: sure.keys() <= centre.minutes(), 60), life.agent.words()
    life.kill()
    notes = life.machine.notes()
    possible = minutes_of(notes)
    rows = centre.rows("presence")
    stored = {row.time_ns: Minute(str(row.fields["boot"]), float(row.fields["uptime_s"])) for row in rows}
    assert len(stored) == len(rows)
    assert sure.keys() <= stored.keys() <= possible.keys()
    for end_ns, minute in stored.items():
        assert minute.boot == possible[end_ns].boot
        assert minute.uptime_s == pytest.approx(possible[end_ns].uptime_s, abs=1)
    instants = [n.at_ns + offset_ns for n, offset_ns in zip(notes, offsets_of(notes), strict=True) if offset_ns]
    for row in centre.rows("host"):
        assert min(abs(row.time_ns - instant_ns) for instant_ns in instants) < 5 * SECOND_NS
    delivery = centre.rows("delivery")
    assert {str(row.fields["clock"]) for row in delivery} <= {"synced", "unsynced"}
    assert [int(r.fields["held"]) for r in delivery if r.fields["clock"] == "unsynced"] == unsynced
    assert [int(r.fields["lines"]) for r in delivery if r.fields["clock"] == "unsynced"] == [0] * len(unsynced)
    for measurement in ("presence", "identity", "host", "interface", "agent", "delivery"):
        assert all(YEAR_2026_NS < row.time_ns < time.time_ns() for row in centre.rows(measurement)), measurement
    assert centre.refused() == 0
    assert "Traceback" not in life.agent.words()


def test_boots_without_the_time(
    mosquitto: Mosquitto, centre: Centre, life: Life, parts: ExitStack, tmp_path: Path
) -> None:
    """
    Two boots begin in 1970. The first never gets the time: it is no evidence, but it is told how much was held.

    In the second NTP comes late, and the agent was killed before: every minute since the boot is proven and rightly
    dated, none is before 2026, none is doubled, and nothing at all was published before the time came.
    """
    proxy = parts.enter_context(Proxy(mosquitto.port))
    life.agent = AgentOnMachine(tmp_path, DEVICE, proxy.url)
    parts.callback(life.agent.kill)
    machine = life.machine
    machine.boot("boot-a")
    life.start()
    life.live(2)
    life.agent.stop()
    held = peek(life.agent.spool)[0].held
    assert held >= 2 * 3 * 3

    machine.boot("boot-b")
    life.start()
    life.live(2)
    life.kill()
    life.start()
    life.live(2)
    assert len(proxy.readers) >= 3, "the agent was connected all the time"
    assert not [publish for publish in proxy.publishes() if "/batch" in publish.topic]
    assert not centre.rows("delivery")
    machine.set_clock(machine.right_ns, "kernel")
    life.live(2)
    check(life, centre, unsynced=[held])
    assert {str(row.fields["boot"]) for row in centre.rows("presence")} == {"boot-b"}
    assert len(centre.minutes()) >= 5
    assert peek(life.agent.spool)[0].held == 0


def test_a_clock_that_is_set_while_the_machine_runs(centre: Centre, life: Life) -> None:
    """
    NTP moves the clock forward and back, loses its word, and somebody sets the clock to nonsense.

    While NTP holds the clock the dates follow it, and no minute is proven twice though some come again. Without its
    word the dates of this boot go on as they were, also when the agent is killed and starts again.
    """
    machine = life.machine
    machine.boot("boot-c")
    right_ns = machine.right_ns
    machine.set_clock(right_ns, "kernel")
    life.start()
    life.live(2)
    machine.set_clock(right_ns + 10 * MINUTE_NS, "kernel")
    life.live(2)
    machine.set_clock(right_ns - 5 * MINUTE_NS, "kernel")
    life.live(4)
    machine.set_clock(right_ns, "kernel")
    life.live(1)
    for nonsense_ns in (0, right_ns + 7 * 24 * 60 * MINUTE_NS):
        machine.set_clock(nonsense_ns, "")
        life.live(2)
        life.kill()
        life.start()
        life.live(1)
    machine.set_clock(right_ns + 30 * MINUTE_NS, "kernel")
    life.live(1)
    check(life, centre, unsynced=[])
    proven = {(end_ns - right_ns) // MINUTE_NS for end_ns in centre.minutes()}
    assert max(proven) >= 30 + 12
    assert len(proven) >= 12


_SLOW = """
import sys, time
import collector.cli, collector.pipeline, collector.wire

class TwoDaysSlow:
    def __getattr__(self, name):
        return getattr(time, name)

    def time_ns(self):
        return time.time_ns() - 2 * 86_400 * 10**9

collector.pipeline.time = collector.wire.time = TwoDaysSlow()
collector.cli.main()
"""


class SlowCollector(CollectProcess):
    """`santong collect` on a centre whose clock is two days slow: a double of `time`, which no test may set."""

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", "-c", _SLOW, *super().command()[1:]]


def test_a_centre_whose_clock_is_two_days_slow(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> None:
    """It refuses all batches as from the future: they wait, the agent says why, and all come once it is set right."""
    slow = SlowCollector(tmp_path, mosquitto.url, f"sqlite://{tmp_path}/store.db")
    parts.callback(slow.kill)
    slow.start()
    slow.wait_until_receiving()
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(agent.issued()) > 10), agent.words()
    status = peek(agent.spool)[0]
    assert (status.refused_total, status.acknowledged_total, status.dropped_total) == (0, 0, 0)
    note = "the centre's clock is 48 h behind ours: batches wait until one of the two is set right"
    assert agent.words().count(note) == 1
    assert health.read(agent.spool).note == note
    slow.stop()

    slow.log.unlink()
    centre = Centre(tmp_path, mosquitto.url)
    parts.callback(centre.collector.kill)
    centre.collector.start()
    centre.collector.wait_until_receiving()
    issued = agent.issued()

    def stored() -> Counter[tuple[str, int]]:
        good = [row for row in centre.rows("delivery") if int(row.fields["lines"])]
        return Counter((str(row.fields["epoch"]), int(row.fields["seq"])) for row in good)

    assert until(lambda: issued <= stored().keys(), 60), agent.words()
    agent.stop()
    assert set(stored().values()) == {1}
    assert health.read(agent.spool).note == "connected"
    minutes = [row.time_ns for row in centre.rows("presence")]
    assert len(minutes) == len(set(minutes)) >= 1
