"""A broker that refuses or drops: nothing is lost, somebody is told, and repair is enough to make all arrive once."""

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from collector.receive import RECEIVE_MAXIMUM
from tests.collector.test_pipeline import RawAgent, batch
from tests.end_to_end.proxy import HurriedAgent, Ledger, until
from tests.processes import BIN, CollectProcess
from tests.services import HOST, Mosquitto

DEVICE = "441802-3144001234.c0703"
USUAL_RIGHTS = """\
pattern write santong/v1/%u/state
pattern read santong/v1/%u/ack
user collector
topic read santong/v1/#
topic write santong/v1/+/ack
"""
BATCH_RIGHT = "pattern write santong/v1/%u/+/batch\n"


def ask(agent: HurriedAgent, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `santong-agent` on the agent's spool."""
    line = [str(BIN / "santong-agent"), *command, "--spool", str(agent.spool)]
    return subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)


def spool_status(agent: HurriedAgent) -> dict[str, Any]:
    """Return what `santong-agent spool status --json` says."""
    answer = ask(agent, "spool", "status", "--json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def start_agent(parts: ExitStack, folder: Path, url: str, **settings: str) -> HurriedAgent:
    """Start an agent that ends with the test."""
    agent = HurriedAgent(folder, DEVICE, url, **settings)
    parts.callback(agent.kill)
    agent.start()
    return agent


def start_collector(parts: ExitStack, folder: Path, url: str) -> tuple[CollectProcess, Ledger]:
    """Start a collector that ends with the test; return it and what its store has."""
    store = f"sqlite://{folder}/store.db"
    collector = CollectProcess(folder, url, store)
    parts.callback(collector.kill)
    collector.start()
    collector.wait_until_receiving()
    return collector, Ledger(store, DEVICE)


def start_broker(parts: ExitStack, folder: Path, *extra: str) -> Mosquitto:
    """Start a mosquitto that ends with the test."""
    broker = Mosquitto(folder / "mosquitto", extra=extra)
    parts.callback(broker.stop)
    broker.start()
    return broker


def test_batches_that_the_broker_refuses(tmp_path: Path, parts: ExitStack) -> None:
    """
    A broker whose access list forgot the batch topic answers 0x87: every batch stays in the spool.

    The log says it once, `health` says it and exits 1. When the list is repaired everything arrives, once, and
    `health` exits 0.
    """
    rights = tmp_path / "rights.acl"
    rights.write_text(USUAL_RIGHTS, encoding="ascii")
    broker = start_broker(parts, tmp_path, f"acl_file {rights}")
    _, ledger = start_collector(parts, tmp_path, f"mqtt://collector@{HOST}:{broker.port}")
    agent = start_agent(parts, tmp_path, broker.url)

    refusal = "the broker refuses a batch: Not authorized: it stays in the spool"
    assert until(lambda: refusal in agent.words()), agent.words()
    assert until(lambda: len(agent.issued()) >= 6)
    assert agent.waiting() >= 6
    assert ledger.delivered() == {}
    assert agent.words().count("refuses a batch") == 1
    health = ask(agent, "health")
    assert health.returncode == 1
    assert health.stdout.strip() == f"not healthy: nothing stored by the centre yet; {refusal}"
    status = spool_status(agent)
    assert status["batches"] >= 6
    assert status["refused"] == status["dropped_total"] == status["acknowledged_total"] == 0

    rights.write_text(USUAL_RIGHTS.replace("user ", BATCH_RIGHT + "user "), encoding="ascii")
    broker.stop()
    broker.start()
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    assert until(lambda: agent.waiting() <= 3)
    assert ask(agent, "health").returncode == 0
    agent.stop()
    ledger.check()
    assert ledger.has({(epoch, 1) for epoch, _ in issued})


def test_a_broker_that_drops_what_it_took(tmp_path: Path, parts: ExitStack) -> None:
    """
    A broker that answers success and drops, because its queue for a stalled collector is full: nothing is lost.

    Its PUBACK means nothing; without the store's answer the agent keeps each batch and sends it again.
    """
    broker = start_broker(parts, tmp_path, "max_queued_messages 1")
    collector, ledger = start_collector(parts, tmp_path, broker.url)
    agent = start_agent(parts, tmp_path, broker.url)
    city = RawAgent(broker.port, "441802-77.gw")
    parts.callback(city.close)
    assert until(lambda: len(ledger.delivered()) > 2), agent.words()
    os.kill(collector.pid, signal.SIGSTOP)
    try:
        city.send(*(batch(seq) for seq in range(1, RECEIVE_MAXIMUM + 20)))  # all that may be on its way is
        assert until(lambda: "messages are being dropped" in broker.log.read_text(encoding="utf-8"))
        held = agent.issued()
        assert until(lambda: len(agent.issued()) > len(held) + 5)
        assert agent.waiting() > 5
    finally:
        os.kill(collector.pid, signal.SIGCONT)
    issued = agent.issued()
    assert until(lambda: ledger.has(issued)), agent.words()
    agent.stop()
    ledger.check()


def test_a_broker_without_a_collector(tmp_path: Path, parts: ExitStack) -> None:
    """
    Where nobody subscribes nothing is lost, refused or called stored, and that is no failure of the broker.

    A gateway of many devices has four batches a second. When the collector comes all of them arrive soon: batches that
    were on their way in vain do not keep the window's places while the collector answers others.
    """
    broker = start_broker(parts, tmp_path)
    fast = {"SANTONG_ROUND_EVERY": "250ms", "SANTONG_PUBLISH_EVERY": "250ms"}
    agent = start_agent(parts, tmp_path, broker.url, **fast)
    assert until(lambda: len(agent.issued()) >= 12), agent.words()
    assert agent.waiting() >= 10
    health = ask(agent, "health")
    assert (health.returncode, health.stdout.strip()) == (
        1,
        "not healthy: nothing stored by the centre yet; connected",
    )
    assert "refuses" not in agent.words()
    _, ledger = start_collector(parts, tmp_path, broker.url)
    issued = agent.issued()
    assert until(lambda: ledger.has(issued), 15), sorted(issued - ledger.delivered().keys())
    agent.stop()
    ledger.check()


def test_the_broker_s_word_is_enough_where_that_is_set(tmp_path: Path, parts: ExitStack) -> None:
    """With `ack = broker`, for consumers that answer nothing, the spool empties without any collector."""
    broker = start_broker(parts, tmp_path)
    agent = start_agent(parts, tmp_path, broker.url, SANTONG_PUBLISH_ACK="broker")
    assert until(agent.issued), agent.words()
    assert until(lambda: spool_status(agent)["acknowledged_total"] >= 5), agent.words()
    assert until(lambda: agent.waiting() <= 2)
    status = spool_status(agent)
    assert status["refused"] == status["dropped_total"] == 0
    assert ask(agent, "health").returncode == 0


def test_the_broker_s_refusal_is_none_of_its_words(tmp_path: Path, parts: ExitStack) -> None:
    """With `ack = broker` a batch that the broker refuses stays too."""
    rights = tmp_path / "rights.acl"
    rights.write_text(USUAL_RIGHTS, encoding="ascii")
    broker = start_broker(parts, tmp_path, f"acl_file {rights}")
    agent = start_agent(parts, tmp_path, broker.url, SANTONG_PUBLISH_ACK="broker")
    assert until(lambda: "refuses a batch: Not authorized" in agent.words()), agent.words()
    assert until(lambda: len(agent.issued()) >= 5)
    assert spool_status(agent)["acknowledged_total"] == 0
    assert agent.waiting() >= 5
    assert ask(agent, "health").returncode == 1
