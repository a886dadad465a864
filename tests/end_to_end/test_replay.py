"""
Back after hours: live data at once, the backlog at its pace, everything once.

Agent, mosquitto, collector and store are real.
"""

import sys
import time
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.spool import Status
from agent.spoolfile import peek
from collector.status import Delivery, read_status
from collector.store.base import StoreError
from collector.store.open import open_store
from tests.end_to_end.backlog import keep_off_line
from tests.end_to_end.proxy import Proxy, until
from tests.processes import AgentProcess, CollectProcess
from tests.services import Mosquitto, free_port

DEVICE = "441802-3144001234.c0703"
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
OFF_LINE_MINUTES = 8 * 60
PACE = 10


class Arrived(NamedTuple):
    """A batch as the centre received it."""

    received_ms: int
    epoch: str
    seq: int


class Centre:
    """A collector, and what its store has of the device."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.url = f"sqlite://{folder}/store.db"
        self.folder, self.broker_url = folder, broker_url
        self.collector = CollectProcess(folder, broker_url, self.url)
        self._store = open_store(self.url)

    def arrived(self) -> list[Arrived]:
        """Return the batches in the order in which they came; within a millisecond the newest first."""
        try:
            rows = list(self._store.select("delivery", 0, 2**63 - 1, [DEVICE]))
        except StoreError:
            return []  # not made yet
        rows.sort(key=lambda row: (int(row.fields["received"]), -row.time_ns))
        return [Arrived(int(r.fields["received"]), str(r.fields["epoch"]), int(r.fields["seq"])) for r in rows]

    def minutes(self) -> list[int]:
        """Return the ends of the minutes that are proven, unix ns."""
        return [row.time_ns for row in self._store.select("presence", 0, 2**63 - 1, [DEVICE])]

    def delivery(self) -> Delivery:
        """Return what `santong status` says."""
        now_ns = time.time_ns()
        (status,) = read_status(self._store, now_ns - 24 * 60 * MINUTE_NS, now_ns)
        return status.delivery


_PROGRAM = """
import sys
import agent.pipeline, agent.publish, agent.window
agent.publish.PAUSES_S = (0.1, 0.2)
agent.window.FIRST_RETRY_S = float(sys.argv[1])
sys.exit(agent.pipeline.main([]))
"""


class Agent(AgentProcess):
    """
    The agent's own program with a round and a batch a second.

    Its pauses between two connects are shorter, and the one before it sends again what got no answer is `retry_s`.
    """

    def __init__(self, folder: Path, device: str, broker_url: str, retry_s: float = 30.0) -> None:
        self._retry_s = retry_s
        settings = {
            "SANTONG_ROUND_EVERY": "1s",
            "SANTONG_PUBLISH_EVERY": "1s",
            "SANTONG_PUBLISH_REPLAY_PER_SECOND": str(PACE),
        }
        super().__init__(folder, device, broker_url, **settings)

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-P", "-c", _PROGRAM, str(self._retry_s)]

    def spooled(self) -> Status:
        """Count what the spool holds."""
        return peek(self.spool)[0]


@pytest.fixture
def centre(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> Centre:
    """Run a collector at the broker."""
    made = Centre(tmp_path, mosquitto.url)
    parts.callback(made.collector.kill)
    made.collector.start()
    made.collector.wait_until_receiving()
    return made


def test_back_on_line_after_eight_hours(mosquitto: Mosquitto, centre: Centre, tmp_path: Path, parts: ExitStack) -> None:
    """
    480 batches of eight hours, and some of its own, wait in an agent that finds its broker again.

    The first batch to arrive is a fresh one; between two fresh ones comes no more of the backlog than its pace gives a
    round; nothing is sent twice, nothing is missing; and the lag that `santong status` shows is that of live data.
    """
    ends = keep_off_line(tmp_path / "spool", DEVICE, OFF_LINE_MINUTES)
    proxy = parts.enter_context(Proxy(free_port()))
    agent = Agent(tmp_path, DEVICE, proxy.url)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: agent.spooled().batches >= OFF_LINE_MINUTES + 4), agent.words()
    before = agent.spooled()
    proxy.lead_to(mosquitto.port)

    def is_drained() -> bool:
        old = [one for one in centre.arrived() if one.epoch != before.epoch or one.seq <= before.seq]
        return len(old) == OFF_LINE_MINUTES + before.seq

    assert until(is_drained, 240), agent.words()
    agent.stop()
    assert until(lambda: sent_batches(proxy) == len(centre.arrived()))

    arrived = centre.arrived()
    assert arrived[0].epoch == before.epoch
    assert arrived[0].seq >= before.seq
    is_fresh = [one.epoch == before.epoch and one.seq >= arrived[0].seq for one in arrived]
    assert [one.seq for one, fresh in zip(arrived, is_fresh, strict=True) if fresh] == list(
        range(arrived[0].seq, arrived[0].seq + sum(is_fresh))
    )
    backlog_between_fresh = [len(list(group)) for fresh, group in groupby(is_fresh) if not fresh]
    assert max(backlog_between_fresh) <= 3 * PACE
    backlog_ms = [one.received_ms for one, fresh in zip(arrived, is_fresh, strict=True) if not fresh]
    in_five_seconds = sum(at < backlog_ms[0] + 5000 for at in backlog_ms)
    assert 5 * PACE / 4 <= in_five_seconds <= 5 * PACE * 2 + 2

    assert len(set(arrived)) == len(arrived) == len({(one.epoch, one.seq) for one in arrived})
    minutes = centre.minutes()
    assert set(ends) <= set(minutes)
    assert len(set(minutes)) == len(minutes)
    told = centre.delivery()
    assert (told.batches, told.missing, told.refused_lines) == (len(arrived), 0, 0)
    assert told.late == len(backlog_ms) >= OFF_LINE_MINUTES
    assert told.lag_p99_ms is not None
    assert told.lag_p99_ms < 2 * 60_000, "the lag of what was kept is two minutes at least"


def sent_batches(proxy: Proxy) -> int:
    """Count the batches that passed to the broker."""
    return sum(publish.topic.endswith("/batch") for publish in proxy.publishes())


def test_back_after_an_outage_of_the_centre(
    mosquitto: Mosquitto, centre: Centre, tmp_path: Path, parts: ExitStack
) -> None:
    """
    The collector is away for 40 rounds while the broker takes every batch and tells nobody.

    Meanwhile an agent sends no more than a batch a round. When the collector is back, the first batch that it gets is a
    fresh one, within a few rounds and not when a long pause is over; then comes all that was sent in vain, and each is
    there once.
    """
    proxy = parts.enter_context(Proxy(mosquitto.port))
    agent = Agent(tmp_path, DEVICE, proxy.url, retry_s=1.0)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(centre.arrived()) > 3), agent.words()
    centre.collector.kill()
    known, sent_before, first = len(centre.arrived()), sent_batches(proxy), agent.spooled().seq
    assert until(lambda: agent.spooled().seq >= first + 40, 80)
    sent, rounds = sent_batches(proxy) - sent_before, agent.spooled().seq - first
    assert sent <= rounds + 4

    centre.collector.log.unlink()
    before_return = agent.spooled()
    centre.collector.start()
    centre.collector.wait_until_receiving()
    at_return = agent.spooled()
    assert until(lambda: len(centre.arrived()) > known, 90), agent.words()
    first_back = centre.arrived()[known]
    assert before_return.seq <= first_back.seq <= at_return.seq + 4
    sent_in_vain = set(range(first + 1, at_return.seq + 1))
    assert until(lambda: sent_in_vain <= {one.seq for one in centre.arrived()}), agent.words()
    agent.stop()
    arrived = centre.arrived()
    assert len({(one.epoch, one.seq) for one in arrived}) == len(arrived)
    assert centre.delivery().missing == 0
