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


class Ledger(NamedTuple):
    """
    What came from one agent in a period, as sums: enough to see that nothing is missing, without a look at each batch.

    `seq_sum` is the sum of the numbers of all batches. `first_seq` and `last_seq` are those of the first and the last
    one by time; `begins` says that the first one tells of the epoch before it. `ends` are the last numbers of epochs
    that all other batches tell of: those that ended in the period. `is_chained` says that the first epoch is the last
    one, too, or that its end is told.
    """

    batches: int
    seq_sum: int
    first_seq: int
    last_seq: int
    begins: bool = False
    ends: tuple[int, ...] = ()
    is_chained: bool = True

    @property
    def is_whole(self) -> bool:
        """
        Tell whether count and sum are those of epochs without holes: first … end₁, 1 … end₂, …, 1 … last.

        The first is 1 where it begins an epoch. Sums that differ say nothing: batches may overtake each other, and then
        each must be looked at. Two things hide from sums: a lost first batch of an epoch, when the one before it had a
        single batch; and numbers that came three times in place of both their neighbours.
        """
        if not self.is_chained:
            return False
        lasts = [*self.ends, self.last_seq]
        before = 0 if self.begins else self.first_seq - 1
        batches = sum(lasts) - before
        total = sum(last * (last + 1) // 2 for last in lasts) - before * (before + 1) // 2
        return (self.batches, self.seq_sum) == (batches, total)


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
        self._whole: dict[str, int] = {}

    def add(self, arrival: Arrival) -> None:
        """Take a batch that came."""
        self._sent[arrival.agent].add(arrival.epoch, arrival.seq, arrival.previous)

    def whole(self, agent: str, batches: int) -> None:
        """Take all batches of an agent at once, of which none is missing: see `Ledger`."""
        self._whole[agent] = batches

    def finish(self) -> tuple[Delivered, ...]:
        """Return the completeness of each agent, sorted by its id."""
        found = [Delivered(agent, sent.batches, sent.missing()) for agent, sent in self._sent.items()]
        return tuple(sorted([*found, *(Delivered(agent, batches, 0) for agent, batches in self._whole.items())]))
