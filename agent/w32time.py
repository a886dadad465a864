"""
Whether the Windows Time service says that the clock is right.

`w32tm /query /status /verbose` speaks the machine's language, so only what is the same in each is read: the numbers
before a parenthesis of the first two lines (leap indicator and stratum, RFC 5905 §7.3), the reference id, and the
seconds since the last good synchronisation at the end of the last line. What looks otherwise vouches for nothing.

Windows does not take its word back when somebody sets the clock by hand. So after a step only a synchronisation that is
younger than the look before it counts.
"""

import os
import re
import subprocess
import sys
from typing import NamedTuple

_UNSYNCHRONISED = 3
_HIGHEST_STRATUM = 15
_OWN_CLOCK = {0x4C4F434C, 0x46524545}  # LOCL and FREE: synchronised with nothing but itself
_FROM_HOST = {0, 0x564D5450}  # not given, and VMTP: no network source but the virtual machine's host
_STEP_NS = 1_000_000_000
_ROUNDED_NS = 2_000_000_000
_ASK_AGAIN_NS = 60_000_000_000
_BELIEVED_NS = 600_000_000_000
_PATIENCE_S = 10.0
if sys.platform == "win32":
    _NO_WINDOW = subprocess.CREATE_NO_WINDOW
else:
    _NO_WINDOW = 0


class Status(NamedTuple):
    """Who vouches (`kernel`, `hypervisor` or nobody), and the seconds since the last synchronisation, if told."""

    voucher: str
    age_s: int | None


NOBODY = Status("", None)


def parse(output: bytes) -> Status:
    """Return what the program says, in any language and code page that has ASCII's digits."""
    lines = [line for line in output.decode("ascii", errors="replace").splitlines() if line.strip()]
    numbers = [re.search(r"(\d+) ?\(", line) for line in lines[:2]]
    reference = re.search(r"0x([0-9A-Fa-f]{8})\b", "\n".join(lines))
    if len(numbers) < 2 or not numbers[0] or not numbers[1] or not reference:
        return NOBODY
    leap, stratum, source = int(numbers[0][1]), int(numbers[1][1]), int(reference[1], 16)
    if leap >= _UNSYNCHRONISED or not 1 <= stratum <= _HIGHEST_STRATUM or source in _OWN_CLOCK:
        return NOBODY
    age = re.search(r"(\d+)(?:[.,]\d+)?s$", lines[-1].rstrip())
    return Status("hypervisor" if source in _FROM_HOST else "kernel", int(age[1]) if age else None)


def ask() -> Status:
    """Ask the service; nobody vouches where it does not run or does not answer."""
    program = os.environ.get("SYSTEMROOT", r"C:\Windows") + r"\System32\w32tm.exe"
    try:
        done = subprocess.run(
            [program, "/query", "/status", "/verbose"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            creationflags=_NO_WINDOW,
        )
    except (OSError, subprocess.TimeoutExpired):
        return NOBODY
    return parse(done.stdout) if done.returncode == 0 else NOBODY


class TimeService:
    """The service's word, asked for once a minute, and every ten minutes while it is believed."""

    def __init__(self) -> None:
        self._status = NOBODY
        self._asked_ns = 0
        self._ask_ns = 0  # when to ask again
        self._look: tuple[int, int] | None = None  # boot time and offset of the last one
        self._stepped_ns: int | None = None  # the last look before the clock was stepped

    def voucher(self, boottime_ns: int, unix_ns: int) -> str:
        """Return who vouches for the wall clock now."""
        offset_ns = unix_ns - boottime_ns
        if self._look and abs(offset_ns - self._look[1]) > _STEP_NS:
            self._stepped_ns, self._ask_ns = self._look[0], boottime_ns
        self._look = (boottime_ns, offset_ns)
        if boottime_ns >= self._ask_ns:
            self._status, self._asked_ns = ask(), boottime_ns
            self._ask_ns = boottime_ns + (_BELIEVED_NS if self._word() else _ASK_AGAIN_NS)
        return self._word()

    def _word(self) -> str:
        if self._stepped_ns is None:
            return self._status.voucher
        if self._status.age_s is None:
            return ""
        synced_ns = self._asked_ns - self._status.age_s * 1_000_000_000
        return self._status.voucher if synced_ns + _ROUNDED_NS >= self._stepped_ns else ""
