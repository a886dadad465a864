"""
A process that looks like Windows to the agent, as far as that can be done on Linux. It is a double, and no Windows.

    python -m tests.agent.windows_double run SETTINGS      commands on standard input: sleep SECONDS, stop
    python -m tests.agent.windows_double COMMAND …         a command of santong-agent

What it takes away is real: modules that only Unix has cannot be imported, functions and constants that only Unix has
are gone (but os.statvfs, which psutil needs here). What it gives is made up: `sys.platform`, msvcrt, winreg and its
volatile key, subprocess's w32tm, and the functions of four DLLs. psutil, sqlite3, sockets, threads and the file system
stay those of Linux (drive C: is its root), and so does `os.name`, or pathlib would make paths of Windows. Nothing that
passes here shows that Windows would do the same.

Its clocks run 20 times as fast, so that a minute lasts 3 s.
"""

import ctypes
import fcntl
import functools
import importlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Sequence
from typing import Any

SPEED = 20
UNIX_NS = 1_795_000_000_000_000_000
UP_S = 600  # when the process begins
SECOND = 10_000_000
# Libraries that look at `sys.platform` when they are imported: psutil would want its Windows part, and so on.
BEFOREHAND = (
    "asyncio", "psutil", "typer.main", "rich.console", "paho.mqtt.client", "sqlite3", "ssl", "tempfile", "tomllib",
    "uuid", "shutil", "ipaddress", "queue", "random", "difflib", "zoneinfo",
)  # fmt: skip
UNIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "spwd", "crypt", "posixshmem")
UNIX_NAMES: dict[types.ModuleType, str] = {
    os: (
        "fork forkpty geteuid getuid getgid getegid getgroups setuid setgid seteuid setsid setpgid getpgid killpg "
        "chown lchown fchown pwrite pread sysconf getloadavg mkfifo O_NONBLOCK WTERMSIG WIFSIGNALED wait3 wait4 nice "
        "sync uname sched_yield sched_getaffinity getpriority posix_spawn openpty"
    ),
    time: "CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_REALTIME clock_gettime clock_gettime_ns pthread_getcpuclockid tzset",
    socket: "AF_NETLINK AF_UNIX AF_PACKET NETLINK_ROUTE SO_BINDTODEVICE TCP_INFO CMSG_LEN",
    signal: "SIGKILL SIGSTOP SIGCONT SIGCHLD SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGPIPE pthread_sigmask sigwait alarm",
}
_real_run = subprocess.run
W32TM = """Leap Indicator: 0(no warning)
Stratum: 4 (secondary reference - syncd by (S)NTP)
ReferenceId: 0xC0000209 (source IP:  192.0.2.9)
Time since Last Good Sync Time: 339.9333552s
"""


class Machine:
    """A double of the machine: its interrupt times, and what it slept."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.asleep = 0

    def awake(self) -> int:
        """Return the unbiased interrupt time."""
        return UP_S * SECOND + int((time.monotonic() - self._began) * SPEED * SECOND)

    def total(self) -> int:
        """Return the interrupt time."""
        return self.awake() + self.asleep

    def time_ns(self) -> int:
        """Return what the wall clock shows: it is right all the time."""
        return UNIX_NS + self.total() * 100


class Library:
    """A double of every DLL that the agent opens; what is not here is not called."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def QueryInterruptTimePrecise(self, pointer: Any) -> None:  # noqa: N802, D102
        pointer._obj.value = self._machine.total()

    def QueryUnbiasedInterruptTimePrecise(self, pointer: Any) -> None:  # noqa: N802, D102
        pointer._obj.value = self._machine.awake()

    def RegCreateKeyExW(self, _root: Any, key: Any, *_rest: Any) -> int:  # noqa: N802, D102
        Registry.keys.setdefault(key.value, {})
        return 0

    def RegCloseKey(self, _key: Any) -> int:  # noqa: N802, D102
        return 0

    def GetSystemFirmwareTable(self, *_given: Any) -> int:  # noqa: N802, D102
        return 0  # no table

    def GetIpForwardTable(self, *_given: Any) -> int:  # noqa: N802, D102
        return 232  # ERROR_NO_DATA


class Registry:
    """A double of winreg: keys in memory, those of HKEY_LOCAL_MACHINE."""

    keys: dict[str, dict[str, Any]] = {  # noqa: RUF012  it stands for a module
        r"SOFTWARE\Microsoft\Cryptography": {"MachineGuid": "fedcba98-7654-3210-fedc-ba9876543210"},
        r"HARDWARE\DESCRIPTION\System\BIOS": {"SystemManufacturer": "Example Maker", "SystemProductName": "Panel 75"},
    }
    HKEY_LOCAL_MACHINE, KEY_READ, KEY_SET_VALUE, KEY_WOW64_64KEY, REG_SZ = 0x80000002, 0x20019, 2, 0x100, 1

    class OpenKey:
        """An open key; FileNotFoundError when it is not there."""

        def __init__(self, _root: int, key: str, _reserved: int, _access: int) -> None:
            if key not in Registry.keys:
                raise FileNotFoundError(key)
            self.values = Registry.keys[key]

        def __enter__(self) -> "Registry.OpenKey":
            return self

        def __exit__(self, *_error: object) -> None:
            """Close it."""

    @staticmethod
    def QueryValueEx(key: "Registry.OpenKey", name: str) -> tuple[Any, int]:  # noqa: N802, D102
        if name not in key.values:
            raise FileNotFoundError(name)
        return key.values[name], 1

    @staticmethod
    def SetValueEx(key: "Registry.OpenKey", name: str, _reserved: int, _kind: int, value: str) -> None:  # noqa: N802, D102
        key.values[name] = value


def _msvcrt() -> types.ModuleType:
    """Return a double of msvcrt, whose lock is that of Linux: it shows who calls it, not how Windows locks."""
    made, flock, how = types.ModuleType("msvcrt"), fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB

    def locking(descriptor: int, mode: int, size: int) -> None:
        assert (mode, size) == (2, 1)
        try:
            flock(descriptor, how)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    vars(made).update(LK_NBLCK=2, locking=locking)
    return made


def _run(command: Sequence[str], **given: Any) -> subprocess.CompletedProcess[bytes]:
    """Be w32tm; the process that reads profiles is a real one, which does not look like Windows."""
    if command[0] == sys.executable:
        return _real_run(command, **given)
    assert command[1:] == ["/query", "/status", "/verbose"]
    assert given["creationflags"] == 0x08000000
    return subprocess.CompletedProcess(command, 0, W32TM.encode(), b"")


def become_windows(machine: Machine) -> None:
    """Take away what Windows has not, and put doubles where the agent looks for Windows."""
    for name in BEFOREHAND:
        importlib.import_module(name)
    psutil = sys.modules["psutil"]
    vars(psutil)["disk_usage"] = functools.partial(lambda read, _path: read("/"), psutil.disk_usage)  # there is no C:
    library = Library(machine)
    winreg = types.ModuleType("winreg")
    vars(winreg).update({name: value for name, value in vars(Registry).items() if not name.startswith("_")})
    vars(winreg).update(QueryValueEx=Registry.QueryValueEx, SetValueEx=Registry.SetValueEx)
    sys.modules.update(msvcrt=_msvcrt(), winreg=winreg)
    vars(ctypes)["WinDLL"] = lambda _name, **_how: library
    vars(subprocess).update(run=_run, CREATE_NO_WINDOW=0x08000000)
    vars(os)["O_BINARY"] = 0
    vars(socket)["socketpair"] = functools.partial(socket.socketpair, socket.AF_UNIX)  # Windows' is one of AF_INET
    vars(signal)["SIGBREAK"] = signal.SIGUSR2
    vars(time)["time_ns"] = machine.time_ns
    for unix in UNIX_MODULES:
        sys.modules[unix] = None  # type: ignore[assignment]
    for module, names in UNIX_NAMES.items():
        for name in names.split():
            vars(module).pop(name, None)
    ctypes.CDLL = _no_libc  # type: ignore[assignment, misc]
    sys.platform = "win32"


def _no_libc(name: str | None, *_given: Any, **_how: Any) -> None:
    raise TypeError(f"ctypes.CDLL({name!r}): Windows has no library without a name")


def _obey(machine: Machine) -> None:
    """Do what the test says on standard input."""
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "sleep":
            machine.asleep += int(rest[0]) * SECOND
        elif word == "stop":
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Be Windows, and the agent on it."""
    machine = Machine()
    become_windows(machine)
    if sys.argv[1] != "run":
        importlib.import_module("agent.cli").app(sys.argv[1:])
    logging.captureWarnings(capture=True)
    pipeline, probing = importlib.import_module("agent.pipeline"), importlib.import_module("agent.probing")
    vars(pipeline)["_LONGEST_WAIT_S"] = vars(probing)["_LONGEST_WAIT_S"] = 1 / SPEED
    threading.Thread(target=_obey, args=(machine,), daemon=True).start()
    return int(pipeline.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
