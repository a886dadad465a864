"""
A pretend district beside `santong up`: its last hour into the store, then live through the broker.

    DATA/roster, DATA/calendars.yaml ◀── paper of the district, at the first start
    until now:  events ─▶ Chunk ─▶ store        (as the collector stores, with the time at which each would have come)
    from now:   events ─▶ broker ─▶ collector ─▶ store

A process of its own: `python -m collector.living`, with everything in its environment.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path

from collector.calendars.load import FILE as CALENDARS
from collector.chunk import Chunk
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.wire import Arrival
from contract import topics
from contract.broker import BrokerSettings, BrokerUrl
from contract.errors import SantongError
from simulator import paper
from simulator.living import Event, events, world_of
from simulator.publisher import Publisher

log = logging.getLogger("santong.living")

BY = "santong up --simulate"
FOLDER = "simulated"
HOURS = 1
_MINUTE_NS = 60 * 10**9
_CHUNK_LINES = 20_000
_LOCAL = timezone(timedelta(hours=8))


def check_data(data: Path) -> None:
    """Raise SantongError where a data folder belongs to a real programme."""
    others = [version for version in Versions(data).every() if version.imported_by != BY]
    if others:
        raise SantongError(f"--simulate: {data} has a real roster: name another folder with --data")
    if (data / CALENDARS).exists() and not (data / FOLDER).is_dir():
        raise SantongError(f"--simulate: {data} has calendars of its own: name another folder with --data")


def prepare(data: Path, devices: int, now_ms: int) -> None:
    """Write the paper of the district, and import its roster, where the folder does not have it yet."""
    day = datetime.fromtimestamp(now_ms / 1000, _LOCAL).date()
    folder = data / FOLDER
    known = Versions(data).in_force(day)
    folder.mkdir(parents=True, exist_ok=True)
    paper.write(world_of(devices, now_ms - HOURS * 3_600_000), folder)
    (data / CALENDARS).write_bytes((folder / CALENDARS).read_bytes())
    reading = read([folder / "sites.csv", folder / "devices.csv"])
    if known and known.devices == len(reading.roster.devices):
        return  # that of an earlier start: the same places
    first = datetime.fromtimestamp(now_ms / 1000 - HOURS * 3600, _LOCAL).date()
    Versions(data).add(reading, first, BY)


def begin_ms(store: Store, devices: int, now_ns: int) -> int:
    """
    Return since when it lives, unix ms: some hours ago, or since after what an earlier start left.

    What the real device of `santong up` says is none of the district.
    """
    since_ns = now_ns - HOURS * 3600 * 10**9
    names = [thing.id for place in world_of(devices, since_ns // 10**6).places for thing in place.things]
    last = [row.time_ns for row in store.latest("presence", since_ns, now_ns, names)]
    return max([since_ns, *(time_ns + _MINUTE_NS for time_ns in last)]) // 10**6


def live(store: Store, publisher: Publisher, stream: Iterator[Event]) -> None:
    """Store what has happened, then publish what happens."""
    first, states = _catch_up(store, stream)
    for agent, state in states.items():
        publisher.say(agent, state)
    for event in chain([first] if first else [], stream):
        time.sleep(max(0.0, event.at / 1000 - time.time()))
        if event.device:
            publisher.send(event.agent, event.device, event.payload)
        else:
            publisher.say(event.agent, event.payload)


def _catch_up(store: Store, stream: Iterator[Event]) -> tuple[Event | None, dict[str, bytes]]:
    """Store everything until now; return the first event that is not over, and the states until then."""
    chunk = Chunk()
    states: dict[str, bytes] = {}
    for event in stream:
        if event.at > time.time() * 1000:
            chunk.store(store.write)
            return event, states
        if not event.device:
            states[event.agent] = event.payload
            continue
        chunk.add(Arrival(topics.batch(event.agent, event.device), event.payload, event.at * 10**6))
        if chunk.lines >= _CHUNK_LINES:
            chunk.store(store.write)
            chunk = Chunk()
    chunk.store(store.write)
    return None, states


def main() -> None:
    """Run until killed: `python -m collector.living DEVICES`, with SANTONG_STORE and SANTONG_BROKER_URL."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    devices = int(sys.argv[1])
    store = open_store(os.environ["SANTONG_STORE"])
    since = begin_ms(store, devices, time.time_ns())
    publisher = Publisher(BrokerSettings(BrokerUrl.parse(os.environ["SANTONG_BROKER_URL"])))
    log.info("%s devices since %s", devices, datetime.fromtimestamp(since / 1000, _LOCAL))
    live(store, publisher, events(world_of(devices, since), lean=True))


if __name__ == "__main__":
    main()
