"""The clocks of a Linux machine."""

import ctypes
import logging
import os
import sys
import time
from pathlib import Path

assert sys.platform != "win32"  # noqa: S101  for the type checker, which passes over this file there

log = logging.getLogger("santong.agent")

_STA_UNSYNC = 0x0040


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
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._is_said = False

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
        is_told = self._adjtimex(ctypes.byref(timex)) >= 0
        if not is_told:
            self._say(ctypes.get_errno())
        if is_told and not timex.status & _STA_UNSYNC:
            return "kernel"
        return "hypervisor" if self._is_guest else ""

    def _say(self, number: int) -> None:
        """Log, once, that the kernel does not tell of its clock: without its word many a machine sends nothing."""
        if not self._is_said:
            hint = "ProtectClock=, a SystemCallFilter= without clock_adjtime, or a container forbids it"
            log.warning("adjtimex: %s: NTP cannot vouch for the clock (%s)", os.strerror(number), hint)
        self._is_said = True

    def is_over(self) -> bool:
        """Return False: here a boot ends every process with it."""
        return False


def _is_guest(root: Path) -> bool:
    """Tell a virtual machine, whose wall clock is set by its host at boot."""
    try:
        with (root / "proc/cpuinfo").open() as lines:
            return any(line.startswith("flags") and " hypervisor" in line for line in lines)
    except OSError:
        return False
