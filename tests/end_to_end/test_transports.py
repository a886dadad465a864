"""MQTT over TLS and over WebSocket: the ways out of a school where little else is open."""

import time
from pathlib import Path

import pytest

from benchmarks.agent_footprint import make_certificates
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.open import open_store
from contract.broker import BrokerSettings, BrokerUrl
from tests.processes import AgentProcess
from tests.services import Mosquitto, free_port

DEVICE = "441802-3144001234.c0703"


def _listener(folder: Path, port: int, scheme: str) -> tuple[str, ...]:
    """Return mosquitto's configuration of a further listener."""
    lines = [f"listener {port} 127.0.0.1"]
    if scheme in ("ws", "wss"):
        lines.append("protocol websockets")
    if scheme in ("mqtts", "wss"):
        lines += [f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt", f"keyfile {folder}/broker.key"]
    return tuple(lines)


@pytest.mark.parametrize("scheme", ["mqtts", "ws", "wss"])
def test_evidence_flows_both_ways(tmp_path: Path, scheme: str) -> None:
    """Agent and collector meet over the URL's transport; batches are stored and acknowledged."""
    make_certificates(tmp_path)
    port = free_port()
    broker = Mosquitto(tmp_path / "mosquitto", _listener(tmp_path, port, scheme))
    broker.start()
    store = open_store(f"sqlite://{tmp_path}/store.sqlite")
    store.prepare()
    url = f"{scheme}://127.0.0.1:{port}"
    quarantine = Quarantine(tmp_path)
    collector = Collector(BrokerSettings(BrokerUrl(url), ca=tmp_path / "ca.crt"), store, quarantine)
    agent = AgentProcess(
        tmp_path, DEVICE, url, SANTONG_BROKER_CA=str(tmp_path / "ca.crt"),
        SANTONG_ROUND_EVERY="1s", SANTONG_PUBLISH_EVERY="1s",
    )  # fmt: skip
    collector.start()
    agent.start()
    try:
        deadline = time.monotonic() + 30
        while collector.counters().stored_batches < 3:
            assert time.monotonic() < deadline, agent.words()
            time.sleep(0.1)
        agent.stop()
        assert "refuse" not in agent.words()
    finally:
        agent.kill()
        collector.stop()
        broker.stop()
        quarantine.close()
        store.close()


def test_a_broker_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    """A captive portal, or anyone else with a certificate of another authority, gets nothing; the log says why."""
    (tmp_path / "theirs").mkdir()
    make_certificates(tmp_path / "theirs")
    make_certificates(tmp_path)
    port = free_port()
    broker = Mosquitto(tmp_path / "mosquitto", _listener(tmp_path / "theirs", port, "mqtts"))
    broker.start()
    agent = AgentProcess(tmp_path, DEVICE, f"mqtts://127.0.0.1:{port}", SANTONG_BROKER_CA=str(tmp_path / "ca.crt"))
    agent.start()
    try:
        deadline = time.monotonic() + 20
        while "certificate verify failed" not in agent.words():
            assert time.monotonic() < deadline, agent.words()
            time.sleep(0.1)
        assert "Traceback" not in agent.words()
    finally:
        agent.kill()
        broker.stop()
