"""
Hosts: machines of a lab with a Debian of their own, booted by systemd, with their own uptime, units and disk.

    with Hosts(base, lab, folder) as hosts:
        host = hosts.host("pi", 21)              # running, on the lab's switch
        host.run(["systemctl", "start", "…"])
        host.kill(); host.boot()                 # a power cut

Each is a systemd-nspawn with a layer above a common tree. In tree.py's the project is /code, the product's dependencies
are /site, its command is santong-agent. The kernel, the wall clock and /proc/meminfo are those of the machine.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.lab.background import ROOT, Background, LabError
from tests.lab.machine import Machine
from tests.lab.namespace import Done, Space, tool
from tests.lab.namespaces import PREFIX, Lab, is_leftover
from tests.lab.tree import Tree

BOOT_S = 60.0
NSPAWN = Path("/run/systemd/nspawn")  # where it leaves things when it is killed
RUNNING = {"running", "degraded"}
# Boots again for as long as the host asks for it. The time namespace lets its uptime begin at 0 each time.
_SUPERVISOR = """
for tree in $TREES; do echo $$ > "$tree/cgroup.procs"; done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1       # the host's systemd sees cgroup v2 only
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network  # /proc/sys/net can be written
status=133
while [ $status = 133 ]; do
    uptime=$(cut -d. -f1 /proc/uptime)
    unshare --time --boottime "-$uptime" --monotonic "-$uptime" --fork "$@"
    status=$?
done
exit $status
"""


class Base(NamedTuple):
    """What hosts start from: a Debian tree, never to be written to, and what they see besides, as options of nspawn."""

    root: Path
    seen: tuple[str, ...] = ()


def with_product(tree: Tree) -> Base:
    """Return the base of hosts that see the product as it stands in the working folder."""
    return Base(tree.root, (f"--bind-ro={ROOT}:/code", f"--bind-ro={tree.site.resolve()}:/site"))


class Host(Space):
    """One host on the cable of `machine`, whose faults and cables are the host's; boot() returns when it is up."""

    def __init__(self, base: Base, machine: Machine, folder: Path) -> None:
        super().__init__(machine.name, folder)
        self.machine = machine
        self.address = machine.address
        self.disk = folder / "disk"
        self._base = base
        self._process: Background | None = None
        for name in ("above/etc", "work", "disk"):
            (folder / name).mkdir(parents=True)
        (folder / "above/etc/hostname").write_text(f"{machine.name}\n", encoding="ascii")
        (folder / "above/etc/hosts").write_text(f"127.0.0.1 localhost {machine.name}\n", encoding="ascii")
        layers = f"lowerdir={base.root.resolve()},upperdir={folder / 'above'},workdir={folder / 'work'}"
        tool("mount", "-t", "overlay", machine.namespace, "-o", layers, str(self.disk))

    # ---- power

    def boot(self) -> None:
        """Boot, and return when systemd has started everything."""
        cgroups = [tree / self.machine.namespace for tree in _cgroup_trees()]
        for cgroup in cgroups:
            cgroup.mkdir(exist_ok=True)
        trees = f"TREES='{' '.join(map(str, cgroups))}'"
        command = ["sh", "-c", f"{trees}{_SUPERVISOR}", "sh", *self._nspawn()]
        self._process = Background(command, self.new_log("console"))
        self._process.wait_until(lambda: self._state() in RUNNING, BOOT_S)

    def stop(self) -> None:
        """Shut it down in good order."""
        self._end(signal.SIGRTMIN + 3)

    def kill(self) -> None:
        """Cut its power: all its processes die at once; what was written stays."""
        self._end(signal.SIGKILL)

    def reboot(self) -> None:
        """Boot it again, in good order."""
        before = self._init()
        self.run(["systemctl", "reboot"], check=False)
        assert self._process, "it is not running"
        self._process.wait_until(lambda: self._init() not in {0, before} and self._state() in RUNNING, BOOT_S)

    def remove(self) -> None:
        """Cut its power and throw its disk away."""
        self.kill()
        disk = self.disk.stat()
        lock = NSPAWN / f"locks/inode-{disk.st_dev}:{disk.st_ino}"
        tool("umount", str(self.disk))
        lock.unlink(missing_ok=True)
        shutil.rmtree(NSPAWN / "propagate" / self.machine.namespace, ignore_errors=True)
        for tree in _cgroup_trees():
            _remove_cgroup(tree / self.machine.namespace)

    def is_running(self) -> bool:
        """Tell whether its power is on."""
        return self._process is not None and self._process.is_running()

    def _end(self, how: int) -> None:
        if not self.is_running():
            return
        assert self._process
        if init := self._init():
            tool("kill", f"-{how}", str(init))
        self._process.wait(30)

    def _state(self) -> str:
        with suppress(LabError, subprocess.TimeoutExpired):
            return self.run(["systemctl", "is-system-running"], 5, check=False).stdout.strip()
        return ""

    def _nspawn(self) -> list[str]:
        kept = ("--register=no", "--keep-unit", "--resolv-conf=off", "--link-journal=no", "--console=read-only")
        place = (f"--machine={self.machine.namespace}", f"--hostname={self.machine.name}", "-D", str(self.disk))
        inside = ["nsenter", f"--net=/run/netns/{self.machine.namespace}", "systemd-nspawn", "--quiet", "--boot"]
        allowed = (
            "--capability=CAP_NET_ADMIN",
            "--system-call-filter=adjtimex clock_adjtime",
        )  # to ask the clock, not to set it
        return [*inside, *kept, *place, *self._base.seen, *allowed, "--kill-signal=SIGRTMIN+3"]

    # ---- programs

    def _run(self, argv: list[str], timeout: float) -> Done:
        command = self._inside(argv)
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def start(self, argv: Sequence[str | Path]) -> Background:
        """Start a program in it that runs until it is stopped or the host ends."""
        return Background(self._inside(list(map(str, argv))), self.new_log(Path(argv[0]).name))

    def write(self, path: str, text: str) -> None:
        """Write a file on its disk."""
        file = self.disk / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def _inside(self, argv: list[str]) -> list[str]:
        if not (init := self._init()):
            raise LabError(f"{self.machine.name} is not running")
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--time", "--root", "--wdns=/")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", f"--target={init}", *spaces, "env", "-i", path, "HOME=/root", *argv]

    def _init(self) -> int:
        """Return the process id, outside, of its systemd; 0 when there is none."""
        cgroup = _cgroup_trees()[0] / self.machine.namespace
        for file in cgroup.rglob("cgroup.procs"):
            for pid in file.read_text(encoding="ascii").split():
                with suppress(OSError):
                    numbers = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").split("NSpid:")[1].splitlines()[0]
                    if numbers.split()[1:] == ["1"]:
                        return int(pid)
        return 0


class Hosts:
    """The hosts of a test."""

    def __init__(self, base: Base, lab: Lab, folder: Path) -> None:
        self._base = base
        self._lab = lab
        self._folder = folder
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        remove_leftovers()
        return self

    def host(self, name: str, number: int, prepare: Callable[[Host], None] | None = None) -> Host:
        """Add a host with the address <subnet>.`number`; it is running. `prepare` writes to its disk before."""
        host = Host(self._base, self._lab.machine(name, number), self._folder / name)
        self._hosts.append(host)
        if prepare:
            prepare(host)
        host.boot()
        return host

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove all hosts."""
        while self._hosts:
            self._hosts.pop().remove()


def remove_leftovers() -> None:
    """Remove disks and cgroups of hosts whose lab was killed; their processes went with its namespaces."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        source, place, *_ = line.split()
        if is_leftover(source):
            with suppress(LabError):  # another lab was faster
                tool("umount", place)
            shutil.rmtree(Path(place).parent, ignore_errors=True)
    for folder in NSPAWN.glob(f"propagate/{PREFIX}-*"):
        if is_leftover(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    for tree in _cgroup_trees():
        for cgroup in tree.glob(f"{PREFIX}-*"):
            if is_leftover(cgroup.name):
                _remove_cgroup(cgroup)


def _cgroup_trees() -> list[Path]:
    """Return where nspawn looks for itself: the cgroup v2 tree and, where there is one, the v1 tree named systemd."""
    rows = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    second = [Path(row[1]) for row in rows if row[2] == "cgroup2"]
    first = [Path(row[1]) for row in rows if row[2] == "cgroup" and "name=systemd" in row[3]]
    if not second:
        raise LabError("there is no cgroup v2 tree, which hosts need")
    return [second[0], *first]


def _remove_cgroup(cgroup: Path) -> None:
    deadline = time.monotonic() + 10
    while cgroup.exists():
        for folder in sorted(cgroup.rglob("*"), reverse=True):
            if folder.is_dir():
                with suppress(OSError):  # dying processes hold their cgroups for a moment
                    folder.rmdir()
        with suppress(OSError):
            cgroup.rmdir()
        if time.monotonic() > deadline:
            raise LabError(f"{cgroup} cannot be removed")
        time.sleep(0.02)
