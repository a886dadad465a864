"""From the name of a host to an open connection, by the chosen way and its own name servers."""

import errno
import queue
import socket
import threading

from agent.deadline import Deadline
from agent.outcome import Failed
from agent.probe.base import Via
from agent.probe.dns import lookup
from agent.probe.net import Address, Connected, describe, dial


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
    return _system_resolve(host, deadline)


def _system_resolve(host: str, deadline: Deadline) -> list[Address]:
    """Ask the system in a thread, since getaddrinfo knows no deadline of ours."""
    answers: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(sorted({Address(entry[0], str(entry[4][0])) for entry in found}))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise Failed("resolve", f"{host}: no name server answers") from None
    if isinstance(answer, socket.gaierror):
        raise Failed("resolve", f"{host}: {answer.strerror}", answer.errno)
    if isinstance(answer, list):
        return answer
    raise Failed("resolve", f"{host}: {answer}")


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
    code = errno.ETIMEDOUT if isinstance(last, TimeoutError) else last.errno
    raise Failed("connect", f"{peer}: {describe(last)}", code)
