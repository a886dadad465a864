"""
What an agent knows of itself and of its surroundings, for whoever asks from afar: `diagnose`.

Only what is at hand is looked at, so it takes a moment; nothing of it is a secret, and nothing is asked of the network.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.clock import Timeline
from agent.gather.network import default_gateway, neighbour
from agent.lately import short
from agent.probing import Latest
from agent.questions import Device
from contract.sample import Sample

_MOST_INTERFACES, _MOST_PROBES, _MOST_FAULTS, _MOST_DEVICES = 20, 60, 40, 40


def of_clock(timeline: Timeline, ahead_ms: float | None) -> dict[str, object]:
    """Return what the clock is worth: who vouches for it, and how far the centre's is ahead of it, if that is known."""
    clocks, offset = timeline.clocks, timeline.offset
    return {
        "state": offset.clock if offset else "unsynced",
        "vouched_by": clocks.voucher() or "nobody",
        "unix_ms": clocks.unix_ns() // 1_000_000,
        "centre_ahead_ms": ahead_ms,
    }


def of_network(interfaces: Iterable[Sample]) -> dict[str, object]:
    """Return interfaces, default gateway and name servers as they are now."""
    gateway = default_gateway()
    entry = None
    if gateway:
        try:
            entry = neighbour(gateway.address)
        except OSError:
            entry = None
    found = [{"name": one.tags["name"], **one.fields} for one in interfaces][:_MOST_INTERFACES]
    return {
        "interfaces": found,
        "gateway": {
            "address": gateway.address,
            "interface": gateway.interface,
            "subnet": gateway.subnet,
            "mac": entry.mac if entry else None,
            "heard_lately": bool(entry and entry.is_fresh),
        }
        if gateway
        else None,
        "name_servers": name_servers(),
    }


def name_servers(root: Path = Path("/")) -> list[str]:
    """Return the resolvers of resolv.conf(5); none where there is no such file."""
    try:
        lines = (root / "etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        return []
    words = (line.split() for line in lines)
    return [short(word[1]) for word in words if len(word) > 1 and word[0] == "nameserver"][:8]


def of_probes(latest: Sequence[Latest], now_ns: int) -> list[dict[str, object]]:
    """Return what each probe and reading found last, those that do not work first."""
    rows: list[dict[str, object]] = [
        {
            "device": one.device,
            "kind": one.kind,
            "target": short(one.tag),
            "success": one.success,
            "stage": one.stage,
            "reason": short(one.reason),
            "seconds_ago": round((now_ns - one.at_ns) / 1e9, 1),
        }
        for one in latest
    ]
    return sorted(rows, key=lambda row: row["success"] is True)[:_MOST_PROBES]


def of_profiles(devices: Sequence[Device]) -> list[dict[str, str]]:
    """Return the devices that the agent speaks for, itself among them, each with its profile."""
    return [{"device": one.id, "profile": str(one.profile.id)} for one in devices[:_MOST_DEVICES]]


def of_faults(state: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the faults that are active, from what `Observing.state` returns."""
    found = []
    for device, codes in _table(state.get("faults")).items():
        for code, series in _table(codes).items():
            if any(one[0] is True for one in _table(series).values() if isinstance(one, list | tuple) and one):
                found.append({"device": device, "code": code})
    return found[:_MOST_FAULTS]


def _table(kept: object) -> Mapping[str, Any]:
    return kept if isinstance(kept, Mapping) else {}
