"""From the name of a host to an open connection, by the chosen way and its own name servers."""

import socket

from agent.deadline import Deadline
from agent.outcome import Failed
from agent.probe.base import Via
from agent.probe.dns import lookup
from agent.probe.net import Address, Connected, dial
from agent.sockets import addresses_of, code_of, describe


def resolve(host: str, deadline: Deadline, via: Via = Via()) -> list[Address]:  # noqa: B008  a constant
    """
    Return the addresses of a host, IPv4 first; those of the way's own name servers where it has any.

    Failed `resolve`: there are none, or no name server answers in time.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])  # fe80::1%eth0
        except OSError:
            continue
        return [Address(family, host)]
    if via.resolvers:
        return [Address(socket.AF_INET, address) for address in lookup(host, deadline, via)]
    return [Address(family, address) for family, address in addresses_of(host, deadline)]


def connect(host: str, port: int, deadline: Deadline, via: Via = Via()) -> Connected:  # noqa: B008  a constant
    """
    Open a TCP connection to the first address of the host that answers; Failed `resolve` or `connect` (code: errno).

    Each address gets an equal share of the time that is left.
    """
    addresses = resolve(host, deadline, via)
    last: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        try:
            return dial(address, port, deadline.left_s() / (len(addresses) - tried), via)
        except OSError as error:
            last = error
    peer = f"{addresses[-1].address} port {port}" if addresses else host
    raise Failed("connect", f"{peer}: {describe(last)}", code_of(last))
