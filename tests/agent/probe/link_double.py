"""A double of a card and of what stands behind it: a peer that answers frames with frames, without a network."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from agent.deadline import Deadline
from agent.probe.link import Card, Instruction

MAC = bytes.fromhex("025a0000000a")
CARD = Card("eth0", MAC, "192.0.2.10", 24)
Peer = Callable[[bytes], list[bytes]]


class Clock:
    """Stands for the module time in agent.probe.net: deadlines go by a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s


class LinkDouble:
    """Stands for agent.probe.link.Link: `peer` is given each frame that is sent; what it returns comes in."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._incoming: list[bytes] = []
        self._now_s = 0.0
        self.sent: list[bytes] = []

    def __call__(self, _card: Card, _ether_type: int, program: Sequence[Instruction]) -> Self:
        """Take the place of the class."""
        assert program
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        pass

    def send(self, frame: bytes) -> float:
        """Give a frame to the peer."""
        self.sent.append(frame)
        self._incoming += self._peer(frame)
        return self._now_s

    def receive(self, _until: Deadline) -> Iterator[tuple[bytes, float]]:
        """Yield what the peer has sent; then the time is up. Each frame takes a millisecond."""
        while self._incoming:
            self._now_s += 0.001
            yield self._incoming.pop(0), self._now_s
