"""Beside products of others: what docs/neighbours.md says, as far as it can be run without these products."""

import re
import subprocess
import threading
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from line_protocol_parser import parse_line
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from agent.config import Settings
from collector.cli import CollectSettings
from collector.foreign import rules_of
from collector.store.open import open_store
from contract.batch import GZIP_MAGIC, decode
from contract.measurements import TABLE, Retention
from contract.settings import load
from tests.end_to_end.proxy import HurriedAgent, until
from tests.processes import BIN, CollectProcess
from tests.services import HOST, Influxd, Mosquitto, find_program

ROOT = Path(__file__).parents[2]
DEVICE = "441802-3144001234.c0703"
BATCHES = "santong/v1/+/+/batch"


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of the document in a language."""
    text = (ROOT / "docs/neighbours.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block(first_line: str) -> str:
    """Return the TOML block that contains a line."""
    (found,) = (text for text in blocks("toml") if first_line in text.splitlines())
    return found


class Consumer:
    """A client of somebody else's: MQTT 3.1.1, a session that outlives it, QoS 1; it answers nothing but the broker."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes]] = []
        ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, "telegraf-santong", clean_session=False, protocol=MQTTv311)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self._on_message
        self.client.connect(HOST, port)
        self.client.subscribe(BATCHES, qos=1)
        self.client.loop_start()
        assert ready.wait(15)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))

    def close(self) -> None:
        """Disconnect; the session stays in the broker."""
        self.client.disconnect()
        self.client.loop_stop()


# ---- an agent feeds others


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_an_agent_feeds_a_consumer_that_answers_nothing(
    tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto, compress: str
) -> None:
    """
    With `ack = "broker"` batches leave the spool when the broker has them, also while the consumer is away.

    With `compress = "none"` every payload is text that somebody else's parser reads: a comment, then lines of the
    table; the consumer gets every batch, those of its absence when it comes back.
    """
    consumer = Consumer(mosquitto.port)
    agent = HurriedAgent(
        tmp_path, DEVICE, mosquitto.url, SANTONG_PUBLISH_ACK="broker", SANTONG_PUBLISH_COMPRESS=compress
    )
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(consumer.messages) >= 3), agent.words()
    consumer.close()
    so_far = len(agent.issued())
    assert until(lambda: len(agent.issued()) >= so_far + 4 and agent.waiting() <= 2)
    agent.stop()
    issued = {seq for _, seq in agent.issued()}
    again = Consumer(mosquitto.port)
    parts.callback(again.close)

    def received() -> set[int]:
        return {decode(payload).seq for _, payload in consumer.messages + again.messages}

    assert until(lambda: len(received()) >= len(issued) - 1)
    assert issued - received() <= {max(issued)}  # what the last round closed goes out at the next start
    assert agent.waiting() <= 1
    for topic, payload in consumer.messages + again.messages:
        assert topic == f"santong/v1/{DEVICE}/{DEVICE}/batch"
        if compress == "gzip":
            assert payload.startswith(GZIP_MAGIC)
            continue
        header, *lines = payload.decode().splitlines()
        assert parse_line(header) is None, "the header is no comment"
        for line in lines:
            read = parse_line(line)
            assert read["tags"].keys() == set(TABLE[read["measurement"]].tags)
            assert read["time"] > 1_700_000_000_000_000_000


def test_without_any_consumer_the_brokers_word_is_enough(
    tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto
) -> None:
    """With `ack = "broker"` batches leave the spool though nobody subscribes, as with an EMQX rule (reason 0x10)."""
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url, SANTONG_PUBLISH_ACK="broker")
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(agent.issued()) >= 6 and agent.waiting() <= 2), agent.words()
    assert "rc16" in (mosquitto.directory / "mosquitto.log").read_text(encoding="utf-8")


def test_the_agents_settings_of_the_document(tmp_path: Path) -> None:
    """The document's settings are ones that an agent takes."""
    file = tmp_path / "agent.toml"
    file.write_text(f'agent = "{DEVICE}"\n[broker]\nurl = "mqtt://192.0.2.10"\n' + block("# agent.toml"))
    settings = load(Settings, file, {})
    assert (settings.publish.ack, settings.publish.compress) == ("broker", "none")


def test_telegrafs_topic_parsing_fits_our_topics() -> None:
    """Tags and topic have as many levels, as Telegraf demands; agent and device stand where they are looked for."""
    telegraf: Any = tomllib.loads(block('  topics = ["santong/v1/+/+/batch"]'))
    (consumer,) = telegraf["inputs"]["mqtt_consumer"]
    (parsing,) = consumer["topic_parsing"]
    levels = dict(zip(parsing["tags"].split("/"), f"santong/v1/AGENT/{DEVICE}/batch".split("/"), strict=True))
    assert (levels["agent"], levels["device"]) == ("AGENT", DEVICE)
    assert (consumer["topics"], parsing["topic"]) == ([BATCHES], BATCHES)
    made = {
        rule["result_key"]: re.sub(rule["pattern"], rule["replacement"].replace("${", "\\g<").replace("}", ">"), DEVICE)
        for rule in telegraf["processors"]["regex"][0]["tags"]
    }
    assert made == {"site": "441802-3144001234", "county": "441802"}


def test_emqxs_rule_gives_lines_that_influxd_takes(
    tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto, influx_url: str, shared_influxd: Influxd
) -> None:
    """The rule's regular expression puts the identity into every line of a payload, and influxd takes them all."""
    (sql,) = blocks("sql")
    (pattern,) = re.findall(r"regex_replace\(payload, '([^']+)'", sql)
    consumer = Consumer(mosquitto.port)
    parts.callback(consumer.close)
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url, SANTONG_PUBLISH_ACK="broker", SANTONG_PUBLISH_COMPRESS="none")
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(consumer.messages) >= 3), agent.words()
    agent.stop()
    store = open_store(influx_url)
    parts.callback(store.close)
    store.prepare()
    lines = 0
    for _, payload in consumer.messages:
        identity = f",device={DEVICE},site=441802-3144001234,county=441802,agent={DEVICE}"
        tagged = re.sub(pattern, rf"\g<0>{identity}", payload.decode())
        assert store.write(Retention.TELEMETRY, tagged.encode()) == []
        stored = [parse_line(line) for line in tagged.splitlines()[1:]]
        assert {line["tags"]["county"] for line in stored} == {"441802"}
        lines += len(stored)
    assert lines > 5
    database = influx_url.rpartition("/")[2]
    (series,) = shared_influxd.query(
        f"SELECT count(lan) FROM presence WHERE device = '{DEVICE}'", database, "telemetry"
    )
    assert series["values"][0][1] >= 1


# ---- others feed our collector


def test_what_others_publish_through_the_collector_of_the_document(
    tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto, influx_url: str, shared_influxd: Influxd
) -> None:
    """`santong collect` with the document's sections stores what `mosquitto_pub` sends, beside an agent's evidence."""
    settings = tmp_path / "collect.toml"
    settings.write_text(block("# collect.toml, for `santong collect --config collect.toml`"))
    collector = CollectProcess(tmp_path, mosquitto.url, influx_url, "--config", str(settings))
    parts.callback(collector.kill)
    collector.start()
    collector.wait_until_receiving()
    agent = HurriedAgent(tmp_path, DEVICE, mosquitto.url)
    parts.callback(agent.kill)
    agent.start()
    now_ns = time.time_ns()
    program = find_program("mosquitto_pub", "mosquitto-clients")
    for topic, line in {
        "sensors/c0703": f"climate,room=c0703 celsius=21.5 {now_ns}",
        "telegraf/web01/cpu": f"cpu,cpu=cpu-total,host=web01 usage_idle=83.9 {now_ns}",
        "telegraf/web01/netstat": f"netstat,host=web01 tcp_established=3i {now_ns}",
        "telegraf/web01": f"cpu,host=web01 usage_idle=1 {now_ns}",
    }.items():
        command = [program, "-h", HOST, "-p", str(mosquitto.port), "-q", "1", "-t", topic, "-m", line]
        subprocess.run(command, check=True, timeout=30)
    database = influx_url.rpartition("/")[2]

    def names(policy: str) -> set[str]:
        return {series["name"] for series in shared_influxd.query("SELECT * FROM /.*/ LIMIT 1", database, policy)}

    assert until(lambda: {"climate", "cpu", "host"} <= names("telemetry")), collector.words()
    assert until(lambda: "presence" in names("evidence"))
    assert "netstat" not in names("telemetry")
    assert {"climate", "cpu"}.isdisjoint(names("evidence"))
    (series,) = shared_influxd.query("SELECT usage_idle, host FROM cpu", database, "telemetry")
    assert series["values"] == [[now_ns, 83.9, "web01"]]
    collector.stop()
    shown = subprocess.run(
        [str(BIN / "santong"), "quarantine", "--data", str(tmp_path / "collect-data"), "--lang", "en"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (entry,) = (line for line in shown.stdout.splitlines() if "telegraf/web01/netstat" in line)
    assert "unknown_measurement" in entry
    assert "netstat is not listed" in entry


def collect(tmp_path: Path, text: str, store: str = "influxdb://127.0.0.1:1/santong") -> str:
    """Return what `santong collect` says of settings with which it cannot run."""
    file = tmp_path / "collect.toml"
    file.write_text(f'store = "{store}"\n[broker]\nurl = "mqtt://127.0.0.1:1"\n{text}')
    command = [str(BIN / "santong"), "collect", "--config", str(file), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr.replace(f"{file}: ", "")


SECTION = '[[foreign]]\ntopic = "{}"\nmeasurements = ["{}"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SECTION.format("telegraf/#", "presence"),
            "foreign[0].measurements[0]: 'presence' is a measurement of our own, which others cannot write:"
            " let them use another name\n",
        ),
        (
            SECTION.format("santong/#", "cpu"),
            "foreign[0].topic: 'santong/#' takes in santong/v1/…, the topics of our own agents: choose others\n",
        ),
        (
            SECTION.format("a/#", "cpu") + SECTION.format("a/+", "cpu"),
            "foreign[1].topic: 'a/+' overlaps with 'a/#': each message would come twice\n",
        ),
        (
            '[[foreign]]\ntopic = "a"\nmeasurements = []\n',
            "foreign[0].measurements: is empty: name what may be stored\n",
        ),
        ('[[foreign]]\nmeasurements = ["a"]\n', "foreign[0].topic: is missing\n"),
        ('[foreign]\ntopic = "a"\n', "foreign: is a list of sections, each begins with [[foreign]]\n"),
    ],
)
def test_sections_with_which_no_collector_can_run(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake is one line with the place of it, and exit code 2, before anything is opened."""
    assert collect(tmp_path, text) == message
    assert not (tmp_path / "data").exists()


def test_a_sqlite_store_takes_nothing_of_others(tmp_path: Path) -> None:
    """With a SQLite store `[[foreign]]` is a mistake, said at start."""
    assert collect(tmp_path, SECTION.format("a", "cpu"), f"sqlite://{tmp_path}/store.db") == (
        "foreign: needs an InfluxDB store: the SQLite store has no tables for measurements of others\n"
    )


def test_no_name_of_the_document_is_one_of_ours(tmp_path: Path) -> None:
    """The document's sections can be read, and none of its names or topics is refused."""
    file = tmp_path / "collect.toml"
    file.write_text(block("# collect.toml, for `santong collect --config collect.toml`"))
    rules = rules_of(load(CollectSettings, file, {}).foreign, "collect.toml")
    assert [rule.topic for rule in rules] == ["telegraf/+/+", "sensors/#"]
    telegraf: Any = tomllib.loads(block("[[outputs.mqtt]]"))
    (output,) = telegraf["outputs"]["mqtt"]
    topic = re.sub(r"\{\{.*?\}\}", "x", output["topic"])
    assert rules[0].pattern.fullmatch(topic)
