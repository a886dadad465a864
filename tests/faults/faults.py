"""
The kinds of faults of processes, broker, store, network and clock.

Each injects, holds for a bounded random time, heals, and tells whether it really happened.
"""

import secrets
import time

from contract.batch import Batch, encode
from tests.collector.test_pipeline import RawAgent
from tests.end_to_end.proxy import until
from tests.faults.agents import Paused, kill_9
from tests.faults.city import DATABASE, SITE, City
from tests.faults.http_proxy import Answer
from tests.faults.kinds import PATIENCE_S, kind
from tests.faults.ledger import Produced
from tests.faults.mqtt_proxy import DroppedCount, Trouble
from tests.processes import Process
from tests.services import Service

# ---- processes: kill -9, SIGSTOP


@kind("kill-agent", 8)
def _kill_agent(city: City) -> bool:
    agent = city.any_agent()
    is_killed = city.kill_agent(agent)
    city.hold(0.1, 1.5)
    agent.start()
    return is_killed and agent.wait_for_round()


@kind("kill-broker", 5)
def _kill_broker(city: City) -> bool:
    return _kill(city, city.broker)


@kind("kill-collector", 5)
def _kill_collector(city: City) -> bool:
    return _kill(city, city.collector)


@kind("kill-influxd", 4)
def _kill_influxd(city: City) -> bool:
    return _kill(city, city.influxd)


def _kill(city: City, process: Process | Service) -> bool:
    is_killed = kill_9(process)
    city.hold()
    process.start()
    return is_killed


@kind("pause-agent")
def _pause_agent(city: City) -> bool:
    return _pause(city, city.any_agent().pid)


@kind("pause-broker")
def _pause_broker(city: City) -> bool:
    return _pause(city, city.broker.pid)


@kind("pause-collector")
def _pause_collector(city: City) -> bool:
    return _pause(city, city.collector.pid)


@kind("pause-influxd")
def _pause_influxd(city: City) -> bool:
    return _pause(city, city.influxd.pid)


def _pause(city: City, process: int) -> bool:
    with Paused(process) as stands_still:
        city.hold(0.5, 3.0)
    return stands_still


# ---- the broker


@kind("broker-emptied", 4)
def _broker_emptied(city: City) -> bool:
    """Start it again without anything that it knew."""
    until(city.broker_state().exists, 3)
    city.broker.kill()
    had_state = city.broker_state().exists()
    city.broker_state().unlink(missing_ok=True)
    city.hold(0.1, 1.0)
    city.broker.start()
    return had_state


@kind("broker-drops", 4)
def _broker_drops(city: City) -> bool:
    """Let its queue for the collector, which stands still, run full: what it took and answered, it drops."""
    with DroppedCount(city.broker.port) as dropped:
        until(lambda: dropped.value is not None, 3)
        before = dropped.value or 0
        city.wait_for_write()  # so the collector is connected
        with Paused(city.collector.pid):
            did_drop = until(lambda: (dropped.value or 0) > before, PATIENCE_S)
            city.hold(0.1, 1.0)
    return did_drop


# ---- the store


def _store_answers(city: City, status: int) -> bool:
    early, late = (city.http.counts[Answer(status, is_late).name] for is_late in (False, True))
    answer = Answer(status, is_late=late < early)  # by turns, so that both happen
    city.detail(answer.name)
    before = city.http.counts.total()
    city.http.answer = answer
    try:
        was_answered = until(lambda: city.http.counts.total() > before, PATIENCE_S)
        city.hold(0.1, 1.2)
    finally:
        city.http.answer = None
    return was_answered


@kind("store-answers-500")
def _store_500(city: City) -> bool:
    return _store_answers(city, 500)


@kind("store-answers-503")
def _store_503(city: City) -> bool:
    return _store_answers(city, 503)


@kind("store-answers-404")
def _store_404(city: City) -> bool:
    return _store_answers(city, 404)


@kind("store-cuts-answer")
def _store_cut(city: City) -> bool:
    """End the connection before the answer: influxd has written, or has not."""
    return _store_answers(city, 0)


@kind("store-disk-full", 2)
def _store_disk_full(city: City) -> bool:
    """Do what the collector's message says: influxd 1.x needs two starts, with no write between them, to be whole."""
    before = city.http.counts["no space left"]
    city.store_disk.fill()
    try:
        was_full = until(lambda: city.http.counts["no space left"] > before, PATIENCE_S)
        city.hold(0.1, 0.8)
    finally:
        city.store_disk.free()
    city.collector.stop()
    for _ in range(2):
        city.influxd.stop()
        city.influxd.start()
    city.collector.start()
    return was_full


@kind("type-conflict")
def _type_conflict(city: City) -> bool:
    """
    Give a field another type in the store than in the contract.

    The line is refused by its number, those before and behind it are stored.
    """
    device = f"{SITE}.raw"
    now = time.time_ns()
    bad = f'radio,device={device},interface=wlan0 channel="six" {now}'
    city.influxd.write(bad, DATABASE, "telemetry")
    first = float(len(city.raw) + 1)
    city.raw += [Produced(device, now + n, 0, "sensor", (("name", "raw"),), {"value": first + n}) for n in range(2)]
    lines = (f"sensor,name=raw value={first} {now}", f"radio,interface=wlan0 channel=6i {now}",
             f"sensor,name=raw value={first + 1} {now + 1}")  # fmt: skip
    payload = encode(Batch(secrets.token_hex(4), 1, "synced", "".join(f"{line}\n" for line in lines).encode()))
    publisher = RawAgent(city.broker.port, device)
    try:
        refusals = _refusals(publisher, payload)
    finally:
        publisher.close()
    city.influxd.query('DROP MEASUREMENT "radio"', DATABASE)
    return refusals == {"line 2 store_refused"}


def _refusals(publisher: RawAgent, payload: bytes) -> set[str]:
    """Send a batch until it is answered, then until every sending of it is: nothing of it may come later."""
    deadline = time.monotonic() + PATIENCE_S
    sent = 0
    while not publisher.refused() and not publisher.answers and time.monotonic() < deadline:
        publisher.send(payload)
        sent += 1
        until(lambda: publisher.answers, 2)
    until(lambda: len(publisher.refused()) >= sent, 2)
    return {refusal.reason for refusal in publisher.refused()}


# ---- the way to the broker


@kind("cut-in-publish", 4)
def _cut_in_publish(city: City) -> bool:
    before, cuts = city.mqtt.counts["cut"], city.chance.randint(1, 4)
    city.mqtt.cut(cuts)
    were_cut = until(lambda: city.mqtt.counts["cut"] >= before + cuts, PATIENCE_S)
    city.mqtt.cut(0)
    return were_cut


def _meddle(city: City, trouble: Trouble, *counts: str) -> bool:
    before = {what: city.mqtt.counts[what] for what in counts}
    city.mqtt.trouble = trouble
    try:
        city.hold(0.8, 2.0)
        return until(lambda: all(city.mqtt.counts[what] > n for what, n in before.items()), PATIENCE_S)
    finally:
        city.mqtt.trouble = Trouble()


@kind("mqtt-delays")
def _mqtt_delays(city: City) -> bool:
    return _meddle(city, Trouble(delay_s=city.chance.uniform(0.1, 1.0)), "PUBLISH delayed", "ack delayed")


@kind("mqtt-doubles")
def _mqtt_doubles(city: City) -> bool:
    """Make the broker deliver a batch twice, by a copy of its packet; the second answer is swallowed."""
    counts = ("PUBLISH doubled", "ack doubled", "PUBACK swallowed")
    return _meddle(city, Trouble(doubled=city.chance.uniform(0.5, 1.0)), *counts)


@kind("mqtt-reorders")
def _mqtt_reorders(city: City) -> bool:
    return _meddle(city, Trouble(reordered=city.chance.uniform(0.3, 0.7)), "PUBLISH reordered", "ack reordered")


@kind("mqtt-loses-acks")
def _mqtt_loses_acks(city: City) -> bool:
    return _meddle(city, Trouble(acks_lost=city.chance.uniform(0.3, 1.0)), "ack lost")


@kind("mqtt-everything", 4)
def _mqtt_everything(city: City) -> bool:
    trouble = Trouble(delay_s=0.3, doubled=0.4, reordered=0.4, acks_lost=0.4)
    return _meddle(city, trouble, "PUBLISH doubled", "PUBLISH reordered", "ack lost")


# ---- the clock


@kind("clock-forward")
def _clock_forward(city: City) -> bool:
    return _step(city, 1)


@kind("clock-back")
def _clock_back(city: City) -> bool:
    return _step(city, -1)


def _step(city: City, direction: int) -> bool:
    """Step an agent's wall clock by seconds to minutes and back; for a moment after a step nobody may vouch for it."""
    agent = city.any_agent()
    step_ns = direction * round(10 ** city.chance.uniform(0.3, 2.8) * 1e9)
    city.detail(f"{step_ns / 1e9:+.1f} s")
    was_dated = True
    for to_ns in (step_ns, 0):
        if city.chance.random() < 0.5:
            agent.tell(step_ns=to_ns, vouched=False)
            was_dated &= agent.wait_for_round(city.chance.randint(1, 2))
        agent.tell(step_ns=to_ns, vouched=True)
        was_dated &= agent.wait_for_round(city.chance.randint(1, 3))
    return was_dated
