"""Programs that run beside a test: started, waited for, and ended by their process id."""

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

READY_S = 20.0
ROOT = Path(__file__).parents[2]  # of the project: where `python -m tests.…` works
_LISTEN = {"tcp": "0A", "udp": "07"}  # states in /proc/net: a UDP socket has none but this one


class LabError(RuntimeError):
    """Something of the lab cannot be built or did not do what it was told; the message has what was said."""


class Program(ABC):
    """A running program, here or in the guest; what it says is in its `log`."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.argv = argv
        self.log = log

    @abstractmethod
    def is_running(self) -> bool:
        """Tell whether it runs."""

    @abstractmethod
    def stop(self) -> None:
        """End it in good order, with force after 10 s; nothing happens when it has ended."""

    @abstractmethod
    def kill(self) -> None:
        """End it with kill -9."""

    @abstractmethod
    def sockets(self, protocol: str) -> str:
        """Return the kernel's tables of sockets of its network, as in /proc/net/tcp; nothing when it has ended."""

    def words(self) -> str:
        """Return what it said."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = READY_S) -> None:
        """Return when `condition` holds; LabError when the program ends before, or takes longer."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self.is_running() or time.monotonic() > deadline:
                state = "is not ready" if self.is_running() else "ended at once"
                raise LabError(f"{' '.join(self.argv)} {state}:\n{self.words()[-2000:]}")
            time.sleep(0.01)

    def wait_until_said(self, words: str, timeout_s: float = READY_S) -> Self:
        """Return itself when its log has these words."""
        self.wait_until(lambda: words in self.words(), timeout_s)
        return self

    def wait_until_listening(self, *ports: int, protocol: str = "tcp") -> Self:
        """Return itself when all `ports` are open in its network."""
        self.wait_until(lambda: set(ports) <= self.ports(protocol))
        return self

    def ports(self, protocol: str = "tcp") -> set[int]:
        """Return the ports that are open in its network, by whomever."""
        rows = [line.split() for line in self.sockets(protocol).splitlines()]
        return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3:] and row[3] == _LISTEN[protocol]}


class Background(Program):
    """A program on this machine."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        super().__init__(argv, log)
        with log.open("ab") as out:
            self._process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def wait(self, timeout_s: float) -> int:
        """Return its status when it has ended by itself; LabError when that takes longer."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(
                f"{' '.join(self.argv)} takes longer than {timeout_s:.0f} s:\n{self.words()[-2000:]}"
            ) from None

    def sockets(self, protocol: str) -> str:
        """Return its network's sockets; nothing before it is in a network of its own."""
        process = Path(f"/proc/{self.pid}")
        with suppress(OSError):  # it has ended
            if (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink():
                tables = [process / "net" / name for name in (protocol, f"{protocol}6")]
                return "".join(table.read_text(encoding="ascii") for table in tables if table.exists())
        return ""

    def stop(self) -> None:
        """End it in good order, with force after 10 s; nothing happens when it has ended."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it with kill -9."""
        self._process.kill()
        self._process.wait()
