"""
DNS: a question to a name server (RFC 1035), and whether it invents addresses for names that do not exist.

`rtt_ms` is the time from the first question to the answer: one repetition and, where the answer is too long for UDP,
the question by TCP (RFC 7766) are in it. Only an answer from the server's own address and port, with our id and our
question, is one (RFC 5452 §9); whatever else comes in is passed over until the time is up.

Stages: `reply` (no answer; code: errno), `answer` (the server says no; code: RCODE, 0 where the name has no address of
the type), `expected` (an address is not among those expected), `hijack` (it gives an address for a name that cannot
exist: a captive portal, or a provider that sells mistyped names), `threshold`. A zone with a wildcard is not taken for
a hijack: the names that cannot exist are not of the target's zone (`dns_packets.absent_names`).
"""

import errno
import socket
import time
from pathlib import Path
from typing import NamedTuple

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import dns_packets
from agent.probe.base import Via
from agent.probe.dns_packets import Answer, Question
from agent.probe.net import Address, bind, dial, endpoint, milliseconds
from agent.probe.settings import Dns
from agent.probe.values import Resolver
from agent.sockets import describe

RESOLV_CONF = Path("/etc/resolv.conf")
_REPEAT_S = 2.0
_HIJACK_S = 2.0  # the most that a question for a name that cannot exist may take
_LARGEST = 65535


class _Asked(NamedTuple):
    question: Question
    server: Resolver
    via: Via


def probe(ask: Dns, via: Via) -> Outcome:
    """Ask for the target's addresses, then for names that cannot exist."""
    deadline = Deadline(ask.timeout)
    asked = _Asked(dns_packets.question(ask.target, ask.type), _server(ask, via), via)
    begun = time.perf_counter()
    found = _ask(asked, deadline)
    took_s = time.perf_counter() - begun
    fields = {"rtt_ms": milliseconds(took_s)}
    details: dict[str, object] = {"resolver": asked.server, "addresses": list(found.addresses)}
    if not found.addresses:
        raise Failed("answer", f"{asked.server} says {found}", found.rcode, fields, details)
    if wrong := [address for address in found.addresses if not _is_expected(address, ask)]:
        raise Failed("expected", f"{', '.join(wrong)} is not expected", fields=fields, details=details)
    if ask.hijack and (lie := _lie(asked, deadline)):
        reason = f"{asked.server} gives {lie} for a name that does not exist"
        raise Failed("hijack", reason, fields=fields, details=details)
    if ask.max_rtt is not None and took_s > ask.max_rtt:
        reason = f"{took_s * 1000:.1f} ms, allowed are {ask.max_rtt * 1000:g} ms"
        raise Failed("threshold", reason, fields=fields, details=details)
    return Outcome(True, fields=fields, details=details)


def lookup(host: str, deadline: Deadline, via: Via) -> list[str]:
    """
    Return the IPv4 addresses of a name, asked from the name servers of the way; Failed `resolve` (code: RCODE).

    The next one is asked when one is silent or broken, not when it says that there is none. Each gets an equal share
    of the time that is left.
    """
    servers = via.resolvers or tuple(_system_servers())
    last = Failed("resolve", f"{host}: there is no name server")
    for tried, text in enumerate(servers):
        share = Deadline(deadline.left_s() / (len(servers) - tried))
        try:
            asked = _Asked(dns_packets.question(host), Resolver.parse(text), via)
            found = _ask(asked, share)
        except Failed as failed:
            last = Failed("resolve", f"{host}: {failed.reason}", failed.code)
        except ValueError as error:
            last = Failed("resolve", f"{host}: {error}")
        else:
            if found.addresses:
                return list(found.addresses)
            last = Failed("resolve", f"{host}: {text} says {found}", found.rcode)
            if found.rcode in (dns_packets.NOERROR, dns_packets.NXDOMAIN):
                break
    raise last


def _server(ask: Dns, via: Via) -> Resolver:
    """Return the name server that is asked; Unable when there is none."""
    if ask.resolver:
        return ask.resolver
    texts = via.resolvers or tuple(_system_servers())
    if not texts:
        raise Unable(f"there is no name server in {RESOLV_CONF}: set resolver")
    try:
        server = Resolver.parse(texts[0])
    except ValueError as error:
        raise Unable(str(error)) from None
    if via.interface not in ("", "lo") and server.host.startswith("127."):
        raise Unable(f"the name server {server} is this machine itself: set resolver, or leave interface out")
    return server


def _system_servers() -> list[str]:
    try:
        return dns_packets.name_servers(RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def _is_expected(address: str, ask: Dns) -> bool:
    return not ask.expect or any(network.holds(address) for network in ask.expect)


def _lie(asked: _Asked, deadline: Deadline) -> str:
    """Return an address that the server gives for a name that cannot exist; empty when it gives none in time."""
    for name in dns_packets.absent_names(time.time()):
        if deadline.is_over:
            break
        try:
            found = _ask(asked._replace(question=dns_packets.question(name)), Deadline(deadline.left_s(_HIJACK_S)))
        except Failed:  # a network that is cut off from the Internet need not answer this
            continue
        if found.addresses:
            return found.addresses[0]
    return ""


def _ask(asked: _Asked, deadline: Deadline) -> Answer:
    """Ask one question; Failed `reply` (code: errno) when no answer comes."""
    try:
        answer = _by_udp(asked, deadline)
        return _by_tcp(asked, deadline) if answer.is_truncated else answer
    except OSError as error:
        code = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
        raise Failed("reply", f"{asked.server}: {describe(error)}", code) from None


def _by_udp(asked: _Asked, deadline: Deadline) -> Answer:
    """Ask, and once again when nothing has come for a while; OSError."""
    where = endpoint(asked.server.host, asked.server.port)
    with socket.socket(where.family, socket.SOCK_DGRAM) as sock:
        bind(sock, asked.via)
        sock.connect(where.sockaddr)  # the kernel lets nothing from elsewhere in, and tells of refused ports
        wire, strangers = asked.question.to_wire(), 0
        for part in (Deadline(min(_REPEAT_S, deadline.left_s() / 2)), deadline):
            sock.send(wire)
            while not part.is_over:
                sock.settimeout(part.left_s())
                try:
                    if answer := dns_packets.answer(sock.recv(_LARGEST), asked.question):
                        return answer
                except TimeoutError:
                    break
                strangers += 1
    said = f"no answer, but {strangers} datagrams that are none" if strangers else "no answer"
    raise Failed("reply", f"{asked.server}: {said}", errno.ETIMEDOUT)


def _by_tcp(asked: _Asked, deadline: Deadline) -> Answer:
    """Ask by TCP what is too long for UDP; OSError, or Failed `reply`."""
    address = Address(endpoint(asked.server.host, asked.server.port).family, asked.server.host)
    try:
        connected = dial(address, asked.server.port, deadline.left_s(), asked.via)
    except OSError as error:
        code = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
        raise Failed("reply", f"too long for UDP, and by TCP {describe(error)}", code) from None
    with connected.sock as sock:
        wire = asked.question.to_wire()
        sock.settimeout(deadline.left_s())
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(_read(sock, 2, deadline), "big")
        if answer := dns_packets.answer(_read(sock, size, deadline), asked.question):
            return answer._replace(is_truncated=False)
    raise Failed("reply", f"{asked.server}: what comes by TCP is no answer")


def _read(sock: socket.socket, size: int, deadline: Deadline) -> bytes:
    """Return `size` bytes; TimeoutError, or ConnectionResetError when the server closes before."""
    received = b""
    while len(received) < size:
        if deadline.is_over:
            raise TimeoutError
        sock.settimeout(deadline.left_s())
        part = sock.recv(size - len(received))
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        received += part
    return received
