"""
The agents of a roster as Ansible's inventory, in the order of their waves.

    roster ──▶ agents ──▶ waves, of those reached by SSH and of those that pull ──▶ groups, variables of each host

Groups list their hosts in the order in which they get a release, so that a play with `order: inventory`, and `serial`
as in docs/rollout.md, goes in waves.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from collector.fleet.agents import Agent
from collector.fleet.waves import CANARY, NAMES, in_order, waves
from collector.roster.schema import Reach

AGENTS, CANARIES, RETIRED, OBSERVING = "agents", "canaries", "retired", "observing"


def inventory(agents: Sequence[Agent], gone: Iterable[Agent] = (), proven: Collection[str] = ()) -> dict[str, Any]:
    """
    Return what `--list` prints: groups with their hosts, and the variables of every host under `_meta`.

    `gone` are agents that are to be retired, `proven` those with good evidence lately, for the choice of canaries.
    `canaries` are those of SSH alone: the others are not the business of a play.
    """
    by_id = {agent.id: agent for agent in agents}
    groups: dict[str, list[str]] = {name: [] for name in (AGENTS, *(f"reach_{reach}" for reach in Reach), CANARIES)}
    hosts: dict[str, dict[str, Any]] = {}
    for name, wave in _in_waves(agents, proven):
        agent = by_id[name]
        for group in _groups(agent):
            groups.setdefault(group, []).append(name)
        if wave == CANARY and agent.reach == Reach.SSH:
            groups[CANARIES].append(name)
        hosts[name] = _variables(agent) | {"santong_wave": wave}
    groups[RETIRED] = []
    for agent in gone:
        groups[RETIRED].append(agent.id)
        hosts[agent.id] = _variables(agent)
    listed: dict[str, Any] = {name: {"hosts": members} for name, members in groups.items()}
    return {"_meta": {"hostvars": hosts}, "all": {"children": list(groups)}, **listed}


def graph(listed: dict[str, Any]) -> str:
    """Return an inventory as a tree of groups and hosts, for people."""
    lines = ["@all:"]
    for group in listed["all"]["children"]:
        lines.append(f"  |--@{group}:")
        lines += [f"  |  |--{host}" for host in listed[group]["hosts"]]
    return "\n".join(lines)


def _in_waves(agents: Sequence[Agent], proven: Collection[str]) -> list[tuple[str, str]]:
    """Return agents with their waves, which are those of each way to reach them; early ones first."""
    found = [
        pair for reach in Reach for pair in in_order(waves([agent for agent in agents if agent.reach == reach], proven))
    ]
    return sorted(found, key=lambda pair: NAMES.index(pair[1]))


def _groups(agent: Agent) -> list[str]:
    device = agent.device
    county, code = device.site.split("-", 1)
    found = [AGENTS, f"reach_{agent.reach}", f"county_{county}", _named(f"site_{county}_{code}")]
    found += [_named(f"role_{device.role}"), *([_named(f"profile_{device.profile}")] if device.profile else [])]
    if agent.observed:
        profiles = sorted({other.profile for other in agent.observed} - {""})
        found += [OBSERVING, *(_named(f"observes_{profile}") for profile in profiles)]
    return found


def _named(text: str) -> str:
    """Return a name that Ansible takes for a group without a warning."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())


def _variables(agent: Agent) -> dict[str, Any]:
    device = agent.device
    found: dict[str, Any] = {
        "santong_agent": agent.id,
        "santong_site": device.site,
        "santong_county": device.site.split("-", 1)[0],
        "santong_role": device.role,
        "santong_profile": device.profile,
        "santong_reach": str(agent.reach),
        "santong_observed": [
            {"device": other.id, "role": other.role, "profile": other.profile} for other in agent.observed
        ],
    }
    return found | ({"ansible_host": device.host} if device.host else {})
