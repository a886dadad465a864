"""
The MQTT 5 broker of `santong up`: mosquitto where it is installed, else the one inside the wheel `iotcore`.

    LocalBroker ── starts ──▶ launcher ── becomes (exec) ──▶ mosquitto | python running iotcore
                              asks the kernel to kill it with its parent, so kill -9 leaves no orphan

It listens on 127.0.0.1 only, lets everyone in, and keeps nothing on disk: agents hold what is not stored yet.
"""

import errno
import importlib.metadata
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, get_args

from collector.child import start_tied, stop
from contract.errors import SantongError

HOST = "127.0.0.1"
# Twice the largest batch: whether a batch is too large is for the collector to say, with a reason.
MAX_PACKET = 2 * 1024 * 1024
_CONFIG_FILES = ("mosquitto.conf", "embedded-broker.toml")
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0

Kind = Literal["auto", "mosquitto", "embedded"]

_NOT_INSTALLED: dict[Kind, str] = {
    "auto": "no MQTT broker is installed: apt install mosquitto, or pip install 'santong[centre]'",
    "mosquitto": "mosquitto is not installed: apt install mosquitto, or choose the embedded broker",
    "embedded": "the embedded broker is not installed: pip install 'santong[centre]', or choose mosquitto",
}

# Debian installs mosquitto where the PATH of ordinary users does not look.
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"

# rumqttd reports every packet at level ERROR: its logger is closed, or the log would fill the disk.
_EMBEDDED = """
import logging, sys
from iotcore import Broker
logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
logging.getLogger("tracing").setLevel(logging.CRITICAL)
Broker(config_path=sys.argv[1]).run_forever()
"""

# No own limit on messages in flight: the collector's Receive Maximum is the limit. What it has not taken yet
# waits up to 64 MiB; beyond that mosquitto drops the newest, and agents send it again.
_MOSQUITTO_CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence false
max_packet_size {max_packet}
max_inflight_messages 0
max_queued_messages 20000
max_queued_bytes 67108864
log_dest stderr
log_type error
log_type warning
"""

# rumqttd keeps the last max_segment_size × max_segment_count bytes of every subscribed filter in memory; a
# collector further behind than that misses the oldest, and agents send it again. max_outgoing_packet_count
# also cuts the retained messages that a QoS 0 subscription gets, so it is above any number of agents.
_EMBEDDED_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 10000
max_segment_size = 1048576
max_segment_count = 32

[v5.local]
name = "local"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.local.connections]
connection_timeout_ms = 60000
max_payload_size = {max_packet}
max_inflight_count = 1000
"""


def url_in(directory: Path) -> str:
    """Return where the broker of `santong up` with its files in `directory` listens, or did; empty where none has."""
    found = [file for name in _CONFIG_FILES if (file := directory / name).is_file()]
    for file in sorted(found, key=lambda file: file.stat().st_mtime, reverse=True):
        text = file.read_text(encoding="utf-8", errors="replace")
        if match := re.search(rf'^listen(?:er ([0-9]+) {HOST}| = "{HOST}:([0-9]+)")$', text, re.MULTILINE):
            return f"mqtt://{HOST}:{match[1] or match[2]}"
    return ""


class BrokerFailed(SantongError):
    """No broker can be had on this port; the message says why and what to do."""


class _Recipe(NamedTuple):
    """One kind of broker: what it is called, its configuration, and its command less the configuration's path."""

    name: str
    config: str
    config_file: str
    command: tuple[str, ...]


class LocalBroker:
    """
    A broker of our own on 127.0.0.1, as a child process.

    It lives at most as long as the thread that starts it (so the kernel counts): start it from the main thread.
    Ctrl-C does not reach it, so it can be stopped last.
    """

    def __init__(self, recipe: _Recipe, directory: Path, port: int) -> None:
        self._recipe = recipe
        self._directory = directory
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def choose(cls, directory: Path, port: int, kind: Kind = "auto") -> Self:
        """Prepare the broker of this kind, for `auto` mosquitto if installed; its files go into `directory`."""
        if kind not in get_args(Kind):
            raise BrokerFailed(f"{kind!r} is not a kind of broker: choose auto, mosquitto or embedded")
        recipe = _mosquitto(port) if kind != "embedded" else None
        if recipe is None and kind != "mosquitto":
            recipe = _embedded(port)
        if recipe is None:
            raise BrokerFailed(_NOT_INSTALLED[kind])
        return cls(recipe, directory, port)

    @property
    def name(self) -> str:
        """Program and version, for people."""
        return self._recipe.name

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"mqtt://{HOST}:{self._port}"

    @property
    def log(self) -> Path:
        """The file that the broker's own messages go to."""
        return self._directory / "broker.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self.alive() else None

    def alive(self) -> bool:
        """Tell whether the broker runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Return when clients can connect; BrokerFailed otherwise, and then nothing is left running."""
        if self.alive():
            return
        _check_port(self._port)
        try:
            log_start = self._spawn()
            self._wait_until_ready(log_start)
        except OSError as error:
            self.stop()
            raise BrokerFailed(f"cannot start {self.name} in {self._directory}: {error.strerror}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the broker and free the port; harmless when it does not run."""
        child, self._child = self._child, None
        if child is None:
            return
        stop(child, STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self) -> int:
        """Start the child; return where its part of the log begins."""
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / self._recipe.config_file
        config.write_text(self._recipe.config, encoding="utf-8")
        log_start = self.log.stat().st_size if self.log.exists() else 0
        self._child = start_tied([*self._recipe.command, str(config.resolve())], self.log)
        return log_start

    def _wait_until_ready(self, log_start: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self._child and _listens(self._child.pid, self._port)):
            if not self.alive():
                _check_port(self._port)  # someone may have taken it after our first look
                raise BrokerFailed(f"{self.name} ended at start: {self._last_words(log_start)}")
            if time.monotonic() > deadline:
                raise BrokerFailed(f"{self.name} does not listen after {START_TIMEOUT_S:.0f} s: see {self.log}")
            time.sleep(0.02)

    def _last_words(self, log_start: int) -> str:
        lines = self.log.read_bytes()[log_start:].decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _mosquitto(port: int) -> _Recipe | None:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_FOLDERS)
    if program is None:
        return None
    config = _MOSQUITTO_CONFIG.format(host=HOST, port=port, max_packet=MAX_PACKET)
    if os.geteuid() == 0:
        # Else it changes to the user mosquitto, and with that the kernel forgets to kill it with its parent.
        config += "user root\n"
    return _Recipe(f"mosquitto {_mosquitto_version(program)}", config, "mosquitto.conf", (program, "-c"))


def _mosquitto_version(program: str) -> str:
    try:
        told = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerFailed(f"{program} does not run: {error}; repair it or choose the embedded broker") from error
    found = re.search(r"mosquitto version (\S+)", told)
    return found[1] if found else "of unknown version"


def _embedded(port: int) -> _Recipe | None:
    try:
        version = importlib.metadata.version("iotcore")
    except importlib.metadata.PackageNotFoundError:
        return None
    config = _EMBEDDED_CONFIG.format(host=HOST, port=port, max_packet=MAX_PACKET)
    # -P: a folder named iotcore where the user stands must not be taken for the package.
    command = (sys.executable, "-P", "-c", _EMBEDDED)
    return _Recipe(f"embedded (iotcore {version})", config, "embedded-broker.toml", command)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        # As brokers do, so that the last minute's closed connections do not count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError as error:
            raise BrokerFailed(f"{port} is not a port: choose one from 1024 to 65535 with --port") from error
        except OSError as error:
            raise BrokerFailed(_port_trouble(port, error)) from error


def _port_trouble(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {HOST} is in use: stop what listens there or choose another with --port"
    return f"port {port} on {HOST} cannot be used ({error.strerror}): choose another with --port"


def _listens(pid: int, port: int) -> bool:
    """Tell whether this very process listens on the port; a connection alone could be answered by a stranger."""
    (address,) = struct.unpack("=I", socket.inet_aton(HOST))
    local = f"{address:08X}:{port:04X}"
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, _, state, *rest = line.split()
        if here == local and state == "0A":  # LISTEN
            return f"socket:[{rest[5]}]" in _open_files(pid)
    return False


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(entry.readlink()))
    except OSError:
        pass  # it ended, or closed a file while we looked: the caller looks again
    return found
