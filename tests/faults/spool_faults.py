"""
Faults of the spool: damaged, replaced by an older copy, cloned, on a full disk.

They are done by the book: the harness reads a copy of the files first, page by page, and what has an untouched copy
left must arrive.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.end_to_end.proxy import until
from tests.faults.agents import OTHER_BOARD, THIS_BOARD, LedgerAgent, Paused
from tests.faults.city import City
from tests.faults.kinds import PATIENCE_S, kind
from tests.faults.spoolfile import MAIN, WAL, Damage, SpoolCopy, reason_of

_NO_SPACE = "samples wait in memory"


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
    return Damage(file, flips=tuple(chance.sample(range(size), min(size, chance.randint(1, 8)))))


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
    agent.is_damaged = True
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
        kept = SpoolCopy.of(chosen).kept(is_damaged=agent.is_older_damaged if has_older else agent.is_damaged)
        had = SpoolCopy.of(agent.spool).kept(is_damaged=agent.is_damaged)
        agent.copy_spool(city.folder / "copies" / f"replaced{len(city.happenings)}")
        _exempt(city, had - kept, city.exempt.replaced)
        agent.put_spool(chosen)
        agent.is_older_damaged = agent.is_damaged
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
        did_fight = until(lambda: agent.words().count("connection lost") > before, PATIENCE_S)
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
        was_full = until(lambda: agent.words().count(_NO_SPACE) > before or not agent.is_running(), PATIENCE_S)
        city.hold(0.1, 1.5)
    finally:
        city.spool_disk.free()
    if not agent.is_running():
        city.detail("its start failed")
        agent.start()
    goes_on = agent.wait_for_round(3)
    city.exempt.late.append((agent.device, began_ns, agent.last_round()))
    return goes_on and was_full
