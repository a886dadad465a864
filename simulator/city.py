"""
A city's evidence, agent by agent, joined with its truth and its paper.

    World ──▶ site ──▶ agent ──▶ batches ──▶ arrivals          (to whoever stores, sends or writes them)
                └────▶ truth.sqlite, sites.csv, devices.csv, calendars.yaml
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from simulator import paper, truth
from simulator.agents import Agent
from simulator.chance import Chance
from simulator.delivery import Arrived, connected, delivered
from simulator.places import Role
from simulator.readings import answers
from simulator.spans import DAY, HOUR
from simulator.world import Body, DeviceLife, SiteLife, World


class Told(NamedTuple):
    """What one agent's batches were, in the order of their arrival."""

    agent: str
    arrived: Iterator[Arrived]


class City:
    """
    A world and where its truth goes. `horizon` is the last instant at which something arrives, unix ms.

    `rounds_a_batch`: as agents close one. `lean`: no telemetry.
    """

    def __init__(self, world: World, *, lean: bool, rounds_a_batch: int = 1, horizon: int | None = None) -> None:
        self.world = world
        self._lean, self._rounds_a_batch = lean, rounds_a_batch
        self._horizon = world.span.end if horizon is None else horizon

    def agents(self, site: SiteLife) -> Iterator[Told]:
        """Yield the agents of a site; what each says is made as it is taken."""
        for life in site.devices:
            others = [one for one in site.devices if one.thing.role is Role.PANEL and one.thing.exists]
            observed = others if life.thing.role is Role.GATEWAY else []
            for body in life.bodies:
                yield Told(life.thing.id, self._told(site, life, body, observed))

    def _told(self, site: SiteLife, life: DeviceLife, body: Body, observed: list[DeviceLife]) -> Iterator[Arrived]:
        world, seed = self.world, self.world.seed
        tests_every = HOUR // 3 if world.calendar.is_always else DAY  # whoever looks at a living one sees some
        asked = answers(seed, site.place, life, body, observed, tests_every=tests_every)
        agent = Agent(seed, life, body, world.centre.broker, asked, lean=self._lean)
        chance = Chance(seed, life.thing.id, "delivery", body.serial)
        way = connected(chance, body.machine.measuring, body.network.line, world.centre.reached)
        for arrived in delivered(agent.batches(self._rounds_a_batch), way, chance):
            if arrived.received < self._horizon:
                yield arrived


def make(
    city: City, folder: Path, facts: Mapping[str, int | float | str], take: Callable[[SiteLife, Told], None]
) -> Iterator[int]:
    """
    Write paper and truth, hand each agent to `take`, and yield how many devices of the roster were done.

    `facts` are written down beside the truth. What is cut short leaves a truth that nobody takes for a whole one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paper.write(city.world, folder)
    writer = truth.Writer(folder / truth.FILE, city.world, facts)
    for site in city.world.sites():
        writer.add(site)
        for told in city.agents(site):
            take(site, told)
        yield len(site.devices)
    writer.close()
