"""
Further rates from the store: reads what they need, and hands it to the conclusion.

    newest of each device ──▶ equipment, firmware, silence       throughput tests ──▶ contracts of operators
    ─ what follows is read point by point, and takes minutes for a month of a city; only where `all_points` says so ─
    probes of hotspots ──▶ journeys       `usage` ──▶ lessons (lessons.py)      `delivery` ──▶ (deliveries.py)

Memory is that of a day's lessons, of one series, or of some agents.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from collector.asked import Promise, days_of
from collector.deliveries import Batches
from collector.disputed import Figures
from collector.known import is_seen
from collector.lessons import lessons_on
from collector.records import Records
from collector.store.base import Store, Track
from collector.verify.equipment import Heard
from collector.verify.journey import STAGES, Walks
from collector.verify.throughput import Test

# What is read point by point, by the names that --json has for it.
POINT_BY_POINT = ("journeys", "usage", "delivery")
# Device-days of which all points are read unasked; see docs/performance.md for what they take.
AT_ONCE = 10_000
# Which probes make journeys, and which of their fields are times; `throughput` is told by its tests.
_KINDS = {kind: [name for name in stages.values() if name] for kind, stages in STAGES.items() if kind != "throughput"}
# What tells that a device was there for which another one speaks: it is stored only when the device answered.
_ANSWERS = {
    "identity": ("serial", "model", "version", "profile"),
    "firmware": ("version",),
    "display": ("power",),
    "usage": ("display_on", "session_active"),
}
_HOUR_NS = 3_600_000_000_000
_BACK_NS = tuple(hours * _HOUR_NS for hours in (0, 1, 24, 7 * 24, 90 * 24))

Progress = Callable[[int, int], None]  # steps done, of how many
T = TypeVar("T")


def device_days(promise: Promise) -> int:
    """Return how many device-days a period has, by the roster at its end: whether all its points are read at once."""
    return promise.period.days * len(promise.period.in_force[-1].devices)


def feed(
    store: Store, promise: Promise, records: Records, figures: Figures, progress: Progress, *, all_points: bool
) -> None:
    """
    Hand what the store has for the rates of a period to its figures.

    Without `all_points` that is not what must be read point by point: `POINT_BY_POINT`. StoreError: the store failed.
    """
    start_ns, end_ns, conclusion = promise.start_ns, promise.end_ns, figures.first
    steps: list[Callable[[], None]] = [
        lambda: _each(conclusion.heard, newest(store, promise)),
        lambda: _each(figures.seen, seen(store, promise, records)),
        lambda: _each(figures.test, tests(store, start_ns, end_ns)),
    ]
    if all_points:
        hotspots = conclusion.hotspots
        steps += [partial(_each, conclusion.walks, walks(store, kind, hotspots, start_ns, end_ns)) for kind in _KINDS]
        of_day = partial(lessons_on, store, promise, records)
        steps += [partial(_each, conclusion.lesson, of_day(day)) for day in days_of(promise.period)]
        steps += [partial(Batches(store, promise).give, conclusion.whole, conclusion.arrival)]
    for number, step in enumerate(steps):
        progress(number, len(steps))
        step()
    progress(len(steps), len(steps))


def _each(take: Callable[[T], None], things: Iterable[T]) -> None:
    for thing in things:
        take(thing)


def seen(store: Store, promise: Promise, records: Records) -> set[str]:
    """Return the devices of the roster with any evidence of their own: minutes tell, of others the store is asked."""
    rosters = promise.period.in_force
    seen = {
        device
        for device in records.devices()
        if all(roster.devices[device].speaker == device for roster in rosters if device in roster.devices)
        if any(is_seen(record.runs) for record in records.of(device))
    }
    others = set().union(*(roster.devices for roster in rosters)) - seen
    return seen.union(store.devices(promise.start_ns, promise.end_ns, others))


def tests(store: Store, start_ns: int, end_ns: int) -> Iterator[Test]:
    """Yield the throughput tests of a period, those of one device together."""
    for track in store.tracks("throughput", ("goodput_mbps", "limited_by"), start_ns, end_ns):
        direction = dict(track.tags)["direction"]
        for time_ns, goodput, limited_by in track.points:
            if goodput is not None:
                yield Test(track.device, time_ns, direction, float(goodput), limited_by or "")


def walks(store: Store, kind: str, hotspots: Collection[str], start_ns: int, end_ns: int) -> Iterator[Walks]:
    """
    Yield the outcomes of a kind of probe, those that are alike together.

    Journeys are those of any device, other kinds of hotspots alone.
    """
    names = _KINDS[kind]
    devices = None if kind == "wifi_join" else hotspots
    for track in store.tracks("probe", ("success", "stage", *names), start_ns, end_ns, devices, {"kind": kind}):
        alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for point in track.points:
            has = tuple([ms is not None for ms in point[3:]])
            alike[point[1], point[2], has].append(point)
        for (success, stage, has), points in alike.items():
            columns = zip(names, has, zip(*(point[3:] for point in points), strict=True), strict=True)
            times = {name: took for name, is_there, took in columns if is_there}
            did = None if success is None else bool(success)
            yield Walks(track.device, kind, did, stage or "", len(points), times)


# ---- the newest of each device


def newest(store: Store, promise: Promise) -> Iterator[Heard]:
    """Yield the newest that is known of each device of the roster at the period's end, as far back as a store looks."""
    at_ns = promise.end_ns
    roster = promise.period.in_force[-1].devices
    last = last_seen(store, promise)
    heard = [device for device in roster if device in last]
    profiles = _last(store, "identity", ("profile",), at_ns, heard)
    versions = _last(store, "firmware", ("version", "compliant"), at_ns, heard)
    for device in heard:
        (profile,) = profiles.get(device, ("",))
        version, compliant = versions.get(device, ("", None))
        yield Heard(device, last[device], profile or "", version or "", compliant)


def last_seen(store: Store, promise: Promise) -> dict[str, int]:
    """
    Return when each device of the roster at the period's end was last seen before that; without those never seen.

    A device with an agent of its own by its presences. One that another agent speaks for by its answers: what that
    agent tells, or a probe that succeeded; that nobody could reach it is no word of the device itself.
    """
    roster, at_ns = promise.period.in_force[-1].devices.values(), promise.end_ns
    own = [device.id for device in roster if device.speaker == device.id]
    others = [device.id for device in roster if device.speaker != device.id]
    found = {
        track.device: int(track.points[-1][0]) for track in store.last_before("presence", ("uptime_s",), at_ns, own)
    }
    for measurement, fields in _ANSWERS.items() if others else ():
        for track in store.last_before(measurement, fields, at_ns, others, own=False):
            found[track.device] = max(int(track.points[-1][0]), found.get(track.device, 0))
    return found | _reached(store, [device for device in others if device not in found], at_ns)


def _reached(store: Store, devices: Sequence[str], at_ns: int) -> dict[str, int]:
    """Return when each of some devices last answered a probe; the further back, the fewer are looked for."""
    found: dict[str, int] = {}
    for near_ns, far_ns in pairwise(_BACK_NS):
        missing = [device for device in devices if device not in found]
        if missing:
            for track in store.tracks("probe", ("success",), at_ns - far_ns, at_ns - near_ns, missing):
                times = [int(time_ns) for time_ns, success in track.points if success]
                if times:
                    found[track.device] = max(times[-1], found.get(track.device, 0))
    return found


def _last(
    store: Store, measurement: str, fields: Sequence[str], at_ns: int, devices: Sequence[str]
) -> dict[str, tuple[Any, ...]]:
    """Return the fields of the newest point of each device that has any of them, whoever says it."""
    tracks: Iterator[Track] = store.last_before(measurement, fields, at_ns, devices, own=False)
    return {track.device: tuple(track.points[-1][1:]) for track in tracks}
