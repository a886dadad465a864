"""
Between an agent and its broker: a TCP proxy that resets connections, and an agent that does not wait long.

    agent ══▶ Proxy ══▶ mosquitto        forwards N bytes in one direction, then resets both ends
               └ reads the MQTT packets that pass towards the broker
"""

import select
import socket
import sqlite3
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple, Self

from collector.store.base import StoreError
from collector.store.open import open_store
from tests.processes import AgentProcess
from tests.services import HOST

_PUBLISH = 3
_MINUTE_NS = 60_000_000_000


def until(is_so: Callable[[], object], seconds: float = 30) -> bool:
    """Wait until something is so; tell whether it became so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# ---- MQTT on its way


class Publish(NamedTuple):
    """One PUBLISH packet that passed whole."""

    topic: str
    is_dup: bool
    qos: int


class Reader:
    """Takes a stream of MQTT packets apart, as far as is needed here."""

    def __init__(self) -> None:
        self.publishes: list[Publish] = []
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._rest += data
        while (size := self._size()) and len(self._rest) >= size:
            packet, self._rest = self._rest[:size], self._rest[size:]
            if packet[0] >> 4 == _PUBLISH:
                body = packet[self._head_size(packet) :]
                (length,) = struct.unpack("!H", body[:2])
                topic = body[2 : 2 + length].decode()
                self.publishes.append(Publish(topic, bool(packet[0] & 8), packet[0] >> 1 & 3))

    def is_within_publish(self) -> bool:
        """Tell whether a PUBLISH began and did not end."""
        return bool(self._rest) and self._rest[0] >> 4 == _PUBLISH

    @staticmethod
    def _head_size(packet: bytes) -> int:
        return 2 + next(n for n in range(4) if not packet[1 + n] & 0x80)

    def _size(self) -> int:
        """Return the size of the first packet, 0 while its length is not there yet."""
        length = 0
        for n, byte in enumerate(self._rest[1:5]):
            length |= (byte & 0x7F) << 7 * n
            if not byte & 0x80:
                return 2 + n + length
        return 0


class Cut(NamedTuple):
    """Where a connection ends: after so many bytes, `up` to the broker or `down` to the agent."""

    way: Literal["up", "down"]
    size: int


class Proxy:
    """
    A proxy on a free port of loopback. Each connection ends as the next of `cuts` says, later ones never.

    Before all that, one connection for each of `strangers` is answered with those bytes, and ends.
    """

    def __init__(self, target: int, cuts: Sequence[Cut] = (), strangers: Sequence[bytes] = ()) -> None:
        self._target = target
        self._strangers = list(strangers)
        self._cuts = list(cuts)
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(0.1)
        self._stopping = threading.Event()
        self._is_frozen = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.readers: list[Reader] = []
        self.cut_within_publish = 0

    @property
    def url(self) -> str:
        """Where an agent connects."""
        return f"mqtt://{HOST}:{self._listener.getsockname()[1]}"

    @property
    def cuts_left(self) -> int:
        """How many connections will still be cut."""
        return len(self._cuts)

    @property
    def strangers_left(self) -> int:
        """How many connections will still be answered by a stranger."""
        return len(self._strangers)

    def lead_to(self, target: int) -> None:
        """Lead later connections to another port; one where nobody listens is a broker that is out of reach."""
        self._target = target

    def freeze(self) -> None:
        """Let nothing through the connection that is there, and do not end it: a router that forgot it."""
        self._is_frozen.set()

    def publishes(self) -> list[Publish]:
        """Return every PUBLISH that passed to the broker."""
        return [publish for reader in self.readers for publish in reader.publishes]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        frozen: list[socket.socket] = []
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._strangers:
                _be_a_stranger(client, self._strangers.pop(0))
                continue
            try:
                server = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                client.close()
                continue
            self._forward(client, server)
            if self._is_frozen.is_set():
                self._is_frozen.clear()
                frozen += client, server
        for end in frozen:
            end.close()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        """Serve one connection until it ends, is cut or frozen; an agent has one at a time."""
        cut = self._cuts[0] if self._cuts else None
        reader = Reader()
        self.readers.append(reader)
        left = cut.size if cut else 0
        while not self._stopping.is_set():
            ready, _, _ = select.select([client, server], [], [], 0.05)
            if self._is_frozen.is_set():
                return
            for end in ready:
                is_up = end is client
                is_counted = cut is not None and (cut.way == "up") == is_up
                try:
                    data = end.recv(min(left, 65536) if is_counted else 65536)
                    (server if is_up else client).sendall(data)
                except OSError:
                    data = b""
                if is_up:
                    reader.feed(data)
                if is_counted:
                    left -= len(data)
                if not data or (is_counted and not left):
                    if is_counted and data:
                        self._cuts.pop(0)
                        self.cut_within_publish += reader.is_within_publish()
                    for each in (client, server):
                        _reset(each)
                    return
        client.close()
        server.close()


def _be_a_stranger(client: socket.socket, words: bytes) -> None:
    """Answer the CONNECT packet with something of one's own."""
    with client:
        client.settimeout(5)
        try:
            client.recv(65536)
            client.sendall(words)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except OSError:
            return


def _reset(end: socket.socket) -> None:
    """Close with RST instead of FIN, as when a router or a power cut ends a connection."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


# ---- the agent


_HURRIED = """
import sys
import agent.pipeline, agent.publish, agent.window
agent.publish.PAUSES_S = (0.1, 0.2)
agent.window.FIRST_RETRY_S, agent.window.LAST_RETRY_S, agent.window.IDLE_S = 1.0, 2.0, 0.5
sys.exit(agent.pipeline.main([]))
"""


class HurriedAgent(AgentProcess):
    """
    The agent's own program, with a round and a batch every 0.5 s.

    Only its pauses are shorter: before it connects again, and before it sends again what got no answer.
    """

    def __init__(self, folder: Path, device: str, broker_url: str, **settings: str) -> None:
        usual = {
            "SANTONG_ROUND_EVERY": "500ms",
            "SANTONG_PUBLISH_EVERY": "500ms",
            "SANTONG_PUBLISH_REPLAY_PER_SECOND": "50",
        }
        super().__init__(folder, device, broker_url, **usual | settings)

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", "-c", _HURRIED]

    def _read(self, query: str) -> list[tuple[object, ...]]:
        """Read the spool's file beside the agent; nothing while it is not made yet."""
        with closing(sqlite3.connect(f"file:{self.spool / 'spool.sqlite'}?mode=ro", uri=True, timeout=5)) as db:
            try:
                return db.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def issued(self) -> set[tuple[str, int]]:
        """Return the names of all batches of the epoch that were closed so far."""
        if not (self.spool / "spool.sqlite").exists():
            return set()
        names = [str(value) for (value,) in self._read("SELECT value FROM meta WHERE key = 'name'")]
        epoch, _, last = names[0].partition(":") if names else ("", "", "0")
        return {(epoch, seq) for seq in range(1, int(last) + 1)}

    def waiting(self) -> int:
        """Count the batches in the spool."""
        return sum(1 for _ in self._read("SELECT id FROM batch"))


class Ledger:
    """What a SQLite store has of one device, read beside the collector."""

    def __init__(self, url: str, device: str) -> None:
        self._store = open_store(url)
        self._device = device

    def delivered(self) -> Counter[tuple[str, int]]:
        """Return how many delivery points each batch has, by (epoch, seq)."""
        try:
            rows = list(self._store.select("delivery", 0, 2**63 - 1, [self._device]))
        except StoreError:
            return Counter()  # not made yet
        return Counter((str(row.fields["epoch"]), int(row.fields["seq"])) for row in rows)

    def has(self, names: set[tuple[str, int]]) -> bool:
        """Tell whether all these batches have arrived."""
        return names <= self.delivered().keys()

    def check(self) -> None:
        """Assert that nothing is there twice, and each presence stands on a minute of its own."""
        assert set(self.delivered().values()) == {1}
        minutes = [row.time_ns for row in self._store.select("presence", 0, 2**63 - 1, [self._device])]
        assert minutes
        assert len(minutes) == len(set(minutes))
        assert not any(minute % _MINUTE_NS for minute in minutes)
