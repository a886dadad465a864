"""
DHCP: a lease as a new client would get it (RFC 2131), and whether a server answers that should not.

A DISCOVER is broadcast, and again after 4 s (§4.1); OFFERs are collected for `listen` after the first. With `request`
the first is then requested and, once acknowledged, released again; the last second of the time is kept for that, and
where nothing could be requested nevertheless, nothing is said of the server. `rtt_ms` is the time from the first
DISCOVER to the first OFFER, `dhcp_ms` from the first DISCOVER to the ACK without the time of listening, `lease_s` what
the first server offers, `found` the number of servers (by server identifier).

Our client identifier is not the machine's own (`dhcp_packets.Client`), so that the machine keeps its lease. A server
that nevertheless offers the address that the machine holds is not asked for it, and such an address is never released.

Stages, in their order: `discover` (no OFFER), `rogue` (a server that is not in `servers`, or more than one where
`servers` is empty), `offer` (of no use to a client: no server identifier, no lease time, an impossible address, or,
with `complete`, no router or no name server), `request` (code: 6 for a NAK, none for silence). A rogue server comes
before its offer: nothing is requested from it.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import dhcp_packets as packets
from agent.probe import sense
from agent.probe.base import Via
from agent.probe.dhcp_packets import Client, Reply
from agent.probe.link import ETH_IP, Link, card, is_held
from agent.probe.net import milliseconds
from agent.probe.settings import Dhcp
from contract.sample import Value

_REPEATS_S = (4.0, 8.0, 16.0, 32.0, 64.0)  # RFC 2131 §4.1
_MOST_OFFERS = 30  # enough to know that there is a rogue one


class Lease(NamedTuple):
    """
    A lease that a server acknowledged.

    `prefix` is the length of the subnet's, `captive_api_url` the portal's API (RFC 8910), `discover_s` the time until
    the OFFER, `total_s` until the ACK, `server_mac` where a RELEASE goes.
    """

    address: str
    prefix: int
    router: str
    resolvers: tuple[str, ...]
    lease_s: int
    server: str
    captive_api_url: str
    discover_s: float
    total_s: float
    server_mac: bytes


def probe(ask: Dhcp, via: Via) -> Outcome:  # noqa: ARG001  the target is the interface
    """Look for servers and, with `request`, take a lease and give it back."""
    deadline = Deadline(ask.timeout)
    with _Exchange(ask.target, deadline) as exchange:
        offers = exchange.discover(ask.listen, is_requested=ask.request)
        names = list(dict.fromkeys(offer.name for offer in offers))
        fields: dict[str, Value] = {"rtt_ms": milliseconds(exchange.discover_s), "found": len(names)}
        details: dict[str, object] = {"servers": [_row(offer) for offer in offers]}
        _refuse_rogues(ask, names, fields, details)
        offer = offers[0]
        if flaw := packets.flaw(offer, is_complete=ask.complete):
            raise Failed("offer", f"{offer.name} offers {offer.address}, but {flaw}", fields=fields, details=details)
        fields["lease_s"] = offer.lease_s
        if not ask.request:
            return Outcome(True, fields=fields, details=details)
        if is_held(offer.address):
            reason = f"{offer.name} offers the address that this machine has, which is not touched"
            return Outcome(True, "offer", reason=reason, fields=fields, details=details)
        return _request(exchange, offer, fields, details)


def _request(exchange: "_Exchange", offer: Reply, fields: dict[str, Value], details: dict[str, object]) -> Outcome:
    try:
        took_s = exchange.request(offer)
    except Failed as failed:
        if failed.code != packets.NAK:  # the ACK may have been lost on its way
            exchange.release(offer.address, offer.server, offer.mac)
        raise Failed(failed.stage, failed.reason, failed.code, fields, details) from None
    details["released"] = exchange.release(offer.address, offer.server, offer.mac)
    fields["dhcp_ms"] = milliseconds(exchange.discover_s + took_s)
    return Outcome(True, fields=fields, details=details)


def acquire(interface: str, deadline: Deadline) -> Lease:
    """
    Take a lease from the first server that offers one, for a journey over an interface that nothing else uses.

    Failed `discover`, `offer`, `request`; Unable when the interface is not ready or the privilege is missing.
    """
    with _Exchange(interface, deadline) as exchange:
        offer = exchange.discover(listen_s=0, is_requested=True)[0]
        if flaw := packets.flaw(offer):
            raise Failed("offer", f"{offer.name} offers {offer.address}, but {flaw}")
        took_s = exchange.request(offer)
        return Lease(
            offer.address,
            offer.prefix,
            offer.router,
            offer.resolvers,
            offer.lease_s,
            offer.server,
            offer.captive_api_url,
            exchange.discover_s,
            exchange.discover_s + took_s,
            offer.mac,
        )


def release(interface: str, lease: Lease) -> bool:
    """
    Give a lease back, once its address has been taken off the interface; a server does not answer to this.

    An address that this machine holds is not released: False.
    """
    with _Exchange(interface, Deadline(1)) as exchange:
        return exchange.release(lease.address, lease.server, lease.server_mac)


class _Exchange:
    """One exchange of messages over one interface, in a `with` block."""

    def __init__(self, interface: str, deadline: Deadline) -> None:
        self._card = card(interface)
        self._deadline = deadline
        self._client = Client(self._card.mac, int.from_bytes(os.urandom(4), "big"))
        self._link = Link(self._card, ETH_IP, packets.only_replies_to(self._client))
        self.discover_s = 0.0

    def __enter__(self) -> Self:
        self._link.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._link.__exit__(None, None, None)

    def discover(self, listen_s: float, *, is_requested: bool) -> list[Reply]:
        """
        Return the offers, the first first; Failed `discover` when there are none.

        `is_requested`: some of the time is kept for requesting what is offered.
        """
        left_s = self._deadline.left_s()
        until_s = left_s - min(sense.REQUEST_S, left_s / 2) if is_requested else left_s
        until = Deadline(until_s)
        found = self._converse(lambda secs: packets.discover(self._client, secs), (packets.OFFER,), until)
        if not found:
            raise Failed("discover", f"no DHCP server answers in {until_s:.1f} s")
        offer, self.discover_s = found
        return [offer, *self._more_offers(offer, Deadline(until.left_s(listen_s)))] if listen_s else [offer]

    def _more_offers(self, first: Reply, until: Deadline) -> list[Reply]:
        """Return the offers of other servers that come in time."""
        others: list[Reply] = []
        for frame, _ in self._link.receive(until):
            offer = packets.reply(frame, self._client)
            if offer and offer.kind == packets.OFFER and offer not in (first, *others):
                others.append(offer)
            if len(others) >= _MOST_OFFERS:
                break
        return others

    def request(self, offer: Reply) -> float:
        """Request what was offered; return the seconds until the ACK. Failed `request`; Unable: no time was left."""
        kinds = (packets.ACK, packets.NAK)
        until = self._deadline
        found = self._converse(lambda secs: packets.request(self._client, offer, secs), kinds, until, offer.server)
        if not found:
            raise Failed("request", f"{offer.server} does not acknowledge {offer.address}")
        answer, took_s = found
        if answer.kind == packets.NAK:
            why = f": {answer.message}" if answer.message else ""
            raise Failed("request", f"{offer.server} takes back {offer.address} (NAK){why}", packets.NAK)
        return took_s

    def release(self, address: str, server: str, server_mac: bytes) -> bool:
        """Give an address back, unless this machine holds it; tell whether it was done."""
        if is_held(address):
            return False
        self._link.send(packets.release(self._client, address, server, server_mac))
        return True

    def _converse(
        self, message: Callable[[int], bytes], kinds: tuple[int, ...], until: Deadline, server: str = ""
    ) -> tuple[Reply, float] | None:
        """
        Send a message, again from time to time, until a reply of these kinds, and of this server where one is named.

        `message` makes it for a number of seconds since the first. Return the reply and the seconds since the first.
        Unable: the time was up before anything was sent.
        """
        first_s: float | None = None
        for wait_s in _REPEATS_S:
            if until.is_over:
                break
            secs = int(time.perf_counter() - first_s) if first_s else 0
            sent_s = self._link.send(message(secs))
            first_s = sent_s if first_s is None else first_s
            for frame, at_s in self._link.receive(Deadline(until.left_s(wait_s))):
                answer = packets.reply(frame, self._client)
                if answer and answer.kind in kinds and server in ("", answer.server):
                    return answer, at_s - first_s
        if first_s is None:
            raise Unable(f"{self._card.name}: the time was up before anything could be asked for: set timeout higher")
        return None


def _refuse_rogues(ask: Dhcp, names: list[str], fields: dict[str, Value], details: dict[str, object]) -> None:
    if ask.servers:
        rogues = [name for name in names if name not in ask.servers]
        reason = f"{', '.join(rogues)} should not answer"
    else:
        rogues = names if len(names) > 1 else []
        reason = f"{len(names)} servers answer: {', '.join(names)}; if they belong here, name them in servers"
    if rogues:
        raise Failed("rogue", reason, fields=fields, details=details)


def _row(offer: Reply) -> dict[str, object]:
    """Return an offer for people; it stays on the device."""
    row = {
        "server": offer.name,
        "mac": offer.mac.hex(":"),
        "address": f"{offer.address}/{offer.prefix}",
        "router": offer.router,
        "resolvers": ",".join(offer.resolvers),
        "lease_s": offer.lease_s,
        "captive_api_url": offer.captive_api_url,
    }
    return {name: value for name, value in row.items() if value}
