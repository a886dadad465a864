"""A connection to another device, opened within a deadline; how it fails is told in the words of the probes."""

import socket
import time
from typing import Any, NamedTuple

from agent.deadline import Deadline
from agent.outcome import Failed, Unable
from agent.sockets import addresses_of, code_of, describe


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
    addresses = addresses_of(host, deadline)
    last: OSError = TimeoutError()
    for tried, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left_s() / (len(addresses) - tried))
            begun = time.perf_counter()
            sock.connect(_endpoint(address, port))
            return Connected(sock, time.perf_counter() - begun)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
    raise Failed("connect", f"{host} port {port}: {describe(last)}", code_of(last))


def _endpoint(address: str, port: int) -> Any:
    """Return the socket address of a numeric one; asking the system for it anew needs no name server."""
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]
