"""
The evidence around device-days, read minute by minute: presences with their neighbours, stop marks, readings.

Some hundred devices are read at a time, so that memory stays bounded whatever the city.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from collector.asked import Asked, own_conditions
from collector.store.base import DAY_NS, Store, Track
from collector.targets.schema import Condition
from collector.verify.causes import MINUTE_NS
from collector.verify.conditions import holding_ns
from collector.verify.evidence import Evidence, Presence, Reading, Stop
from contract.measurements import TABLE

PRESENCE = ("boot", "uptime_s", "asleep_s", "lan", "wan")
_STOP = ("boot", "reason", "asleep_s")
_MARKS = ("version", "stop_marks")  # every agent has a version: one that says nothing of marks is seen as well

Dateless = Mapping[str, Sequence[int]]  # agent -> when batches of boots without any clock came


class _Lives(NamedTuple):
    """What an agent left around a day, and whether it said that its ends leave marks."""

    presence: Sequence[Presence]
    stops: Sequence[Stop] = ()
    has_marks: bool = False


_NOBODY = _Lives(())


class Around:
    """What is known around the hours of one day, of some devices."""

    def __init__(self, store: Store, asked: Sequence[Asked], dateless: Dateless) -> None:
        hours = [one.schedule.windows(one.criterion.hours) for one in asked]
        held_ns = [holding_ns(needed.condition) for one in asked for needed in own_conditions(one)]
        self._store = store
        self._dateless = dateless
        self._start_ns = min(windows[0].start_ns for windows in hours)
        self._end_ns = max(windows[-1].end_ns for windows in hours)
        # Since when an end of the agent may have cost a reading that holds into the hours.
        self._held_ns = self._start_ns - max(held_ns, default=0)
        self._lives = self._read_lives(sorted({one.device.speaker for one in asked}))
        self._readings = self._read_conditions(asked)

    def evidence(self, asked: Asked) -> Evidence:
        """Return the evidence of one device-day."""
        lives = self._lives.get(asked.device.speaker, _NOBODY)
        readings = {
            needed.place: found
            for needed in own_conditions(asked)
            if (found := self._readings[needed.key].get(asked.device.id))
        }
        dateless = self._dateless.get(asked.device.speaker, ())
        return Evidence(lives.presence, lives.stops, readings, dateless, asked.doubted, has_marks=lives.has_marks)

    def _read_lives(self, speakers: list[str]) -> dict[str, _Lives]:
        # The one that proves the minute before is read too: without it the first one would be that of an unknown boot.
        start_ns, end_ns = self._start_ns - MINUTE_NS, self._end_ns + MINUTE_NS
        inside = self._presences(self._store.tracks("presence", PRESENCE, start_ns, end_ns, speakers))
        came = [one for one in speakers if one not in inside or inside[one][0].time_ns > start_ns]
        left = [one for one in speakers if one not in inside or inside[one][-1].time_ns < self._end_ns]
        before = self._presences(self._store.last_before("presence", PRESENCE, start_ns, came)) if came else {}
        behind = self._presences(self._store.first_from("presence", PRESENCE, end_ns, left)) if left else {}
        joined = {one: [*before.get(one, ()), *inside.get(one, ()), *behind.get(one, ())] for one in speakers}
        joined = {one: [*presence, *self._next_boot(one, presence)] for one, presence in joined.items()}
        stops, marked = self._read_stops(joined), self._leaving_marks(speakers)
        return {one: _Lives(presence, stops.get(one, ()), one in marked) for one, presence in joined.items()}

    def _leaving_marks(self, speakers: list[str]) -> set[str]:
        """
        Return the agents that said, in the hours and the day before or else the last time, that they leave marks.

        What they say later does not count: a day that was judged stays as it was when an agent is set up anew.
        """
        period = self._start_ns - DAY_NS, self._end_ns + MINUTE_NS
        said = {
            track.device: all(value == 1 for _, _, value in track.points)
            for track in self._store.tracks("identity", _MARKS, *period, speakers)
            if track.device == track.source
        }
        others = [one for one in speakers if one not in said]
        before = self._store.last_before("identity", _MARKS, self._start_ns - DAY_NS, others) if others else ()
        said |= {track.device: track.points[-1][-1] == 1 for track in before}
        return {one for one, is_marked in said.items() if is_marked}

    def _next_boot(self, agent: str, presence: Sequence[Presence]) -> Iterator[Presence]:
        """
        Yield the first presence of the boot after the last one here, where it matters.

        Batches of boots without a clock are told by the next boot that has the time: those that came after another boot
        had begun say nothing of the gaps here. It is mostly near, so it is looked for near first.
        """
        until_ns = max(self._dateless.get(agent, ()), default=0) + 1
        if not presence or presence[0].boot == presence[-1].boot:
            return
        since_ns, step_ns = presence[-1].time_ns, DAY_NS
        while since_ns < until_ns:
            end_ns = min(since_ns + step_ns, until_ns)
            found = self._presences(self._store.tracks("presence", PRESENCE, since_ns, end_ns, [agent]))
            later = next((one for one in found.get(agent, ()) if one.boot != presence[-1].boot), None)
            if later:
                yield later
                return
            since_ns, step_ns = end_ns, step_ns * 2

    def _presences(self, tracks: Iterable[Track]) -> dict[str, list[Presence]]:
        found = ((one.device, _lives(one.points)) for one in tracks if one.device == one.source)
        return {device: presence for device, presence in found if presence}

    def _read_stops(self, presence: Mapping[str, Sequence[Presence]]) -> dict[str, list[Stop]]:
        """Return the stop marks between the first and the last presence, and while readings of the hours may hold."""
        first_ns = min((some[0].time_ns for some in presence.values() if some), default=self._start_ns)
        last_ns = max((some[-1].time_ns for some in presence.values() if some), default=self._end_ns)
        start_ns, end_ns = min(first_ns, self._held_ns), max(last_ns, self._end_ns) + MINUTE_NS
        tracks = self._store.tracks("stop", _STOP, start_ns, end_ns, sorted(presence))
        return {
            one.device: [Stop(time_ns, boot or "", reason or "", slept) for time_ns, boot, reason, slept in one.points]
            for one in tracks
            if one.device == one.source
        }

    def _read_conditions(self, asked: Sequence[Asked]) -> dict[str, dict[str, list[Reading]]]:
        """Return the readings of each condition by device, from a little before the hours."""
        devices: dict[str, set[str]] = defaultdict(set)
        conditions: dict[str, Condition] = {}
        for one in asked:
            for needed in own_conditions(one):
                devices[needed.key].add(one.device.id)
                conditions[needed.key] = needed.condition
        return {key: self._read(condition, devices[key]) for key, condition in conditions.items()}

    def _read(self, condition: Condition, devices: set[str]) -> dict[str, list[Reading]]:
        has_stage = TABLE[condition.measurement].kind_of("stage") is not None
        fields = [condition.field, "stage"] if has_stage else [condition.field]
        start_ns, end_ns = self._start_ns - holding_ns(condition), self._end_ns + holding_ns(condition)
        found: dict[str, list[Reading]] = defaultdict(list)
        for track in self._store.tracks(
            condition.measurement, fields, start_ns, end_ns, sorted(devices), condition.where
        ):
            found[track.device] += _readings(track.points)
        return {device: sorted(some) if _is_mixed(some) else some for device, some in found.items()}


def _lives(points: list[tuple[Any, ...]]) -> list[Presence]:
    """Return presences of (time, boot, uptime, asleep, lan, wan); those without an uptime say nothing."""
    if any(None in map(itemgetter(n), points) for n in (1, 2, 3)):
        points = [
            (at, boot or "", up, asleep or 0.0, *rest) for at, boot, up, asleep, *rest in points if up is not None
        ]
    return list(map(Presence._make, points))


def _readings(points: Iterable[tuple[Any, ...]]) -> Iterator[Reading]:
    """Yield readings; a probe that could not be asked has a stage and no value, and says nothing."""
    for time_ns, value, *stage in points:
        if value is not None:
            yield Reading(time_ns, value, (stage[0] or "") if stage else "")


def _is_mixed(readings: Sequence[Reading]) -> bool:
    """Tell whether readings of several series are out of order."""
    return any(a.time_ns > b.time_ns for a, b in pairwise(readings))
