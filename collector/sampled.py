"""
A sample against the evidence: joins what was seen with what the verifier says of the same minutes.

    visits ─▶ devices of the class, by the roster of that day ─▶ their causes at that minute ─▶ the class's
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.at_minutes import At, causes_at, day_of
from collector.roster.schema import Device, Roster
from collector.sampling.agreement import Compared, Evident, of_class
from collector.sampling.draw import Draw
from collector.sampling.filled import Visit
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verify.scope import in_scope


class Measure(NamedTuple):
    """What classes are judged by: the target, the roster of each day, the zone of days, and up to which instant."""

    target: Target
    roster_on: Callable[[date], Roster]
    zone: ZoneInfo
    now_ns: int


def compare(store: Store, draw: Draw, visits: Mapping[str, Visit], by: Measure) -> list[Compared]:
    """
    Return each class of a sample with its visit and the evidence of that minute, as far as it has come.

    A class whose room the roster of that day does not have, or has without a device, is unknown. Raises StoreError when
    the store fails.
    """
    by_day: dict[date, dict[str, int]] = defaultdict(dict)
    for room, visit in visits.items():
        if visit.time_ns is not None:
            by_day[day_of(visit.time_ns, by.zone)][room] = visit.time_ns
    rooms = {
        At(device, times[device.room]): device.room
        for on, times in by_day.items()
        for device in _devices(by.roster_on(on), times, by.target, on)
    }
    found: dict[str, list[Evident]] = defaultdict(list)
    for at, run in causes_at(store, list(rooms), by.target.criterion, by.zone, by.now_ns):
        found[rooms[at]].append(Evident(run.cause, run.stage) if run else Evident())
    return [
        Compared(drawn, visits.get(drawn.one.room), of_class(found.get(drawn.one.room, ()))) for drawn in draw.classes
    ]


def _devices(roster: Roster, rooms: Collection[str], target: Target, on: date) -> Iterator[Device]:
    for device in roster.devices.values():
        if device.room in rooms and device.counts_on(on) and in_scope(target.scope, device, roster.site_of(device.id)):
            yield device
