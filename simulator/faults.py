"""What breaks: lines, routers, mains, the centre; each fault is remembered as it was injected."""

from collections.abc import Iterable
from typing import NamedTuple

from simulator.chance import Chance
from simulator.people import breaker
from simulator.places import Place
from simulator.rates import Kind, Rates
from simulator.spans import DAY, HOUR, MINUTE, SECOND, Span, Times
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

    `breaker` is when the caretaker has it on; `gateway` and `line` are those of the site's network, whoever asks.
    """

    breaker: Times
    power: Times
    gateway: Times
    line: Times
    faults: list[Fault]
    mac_changed: int | None


def centre(seed: int, calendar: Calendar, rates: Rates) -> Centre:
    """Return how the centre lives."""
    chance = Chance(seed, "centre")
    span = calendar.span
    away = [_faults(chance, name, "centre", kind, span) for name, kind in _centre(rates)]
    collector, broker = (Times((fault.start, fault.end) for fault in some) for some in away)
    whole = Times([span])
    return Centre(
        whole.without(collector.either(broker)), whole.without(broker), [fault for some in away for fault in some]
    )


def _centre(rates: Rates) -> tuple[tuple[str, Kind], ...]:
    return ("centre_outage", rates.centre), ("broker_outage", rates.broker)


def mains(seed: int, place: Place, calendar: Calendar, rates: Rates) -> Mains:
    """Return how a site's mains and network live."""
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
    changed = None
    if place.is_school and chance.happens(0.02) and span.end - span.start > 2 * DAY:
        changed = span.start + chance.randrange(1, (span.end - span.start) // DAY) * DAY + 6 * HOUR
    return Mains(switched, power, gateway, gateway.without(_times(lines)), cuts + routers + lines, changed)


def _late(times: Times, by: int) -> Times:
    return Times((start + by, end) for start, end in times)


def _faults(chance: Chance, name: str, where: str, kind: Kind, span: Span) -> list[Fault]:
    return [Fault(name, where, *one) for one in chance.faults(kind.a_day, kind.lengths_s, *span)]


def _times(faults: Iterable[Fault]) -> Times:
    return Times((fault.start, fault.end) for fault in faults)
