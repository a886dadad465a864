"""
Completeness of delivery of a period: which agents lack nothing is told by sums; only of the others each batch is read.

    how many, and the sum of their numbers ─┐
    the first and the last of each agent ───┼─▶ Ledger ─┬─ whole ──▶ so many came, none is missing
    what batches tell of epochs before ─────┘           └─ else ───▶ batch by batch, some agents at a time
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from collector.asked import Promise
from collector.lessons import NAMED
from collector.store.base import Store
from collector.verify.delivery import Arrival, Ledger

AGENTS_AT_ONCE = 16

Point = tuple[Any, ...]  # time, epoch, seq, previous
FIELDS = ("epoch", "seq", "previous")


class _Sums:
    """What is known of one agent, over all devices that it speaks for."""

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.batches = self.seq_sum = 0
        self.edges: list[Point] = []
        self.ends = array("q")
        self.is_chained = False

    def took_edges(self, points: Iterable[Point]) -> None:
        """Take the first and the last point of a series."""
        self.edges = sorted([*self.edges, *filter(_is_whole, points)], key=_place)
        self.is_chained = bool(self.edges) and self.edges[0][1] == self.edges[-1][1]

    def told(self, previous: str) -> None:
        """Take what a batch tells of the epoch before; edges come first."""
        epoch, _, last = previous.rpartition(":")
        self.ends.append(int(last))
        self.is_chained = self.is_chained or (bool(self.edges) and epoch == self.edges[0][1])

    def ledger(self) -> Ledger | None:
        """Return the sums; None where they cannot be told."""
        if not self.edges:
            return None
        (_, _, first_seq, told), (_, _, last_seq, _) = self.edges[0], self.edges[-1]
        ends = list(self.ends)
        if told and (number := int(told.rpartition(":")[2])) in ends:
            ends.remove(number)
        return Ledger(self.batches, self.seq_sum, first_seq, last_seq, bool(told), tuple(ends), self.is_chained)


class Batches:
    """The batches of all agents that speak for a device of the period's rosters."""

    def __init__(self, store: Store, promise: Promise) -> None:
        self._store = store
        self._period = (promise.start_ns, promise.end_ns)
        devices = [device for roster in promise.period.in_force for device in roster.devices.values()]
        self._agents = {device.speaker for device in devices}
        names = self._agents | {device.id for device in devices}
        self._named = sorted(names) if len(names) <= NAMED else None

    def give(self, whole: Callable[[str, int], None], arrival: Callable[[Arrival], None]) -> None:
        """Hand on each agent: as a number of batches without a hole, or batch by batch."""
        others = {}
        for agent, sums in self._sums().items():
            ledger = sums.ledger()
            if ledger is not None and ledger.is_whole:
                whole(agent, ledger.batches)
            else:
                others[agent] = sums.devices
        for one in self._each(others):
            arrival(one)

    def _sums(self) -> dict[str, _Sums]:
        found: dict[str, _Sums] = {}
        for tally in self._store.tallies("delivery", ("seq",), *self._period, self._named):
            if tally.source in self._agents:
                sums = found.setdefault(tally.source, _Sums())
                sums.devices.append(tally.device)
                sums.batches += tally.counts[0]
                sums.seq_sum += int(tally.sums[0])
        for track in self._store.edges("delivery", FIELDS, *self._period, self._named):
            if track.source in found:
                found[track.source].took_edges(track.points)
        for track in self._store.tracks("delivery", ("previous",), *self._period, self._named):
            if track.source in found:
                for _, previous in track.points:
                    found[track.source].told(previous)
        return found

    def _each(self, devices: dict[str, list[str]]) -> Iterator[Arrival]:
        """Yield each batch of some agents, those of one agent by time."""
        rest = iter(sorted(devices))
        while agents := list(islice(rest, AGENTS_AT_ONCE)):
            batches: dict[str, list[Point]] = {agent: [] for agent in agents}
            names = sorted({name for agent in agents for name in devices[agent]})
            for track in self._store.tracks("delivery", FIELDS, *self._period, names):
                if track.source in batches:
                    batches[track.source] += filter(_is_whole, track.points)
            for agent, points in batches.items():
                for _, epoch, seq, previous in sorted(points, key=_place):
                    yield Arrival(agent, epoch, seq, previous or "")


def _is_whole(point: Point) -> bool:
    """Tell whether a point names its batch; what somebody else wrote may not."""
    return None not in point[1:3]


def _place(point: Point) -> tuple[int, int]:
    """Return what points of several devices are sorted by."""
    return point[0], point[2]
