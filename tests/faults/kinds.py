"""The table of the kinds of faults, and which of them a run draws."""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.faults.city import City

PATIENCE_S = 12.0

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
