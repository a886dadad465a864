"""
TCP: a connection is opened and closed (RFC 9293). Nothing is sent through it.

Stages: `resolve` (code: EAI number), `connect` (code: errno), `threshold`.
"""

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome
from agent.probe.base import Via
from agent.probe.connect import connect
from agent.probe.net import milliseconds
from agent.probe.settings import Tcp


def probe(ask: Tcp, via: Via) -> Outcome:
    """Connect once; `rtt_ms` is the time of the handshake, one round trip."""
    connected = connect(ask.target.host, ask.target.port, Deadline(ask.timeout), via)
    connected.sock.close()
    fields = {"rtt_ms": milliseconds(connected.connect_s)}
    details = {"address": connected.peer.address}
    if ask.max_rtt is not None and connected.connect_s > ask.max_rtt:
        reason = f"{connected.connect_s * 1000:.1f} ms, allowed are {ask.max_rtt * 1000:g} ms"
        raise Failed("threshold", reason, fields=fields, details=details)
    return Outcome(True, fields=fields, details=details)
