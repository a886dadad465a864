"""
The kinds of faults: each injects, holds for a bounded random time, heals, and tells whether it really happened.

Spools are damaged by the book: the harness reads a copy of the two files first, page by page, and what has an untouched
copy left must arrive.
"""

import random
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from contract.batch import Batch, encode
from tests.collector.test_pipeline import RawAgent
from tests.end_to_end.proxy import until
from tests.faults.agents import OTHER_BOARD, THIS_BOARD, LedgerAgent, Paused, kill_9
from tests.faults.city import DATABASE, SITE, City
from tests.faults.http_proxy import Answer
from tests.faults.ledger import Produced
from tests.faults.mqtt_proxy import DroppedCount, Trouble
from tests.faults.spoolfile import MAIN, WAL, Damage, SpoolCopy, reason_of

_PATIENCE_S = 12.0
_NO_SPACE = "samples wait in memory"
_MINUTE_NS = 60_000_000_000

Act = Callable[[City], bool]


class Kind(NamedTuple):
    """A kind of fault; the weight says how often it is drawn."""

    name: str
    weight: float
    act: Act


KINDS: dict[str, Kind] = {}


def kind(name: str, weight: float = 3) -> Callable[[Act], Act]:
    """Register a kind of fault."""

    def register(act: Act) -> Act:
        KINDS[name] = Kind(name, weight, act)
        return act

    return register


def plan(number: int, only: list[str], chance: random.Random) -> list[str]:
    """Return which faults happen: each kind twice where there is place, the rest by weight, in random order."""
    names = only or list(KINDS)
    certain = names * 2 if number >= 2 * len(names) else []
    drawn = chance.choices(names, [KINDS[name].weight for name in names], k=number - len(certain))
    order = [*certain, *drawn]
    chance.shuffle(order)
    return order


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
    is_killed = kill_9(city.broker)
    city.hold()
    city.broker.start()
    return is_killed


@kind("kill-collector", 5)
def _kill_collector(city: City) -> bool:
    is_killed = kill_9(city.collector)
    city.hold()
    city.collector.start()
    return is_killed


@kind("kill-influxd", 4)
def _kill_influxd(city: City) -> bool:
    is_killed = kill_9(city.influxd)
    city.hold()
    city.influxd.start()
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
            did_drop = until(lambda: (dropped.value or 0) > before, _PATIENCE_S)
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
        was_answered = until(lambda: city.http.counts.total() > before, _PATIENCE_S)
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
        was_full = until(lambda: city.http.counts["no space left"] > before, _PATIENCE_S)
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
    deadline = time.monotonic() + _PATIENCE_S
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
    were_cut = until(lambda: city.mqtt.counts["cut"] >= before + cuts, _PATIENCE_S)
    city.mqtt.cut(0)
    return were_cut


def _meddle(city: City, trouble: Trouble, *counts: str) -> bool:
    before = {what: city.mqtt.counts[what] for what in counts}
    city.mqtt.trouble = trouble
    try:
        city.hold(0.8, 2.0)
        return until(lambda: all(city.mqtt.counts[what] > n for what, n in before.items()), _PATIENCE_S)
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


# ---- the spool


@kind("spool-truncated", 4)
def _spool_truncated(city: City) -> bool:
    return _damage_spool(city, _cut, is_live=False)


@kind("spool-truncated-live")
def _spool_truncated_live(city: City) -> bool:
    return _damage_spool(city, _cut, is_live=True)


@kind("spool-flipped", 5)
def _spool_flipped(city: City) -> bool:
    return _damage_spool(city, _flip, is_live=False)


@kind("spool-flipped-live", 4)
def _spool_flipped_live(city: City) -> bool:
    return _damage_spool(city, _flip, is_live=True)


Choose = Callable[[str, int, random.Random], Damage]


def _cut(file: str, size: int, chance: random.Random) -> Damage:
    return Damage(file, cut=chance.randrange(size))


def _flip(file: str, size: int, chance: random.Random) -> Damage:
    return Damage(file, flips=tuple(chance.sample(range(size), chance.randint(1, 8))))


def _damage_spool(city: City, choose: Choose, *, is_live: bool) -> bool:
    agent = city.any_agent()
    with _backlog(city, agent):
        if is_live:
            with Paused(agent.pid):
                damage = _damage(city, agent, choose)
                # A round that was being written: it may be in neither the copy nor what the damage left.
                city.exempt.in_flight.add((agent.device, agent.last_round()))
            return damage is not None and agent.wait_for_round(2)
        _end_somehow(city, agent)
        damage = _damage(city, agent, choose)
        agent.start()
        return damage is not None and agent.wait_for_round()


@contextmanager
def _backlog(city: City, agent: LedgerAgent) -> Iterator[None]:
    """Mostly let batches wait in the spool: the collector stands still."""
    with ExitStack() as parts:
        if city.chance.random() < 0.75:
            parts.enter_context(Paused(city.collector.pid))
            agent.wait_for_round(city.chance.randint(1, 4))
        yield


def _end_somehow(city: City, agent: LedgerAgent) -> None:
    if city.chance.random() < 0.5:
        city.detail("killed")
        city.kill_agent(agent)
    else:
        city.detail("stopped")
        city.stop_agent(agent)


def _damage(city: City, agent: LedgerAgent, choose: Choose) -> Damage | None:
    """Damage one of the two files; note which rows have no copy left."""
    sizes = {name: (agent.spool / name).stat().st_size for name in (MAIN, WAL) if (agent.spool / name).exists()}
    if not any(sizes.values()):
        return None
    file = city.chance.choice([name for name, size in sizes.items() if size])
    damage = choose(file, sizes[file], city.chance)
    agent.copy_spool(city.folder / "copies" / f"damage{len(city.happenings)}")
    rows = SpoolCopy.of(agent.spool).rows()
    gone = {(row.device, line) for row in rows if damage.destroys(row) for line in row.lines}
    gone -= {(row.device, line) for row in rows if not damage.destroys(row) for line in row.lines}
    city.detail(f"{damage}, {len(gone)} lines destroyed")
    _exempt(city, gone, city.exempt.destroyed)
    damage.apply(agent.spool)
    return damage


def _exempt(city: City, lines: set[tuple[str, str]], taken: set[tuple[str, str]]) -> None:
    """Note which (device, line) may be missing; the lines of a batch, or held samples in JSON."""
    taken |= lines
    for _, line in lines:
        if line.startswith("stop "):
            city.exempt.reasons.add(line.partition('reason="')[2].partition('"')[0])
        elif line.startswith("["):
            city.exempt.reasons.add(reason_of(line))


@kind("spool-restored", 4)
def _spool_restored(city: City) -> bool:
    """
    Make the folder what it was seconds or minutes ago, as a restore card does.

    What was in the replaced spool alone is destroyed; what the agent had forgotten before must be in the store.
    """
    agent = city.any_agent()
    older = agent.folder / "older"
    with _backlog(city, agent):
        with Paused(agent.pid):
            agent.copy_spool(agent.folder / "old")
        agent.wait_for_round(city.chance.randint(1, 3))
        has_older = older.exists() and city.chance.random() < 0.5
        chosen = older if has_older else agent.folder / "old"
        city.detail("an older copy" if has_older else "a copy of just now")
        is_killed = city.kill_agent(agent, mark=False)
        kept = {(row.device, line) for row in SpoolCopy.of(chosen).current_rows() for line in row.lines}
        had = {(row.device, line) for row in SpoolCopy.of(agent.spool).current_rows() for line in row.lines}
        _exempt(city, had - kept, city.exempt.replaced)
        agent.put_spool(chosen)
        agent.start()
        shutil.rmtree(older, ignore_errors=True)
        (agent.folder / "old").rename(older)
        return is_killed and agent.wait_for_round()


@kind("spool-cloned", 3)
def _spool_cloned(city: City) -> bool:
    return _clone(city, serial=THIS_BOARD)


@kind("spool-cloned-elsewhere", 2)
def _spool_cloned_elsewhere(city: City) -> bool:
    return _clone(city, serial=OTHER_BOARD)


def _clone(city: City, serial: str) -> bool:
    """
    Copy the card, and run both with the same id: the broker lets only one be connected at a time.

    Afterwards the first stands still until the clone has said all that it has.
    """
    agent = city.any_agent()
    number = len(city.clones) + 1
    clone = LedgerAgent(
        city.folder / f"clone{number}", agent.device, city.mqtt.url, first=number * 10**9, serial=serial
    )
    city.clones.append(clone)
    with Paused(agent.pid):
        agent.copy_spool(clone.spool)
    before = agent.words().count("connection lost")
    clone.start()
    try:
        did_fight = until(lambda: agent.words().count("connection lost") > before, _PATIENCE_S)
        city.hold(0.5, 2.0)
        clone.tell(quiet=True)
        with Paused(agent.pid):
            until(clone.is_drained, 6)
    finally:
        clone.stop()
    has_begun_anew = any(clone.spool.glob(f"{MAIN}.aside-*"))
    return did_fight and has_begun_anew == (serial == OTHER_BOARD)


@kind("spool-disk-full")
def _spool_disk_full(city: City) -> bool:
    """
    Let the agent on the small disk keep samples in memory.

    It is started anew, so that its files must grow. A start on the full disk may also fail, and be tried again.
    """
    agent = city.agents[0]
    city.stop_agent(agent)
    before, began_ns = agent.words().count(_NO_SPACE), agent.last_round()
    if city.chance.random() < 0.5:
        city.detail("full before its start")
        city.spool_disk.fill()
        agent.start()
    else:
        agent.start()
        agent.wait_for_round(2)
        city.spool_disk.fill()
    try:
        was_full = until(lambda: agent.words().count(_NO_SPACE) > before or not agent.is_running(), _PATIENCE_S)
        city.hold(0.1, 1.5)
    finally:
        city.spool_disk.free()
    if not agent.is_running():
        city.detail("its start failed")
        agent.start()
    goes_on = agent.wait_for_round(3)
    city.exempt.late.append((agent.device, began_ns, agent.last_round()))
    return goes_on and was_full
