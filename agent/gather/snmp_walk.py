"""
All that an SNMP device has below some roots, each value with its type: for recordings, not for readings.

    for batch in walk(device, [oid("1.3.6.1.2.1.1")]):      device: Walker(way, 161, timeout=5)
        …                                                   Varbind((1, 3, …, 0), 4, b"Linux")
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from snmp import ErrorResponse, ErrorStatus
from snmp.smi import OID, Counter32, Counter64, Gauge32, Integer32, IpAddress, OctetString, Opaque, TimeTicks

from agent.gather.read import Way
from agent.gather.snmp_session import Session
from agent.gather.snmp_values import Oid, dotted
from agent.outcome import Failed

INTEGER, OCTETS, IDENTIFIER, ADDRESS, OPAQUE = 2, 4, 6, 64, 68  # tags of ASN.1 and RFC 2578
_NUMBERS = {Integer32: INTEGER, Counter32: 65, Gauge32: 66, TimeTicks: 67, Counter64: 70}
_BYTES = {IpAddress: ADDRESS, Opaque: OPAQUE, OctetString: OCTETS}
_REPETITIONS = 24  # a first question for more may cost an answer in fragments, which firewalls drop
_SMALLER = frozenset({ErrorStatus.tooBig, ErrorStatus.genErr})


class Varbind(NamedTuple):
    """One object: its name, the tag of its type, and its value; bytes where the type is made of octets."""

    oid: Oid
    tag: int
    value: int | bytes | Oid


class Walker(Session):
    """A device that is asked as often as need be; `timeout` is for each question."""

    def __init__(self, way: Way, port: int, timeout: float) -> None:
        super().__init__(way, port, timeout)
        self._patience_s = timeout

    def after(self, name: Oid, repetitions: int = _REPETITIONS) -> list[Varbind]:
        """Return what follows an identifier, at most so many; nothing at the end of the device."""
        self._ends_at = time.monotonic() + self._patience_s
        try:
            answer = self._ask(self._manager.getBulk, [name], maxRepetitions=repetitions)
        except ErrorResponse as error:
            if repetitions > 1 and error.status in _SMALLER:
                return self.after(name, max(1, repetitions // 4))
            raise Failed(
                "answer", f"the device answers with the error {error.status.name}", int(error.status)
            ) from None
        return [Varbind(oid, *typed) for oid, value in answer if (typed := _typed(value))]


def walk(
    device: Walker, roots: Sequence[Oid], is_left_out: Callable[[Oid], Oid | None] = lambda _: None
) -> Iterator[list[Varbind]]:
    """
    Yield what is below the roots, a few at a time.

    `is_left_out` returns the root of what is not even asked for, of which the name is part. Failed where the device
    falls silent; in the end where it went round in a circle below a root, of which the rest is not read.
    """
    circle: Failed | None = None
    for root in roots:
        at = root
        while True:
            answer = device.after(at)
            found: list[Varbind] = []
            before = at
            for one in answer:
                if one.oid <= at:
                    reason = f"after {dotted(at)} comes {dotted(one.oid)}: it goes round in a circle"
                    circle = circle or Failed("answer", reason)
                    at = before
                    break
                at = one.oid
                if above := is_left_out(at):
                    at = (*above[:-1], above[-1] + 1)
                    break
                if at[: len(root)] == root:
                    found.append(one)
            if found:
                yield found
            if at == before or at[: len(root)] != root:
                break
    if circle:
        raise circle


def _typed(value: Any) -> tuple[int, int | bytes | Oid] | None:
    """Return tag and value; None where the device has none (endOfMibView, NULL)."""
    for kind, tag in _NUMBERS.items():
        if type(value) is kind:
            return tag, int(value.value)
    for kind, tag in _BYTES.items():
        if isinstance(value, kind):
            return tag, bytes(value.data)
    return (IDENTIFIER, tuple(value)) if isinstance(value, OID) else None
