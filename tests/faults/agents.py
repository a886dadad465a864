"""The agents of a run: real processes with a ledger, a clock that can be stepped, and a folder to be damaged."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.end_to_end.proxy import until
from tests.faults import ledger
from tests.faults.ledger import Mark
from tests.faults.spoolfile import MAIN, WAL
from tests.processes import BIN, AgentProcess, CollectProcess, Process
from tests.services import Service

THIS_BOARD, OTHER_BOARD = "board-1", "board-2"
_FILES = (MAIN, WAL, "spool.mark")
_PRODUCER = Path(__file__).with_name("producer.py")
_SETTINGS = {
    "SANTONG_CLOCK_TRUST": "kernel",  # the producer's clock, which can lose its voucher
    "SANTONG_PROFILE_ID": "none",  # what profiles read has values of its own, which the ledger cannot tell apart
    "SANTONG_ROUND_EVERY": "500ms",
    "SANTONG_PUBLISH_EVERY": "500ms",
    "SANTONG_PUBLISH_REPLAY_PER_SECOND": "50",
}
# Only its pauses are shorter, and fewer messages may be on their way to it: so that its broker's queue fills.
_HURRIED = """
import sys
import collector.cli, collector.pipeline, collector.receive
collector.receive.PAUSES_S = (0.1, 0.5)
collector.receive.RECEIVE_MAXIMUM = 8
collector.pipeline._LAST_PAUSE_S = 1.0
sys.argv[0] = "santong"
collector.cli.main()
"""


class HurriedCollector(CollectProcess):
    """`santong collect` that does not pause for long."""

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", "-c", _HURRIED, *super().command()[1:]]


class LedgerAgent(AgentProcess):
    """
    An agent with the harness's ledger.

    `first` is the number before its first one, `serial` the hardware that it takes itself to be on.
    """

    def __init__(
        self,
        folder: Path,
        device: str,
        broker_url: str,
        *,
        spool: Path | None = None,
        first: int = 0,
        serial: str = THIS_BOARD,
    ) -> None:
        super().__init__(folder, device, broker_url, **_SETTINGS)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.spool = spool or self.spool
        self.ledger = folder / "ledger.jsonl"
        self._control = folder / "control.json"
        self._variables = {
            "SANTONG_SPOOL_PATH": str(self.spool),
            "LEDGER_FILE": str(self.ledger),
            "LEDGER_CONTROL": str(self._control),
            "LEDGER_FIRST": str(first),
            "LEDGER_SERIAL": serial,
        }
        self.is_damaged = False  # since its last start
        self.is_older_damaged = False  # the older copy of its spool, likewise
        self.told = {"step_ns": 0, "vouched": True, "quiet": False}
        self.tell()

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", str(_PRODUCER)]

    def start(self) -> None:
        """Start it: it mends what is damaged."""
        self.is_damaged = False
        super().start()

    def environment(self) -> dict[str, str]:
        """Return the environment with the settings and the ledger's."""
        return super().environment() | self._variables

    def tell(self, **what: int | bool) -> None:
        """Tell the producer: `step_ns`, `vouched`, `quiet`."""
        self.told |= what
        new = self._control.with_suffix(".new")
        new.write_text(json.dumps(self.told), encoding="ascii")
        new.replace(self._control)

    def last_round(self) -> int:
        """Return the boot time of the newest round in the ledger, 0 before the first."""
        return ledger.last_round(self.ledger) or 0

    def wait_for_round(self, rounds: int = 1, seconds: float = 15) -> bool:
        """Wait until so many new rounds have begun."""
        for _ in range(rounds):
            before = self.last_round()
            if not until(lambda before=before: self.last_round() > before, seconds):  # type: ignore[misc]
                return False
        return True

    def leave_mark(self, reason: str) -> Mark:
        """Do what systemd's ExecStopPost= does; return what the store shall have."""
        first = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        command = [sys.executable, "-P", "-m", "agent.stopmark", str(self.spool), reason]
        subprocess.run(command, check=True, timeout=30)
        return Mark(self.device, reason, first, time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def copy_spool(self, to: Path) -> None:
        """Copy the spool's files, as a disk image has them; the agent is not writing meanwhile."""
        to.mkdir(parents=True)
        for name in _FILES:
            if (self.spool / name).exists():
                shutil.copyfile(self.spool / name, to / name)

    def put_spool(self, copy: Path) -> None:
        """Put back a copy in the place of what is there; the agent is not running."""
        for name in (*_FILES, f"{MAIN}-shm"):
            (self.spool / name).unlink(missing_ok=True)
        for name in _FILES:
            if (copy / name).exists():
                shutil.copyfile(copy / name, self.spool / name)

    def is_drained(self) -> bool:
        """Tell whether the spool waits for nothing."""
        if (self.spool / "stop.jsonl").exists():
            return False  # it is just starting
        if not (self.spool / MAIN).exists() or (self.spool / MAIN).stat().st_size <= 1:
            return False  # SQLite takes it for empty, and would delete its log
        try:
            with closing(sqlite3.connect(f"file:{self.spool / MAIN}?mode=ro", uri=True, timeout=5)) as db:
                (left,) = db.execute("SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM held)").fetchone()
                return bool(left == 0)
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # damaged, and not mended yet
            return False

    def status(self) -> dict[str, Any]:
        """Return what `santong-agent spool status --json` says."""
        command = [str(BIN / "santong-agent"), "spool", "status", "--json", "--spool", str(self.spool)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


class Paused:
    """A process under SIGSTOP, until the end of the block."""

    def __init__(self, process: int) -> None:
        self._process = process

    def __enter__(self) -> bool:
        """Stop it; tell whether it stands still."""
        os.kill(self._process, signal.SIGSTOP)
        return until(lambda: _state(self._process) == "T", 5)

    def __exit__(self, *_: object) -> None:
        os.kill(self._process, signal.SIGCONT)


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


class SmallDisk:
    """A file system of `size` bytes in memory, mounted at `where` until the end of the block."""

    def __init__(self, where: Path, size: int) -> None:
        self.where = where
        self._size = size
        self._filler = where / "filler"

    def __enter__(self) -> Path:
        self.where.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(self.where)], check=True)
        return self.where

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.where)], check=False)

    def fill(self) -> None:
        """Fill it to the last byte."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Make space again."""
        self._filler.unlink(missing_ok=True)


def kill_9(process: Process | Service) -> bool:
    """End a process with kill -9; tell whether that is how it ended."""
    running = process._process
    process.kill()
    return running is not None and running.returncode == -signal.SIGKILL
