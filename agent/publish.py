"""
The agent's end of MQTT 5.

One thread connects, and for each connection makes a fresh client with a clean start: paho would send its own in-flight
messages again after a reconnect, and here only the spool sends again. What happens is posted as events to the
pipeline, which owns all state.
"""

import logging
import random
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

log = logging.getLogger("santong.publish")

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 60.0
_STEADY_S = 30.0
# The will waits for its delay only while the session lives (MQTT 5 §3.1.2.11.2), so the session outlives it a little.
_SESSION_EXPIRY_S = topics.WILL_DELAY_S + 30
_CONNECT_TIMEOUT_S = 10.0


class Connected(NamedTuple):
    """The broker accepted us; nothing is on its way any more."""


class Lost(NamedTuple):
    """No connection, and why."""

    reason: str


class Published(NamedTuple):
    """The broker answered a publish. `refusal` is empty when it took the message (0x10, nobody subscribed, too)."""

    mid: int
    refusal: str


class Answered(NamedTuple):
    """The collector's ack arrived."""

    payload: bytes


Event = Connected | Lost | Published | Answered


class Link:
    """The connection of one agent to its broker."""

    def __init__(
        self, settings: BrokerSettings, agent: str, boot: str, version: str, post: Callable[[Event], None]
    ) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._agent, self._boot, self._version = agent, boot, version
        self._post = post
        self._client: mqtt.Client | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.is_connected = False

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._thread.start()

    def stop(self) -> None:
        """Say `stopped` and disconnect; give up after a few seconds."""
        self._stopping.set()
        client = self._client
        if client is not None and self.is_connected:
            info = client.publish(topics.state(self._agent), self._state("stopped"), qos=1, retain=True)
            try:
                info.wait_for_publish(3)
            except (RuntimeError, ValueError) as error:
                log.debug("state not delivered: %s", error)
            client.disconnect()
        self._thread.join(5)

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Send once with QoS 1; return the message id, None while there is no connection."""
        client = self._client
        if client is None or not self.is_connected:
            return None
        info = client.publish(topic, payload, qos=1)
        return info.mid if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def _state(self, name: str) -> bytes:
        return topics.encode_state(name, self._boot, self._version)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            lasted = self._session()
            pause = FIRST_PAUSE_S if lasted >= _STEADY_S else pause
            self._stopping.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311  jitter, no secret
            pause = min(LAST_PAUSE_S, pause * 2)

    def _session(self) -> float:
        """Run one connection to its end; return how long it stood, in seconds."""
        self._client = client = self._new_client()
        where = self._address
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _SESSION_EXPIRY_S
        began = time.monotonic()
        try:
            client.connect(
                where.host, where.port, keepalive=int(self._settings.keepalive), clean_start=True, properties=properties
            )
            client.loop_forever(timeout=5.0)
        except (OSError, ValueError) as error:
            self._post(Lost(f"{self._settings.url}: {getattr(error, 'strerror', None) or error}"))
            return 0.0
        finally:
            self.is_connected = False
        return time.monotonic() - began

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self._agent,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
            transport="websockets" if self._address.websocket else "tcp",
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.username_pw_set(self._address.username or self._agent, self._address.password)
        if self._tls:
            client.tls_set_context(self._tls)
        if self._address.websocket:
            client.ws_set_options(path=self._address.path)
        will = Properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = topics.WILL_DELAY_S
        client.will_set(topics.state(self._agent), self._state("offline"), qos=1, retain=True, properties=will)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        # With this set, publish() leaves all writing to the thread of loop_forever; two writers would mix packets.
        client.on_socket_register_write = lambda *_: None
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._post(Lost(f"{self._settings.url}: broker refuses the connection: {reason}"))
            return
        client.subscribe(topics.ack(self._agent), qos=1)
        client.publish(topics.state(self._agent), self._state("online"), qos=1, retain=True)
        self.is_connected = True
        self._post(Connected())

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.is_connected and not self._stopping.is_set():
            self._post(Lost(f"{self._settings.url}: connection lost: {reason}"))
        self.is_connected = False

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self._post(Published(mid, str(reason) if reason.is_failure else ""))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._post(Answered(bytes(message.payload)))
