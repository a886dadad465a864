"""Small cities for tests, and what their agents said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from contract.batch import Batch, decode
from simulator.city import City, make
from simulator.rates import Rates
from simulator.world import World

START = (datetime.now(UTC) - timedelta(days=12)).date()


class Said(NamedTuple):
    """One batch as it arrived, with the agent that sent it."""

    agent: str
    device: str
    received: int
    batch: Batch


def world_of(devices: int, days: int, seed: int = 3, rate: float = 1.0) -> World:
    """Return a city that ended some days ago."""
    return World(seed, devices, START, days, Rates().scaled(rate))


def said_by(world: World, folder: Path, *, lean: bool = True, rounds_a_batch: int = 1) -> list[Said]:
    """Return all that the agents of a city said; its truth and paper are in the folder."""
    city = City(world, lean=lean, rounds_a_batch=rounds_a_batch)
    found: list[Said] = []
    for _ in make(city, folder, {}, lambda _, told: found.extend(_said(told.agent, told.arrived))):
        pass
    return found


def _said(agent: str, arrived: Iterator[tuple[int, str, bytes]]) -> Iterator[Said]:
    for received, device, payload in arrived:
        yield Said(agent, device, received, decode(payload))
