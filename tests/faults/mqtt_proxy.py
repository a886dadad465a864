"""
Between the agents and their broker: a proxy that knows MQTT packets, and delays, doubles, reorders, loses and cuts.

    agents ══▶ up ══▶ mosquitto      PUBLISH: delayed, doubled, reordered, cut in the middle
    agents ◀══ down ◀══ mosquitto    PUBLISH (acks, QoS 0): also lost; the PUBACK of a copy is swallowed

Each packet gets an instant at which it goes on. A packet usually waits for those before it; a reordered one does not
make those behind it wait.
"""

import contextlib
import heapq
import itertools
import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.services import HOST

_PUBLISH, _PUBACK = 3, 4
_OVERTAKEN_S = 0.7  # longer than a round: the next batch is sooner
_TICK_S = 0.05


class Trouble(NamedTuple):
    """What PUBLISH packets suffer: a delay of up to so many seconds, and which share of them each of the rest."""

    delay_s: float = 0.0
    doubled: float = 0.0
    reordered: float = 0.0
    acks_lost: float = 0.0


class DroppedCount:
    """How many messages mosquitto has dropped since its start, in its own words."""

    def __init__(self, port: int) -> None:
        self.value: int | None = None
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
        self._client.on_message = self._on_message
        self._port = port

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.value = int(message.payload)

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._port)
        self._client.subscribe("$SYS/broker/publish/messages/dropped")
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class MqttProxy:
    """A proxy on a free port of loopback; `trouble` may be changed at any time, `counts` says what it did."""

    def __init__(self, target: int, chance: random.Random) -> None:
        self.trouble = Trouble()
        self.counts: Counter[str] = Counter()
        self.chance = chance
        self._target = target
        self._cuts = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(0.1)
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        """Where an agent connects."""
        return f"mqtt://{HOST}:{self._listener.getsockname()[1]}"

    def cut(self, times: int) -> None:
        """End so many connections, each in the middle of the next PUBLISH of an agent."""
        self._cuts = times

    def count(self, what: str) -> None:
        """Count one packet that was meddled with; called by all connections."""
        with self._lock:
            self.counts[what] += 1

    def takes_cut(self) -> bool:
        """Tell whether this PUBLISH is one to be cut."""
        with self._lock:
            is_cut = self._cuts > 0
            self._cuts -= is_cut
        return is_cut

    @property
    def is_stopping(self) -> bool:
        """Tell whether the end was asked for."""
        return self._stopping.is_set()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.is_stopping:
            try:
                agent, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(agent,))
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
            thread.start()

    def _serve(self, agent: socket.socket) -> None:
        with agent:
            try:
                broker = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                return
            with broker, contextlib.suppress(OSError):
                broker.settimeout(None)
                _Connection(self, agent, broker).run()


class _Way:
    """The packets that go one way of a connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self._rest = b""
        self._waiting: list[tuple[float, int, bytes]] = []
        self._last_due = 0.0
        self._number = itertools.count()

    def packets(self) -> Iterator[bytes] | None:
        """Return what has come, packet by packet; None at the end of the connection."""
        data = self.source.recv(1 << 16)
        self._rest += data
        return self._taken_apart() if data else None

    def _taken_apart(self) -> Iterator[bytes]:
        while (size := _size(self._rest)) and len(self._rest) >= size:
            packet, self._rest = self._rest[:size], self._rest[size:]
            yield packet

    def put(self, packet: bytes, delay_s: float = 0.0, *, is_overtaken: bool = False) -> None:
        """Let a packet go on after a delay, and behind those before it."""
        due = max(time.monotonic() + delay_s, self._last_due)
        if not is_overtaken:
            self._last_due = due
        heapq.heappush(self._waiting, (due, next(self._number), packet))

    def send_due(self) -> float:
        """Send what is due; return the seconds until the next is."""
        while self._waiting and (left := self._waiting[0][0] - time.monotonic()) <= _TICK_S:
            if left > 0:
                return left
            self.sink.sendall(heapq.heappop(self._waiting)[2])
        return _TICK_S


class _Connection:
    def __init__(self, proxy: MqttProxy, agent: socket.socket, broker: socket.socket) -> None:
        self._proxy = proxy
        self._up = _Way(agent, broker)
        self._down = _Way(broker, agent)
        self._superfluous: Counter[bytes] = Counter()  # PUBACKs of copies, by packet id

    def run(self) -> None:
        """Serve the connection until either end closes it, or it is cut."""
        ways = {self._up.source: self._up, self._down.source: self._down}
        while not self._proxy.is_stopping:
            wait_s = min(way.send_due() for way in ways.values())
            ready, _, _ = select.select(list(ways), [], [], wait_s)
            for source in ready:
                packets = ways[source].packets()
                if packets is None:
                    return
                for packet in packets:
                    if not self._pass(packet, is_up=source is self._up.source):
                        return

    def _pass(self, packet: bytes, *, is_up: bool) -> bool:
        """Pass one packet on, or not; tell whether the connection goes on."""
        kind = packet[0] >> 4
        if kind == _PUBLISH:
            return self._pass_up(packet) if is_up else self._pass_down(packet)
        if kind == _PUBACK and not is_up and self._superfluous[packet[2:4]]:
            self._superfluous[packet[2:4]] -= 1
            self._proxy.count("PUBACK swallowed")
            return True
        (self._up if is_up else self._down).put(packet)
        return True

    def _pass_up(self, packet: bytes) -> bool:
        proxy, trouble = self._proxy, self._proxy.trouble
        if proxy.takes_cut():
            self._up.sink.sendall(packet[: proxy.chance.randrange(1, len(packet))])
            for end in (self._up.source, self._up.sink):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN
            proxy.count("cut")
            return False
        self._meddle(self._up, packet, trouble)
        if proxy.chance.random() < trouble.doubled and packet[0] & 0x06:
            self._superfluous[_packet_id(packet)] += 1
            self._up.put(packet, proxy.chance.uniform(0.0, trouble.delay_s))
            proxy.count("PUBLISH doubled")
        return True

    def _pass_down(self, packet: bytes) -> bool:
        proxy, trouble = self._proxy, self._proxy.trouble
        if proxy.chance.random() < trouble.acks_lost:
            proxy.count("ack lost")
            return True
        self._meddle(self._down, packet, trouble)
        if proxy.chance.random() < trouble.doubled and not packet[0] & 0x06:
            self._down.put(packet)
            proxy.count("ack doubled")
        return True

    def _meddle(self, way: _Way, packet: bytes, trouble: Trouble) -> None:
        what = "PUBLISH" if way is self._up else "ack"
        is_reordered = self._proxy.chance.random() < trouble.reordered
        delay_s = self._proxy.chance.uniform(0.0, trouble.delay_s)
        if is_reordered:
            self._proxy.count(f"{what} reordered")
        elif delay_s:
            self._proxy.count(f"{what} delayed")
        way.put(packet, delay_s + (_OVERTAKEN_S if is_reordered else 0.0), is_overtaken=is_reordered)


def _head_size(packet: bytes) -> int:
    return 2 + next(n for n in range(4) if not packet[1 + n] & 0x80)


def _size(data: bytes) -> int:
    """Return the size of the first packet, 0 while its length is not there yet."""
    length = 0
    for n, byte in enumerate(data[1:5]):
        length |= (byte & 0x7F) << 7 * n
        if not byte & 0x80:
            return 2 + n + length
    return 0


def _packet_id(publish: bytes) -> bytes:
    """Return the packet id of a PUBLISH with QoS 1: behind its topic."""
    at = _head_size(publish)
    at += 2 + int.from_bytes(publish[at : at + 2])
    return publish[at : at + 2]
