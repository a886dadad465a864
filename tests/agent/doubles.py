"""Test doubles of the agent: a clock that stands until it is moved, a link that keeps what is published."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config import GatewayChoice, PresenceSettings, Settings, SpoolSettings
from agent.publish import Link
from agent.spool import Spool
from contract.batch import Batch, decode
from contract.broker import BrokerSettings, BrokerUrl
from contract.names import DeviceName
from tests.contract.parser import Line, parse_all

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = "441802-3144001234.c0703"
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
UNIX_NS = 1_795_000_020_000_000_000  # 2026-11-18, on the minute
NO_BROKER = "mqtt://127.0.0.1:1"  # tcpmux: nobody listens there


class FakeClocks:
    """A test double of the machine's clocks: they stand still until the test moves them."""

    def __init__(self, boot: str = "boot-1", voucher: str = "kernel", unix_ns: int = UNIX_NS) -> None:
        self.boot = boot
        self.since_boot_ns = 0
        self.asleep_ns = 0
        self.offset_ns = unix_ns
        self.word = voucher
        self.has_ended = False

    def advance(self, seconds: float, *, asleep: bool = False) -> None:
        """Let time pass, awake or asleep."""
        self.since_boot_ns += int(seconds * SECOND_NS)
        self.asleep_ns += int(seconds * SECOND_NS) if asleep else 0

    def step(self, seconds: float) -> None:
        """Set the wall clock by hand."""
        self.offset_ns += int(seconds * SECOND_NS)

    def boottime_ns(self) -> int:
        """Return the time since boot."""
        return self.since_boot_ns

    def awake_ns(self) -> int:
        """Return the time since boot without sleep."""
        return self.since_boot_ns - self.asleep_ns

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""
        return self.since_boot_ns + self.offset_ns

    def voucher(self) -> str:
        """Return who vouches for the wall clock."""
        return self.word

    def is_over(self) -> bool:
        """Tell whether this boot has ended."""
        return self.has_ended


class TimeDouble:
    """A test double of the module `time`: stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return seconds of no clock in particular."""
        return self.now

    def time(self) -> float:
        """Return unix seconds."""
        return 1_795_000_000 + self.now

    def time_ns(self) -> int:
        """Return unix nanoseconds."""
        return int(self.time() * 1e9)


class LinkDouble(Link):
    """A test double of the link: connects nowhere, keeps what is published, and is as full or as down as told."""

    def __init__(self) -> None:  # the real one's is not called on purpose: no client, no thread, no socket
        self.is_connected = True
        self.sent: list[tuple[str, bytes]] = []

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def publish(self, topic: str, payload: bytes) -> tuple[int, int] | None:
        """Keep the message; its number is its place."""
        if not self.is_connected:
            return None
        self.sent.append((topic, payload))
        return (1, len(self.sent))

    def batches(self) -> list[Batch]:
        """Return the batches that were published, in order."""
        return [decode(payload) for _, payload in self.sent]


def settings_for(directory: Path) -> Settings:
    """Return settings of an agent that asks nobody on the network."""
    return Settings(
        DeviceName(DEVICE),
        BrokerSettings(BrokerUrl.parse(NO_BROKER)),
        SpoolSettings(directory),
        presence=PresenceSettings(gateway=GatewayChoice("none")),
    )


def waiting(spool: Spool) -> list[Batch]:
    """Return every closed batch of a spool as the collector will read it."""
    found = (spool.waiting(number) for number in spool.backlog(0, 1_000_000))
    return [decode(batch.payload) for batch in found if batch]


def lines_of(batches: list[Batch], measurement: str) -> list[Line]:
    """Return the lines of one measurement in some batches."""
    return [line for batch in batches for line in parse_all(batch.lines) if line.measurement == measurement]


@contextmanager
def epoch_of(spool: Spool) -> "Iterator[Spool]":
    """Begin an epoch, and close the spool at the end."""
    with spool.transaction():
        spool.begin()
    try:
        yield spool
    finally:
        spool.close()
