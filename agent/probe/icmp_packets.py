"""Echo requests and what becomes of them, without a network: matching, errors, statistics."""

import socket
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from agent.echo import REPLY, REPLY6, parse
from contract.sample import Value

SOL_IP, IP_RECVERR, SOL_IPV6, IPV6_RECVERR = 0, 11, 41, 25  # <linux/in.h>, <linux/in6.h>
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3  # <linux/errqueue.h>
_MEANINGS = {
    (3, 0): "no route to the network",
    (3, 1): "no such host there",
    (3, 2): "it does not speak ICMP",
    (3, 9): "forbidden by a firewall",
    (3, 10): "forbidden by a firewall",
    (3, 13): "forbidden by a firewall",
    (11, 0): "the packets go round in circles",
}
_MEANINGS6 = {
    (1, 0): "no route to the network",
    (1, 1): "forbidden by a firewall",
    (1, 3): "no such host there",
    (1, 4): "it does not speak ICMP",
    (1, 5): "forbidden by a firewall",
    (1, 6): "no route to the network",
    (3, 0): "the packets go round in circles",
}


class Refusal(NamedTuple):
    """An ICMP error about one of our packets: type, code, who sent it (empty when unknown), and the packet quoted."""

    family: int
    type: int
    code: int
    sender: str
    quoted: bytes

    @property
    def number(self) -> int:
        """Type and code as one number."""
        return self.type * 256 + self.code

    def __str__(self) -> str:
        """Return it in a few words."""
        meanings = _MEANINGS6 if self.family == socket.AF_INET6 else _MEANINGS
        meaning = meanings.get((self.type, self.code), f"ICMP type {self.type} code {self.code}")
        return f"{meaning}, says {self.sender}" if self.sender else meaning


def refusal(quoted: bytes, ancillary: Sequence[tuple[int, int, bytes]]) -> Refusal | None:
    """
    Return the ICMP error that a datagram of the error queue is (ip(7), ipv6(7): IP_RECVERR).

    None for what is no ICMP error, such as one of the sending machine itself.
    """
    for level, kind, data in ancillary:
        if (level, kind) not in ((SOL_IP, IP_RECVERR), (SOL_IPV6, IPV6_RECVERR)) or len(data) < 16:
            continue
        origin, icmp_type, code = struct.unpack_from("4xBBB", data)
        if origin in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
            family = socket.AF_INET if origin == _ORIGIN_ICMP else socket.AF_INET6
            return Refusal(family, icmp_type, code, _sender(data[16:]), quoted)
    return None


def _sender(address: bytes) -> str:
    """Return the address of a struct sockaddr, empty when it is none of ours."""
    if len(address) < 8:
        return ""
    (family,) = struct.unpack_from("=H", address)
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, address[4:8])
    if family == socket.AF_INET6 and len(address) >= 24:
        return socket.inet_ntop(socket.AF_INET6, address[8:24])
    return ""


class _Sent(NamedTuple):
    data: bytes
    at_s: float


class Tally:
    """
    What was sent and what came back; all times in seconds of one clock.

    A reply belongs to a request when sequence number and data are its own: other programs' replies, late ones of an
    earlier run and invented ones belong to none. The first reply counts, whatever the order; others are duplicates.
    """

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}
        self._rtts_s: dict[int, float] = {}  # in the order of arrival
        self._unanswerable: set[int] = set()
        self.refusal: Refusal | None = None
        self.duplicates = 0
        self.unsent = 0

    def send(self, seq: int, data: bytes, at_s: float) -> None:
        """Take down a request; its data must be unpredictable."""
        self._sent[seq] = _Sent(data, at_s)

    def hear(self, packet: bytes, at_s: float) -> None:
        """Take down an ICMP message that came in, whatever it is."""
        echo = parse(packet)
        if echo is None or echo.type not in (REPLY, REPLY6):
            return
        sent = self._sent.get(echo.seq)
        if sent is None or sent.data != echo.data:
            return
        if echo.seq in self._rtts_s:
            self.duplicates += 1
        else:
            self._rtts_s[echo.seq] = max(0.0, at_s - sent.at_s)

    def refuse(self, error: Refusal) -> None:
        """Take down an ICMP error; it quotes our packet, or at least its first eight bytes (RFC 792, RFC 4884)."""
        echo = parse(error.quoted)
        sent = self._sent.get(echo.seq) if echo else None
        if echo and sent and (sent.data.startswith(echo.data) or echo.data.startswith(sent.data)):
            self._unanswerable.add(echo.seq)
            self.refusal = error

    def fail(self, seq: int) -> None:
        """Take down that a request could not be sent after all: it is lost."""
        self._unanswerable.add(seq)
        self.unsent += 1

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing more is to be waited for."""
        return len(self._rtts_s.keys() | self._unanswerable) == len(self._sent)

    @property
    def sent(self) -> int:
        """The number of requests, those included that could not be sent."""
        return len(self._sent)

    @property
    def rtts_s(self) -> list[float]:
        """The round trips of the answered requests, in the order of arrival."""
        return list(self._rtts_s.values())

    def fields(self) -> dict[str, Value]:
        """Return `rtt_ms` (the median), `loss_percent`, `jitter_ms`; what cannot be known is left out."""
        rtts_s = self.rtts_s
        fields: dict[str, Value] = {"loss_percent": round(100 * (1 - len(rtts_s) / self.sent), 3)}
        if rtts_s:
            fields["rtt_ms"] = round(1000 * median(rtts_s), 3)
        if len(rtts_s) > 1:
            fields["jitter_ms"] = round(1000 * jitter_s(rtts_s), 3)
        return fields


def median(values: Sequence[float]) -> float:
    """Return the middle of the values, of which there is at least one (RFC 2681 §4.2)."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def jitter_s(rtts_s: Sequence[float]) -> float:
    """
    Return the jitter of at least two round trips in their order of arrival: J += (|D| - J) / 16 (RFC 3550 §6.4.1).

    J begins at the mean of all |D|. RFC 3550 begins at 0, where J has come to no more than 44 % of what it shall be
    after nine differences, since it is meant for streams of thousands of packets. Any beginning that is a weighted
    mean of the |D| makes J unbiased; the plain mean scatters least. In long runs the beginning is forgotten.
    """
    differences = [abs(later - earlier) for earlier, later in pairwise(rtts_s)]
    jitter = sum(differences) / len(differences)
    for difference in differences:
        jitter += (difference - jitter) / 16
    return jitter
