"""
What a throughput test was limited by, so that a slow card or a busy machine is not held against the line (RFC 6349).

Reading (`look`) is apart from judging (`limited_by`).
"""

import time
from pathlib import Path
from typing import NamedTuple

from agent.probe.tcpinfo import Counts

NIC, CPU, CROSS_TRAFFIC, NONE = "nic", "cpu", "cross-traffic", "none"
# Of 1538 bytes that a full Ethernet frame takes on the cable (with preamble and gap) 1460 are TCP's payload.
PAYLOAD_SHARE = 0.949
FRAME_HEADER_BYTES = 66  # Ethernet 14, IPv4 20, TCP with timestamps 32: what an interface counts beside TCP's bytes
_NEAR, _BUSY, _IDLE, _FOREIGN = 0.90, 0.90, 0.05, 0.10


class Glance(NamedTuple):
    """Counters at one moment; None where this machine does not have them. `ours` are those of the test itself."""

    at_s: float
    cpu_s: float
    idle: int | None
    ticks: int | None
    interface_bytes: int | None
    ours: Counts


class Load(NamedTuple):
    """What happened while it was measured. Shares are from 0 to 1; None: not known."""

    goodput_mbps: float
    speed_mbps: int | None
    cpu_share: float
    idle_share: float | None
    foreign_share: float | None


def limited_by(load: Load) -> str:
    """
    Return `nic`, `cross-traffic`, `cpu` or `none`, the first that holds.

    nic: 90 % of what the interface's speed carries are reached. cross-traffic: 10 % of the bytes on the interface are
    not ours. cpu: this process keeps a core 90 % busy, or less than 5 % of the machine are idle.
    """
    if load.speed_mbps and load.goodput_mbps >= _NEAR * PAYLOAD_SHARE * load.speed_mbps:
        return NIC
    if load.foreign_share is not None and load.foreign_share >= _FOREIGN:
        return CROSS_TRAFFIC
    if load.cpu_share >= _BUSY or (load.idle_share is not None and load.idle_share < _IDLE):
        return CPU
    return NONE


def look(root: Path, interface: str, ours: Counts) -> Glance:
    """Read the counters. `root` is / but for tests."""
    idle, ticks = _cpu(root)
    return Glance(time.perf_counter(), time.process_time(), idle, ticks, _interface_bytes(root, interface), ours)


def load_of(before: Glance, after: Glance, goodput_mbps: float, speed_mbps: int | None) -> Load:
    """Return what happened between two glances."""
    seconds = max(after.at_s - before.at_s, 1e-9)
    return Load(
        goodput_mbps,
        speed_mbps,
        (after.cpu_s - before.cpu_s) / seconds,
        _share(before.idle, after.idle, before.ticks, after.ticks),
        _foreign(before, after),
    )


def speed_mbps(root: Path, interface: str) -> int | None:
    """Return the speed of an interface, None where it has none (WiFi, loopback, no carrier)."""
    speed = _number(root / "sys/class/net" / interface / "speed") if interface else None
    return speed if speed and speed > 0 else None


def _share(part: int | None, later: int | None, whole: int | None, whole_later: int | None) -> float | None:
    if part is None or later is None or whole is None or whole_later is None or whole_later <= whole:
        return None
    return (later - part) / (whole_later - whole)


def _foreign(before: Glance, after: Glance) -> float | None:
    """Return which share of the interface's bytes is not ours, headers included; both directions together."""
    if before.interface_bytes is None or after.interface_bytes is None or after.ours.bytes <= before.ours.bytes:
        return None
    there = after.interface_bytes - before.interface_bytes
    segments = after.ours.segments - before.ours.segments
    ours = after.ours.bytes - before.ours.bytes + segments * FRAME_HEADER_BYTES
    return max(0.0, (there - ours) / there) if there > 0 else None


def _cpu(root: Path) -> tuple[int | None, int | None]:
    """Return idle and all ticks of the whole machine (proc_stat(5)); waiting for a disk is idle too."""
    try:
        words = (root / "proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
        ticks = [int(word) for word in words[1:9]]  # guest time is part of user time
    except (OSError, ValueError):
        return None, None
    return (ticks[3] + ticks[4], sum(ticks)) if words[0] == "cpu" and len(ticks) >= 5 else (None, None)


def _interface_bytes(root: Path, interface: str) -> int | None:
    if not interface or interface == "lo":  # what leaves by lo comes in by lo: all of it would be there twice
        return None
    folder = root / "sys/class/net" / interface / "statistics"
    received, sent = _number(folder / "rx_bytes"), _number(folder / "tx_bytes")
    return None if received is None or sent is None else received + sent


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
