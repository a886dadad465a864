"""The store is away and agents send more than fits: memory is bounded, nothing is acknowledged, all drains later."""

import contextlib
import random
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.window import FIRST_RETRY_S, Window
from collector import pipeline
from collector.chunk import CHUNK_BYTES
from collector.pipeline import Buffer, Collector, Limits
from collector.quarantine import Quarantine
from collector.store.base import StoreUnavailable
from collector.wire import Arrival
from contract.batch import MAX_BATCH_BYTES
from contract.broker import BrokerSettings, BrokerUrl
from tests.collector.test_pipeline import BASE_NS, Flaky, RawAgent, StoreDouble, batch, until
from tests.services import Mosquitto

WINDOW = 8
LIMITS = Limits(buffer_messages=30, buffer_bytes=20_000)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Run a mosquitto that drops nothing itself."""
    server = Mosquitto(tmp_path / "mosquitto", ("max_queued_messages 0",))
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def running(broker: Mosquitto, folder: Path, store: StoreDouble, limits: Limits) -> Iterator[Collector]:
    """Run a collector that receives."""
    quarantine = Quarantine(folder / "quarantine")
    collector = Collector(BrokerSettings(BrokerUrl(broker.url)), store, quarantine, limits)
    collector.start()
    try:
        assert until(lambda: collector.receiver.is_connected)
        yield collector
    finally:
        collector.stop()
        quarantine.close()


# ---- the bounds


@given(
    st.integers(1, 6),
    st.integers(0, 60),
    st.lists(st.just(None) | st.lists(st.integers(0, 30), max_size=8), max_size=30),
)
def test_the_buffer_keeps_its_limits(most: int, most_bytes: int, steps: list[list[int] | None]) -> None:
    """Never more messages or bytes than its limits; what has no room is counted, all else comes out in order."""
    buffer = Buffer(Limits(most, most_bytes))
    waiting: deque[Arrival] = deque()
    received = dropped = 0
    for step in steps:
        if step is None:
            assert buffer.take(0) == (waiting.popleft() if waiting else None)
        else:
            arrivals = [Arrival("", bytes(size), received + n) for n, size in enumerate(step)]
            buffer.put(arrivals)
            received += len(arrivals)
            for arrival in arrivals:
                fits = len(waiting) < most and sum(a.size for a in [*waiting, arrival]) <= most_bytes
                if fits:
                    waiting.append(arrival)
                dropped += not fits
        assert (len(buffer), buffer.bytes) == (len(waiting), sum(a.size for a in waiting))
        assert len(buffer) <= most
        assert buffer.bytes <= most_bytes
        assert (buffer.received, buffer.dropped) == (received, dropped)


def test_a_chunk_is_bounded_in_bytes(broker: Mosquitto, tmp_path: Path) -> None:
    """Batches of few and very long lines are written before they are many megabytes: a worker holds one chunk."""
    store = StoreDouble()
    lines = [b'identity model="%b" %d' % (b"x" * 4000, BASE_NS + n) for n in range(250)]
    with running(broker, tmp_path, store, Limits(max_age_s=30)):
        agent = RawAgent(broker.port)
        agent.send(*(batch(seq, *lines) for seq in range(1, 11)))
        assert until(lambda: len(agent.stored()) >= 5)
        agent.close()
    sizes = [len(body) for _, _, body in store.written]
    assert sum(sizes) > 10 * 1_000_000
    assert max(sizes) < (CHUNK_BYTES + MAX_BATCH_BYTES) * 1.05


# ---- an outage


class WindowAgent:
    """An agent with the product's own window of 8 batches, and with a clock that the test moves."""

    def __init__(self, port: int, name: str) -> None:
        self.raw = RawAgent(port, name)
        self._window = Window(WINDOW, 2.0, random.Random(name))
        self.sent = 0
        for seq in range(1, WINDOW + 1):
            self._window.offer(seq)

    def send(self, now: float) -> int:
        """Send what the window lets go; return how many batches."""
        due = []
        while (seq := self._window.take_fresh(now)) is not None:
            due.append(seq)
        due += self._window.take_retries(now)
        if self._window.wants_backlog(now) and (old := self._next_in_backlog()):
            self._window.take_backlog(old, now)
            due.append(old)
        self.raw.send(*(batch(seq) for seq in due))
        self.sent += len(due)
        return len(due)

    def _next_in_backlog(self) -> int | None:
        done = self.raw.stored()
        return next((seq for seq in range(1, WINDOW + 1) if seq not in done and seq not in self._window), None)

    def take_answers(self, now: float) -> set[tuple[str, int]]:
        """Settle what was acknowledged; return all that is, each with the agent's name."""
        acknowledged = set(self.raw.stored())
        for seq in acknowledged & self._window.on_their_way():
            self._window.answered(seq, now)
        return {(self.raw.name, seq) for seq in acknowledged}


class Outage:
    """Twelve agents, a collector with room for 30 batches, and a store that is away."""

    def __init__(self, collector: Collector, store: StoreDouble, fate: Flaky, agents: list[WindowAgent]) -> None:
        self.collector = collector
        self.agents = agents
        self._store = store
        self._fate = fate

    def end(self) -> None:
        """Let the store come back."""
        self._fate.works.set()

    def send(self, now: float) -> int:
        """Let all agents send, and wait until the collector has all of it; return how many batches."""
        sent = sum(agent.send(now) for agent in self.agents)
        total = sum(agent.sent for agent in self.agents)
        assert until(lambda: self.collector.counters().received == total)
        return sent

    def drain(self, now: float) -> set[tuple[str, int]]:
        """Wait until all that was not dropped is stored and acknowledged; return it."""
        counters = self.collector.counters
        assert until(lambda: counters().stored_batches == counters().received - counters().dropped)
        stored = {
            (found[1].decode(), int(found[2]))
            for line in self._store.lines("delivery")
            if (found := re.search(rb",agent=([^, ]+) .*,seq=(\d+)i", line))
        }
        assert until(lambda: self.acknowledged(now) == stored)
        return stored

    def acknowledged(self, now: float) -> set[tuple[str, int]]:
        """Let all agents read their answers; return what was acknowledged so far."""
        return {name for agent in self.agents for name in agent.take_answers(now)}


@pytest.fixture
def outage(broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """Begin an outage: both workers hold a batch that they cannot store."""
    monkeypatch.setattr(pipeline, "_FIRST_PAUSE_S", 0.1)
    store = StoreDouble()
    store.fate = fate = Flaky(StoreUnavailable("away"))
    agents = [WindowAgent(broker.port, f"441802-{n}.gw") for n in range(12)]
    with running(broker, tmp_path, store, LIMITS) as collector:
        for held, agent in enumerate(agents[: pipeline.WORKERS], start=1):
            agent.raw.send(batch(WINDOW + 1))
            agent.sent += 1
            assert until(lambda held=held: len(fate.workers) == held)  # type: ignore[misc]
        yield Outage(collector, store, fate, agents)
    for agent in agents:
        agent.raw.close()


def test_an_outage_costs_bounded_memory_and_few_re_sends(outage: Outage) -> None:
    """
    While the store is away the buffer keeps its limits, nothing is acknowledged, and each agent asks with one batch.

    Afterwards what was kept is stored at once, what was dropped is sent again once, and nothing else is.
    """
    buffer, counters = outage.collector._buffer, outage.collector.counters
    assert outage.send(0.0) == 12 * WINDOW
    for now in (40.0, 120.0, 300.0):  # past the retries after 30, 60 and 120 s
        assert outage.send(now) == 12
    assert len(buffer) == LIMITS.buffer_messages
    assert 0 < buffer.bytes <= LIMITS.buffer_bytes
    dropped = counters().dropped
    assert dropped == 12 * (WINDOW + 3) - LIMITS.buffer_messages
    assert (counters().stored_batches, outage.acknowledged(300.0)) == (0, set())

    outage.end()
    wanted = {(agent.raw.name, seq) for agent in outage.agents for seq in range(1, WINDOW + 1)}
    missing = wanted - outage.drain(301.0)
    assert missing
    to_send, sent, now = len(missing), 0, 301.0
    while missing and now < 3000:
        now += FIRST_RETRY_S
        sent += outage.send(now)
        missing = wanted - outage.drain(now)
    assert not missing
    assert sent == to_send + counters().dropped - dropped
