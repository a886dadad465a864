"""The product's own processes for tests: an agent and `santong collect`, started, killed and started again at will."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
LOCAL_ONLY = {
    "SANTONG_CLOCK_TRUST": "always",  # the machine's clock, whatever its kernel says of NTP
    "SANTONG_PRESENCE_GATEWAY": "127.0.0.1",  # no packet of a test leaves the machine
}


class Process(ABC):
    """One process with its log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line."""

    def environment(self) -> dict[str, str]:
        """Return the environment."""
        return dict(os.environ)

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it with kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def words(self) -> str:
        """Return what it said."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class AgentProcess(Process):
    """`santong-agent run` as a service manager would run it: after each end it leaves a stop mark."""

    def __init__(self, folder: Path, device: str, broker_url: str, **settings: str) -> None:
        super().__init__(folder / "agent.log")
        self.device = device
        self.spool = folder / "spool"
        self._settings = LOCAL_ONLY | {
            "SANTONG_AGENT": device,
            "SANTONG_BROKER_URL": broker_url,
            "SANTONG_SPOOL_PATH": str(self.spool),
            **settings,
        }

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(BIN / "santong-agent"), "run"]

    def environment(self) -> dict[str, str]:
        """Return the environment with the settings."""
        return os.environ | self._settings

    def leave_stop_mark(self, reason: str) -> None:
        """Do what systemd's ExecStopPost= does."""
        command = [str(BIN / "santong-agent"), "stopped", "--spool", str(self.spool), "--reason", reason]
        subprocess.run(command, check=True, timeout=30)


class CollectProcess(Process):
    """`santong collect`; `more` arguments may name a settings file."""

    def __init__(self, folder: Path, broker_url: str, store_url: str, *more: str) -> None:
        super().__init__(folder / "collect.log")
        self._arguments = ["--broker", broker_url, "--store", store_url, "--data", str(folder / "collect-data")]
        self._arguments += more

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(BIN / "santong"), "collect", *self._arguments]

    def wait_until_receiving(self, timeout_s: float = 30) -> None:
        """Return when it has subscribed."""
        deadline = time.monotonic() + timeout_s
        while "receiving from" not in self.words():
            assert self.is_running() and time.monotonic() < deadline, self.words()
            time.sleep(0.05)


def wait_until(is_so: Callable[[], object], timeout_s: float = 40, why: Callable[[], object] = str) -> None:
    """Return when something is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)
