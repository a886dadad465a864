"""
Findings of integrity over a period, from what agents said of their hardware and place.

Most agents say the same all the time: the store tells which do not. Only these are read row by row, with the others of
their sites, and those that share a gateway with another site.
"""

from collections import defaultdict
from collections.abc import Mapping

from collector.store.base import DAY_NS, Store
from collector.verify.evidence import Identified
from collector.verify.integrity import Finding, address, findings, is_virtual
from contract.names import site_of

LOOK_BACK_NS = 7 * DAY_NS
_FIELDS = ("serial", "gateway_mac", "subnet")

_Said = dict[str, tuple[str, ...]]  # field -> the different things that an agent said


def read_findings(store: Store, start_ns: int, end_ns: int) -> tuple[Finding, ...]:
    """Return the findings that touch the period, from what was said since a week before it."""
    since_ns = start_ns - LOOK_BACK_NS
    said = _said(store, since_ns, end_ns)
    looked_at = sorted(_unsteady(said))
    identified = _row_by_row(store, looked_at, since_ns, end_ns) if looked_at else {}
    steady = {
        agent: _as_ever(fields, since_ns, end_ns) for agent, fields in said.items() if agent not in set(looked_at)
    }
    clones = [agent for agent in looked_at if len(said[agent].get("serial", ())) > 1]
    found = findings({**steady, **identified}, _boots(store, clones, since_ns, end_ns))
    return tuple(one for one in found if one.until_ns is None or one.until_ns > start_ns)


def _said(store: Store, start_ns: int, end_ns: int) -> dict[str, _Said]:
    """Return the different things that each agent said of itself, by field."""
    said: dict[str, _Said] = defaultdict(dict)

    def ask(field: str, agents: list[str] | None) -> None:
        for one in store.distinct("identity", field, start_ns, end_ns, agents):
            if one.device == one.source:
                said[one.device][field] = tuple(str(value) for value in one.values if value)

    ask("serial", None)
    ask("gateway_mac", None)
    # A subnet tells a place behind a virtual router alone.
    if virtual := sorted(
        agent for agent, fields in said.items() if any(map(is_virtual, fields.get("gateway_mac", ())))
    ):
        ask("subnet", virtual)
    return said


def _unsteady(said: Mapping[str, _Said]) -> set[str]:
    """Return the agents that may be in a finding: all of a site where one changed, or with a gateway of other sites."""
    changing = {site_of(agent) for agent, fields in said.items() if any(len(some) > 1 for some in fields.values())}
    behind: dict[str, set[str]] = defaultdict(set)
    for agent, fields in said.items():
        for gateway in fields.get("gateway_mac", ()):
            if not is_virtual(gateway):
                behind[address(gateway)].add(site_of(agent))
    shared = {site for sites in behind.values() for site in sites if len(sites) > 1}
    return {agent for agent in said if site_of(agent) in changing | shared}


def _as_ever(fields: _Said, start_ns: int, end_ns: int) -> tuple[Identified, ...]:
    """Return what an agent that always said the same said at the begin and the end."""
    values = {field: some[0] for field, some in fields.items() if some}
    return Identified(start_ns, **values), Identified(end_ns - 1, **values)


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
