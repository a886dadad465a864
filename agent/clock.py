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

import ctypes
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from contract.sample import Sample, Value

MINUTE_NS = 60_000_000_000
# Released after this: a clock that shows less is wrong, whoever vouches for it.
_SURELY_PAST_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
_STA_UNSYNC = 0x0040


class Clocks(Protocol):
    """What the machine's clocks say; the tests' clock has the same four readings."""

    boot: str

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included."""

    def awake_ns(self) -> int:
        """Nanoseconds since boot, without sleep."""

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""

    def voucher(self) -> str:
        """Return who vouches for the wall clock: `kernel`, `hypervisor` or nobody (empty)."""


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2), as far as the status; the kernel writes the rest into the padding."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("padding", ctypes.c_char * 256),
    )


class LinuxClocks:
    """The clocks of a Linux machine. `root` is where /proc and /sys are found."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.boot = (root / "proc/sys/kernel/random/boot_id").read_text().strip()
        self._is_guest = _is_guest(root)
        self._adjtimex = ctypes.CDLL(None).adjtimex

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def awake_ns(self) -> int:
        """Nanoseconds since boot, without sleep."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""
        return time.time_ns()

    def voucher(self) -> str:
        """Return who vouches for the wall clock (adjtimex(2): STA_UNSYNC is off while NTP disciplines it)."""
        timex = _Timex()
        if self._adjtimex(ctypes.byref(timex)) >= 0 and not timex.status & _STA_UNSYNC:
            return "kernel"
        return "hypervisor" if self._is_guest else ""


def _is_guest(root: Path) -> bool:
    """Tell a virtual machine, whose wall clock is set by its host at boot."""
    try:
        with (root / "proc/cpuinfo").open() as lines:
            return any(line.startswith("flags") and " hypervisor" in line for line in lines)
    except OSError:
        return False


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


def until_next_round(now_ns: int, every_ns: int, phase: int) -> int:
    """Return the nanoseconds from `now_ns` to the next instant at `phase` within a round; never 0."""
    return every_ns - (now_ns - phase) % every_ns
