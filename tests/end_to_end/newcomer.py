"""`santong up` as its user runs it, for tests of what it does."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from collector.store.base import Row
from collector.store.open import open_store
from tests.processes import BIN, LOCAL_ONLY
from tests.services import free_port

ENVIRONMENT = os.environ | LOCAL_ONLY | {"SANTONG_LANG": "en"}


def santong(*words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command at the centre."""
    return subprocess.run(
        [str(BIN / "santong"), *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def up(data: Path, *more: str) -> list[str]:
    """Return the command line of `santong up` over a data folder, on ports of its own."""
    ports = ("--port", str(free_port()), "--board-port", str(free_port()))
    return [str(BIN / "santong"), "up", "--data", str(data), *ports, *more]


@contextmanager
def running(command: list[str], log: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run it; what it says is in `log`. It is ended with -9 where the test has not ended it."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=ENVIRONMENT | settings, stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def end(process: "subprocess.Popen[bytes]") -> int:
    """Press Ctrl-C, and return the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(60)


def stored(data: Path, measurement: str) -> list[Row]:
    """Return all rows of a measurement; none before there is a store."""
    file = data / "santong.sqlite"
    if not file.exists():
        return []
    with closing(open_store(f"sqlite:///{file}", create=False)) as store:
        return list(store.select(measurement, 0, 2**62))


def agent_of(process: int) -> int:
    """Return the process id of the agent of a `santong up`, 0 where there is none."""
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"agent.pipeline\0" in words:
            return int(child)
    return 0
