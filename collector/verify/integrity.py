"""
Does evidence come from where it claims to be? Three findings, from what agents say of their hardware and their place.

- number clash 编号重复待核实: one number from two serials, or two boots, that alternate, A B A. A, then B for good is
  hardware that was replaced, and no finding.
- place to check 位置待核实: a device is behind another gateway, while others of its site stay behind the old one. Where
  the old one is seen no more it was replaced, or the device was alone and nobody can tell: a notice, one for all of the
  site. So is a move to another gateway of the same site.
- shared gateway: devices of different sites behind one gateway. Virtual routers have the same address everywhere: they
  are none, and a place behind one is told by its subnet.

While a number clashes, its machines are looked at apart: the one that was there before has the number's place, each
other one is where it says. To speak in turns is no move; a clone behind another school's gateway is one finding.

A finding doubts the evidence of devices until somebody has looked; a notice doubts nobody's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from collector.verify.evidence import Identified
from contract.names import site_of

_MINUTE_NS = 60_000_000_000
_DAY_NS = 24 * 60 * _MINUTE_NS
# Agents tell of a change within a round; what is seen behind a gateway after that is there to stay.
_SETTLED_NS = 15 * _MINUTE_NS
# Changes of the devices of a site that belong to one event: some are switched on days after the others.
_ONE_EVENT_NS = 7 * _DAY_NS
_OWNS = 0.75
_FOREVER_NS = 1 << 62

# Addresses that virtual routers share by design: VRRP for IPv4 and IPv6 (RFC 9568 §7.3; Huawei's and H3C's too), HSRP
# version 1 and 2, GLBP. The last octet (HSRP 2: the last twelve bits) is the group's number.
_VIRTUAL = ("00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:07:b4:")


class Concern(StrEnum):
    """What is to be looked at."""

    NUMBER_CLASH = "number_clash"
    PLACE = "place"
    SHARED_GATEWAY = "shared_gateway"


class Finding(NamedTuple):
    """
    Something to look at. `until_ns` None: it goes on.

    `doubted` are those of `devices` (agents) whose evidence does not count meanwhile; none: a notice.
    `seen` are the serials, boots, gateways or subnets, in the order in which they were seen.
    """

    kind: Concern
    devices: tuple[str, ...]
    since_ns: int
    until_ns: int | None
    seen: tuple[str, ...]
    doubted: tuple[str, ...] = ()


class Cleared(NamedTuple):
    """Somebody decided that a finding of this kind says nothing against the evidence of an agent, for a period."""

    kind: Concern
    device: str
    since_ns: int
    until_ns: int


class _Stay(NamedTuple):
    """A time in which one thing was seen: from its first to its last sight, and until another was seen."""

    what: str
    first_ns: int
    last_ns: int
    until_ns: int | None


def findings(
    identified: Mapping[str, Sequence[Identified]], boots: Mapping[str, Sequence[tuple[int, str]]] | None = None
) -> tuple[Finding, ...]:
    """
    Return the findings from rows of `identity` and (time, boot) of presences, both by agent and sorted by time.

    Of the boots only those of days are needed that are looked at by the minute: a perfect day has one.
    """
    found: list[Finding] = []
    machines: dict[str, list[_Machine]] = {}
    for agent, rows in identified.items():
        clashes = list(_clashes(agent, _stays((row.time_ns, row.serial) for row in rows)))
        machines[agent] = _apart(rows, clashes)
        found += clashes
    for agent, sights in (boots or {}).items():
        found += _clashes(agent, _stays(sights))
    own = {agent: of_agent[0].rows for agent, of_agent in machines.items()}
    found += _moves({agent: _stays((row.time_ns, place_of(row)) for row in rows) for agent, rows in own.items()})
    found += _shared(machines)
    return tuple(sorted(found, key=lambda one: (one.since_ns, one.kind, one.devices)))


def doubted(found: Iterable[Finding], cleared: Iterable[Cleared] = ()) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """
    Return the periods of each agent whose evidence does not count; `Evidence.doubted` of all it speaks for.

    What somebody cleared is taken out of the periods of findings of that kind, and of no other.
    """
    decided: dict[tuple[Concern, str], list[tuple[int, int]]] = defaultdict(list)
    for one in cleared:
        decided[one.kind, one.device].append((one.since_ns, one.until_ns))
    periods: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for finding in found:
        until_ns = _FOREVER_NS if finding.until_ns is None else finding.until_ns
        for device in finding.doubted:
            periods[device] += _without((finding.since_ns, until_ns), decided.get((finding.kind, device), ()))
    return {device: tuple(sorted(some)) for device, some in periods.items() if some}


def _without(period: tuple[int, int], cleared: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what is left of a period."""
    left, (at_ns, end_ns) = [], period
    for since_ns, until_ns in sorted(cleared):
        if since_ns > at_ns:
            left.append((at_ns, min(since_ns, end_ns)))
        at_ns = max(at_ns, until_ns)
        if at_ns >= end_ns:
            return left
    return [*left, (at_ns, end_ns)]


def is_virtual(mac: str) -> bool:
    """Tell whether a gateway's address is that of a virtual router, which is the same in many places."""
    return address(mac).startswith(_VIRTUAL)


def address(mac: str) -> str:
    """Return a gateway's address in the one form in which addresses are compared."""
    return mac.lower().replace("-", ":")


def place_of(row: Identified) -> str:
    """Return what tells a place: the gateway, or behind a virtual one the subnet; empty when neither was seen."""
    if not row.gateway_mac:
        return ""
    return f"subnet {row.subnet}" if is_virtual(row.gateway_mac) and row.subnet else _gateway(row)


def _gateway(row: Identified) -> str:
    return "" if is_virtual(row.gateway_mac) else address(row.gateway_mac)


def _stays(sights: Iterable[tuple[int, str]]) -> list[_Stay]:
    """Return the times of each thing that was seen; what was not seen (empty) changes nothing."""
    stays: list[_Stay] = []
    for time_ns, what in sights:
        if not what:
            continue
        if stays and stays[-1].what == what:
            stays[-1] = stays[-1]._replace(last_ns=time_ns)
            continue
        if stays:
            stays[-1] = stays[-1]._replace(until_ns=time_ns)
        stays.append(_Stay(what, time_ns, time_ns, None))
    return stays


# ---- one number, two machines


def _clashes(agent: str, stays: Sequence[_Stay]) -> Iterator[Finding]:
    """Yield a finding for each time in which things alternate: from the first sight of the second one."""
    last_of: dict[str, int] = {}
    since, until = -1, -1  # the numbers of the first and the last stay of a clash
    for number, stay in enumerate(stays):
        back = last_of.get(stay.what, -1)
        last_of[stay.what] = number
        if back < 0:
            continue
        begin = back + 1
        if since >= 0 and (back > until or _is_alone(stays[until])):
            yield _clash(agent, stays[since : until + 1])
            begin = max(begin, until + 1)
        elif since >= 0:
            begin = min(begin, since)
        since, until = begin, number
    if since >= 0:
        yield _clash(agent, stays[since : until + 1])


def _clash(agent: str, stays: Sequence[_Stay]) -> Finding:
    """Return the finding; it is over when one of them was alone for a day, or gave way to another that stayed."""
    seen = tuple(dict.fromkeys(stay.what for stay in stays))
    last = stays[-1]
    until_ns = last.first_ns if _is_alone(last) else last.until_ns
    return Finding(Concern.NUMBER_CLASH, (agent,), stays[0].first_ns, until_ns, seen, (agent,))


class _Machine(NamedTuple):
    """What one machine said; `until_ns` is when it has the number no more, None for no end."""

    rows: Sequence[Identified]
    until_ns: int | None = None


def _apart(rows: Sequence[Identified], clashes: Iterable[Finding]) -> list[_Machine]:
    """
    Return the machine that has a number, then the others that had it in a clash.

    Whose the number is nobody can tell: it is taken for that of the machine that was seen before the clash.
    """
    own, others = list(rows), []
    for clash in clashes:
        end_ns = _FOREVER_NS if clash.until_ns is None else clash.until_ns
        before = [row.serial for row in rows if row.serial and row.time_ns < clash.since_ns][-1:]
        theirs = {serial: list[Identified]() for serial in clash.seen if serial not in before}
        rest: list[Identified] = []
        for row in own:
            is_theirs = row.serial in theirs and clash.since_ns <= row.time_ns < end_ns
            (theirs[row.serial] if is_theirs else rest).append(row)
        own = rest
        others += [_Machine(some, clash.until_ns) for some in theirs.values()]
    return [_Machine(own), *others]


def _is_alone(stay: _Stay) -> bool:
    return stay.last_ns - stay.first_ns >= _DAY_NS


# ---- moved


class _Move(NamedTuple):
    agent: str
    old: str
    new: str
    at_ns: int


def _moves(places: Mapping[str, Sequence[_Stay]]) -> Iterator[Finding]:
    by_site: dict[str, dict[str, Sequence[_Stay]]] = defaultdict(dict)
    for agent in sorted(places):
        by_site[site_of(agent)][agent] = places[agent]
    for of_site in by_site.values():
        yield from _moves_of_site(of_site)


def _moves_of_site(places: Mapping[str, Sequence[_Stay]]) -> Iterator[Finding]:
    """
    Yield a finding for each device that left a gateway where others stayed, and one notice for a gateway that went.

    The site's gateways are those that its devices were behind first, and each that took the place of one. To go to one
    of these is no finding, and one that is taken for a guest's at first is the site's once others follow.
    """
    own_since: dict[str, int] = {}
    for stays in places.values():
        for stay in stays[:1]:
            own_since[stay.what] = min(stay.first_ns, own_since.get(stay.what, stay.first_ns))
    moves = [
        _Move(agent, before.what, after.what, after.first_ns)
        for agent, stays in places.items()
        for before, after in pairwise(stays)
    ]
    away: list[_Move] = []
    events: dict[tuple[str, str], list[_Move]] = defaultdict(list)
    for move in sorted(moves, key=lambda one: one.at_ns):
        if own_since.get(move.new, _FOREVER_NS) < move.at_ns:
            if move.old in own_since and move.new != places[move.agent][0].what:
                events[move.old, move.new].append(move)
        elif _others_stay(places, move):
            away.append(move)
        else:
            own_since.setdefault(move.new, move.at_ns)
            events[move.old, move.new].append(move)
    for move in away:
        until_ns = _home_again_ns(places[move.agent], move, own_since)
        yield Finding(Concern.PLACE, (move.agent,), move.at_ns, until_ns, (move.old, move.new), (move.agent,))
    for (old, new), together in events.items():
        yield from _notices(old, new, together)


def _others_stay(places: Mapping[str, Sequence[_Stay]], move: _Move) -> bool:
    """Tell whether another device of the site is still behind the old gateway afterwards."""
    return any(
        stay.what == move.old and stay.last_ns > move.at_ns + _SETTLED_NS
        for agent, stays in places.items()
        for stay in stays
        if agent != move.agent
    )


def _home_again_ns(stays: Sequence[_Stay], move: _Move, own_since: Mapping[str, int]) -> int | None:
    """Return when a device is behind a gateway of its site again: it went there, or this one became the site's."""
    for stay in stays:
        since_ns = max(stay.first_ns, own_since.get(stay.what, _FOREVER_NS))
        if stay.first_ns >= move.at_ns and since_ns < (stay.until_ns or _FOREVER_NS):
            return since_ns
    return None


def _notices(old: str, new: str, moves: list[_Move]) -> Iterator[Finding]:
    """Yield one notice for all devices that went from one gateway to another in one event."""
    while moves:
        since_ns = moves[0].at_ns
        together = [move for move in moves if move.at_ns - since_ns <= _ONE_EVENT_NS]
        moves = moves[len(together) :]
        devices = tuple(sorted({move.agent for move in together}))
        yield Finding(Concern.PLACE, devices, since_ns, None, (old, new))


# ---- one gateway, several sites


class _Visit(NamedTuple):
    """A time in which an agent is behind a gateway, itself or as a clone of its number."""

    agent: str
    is_clone: bool
    since_ns: int
    until_ns: int


def _shared(machines: Mapping[str, Sequence[_Machine]]) -> Iterator[Finding]:
    """Yield a finding for each gateway that devices of several sites are behind at a time."""
    behind: dict[str, list[_Visit]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for agent, of_agent in machines.items():
        sizes[site_of(agent)] += 1
        for machine in of_agent:
            for stay in _stays((row.time_ns, _gateway(row)) for row in machine.rows):
                until_ns = stay.until_ns or machine.until_ns or _FOREVER_NS
                behind[stay.what].append(_Visit(agent, machine is not of_agent[0], stay.first_ns, until_ns))
    for gateway, visits in sorted(behind.items()):
        if len({site_of(visit.agent) for visit in visits}) > 1:
            yield from _shared_behind(gateway, visits, sizes)


def _shared_behind(gateway: str, visits: Sequence[_Visit], sizes: Mapping[str, int]) -> Iterator[Finding]:
    """
    Yield what is shared at a time: from when a second site is behind the gateway until there is only one.

    A site that has three quarters of all its devices there, at least two, and three quarters of those there, clones
    apart, is at home: its evidence is not doubted for a guest's.
    """
    edges = sorted({edge for visit in visits for edge in (visit.since_ns, visit.until_ns)})
    shared: list[tuple[int, int, list[_Visit]]] = []
    for since_ns, until_ns in pairwise(edges):
        there = [visit for visit in visits if visit.since_ns <= since_ns and until_ns <= visit.until_ns]
        if len({site_of(visit.agent) for visit in there}) < 2:
            continue
        if shared and shared[-1][1] == since_ns:
            shared[-1] = (shared[-1][0], until_ns, [*shared[-1][2], *there])
        else:
            shared.append((since_ns, until_ns, there))
    for since_ns, until_ns, there in shared:
        devices = tuple(sorted({visit.agent for visit in there}))
        home = _at_home({visit.agent for visit in there if not visit.is_clone}, sizes)
        guests = tuple(agent for agent in devices if site_of(agent) != home)
        until = None if until_ns == _FOREVER_NS else until_ns
        yield Finding(Concern.SHARED_GATEWAY, devices, since_ns, until, (gateway,), guests)


def _at_home(there: Collection[str], sizes: Mapping[str, int]) -> str:
    """Return the site whose gateway it is; empty when nobody can tell."""
    counts: dict[str, int] = defaultdict(int)
    for agent in there:
        counts[site_of(agent)] += 1
    for site, count in counts.items():
        if count >= 2 and count >= _OWNS * sizes[site] and count >= _OWNS * len(there):
            return site
    return ""
