"""Sends the batches of all agents over one MQTT 5 connection, and waits until the centre has stored each."""

import threading
import time
from typing import Any, Literal, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from contract import batch, topics
from contract.broker import BrokerSettings, address, tls_context
from contract.errors import SantongError

WINDOW = 400
_AGAIN_S = 30.0
_PATIENCE_S = 180.0
_TICK_S = 0.5


class NotDelivered(SantongError):
    """The broker or the centre does not take batches; the message says which and what to do."""


class _Waiting(NamedTuple):
    topic: str
    payload: bytes
    since: float


class Publisher:
    """
    `send` blocks while too much waits for its answer; `finish` until everything has one. Refusals are counted.

    One connection speaks for all agents, so the broker must let it: no user, or one that may.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        where = address(settings)
        transport: Literal["websockets", "tcp"] = "websockets" if where.websocket else "tcp"
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, "santong-simulator", protocol=mqtt.MQTTv5, transport=transport
        )
        self._where = f"{where.host}:{where.port}"
        if where.username:
            self._client.username_pw_set(where.username, where.password)
        if where.tls:
            self._client.tls_set_context(tls_context(settings))
        if where.websocket:
            self._client.ws_set_options(path=where.path)
        self._client.max_inflight_messages_set(WINDOW)
        self._ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(topics.ack("+"), qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._news = threading.Condition()
        self._waiting: dict[tuple[str, str, int], _Waiting] = {}
        self._answered = time.monotonic()
        self.stored = 0
        self.refused: list[str] = []
        self._connect(where.host, where.port)

    def _connect(self, host: str, port: int) -> None:
        try:
            self._client.connect(host, port, clean_start=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NotDelivered(f"{self._where}: {reason}: is the broker running?") from None
        self._client.loop_start()
        if not self._ready.wait(_AGAIN_S):
            self.close()
            raise NotDelivered(f"{self._where}: does not let one connection speak for all agents")

    def send(self, agent: str, device: str, payload: bytes) -> None:
        """Send a batch."""
        sent = batch.decode(payload)
        topic = topics.batch(agent, device)
        with self._news:
            self._wait(WINDOW - 1)
            self._waiting[agent, sent.epoch, sent.seq] = _Waiting(topic, payload, time.monotonic())
        self._client.publish(topic, payload, qos=1)

    def say(self, agent: str, state: bytes) -> None:
        """Publish the state of an agent, which the broker keeps."""
        self._client.publish(topics.state(agent), state, qos=1, retain=True)

    def finish(self) -> None:
        """Wait until everything is answered."""
        with self._news:
            self._wait(0)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self, most: int) -> None:
        """Wait until at most so many are without an answer; what waits for long is sent again."""
        self._answered = max(self._answered, time.monotonic() - _PATIENCE_S / 2) if self._waiting else time.monotonic()
        while len(self._waiting) > most:
            self._news.wait(_TICK_S)
            now = time.monotonic()
            if now - self._answered > _PATIENCE_S:
                raise NotDelivered(
                    f"{self._where}: {len(self._waiting)} batches without an answer: is the collector running?"
                )
            for key, one in list(self._waiting.items()):
                if now - one.since > _AGAIN_S:
                    self._waiting[key] = one._replace(since=now)
                    self._client.publish(one.topic, one.payload, qos=1)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        agent = message.topic.split("/")[2]
        answer = topics.decode_ack(bytes(message.payload))
        with self._news:
            for epoch, first, last in answer.stored:
                self.stored += sum(self._forget(agent, epoch, seq) for seq in range(first, last + 1))
            for one in answer.refused:
                self.refused.append(f"{agent}: {one.reason}")
                if one.epoch is not None and one.seq is not None:
                    self._forget(agent, one.epoch, one.seq)
            self._answered = time.monotonic()
            self._news.notify_all()

    def _forget(self, agent: str, epoch: str, seq: int) -> bool:
        return self._waiting.pop((agent, epoch, seq), None) is not None
