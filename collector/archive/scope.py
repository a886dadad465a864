"""
What of a store belongs to a period: its days, and around them all that verification reads.

    before    the last presence, identity, firmware and answers, identity of the week before, stop marks, boots without
              a clock, readings that still held when the period began
    days      all evidence of each local day
    after     the first presence, stop marks, boots without a clock and the boot that follows them, readings that were
              due, marks of what came late

Each part is read from the store measurement by measurement, in the order of the lines.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise
from typing import NamedTuple

from collector.archive.canonical import MEASUREMENTS, line_of
from collector.store.base import DAY_NS, REACH_NS, Row, Store, Track
from contract.measurements import TABLE, Measurement

BEFORE, AFTER = "before", "after"
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
LOOK_BACK_NS = 7 * DAY_NS  # of findings of integrity
# Points of a device that are asked for one by one; more of them are picked out of all between.
_MOST_SINGLE = 16
_TWO_BOOTS = 2
# What the nearest presence and identity are looked for by: a point without any of these is passed over.
_LIFE = (("boot", "uptime_s", "asleep_s", "lan", "wan"), ("uptime_s",))
_MARKS = (("version", "stop_marks"),)
# What anybody said last of a device: rates tell its equipment, its firmware, and since when it is silent, by that.
_SAID = {
    "identity": (("serial", "model", "version", "profile"), ("profile",)),
    "firmware": (("version",), ("version", "compliant")),
    "display": (("power",),),
    "usage": (("display_on", "session_active"),),
}
# How far back the last answer to a probe is looked for: it is mostly near.
_BACK_NS = tuple(hours * HOUR_NS for hours in (0, 1, 24, 7 * 24, REACH_NS // HOUR_NS))


class Span(NamedTuple):
    """A part of the archive: `name` is a day, `before` or `after`; times are unix ns, [start, end)."""

    name: str
    start_ns: int
    end_ns: int


class Scope(NamedTuple):
    """
    The period of an archive: its days in order, without a gap.

    `holding_ns` is how long a reading may hold by the targets, `made_ns` the horizon: what was known then. `observed`
    are the devices that others speak for: some of them say nothing but that they answer a probe.
    """

    days: Sequence[Span]
    holding_ns: int
    made_ns: int
    observed: Sequence[str] = ()

    @property
    def start_ns(self) -> int:
        """The begin of the first day."""
        return self.days[0].start_ns

    @property
    def end_ns(self) -> int:
        """The end of the last day."""
        return self.days[-1].end_ns

    @property
    def horizon_ns(self) -> int:
        """What was sampled until then can be in it: when it was made, or the end of its days."""
        return max(self.end_ns, self.made_ns)

    @property
    def parts(self) -> list[Span]:
        """All parts, in the order of time."""
        far_ns = REACH_NS + DAY_NS
        before = Span(BEFORE, self.start_ns - far_ns, self.start_ns)
        until_ns = max(self.end_ns + far_ns, self.made_ns + DAY_NS)
        return [before, *self.days, Span(AFTER, self.end_ns, until_ns)]


Line = tuple[str, bytes]  # the device, and its line


def lines_of(store: Store, scope: Scope, part: Span, devices: Collection[str] | None = None) -> Iterator[Line]:
    """Yield the lines of a part in their order, of all devices or of `devices`; StoreError when the store fails."""
    for name in MEASUREMENTS:
        row = TABLE[name]
        for point in _points(store, scope, part, row, devices):
            yield point.device, line_of(row, point)


def _points(store: Store, scope: Scope, part: Span, row: Measurement, devices: Collection[str] | None) -> Iterator[Row]:
    if part.name == BEFORE:
        return _joined(_before(store, scope, row, devices))
    if part.name == AFTER:
        points = _joined(_after(store, scope, row, devices))
        # What was sampled after the archive was made is no part of it; but for marks, see below.
        return points if row.name == "late" else (one for one in points if one.time_ns <= scope.horizon_ns)
    return store.select(row.name, part.start_ns, part.end_ns, devices)


def _before(store: Store, scope: Scope, row: Measurement, devices: Collection[str] | None) -> Iterator[Iterable[Row]]:
    start_ns = scope.start_ns
    if row.name == "presence":
        yield store.select(row.name, start_ns - 2 * MINUTE_NS, start_ns, devices)
        if doubled := _doubled(store, start_ns - LOOK_BACK_NS, scope.end_ns, devices):
            yield store.select(row.name, start_ns - LOOK_BACK_NS, start_ns, doubled)
        yield _nearest(store, row, _LIFE, start_ns, devices)
    elif row.name == "identity":
        yield store.select(row.name, start_ns - LOOK_BACK_NS, start_ns, devices)
        yield _nearest(store, row, _MARKS, start_ns, devices)
        yield _nearest(store, row, _SAID[row.name], start_ns, devices, partial(store.last_before, own=False))
    elif row.name == "stop":
        yield store.select(row.name, start_ns - REACH_NS - MINUTE_NS, start_ns, devices)
    elif row.name == "delivery":
        yield _without_clock(store, start_ns - REACH_NS, start_ns, devices)
    elif row.from_agent:
        yield store.select(row.name, start_ns - scope.holding_ns, start_ns, devices)
        if row.name in _SAID:
            yield _nearest(store, row, _SAID[row.name], start_ns, devices, partial(store.last_before, own=False))
        if row.name == "probe":
            observed = [one for one in scope.observed if devices is None or one in devices]
            yield _answered(store, row, start_ns, observed)


def _after(store: Store, scope: Scope, row: Measurement, devices: Collection[str] | None) -> Iterator[Iterable[Row]]:
    end_ns = scope.end_ns
    if row.name == "presence":
        yield store.select(row.name, end_ns, end_ns + 2 * MINUTE_NS, devices)
        yield _nearest(store, row, _LIFE[:1], end_ns + MINUTE_NS, devices, store.first_from)
        yield _next_boots(store, row, end_ns, scope.made_ns, devices)
    elif row.name == "stop":
        yield store.select(row.name, end_ns, scope.horizon_ns + 1, devices)
    elif row.name == "delivery":
        yield _without_clock(store, end_ns, max(end_ns, scope.made_ns), devices)
    elif row.name == "late":
        # Of evidence that was stored while the days were read there must be a mark as well.
        marks = store.select(row.name, end_ns, scope.horizon_ns + DAY_NS, devices)
        yield (mark for mark in marks if int(mark.fields.get("oldest", 0)) * 10**6 < end_ns)
    elif row.from_agent:
        yield store.select(row.name, end_ns, end_ns + scope.holding_ns, devices)


def _joined(some: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """Yield sorted points of several questions as one, each once."""
    merged = heapq.merge(*some, key=lambda point: point[:4])
    return (next(same) for _, same in groupby(merged, key=lambda point: point[:4]))


def _nearest(
    store: Store,
    row: Measurement,
    questions: Sequence[Sequence[str]],
    at_ns: int,
    devices: Collection[str] | None,
    ask: Callable[..., Iterator[Track]] | None = None,
) -> list[Row]:
    """Return the points nearest to an instant, by default before it, that answer the questions: whole, sorted."""
    ask = ask or store.last_before
    every = tuple(field.name for field in row.fields)
    whole = (_row_of(row, track) for track in ask(row.name, every, at_ns, devices))
    found = {(point.device, point.source, point.time_ns): point for point in whole}
    wanted = {
        (track.device, track.source, int(track.points[0][0]))
        for some in questions
        for track in ask(row.name, some, at_ns, devices)
    }
    for device, source, time_ns in wanted - found.keys():  # the very nearest lacks what is asked for: rare
        for point in store.select(row.name, time_ns, time_ns + 1, [device]):
            if point.source == source:
                found[device, source, time_ns] = point
    return [found[key] for key in sorted(wanted)]


def _row_of(row: Measurement, track: Track) -> Row:
    time_ns, *values = track.points[0]
    fields = {f.name: value for f, value in zip(row.fields, values, strict=True) if value is not None}
    return Row(track.device, track.source, track.tags, int(time_ns), fields)


def _doubled(store: Store, start_ns: int, end_ns: int, devices: Collection[str] | None) -> list[str]:
    """Return the agents of which more than one serial number is seen: their boots are compared, too."""
    return [
        one.device
        for one in store.distinct("identity", "serial", start_ns, end_ns, devices)
        if one.device == one.source and len(one.values) > 1
    ]


def _answered(store: Store, row: Measurement, at_ns: int, devices: Sequence[str]) -> list[Row]:
    """Return the newest probe before an instant that each of some devices answered, sorted."""
    newest: dict[str, tuple[int, Track]] = {}
    for near_ns, far_ns in pairwise(_BACK_NS):
        if missing := [device for device in devices if device not in newest]:
            for track in store.tracks(row.name, ("success",), at_ns - far_ns, at_ns - near_ns, missing):
                time_ns = max((int(time_ns) for time_ns, success in track.points if success), default=0)
                if time_ns > newest.get(track.device, (0, track))[0]:
                    newest[track.device] = time_ns, track
    by_hour: dict[int, list[str]] = defaultdict(list)
    for device, (time_ns, _) in newest.items():
        by_hour[time_ns // HOUR_NS].append(device)
    found = []
    for some in by_hour.values():  # most answered in the last minutes: these are one question
        times = [newest[device][0] for device in some]
        for point in store.select(row.name, min(times), max(times) + 1, some):
            time_ns, track = newest[point.device]
            if (point.time_ns, point.source, point.tags) == (time_ns, track.source, track.tags):
                found.append(point)
    return sorted(found, key=lambda point: point[:4])


def _next_boots(
    store: Store, row: Measurement, start_ns: int, made_ns: int, devices: Collection[str] | None
) -> list[Row]:
    """
    Return of agents that still delivered boots without a clock: the first presence, and the first of the next boot.

    Batches that came after that boot had begun say nothing of gaps before it.
    """
    found = []
    for track in store.tracks("delivery", ["held"], start_ns, max(start_ns, made_ns), devices):
        if track.device == track.source:
            times = _changes(store, row, track.device, start_ns, int(track.points[-1][0]) + 1)
            points = (point for at_ns in times for point in store.select(row.name, at_ns, at_ns + 1, [track.device]))
            found += [point for point in points if point.source == track.device]
    return found


def _changes(store: Store, row: Measurement, agent: str, start_ns: int, until_ns: int) -> list[int]:
    """Return when an agent was first there, and when first with another boot than then; near first."""
    seen: dict[str, int] = {}
    since_ns, step_ns = start_ns, DAY_NS
    while since_ns < until_ns and len(seen) < _TWO_BOOTS:
        end_ns = min(since_ns + step_ns, until_ns)
        for track in store.tracks(row.name, ("boot", "uptime_s"), since_ns, end_ns, [agent]):
            for time_ns, boot, uptime_s in track.points if track.source == agent else ():
                if uptime_s is not None and len(seen) < _TWO_BOOTS:
                    seen.setdefault(boot or "", int(time_ns))
        since_ns, step_ns = end_ns, step_ns * 2
    return sorted(seen.values())


def _without_clock(store: Store, start_ns: int, end_ns: int, devices: Collection[str] | None) -> Iterator[Row]:
    """Yield the delivery points of boots that never got the time."""
    for track in store.tracks("delivery", ["held"], start_ns, end_ns, devices):
        if track.device != track.source:
            continue
        times = {int(time_ns) for time_ns, _ in track.points}
        spans = [(time_ns, time_ns + 1) for time_ns in sorted(times)]
        if len(spans) > _MOST_SINGLE:
            spans = [(min(times), max(times) + 1)]
        for first_ns, last_ns in spans:
            for point in store.select("delivery", first_ns, last_ns, [track.device]):
                if point.source == track.source and point.time_ns in times:
                    yield point
