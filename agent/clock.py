"""
Time on devices that mostly have no real-time clock.

Every sample carries CLOCK_BOOTTIME; it is dated by one offset (unix time - boot time), which is refreshed only while
somebody vouches for the wall clock. Before that samples wait; a step of the wall clock made by hand does not move the
offset, since the kernel withdraws its word at such a step. (Where only a hypervisor or the operator vouches, a step is
followed, and batches say `trusted`.)

    boot ──┬────────────┬──────────────────┬───▶ CLOCK_BOOTTIME
           sample       kernel: synced     now
                        offset = unix - boottime, valid for the whole boot
"""

import sys
import zlib
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from contract.sample import Sample, Value

if sys.platform == "win32":
    from agent.clock_windows import WindowsClocks
else:
    from agent.clock_linux import LinuxClocks

MINUTE_NS = 60_000_000_000
# Released after this: a clock that shows less is wrong, whoever vouches for it.
_SURELY_PAST_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


class Clocks(Protocol):
    """What the machine's clocks say; the tests' clock has the same readings."""

    boot: str

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included."""

    def awake_ns(self) -> int:
        """Nanoseconds since boot, without sleep."""

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""

    def voucher(self) -> str:
        """Return who vouches for the wall clock: `kernel`, `hypervisor` or nobody (empty)."""

    def is_over(self) -> bool:
        """Tell whether this boot has ended while the agent lives: on Windows a long sleep ends it."""


def machine_clocks() -> Clocks:
    """Return the clocks of this machine."""
    if sys.platform == "win32":
        return WindowsClocks()
    else:  # noqa: RET505  so that each system's checker passes over the other's branch
        return LinuxClocks()


class Offset(NamedTuple):
    """unix time - boot time of one boot, and what a batch header says of it (`synced` or `trusted`)."""

    ns: int
    clock: str


class Timeline:
    """Dates samples of this boot, as soon as somebody vouches for the wall clock."""

    def __init__(self, clocks: Clocks, trust: str, known: Offset | None = None) -> None:
        self.clocks = clocks
        self.offset = known
        self._trust = trust

    def refresh(self) -> Offset | None:
        """Take the offset anew while the wall clock is vouched for; keep the last one otherwise."""
        clock = self._clock_word()
        if clock and not (clock == "trusted" and self.offset and self.offset.clock == "synced"):
            before, unix, after = self.clocks.boottime_ns(), self.clocks.unix_ns(), self.clocks.boottime_ns()
            if unix >= _SURELY_PAST_NS:
                self.offset = Offset(unix - (before + after) // 2, clock)
        return self.offset

    def _clock_word(self) -> str:
        voucher = self.clocks.voucher()
        if voucher == "kernel":
            return "synced"
        return "trusted" if self._trust == "always" or (self._trust == "auto" and voucher) else ""


class Dated(NamedTuple):
    """What a sample says and when, in unix ns."""

    time_ns: int
    fields: Mapping[str, Value]


def date(sample: Sample, offset: Offset) -> Dated | None:
    """
    Return the sample with its unix time.

    Presence at T proves [T - 60 s, T): it is labelled with the boundary before its instant, and its uptime is that of
    the boundary. None for a presence whose boundary lies before the boot: it proves nothing.
    """
    time_ns = sample.at_ns + offset.ns
    if sample.measurement != "presence":
        return Dated(time_ns, sample.fields)
    boundary_ns = minute_of(time_ns)
    uptime_s = (boundary_ns - offset.ns) / 1e9
    return Dated(boundary_ns, {**sample.fields, "uptime_s": round(uptime_s, 3)}) if uptime_s > 0 else None


def minute_of(unix_ns: int) -> int:
    """Return the boundary at or before `unix_ns`, in unix ns."""
    return unix_ns - unix_ns % MINUTE_NS


def phase_ns(agent: str, every_ns: int) -> int:
    """Return the agent's own offset within a round, from a hash of its id, so that a city does not speak at once."""
    return zlib.crc32(agent.encode()) * every_ns >> 32


def round_phase_ns(agent: str, every_ns: int) -> int:
    """
    Return the agent's own offset within its rounds: of a minute from 5 to 50 s.

    So a clock that is moved a little gives the presence of one minute to no other, and what a slow round found is kept
    before the minute is over: the verifier knows the minute in which the power was cut.
    """
    return every_ns // 12 + phase_ns(agent, every_ns * 3 // 4)


def until_next_round(now_ns: int, every_ns: int, phase: int) -> int:
    """Return the nanoseconds from `now_ns` to the next instant at `phase` within a round; never 0."""
    return every_ns - (now_ns - phase) % every_ns
