"""
The agents that a roster has on a day: the devices on which one of ours runs, and whom each speaks for.

A projector without an agent of its own, which nobody named as anyone's, is not one of them: nothing can be installed on
it.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from collector.roster.schema import Device, Reach, Roster

# Nothing of ours is ever installed on these, unless the roster says how.
_ONLY_OBSERVED = frozenset(("projector", "switch", "controller"))


class Agent(NamedTuple):
    """One agent: the device that it runs on, and the devices that it speaks for besides, by id."""

    device: Device
    observed: tuple[Device, ...] = ()

    @property
    def id(self) -> str:
        """Its id, which is that of the device."""
        return self.device.id

    @property
    def reach(self) -> Reach:
        """How it gets its releases: what the roster says, else by SSH where a host is known."""
        if self.device.reach is not None:
            return self.device.reach
        return Reach.SSH if self.device.host else Reach.PULL


def agents_on(roster: Roster, day: date) -> list[Agent]:
    """Return the agents of the devices that exist on a day, by id."""
    there = [device for device in roster.devices.values() if device.exists_on(day)]
    spoken_for: dict[str, list[Device]] = {}
    for device in there:
        if device.speaker != device.id:
            spoken_for.setdefault(device.speaker, []).append(device)
    return [
        Agent(device, tuple(spoken_for.get(device.id, ())))
        for device in sorted(there, key=lambda device: device.id)
        if device.speaker == device.id and _runs_one(device, spoken_for)
    ]


def _runs_one(device: Device, spoken_for: Collection[str]) -> bool:
    if device.id in spoken_for or device.host or device.reach is not None:
        return True
    return device.role not in _ONLY_OBSERVED


def ever(roster: Roster, until: date) -> list[Agent]:
    """Return the agents that a roster had at any time until a day, by id; whom they spoke for does not matter."""
    begun = (device for device in roster.devices.values() if device.valid_from is None or device.valid_from <= until)
    named = {device.agent for device in roster.devices.values()}
    return [Agent(device) for device in begun if device.speaker == device.id and _runs_one(device, named)]


def retired(earlier: Iterable[Agent], now: Sequence[Agent]) -> list[Agent]:
    """
    Return those that were agents and are none now, by id; of one that is there twice the first.

    A host that an agent of now has is left out: what was replaced must not be taken down on its successor's machine.
    """
    current = {agent.id for agent in now}
    taken = {agent.device.host for agent in now}
    gone: dict[str, Agent] = {}
    for agent in earlier:
        if agent.id not in current:
            gone.setdefault(agent.id, agent)
    return [
        agent if agent.device.host not in taken else agent._replace(device=agent.device._replace(host=""))
        for _, agent in sorted(gone.items())
    ]
