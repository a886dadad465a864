"""The link's end of commands, message by message: what a broker, or a stranger at it, may do."""

import logging
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.publish import Answered, Commanded, Connected, Link, Lost
from contract import topics
from contract.broker import BrokerSettings, BrokerUrl
from tests.agent.doubles import DEVICE, NO_BROKER

OK = ReasonCode(PacketTypes.CONNACK, identifier=0)
DENIED = ReasonCode(PacketTypes.SUBACK, identifier=0x87)
GRANTED = ReasonCode(PacketTypes.SUBACK, identifier=1)
GONE = ReasonCode(PacketTypes.DISCONNECT, identifier=0x80)


class ClientDouble:
    """A test double of the MQTT client: numbers what is subscribed to."""

    def __init__(self) -> None:
        self.subscribed: dict[str, int] = {}
        self.is_ended = False

    def subscribe(self, topic: str, **_options: Any) -> tuple[int, int]:
        """Return the number of the subscription."""
        self.subscribed[topic] = len(self.subscribed) + 1
        return 0, self.subscribed[topic]

    def publish(self, *_words: Any, **_more: Any) -> SimpleNamespace:
        """Take a message."""
        return SimpleNamespace(mid=99, rc=0)

    def disconnect(self) -> None:
        """End the connection."""
        self.is_ended = True


class Desk:
    """A link whose broker is the test."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        settings = BrokerSettings(BrokerUrl(NO_BROKER))
        self.link = Link(settings, DEVICE, "boot-1", "1", self.events.append)

    def connect(self) -> ClientDouble:
        """Let the broker accept a new connection."""
        client = ClientDouble()
        self.link._on_connect(client, None, None, OK, None)  # type: ignore[arg-type]
        return client

    def grant(self, client: ClientDouble, topic: str, word: ReasonCode) -> None:
        """Answer a subscription."""
        self.link._on_subscribe(client, None, client.subscribed[topic], [word], None)  # type: ignore[arg-type]

    def message(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> None:
        """Deliver a message."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = b"12345678"
        message = mqtt.MQTTMessage(topic=topic.encode())
        message.payload, message.retain, message.properties = payload, retain, properties
        self.link._on_message(None, None, message)  # type: ignore[arg-type]


@pytest.fixture
def desk() -> Desk:
    """Make a link that was never started."""
    return Desk()


def test_a_refusal_ends_no_connection(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Refused commands cost a line of the log, once; refused answers of the centre end the connection as before."""
    for _ in range(3):
        client = desk.connect()
        desk.grant(client, topics.command(DEVICE), DENIED)
        desk.grant(client, topics.ack(DEVICE), GRANTED)
        assert not client.is_ended
        assert desk.link.is_connected
    assert len(caplog.messages) == 1
    assert desk.events == [Connected()] * 3
    desk.grant(client, topics.ack(DEVICE), DENIED)
    assert client.is_ended
    assert isinstance(desk.events[-1], Lost)


def test_a_broker_that_ends_the_connection_instead(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """
    Some brokers end the connection of whoever subscribes to what they may not.

    After the third time the agent goes without commands: evidence needs a connection that lasts.
    """
    for _ in range(3):
        client = desk.connect()
        assert topics.command(DEVICE) in client.subscribed
        desk.grant(client, topics.ack(DEVICE), GRANTED)
        desk.link._on_disconnect(client, None, None, GONE, None)  # type: ignore[arg-type]
    client = desk.connect()
    assert list(client.subscribed) == [topics.ack(DEVICE)]
    assert sum("evidence goes without it" in message for message in caplog.messages) == 1


def test_connections_that_are_lost_otherwise_are_not_counted(desk: Desk) -> None:
    """Once the broker granted it, lost connections say nothing against commands."""
    for _ in range(10):
        client = desk.connect()
        desk.grant(client, topics.command(DEVICE), GRANTED)
        desk.link._on_disconnect(client, None, None, GONE, None)  # type: ignore[arg-type]
    assert topics.command(DEVICE) in desk.connect().subscribed


def test_what_waits_is_bounded(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """While the loop is busy a few commands wait, and the rest cost neither memory nor a line each."""
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            desk.message(topics.command(DEVICE))
        desk.message(topics.command(DEVICE), b"x" * 100_000)
        desk.message(topics.command(DEVICE), retain=True)
    assert desk.events == [Commanded()] * 8
    assert len(desk.link.commands) == 8
    assert len(caplog.messages) == 2
    desk.message(topics.ack(DEVICE), b"ack")
    assert desk.events[-1] == Answered(b"ack")


def test_an_agent_that_takes_no_commands_does_not_subscribe_to_them(desk: Desk) -> None:
    """With `commands.allow = []` nothing is subscribed to."""
    desk.link.takes_commands = False
    assert list(desk.connect().subscribed) == [topics.ack(DEVICE)]
