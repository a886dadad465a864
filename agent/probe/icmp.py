"""
ICMP: echo requests and their replies (RFC 792, RFC 4443 §4), and how many come back, after how long, how evenly.

`rtt_ms` is the median round trip of those answered (RFC 2681 §4.2), taken in this process, so that the time of a
busy machine is in it; `loss_percent` the share that was not answered by the end of the probe (RFC 7680, RFC 2681);
`jitter_ms` that of RFC 3550 §6.4.1 over consecutive answers in the order of arrival, where D is the difference of two
round trips and J begins at the mean of all |D| (`icmp_packets.jitter_s` says why).

A name that takes long to resolve leaves time for fewer packets: only those are sent whose replies can be waited for.

Stages: `resolve` (code: EAI number or DNS rcode, none where the answer came too late to send anything), `send` (none
could be sent; code: errno), `reply` (none was answered; code: type * 256 + code of the ICMP error that came instead,
none in silence), `threshold`.

A datagram socket of the kernel's where net.ipv4.ping_group_range lets us, else a raw one, which needs CAP_NET_RAW.
"""

import os
import socket
import struct
import time
from typing import NamedTuple

from agent import echo
from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import sense
from agent.probe.base import Via
from agent.probe.connect import resolve
from agent.probe.icmp_packets import IP_RECVERR, IPV6_RECVERR, SOL_IP, SOL_IPV6, Tally, median, refusal
from agent.probe.net import Address, bind, endpoint, milliseconds
from agent.probe.settings import Icmp
from agent.probe.values import is_address
from agent.sockets import describe

DATA_BYTES = 24  # random; with the ICMP header 32 bytes
_SLACK = 0.1  # of the wait for the last packet may be gone when a name was resolved at once
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1  # <linux/icmp.h>, <linux/icmpv6.h>
_PRIVILEGE = "allow it with: sysctl net.ipv4.ping_group_range='0 2147483647', or give the agent CAP_NET_RAW"


class _Socket(NamedTuple):
    sock: socket.socket
    family: int
    is_raw: bool

    def icmp(self, packet: bytes) -> bytes:
        """Return the ICMP message of a received packet: raw IPv4 sockets have an IP header before it."""
        return echo.payload(packet) if self.is_raw and self.family == socket.AF_INET else packet


def probe(ask: Icmp, via: Via) -> Outcome:
    """Send `packets` requests, one an `interval`, and take down what comes back until all are answered."""
    if words := sense.icmp_time(ask):
        raise Unable(words)
    deadline = Deadline(ask.timeout)
    address = resolve(ask.target, deadline, via)[0]
    if not is_address(ask.target):
        ask = ask._replace(packets=_fitting(ask, deadline.left_s()))
    if not ask.packets:
        raise Failed("resolve", f"{ask.target}: its name servers are so slow that no time was left to send anything")
    with _open(address, via) as opened:
        tally, error = _run(_Socket(opened, address.family, opened.type == socket.SOCK_RAW), ask, deadline)
    details: dict[str, object] = {"address": address.address, "sent": tally.sent, "duplicates": tally.duplicates}
    if not tally.sent:
        raise Unable("this machine stood still until the time was up: nothing was sent")
    if tally.unsent == tally.sent:
        raise Failed("send", f"{address.address}: {describe(error)}", error.errno, details=details)
    rtts_s = tally.rtts_s
    if not rtts_s:
        why = tally.refusal or "silence"
        code = tally.refusal.number if tally.refusal else None
        raise Failed(
            "reply", f"{address.address}: {tally.sent} sent, none answered: {why}", code, tally.fields(), details
        )
    details |= {"answered": len(rtts_s), "min_ms": milliseconds(min(rtts_s)), "max_ms": milliseconds(max(rtts_s))}
    _check_thresholds(ask, tally, details)
    return Outcome(True, fields=tally.fields(), details=details)


def _fitting(ask: Icmp, left_s: float) -> int:
    """Return how many packets can be sent in what is left of the time, so that the last one can be waited for."""
    last_s = sense.last_reply_s(ask.timeout) * (1 - _SLACK)
    return min(ask.packets, 1 + int((left_s - last_s) / ask.interval)) if left_s >= last_s else 0


def _check_thresholds(ask: Icmp, tally: Tally, details: dict[str, object]) -> None:
    fields, rtt_s = tally.fields(), median(tally.rtts_s)
    loss_percent = 100 * (1 - len(tally.rtts_s) / tally.sent)
    if loss_percent > ask.max_loss_percent:
        reason = f"{loss_percent:.1f} % lost, allowed are {ask.max_loss_percent:g} %"
        raise Failed("threshold", reason, fields=fields, details=details)
    if ask.max_rtt is not None and rtt_s > ask.max_rtt:
        reason = f"{rtt_s * 1000:.1f} ms, allowed are {ask.max_rtt * 1000:g} ms"
        raise Failed("threshold", reason, fields=fields, details=details)


def _open(address: Address, via: Via) -> socket.socket:
    """Return a socket connected to the address, which takes its answers alone; Unable without privilege."""
    sock = _socket(address.family)
    try:
        bind(sock, via)
        if address.family == socket.AF_INET:
            sock.setsockopt(SOL_IP, IP_RECVERR, 1)
        else:
            sock.setsockopt(SOL_IPV6, IPV6_RECVERR, 1)
        sock.connect(endpoint(address.address, 0).sockaddr)
    except OSError as error:
        sock.close()
        raise Failed("send", f"{address.address}: {describe(error)}", error.errno) from None
    except BaseException:
        sock.close()
        raise
    return sock


def _socket(family: int) -> socket.socket:
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:  # EACCES, or EPROTONOSUPPORT of a kernel without it
        pass
    try:
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    except PermissionError:
        raise Unable(f"echo requests are not allowed to this user: {_PRIVILEGE}") from None
    except OSError as error:
        raise Unable(f"no ICMP here: {error.strerror}") from None
    # Nothing but echo replies wakes us: other machines' neighbour discovery and the like does not.
    if family == socket.AF_INET:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << echo.REPLY) & 0xFFFFFFFF))
    else:
        blocked = [0xFFFFFFFF] * 8
        blocked[echo.REPLY6 >> 5] &= ~(1 << (echo.REPLY6 & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))
    return sock


def _run(link: _Socket, ask: Icmp, deadline: Deadline) -> tuple[Tally, OSError]:
    """Send and receive until everything is answered or the time is up; return also the last error of sending."""
    tally, failure = Tally(), OSError()
    first_seq, identifier = (int.from_bytes(os.urandom(2), "big") for _ in range(2))
    kind = echo.REQUEST if link.family == socket.AF_INET else echo.REQUEST6
    begun = time.perf_counter()
    for number in range(ask.packets):
        due = begun + number * ask.interval
        while (wait_s := due - time.perf_counter()) > 0 and not deadline.is_over:
            _receive(link, tally, deadline.left_s(wait_s))
        if deadline.is_over:
            break  # this machine stood still: what was not tried is not lost
        seq, data = (first_seq + number) & 0xFFFF, os.urandom(DATA_BYTES)
        packet = echo.request(seq, data, identifier, kind)
        tally.send(seq, data, time.perf_counter())
        if error := _send(link, packet, tally):
            tally.fail(seq)
            failure = error
    while not tally.is_settled and not deadline.is_over:
        _receive(link, tally, deadline.left_s())
    return tally, failure


def _send(link: _Socket, packet: bytes, tally: Tally) -> OSError | None:
    """Send one packet. An ICMP error of an earlier one, which the kernel tells at this occasion, is not its own."""
    error: OSError | None = None
    for _ in range(3):
        try:
            link.sock.send(packet)
        except OSError as failed:
            error = failed
            _take_errors(link, tally)
        else:
            return None
    return error


def _receive(link: _Socket, tally: Tally, wait_s: float) -> None:
    """Wait for one packet or error, at most `wait_s`."""
    link.sock.settimeout(wait_s)
    try:
        packet = link.sock.recv(2048)
    except TimeoutError:
        return
    except OSError:
        if not _take_errors(link, tally):
            time.sleep(min(wait_s, 0.01))  # an error that stays must not keep the machine busy
        return
    tally.hear(link.icmp(packet), time.perf_counter())


def _take_errors(link: _Socket, tally: Tally) -> int:
    """Read the socket's error queue; return how many were in it."""
    link.sock.settimeout(0)
    taken = 0
    while True:
        try:
            quoted, ancillary, _, _ = link.sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return taken
        taken += 1
        if error := refusal(quoted, ancillary):
            tally.refuse(error)
