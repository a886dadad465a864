"""
Whether a Windows machine is in use: seconds and yes or no, never who or what.

    agent in the user's session ──▶ GetLastInputInfo           idle_s
    agent in session 0 (service) ─▶ WTSINFO of the console     idle_s, where Windows tells it

WTSINFOW also holds names; they are not read. Never run on Windows: docs/windows.md.
"""

import ctypes
import os
import struct
from typing import NamedTuple

from agent import windows

_NO_SESSION = 0xFFFFFFFF
_WTS_SESSION_INFO = 24  # WTS_INFO_CLASS.WTSSessionInfo
_ACTIVE = 0  # WTS_CONNECTSTATE_CLASS.WTSActive
# WTSINFOW: state, session, six counters; 70 characters of names, and their padding; then five times. Both in octets.
_TIMES_AT = 176
_TIMES = struct.Struct("<5q")  # connect, disconnect, last input, logon, current: 100 ns since 1601
_SIZE = _TIMES_AT + _TIMES.size


class Console(NamedTuple):
    """The session at the machine's own screen. `idle_s` is None where Windows does not tell."""

    is_active: bool
    idle_s: float | None


def parse(info: bytes) -> Console:
    """Return what a WTSINFOW says; somebody is there when the session is active and was logged on to."""
    (state,) = struct.unpack_from("<I", info)
    _, _, last_input, logon, now = _TIMES.unpack_from(info, _TIMES_AT)
    # 0, or the very present: some versions say that of every console, whether it is used or not
    is_told = 0 < last_input < now
    return Console(state == _ACTIVE and logon > 0, (now - last_input) / 1e7 if is_told else None)


def ticks_between(last: int, now: int) -> float:
    """Return the seconds between two counts of milliseconds of 32 bits, which begin anew after 49.7 days."""
    return ((now - last) & 0xFFFFFFFF) / 1000


def session() -> dict[str, int | float]:
    """
    Return `session_active` (0 or 1) and `idle_s`, the seconds since the last input; what is not told is absent.

    OSError where this is no Windows.
    """
    kernel = windows.library("kernel32")
    kernel.WTSGetActiveConsoleSessionId.restype = ctypes.c_uint32
    number = kernel.WTSGetActiveConsoleSessionId()
    if number == _NO_SESSION:
        return {"session_active": 0}
    console = _console(number)
    if console is None:
        return {}
    found: dict[str, int | float] = {"session_active": int(console.is_active)}
    if console.is_active:
        idle_s = _idle_here() if _own_session(kernel) == number else console.idle_s
        if idle_s is not None:
            found["idle_s"] = round(idle_s, 1)
    return found


def _console(number: int) -> Console | None:
    """Ask for one session of this machine (WTSQuerySessionInformationW); None when it cannot be asked."""
    library = windows.library("wtsapi32")
    buffer, size = ctypes.c_void_p(), ctypes.c_uint32()
    is_there = library.WTSQuerySessionInformationW(
        None, ctypes.c_uint32(number), _WTS_SESSION_INFO, ctypes.byref(buffer), ctypes.byref(size)
    )
    if not is_there or not buffer.value:
        return None
    try:
        return parse(ctypes.string_at(buffer.value, size.value)) if size.value >= _SIZE else None
    finally:
        library.WTSFreeMemory(buffer)


def _own_session(kernel: ctypes.CDLL) -> int:
    number = ctypes.c_uint32(_NO_SESSION)
    kernel.ProcessIdToSessionId(ctypes.c_uint32(os.getpid()), ctypes.byref(number))
    return number.value


def _idle_here() -> float | None:
    """Return how long the session in which we are has had no input (GetLastInputInfo)."""
    info = (ctypes.c_uint32 * 2)(8, 0)  # LASTINPUTINFO: its size, the tick of the last input
    if not windows.library("user32").GetLastInputInfo(ctypes.byref(info)):
        return None
    kernel = windows.library("kernel32")
    kernel.GetTickCount.restype = ctypes.c_uint32
    return ticks_between(info[1], kernel.GetTickCount())
