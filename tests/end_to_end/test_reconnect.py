"""Connections that break, in the middle of anything: nothing is lost, nothing is doubled."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.proxy import Cut, HurriedAgent, Ledger, Proxy, until
from tests.processes import CollectProcess
from tests.services import Mosquitto

DEVICE = "441802-3144001234.c0703"


@pytest.fixture
def parts() -> Iterator[ExitStack]:
    """Collect what must end when the test ends, however it ends."""
    with ExitStack() as stack:
        yield stack


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
    up = [Cut("up", chance.randrange(500, 2500)) for _ in range(8)]
    down = [Cut("down", chance.randrange(20, 200)) for _ in range(6)]
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
    assert len(issued) > 15
    assert proxy.cut_within_publish >= 3
    assert len(proxy.readers) > len(cuts)
    assert not any(publish.is_dup for publish in proxy.publishes())
    assert {publish.qos for publish in proxy.publishes()} == {1}
    ledger.check()
    assert "Traceback" not in agent.words()


def test_a_broker_that_starts_again(mosquitto: Mosquitto, ledger: Ledger, tmp_path: Path, parts: ExitStack) -> None:
    """Three times kill -9 of the broker: agent and collector find it again, and everything arrives once."""
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url)
    parts.callback(agent.kill)
    agent.start()
    for _ in range(3):
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
