"""
Completeness of delivery: batches have a number, so that what never came is known.

An agent numbers its batches from 1 within each of its starts (epochs), and the first one of a start names the last
number of the start before. So holes are counted, and what is missing at the end of a start.
"""

from bisect import bisect_right
from collections import defaultdict
from typing import NamedTuple

from collector.verify.results import Delivered


class Arrival(NamedTuple):
    """A batch that came; `previous` is `epoch:last number` of the agent's start before, where this one tells it."""

    agent: str
    epoch: str
    seq: int
    previous: str = ""


class Numbers:
    """A set of whole numbers, as ranges: what comes in order without holes takes no room."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        self.count = 0

    @property
    def least(self) -> int:
        """The least number; IndexError without any."""
        return self._first[0]

    @property
    def greatest(self) -> int:
        """The greatest number; IndexError without any."""
        return self._last[-1]

    def add(self, number: int) -> None:
        """Take a number in, once."""
        at = bisect_right(self._first, number)  # ranges before `at` begin at the number or below it
        if at and number <= self._last[at - 1]:
            return
        self.count += 1
        joins_left = at > 0 and self._last[at - 1] == number - 1
        joins_right = at < len(self._first) and self._first[at] == number + 1
        if joins_left and joins_right:
            self._last[at - 1] = self._last.pop(at)
            del self._first[at]
        elif joins_left:
            self._last[at - 1] = number
        elif joins_right:
            self._first[at] = number
        else:
            self._first.insert(at, number)
            self._last.insert(at, number)


class Sent:
    """What came from one agent: numbers by epoch, and what each epoch says of the one before."""

    def __init__(self) -> None:
        self._seqs: dict[str, Numbers] = defaultdict(Numbers)
        self._ends: dict[str, int] = {}
        self._before = ""

    def add(self, epoch: str, seq: int, previous: str = "") -> None:
        """Take a batch that came; those of the period's first epoch come before others."""
        self._seqs[epoch].add(seq)
        if previous:
            name, _, last = previous.partition(":")
            self._ends[name] = max(int(last), self._ends.get(name, 0))  # an older copy of a spool knows less
            if len(self._seqs) == 1:
                self._before = name  # the epoch before the first one of the period

    @property
    def batches(self) -> int:
        """How many different ones came."""
        return sum(seqs.count for seqs in self._seqs.values())

    def missing(self) -> int:
        """
        Count the holes.

        The first epoch of the period may have begun before it and is counted from its first batch; all others from 1,
        with those of which nothing came but the mention of their end.
        """
        holes = 0
        for number, (epoch, seqs) in enumerate(self._seqs.items()):
            last = max(seqs.greatest, self._ends.get(epoch, 0))
            first = seqs.least if number == 0 else 1
            holes += last - first + 1 - seqs.count
        unseen = self._ends.keys() - self._seqs.keys() - {self._before}
        return holes + sum(self._ends[epoch] for epoch in unseen)


class Deliveries:
    """Takes arrivals; those of one agent sorted by time, of all its devices together."""

    def __init__(self) -> None:
        self._sent: dict[str, Sent] = defaultdict(Sent)

    def add(self, arrival: Arrival) -> None:
        """Take a batch that came."""
        self._sent[arrival.agent].add(arrival.epoch, arrival.seq, arrival.previous)

    def finish(self) -> tuple[Delivered, ...]:
        """Return the completeness of each agent, sorted by its id."""
        return tuple(
            Delivered(agent, self._sent[agent].batches, self._sent[agent].missing()) for agent in sorted(self._sent)
        )
