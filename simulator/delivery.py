"""When batches reach the centre: at once, or from the backlog when the way is open again."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simulator.agents import Lost, Sent
from simulator.chance import Chance
from simulator.spans import Times

_REPLAY_MS = 500  # publish.replay_per_second
_RECONNECTS_S = (1, 40)
_LATENCY_MS = (20, 400)


class Arrived(NamedTuple):
    """A batch as it reached the centre, unix ms."""

    received: int
    device: str
    payload: bytes


def connected(chance: Chance, measuring: Times, line: Times, centre: Times) -> Times:
    """Return when an agent's way to the centre's store was open: it takes a while to find that it is again."""
    ways = measuring.both(line).both(centre)
    return Times((start + chance.between(*_RECONNECTS_S), end) for start, end in ways)


def delivered(sent: Iterable[Sent | Lost], open_at: Times, chance: Chance) -> Iterator[Arrived]:
    """Yield what arrives, as it does; what still waits at the end of all time does not."""
    backlog: deque[Sent] = deque()
    free = 0  # when the next one of the backlog may go
    for batch in sent:
        at = batch.at if isinstance(batch, Lost) else batch.closed
        while backlog:
            free = max(free, backlog[0].closed)
            found = open_at.next(free)
            if found is None or found >= at:
                break
            yield _arrived(backlog.popleft(), found, chance)
            free = found + _REPLAY_MS
        if isinstance(batch, Lost):
            backlog.clear()
        elif not batch.again and open_at.has(at):
            yield _arrived(batch, at, chance)
        else:
            backlog.append(batch)
    while backlog and (found := open_at.next(max(free, backlog[0].closed))) is not None:
        yield _arrived(backlog.popleft(), found, chance)
        free = found + _REPLAY_MS


def _arrived(batch: Sent, at: int, chance: Chance) -> Arrived:
    return Arrived(at + chance.randrange(*_LATENCY_MS), batch.device, batch.payload)
