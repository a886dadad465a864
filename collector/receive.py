"""
The centre's end of MQTT 5.

PUBACK on receipt, Receive Maximum 1,000; nothing is done in the callback but handing the message on, and a full buffer
drops it: the agent sends it again. Each connection is a fresh client with a clean start, so that nothing of ours waits
in the broker.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract import topics
from contract.broker import BrokerSettings, address, tls_context
from contract.session import Session

log = logging.getLogger("santong.receive")

RECEIVE_MAXIMUM = 1000
PAUSES_S = (0.5, 30.0)


class Arrival(NamedTuple):
    """One message as it came."""

    topic: str
    payload: bytes
    received_ns: int


class Receiver:
    """The collector's connection. `deliver` is called for each batch on the network thread: it must not block."""

    def __init__(self, settings: BrokerSettings, deliver: Callable[[Arrival], None]) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._deliver = deliver
        self._client: mqtt.Client | None = None
        self._session = Session("receive", self._dial, self._trouble, PAUSES_S)
        self._last_note = ""
        self.is_connected = False

    def start(self) -> None:
        """Connect and subscribe, and again whenever the connection is lost."""
        self._session.start()

    def stop(self) -> None:
        """Disconnect."""
        self._session.stop(lambda: self._client.disconnect() if self._client else None)

    def answer(self, agent: str, ack: topics.Ack) -> None:
        """
        Tell an agent what became of its batches.

        QoS 0: an answer that is lost costs one more delivery of the same batch, which the agent sends anyway.
        """
        client = self._client
        if client is not None:
            client.publish(topics.ack(agent), topics.encode_ack(ack), qos=0)
            self._session.wake()

    def _dial(self) -> mqtt.Client:
        self._client = client = self._new_client()
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        where, keepalive_s = self._address, int(self._settings.keepalive)
        client.connect(where.host, where.port, keepalive=keepalive_s, clean_start=True, properties=properties)
        return client

    def _trouble(self, text: str) -> None:
        self._note(f"{self._settings.url}: {text}: trying again")

    def _new_client(self) -> mqtt.Client:
        where = self._address
        name = where.username or f"santong-collector-{socket.gethostname()[:24]}-{os.getpid()}"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            name,
            protocol=mqtt.MQTTv5,
            transport="websockets" if where.websocket else "tcp",
        )
        if where.username:
            client.username_pw_set(where.username, where.password)
        self._session.equip(client, where, self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble(f"broker refuses the connection: {reason}")
            return
        client.subscribe(topics.ALL_BATCHES, qos=1)

    def _on_subscribe(self, client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._trouble(f"broker refuses the subscription: {reasons[0]}")
            client.disconnect()
            return
        self.is_connected = True
        self._note(f"receiving from {self._settings.url}", logging.INFO)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.is_connected and not self._session.is_stopping:
            self._trouble(f"connection lost: {reason}")
        self.is_connected = False

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._deliver(Arrival(topic, bytes(message.payload), time.time_ns()))

    def _note(self, text: str, level: int = logging.WARNING) -> None:
        """Log a change, not every try."""
        if text != self._last_note:
            log.log(level, "%s", text)
        self._last_note = text
