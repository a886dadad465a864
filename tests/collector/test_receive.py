"""The collector's end of MQTT against a real broker: whatever the transport, each message once, and each answer."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from benchmarks.agent_footprint import make_certificates
from collector import receive
from collector.receive import Receiver
from collector.wire import Arrival, Wire
from contract import topics
from contract.broker import BrokerSettings, BrokerUrl, KeepAlive, address
from tests.collector.test_pipeline import AGENT, EPOCH, RawAgent, until
from tests.services import Mosquitto, free_port

SCHEMES = ("mqtt", "mqtts", "ws", "wss")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with certificates."""
    path = tmp_path_factory.mktemp("receive")
    make_certificates(path)
    return path


@pytest.fixture(scope="module")
def urls(folder: Path) -> Iterator[dict[str, str]]:
    """Run a mosquitto with a listener for each scheme, which lets 20 messages be on their way, as it does by itself."""
    extra = ["max_queued_messages 0"]
    ports = {scheme: free_port() for scheme in SCHEMES[1:]}
    for scheme, port in ports.items():
        extra += [f"listener {port} 127.0.0.1", f"protocol {'websockets' if 'ws' in scheme else 'mqtt'}"]
        if scheme != "ws":
            extra += [f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt", f"keyfile {folder}/broker.key"]
    broker = Mosquitto(folder / "mosquitto", tuple(extra))
    broker.start()
    yield {"mqtt": broker.url} | {scheme: f"{scheme}://127.0.0.1:{port}" for scheme, port in ports.items()}
    broker.stop()


class Echo:
    """A receiver that answers each message with its number among those that came."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.arrivals: list[Arrival] = []
        self.receiver = Receiver(settings, self._deliver)

    def _deliver(self, arrivals: list[Arrival]) -> None:
        first = len(self.arrivals) + 1
        self.arrivals += arrivals
        numbers = range(first, first + len(arrivals))
        threading.Thread(target=self._answer, args=(numbers,)).start()

    def _answer(self, numbers: range) -> None:
        self.receiver.answer((AGENT, topics.Ack(((EPOCH, n, n),), (), 0)) for n in numbers)

    def __enter__(self) -> Self:
        self.receiver.start()
        assert until(lambda: self.receiver.is_connected)
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.stop()


def agent_at(url: str) -> RawAgent:
    """Connect a client in the place of an agent."""
    return RawAgent(address(BrokerSettings(BrokerUrl(url))).port)


def payloads(scheme: str) -> list[bytes]:
    """Return 300 payloads, some larger than what is read at once and than a TLS record, in an order of chance."""
    chance = random.Random(3)
    # mosquitto 2.0 writes to a WebSocket 4 KiB in a tenth of a second.
    large = [5_000, 20_000] if scheme in ("ws", "wss") else [*[5_000] * 100, 70_000, 300_000, 1_000_000]
    sizes = large + [chance.choice((0, 1, 100, 600)) for _ in range(300 - len(large))]
    chance.shuffle(sizes)
    return [chance.randbytes(size) for size in sizes]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_message_comes_once_and_each_answer_goes(urls: dict[str, str], folder: Path, scheme: str) -> None:
    """Of 300 messages of all sizes none is lost, changed, doubled or overtaken, and as many answers arrive."""
    agent = agent_at(urls["mqtt"])
    sent = payloads(scheme)
    try:
        with Echo(BrokerSettings(BrokerUrl(urls[scheme]), ca=folder / "ca.crt")) as echo:
            agent.send(*sent)
            assert until(lambda: len(echo.arrivals) == len(sent))
            assert [arrival.payload for arrival in echo.arrivals] == sent
            assert {arrival.topic for arrival in echo.arrivals} == {topics.batch(AGENT, AGENT)}
            assert until(lambda: len(agent.stored()) == len(sent))
            assert agent.stored() == list(range(1, len(sent) + 1))
    finally:
        agent.close()


def test_a_busy_connection_is_kept_alive(urls: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """paho, which sees no batch, asks the broker each second whether it is there, and gets its answers."""
    caplog.set_level(logging.INFO)
    agent = agent_at(urls["mqtt"])
    try:
        with Echo(BrokerSettings(BrokerUrl(urls["mqtt"]), keepalive=KeepAlive(1))) as echo:
            for n in range(40):
                agent.send(b"%d" % n)
                time.sleep(0.1)
            assert until(lambda: len(echo.arrivals) == 40)
            assert [record.message for record in caplog.records] == [f"receiving from {urls['mqtt']}"]
    finally:
        agent.close()


def test_paho_takes_our_socket(urls: dict[str, str]) -> None:
    """All that is used of paho's inside: it asks `_create_socket` for its socket, and reads and writes through that."""
    with Echo(BrokerSettings(BrokerUrl(urls["mqtt"]))) as echo:
        client = echo.receiver._client
        assert client is not None
        assert isinstance(client.socket(), Wire)


def test_a_paho_that_makes_its_socket_in_another_way_is_named(
    urls: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a later paho-mqtt not ask for our socket, the log says which versions do, instead of nothing arriving."""
    monkeypatch.delattr(receive._Client, "_create_socket")
    receiver = Receiver(BrokerSettings(BrokerUrl(urls["mqtt"])), print)
    receiver.start()
    try:
        assert until(lambda: "install 2.1 or 2.2" in caplog.text)
        assert not receiver.is_connected
    finally:
        receiver.stop()


def test_an_answer_without_a_connection_is_forgotten() -> None:
    """The agent sends the batch again, and is answered then."""
    receiver = Receiver(BrokerSettings(BrokerUrl("mqtt://127.0.0.1:1")), print)
    receiver.answer([(AGENT, topics.Ack(((EPOCH, 1, 1),), (), 0))])
    assert not receiver.is_connected
