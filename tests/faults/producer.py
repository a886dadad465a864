"""
The agent's own program with a ledger beside it, in the place of `santong-agent run`.

    python -P tests/faults/producer.py

    sources ──▶ Recorder ──▶ the product: date, spool, delivery …
                   └── write(2) ──▶ the ledger: one line of JSON for each sample, before the product sees it

What runs is `agent.pipeline.main`. Only its pauses are shorter; it has one more source, whose samples carry a number
each; its wall clock can be stepped and its voucher taken away by a file, since the clock of the machine cannot be
stepped for one process; and it can be told another hardware serial.

Variables: LEDGER_FILE, LEDGER_CONTROL (`{"step_ns": 0, "vouched": true, "quiet": false}`), LEDGER_FIRST (the number
before the first of a new ledger), LEDGER_SERIAL (optional).
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import agent.gather.identity
import agent.pipeline
import agent.publish
import agent.window
from agent.clock_linux import LinuxClocks
from agent.gather.base import Source
from agent.gather.myself import Myself
from contract.sample import Sample, Value

NUMBERS_A_ROUND = 3
_TAIL_BYTES = 1 << 16
_STEADY_READING_NS = 200_000


class Ledger:
    """The file that outlives the agent: what write(2) took is in the kernel, kill -9 takes nothing of it away."""

    def __init__(self, file: Path, first: int) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.number = max(first, _last_number(file))

    def write(self, at_ns: int, offset_ns: int | None, sample: Sample) -> None:
        """Append (boot time, what to add for the unix time, measurement, tags, fields)."""
        row = [at_ns, offset_ns, sample.measurement, dict(sample.tags), dict(sample.fields)]
        os.write(self._descriptor, json.dumps(row).encode() + b"\n")


def _last_number(file: Path) -> int:
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        rows = [json.loads(line) for line in lines.read().split(b"\n")[1:-1]]
    return max((int(fields["value"]) for _, _, name, _, fields in rows if name == "sensor"), default=0)


class SteppedClocks(LinuxClocks):
    """
    A double for a clock that cannot be stepped here: the machine's, plus what the control file says.

    The file is read when the product asks for the voucher, once a round: a step falls between two rounds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.control = Control()
        self.offset_ns: int | None = None

    def voucher(self) -> str:
        """Return who vouches for the wall clock; nobody for a moment around a step."""
        self.control.read()
        return "kernel" if self.control.vouched else ""

    def unix_ns(self) -> int:
        """Return what the stepped wall clock shows; keep by how much it differs from the boot time."""
        while True:
            before, unix, after = self.boottime_ns(), time.time_ns(), self.boottime_ns()
            if after - before < _STEADY_READING_NS:
                break
        unix += self.control.step_ns
        if self.control.vouched:
            self.offset_ns = unix - (before + after) // 2
        return unix


class Control:
    """What the harness tells a running agent."""

    def __init__(self) -> None:
        self._file = Path(os.environ["LEDGER_CONTROL"])
        self.read()

    def read(self) -> None:
        """Read the file again; it is always replaced as a whole."""
        told = json.loads(self._file.read_text(encoding="ascii"))
        self.step_ns = int(told["step_ns"])
        self.vouched = bool(told["vouched"])
        self.quiet = bool(told["quiet"])


class Recorder:
    """A source of the product, every sample of which is written into the ledger before it is handed on."""

    def __init__(self, source: Source, ledger: Ledger, clocks: SteppedClocks) -> None:
        self.name = source.name
        self._source = source
        self._ledger = ledger
        self._clocks = clocks

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield what the source yields; nothing when the harness asked for quiet."""
        if self._clocks.control.quiet:
            return
        for sample in self._source.gather(at_ns):
            self._ledger.write(at_ns, self._clocks.offset_ns, sample)
            yield sample


class Numbers:
    """The ledger's own source: a few samples a round, each with a number that no other sample of the agent has."""

    name = "numbers"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield the next numbers."""
        for tag in range(NUMBERS_A_ROUND):
            self._ledger.number += 1
            yield Sample("sensor", {"value": float(self._ledger.number)}, at_ns, {"name": f"ledger{tag}"})


def main() -> int:
    """Run the agent."""
    ledger = Ledger(Path(os.environ["LEDGER_FILE"]), int(os.environ["LEDGER_FIRST"]))
    original_sources = agent.pipeline.sources_of
    clocks: list[SteppedClocks] = []

    def new_clocks() -> SteppedClocks:
        clocks.append(SteppedClocks())
        return clocks[-1]

    def recorded(source: Source) -> Recorder:
        return Recorder(source, ledger, clocks[-1])

    def sources_of(*arguments: Any) -> list[Source]:
        sources: Iterable[Source] = [*original_sources(*arguments), Numbers(ledger)]
        return [recorded(source) for source in sources]

    def myself(counts: Callable[[], Mapping[str, Value]]) -> Recorder:
        return recorded(Myself(counts))

    product: Any = agent.pipeline
    product.machine_clocks, product.sources_of, product.Myself = new_clocks, sources_of, myself
    if serial := os.environ.get("LEDGER_SERIAL"):
        product.serial = agent.gather.identity.serial = lambda *_: serial
    agent.publish.PAUSES_S = (0.1, 0.2)
    agent.window.FIRST_RETRY_S, agent.window.LAST_RETRY_S, agent.window.IDLE_S = 1.0, 2.0, 0.5
    return agent.pipeline.main([])


if __name__ == "__main__":
    sys.exit(main())
