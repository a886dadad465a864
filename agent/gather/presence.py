"""Presence 在线记录: the minute's sample of the agent about itself."""

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from agent.gather.network import answers_ping, answers_tcp, default_gateway, neighbour
from contract.sample import Sample, Value

TRIES = 3
_GATEWAY_PORT = 53
# What a round found is kept before its minute is over (`agent.clock.round_phase_ns`): no network may hold it up longer.
_LONGEST_S = 10.0


class Presence:
    """
    Source `presence`.

    `lan`: the gateway answers (a fresh neighbour entry, an ICMP echo, or a TCP answer). `wan`: one of the reference
    targets answers; absent without any, and never asked of our own broker: an outage of the centre is not one of the
    class. `broker`: MQTT is connected.
    """

    name = "presence"

    def __init__(
        self,
        boot: str,
        asleep_s: Callable[[], float],
        is_connected: Callable[[], bool],
        gateway: str = "auto",
        references: tuple[str, ...] = (),
        timeout_s: float = 1.0,
    ) -> None:
        self._boot = boot
        self._asleep_s = asleep_s
        self._is_connected = is_connected
        self._gateway = gateway
        self._references = references
        self._timeout_s = timeout_s

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield the sample; `uptime_s` is that of the instant, the pipeline moves it to the minute's boundary."""
        fields: dict[str, Value] = {
            "boot": self._boot,
            "uptime_s": at_ns / 1e9,
            "asleep_s": max(0.0, round(self._asleep_s(), 3)),
            "broker": int(self._is_connected()),
        }
        begin = time.monotonic()
        if self._gateway != "none":
            fields["lan"] = int(self._lan(begin + _LONGEST_S / 2))
        if (wan := self._wan(begin + _LONGEST_S)) is not None:
            fields["wan"] = int(wan)
        yield Sample("presence", fields, at_ns)

    def _lan(self, deadline: float) -> bool:
        """Ask the gateway, up to three times before the deadline."""
        found = default_gateway() if self._gateway == "auto" else None
        address = found.address if found else self._gateway
        if address == "auto":
            return False
        return _is_fresh(address) or any(
            answers_ping(address, self._timeout_s)
            or answers_tcp(address, _GATEWAY_PORT, self._timeout_s)
            or _is_fresh(address)
            for number in range(TRIES)
            if number == 0 or time.monotonic() < deadline
        )

    def _wan(self, deadline: float) -> bool | None:
        """Ask every reference, up to three times before the deadline; None when none could be asked."""
        answer: bool | None = None
        for _ in range(TRIES):
            for reference in self._references:
                one = _answers(reference, self._timeout_s)
                if one:
                    return True
                answer = answer if one is None else False
                if time.monotonic() > deadline:
                    return answer
        return answer


def _is_fresh(address: str) -> bool:
    try:
        entry = neighbour(address)
    except OSError:
        return False
    return entry is not None and entry.is_fresh


def _answers(reference: str, timeout_s: float) -> bool | None:
    parts = urlsplit(reference)
    if parts.scheme == "icmp":
        return answers_ping(parts.netloc, timeout_s)
    return answers_tcp(parts.hostname or "", parts.port or 0, timeout_s)
