"""
Findings of integrity over a period, from what agents said of their hardware and place.

Most agents say the same all the time: three summaries of the store tell which do not. Only these, and the others of
their sites, are read row by row.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from collector.store.base import DAY_NS, ReadingSummary, Store
from collector.verify.evidence import Identified
from collector.verify.integrity import Finding, findings
from contract.names import site_of

LOOK_BACK_NS = 7 * DAY_NS
_FIELDS = ("serial", "gateway_mac", "subnet")

_Said = dict[str, ReadingSummary]  # field -> what an agent said


def read_findings(store: Store, start_ns: int, end_ns: int) -> tuple[Finding, ...]:
    """Return the findings that touch the period, from what was said since a week before it."""
    since_ns = start_ns - LOOK_BACK_NS
    said: dict[str, _Said] = defaultdict(dict)
    for field in _FIELDS:
        for one in store.readings("identity", field, since_ns, end_ns):
            if one.device == one.source:
                said[one.device][field] = one
    changing = {site_of(agent) for agent, fields in said.items() if any(map(_changes, fields.values()))}
    agents = sorted(agent for agent in said if site_of(agent) in changing)
    identified = {agent: tuple(_as_ever(fields)) for agent, fields in said.items() if site_of(agent) not in changing}
    if agents:
        identified |= _row_by_row(store, agents, since_ns, end_ns)
    clones = [agent for agent in agents if "serial" in said[agent] and _changes(said[agent]["serial"])]
    found = findings(identified, _boots(store, clones, since_ns, end_ns))
    return tuple(one for one in found if one.until_ns is None or one.until_ns > start_ns)


def _changes(one: ReadingSummary) -> bool:
    return one.is_range or len(one.values) > 1


def _as_ever(fields: _Said) -> Iterator[Identified]:
    """Yield the first and the last of what an agent said that always said the same."""
    values = {field: str(one.values[0]) for field, one in fields.items() if one.values}
    yield Identified(min(one.first_ns for one in fields.values()), **values)
    yield Identified(max(one.last_ns for one in fields.values()), **values)


def _row_by_row(store: Store, agents: list[str], start_ns: int, end_ns: int) -> dict[str, tuple[Identified, ...]]:
    return {
        track.device: tuple(Identified(point[0], *(value or "" for value in point[1:])) for point in track.points)
        for track in store.tracks("identity", _FIELDS, start_ns, end_ns, agents)
        if track.device == track.source
    }


def _boots(store: Store, agents: list[str], start_ns: int, end_ns: int) -> Mapping[str, list[tuple[int, str]]]:
    """Return the boots of agents whose hardware changed: two that live at one time are two machines."""
    if not agents:
        return {}
    return {
        track.device: [(time_ns, boot) for time_ns, boot in track.points]
        for track in store.tracks("presence", ("boot",), start_ns, end_ns, agents)
        if track.device == track.source
    }
