"""
A district that lives now: everything that its agents send and say of themselves, in the order in which it happens.

    agents ─▶ batches as they arrive ─┐
    ways to the broker ─▶ states ─────┴─▶ one stream, without end before the world's
"""

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from contract import topics
from simulator.chance import Chance
from simulator.city import City
from simulator.delivery import Arrived, connected
from simulator.machine import Run
from simulator.rates import Kind, Rates
from simulator.spans import MINUTE, SECOND
from simulator.world import Body, DeviceLife, World

DAYS = 8
SEED = 1
_NEVER = Kind(0.0, (60, 120))
# Whoever looks for a quarter of an hour wants to see something happen; the centre is a real one, and has its own.
RATES = Rates().scaled(12.0)._replace(centre=_NEVER, broker=_NEVER)
_LOCAL = timezone(timedelta(hours=8))
# Without a word the broker waits for one and a half keep-alives of 90 s before the will, whose delay comes on top.
_WILL_MS = 135 * SECOND + topics.WILL_DELAY_S * SECOND


class Event(NamedTuple):
    """Something that reaches the broker at `at` (unix ms): a batch of `device`, or the agent's state without one."""

    at: int
    agent: str
    device: str
    payload: bytes


def world_of(devices: int, since: int) -> World:
    """Return a district of so many devices that begins at an instant, unix ms."""
    start = datetime.fromtimestamp(since / 1000, _LOCAL).date()
    return World(SEED, devices, start, DAYS, RATES, living_since=since - since % MINUTE)


def events(world: World, *, lean: bool = False) -> Iterator[Event]:
    """Yield what reaches the broker, in order but for what took a fraction of a second; made as it is taken."""
    city = City(world, lean=lean)
    streams: list[Iterator[Event]] = []
    for site in world.sites():
        streams += [_batches(told.agent, told.arrived) for told in city.agents(site)]
        for life in site.devices:
            streams += [_states(world, life, body) for body in life.bodies]
    return heapq.merge(*streams)


def _batches(agent: str, arrived: Iterator[Arrived]) -> Iterator[Event]:
    for received, device, payload in arrived:
        yield Event(received, agent, device, payload)


def _states(world: World, life: DeviceLife, body: Body) -> Iterator[Event]:
    """Yield what the broker keeps as the state of an agent."""
    chance = Chance(world.seed, life.thing.id, "delivery", body.serial)
    way = connected(chance, body.machine.measuring, body.network.line, world.centre.reached)
    runs = iter(body.machine.runs)
    run = next(runs, None)
    spans = list(way)
    for number, span in enumerate(spans):
        while run and run.end <= span.start:
            run = next(runs, None)
        if run is None:
            return
        yield _state(span.start, life, run, "online")
        following = spans[number + 1].start if number + 1 < len(spans) else world.span.end
        if span.end >= run.end and run.is_clean:
            yield _state(run.end, life, run, "stopped")
        elif span.end + _WILL_MS < following:
            yield _state(span.end + _WILL_MS, life, run, "offline")


def _state(at: int, life: DeviceLife, run: Run, name: str) -> Event:
    return Event(at, life.thing.id, "", topics.encode_state(name, run.boot.id, run.version))
