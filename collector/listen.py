"""
The words of all agents of themselves: `state`, retained, and their last wills. A plain MQTT 5 session of its own.

What comes when one subscribes is marked as retained: that is how it is, and nothing that happens. The client's id is
its own, whoever's user name it has: with that of the collector it would throw the collector out.
"""

import json
import logging
import os
import queue
import socket
import time
from typing import Any, Literal, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from contract import topics
from contract.broker import BrokerSettings, address, tls_context
from contract.names import is_device
from contract.session import Session

log = logging.getLogger("santong.watch")

WORDS = frozenset(("online", "offline", "stopped"))
PAUSES_S = (0.5, 30.0)
_QUIET_S = 0.7  # without a retained message for so long all of them have come
_LARGEST = 4096


class Word(NamedTuple):
    """What an agent, or its will, said."""

    agent: str
    word: str
    at_ns: int
    is_retained: bool


class Subscribed(NamedTuple):
    """From here on everything is heard; `away_s` is how long nothing was, None: since the start."""

    away_s: float | None


class Listener:
    """Connects and listens until `stop`; what was heard is taken with `heard`."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._events: queue.SimpleQueue[Word | Subscribed] = queue.SimpleQueue()
        self._session = Session("listen", self._dial, self._trouble, PAUSES_S)
        self._client: mqtt.Client | None = None
        self._lost_at: float | None = None
        self._latest = 0.0
        self._noted = ""
        self.is_connected = False

    def start(self) -> None:
        """Connect and subscribe, and again whenever the connection is lost."""
        self._session.start()

    def stop(self) -> None:
        """Disconnect."""
        self._session.stop(lambda: self._client.disconnect() if self._client else None)

    @property
    def is_settled(self) -> bool:
        """Tell whether all that was retained has come."""
        return self.is_connected and time.monotonic() - self._latest >= _QUIET_S

    def heard(self) -> list[Word | Subscribed]:
        """Return what was heard since the last time."""
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def _dial(self) -> mqtt.Client:
        where = self._address
        transport: Literal["websockets", "tcp"] = "websockets" if where.websocket else "tcp"
        name = f"santong-watch-{socket.gethostname()[:24]}-{os.getpid()}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, transport=transport)
        if where.username:
            client.username_pw_set(where.username, where.password)
        self._session.equip(client, where, self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client
        client.connect(where.host, where.port, keepalive=int(self._settings.keepalive), clean_start=True)
        return client

    def _trouble(self, text: str) -> None:
        note = f"{self._settings.url}: {text}: trying again"
        if note != self._noted:
            log.warning("%s", note)
        self._noted = note

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble(f"broker refuses the connection: {reason}")
            return
        client.subscribe(topics.ALL_STATES, qos=1)

    def _on_subscribe(self, client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if reasons[0].is_failure:
            self._trouble(f"broker refuses the subscription to {topics.ALL_STATES}: {reasons[0]}")
            client.disconnect()
            return
        away_s = None if self._lost_at is None else time.monotonic() - self._lost_at
        self._events.put(Subscribed(away_s))
        self._latest = time.monotonic()
        self._noted = ""
        self.is_connected = True

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.is_connected and not self._session.is_stopping:
            self._lost_at = time.monotonic()
            self._trouble(f"connection lost: {reason}")
        self.is_connected = False

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain:
            self._latest = time.monotonic()
        agent = message.topic.split("/")[-2]
        word = word_of(bytes(message.payload))
        if word and is_device(agent):
            self._events.put(Word(agent, word, time.time_ns(), message.retain))


def word_of(payload: bytes) -> str:
    """Return what a payload of `state` says: online, offline or stopped; "" for anything else."""
    if len(payload) > _LARGEST:
        return ""
    try:
        tree = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    word = tree.get("state") if isinstance(tree, dict) else None
    return word if isinstance(word, str) and word in WORDS else ""
