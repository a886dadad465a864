"""
Who gets a release when: canaries, then 5 % of all, then 25 % of all, then the rest. The same roster, the same waves.

One canary for each profile, because a release that fails does so on one model of hardware first. The others come in
the order of a hash of their ids, so that each wave has devices of every site and county. Shares are rounded as Ansible
rounds those of `serial`: a play in this order has these very waves.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from collector.fleet.agents import Agent

CANARY = "canary"
SHARES = (("5", 5), ("25", 25), ("all", 100))  # per cent of all agents
NAMES = (CANARY, *(name for name, _ in SHARES))


class Wave(NamedTuple):
    """Agents that get a release together; `name` is canary, 5, 25 or all."""

    name: str
    agents: tuple[str, ...]


def waves(agents: Sequence[Agent], proven: Collection[str] = ()) -> list[Wave]:
    """
    Return the waves of some agents, which of the early ones may be empty where there are few.

    `proven` are those with good evidence lately: where a profile has any, its canary is one of them.
    """
    ordered = sorted(agents, key=lambda agent: _hash(agent.id))
    first = _canaries(ordered, frozenset(proven))
    others = [agent.id for agent in ordered if agent.id not in first]
    found = [Wave(CANARY, tuple(first))]
    done = 0
    for name, percent in SHARES:
        until = done + max(1, percent * len(ordered) // 100)
        found.append(Wave(name, tuple(others[done:until])))
        done = until
    return found


def in_order(found: Sequence[Wave]) -> list[tuple[str, str]]:
    """Return every agent with the name of its wave, the first wave first."""
    return [(agent, wave.name) for wave in found for agent in wave.agents]


def _canaries(ordered: Sequence[Agent], proven: Collection[str]) -> list[str]:
    """Return one agent of each profile: of those proven, of a site that has no canary yet, by hash."""
    by_profile: dict[str, list[Agent]] = {}
    for agent in ordered:
        by_profile.setdefault(agent.device.profile, []).append(agent)
    sites: set[str] = set()
    chosen: list[str] = []
    # Profiles with few agents choose first: those with many find another site.
    for _, some in sorted(by_profile.items(), key=lambda item: (len(item[1]), item[0])):
        best = min(some, key=lambda agent: (agent.id not in proven, agent.device.site in sites))
        sites.add(best.device.site)
        chosen.append(best.id)
    return chosen


def _hash(text: str) -> str:
    return hashlib.sha256(f"wave {text}".encode()).hexdigest()
