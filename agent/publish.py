"""
The agent's end of MQTT 5.

Each connection is a fresh client with a clean start: paho would send its own in-flight messages again after a
reconnect, and here only the spool sends again. What happens is posted as events to the pipeline, which owns all state.
"""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from contract import topics
from contract.broker import BrokerSettings, address, tls_context
from contract.session import Session

# paho loads urllib.request (2 MB, with http.client and email) only to look for a SOCKS proxy, and that only where
# PySocks is installed; dns.resolver (5 MB) only to look for SRV records, where dnspython is installed, as for probes.
# An agent lives in 20 MB and goes without.
_LEFT_OUT = [name for name in ("urllib.request", "dns.resolver") if name not in sys.modules]
for _name in _LEFT_OUT:
    sys.modules[_name] = ModuleType(_name)

import paho.mqtt.client as mqtt  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402
from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: E402

for _name in _LEFT_OUT:
    del sys.modules[_name]

log = logging.getLogger("santong.publish")

PAUSES_S = (1.0, 60.0)
# The will waits for its delay only while the session lives (MQTT 5 §3.1.2.11.2), so the session outlives it a little.
_SESSION_EXPIRY_S = topics.WILL_DELAY_S + 30


class Connected(NamedTuple):
    """The broker accepted us; nothing is on its way any more."""


class Lost(NamedTuple):
    """No connection, and why."""

    reason: str


class Published(NamedTuple):
    """The broker answered a publish. `refusal` is empty when it took the message (0x10, nobody subscribed, too)."""

    key: tuple[int, int]  # number of the connection, message id: ids start anew with each connection
    refusal: str


class Answered(NamedTuple):
    """The collector's ack arrived."""

    payload: bytes


class Asked(NamedTuple):
    """A command came: when (monotonic), and in how many seconds it expires by the broker's count, None: never."""

    payload: bytes
    correlation: bytes
    at: float
    expiry_s: float | None


class Commanded(NamedTuple):
    """A command waits: `Link.commands` has it."""


Event = Connected | Lost | Published | Answered
_MOST_COMMANDS = 8  # that wait for the loop: what comes beyond that is dropped, so that a flood costs no memory
_REPLY_EXPIRY_S = 60
_MOST_CUT_OFF = 3  # times that the broker ended the connection instead of answering the subscription to commands


class Link:
    """The connection of one agent to its broker."""

    def __init__(
        self,
        settings: BrokerSettings,
        agent: str,
        boot: str,
        version: str,
        post: Callable[[Event | Commanded], None],
    ) -> None:
        self._settings = settings
        self._address = address(settings)
        self._tls = tls_context(settings) if self._address.tls else None
        self._agent, self._boot, self._version = agent, boot, version
        self._post = post
        self._client: mqtt.Client | None = None
        self._session = Session("mqtt", self._dial, self._trouble, PAUSES_S)
        self._number = 0
        self.is_connected = False
        self.takes_commands = True
        self.commands: deque[Asked] = deque()  # filled here, emptied by the loop
        self._command_mid = 0  # of the subscription that has no answer yet
        self._cut_off = 0
        self._replies: deque[int] = deque(maxlen=64)
        self._said: set[str] = set()

    @property
    def password(self) -> str:
        """The broker's password: what must not be told to anybody."""
        return self._address.password or ""

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._session.start()

    def stop(self) -> None:
        """Say `stopped` and disconnect; give up after a few seconds."""
        self._session.stop(self._say_goodbye)

    def _say_goodbye(self) -> None:
        client = self._client
        if client is None:
            return
        if self.is_connected:
            info = client.publish(topics.state(self._agent), self._state("stopped"), qos=1, retain=True)
            try:
                info.wait_for_publish(3)
            except (RuntimeError, ValueError) as error:
                log.debug("state not delivered: %s", error)
        properties = Properties(PacketTypes.DISCONNECT)
        properties.SessionExpiryInterval = 0  # nothing is to be kept for us: commands least of all
        client.disconnect(properties=properties)

    def publish(self, topic: str, payload: bytes) -> tuple[int, int] | None:
        """Send once with QoS 1; return the key of its answer, None while there is no connection."""
        client = self._client
        if client is None or not self.is_connected:
            return None
        number = self._number
        info = client.publish(topic, payload, qos=1)
        self._session.wake()
        return (number, info.mid) if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def reply(self, payload: bytes, correlation: bytes) -> None:
        """Answer a command once; without a connection the answer is lost, for nobody waits for it any more."""
        client = self._client
        if client is None or not self.is_connected:
            return
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = correlation
        properties.MessageExpiryInterval = _REPLY_EXPIRY_S
        info = client.publish(topics.reply(self._agent), payload, qos=1, properties=properties)
        self._replies.append(info.mid)
        self._session.wake()

    def _state(self, name: str) -> bytes:
        return topics.encode_state(name, self._boot, self._version)

    def _dial(self) -> mqtt.Client:
        self._number += 1
        self._client = client = self._new_client()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _SESSION_EXPIRY_S
        where, keepalive_s = self._address, int(self._settings.keepalive)
        client.connect(where.host, where.port, keepalive=keepalive_s, clean_start=True, properties=properties)
        return client

    def _trouble(self, text: str) -> None:
        self._post(Lost(f"{self._settings.url}: {text}"))

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self._agent,
            protocol=mqtt.MQTTv5,
            transport="websockets" if self._address.websocket else "tcp",
        )
        client.username_pw_set(self._address.username or self._agent, self._address.password)
        self._session.equip(client, self._address, self._tls)
        will = Properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = topics.WILL_DELAY_S
        client.will_set(topics.state(self._agent), self._state("offline"), qos=1, retain=True, properties=will)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble(f"broker refuses the connection: {reason}")
            return
        client.subscribe(topics.ack(self._agent), qos=1)
        self._command_mid = 0
        if self.takes_commands:
            # A command that is retained was not meant for now: it is not even asked for, and is told by its mark.
            options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=2)
            self._command_mid = client.subscribe(topics.command(self._agent), options=options)[1] or 0
        client.publish(topics.state(self._agent), self._state("online"), qos=1, retain=True)
        self.is_connected = True
        self._post(Connected())

    def _on_subscribe(self, client: mqtt.Client, _data: Any, mid: int, reasons: Any, _properties: Any) -> None:
        if mid == self._command_mid:
            self._command_mid = self._cut_off = 0
            if reasons[0].is_failure:  # an older access list: evidence does not need it
                self._say(f"the broker refuses the subscription to {topics.command(self._agent)}: {reasons[0]}")
            return
        if any(reason.is_failure for reason in reasons):
            self.is_connected = False
            self._trouble(f"the broker refuses the subscription to {topics.ack(self._agent)}: {reasons[0]}")
            client.disconnect()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self._command_mid and not self._session.is_stopping:
            self._command_mid = 0
            self._cut_off += 1
            if self._cut_off == _MOST_CUT_OFF:
                self._say("the broker ends the connection at the subscription to commands: evidence goes without it")
                self.takes_commands = False
        if self.is_connected and not self._session.is_stopping:
            self._trouble(f"connection lost: {reason}")
        self.is_connected = False

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure and mid in self._replies:
            self._say(f"the broker refuses what is answered to commands: {topics.reply(self._agent)}: {reason}")
        self._post(Published((self._number, mid), str(reason) if reason.is_failure else ""))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.command(self._agent):
            self._on_command(message)
        else:
            self._post(Answered(bytes(message.payload)))

    def _on_command(self, message: mqtt.MQTTMessage) -> None:
        if message.retain:
            self._say("a command that the broker keeps (retained) is not run: whoever sent it must not set that mark")
            return
        if len(self.commands) >= _MOST_COMMANDS or len(message.payload) > topics.MOST_COMMAND_BYTES:
            self._say("commands come faster, or are larger, than they can be taken: the others are dropped")
            return
        properties = message.properties
        correlation = bytes(getattr(properties, "CorrelationData", b""))
        expiry_s = getattr(properties, "MessageExpiryInterval", None)
        self.commands.append(Asked(bytes(message.payload), correlation, time.monotonic(), expiry_s))
        self._post(Commanded())

    def _say(self, text: str) -> None:
        """Log what is wrong with commands, once: whoever sends them must not fill the log."""
        if text not in self._said:
            log.warning("%s", text)
        self._said.add(text)
