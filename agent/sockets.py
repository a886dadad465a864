"""What probes and sources share of connections: addresses of a name within a deadline, and errors in a few words."""

import errno
import queue
import socket
import threading
from ipaddress import IPv6Address
from typing import Any

from agent.deadline import Deadline
from agent.outcome import Failed, Unable

_NAMES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ETIMEDOUT: "no answer",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.EACCES: "forbidden by a firewall here",
    errno.EPERM: "forbidden by a firewall here",
}


def describe(error: OSError) -> str:
    """Return an error of a socket in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return _NAMES.get(error.errno or 0) or error.strerror or str(error)


def code_of(error: OSError) -> int | None:
    """Return the errno of an error of a socket."""
    return errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno


def addresses_of(host: str, deadline: Deadline) -> list[tuple[int, str]]:
    """
    Return family and address of each that the system has for a name; an address is its own.

    Failed `resolve` (code: EAI number). Unable: the address is of one link (fe80::) and does not say of which.
    A name is asked in a thread, since getaddrinfo knows no deadline of ours.
    """
    try:
        found = _look_up(host, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    else:
        _check_link(host, found)
        return found
    answers: queue.SimpleQueue[list[tuple[int, str]] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_look_up(host, 0))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise Failed("resolve", f"{host}: no name server answers") from None
    if isinstance(answer, list):
        return answer
    if isinstance(answer, socket.gaierror):
        raise Failed("resolve", f"{host}: {answer.strerror}", answer.errno)
    raise Failed("resolve", f"{host}: {answer}")


def _check_link(host: str, found: list[tuple[int, str]]) -> None:
    """Refuse a link-local address without its interface, which the system only calls an invalid argument (RFC 4007)."""
    for family, address in found:
        if family == socket.AF_INET6 and "%" not in address and IPv6Address(address).is_link_local:
            raise Unable(f"{host} is an address of one link: write the interface behind it, as {host}%eth0")


def _look_up(host: str, flags: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    return sorted({(int(entry[0]), _scoped(entry[4])) for entry in found})


def _scoped(sockaddr: tuple[Any, ...]) -> str:
    """Return the address, with the number of its interface where it is of one link (RFC 4007)."""
    address = str(sockaddr[0])
    scope = sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address
