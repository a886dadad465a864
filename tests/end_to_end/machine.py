"""
A machine whose clocks the test sets, and the agent's own program on it.

No test may set the clock of the machine that it runs on. So LinuxClocks, through which an agent sees all clocks, is
replaced by a double: boots when the test says so, in 1970 like a Pi without a battery, is set by hand or by NTP, and
runs 20 times as fast, so that a minute lasts 3 s. Everything else of the agent is real.

The double also notes each reading of presence with what the machine's clocks showed at that moment: the test's own
account of which minutes were lived through.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import agent.pipeline
from agent.clock_linux import LinuxClocks
from agent.gather.presence import Presence
from contract.sample import Sample
from tests.processes import AgentProcess

SPEED = 20
MINUTE_NS = 60 * 10**9


class State(NamedTuple):
    """
    What a machine's clocks show. Times in ns.

    `origin_ns` is when it booted, on this computer's CLOCK_BOOTTIME; `set_ns` what was added to its wall clock, which
    began in 1970 with the boot; `voucher` is `kernel` while NTP holds the clock.
    """

    boot: str
    origin_ns: int
    set_ns: int = 0
    voucher: str = ""

    def boottime_ns(self) -> int:
        """Return the time since boot."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.origin_ns) * SPEED


class Note(NamedTuple):
    """One reading of presence: which process took it, when since boot, and what the clocks were set to."""

    pid: int
    boot: str
    at_ns: int
    set_ns: int
    voucher: str


class Machine:
    """The test's hand on the machine. Times in ns."""

    def __init__(self, folder: Path, unix_ns: int) -> None:
        self._folder = folder
        self._began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._unix_ns = unix_ns
        self.state = State("", 0)

    @property
    def right_ns(self) -> int:
        """What the wall clock must be set to, to be right: unix time - time since boot."""
        return self._unix_ns + (self.state.origin_ns - self._began_ns) * SPEED

    def boot(self, name: str) -> None:
        """Switch it on: the wall clock begins in 1970, nobody vouches for it."""
        self._show(State(name, time.clock_gettime_ns(time.CLOCK_BOOTTIME)))

    def set_clock(self, set_ns: int, voucher: str) -> None:
        """Set the wall clock, by NTP (`kernel`) or by hand (empty)."""
        self._show(self.state._replace(set_ns=set_ns, voucher=voucher))

    def notes(self) -> list[Note]:
        """Return every reading so far."""
        file = self._folder / "notes"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [Note(*json.loads(line)) for line in lines]

    def has_lived(self, minutes: float, since_ns: int) -> bool:
        """Tell whether a reading was taken so long after an instant of this boot."""
        return any(n.boot == self.state.boot and n.at_ns >= since_ns + minutes * MINUTE_NS for n in self.notes()[-5:])

    def _show(self, state: State) -> None:
        self.state = state
        new = self._folder / "state.new"
        new.write_text(json.dumps(state), encoding="utf-8")
        new.replace(self._folder / "state")


class AgentOnMachine(AgentProcess):
    """An agent that reads its presence three times a minute of the machine, and believes nobody but its kernel."""

    def __init__(self, folder: Path, device: str, broker_url: str) -> None:
        settings = {
            "SANTONG_CLOCK_TRUST": "kernel",
            "SANTONG_PROFILE_ID": "none",  # what a worker reads has the time of this computer, not the machine's
            "SANTONG_ROUND_EVERY": "20s",
            "SANTONG_PUBLISH_EVERY": "20s",
            "SANTONG_PUBLISH_REPLAY_PER_SECOND": "20",
        }
        super().__init__(folder, device, broker_url, **settings)
        self._folder = folder

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", "-c", _PROGRAM, str(self._folder), *sys.path]


# ---- in the agent's process

_PROGRAM = """
import sys
folder, *sys.path = sys.argv[1:]
from tests.end_to_end.machine import be_agent
sys.exit(be_agent(folder))
"""


class DoubleClocks(LinuxClocks):
    """The machine's clocks. They are looked at once a round, when the agent asks who vouches for them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = folder / "state"
        self.state = self._look()
        self.boot = self.state.boot

    def _look(self) -> State:
        return State(*json.loads(self._file.read_text(encoding="utf-8")))

    def boottime_ns(self) -> int:
        """Return the time since boot; it never slept."""
        return self.state.boottime_ns()

    def awake_ns(self) -> int:
        """Return the time since boot."""
        return self.state.boottime_ns()

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""
        return self.state.boottime_ns() + self.state.set_ns

    def voucher(self) -> str:
        """Return `kernel` while NTP holds the clock."""
        self.state = self._look()
        return self.state.voucher


def be_agent(folder: str) -> int:
    """Run the agent's own program on the machine."""
    clocks = DoubleClocks(Path(folder))

    class NotedPresence(Presence):
        """Presence that leaves a note of each reading."""

        def gather(self, at_ns: int) -> Iterator[Sample]:
            state = clocks.state
            with (Path(folder) / "notes").open("a", encoding="utf-8") as notes:
                notes.write(json.dumps([os.getpid(), state.boot, at_ns, state.set_ns, state.voucher]) + "\n")
            return super().gather(at_ns)

    # The agent waits in seconds of this computer for what is due on the machine: it must look more often.
    vars(agent.pipeline).update(machine_clocks=lambda: clocks, Presence=NotedPresence, _LONGEST_WAIT_S=0.05)
    return agent.pipeline.main([])
