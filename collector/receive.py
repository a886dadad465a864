"""
The centre's end of MQTT 5.

PUBACK on receipt, Receive Maximum 1,000; nothing is done with a message but handing it on, and a full buffer drops it:
the agent sends it again. Each connection is a fresh client with a clean start, so that nothing of ours waits in the
broker. paho does all that comes once a connection, `collector/wire.py` what comes once a batch. Topics of others are
subscribed to beside our own; should the broker refuse them, ours go on.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from collector.wire import MAX_PACKET_BYTES, Arrival, Wire, publish_packet
from contract import topics
from contract.broker import BrokerSettings, address, tls_context
from contract.session import Session

log = logging.getLogger("santong.receive")

RECEIVE_MAXIMUM = 1000
PAUSES_S = (0.5, 30.0)


class _Client(mqtt.Client):
    """paho's client with a Wire for its socket. `_create_socket` is all that is used of what paho keeps to itself."""

    def __init__(self, name: str, deliver: Callable[[list[Arrival]], None], *, websocket: bool) -> None:
        transport: Literal["websockets", "tcp"] = "websockets" if websocket else "tcp"
        super().__init__(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, transport=transport)
        self._deliver = deliver
        self.wire: Wire | None = None

    def _create_socket(self) -> Wire:
        self.wire = Wire(super()._create_socket(), self._deliver)
        return self.wire

    def want_write(self) -> bool:
        """Tell whether something waits to be written."""
        return super().want_write() or (self.wire is not None and self.wire.wants_write)

    def loop_write(self) -> MQTTErrorCode:
        """Write what waits."""
        done = super().loop_write()
        if self.wire is not None:
            with contextlib.suppress(OSError):  # the next read meets it too, and ends the connection
                self.wire.flush()
        return done


class Receiver:
    """
    The collector's connection, to the batches of all agents and to the topic filters `others`.

    `deliver` is called with lists of messages on the network thread: it must not block.
    """

    def __init__(
        self, settings: BrokerSettings, deliver: Callable[[list[Arrival]], None], others: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._deliver = deliver
        self._others = others
        self._client: _Client | None = None
        self._session = Session("receive", self._dial, self._trouble, PAUSES_S)
        self._last_note = ""
        self._wire: Wire | None = None  # while subscribed

    @property
    def is_connected(self) -> bool:
        """Tell whether batches are received."""
        return self._wire is not None

    def start(self) -> None:
        """Connect and subscribe, and again whenever the connection is lost."""
        self._session.start()

    def stop(self) -> None:
        """Disconnect."""
        self._session.stop(lambda: self._client.disconnect() if self._client else None)

    def answer(self, acks: Iterable[tuple[str, topics.Ack]]) -> None:
        """
        Tell agents what became of their batches.

        QoS 0: an answer that is lost costs one more delivery of the same batch, which the agent sends anyway.
        """
        packets = b"".join([publish_packet(topics.ack(agent), topics.encode_ack(ack)) for agent, ack in acks])
        wire = self._wire
        if packets and wire is not None:
            wire.put(packets)
            self._session.wake()

    def _dial(self) -> _Client:
        self._wire = None
        self._client = client = self._new_client()
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        where, keepalive_s = self._address, int(self._settings.keepalive)
        client.connect(where.host, where.port, keepalive=keepalive_s, clean_start=True, properties=properties)
        if client.wire is None:
            raise RuntimeError("this version of paho-mqtt makes its socket in another way: install 2.1 or 2.2")
        return client

    def _trouble(self, text: str) -> None:
        self._note(f"{self._settings.url}: {text}: trying again")

    def _new_client(self) -> _Client:
        where = self._address
        name = where.username or f"santong-collector-{socket.gethostname()[:24]}-{os.getpid()}"
        client = _Client(name, self._deliver, websocket=where.websocket)
        if where.username:
            client.username_pw_set(where.username, where.password)
        self._session.equip(client, where, self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble(f"broker refuses the connection: {reason}")
            return
        client.subscribe([(topic, 1) for topic in (topics.ALL_BATCHES, *self._others)])

    def _on_subscribe(self, client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        own, *others = reasons
        if own.is_failure:
            self._trouble(f"broker refuses the subscription: {own}")
            client.disconnect()
            return
        for topic, reason in zip(self._others, others, strict=False):
            if reason.is_failure:
                log.warning("broker refuses the subscription to %s of [[foreign]]: %s", topic, reason)
        self._wire = self._client.wire if self._client else None
        self._note(f"receiving from {self._settings.url}", logging.INFO)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.is_connected and not self._session.is_stopping:
            self._trouble(f"connection lost: {reason}")
        self._wire = None

    def _note(self, text: str, level: int = logging.WARNING) -> None:
        """Log a change, not every try."""
        if text != self._last_note:
            log.log(level, "%s", text)
        self._last_note = text
