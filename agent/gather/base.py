"""The contract of a source."""

from collections.abc import Iterable
from typing import Protocol

from contract.sample import Sample


class Source(Protocol):
    """
    One source of samples.

    `gather` is called once a round from one thread, with the round's instant (CLOCK_BOOTTIME, ns), returns well within
    a minute, and may raise: the round goes on without it. A reading that is not there is absent, never zero.
    """

    name: str

    def gather(self, at_ns: int) -> Iterable[Sample]:
        """Read the source once."""
