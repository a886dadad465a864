"""
The centre's end of MQTT 5.

PUBACK on receipt, Receive Maximum 1,000; nothing is done in the callback but handing the message on, and a full buffer
drops it: the agent sends it again. Each connection is a fresh client with a clean start, so that nothing of ours waits
in the broker.
"""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract import topics
from contract.broker import BrokerSettings, address, tls_context

log = logging.getLogger("santong.receive")

RECEIVE_MAXIMUM = 1000
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 30.0
_STEADY_S = 30.0
_CONNECT_TIMEOUT_S = 10.0


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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receive", daemon=True)
        self._last_note = ""
        self.is_connected = False

    def start(self) -> None:
        """Connect and subscribe, and again whenever the connection is lost."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect."""
        self._stopping.set()
        if self._client is not None:
            self._client.disconnect()
        self._thread.join(5)

    def answer(self, agent: str, ack: topics.Ack) -> None:
        """
        Tell an agent what became of its batches.

        QoS 0: an answer that is lost costs one more delivery of the same batch, which the agent sends anyway.
        """
        client = self._client
        if client is not None:
            client.publish(topics.ack(agent), topics.encode_ack(ack), qos=0)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            self._session()
            pause = FIRST_PAUSE_S if time.monotonic() - began >= _STEADY_S else pause
            self._stopping.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311  jitter, no secret
            pause = min(LAST_PAUSE_S, pause * 2)

    def _session(self) -> None:
        self._client = client = self._new_client()
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        where = self._address
        try:
            client.connect(
                where.host, where.port, keepalive=int(self._settings.keepalive), clean_start=True, properties=properties
            )
            client.loop_forever(timeout=5.0)
        except (OSError, ValueError) as error:
            self._note(f"{self._settings.url}: {getattr(error, 'strerror', None) or error}: trying again")
        finally:
            self.is_connected = False

    def _new_client(self) -> mqtt.Client:
        where = self._address
        name = where.username or f"santong-collector-{socket.gethostname()[:24]}-{os.getpid()}"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            name,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
            transport="websockets" if where.websocket else "tcp",
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        if where.username:
            client.username_pw_set(where.username, where.password)
        if self._tls:
            client.tls_set_context(self._tls)
        if where.websocket:
            client.ws_set_options(path=where.path)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        # With this set, publish() leaves all writing to the thread of loop_forever; two writers would mix packets.
        client.on_socket_register_write = lambda *_: None
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._note(f"{self._settings.url}: broker refuses the connection: {reason}: trying again")
            return
        client.subscribe(topics.ALL_BATCHES, qos=1)

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._note(f"{self._settings.url}: broker refuses the subscription: {reasons[0]}")
            return
        self.is_connected = True
        self._note(f"receiving from {self._settings.url}", logging.INFO)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.is_connected and not self._stopping.is_set():
            self._note(f"{self._settings.url}: connection lost: {reason}: trying again")
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
