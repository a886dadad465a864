"""
Real servers for tests: mosquitto and influxd, each on a free port of 127.0.0.1 in a directory of its own.

    server = Influxd(tmp_path)
    server.start()      # returns when it answers, and when the listener is known to be this very process
    server.kill()       # kill -9
    server.start()      # same port, same data
    server.stop()

A missing program is an error that names the package to install: tests against real servers are never skipped.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
_PORTS = range(12_000, 32_000)  # Linux dials from 32,768 on
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


class ServiceError(RuntimeError):
    """A server that cannot be started; the message has the end of its log."""


def find_program(name: str, package: str) -> str:
    """Return the path of a program; Debian keeps daemons in /usr/sbin, which is not in every PATH."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if path is None:
        raise ServiceError(f"{name} is not installed: apt-get install {package}")
    return path


def free_port() -> int:
    """
    Return a port of 127.0.0.1 that was free a moment ago, below those that the kernel hands out.

    Whoever dials a port of the kernel's before it is listened to may be given just that one, and meets itself.
    """
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def is_listener(pid: int, port: int) -> bool:
    """Tell whether process `pid` itself listens on `port`, by the inode of its socket."""
    address = f"{int.from_bytes(socket.inet_aton(HOST), 'little'):08X}:{port:04X}"
    table = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in table if row[1] == address and row[3] == _LISTEN}
    return not inodes.isdisjoint(_open_files(pid))


def _open_files(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(entry.readlink())
        except FileNotFoundError:
            continue  # closed since it was listed


class Service(ABC):
    """A server process; started and stopped at will, always on the same port and data."""

    program: str
    package: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / f"{self.program}.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration and return the command line."""

    @property
    def pid(self) -> int:
        """The process id; ServiceError when it is not running."""
        if self._process is None:
            raise ServiceError(f"{self.program} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until this process, and no other, listens."""
        command = [find_program(self.program, self.package), *self.command()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_listener(self.pid, self.port):
            if self._process.poll() is not None:
                self._process = None
                raise ServiceError(f"{self.program} ended at once:\n{self._last_words()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServiceError(f"{self.program} does not listen on {self.port}:\n{self._last_words()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order; nothing happens when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with kill -9; nothing happens when it is not running."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _last_words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]


class Mosquitto(Service):
    """mosquitto with one plain listener; `extra` lines are added to its configuration."""

    program = "mosquitto"
    package = "mosquitto"

    def __init__(
        self, directory: Path, extra: tuple[str, ...] = (), *, anonymous: bool = True, log_type: str = "all"
    ) -> None:
        super().__init__(directory)
        self.log_type = log_type
        self.extra = extra
        self.anonymous = anonymous

    @property
    def url(self) -> str:
        """The URL for the `[broker]` section."""
        return f"mqtt://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Write the configuration and return the command line."""
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {str(self.anonymous).lower()}",
            "log_dest stderr",
            f"log_type {self.log_type}",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # or it gives up root and cannot read a test's directory
        file = self.directory / "mosquitto.conf"
        file.write_text("\n".join([*lines, *self.extra]) + "\n", encoding="utf-8")
        return ["-c", str(file)]


class Influxd(Service):
    """
    influxd 1.x; `data` lines are added to the section [data] of its configuration.

    With `auth` it asks for a password, and an administrator exists: `user`, `password`.
    """

    program = "influxd"
    package = "influxdb"
    user = "admin"
    password = "p@ss/wörd:1"  # noqa: S105  needs percent-encoding in a URL on purpose

    def __init__(self, directory: Path, *, auth: bool = False, data: tuple[str, ...] = ()) -> None:
        super().__init__(directory)
        self.auth = auth
        self.data = data

    def command(self) -> list[str]:
        """Write the configuration and return the command line."""
        file = self.directory / "influxd.toml"
        lines = [
            "reporting-disabled = true",
            f'bind-address = "{HOST}:0"',
            "[meta]",
            f'dir = "{self.directory}/meta"',
            "[data]",
            f'dir = "{self.directory}/data"',
            f'wal-dir = "{self.directory}/wal"',
            "query-log-enabled = false",
            *self.data,
            "[http]",
            f'bind-address = "{HOST}:{self.port}"',
            f"auth-enabled = {str(self.auth).lower()}",
            "log-enabled = false",
            "[monitor]",
            "store-enabled = false",
            "[logging]",
            'level = "error"',
        ]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["-config", str(file)]

    def start(self) -> None:
        """Start, wait until it answers, and create the administrator where one is asked for."""
        super().start()
        if self.auth:
            self.query(f"CREATE USER {self.user} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")

    def url(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """Return the URL of a store in this server, with the administrator's password unless another is given."""
        if user is None and self.auth:
            user, password = self.user, self.password
        quoted = [urllib.parse.quote(part, safe="") for part in (user, password) if part is not None]
        login = f"{':'.join(quoted)}@" if quoted else ""
        return f"influxdb://{login}{HOST}:{self.port}/{database}"

    def write(self, lines: str, database: str, policy: str) -> None:
        """Write line protocol past everything of ours, without a password."""
        where = urllib.parse.urlencode({"db": database, "rp": policy})
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/write?{where}", lines.encode(), timeout=30):
            pass

    def query(self, text: str, database: str = "", policy: str = "") -> list[dict[str, Any]]:
        """Run InfluxQL as the administrator and return the series, each {name, tags, columns, values}."""
        form = urllib.parse.urlencode({"q": text, "db": database, "rp": policy, "epoch": "ns"}).encode()
        request = urllib.request.Request(f"http://{HOST}:{self.port}/query", form)
        if self.auth:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own loopback address
            results = json.load(answer)["results"]
        if errors := [result["error"] for result in results if "error" in result]:
            raise ServiceError(f"influxd: {errors[0]}")
        return [series for result in results for series in result.get("series", [])]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Run a mosquitto of this test's own."""
    server = Mosquitto(tmp_path / "mosquitto")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """Run an influxd of this test's own, to be stopped and killed at will."""
    server = Influxd(tmp_path / "influxd")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """Run one influxd for all tests that leave it running."""
    server = Influxd(tmp_path_factory.mktemp("shared") / "influxd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def influx_url(shared_influxd: Influxd) -> Iterator[str]:
    """Give this test a database of its own, which does not exist yet, in the shared influxd."""
    database = f"test_{secrets.token_hex(6)}"
    yield shared_influxd.url(database)
    shared_influxd.query(f'DROP DATABASE "{database}"')
