"""
Machines on one switch, for tests that a fake cannot answer.

    client (10.77.0.10) ──┐
    gateway (10.77.0.1) ──┤ switch: a bridge in a namespace of its own
    server (10.77.0.80) ──┘

    with Lab(folder) as lab:
        client, server = lab.machine("client", 10), lab.machine("server", 80)
        client.run(["ping", "-c", "1", server.address])
        server.nft("icmp type echo-request drop")     # until server.mend()
        client.wire(delay_ms=20, loss=0.1)            # until client.plug()

The names of a lab's namespaces have the id and the start of its process in them: two labs never clash, and each
removes what others left that were killed.
"""

import itertools
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.machine import BRIDGE, Machine, Place
from tests.lab.namespace import Namespace, remove_namespace, tool

PREFIX = "santong-lab"
_NUMBERS = itertools.count(1)


class Lab:
    """Machines on one switch; all of it is gone when the context ends. `subnet` is three bytes of a /24."""

    def __init__(self, folder: Path, subnet: str = "10.77.0") -> None:
        self.folder = folder
        self.subnet = subnet
        self.name = f"{PREFIX}-{_life(os.getpid())}-{next(_NUMBERS)}"
        self.machines: dict[str, Machine] = {}

    def __enter__(self) -> Self:
        remove_leftovers()
        self.switch = Namespace(f"{self.name}-switch", self.folder / "switch")
        self.switch.ip("link", "add", BRIDGE, "type", "bridge")
        self.switch.ip("link", "set", BRIDGE, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for machine in reversed(self.machines.values()):
            machine.remove()
        self.switch.remove()

    def machine(self, name: str, number: int, *, addressed: bool = True) -> Machine:
        """Add a machine with the address `subnet`.`number`, or without one, on a plain cable."""
        place = Place(name, f"p{number}", f"{self.subnet}.{number}", f"02:5a:00:00:00:{number:02x}")
        namespace = f"{self.name}-{name}"
        machine = Machine(namespace, self.folder / name, place, self.switch, addressed=addressed)
        self.machines[name] = machine
        machine.plug()
        return machine

    def cable(self, one: Machine, other: Machine, subnet: str, card: str = "eth1") -> tuple[str, str]:
        """Join two machines past the switch; return their addresses, `subnet`.1 and .2, on cards of the given name."""
        peer = ("peer", card, "netns", other.namespace)
        tool("ip", "link", "add", card, "netns", one.namespace, "type", "veth", *peer)
        for number, machine in enumerate((one, other), start=1):
            machine.ip("addr", "add", f"{subnet}.{number}/24", "dev", card)
            machine.ip("link", "set", card, "up")
        return f"{subnet}.1", f"{subnet}.2"

    def part(self, one: Machine, other: Machine) -> None:
        """Let the switch pass nothing between two of its machines, until `lab.switch.mend()`."""
        for near, far in ((one, other), (other, one)):
            self.switch.nft(f"iifname {near.port} oifname {far.port} drop", "forward", "bridge")


def remove_leftovers() -> None:
    """Remove the namespaces of labs whose process is gone."""
    for line in tool("ip", "netns", "list").splitlines():
        namespace = line.split()[0]
        if is_leftover(namespace):
            remove_namespace(namespace)


def is_leftover(name: str) -> bool:
    """Tell whether a name is one of a lab's whose process is gone."""
    found = re.match(rf"{PREFIX}-((\d+)\.\d+)-", name)
    return found is not None and found[1] != _life(int(found[2]))


def _life(pid: int) -> str:
    """Return a process's id and start, or nothing when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f"{pid}.{stat.rpartition(')')[2].split()[19]}"
