"""What the evidence says of one agent around a restart: plain figures, of which the gate makes its judgement."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

NS = 10**9
MINUTE_NS = 60 * NS
_ASLEEP_S = 30.0  # of a minute slept so much nobody can say that it was awake


class Seen(NamedTuple):
    """A presence: the minute before `time_ns` is proven, by an agent on a machine that has run for `uptime_s`."""

    time_ns: int
    boot: str
    uptime_s: float
    asleep_s: float


class Sent(NamedTuple):
    """A delivery: what came of one start of the agent (`epoch`), when its newest sample was taken, and when it came."""

    time_ns: int
    epoch: str
    lines: int
    refused: int
    received_ns: int


class Facts(NamedTuple):
    """
    One agent in a period, everything by time.

    `versions` are those that it said of itself; `sent` is of its own device, `lines` (time, lines) of all that it
    speaks for; `faults` (time, code, active) are those that agents report of themselves; `holes` how many batches since
    the upgrade are known of, by their numbers, and did not come yet.
    """

    agent: str
    versions: Sequence[tuple[int, str]] = ()
    seen: Sequence[Seen] = ()
    sent: Sequence[Sent] = ()
    lines: Sequence[tuple[int, int]] = ()
    faults: Sequence[tuple[int, str, bool]] = ()
    holes: int = 0

    @property
    def last_ns(self) -> int:
        """When there was a sign of life of it last; 0 without any."""
        return max(self.seen[-1].time_ns if self.seen else 0, self.sent[-1].time_ns if self.sent else 0)

    def alive_in(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether there is a sign of life in [start, end)."""
        times = chain((seen.time_ns for seen in self.seen), (sent.time_ns for sent in self.sent))
        return any(start_ns <= time_ns < end_ns for time_ns in times)

    def minutes(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, bool]]:
        """
        Yield the labels from `start_ns` on of which something can be told, and whether it is there.

        What lies between two boots is left out: it was switched off, or coming up. So are minutes slept. After the last
        presence, and before `end_ns`, those are missing during which the agent sent something else.
        """
        points = [point for point in self.seen if point.time_ns >= start_ns]
        if points:
            yield points[0].time_ns, True
            # Before the first one it was silent, unless the machine was not there.
            since_ns = max(start_ns, points[0].time_ns - int(points[0].uptime_s * NS) + MINUTE_NS)
            yield from ((at, False) for at in range(points[0].time_ns - MINUTE_NS, since_ns - 1, -MINUTE_NS))
        for before, after in pairwise(points):
            if before.boot == after.boot:
                missing = round(_between_ns(before, after) / MINUTE_NS) - 1
                slept = int((after.asleep_s - before.asleep_s + _ASLEEP_S) / 60)
                yield from ((before.time_ns + n * MINUTE_NS, False) for n in range(1, max(0, missing - slept) + 1))
            yield after.time_ns, True
        yield from self._without_presence(max(start_ns, points[-1].time_ns + MINUTE_NS if points else 0), end_ns)

    def _without_presence(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, bool]]:
        """Yield the labels that are missing though the newest start of the agent was at work before and after them."""
        dated = [sent for sent in self.sent if sent.lines]  # without a clock nothing but its reception has a time
        if dated:
            last = dated[-1]
            begun_ns = next(sent.time_ns for sent in dated if sent.epoch == last.epoch)
            first_ns = max(start_ns, (begun_ns // MINUTE_NS + 2) * MINUTE_NS)
            yield from ((at, False) for at in range(first_ns, min(end_ns, last.time_ns - MINUTE_NS) + 1, MINUTE_NS))

    def restarts(self, start_ns: int) -> int:
        """Return how often the agent began anew after `start_ns` on a machine that went on running."""
        begun: dict[str, int] = {}
        for sent in self.sent:
            begun.setdefault(sent.epoch, sent.time_ns)
        firsts = sorted(begun.values())
        return sum(1 for at in firsts[1:] if at >= start_ns and self._is_one_boot(at))

    def _is_one_boot(self, at_ns: int) -> bool:
        before = next((point.boot for point in reversed(self.seen) if point.time_ns < at_ns), None)
        after = next((point.boot for point in self.seen if point.time_ns >= at_ns), None)
        return before is not None and before == after

    def rate(self, start_ns: int, end_ns: int, least: int) -> float | None:
        """Return how many lines came a minute present in [start, end); None of less than so many minutes."""
        present = sum(1 for point in self.seen if start_ns <= point.time_ns < end_ns)
        lines = sum(lines for at, lines in self.lines if start_ns <= at < end_ns)
        return lines / present if present >= max(1, least) else None

    def refused(self, start_ns: int) -> int:
        """Return how many of its lines were refused since."""
        return sum(sent.refused for sent in self.sent if sent.time_ns >= start_ns)

    def new_faults(self, start_ns: int) -> list[str]:
        """Return what it reports of itself since, and did not before; what is over again counts no more."""
        before = {code for at, code, is_active in self.faults if at < start_ns and is_active}
        now: dict[str, bool] = {code: is_active for at, code, is_active in self.faults if at >= start_ns}
        return sorted(code for code, is_active in now.items() if is_active and code not in before)


def _between_ns(before: Seen, after: Seen) -> int:
    """Return how long it was between two presences of one boot: no longer than that ran, whatever a clock leapt."""
    ran_ns = int((after.uptime_s - before.uptime_s) * NS)
    return min(after.time_ns - before.time_ns, ran_ns) if ran_ns > 0 else after.time_ns - before.time_ns


def since_of(versions: Sequence[tuple[int, str]], version: str, since_ns: int) -> int | None:
    """Return since when an agent says that it runs a version, not before `since_ns`; None when it does not now."""
    if not versions or versions[-1][1] != version:
        return None
    first_ns = versions[-1][0]
    for at, said in reversed(versions):
        if said != version:
            break
        first_ns = at
    return max(first_ns, since_ns)


def went_back(versions: Sequence[tuple[int, str]], version: str, since_ns: int) -> bool:
    """Tell whether an agent ran a version since, and runs another one now."""
    later = [said for at, said in versions if at >= since_ns]
    return version in later and later[-1] != version


def by_minute(groups: Iterable[Facts], start_ns: int, end_ns: int) -> dict[int, tuple[int, int]]:
    """Return for each minute how many agents are told of there, and how many of these have it."""
    found: dict[int, tuple[int, int]] = {}
    for facts in groups:
        for at, is_there in facts.minutes(start_ns, end_ns):
            told, there = found.get(at, (0, 0))
            found[at] = told + 1, there + is_there
    return found
