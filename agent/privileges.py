"""
Linux capabilities (capabilities(7)): as few as will do, for as short as will do.

The agent's loop gives up all that it may use but keeps in its permitted set what a worker may need, which the worker
gets when it is started (ambient set) and each of its children gives up again, except what its own probe needs.

    service manager ──NET_RAW──▶ agent: may use none ──start──▶ worker ──fork──▶ child of `dns`: none left at all
                                                                          └────▶ child of `dhcp`: NET_RAW

Root is not special here, but a program that root starts gets all that the bounding set leaves.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

CAP_SETPCAP, CAP_NET_ADMIN, CAP_NET_RAW = 8, 12, 13
_NAMES = {CAP_NET_ADMIN: "CAP_NET_ADMIN", CAP_NET_RAW: "CAP_NET_RAW"}
_VERSION_3 = 0x20080522
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4


class Sets(NamedTuple):
    """Capability sets as bit masks, from /proc/PID/status."""

    effective: int
    permitted: int
    inheritable: int
    bounding: int


def held(root: Path = Path("/")) -> Sets:
    """Return the sets of this process; empty ones where the kernel has none."""
    try:
        lines = (root / "proc/self/status").read_text().splitlines()
    except OSError:
        return Sets(0, 0, 0, 0)
    found = dict(line.split(":\t", 1) for line in lines if line.startswith("Cap"))
    return Sets(*(int(found.get(name, "0"), 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd")))


def missing(needed: Iterable[int]) -> str:
    """Return the names of the needed capabilities that this process may not use; empty when none is missing."""
    mask = held().effective
    return ", ".join(_NAMES[cap] for cap in sorted(needed) if not mask & 1 << cap)


def lower() -> None:
    """Stop using any capability, and keep in reserve what a worker may need; root stays root."""
    if os.geteuid() != 0 and (sets := held()).effective:
        _set(0, sets.permitted, sets.inheritable)


def keep_only(wanted: Iterable[int]) -> None:
    """Give up every capability but those wanted, for ever, also for programs that are started from here."""
    mask = 0
    for cap in wanted:
        mask |= 1 << cap
    sets = held()
    _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    if sets.effective & 1 << CAP_SETPCAP:
        for cap in range(sets.bounding.bit_length()):
            if not mask & 1 << cap:
                _prctl(_PR_CAPBSET_DROP, cap)
    mask &= sets.permitted
    _set(mask, mask, mask)
    for cap in range(mask.bit_length()):
        if mask & 1 << cap:
            _prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, cap)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; at once where it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(0)


def _set(effective: int, permitted: int, inheritable: int) -> None:
    """Set the three sets (capset(2), version 3: two halves of 32 bits each)."""
    header = struct.pack("=II", _VERSION_3, 0)
    halves = [(value & 0xFFFFFFFF, value >> 32) for value in (effective, permitted, inheritable)]
    data = struct.pack("=6I", *(half[0] for half in halves), *(half[1] for half in halves))
    if _libc().capset(header, data):
        error = ctypes.get_errno()
        raise OSError(error, f"capset: {os.strerror(error)}")


def _prctl(option: int, first: int, second: int = 0) -> None:
    """Call prctl(2); what an older kernel does not know is not there to be given up."""
    _libc().prctl(option, *(ctypes.c_ulong(value) for value in (first, second, 0, 0)))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
