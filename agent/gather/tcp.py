"""A connection to another device, opened within a deadline; how it fails is told in the words of the probes."""

import errno
import queue
import socket
import threading
import time
from typing import Any, NamedTuple

from agent.deadline import Deadline
from agent.outcome import Failed, Unable

_NAMES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.EACCES: "forbidden by a firewall here",
    errno.EPERM: "forbidden by a firewall here",
}


class Connected(NamedTuple):
    """An open connection, and how long its handshake took (s): one round trip (RFC 2681)."""

    sock: socket.socket
    connect_s: float

    @property
    def rtt_ms(self) -> float:
        """The round trip in ms, to the microsecond."""
        return round(self.connect_s * 1000, 3)


def connect(host: str, port: int, deadline: Deadline) -> Connected:
    """
    Open a connection to the first address of the host that answers; each gets an equal share of the time left.

    Failed `resolve` (code: EAI number) or `connect` (errno). Unable: there is no host to connect to.
    """
    if not host:
        raise Unable("no address is given: where is the device?")
    addresses = _addresses(host, port, deadline)
    last: OSError = TimeoutError()
    for tried, (family, sockaddr) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left_s() / (len(addresses) - tried))
            begun = time.perf_counter()
            sock.connect(sockaddr)
            return Connected(sock, time.perf_counter() - begun)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
    raise Failed("connect", f"{host} port {port}: {describe(last)}", code_of(last))


def describe(error: OSError) -> str:
    """Return an error of a connection in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return _NAMES.get(error.errno or 0) or error.strerror or str(error)


def code_of(error: OSError) -> int | None:
    """Return the errno of an error of a connection."""
    return errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno


def _addresses(host: str, port: int, deadline: Deadline) -> list[tuple[int, Any]]:
    """Return family and socket address of a host; a name is asked of the system in a thread: it knows no deadline."""
    try:
        return _look_up(host, port, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    answers: queue.SimpleQueue[list[tuple[int, Any]] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_look_up(host, port, 0))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise Failed("resolve", f"{host}: no name server answers") from None
    if isinstance(answer, list):
        return answer
    code = answer.errno if isinstance(answer, socket.gaierror) else None
    raise Failed("resolve", f"{host}: {answer.strerror if isinstance(answer, OSError) else answer}", code)


def _look_up(host: str, port: int, flags: int) -> list[tuple[int, Any]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return sorted({(int(entry[0]), entry[4]) for entry in found})
