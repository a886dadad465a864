"""
One question to one agent, and its answer: a short MQTT 5 session of its own.

    connect ──▶ subscribe to reply ──▶ publish the command ──▶ wait for the reply with the same correlation data

Nothing is published before the broker has taken the subscription. After a lost connection the command is sent again as
long as the broker has not confirmed it: an agent answers what comes twice once.
"""

import contextlib
import fcntl
import math
import os
import queue
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract import topics
from contract.asking import Reply, Request, decode_reply, encode_request
from contract.broker import BrokerSettings, address, tls_context
from contract.errors import SantongError
from contract.session import Session

PAUSES_S = (2.0, 5.0)  # whoever threw us out, by the same name, has time to come to an end
_GRACE_S = 2.0  # an agent that is out of time says so, and that takes its way too
_STATE_S = 1.0  # for its retained state, once it is known that it does not listen
_NO_SUBSCRIBERS = 0x10
_TAKEN_OVER = 0x8E
_TICK_S = 0.1


class AskError(SantongError):
    """It cannot be asked at all, and waiting longer changes nothing; the message says what to change."""


class Heard(NamedTuple):
    """
    What came of a question: the reply, or None with what is known of the agent.

    `state` is its retained state, its JSON as it came, empty where nothing was retained or we may not read it;
    `nobody`: the broker says that nobody takes commands there; `trouble`: what is wrong with the connection.
    """

    reply: Reply | None
    state: bytes = b""
    nobody: bool = False
    trouble: str = ""


@contextlib.contextmanager
def turn(settings: BrokerSettings, patience_s: float, waiting: Callable[[], None]) -> Iterator[None]:
    """
    Have the certificate (or password) for this process alone; `waiting` tells that others have it, for at most so long.

    A broker may take the name in it for the client's id, and then the second connection would throw out the first.
    """
    file = settings.certificate or settings.password_file
    if file is None:
        yield
        return
    with Path(file).open("rb") as lock:
        until, is_told = time.monotonic() + patience_s, False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise AskError(f"{file}: another santong ask is still using it: try again later") from None
                if not is_told:
                    waiting()
                is_told = True
                time.sleep(_TICK_S)
        yield


class Asker:
    """Asks one agent once; `make` returns the request for the time (unix ms) at which it expires."""

    def __init__(self, settings: BrokerSettings, agent: str, make: Callable[[int], Request], timeout_s: float) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._agent, self._make, self._timeout_s = agent, make, timeout_s
        self._correlation = secrets.token_bytes(16)
        self._until = 0.0  # monotonic
        self._expires_ms = 0
        self._session = Session("ask", self._dial, self._trouble, PAUSES_S)
        self._client: mqtt.Client | None = None
        self._subscribed_mid = self._command_mid = 0
        self._is_taken = False  # by the broker
        self._state, self._last_trouble, self._nobody_at = b"", "", 0.0
        self._losses = 0
        self._ends: queue.SimpleQueue[Reply | AskError] = queue.SimpleQueue()

    def ask(self, stopped: Callable[[], bool] = lambda: False) -> Heard:
        """Ask, and wait for the answer; AskError where that is in vain."""
        self._until = time.monotonic() + self._timeout_s
        self._expires_ms = time.time_ns() // 1_000_000 + int(self._timeout_s * 1000)
        encode_request(self._make(self._expires_ms))  # what cannot be said is said before anybody is asked
        self._session.start()
        try:
            return self._wait(stopped)
        finally:
            self._session.stop(lambda: self._client.disconnect() if self._client else None)

    def _wait(self, stopped: Callable[[], bool]) -> Heard:
        while not stopped():
            try:
                end = self._ends.get(timeout=_TICK_S)
            except queue.Empty:
                now = time.monotonic()
                is_nobody_there = bool(self._nobody_at) and now - self._nobody_at > _STATE_S
                if now > self._until + _GRACE_S or is_nobody_there:
                    break
                continue
            if isinstance(end, AskError):
                raise end
            return Heard(end, self._state)
        trouble = self._last_trouble
        if self._losses > 1:
            trouble = f"{self._settings.url}: connection lost {self._losses} times: does somebody else ask by our name?"
        return Heard(None, self._state, bool(self._nobody_at), trouble)

    def _dial(self) -> mqtt.Client:
        where = self._address
        transport: Literal["websockets", "tcp"] = "websockets" if where.websocket else "tcp"
        name = f"santong-ask-{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(4)}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, transport=transport)
        if where.username:
            client.username_pw_set(where.username, where.password)
        self._session.equip(client, where, self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        client.connect(where.host, where.port, keepalive=int(self._settings.keepalive), clean_start=True)
        return client

    def _trouble(self, text: str) -> None:
        self._last_trouble = f"{self._settings.url}: {text}"

    def _end(self, text: str) -> None:
        self._ends.put(AskError(f"{self._settings.url}: {text}"))

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._end(f"the broker refuses the connection: {reason}")
            return
        self._last_trouble = ""
        client.subscribe(topics.state(self._agent), qos=1)
        self._subscribed_mid = client.subscribe(topics.reply(self._agent), qos=1)[1] or 0

    def _on_subscribe(self, client: mqtt.Client, _data: Any, mid: int, reasons: Any, _properties: Any) -> None:
        if mid != self._subscribed_mid:
            return  # without its state only one thing is not known
        if reasons[0].is_failure:
            self._end(f"the broker refuses the subscription to {topics.reply(self._agent)}: {reasons[0]}")
            return
        left_s = self._until - time.monotonic()
        if self._is_taken or left_s <= 0:
            return
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = self._correlation
        properties.MessageExpiryInterval = max(1, math.ceil(left_s))
        payload = encode_request(self._make(self._expires_ms))
        self._command_mid = client.publish(topics.command(self._agent), payload, qos=1, properties=properties).mid

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if mid != self._command_mid:
            return
        if reason.is_failure:
            self._end(f"the broker does not let us write to {topics.command(self._agent)}: {reason}")
        self._is_taken = True
        if reason.value == _NO_SUBSCRIBERS:
            self._nobody_at = time.monotonic()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self._session.is_stopping:
            return
        if getattr(reason, "value", None) == _TAKEN_OVER:
            self._end("somebody else asks by our name, and has our place now: ask again when they have done")
        self._losses += 1
        self._trouble(f"connection lost: {reason}")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.state(self._agent):
            self._state = bytes(message.payload)
            return
        if bytes(getattr(message.properties, "CorrelationData", b"")) != self._correlation:
            return  # the answer to somebody else
        try:
            self._ends.put(decode_reply(bytes(message.payload)))
        except ValueError as error:
            self._end(f"the answer of {self._agent} cannot be read: {error}")
