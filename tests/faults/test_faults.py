"""
Faults of every kind, on real processes, against the ledger; and the command itself.

`SANTONG_FAULTS` makes it more (or fewer) than two of each kind, `SANTONG_SEED` repeats a run.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.proxy import until
from tests.faults.harness import run
from tests.faults.kinds import KINDS

FAULTS = int(os.environ.get("SANTONG_FAULTS", str(2 * len(KINDS))))
SEED = int(os.environ.get("SANTONG_SEED", str(time.time_ns() % 1_000_000)))
MEDDLED = {
    *(f"{what} {when} the write" for what in ("500", "503", "404", "cut") for when in ("before", "after")),
    "no space left",
    "cut",
    "PUBLISH delayed",
    "PUBLISH doubled",
    "PUBLISH reordered",
    "PUBACK swallowed",
    "ack delayed",
    "ack doubled",
    "ack reordered",
    "ack lost",
}


def say(text: str) -> None:
    """Print at once: a run takes minutes."""
    print(text, flush=True)


def test_nothing_is_lost_doubled_or_altered() -> None:
    """
    Each kind of fault really happens, and at the end every sample is in the store, once, as it was.

    Only the round that an agent was in when it was killed may be missing, and what a fault physically took; the product
    says so. Each death is told with its time, each lived minute has its presence.
    """
    result = run(FAULTS, SEED, [], say)
    say(f"{dict(result.verdict.counts)}")
    assert result.verdict.line() == "lost 0 doubled 0 altered 0", result.folder
    assert result.complaints == [], result.folder
    assert result.verdict.counts["produced"] >= FAULTS
    assert result.verdict.counts["stored"] > 0.5 * result.verdict.counts["produced"]
    if 2 * len(KINDS) <= FAULTS:
        assert result.happened.keys() == KINDS.keys(), result.missed
        assert result.missed.total() <= FAULTS / 20, result.missed
        assert result.meddled.keys() >= MEDDLED
        assert result.mended > 0
        assert result.counters["damaged_total"] > 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, or being ended, in the middle of a fault: every process is gone, stopped ones too, no disk is mounted."""
    command = [sys.executable, "-m", "tests.faults", "--faults", "50", "--seed", "1", "--only", "pause-agent"]
    harness = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    try:
        assert until(lambda: list(tmp_path.glob("*/faults.log")), 60)
        assert until(lambda: str(tmp_path) in Path("/proc/mounts").read_text(encoding="utf-8"))
        harness.send_signal(how)
        said, _ = harness.communicate(timeout=60)
    finally:
        harness.kill()
        harness.wait()
    assert harness.returncode == 130
    assert said.startswith("seed 1, 50 faults, in ")
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")
    # an agent's worker ends by itself, when it sees that its agent is gone
    assert until(lambda: not [entry for entry in Path("/proc").iterdir() if _session(entry) == harness.pid])


def _session(process: Path) -> int:
    """Return the session of a process, 0 when it is none (any more)."""
    try:
        stat = (process / "stat").read_text(encoding="utf-8") if process.name.isdecimal() else ""
    except (FileNotFoundError, ProcessLookupError):
        stat = ""
    return int(stat.rpartition(")")[2].split()[3]) if stat else 0


def test_a_kind_that_is_not_there() -> None:
    """The command says which kinds there are."""
    command = [sys.executable, "-m", "tests.faults", "--only", "kill-agnet"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 2
    assert "kill-agnet: no such kind; there are kill-agent, kill-broker, " in answer.stderr
