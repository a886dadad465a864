"""
ARP: who is on the local network (RFC 826).

Every address of the interface's IPv4 subnet (or of `subnet`) is asked for by broadcast, `per_second` of them a second,
and once more where none has answered; at most 1024 addresses. `found` is the number of addresses that somebody answers
for, this machine's own not counted.

Stages, in their order: `expected` (one of `expect` does not answer), `duplicate` (two MACs answer for one address, or
another machine for ours, RFC 5227: one of the two cannot be reached; addresses in `shared` may have several, as those
of two routers that stand in for each other). No code. Of an address that was not asked for nothing is said.

MAC addresses are in the details alone, which never leave the device.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import arp_packets as packets
from agent.probe import sense
from agent.probe.arp_packets import Owner
from agent.probe.base import Via
from agent.probe.link import ETH_ARP, Card, Link, card
from agent.probe.settings import Arp

_MOST_MACS = 4  # of one address: two are too many already


def probe(ask: Arp, via: Via) -> Outcome:  # noqa: ARG001  the target is the interface
    """Ask for all addresses of the subnet and count who answers."""
    deadline = Deadline(ask.timeout)
    own = card(ask.target)
    addresses = _addresses(ask, own)
    if words := sense.too_slow(len(addresses), ask):
        raise Unable(words)
    with Link(own, ETH_ARP, packets.only_replies()) as link:
        sweep = _Sweep(link, own, addresses)
        for _ in range(sense.PASSES):
            sweep.ask_all(1 / ask.per_second, deadline)
    if sweep.unasked:
        raise Unable(
            f"the time was up before all of {addresses[0]} to {addresses[-1]} were asked for, "
            f"{sweep.unasked[0]} was not: set timeout or per_second higher"
        )
    return _judge(ask, own, sweep.owners)


def _judge(ask: Arp, own: Card, owners: dict[str, list[str]]) -> Outcome:
    """Return what the owners of the addresses mean; Failed `expected` or `duplicate`."""
    others = {address: macs for address, macs in owners.items() if address != own.address}
    fields = {"found": len(others)}
    details = {"hosts": _rows(owners, own, ask.shared)}
    there = others.keys() | {own.address}
    if missing := [address for address in ask.expect if address not in there]:
        raise Failed("expected", f"{', '.join(missing)} does not answer", fields=fields, details=details)
    if duplicates := [address for address in owners if _is_duplicate(address, owners, own, ask.shared)]:
        reason = f"several machines have {', '.join(duplicates)}"
        raise Failed("duplicate", reason, fields=fields, details=details)
    return Outcome(True, fields=fields, details=details)


def _addresses(ask: Arp, own: Card) -> list[str]:
    """Return the addresses that are asked for; Unable when they are none, too many, or not all that are expected."""
    if ask.subnet != "auto":
        network = ipaddress.IPv4Network(ask.subnet)
    elif own.address:
        network = ipaddress.IPv4Network(f"{own.address}/{own.prefix}", strict=False)
    else:
        raise Unable(f"{own.name} has no IPv4 address: set subnet")
    if words := sense.too_large(network) or sense.outside(ask, network, own.address):
        raise Unable(words)
    return list(map(str, network.hosts()))


class _Sweep:
    """Asks for addresses and takes down who answers."""

    def __init__(self, link: Link, own: Card, addresses: Sequence[str]) -> None:
        self._link = link
        self._own = own
        self._addresses = addresses
        self._sender = own.address if own.address in addresses else ""
        self._asked: set[str] = set()
        self.owners: dict[str, list[str]] = {}  # MACs by address

    @property
    def unasked(self) -> list[str]:
        """The addresses that there was no time to ask for."""
        return [address for address in self._addresses if address not in self._asked]

    def ask_all(self, interval_s: float, deadline: Deadline) -> None:
        """Ask for every address that nobody has answered for, one an interval."""
        open_addresses = [address for address in self._addresses if address not in self.owners]
        begun = time.perf_counter()
        for number, address in enumerate(open_addresses):
            if deadline.is_over:
                return
            # For our own address without a sender: nobody shall change what it knows of us (RFC 5227 §2.1.1).
            sender = "" if address == self._own.address else self._sender
            self._asked.add(address)
            self._link.send(packets.request(self._own.mac, sender, address))
            self._hear(begun + (number + 1) * interval_s - time.perf_counter(), deadline)
        self._hear(sense.LAST_ANSWER_S, deadline)

    def _hear(self, wait_s: float, deadline: Deadline) -> None:
        if wait_s <= 0:
            return
        for frame, _ in self._link.receive(Deadline(deadline.left_s(wait_s))):
            owner = packets.reply(frame, self._own.mac)
            if owner and owner.address in self._addresses:
                self._take(owner)

    def _take(self, owner: Owner) -> None:
        macs = self.owners.setdefault(owner.address, [])
        if owner.mac not in macs and len(macs) < _MOST_MACS:
            macs.append(owner.mac)


def _is_duplicate(address: str, owners: dict[str, list[str]], own: Card, shared: Iterable[str]) -> bool:
    return address not in shared and len(owners[address]) + (address == own.address) > 1


def _rows(owners: dict[str, list[str]], own: Card, shared: Sequence[str]) -> list[dict[str, str]]:
    """Return a row an address and MAC; the flag `several` marks a MAC with more than one address, as of proxy ARP."""
    counts = Counter(mac for macs in owners.values() for mac in macs)
    rows = []
    for address in sorted(owners, key=ipaddress.IPv4Address):
        for mac in owners[address]:
            row = {"address": address, "mac": mac}
            flags = [
                flag
                for flag, is_set in (
                    ("duplicate", _is_duplicate(address, owners, own, shared)),
                    ("several", counts[mac] > 1),
                )
                if is_set
            ]
            rows.append(row | ({"flags": ",".join(flags)} if flags else {}))
    return rows
