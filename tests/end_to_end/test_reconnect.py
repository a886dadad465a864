"""Connections that break, in the middle of anything: nothing is lost, nothing is doubled."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.proxy import Cut, HurriedAgent, Ledger, Proxy, until
from tests.processes import CollectProcess
from tests.services import Mosquitto

DEVICE = "441802-3144001234.c0703"
CONNACK = bytes.fromhex("2003000000")
STRANGERS = {
    "a hotspot's portal": b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n",
    "a server of TLS": bytes.fromhex("15030100020228"),
    "an SSH server": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "zeros": bytes(100),
    "noise": random.Random(4).randbytes(500),
    "half a CONNACK": CONNACK[:3],
    "a CONNACK of MQTT 3": bytes.fromhex("20020000"),
    "a CONNACK with an unknown reason": bytes.fromhex("2003007700"),
    "a CONNACK with an unknown property": bytes.fromhex("2005000002fe00"),
    "a CONNACK with properties too short": bytes.fromhex("20050000091100"),
    "a PUBACK too short": CONNACK + bytes.fromhex("400100"),
    "an empty SUBACK": CONNACK + bytes.fromhex("9000"),
    "a SUBACK with an unknown reason": CONNACK + bytes.fromhex("900400010077"),
    "a PUBLISH without a topic": CONNACK + bytes.fromhex("3000"),
    "a PUBLISH on a topic that is no text": CONNACK + bytes.fromhex("30060002fffe0041"),
    "an ack that is no JSON": CONNACK + bytes.fromhex("30050001780041"),
    "a DISCONNECT with an unknown reason": CONNACK + bytes.fromhex("e00277ff"),
    "a packet of a forbidden type": CONNACK + bytes.fromhex("0000f000"),
    "a length without end": CONNACK + bytes.fromhex("30ffffffffff"),
}


@pytest.fixture
def ledger(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> Ledger:
    """Run a collector at the broker; return what its store has."""
    url = f"sqlite://{tmp_path}/store.db"
    collector = CollectProcess(tmp_path, mosquitto.url, url)
    parts.callback(collector.kill)
    collector.start()
    collector.wait_until_receiving()
    return Ledger(url, DEVICE)


def test_cut_in_the_middle_of_a_publish(mosquitto: Mosquitto, ledger: Ledger, tmp_path: Path, parts: ExitStack) -> None:
    """
    A network that resets every connection after some bytes: in a PUBLISH, before its PUBACK, before the answer.

    Every batch arrives, each has one delivery point and each minute one presence. The spool alone sends again: paho,
    which would send its own in-flight messages with the DUP flag, never does.
    """
    chance = random.Random(3)
    up = [Cut("up", chance.randrange(500, 2500)) for _ in range(4)]
    down = [Cut("down", chance.randrange(20, 200)) for _ in range(3)]
    cuts = [*up, *down]
    chance.shuffle(cuts)
    proxy = parts.enter_context(Proxy(mosquitto.port, cuts))
    agent = HurriedAgent(tmp_path, DEVICE, proxy.url)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: not proxy.cuts_left, 60), agent.words()
    before = agent.issued()
    assert until(lambda: len(agent.issued()) > len(before) + 3)
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    agent.stop()
    assert len(issued) > 8
    assert proxy.cut_within_publish >= 2
    assert len(proxy.readers) > len(cuts)
    assert not any(publish.is_dup for publish in proxy.publishes())
    assert {publish.qos for publish in proxy.publishes()} == {1}
    ledger.check()
    assert "Traceback" not in agent.words()


def test_a_broker_that_starts_again(mosquitto: Mosquitto, ledger: Ledger, tmp_path: Path, parts: ExitStack) -> None:
    """Two times kill -9 of the broker: agent and collector find it again, and everything arrives once."""
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url)
    parts.callback(agent.kill)
    agent.start()
    for _ in range(2):
        before = len(ledger.delivered())
        assert until(lambda before=before: len(ledger.delivered()) > before + 2), agent.words()  # type: ignore[misc]
        mosquitto.kill()
        known = agent.issued()
        assert until(lambda known=known: len(agent.issued()) > len(known) + 2)  # type: ignore[misc]
        mosquitto.start()
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    agent.stop()
    ledger.check()


def test_a_connection_that_goes_silent(mosquitto: Mosquitto, ledger: Ledger, tmp_path: Path, parts: ExitStack) -> None:
    """A router that forgets the connection and tells nobody: keep-alive finds out, and everything arrives once."""
    proxy = parts.enter_context(Proxy(mosquitto.port))
    agent = HurriedAgent(tmp_path, DEVICE, proxy.url, SANTONG_BROKER_KEEPALIVE="1s")
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(ledger.delivered()) > 2), agent.words()
    proxy.freeze()
    assert until(lambda: len(proxy.readers) > 1), agent.words()
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    agent.stop()
    ledger.check()
    assert not any(publish.is_dup for publish in proxy.publishes())


def test_strangers_in_the_place_of_the_broker(
    mosquitto: Mosquitto, ledger: Ledger, tmp_path: Path, parts: ExitStack
) -> None:
    """
    A captive portal, another service or a broken broker answers: the agent tries again until its broker does.

    Whatever comes over the network, the agent does not stop connecting, and its log has lines, not tracebacks.
    """
    proxy = parts.enter_context(Proxy(mosquitto.port, strangers=list(STRANGERS.values())))
    agent = HurriedAgent(tmp_path, DEVICE, proxy.url)
    parts.callback(agent.kill)
    agent.start()
    left = len(STRANGERS)
    while left:
        name = list(STRANGERS)[-left]
        assert until(lambda: proxy.strangers_left < left, 10), f"after {name}: {agent.words()}"  # noqa: B023
        left = proxy.strangers_left
    assert until(lambda: len(ledger.delivered()) > 2), agent.words()
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    agent.stop()
    ledger.check()
    assert "Traceback" not in agent.words()
    assert not [line for line in agent.words().splitlines() if len(line) > 300]
