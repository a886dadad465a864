"""
The doors to Windows: its libraries, its registry, and a note that lives as long as the kernel.

Nothing else of the agent opens them, so that all beyond is plain data, which is read and tested on any system. Where
there is no Windows every door is an OSError.
"""

import ctypes
import sys
from functools import cache

_ELSEWHERE = "is of Windows alone"
_FROM_SYSTEM32 = 0x800  # LOAD_LIBRARY_SEARCH_SYSTEM32: never a library that lies beside the program
_VOLATILE = 1  # REG_OPTION_VOLATILE: in memory alone, gone with the kernel that made it
_NOTES = r"SOFTWARE\SantongBoot"  # not below a key that lasts: a volatile key can hold no lasting ones


@cache
def library(name: str) -> ctypes.CDLL:
    """Return a system library (`kernel32`) whose calls keep GetLastError; OSError where there is none."""
    if sys.platform == "win32":
        return ctypes.WinDLL(name, use_last_error=True, winmode=_FROM_SYSTEM32)
    raise OSError(f"{name}: {_ELSEWHERE}")


def registry(key: str, name: str) -> str | int | None:
    """Return a value below HKEY_LOCAL_MACHINE, None when it is not there or neither text nor number."""
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as opened:
                value, _ = winreg.QueryValueEx(opened, name)
        except FileNotFoundError:
            return None
        return value if isinstance(value, str | int) else None
    raise OSError(f"{key}: {_ELSEWHERE}")


def recall(name: str) -> str:
    """Return what was noted since the kernel was started, empty when nothing was."""
    value = registry(_NOTES, name)
    return value if isinstance(value, str) else ""


def note(name: str, text: str) -> bool:
    """Note a text until the kernel ends (a hibernated one goes on); False for who may not: administrators may."""
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415

        try:
            _make_notes(winreg.HKEY_LOCAL_MACHINE, winreg.KEY_SET_VALUE | winreg.KEY_WOW64_64KEY)
            access = winreg.KEY_SET_VALUE | winreg.KEY_WOW64_64KEY
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _NOTES, 0, access) as opened:
                winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, text)
        except OSError:
            return False
        return True
    raise OSError(f"{name}: {_ELSEWHERE}")


def _make_notes(root: int, access: int) -> None:
    """Make the key where it is not there; Python's own winreg makes none that is volatile (RegCreateKeyExW)."""
    advapi = library("advapi32")
    handle = ctypes.c_void_p()
    error = advapi.RegCreateKeyExW(
        ctypes.c_void_p(root), ctypes.c_wchar_p(_NOTES), 0, None, _VOLATILE, access, None, ctypes.byref(handle), None
    )
    if error:
        raise OSError(error, f"{_NOTES}: error {error}")
    advapi.RegCloseKey(handle)
