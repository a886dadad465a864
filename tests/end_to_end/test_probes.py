"""Probes from the settings to what the operator reads: the real agent, broker, collector and store."""

import json
import subprocess
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.proxy import until
from tests.processes import BIN, AgentProcess, CollectProcess, Process
from tests.services import HOST, Mosquitto, free_port

DEVICE = "441802-3144001234.c0703"


class Page(BaseHTTPRequestHandler):
    """A resource platform of a few words."""

    def do_GET(self) -> None:
        """Answer every request."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"welcome")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


class ConfiguredAgent(AgentProcess):
    """An agent with a settings file, whose minute is a second."""

    def __init__(self, folder: Path, broker_url: str, probes: str) -> None:
        super().__init__(folder, DEVICE, broker_url)
        self.file = folder / "agent.toml"
        self.file.write_text(f'round.every = "1s"\npublish.every = "1s"\n{probes}', encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command line."""
        return [*super().command(), "--config", str(self.file)]

    def workers(self) -> list[int]:
        """Return the worker processes that the agent has started; at its start it also has one that reads profiles."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [pid for file in children for pid in map(int, file.read_text().split()) if _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    try:
        return b"agent.worker.serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


@pytest.fixture
def page(parts: ExitStack) -> str:
    """Serve a page, and return its address."""
    server = ThreadingHTTPServer((HOST, 0), Page)
    parts.callback(server.server_close)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parts.callback(server.shutdown)
    return f"http://{HOST}:{server.server_port}/"


def running(parts: ExitStack, process: Process) -> None:
    """Start a process that ends with the test."""
    process.start()
    parts.callback(process.stop)


def status(store_url: str) -> list[dict[str, Any]]:
    """Return what `santong status --json` says of the device's probes."""
    command = [str(BIN / "santong"), "status", "--store", store_url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    devices = json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith("[") else []
    return [probe for device in devices for probe in device["probes"]]


def test_probes_from_the_settings_to_the_operator(tmp_path: Path, parts: ExitStack, influx_url: str, page: str) -> None:
    """What the settings ask for is probed, stored in InfluxDB and shown: what works, and what fails at which stage."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    parts.callback(broker.stop)
    url = f"mqtt://{HOST}:{broker.port}"
    collector = CollectProcess(tmp_path, url, influx_url)
    running(parts, collector)
    collector.wait_until_receiving()
    closed = f"{HOST}:{free_port()}"
    agent = ConfiguredAgent(
        tmp_path,
        url,
        f'[[probe.http]]\ntarget = "{page}"\nbody = "wel+come"\nevery = "1s"\ntimeout = "1s"\n'
        'name = "resource platform"\n'
        f'[[probe.tcp]]\ntarget = "{closed}"\nevery = "1s"\ntimeout = "1s"\n'
        '[[probe.dhcp]]\ntarget = "no-such-card"\nevery = "2s"\ntimeout = "2s"\n',
    )
    running(parts, agent)
    shown: dict[str, dict[str, Any]] = {}

    def all_are_shown() -> bool:
        shown.update({probe["kind"]: probe for probe in status(influx_url)})
        return len(shown) == 3

    assert until(all_are_shown), agent.words()
    assert (shown["http"]["target"], shown["http"]["success"]) == ("resource platform", True)
    assert shown["http"]["code"] == 200
    assert shown["http"]["first_byte_ms"] > 0
    assert (shown["tcp"]["success"], shown["tcp"]["stage"], shown["tcp"]["code"]) == (False, "connect", 111)
    assert shown["dhcp"]["success"] is None
    assert "no-such-card" in shown["dhcp"]["reason"] or "CAP_NET_RAW" in shown["dhcp"]["reason"]


def test_the_worker_goes_with_its_agent(tmp_path: Path, parts: ExitStack) -> None:
    """However the agent ends, no process of it stays behind; and a worker that is killed is replaced."""
    agent = ConfiguredAgent(
        tmp_path,
        f"mqtt://{HOST}:{free_port()}",
        f'[[probe.tcp]]\ntarget = "{HOST}:{free_port()}"\nevery = "1s"\ntimeout = "1s"\n',
    )
    running(parts, agent)
    assert until(agent.workers), agent.words()
    (first,) = agent.workers()
    subprocess.run(["kill", "-9", str(first)], check=True, timeout=10)
    assert until(lambda: agent.workers() and agent.workers() != [first]), agent.words()
    (second,) = agent.workers()
    agent.kill()
    assert until(lambda: not Path(f"/proc/{second}").exists())


@pytest.mark.parametrize(
    ("probes", "message"),
    [
        ('[[probe.dns]]\ntarget = "www.lab"\nresolvr = "192.0.2.1"\n', "probe.dns[0].resolvr: is not known, did you"),
        ('[[probe.http]]\nevery = "60s"\n', "probe.http[0].target: is missing"),
        ('[[probe.http]]\ntarget = "http://me:secret@192.0.2.1/"\n', "probe.http[0].target: 'http://***@192.0.2.1/'"),
        ('[[probe.icmp]]\ntarget = "192.0.2.1"\n' * 2, "probe.icmp[1].name: '192.0.2.1' is there twice"),
        ('[[probe.throughput]]\ntarget = "http://192.0.2.1/"\nwindow = "noon"\n', "probe.throughput[0].window: 'noon'"),
        (
            '[[probe.icmp]]\ntarget = "192.0.2.1"\npackets = 100000\ninterval = "1ms"\n',
            "probe.icmp[0].packets: 100000 are too many: at most 1000",
        ),
        ('[[probe.tcp]]\ntarget = "192.0.2.1:80"\nevery = "1ms"\n', "probe.tcp[0].every: 0.001 s is too often"),
        ('[[probe.http]]\ntarget = "http://192.0.2.1/"\nca = "/no/ca.crt"\n', "probe.http[0].ca: there is no file /no"),
        ('[[probe.dns]]\ntarget = "127.0.0.1"\n', "probe.dns[0].target: 127.0.0.1 is an address"),
        (
            """[[probe.icmp]]\ntarget = "192.0.2.1"\nname = "''"\n""",
            "probe.icmp[0].name: \"''\" has nothing that a tag",
        ),
        ("[probe]\npingg = []\n", "probe.pingg: is not known; there are icmp, tcp"),
    ],
)
def test_a_mistake_in_a_probe_is_said_with_its_place(tmp_path: Path, probes: str, message: str) -> None:
    """`santong-agent run --check` names every mistake in a probe's settings in one line, and shows no password."""
    agent = ConfiguredAgent(tmp_path, f"mqtt://{HOST}:1", probes)
    command = [*agent.command(), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=agent.environment())
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "settings are fine" not in done.stdout
    assert "secret" not in done.stderr
