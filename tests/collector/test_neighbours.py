"""What others publish beside the evidence: stored as telemetry if it can be, and never in the way of an agent."""

import contextlib
import gzip
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector import neighbours
from collector.foreign import Foreign, MeasurementName, Rule, TopicFilter, rules_of
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.base import Poison, StoreError, StoreMisconfigured, StoreUnavailable
from collector.store.open import open_store
from collector.wire import Arrival
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import Retention
from contract.topics import ROOT
from tests.collector.test_pipeline import RawAgent, StoreDouble, batch, until
from tests.services import HOST, Influxd, Mosquitto, find_program

NOW_NS = time.time_ns()


def rules(*sections: tuple[str, tuple[str, ...]]) -> tuple[Rule, ...]:
    """Return rules as `santong collect` makes them."""
    made = [Foreign(TopicFilter.parse(topic), tuple(map(MeasurementName.parse, names))) for topic, names in sections]
    return rules_of(made, "collect.toml")


USUAL = rules(("telegraf/#", ("cpu", "mem")), ("sensors/+", ("climate",)))


def line(name: str, n: int, fields: str = "a=1") -> bytes:
    """Return a good line that differs from others by its time."""
    return f"{name},host=h {fields} {NOW_NS + n}\n".encode()


def publish(broker: Mosquitto, topic: str, payload: bytes, *more: str) -> None:
    """Publish with mosquitto_pub, QoS 1 unless told otherwise; the payload is its standard input."""
    program = find_program("mosquitto_pub", "mosquitto-clients")
    command = [program, "-h", HOST, "-p", str(broker.port), "-t", topic, "-s", *(more or ("-q", "1"))]
    subprocess.run(command, input=payload, check=True, timeout=30, capture_output=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Run one mosquitto for the module."""
    server = Mosquitto(tmp_path_factory.mktemp("neighbours"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store() -> StoreDouble:
    """Give a double of a store that does as told."""
    return StoreDouble()


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Open an empty quarantine."""
    opened = Quarantine(tmp_path / "quarantine")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the first pause before a store is tried again, from half a second."""
    monkeypatch.setattr(neighbours, "_FIRST_PAUSE_S", 0.02)


Start = Callable[..., Collector]


@pytest.fixture
def start(broker: Mosquitto, store: StoreDouble, quarantine: Quarantine) -> Iterator[Start]:
    """Start collectors that are stopped at the end."""
    with contextlib.ExitStack() as parts:

        def start(sections: tuple[Rule, ...] = USUAL, other: Mosquitto | None = None) -> Collector:
            settings = BrokerSettings(BrokerUrl.parse((other or broker).url))
            collector = Collector(settings, store, quarantine, foreign=sections)
            parts.callback(collector.stop)
            collector.start()
            assert until(lambda: collector.receiver.is_connected)
            return collector

        yield start


def telemetry(store: StoreDouble) -> list[bytes]:
    """Return the lines that were written as telemetry."""
    return [each for _, kind, body in list(store.written) if kind is Retention.TELEMETRY for each in body.splitlines()]


# ---- into a real InfluxDB


def test_what_telegraf_writes_is_read_back(
    broker: Mosquitto, influx_url: str, shared_influxd: Influxd, quarantine: Quarantine
) -> None:
    """Lines of every type, plain and gzip, with QoS 0 and 1, are stored as telemetry under their own tags."""
    opened = open_store(influx_url)
    opened.prepare()
    collector = Collector(BrokerSettings(BrokerUrl.parse(broker.url)), opened, quarantine, foreign=USUAL)
    collector.start()
    database = influx_url.rpartition("/")[2]
    try:
        assert until(lambda: collector.receiver.is_connected)
        plain = (
            b"# written by a neighbour\n"
            b"cpu,cpu=cpu-total,host=web\\ 01 usage_idle=83.9,usage_user=12.5 %d\n"
            b'mem,host=web\\ 01,device=441802-1.c1 used=123456789i,ok=true,note="say \\"hi\\"" %d\n'
            b"disk,host=web\\ 01 used=1i %d\n"
        ) % (NOW_NS, NOW_NS, NOW_NS)
        publish(broker, "telegraf/web01/all", plain)
        publish(broker, "telegraf/web01/cpu", b"cpu,cpu=cpu0 usage_idle=1 %d\n" % NOW_NS, "-q", "0")
        publish(broker, "sensors/c0703", gzip.compress(b"climate,room=c0703 celsius=21.5 %d\n" % NOW_NS))
        assert until(lambda: collector.counters().foreign_stored == 4)
    finally:
        collector.stop()
        opened.close()

    def read(text: str, policy: str = "telemetry") -> list[list[object]]:
        return [row for series in shared_influxd.query(text, database, policy) for row in series["values"]]

    assert read("SELECT usage_idle, usage_user FROM cpu WHERE host = 'web 01'") == [[NOW_NS, 83.9, 12.5]]
    assert read("SELECT used, ok, note FROM mem") == [[NOW_NS, 123456789, True, 'say "hi"']]
    assert read("SELECT usage_idle FROM cpu WHERE cpu = 'cpu0'") == [[NOW_NS, 1.0]]
    assert read("SELECT celsius FROM climate WHERE room = 'c0703'") == [[NOW_NS, 21.5]]
    assert read("SELECT * FROM disk") == read("SELECT * FROM /.*/", "evidence") == []
    (entry,) = quarantine.newest()
    assert (entry.agent, entry.device, entry.line, entry.reason) == (
        "telegraf/web01/all",
        "",
        4,
        "unknown_measurement",
    )
    assert (entry.epoch, entry.seq, entry.content) == ("", -1, b"disk,host=web\\ 01 used=1i %d" % NOW_NS)
    assert collector.counters().foreign_refused == 1


def test_a_type_conflict_spoils_no_neighbour(
    broker: Mosquitto, influx_url: str, shared_influxd: Influxd, quarantine: Quarantine
) -> None:
    """A field of another type than InfluxDB has is refused with its topic; all else is stored."""
    opened = open_store(influx_url)
    opened.prepare()
    collector = Collector(BrokerSettings(BrokerUrl.parse(broker.url)), opened, quarantine, foreign=USUAL)
    collector.start()
    agent = RawAgent(broker.port)
    try:
        assert until(lambda: collector.receiver.is_connected)
        publish(broker, "telegraf/a", line("cpu", 0, "a=1"))
        assert until(lambda: collector.counters().foreign_stored == 1)
        publish(broker, "telegraf/b", line("cpu", 1, "a=2") + line("cpu", 2, "a=2i") + line("mem", 3, "a=2i"))
        agent.send(batch(1))
        assert until(lambda: collector.counters().foreign_refused == 1 and agent.stored() == [1])
    finally:
        agent.close()
        collector.stop()
        opened.close()
    assert collector.counters().foreign_stored == 3
    (entry,) = quarantine.newest()
    assert (entry.agent, entry.reason) == ("telegraf/b", "store_refused")
    assert "field type conflict" in entry.detail
    assert entry.content == line("cpu", 2, "a=2i").strip()
    (series,) = shared_influxd.query("SELECT a FROM cpu", influx_url.rpartition("/")[2], "telemetry")
    assert series["values"] == [[NOW_NS, 1.0], [NOW_NS + 1, 2.0]]


# ---- beside the evidence


def test_each_goes_its_way(broker: Mosquitto, start: Start, store: StoreDouble, quarantine: Quarantine) -> None:
    """Batches of agents are evidence and acknowledged, lines of others are telemetry and answered by nobody."""
    collector = start()
    agent = RawAgent(broker.port)
    try:
        agent.send(batch(1))
        publish(broker, "telegraf/x", line("cpu", 0))
        assert until(lambda: agent.stored() == [1] and collector.counters().foreign_stored == 1)
        publish(broker, "sensors/x/y", line("climate", 0))
        publish(broker, "sensors/x", line("cpu", 0))
        assert until(lambda: collector.counters().foreign_refused == 1)
    finally:
        agent.close()
    assert telemetry(store) == [line("cpu", 0).strip()]
    counters = collector.counters()
    assert (counters.received, counters.stored_batches, counters.refused) == (1, 1, 0)
    assert [(entry.agent, entry.reason) for entry in quarantine.newest()] == [("sensors/x", "unknown_measurement")]


def test_evidence_from_others_is_refused(
    broker: Mosquitto, start: Start, store: StoreDouble, quarantine: Quarantine
) -> None:
    """A batch as an agent sends it, published under a topic of others, adds nothing to the evidence."""
    collector = start()
    publish(broker, "telegraf/x", gzip.decompress(batch(1, *[b"presence lan=1i %d" % NOW_NS] * 30)))
    assert until(lambda: collector.counters().foreign_refused == 30)
    assert store.written == []
    assert {entry.reason for entry in quarantine.newest()} == {"unknown_measurement"}


@pytest.mark.parametrize(
    "error",
    [
        StoreMisconfigured("max-values-per-tag limit exceeded"),
        StoreError("a failure nobody knows"),
        RuntimeError("a defect"),
        StoreUnavailable("always away for these lines"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_store_that_takes_no_lines_of_others_takes_evidence(
    broker: Mosquitto, start: Start, store: StoreDouble, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Whatever keeps the store from taking lines of others: they are dropped, counted, logged once."""

    def fate(lines: bytes) -> list[Poison]:
        if lines.startswith(b"cpu"):
            raise error
        return []

    store.fate = fate
    collector = start()
    agent = RawAgent(broker.port)
    try:
        for n in range(3):
            publish(broker, "telegraf/x", line("cpu", n))
            agent.send(batch(n + 1))
            assert until(lambda n=n: collector.counters().foreign_dropped == n + 1)  # type: ignore[misc]
        assert until(lambda: agent.stored() == [1, 2, 3])
    finally:
        agent.close()
    assert collector.trouble == ""
    assert [str(error) in record.message for record in caplog.records if "others" in record.message] == [True]
    publish(broker, "telegraf/x", line("mem", 0))
    assert until(lambda: collector.counters().foreign_stored == 1)


def test_a_short_absence_of_the_store_costs_nothing(broker: Mosquitto, start: Start, store: StoreDouble) -> None:
    """A store that is away for a moment is asked again."""
    failures = iter([StoreUnavailable("away"), StoreUnavailable("away")])

    def fate(_lines: bytes) -> list[Poison]:
        if error := next(failures, None):
            raise error
        return []

    store.fate = fate
    collector = start()
    publish(broker, "telegraf/x", line("cpu", 0) + line("cpu", 1))
    assert until(lambda: collector.counters().foreign_stored == 2)
    assert store.tries == 3


def test_a_flood_of_others_fills_only_their_own_queue(
    broker: Mosquitto, start: Start, store: StoreDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store holds up the lines of others, more of them are dropped, and evidence is stored all the same."""
    monkeypatch.setattr(neighbours, "BUFFER_BYTES", 20_000)
    goes_on = threading.Event()

    def fate(lines: bytes) -> list[Poison]:
        if lines.startswith(b"cpu"):
            goes_on.wait(30)
        return []

    store.fate = fate
    collector = start()
    agent = RawAgent(broker.port)
    try:
        publish(broker, "telegraf/x", line("cpu", 0))
        assert until(lambda: store.tries == 1)
        for n in range(8):
            publish(broker, "telegraf/x", b"".join(line("cpu", 100 * n + m) for m in range(100)))
        assert until(lambda: collector.counters().foreign_dropped > 0)
        agent.send(*(batch(seq) for seq in range(1, 11)))
        assert until(lambda: agent.stored() == list(range(1, 11)))
        goes_on.set()
        dropped = collector.counters().foreign_dropped
        assert until(lambda: collector.counters().foreign_stored == 1 + 100 * (8 - dropped))
        publish(broker, "telegraf/x", line("mem", 0))
        assert until(lambda: collector.counters().foreign_stored == 2 + 100 * (8 - dropped))
    finally:
        goes_on.set()
        agent.close()


def test_a_publisher_set_up_wrongly_does_not_fill_quarantine(
    broker: Mosquitto, start: Start, quarantine: Quarantine
) -> None:
    """Of thousands of refused lines some are kept to be seen, and all are counted."""
    collector = start()
    for n in range(3):
        publish(broker, f"telegraf/{n}", b"disk used=1i 1\n" * 1000)
    assert until(lambda: collector.counters().foreign_refused == 3000)
    assert quarantine.total() == neighbours.QUARANTINED_A_MINUTE


def test_a_broken_quarantine_costs_no_good_line(
    broker: Mosquitto, start: Start, quarantine: Quarantine, caplog: pytest.LogCaptureFixture
) -> None:
    """When a refused line cannot be kept that is logged, and the good ones are stored."""
    collector = start()
    quarantine.close()
    publish(broker, "telegraf/x", b"disk used=1i 1\n" + line("cpu", 0))
    assert until(lambda: collector.counters().foreign_stored == 1)
    assert "quarantine: Cannot operate on a closed database" in caplog.text


def test_what_is_in_memory_at_the_end_is_stored_if_the_store_takes_it(
    store: StoreDouble, quarantine: Quarantine
) -> None:
    """At a stop what waits is written once more, and given up when the store does not take it at once."""
    for fate, stored in ((lambda _: [], 2), (_away, 0)):
        store.fate = fate
        others = neighbours.Neighbours(USUAL, store, quarantine)
        others.offer(Arrival("telegraf/x", line("cpu", 0), NOW_NS))
        others.offer(Arrival("sensors/x", line("climate", 0), NOW_NS))
        others.start()
        others.stop()
        assert others.counts() == neighbours.Counts(stored=stored, dropped=2 - stored)


def _away(_lines: bytes) -> list[Poison]:
    raise StoreUnavailable("away")


def test_a_topic_that_nobody_listed_is_refused(store: StoreDouble, quarantine: Quarantine) -> None:
    """Should a broker deliver what was not asked for, it is not stored."""
    others = neighbours.Neighbours(USUAL, store, quarantine)
    others.offer(Arrival("else/where", line("cpu", 0), NOW_NS))
    others.start()
    others.stop()
    assert [(entry.agent, entry.reason) for entry in quarantine.newest()] == [("else/where", "bad_topic")]
    assert store.written == []


def test_a_broker_that_refuses_the_topics_of_others(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that does not give us a listed topic is named in the log with the topic; evidence goes on."""
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")  # part of Debian's mosquitto
    rights = {
        "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": False},
        "roles": [{"rolename": "ours", "acls": [{"acltype": "subscribePattern", "topic": f"{ROOT}/#", "allow": True}]}],
        "groups": [{"groupname": "anyone", "roles": [{"rolename": "ours"}]}],
        "anonymousGroup": "anyone",
    }
    (tmp_path / "rights.json").write_text(json.dumps(rights))
    strict = Mosquitto(tmp_path, (f"plugin {plugin}", f"plugin_opt_config_file {tmp_path}/rights.json"))
    strict.start()
    try:
        start(other=strict)
        agent = RawAgent(strict.port)
        agent.send(batch(1))
        assert until(lambda: agent.stored() == [1])
        agent.close()
    finally:
        strict.stop()
    refused = [record.getMessage() for record in caplog.records if "refuses the subscription" in record.message]
    assert refused == [
        "broker refuses the subscription to telegraf/# of [[foreign]]: Not authorized",
        "broker refuses the subscription to sensors/+ of [[foreign]]: Not authorized",
    ]
