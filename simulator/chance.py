"""Chance that comes out the same for a seed, whatever else is asked before it."""

import math
import random
from collections.abc import Iterator

from simulator.spans import DAY, SECOND, Span


class Chance(random.Random):
    """A source of chance of its own for each question: `Chance(seed, "441802-….c0703", "sleep")`."""

    def __init__(self, *names: object) -> None:
        super().__init__(" ".join(map(str, names)))

    def happens(self, likely: float) -> bool:
        """Tell whether something with that probability happens."""
        return self.random() < likely

    def between(self, low_s: float, high_s: float) -> int:
        """Return a length between two, in ms; arguments are seconds."""
        return round(self.uniform(low_s, high_s) * SECOND)

    def long(self, shortest_s: float, longest_s: float) -> int:
        """Return a length in ms, short ones more often: evenly on a logarithmic scale. Arguments are seconds."""
        return round(math.exp(self.uniform(math.log(shortest_s), math.log(longest_s))) * SECOND)

    def times(self, a_day: float, start: int, end: int) -> Iterator[int]:
        """Yield instants that come at random (a Poisson process), so many a day on average."""
        if a_day <= 0:
            return
        at = start + self.expovariate(a_day / DAY)
        while at < end:
            yield int(at)
            at += self.expovariate(a_day / DAY)

    def faults(self, a_day: float, lengths_s: tuple[float, float], start: int, end: int) -> list[Span]:
        """Return faults of such lengths that begin at random and end within the period."""
        found = (Span(at, min(end, at + self.long(*lengths_s))) for at in self.times(a_day, start, end))
        return [span for span in found if span.end > span.start]


def hexadecimal(chance: random.Random, digits: int) -> str:
    """Return a random number of so many hex digits."""
    return f"{chance.getrandbits(4 * digits):0{digits}x}"
