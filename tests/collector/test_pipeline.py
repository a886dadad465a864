"""The collector between a real broker and a store that goes away, refuses, comes back: nothing lost, nothing twice."""

import contextlib
import logging
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Never

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from collector import pipeline
from collector.pipeline import Collector, Limits, wait_until_prepared
from collector.quarantine import Entry, Quarantine
from collector.store.base import (
    Poison,
    Row,
    Store,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Summary,
    Track,
)
from collector.store.open import open_store
from contract import topics
from contract.batch import Batch, encode
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import Retention
from tests.services import HOST, Influxd, Mosquitto

WAIT_S = 15.0
MINUTE_NS = 60_000_000_000
EPOCH = "5f0c9a1e"
AGENT = "441802-3144001234.gw"
BASE_NS = (time.time_ns() // MINUTE_NS - 600) * MINUTE_NS


def until(is_so: Callable[[], object], seconds: float = WAIT_S) -> bool:
    """Wait until something is so; tell whether it became so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def presence(minute: int) -> bytes:
    """Return the line of a minute."""
    return b"presence lan=1i,wan=1i %d" % (BASE_NS + minute * MINUTE_NS)


def batch(seq: int, *lines: bytes, epoch: str = EPOCH) -> bytes:
    """Return the payload of a batch; without lines given, of one presence in the minute `seq`."""
    return encode(Batch(epoch, seq, "synced", b"".join(line + b"\n" for line in lines or [presence(seq)])))


class RawAgent:
    """A raw MQTT 5 client in the place of an agent: it sends any bytes and collects the answers."""

    def __init__(self, port: int, name: str = AGENT) -> None:
        self.name = name
        self.answers: list[topics.Ack] = []
        ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, reconnect_on_failure=False)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self._on_message
        self.client.connect(HOST, port, clean_start=True)
        self.client.subscribe(topics.ack(name), qos=1)
        self.client.loop_start()
        assert ready.wait(WAIT_S)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.answers.append(topics.decode_ack(bytes(message.payload)))

    def send(self, *payloads: bytes, device: str = "", topic: str = "") -> None:
        """Publish at QoS 1 and wait until the broker has all of it."""
        where = topic or topics.batch(self.name, device or self.name)
        for info in [self.client.publish(where, payload, qos=1) for payload in payloads]:
            info.wait_for_publish(WAIT_S)
            assert info.is_published()

    def acknowledged(self) -> Counter[tuple[str, int]]:
        """Return how often each (epoch, seq) was acknowledged as stored."""
        return Counter(
            (epoch, seq)
            for ack in list(self.answers)
            for epoch, first, last in ack.stored
            for seq in range(first, last + 1)
        )

    def stored(self) -> list[int]:
        """Return the seqs that were acknowledged, sorted, as often as they were."""
        return sorted(seq for _, seq in self.acknowledged().elements())

    def refused(self) -> list[topics.Refusal]:
        """Return all refusals."""
        return [refusal for ack in list(self.answers) for refusal in ack.refused]

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


class StoreDouble:
    """
    A double of a store, no real one: it takes, refuses or is away as `fate` says, and remembers what it took.

    `fate` gets each body before it is taken, and may raise, wait, or return poison.
    """

    def __init__(self) -> None:
        self.fate: Callable[[bytes], list[Poison]] = lambda _: []
        self.written: list[tuple[float, Retention, bytes]] = []
        self.tries = 0

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Do as told."""
        self.tries += 1
        poison = self.fate(lines)
        self.written.append((time.time(), retention, lines))
        return poison

    def of_sites(self, *_: object) -> Iterator[Track]:
        """Have nothing."""
        return iter(())

    def lines(self, measurement: str) -> list[bytes]:
        """Return all lines of a measurement, as often as they were written."""
        mark = measurement.encode() + b","
        return [line for *_, body in list(self.written) for line in body.splitlines() if line.startswith(mark)]

    def prepare(self) -> None:
        """Do as told, with nothing to write."""
        self.tries += 1
        self.fate(b"")

    def ready(self) -> None:
        """Be ready."""

    def devices(self, *_: object, **__: object) -> list[str]:
        """Know none."""
        return []

    def select(self, *_: object, **__: object) -> Iterator[Row]:
        """Yield nothing."""
        return iter(())

    def latest(self, *_: object, **__: object) -> Iterator[Row]:
        """Yield nothing."""
        return iter(())

    def summarise(self, *_: object, **__: object) -> Iterator[Summary]:
        """Yield nothing."""
        return iter(())

    def _nothing(self, *_: object, **__: object) -> Iterator[Never]:
        return iter(())

    tracks = last_before = first_from = presences = readings = tallies = edges = distinct = late = _nothing

    def close(self) -> None:
        """Hold nothing."""


class Flaky:
    """A fate that fails until it is told to work."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.works = threading.Event()
        self.tried_at: list[float] = []
        self.workers: set[int] = set()

    def __call__(self, _lines: bytes) -> list[Poison]:
        """Fail, or take everything."""
        self.tried_at.append(time.monotonic())
        self.workers.add(threading.get_ident())
        if not self.works.is_set():
            raise self.error
        return []


class Centre:
    """A running collector, and what is around it."""

    def __init__(self, broker: Mosquitto, store: Store, quarantine: Quarantine, limits: Limits | None = None) -> None:
        self.quarantine = quarantine
        self.collector = Collector(BrokerSettings(BrokerUrl.parse(broker.url)), store, quarantine, limits)

    def start(self) -> None:
        """Start, and return when batches are received."""
        self.collector.start()
        assert until(lambda: self.collector.receiver.is_connected)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Run one mosquitto for the module."""
    server = Mosquitto(tmp_path_factory.mktemp("pipeline"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def agent(broker: Mosquitto) -> Iterator[RawAgent]:
    """Connect a client in the place of an agent."""
    client = RawAgent(broker.port)
    yield client
    client.close()


@pytest.fixture
def store() -> StoreDouble:
    """Give the double."""
    return StoreDouble()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the first pause before a store is tried again, from half a second."""
    monkeypatch.setattr(pipeline, "_FIRST_PAUSE_S", 0.1)


Run = Callable[..., Centre]


@pytest.fixture
def run(broker: Mosquitto, tmp_path: Path, store: StoreDouble) -> Iterator[Run]:
    """Start collectors that are stopped at the end."""
    with contextlib.ExitStack() as parts:

        def start(
            limits: Limits | None = None, other: Store | None = None, quarantine: Quarantine | None = None
        ) -> Centre:
            kept = quarantine or Quarantine(tmp_path / "quarantine")
            parts.callback(kept.close)
            centre = Centre(broker, other or store, kept, limits)
            parts.callback(centre.collector.stop)
            centre.start()
            return centre

        yield start


# ---- the usual


def test_what_is_stored_is_acknowledged_once(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """Each batch is written with its delivery point and acknowledged in runs, on the agent's own topic."""
    centre = run()
    agent.send(*(batch(seq) for seq in range(1, 31)))
    assert until(lambda: len(agent.stored()) == 30)
    assert agent.stored() == list(range(1, 31))
    assert agent.refused() == []
    assert len(agent.answers) < 30
    assert len(store.lines("presence")) == len(store.lines("delivery")) == 30
    counters = centre.collector.counters()
    assert (counters.received, counters.stored_batches, counters.stored_lines) == (30, 30, 30)
    assert (counters.dropped, counters.refused) == (0, 0)


def test_an_agent_that_speaks_for_others_gets_the_answers(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """The answer goes to the agent that sent; the points carry the device, and the agent beside it."""
    run()
    agent.send(batch(1), device="441802-3144001234.c0703")
    assert until(lambda: agent.stored() == [1])
    for line in (*store.lines("presence"), *store.lines("delivery")):
        assert b",device=441802-3144001234.c0703,site=441802-3144001234,county=441802,agent=" + AGENT.encode() in line


def test_every_copy_of_a_batch_is_acknowledged(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """A batch that comes again is written again, over itself, and answered again: the first answer may be lost."""
    run()
    agent.send(batch(1))
    assert until(lambda: agent.stored() == [1])
    agent.send(batch(1))
    assert until(lambda: agent.stored() == [1, 1])
    heads = {(line.split(b" ")[0], line.rsplit(b" ", 1)[1]) for line in store.lines("delivery")}
    assert len(heads) == 1


# ---- the store is away


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("the store is away"),
        StoreMisconfigured("the store wants an operator"),
        StoreError("the store fails in a way nobody knows"),
        RuntimeError("the store has a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_is_acknowledged_before_it_is_stored(
    run: Run, agent: RawAgent, store: StoreDouble, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """
    Whatever keeps the store from writing: batches are kept and tried again, then all are acknowledged, once.

    An unknown failure means: keep. The trouble is logged once, not at every try, and can be asked for meanwhile.
    """
    caplog.set_level(logging.INFO)
    store.fate = fate = Flaky(error)
    centre = run()
    agent.send(*(batch(seq) for seq in range(1, 11)))
    assert until(lambda: len(fate.tried_at) >= 3)
    assert agent.answers == []
    assert str(error) in centre.collector.trouble
    fate.works.set()
    assert until(lambda: len(agent.stored()) == 10)
    assert agent.stored() == list(range(1, 11))
    assert sorted(store.lines("presence")) == sorted(set(store.lines("presence")))
    assert until(lambda: centre.collector.trouble == "")
    assert sum(str(error) in record.message for record in caplog.records) <= 2


def test_retry_after_is_honoured(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """A store that says when to come again is asked then, neither earlier nor much later."""
    store.fate = fate = Flaky(StoreUnavailable("busy", retry_after_s=0.8))
    run()
    agent.send(batch(1))
    assert until(lambda: len(fate.tried_at) == 2)
    fate.works.set()
    assert 0.8 <= fate.tried_at[1] - fate.tried_at[0] < 1.8
    assert until(lambda: agent.stored() == [1])
    assert 0.8 <= fate.tried_at[2] - fate.tried_at[1] < 1.8


def test_pauses_grow(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """Without a word of the store the pauses double: a store in trouble is not hammered."""
    store.fate = fate = Flaky(StoreUnavailable("away"))
    run()
    agent.send(batch(1))
    assert until(lambda: len(fate.tried_at) == 3)
    first, second = (after - before for before, after in zip(fate.tried_at, fate.tried_at[1:], strict=False))
    assert 0.09 < first < second
    fate.works.set()
    assert until(lambda: agent.stored() == [1])


def test_one_retention_class_away_keeps_the_whole_batch(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """A batch is acknowledged when all of it is stored: its evidence alone is not enough."""
    works = threading.Event()

    def fate(lines: bytes) -> list[Poison]:
        if lines.startswith(b"interface") and not works.is_set():
            raise StoreUnavailable("no telemetry today")
        return []

    store.fate = fate
    run()
    agent.send(batch(1, presence(1), b"interface,name=eth0 up=1i %d" % BASE_NS))
    assert until(lambda: store.tries >= 3)
    assert agent.answers == []
    works.set()
    assert until(lambda: agent.stored() == [1])


# ---- lines that the store refuses


def refusing(*bad: bytes) -> Callable[[bytes], list[Poison]]:
    """Return a fate that refuses lines with these bytes in them, as influxd would at a type conflict."""
    return lambda body: [
        Poison(line, "field type conflict") for line in body.splitlines() if any(mark in line for mark in bad)
    ]


def test_poison_is_quarantined_with_its_line(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """A line that the store refuses is named by its number in the batch as sent; all others are stored."""
    store.fate = refusing(b"speed_mbps=100i", b"uptime_s=7.5")
    centre = run()
    bad = b"interface,name=eth0 speed_mbps=100i %d" % BASE_NS
    other = b"presence uptime_s=7.5 %d" % (BASE_NS + 9 * MINUTE_NS)
    agent.send(batch(1), batch(2, presence(2), b"rubbish", bad, presence(3), other), batch(3, presence(4)))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    (refusal,) = agent.refused()
    assert refusal[:2] == (EPOCH, 2)
    for words in ("line 2 unknown_measurement", "line 3 store_refused", "line 5 store_refused"):
        assert words in refusal.reason
    entries = {entry.line: entry for entry in centre.quarantine.newest()}
    assert {line: entry.reason for line, entry in entries.items()} == {
        2: "unknown_measurement",
        3: "store_refused",
        5: "store_refused",
    }
    assert entries[3].detail == "field type conflict"
    assert entries[3].content.startswith(b"interface,device=")
    assert (entries[3].agent, entries[3].device, entries[3].epoch, entries[3].seq) == (AGENT, AGENT, EPOCH, 2)
    of_second = [line for line in store.lines("delivery") if b"seq=2i" in line]
    assert b"lines=2i" in of_second[-1]
    assert b"partial=3i" in of_second[-1]
    assert len({(line.split(b" ")[0], line.rsplit(b" ", 1)[1]) for line in of_second}) == 1
    assert all(b"partial=0i" in line for line in store.lines("delivery") if b"seq=2i" not in line)


def test_poison_in_a_re_sent_batch_is_counted_once(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """Copies of a batch in one write: each has one bad line."""
    store.fate = refusing(b"speed_mbps=100i")
    run(Limits(max_age_s=1.0))
    payload = batch(1, presence(1), b"interface,name=eth0 speed_mbps=100i %d" % BASE_NS)
    agent.send(*[payload] * 6)
    assert until(lambda: len(agent.refused()) == 6)
    assert {refusal.reason for refusal in agent.refused()} == {"line 2 store_refused"}
    final = store.lines("delivery")[-1]
    assert b"lines=1i" in final
    assert b"partial=1i" in final


def test_the_same_poison_twice_in_a_batch_is_two_lines(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """Each of two equal lines is named with its own number."""
    store.fate = refusing(b"speed_mbps=100i")
    run()
    bad = b"interface,name=eth0 speed_mbps=100i %d" % BASE_NS
    agent.send(batch(1, bad, presence(1), bad))
    assert until(agent.refused)
    assert agent.refused()[0].reason == "line 1 store_refused, line 3 store_refused"


def test_poison_of_another_agent_spoils_nothing(
    run: Run, broker: Mosquitto, agent: RawAgent, store: StoreDouble
) -> None:
    """Batches written together with a bad one are acknowledged as usual."""
    store.fate = refusing(b"speed_mbps=100i")
    run(Limits(max_age_s=1.0))
    other = RawAgent(broker.port, "441802-77.c1")
    try:
        agent.send(batch(1, b"interface,name=eth0 speed_mbps=100i %d" % BASE_NS))
        other.send(batch(1), batch(2))
        assert until(lambda: other.stored() == [1, 2] and agent.refused())
        assert other.refused() == []
        assert agent.stored() == []
    finally:
        other.close()


class FullDisk(Quarantine):
    """A quarantine whose disk is full."""

    def add(self, entries: Iterable[Entry]) -> None:  # noqa: ARG002
        """Refuse."""
        raise sqlite3.OperationalError("database or disk is full")


def test_a_quarantine_that_cannot_write_holds_nothing_up(
    run: Run, agent: RawAgent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Good batches are stored and bad ones refused all the same (the agents keep those); the log says it."""
    run(quarantine=FullDisk(tmp_path / "full"))
    agent.send(batch(1), batch(2, b"rubbish"), b"no batch", batch(3))
    assert until(lambda: agent.stored() == [1, 3] and len(agent.refused()) == 2)
    assert "quarantine: database or disk is full" in caplog.text


# ---- bounds


@pytest.mark.parametrize("limits", [Limits(buffer_messages=5), Limits(buffer_bytes=2000)], ids=["messages", "bytes"])
def test_a_full_buffer_drops_counts_and_does_not_block(
    run: Run, agent: RawAgent, store: StoreDouble, limits: Limits
) -> None:
    """
    While the store is away the broker is answered at once and what has no place is dropped, never acknowledged.

    What was dropped is stored when the agent sends it again.
    """
    store.fate = fate = Flaky(StoreUnavailable("away"))
    centre = run(limits)
    agent.send(batch(1))  # one batch for each worker: both wait for the store
    assert until(lambda: len(fate.workers) == 1)
    agent.send(batch(2))
    assert until(lambda: len(fate.workers) == 2)
    began = time.monotonic()
    agent.send(*(batch(seq) for seq in range(3, 101)))
    assert time.monotonic() - began < 10
    counters = centre.collector.counters
    assert until(lambda: counters().received == 100)
    dropped = counters().dropped
    assert 80 < dropped < 98
    fate.works.set()
    assert until(lambda: counters().stored_batches == 100 - dropped)
    assert until(lambda: len(agent.stored()) == 100 - dropped)
    missing = sorted(set(range(1, 101)) - set(agent.stored()))
    agent.send(*(batch(seq) for seq in missing[:4]))
    assert until(lambda: set(missing[:4]) <= set(agent.stored()))
    assert counters().dropped == dropped


def test_a_slow_write_does_not_hold_up_the_next(
    run: Run, broker: Mosquitto, agent: RawAgent, store: StoreDouble
) -> None:
    """Two workers take turns: while one waits for the store the other stores and acknowledges."""
    go_on = threading.Event()

    def fate(lines: bytes) -> list[Poison]:
        if b"device=" + AGENT.encode() in lines:
            go_on.wait(WAIT_S)
        return []

    store.fate = fate
    run()
    other = RawAgent(broker.port, "441802-77.c1")
    try:
        agent.send(batch(1))
        assert until(lambda: store.tries == 1)
        other.send(batch(1))
        assert until(lambda: other.stored() == [1])
        assert agent.stored() == []
        go_on.set()
        assert until(lambda: agent.stored() == [1])
    finally:
        go_on.set()
        other.close()


def test_no_batch_waits_longer_than_the_limit(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """In a steady trickle batches are written together, and none waits much longer than `max_age_s`."""
    run(Limits(max_age_s=0.3))
    for seq in range(1, 101):
        agent.send(batch(seq))
        time.sleep(0.01)
    assert until(lambda: len(agent.stored()) == 100)
    evidence = [(at, body) for at, kind, body in store.written if kind is Retention.EVIDENCE]
    assert 2 <= len(evidence) < 50, "while batches still came, and many at once"
    ages = [at - int(received) / 1000 for at, body in evidence for received in re.findall(rb"received=(\d+)i", body)]
    assert len(ages) == 100
    assert max(ages) < 0.3 + 10, "no batch was left over"


def test_stop_stores_and_acknowledges_what_waits(run: Run, agent: RawAgent, store: StoreDouble) -> None:
    """What is in the buffer when the collector is stopped is stored, and the agents hear of it."""
    centre = run(Limits(max_age_s=30))
    agent.send(*(batch(seq) for seq in range(1, 21)))
    assert until(lambda: centre.collector.counters().received == 20)
    assert agent.answers == []
    began = time.monotonic()
    centre.collector.stop()
    assert time.monotonic() - began < 15, "half of what a batch may wait"
    assert until(lambda: len(agent.stored()) == 20)
    assert len(store.lines("delivery")) == 20


def test_stop_does_not_wait_for_a_store_that_is_away(
    run: Run, agent: RawAgent, store: StoreDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """The end comes at once, nothing is acknowledged, and the log says how much the agents will send again."""
    store.fate = fate = Flaky(StoreUnavailable("away", retry_after_s=25))
    centre = run()
    agent.send(batch(1))
    assert until(lambda: fate.tried_at)
    began = time.monotonic()
    centre.collector.stop()
    assert time.monotonic() - began < 15, "less than the store asked to be left alone"
    assert agent.answers == []
    assert "stopped with 1 batches not stored" in caplog.text


# ---- real servers


def test_influxd_away_and_back(run: Run, agent: RawAgent, tmp_path: Path) -> None:
    """While influxd is stopped nothing is acknowledged; when it is back everything is stored, once."""
    server = Influxd(tmp_path / "influxd")
    server.start()
    real = open_store(server.url("santong"))
    try:
        real.prepare()
        centre = run(other=real)
        agent.send(*(batch(seq) for seq in range(1, 11)))
        assert until(lambda: len(agent.stored()) == 10)
        server.kill()
        agent.send(*(batch(seq) for seq in range(11, 31)))
        assert until(lambda: centre.collector.trouble)
        agent.send(*(batch(seq) for seq in range(11, 31)))  # an agent asks again
        time.sleep(1)
        assert len(agent.stored()) == 10
        server.start()
        assert until(lambda: set(agent.stored()) == set(range(1, 31)))
        rows = list(real.select("presence", BASE_NS, BASE_NS + 100 * MINUTE_NS))
        assert [row.time_ns for row in rows] == [BASE_NS + seq * MINUTE_NS for seq in range(1, 31)]
        deliveries = list(real.select("delivery", BASE_NS, BASE_NS + 100 * MINUTE_NS))
        assert sorted(row.fields["seq"] for row in deliveries) == list(range(1, 31))
        assert centre.collector.trouble == ""
        centre.collector.stop()
    finally:
        real.close()
        server.stop()


def test_a_broker_that_comes_back_is_subscribed_again(tmp_path: Path, store: StoreDouble) -> None:
    """After kill -9 of the broker the collector receives again by itself; it says so once, not at every try."""
    server = Mosquitto(tmp_path / "mosquitto")
    server.start()
    quarantine = Quarantine(tmp_path)
    centre = Centre(server, store, quarantine)
    with contextlib.ExitStack() as parts:
        parts.callback(server.stop)
        parts.callback(quarantine.close)
        parts.callback(centre.collector.stop)
        centre.start()
        server.kill()
        assert until(lambda: not centre.collector.receiver.is_connected)
        server.start()
        assert until(lambda: centre.collector.receiver.is_connected)
        agent = RawAgent(server.port)
        parts.callback(agent.close)
        agent.send(batch(1))
        assert until(lambda: agent.stored() == [1])


# ---- before the start


def test_a_store_that_is_not_there_yet_is_waited_for(store: StoreDouble, caplog: pytest.LogCaptureFixture) -> None:
    """A collector that starts before its store waits; each try is one line that names the store's trouble."""

    def fate(_lines: bytes) -> list[Poison]:
        if store.tries < 4:
            raise StoreUnavailable("http://127.0.0.1:8086: connection refused")
        return []

    store.fate = fate
    wait_until_prepared(store, threading.Event())
    assert store.tries == 4
    assert caplog.text.count("trying again") == 3
    assert "connection refused: trying again" in caplog.text


def test_a_store_that_needs_an_operator_ends_the_start(store: StoreDouble) -> None:
    """A wrong password does not get better by waiting."""
    store.fate = Flaky(StoreMisconfigured("401"))
    with pytest.raises(StoreMisconfigured, match="401"):
        wait_until_prepared(store, threading.Event())


def test_waiting_for_a_store_can_be_stopped(store: StoreDouble) -> None:
    """Ctrl-C ends the waiting at once."""
    store.fate = Flaky(StoreUnavailable("away"))
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    began = time.monotonic()
    wait_until_prepared(store, stopping)
    assert time.monotonic() - began < 10
