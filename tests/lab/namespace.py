"""Where programs of a lab run: a network namespace with a resolver of its own, and faults."""

import itertools
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.lab.background import Background, LabError, Program

RESOLVERS = Path("/etc/netns")  # `ip netns exec` binds /etc/netns/NAME/resolv.conf over /etc/resolv.conf
Done = subprocess.CompletedProcess[str]
_NUMBERS = itertools.count(1)


def tool(*argv: str) -> str:
    """Run a program of the machine itself and return its output; LabError when it fails."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


class Space(ABC):
    """
    Where programs run: a namespace of this machine, or one in the guest. Logs are in its folder.

    The folder has the same path for those programs, so that they find their configuration in it.
    """

    agent_program = "santong-agent"

    def __init__(self, name: str, folder: Path) -> None:
        self.space = name
        self.folder = folder
        self.folder.mkdir(parents=True)
        self._spoilt: set[str] = set()  # families of nft with faults

    def run(self, argv: Sequence[str | Path], timeout: float = 20, *, check: bool = True) -> Done:
        """
        Run a program in here and return its output and status.

        A status other than 0 raises LabError with the output, unless `check` is off. `timeout` in seconds, after it
        comes subprocess.TimeoutExpired.
        """
        done = self._run(list(map(str, argv)), timeout)
        if check and done.returncode:
            words = f"{done.stdout}{done.stderr}".strip()
            raise LabError(f"{self.space}: {' '.join(done.args)}: status {done.returncode}\n{words}")
        return done

    def agent(self, *words: str, timeout: float = 60) -> Done:
        """Run the product's `santong-agent` in here, whatever its status."""
        return self.run([self.agent_program, *words], timeout, check=False)

    @abstractmethod
    def _run(self, argv: list[str], timeout: float) -> Done: ...

    @abstractmethod
    def start(self, argv: Sequence[str | Path]) -> Program:
        """Start a program that runs until it is stopped or the lab ends."""

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Return when `condition` holds; LabError when it takes longer."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"{self.space}: not within {timeout_s:.0f} s")
            time.sleep(0.05)

    def new_log(self, name: str) -> Path:
        """Return the name of a log that does not exist yet."""
        return self.folder / f"{next(_NUMBERS)}-{name}.log"

    def nft(self, rule: str, hook: str = "input", family: str = "inet") -> None:
        """Add a fault, for example `udp dport 53 drop`, at `input`, `output` or `forward`, until mend()."""
        self._spoilt.add(family)
        self.run(["nft", f"table {family} fault {{ chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}; }}"])

    def mend(self) -> None:
        """Take all faults of nft() away."""
        while self._spoilt:
            family = self._spoilt.pop()
            self.run(["nft", f"add table {family} fault; delete table {family} fault"])


class Namespace(Space):
    """A network namespace of the given name. It exists from the start until remove()."""

    agent_program = str(Path(sys.executable).with_name("santong-agent"))

    def __init__(self, namespace: str, folder: Path) -> None:
        super().__init__(namespace, folder)
        self.namespace = namespace
        self._mounts: list[tuple[Path, str]] = []
        self._backgrounds: list[Program] = []
        self.resolver()
        tool("ip", "netns", "add", namespace)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> str:
        """Run `ip` in here."""
        return tool("ip", "-n", self.namespace, *words)

    def has(self, interface: str) -> bool:
        """Tell whether there is such an interface."""
        with suppress(LabError):
            return bool(self.ip("link", "show", interface))
        return False

    # ---- programs

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """Return the command line that runs `argv` in here; its process becomes the program."""
        inside = ["ip", "netns", "exec", self.namespace]
        if self._mounts:
            mounts = "".join(f"mount --bind '{file}' '{place}' && " for file, place in self._mounts)
            inside += ["sh", "-c", f'{mounts}exec "$@"', "sh"]
        return [*inside, *map(str, argv)]

    def _run(self, argv: list[str], timeout: float) -> Done:
        command = self.command(argv)
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def start(self, argv: Sequence[str | Path]) -> Background:
        """Start a program that runs until it is stopped or the lab ends."""
        background = Background(self.command(argv), self.new_log(Path(argv[0]).name))
        self._backgrounds.append(background)
        return background

    # ---- what it knows

    def resolver(self, *addresses: str) -> None:
        """Set the name servers that programs started from now on ask; there are none at first."""
        lines = ["options timeout:1 attempts:2", *(f"nameserver {address}" for address in addresses)]
        self.resolver_file.parent.mkdir(parents=True, exist_ok=True)
        self.resolver_file.write_text("\n".join(lines) + "\n", encoding="ascii")

    @property
    def resolver_file(self) -> Path:
        """Where its /etc/resolv.conf is, seen from outside."""
        return RESOLVERS / self.namespace / "resolv.conf"

    def mount(self, file: Path, place: str) -> None:
        """Put `file` over `place` for programs started from now on."""
        self._mounts.append((file, place))

    # ---- the end

    def remove(self) -> None:
        """End all programs in here, then the namespace."""
        for background in reversed(self._backgrounds):
            background.stop()
        remove_namespace(self.namespace)


def remove_namespace(namespace: str) -> None:
    """Remove a namespace of ours with the programs that still run in it; nothing happens when it is not there."""
    with suppress(LabError):
        if pids := tool("ip", "netns", "pids", namespace).split():
            tool("kill", "-9", *pids)
    with suppress(LabError):
        tool("ip", "netns", "del", namespace)
    shutil.rmtree(RESOLVERS / namespace, ignore_errors=True)
    with suppress(OSError):
        RESOLVERS.rmdir()  # when this was the last
