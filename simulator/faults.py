"""What breaks: lines, routers, mains, the centre; each fault is remembered as it was injected."""

from collections.abc import Iterable
from typing import NamedTuple

from simulator.chance import Chance
from simulator.people import breaker
from simulator.places import Place
from simulator.rates import Kind, Rates
from simulator.spans import DAY, MINUTE, SECOND, Span, Times
from simulator.timetable import Calendar


class Fault(NamedTuple):
    """
    One injected fault.

    `where` is a site, a device, or `centre`; `detail` the stage of a journey, whether there is a mark.
    """

    kind: str
    where: str
    start: int
    end: int
    detail: str = ""


class Centre(NamedTuple):
    """When broker and collector both took what came."""

    reached: Times
    broker: Times
    faults: list[Fault]


class Mains(NamedTuple):
    """
    What a site gives its machines: power, a gateway that answers, a line behind it.

    `breaker` is when the caretaker has it on; `gateway`, `line` and `time` (of the day) are those of the site's
    network, whoever asks.
    """

    breaker: Times
    power: Times
    gateway: Times
    line: Times
    time: Times
    faults: list[Fault]
    mac_changed: int | None


def centre(seed: int, calendar: Calendar, rates: Rates) -> Centre:
    """Return how the centre lives; within three days collector and broker are each away at least once."""
    chance = Chance(seed, "centre")
    span = calendar.span
    away = [
        _faults(chance, name, "centre", kind, span) or _one(chance, name, kind, span) for name, kind in _centre(rates)
    ]
    collector, broker = (Times((fault.start, fault.end) for fault in some) for some in away)
    whole = Times([span])
    return Centre(
        whole.without(collector.either(broker)), whole.without(broker), [fault for some in away for fault in some]
    )


def _one(chance: Chance, name: str, kind: Kind, span: Span) -> list[Fault]:
    if span.end - span.start < 3 * DAY or not kind.a_day:
        return []
    start = span.start + chance.randrange(DAY, 2 * DAY)
    return [Fault(name, "centre", start, start + chance.long(*kind.lengths_s))]


def _centre(rates: Rates) -> tuple[tuple[str, Kind], ...]:
    return ("centre_outage", rates.centre), ("broker_outage", rates.broker)


def mains(seed: int, place: Place, calendar: Calendar, rates: Rates, mac_changed: int | None = None) -> Mains:
    """Return how a site's mains and network live; `mac_changed` is when its gateway was exchanged."""
    chance = Chance(seed, place.id, "site")
    span = calendar.span
    cuts = _faults(chance, "power_cut", place.id, rates.power_cut, span)
    cuts += _faults(chance, "power_flicker", place.id, rates.flicker, span)
    routers = _faults(chance, "gateway_fault", place.id, rates.gateway, span)
    lines = _faults(chance, "uplink_cut", place.id, rates.uplink, span)
    lines += _faults(chance, "uplink_flicker", place.id, rates.uplink_flicker, span)
    lines += [
        Fault("uplink_cut", place.id, start + MINUTE, end - MINUTE, "maintenance")
        for site, (start, end) in calendar.maintenance
        if site == place.id
    ]
    switched = breaker(seed, place, calendar)
    power = switched.without(_times(cuts))
    gateway = Times([span]).without(_times(routers))
    if place.boxed:
        gateway = gateway.both(_late(power, 45 * SECOND))  # a router takes its time to start
    line = gateway.without(_times(lines))
    unknown = _faults(chance, "no_time", place.id, rates.time, span)
    time = line.without(_times(unknown))
    return Mains(switched, power, gateway, line, time, cuts + routers + lines + unknown, mac_changed)


def _late(times: Times, by: int) -> Times:
    return Times((start + by, end) for start, end in times)


def _faults(chance: Chance, name: str, where: str, kind: Kind, span: Span) -> list[Fault]:
    return [Fault(name, where, *one) for one in chance.faults(kind.a_day, kind.lengths_s, *span)]


def _times(faults: Iterable[Fault]) -> Times:
    return Times((fault.start, fault.end) for fault in faults)
