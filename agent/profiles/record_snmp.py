"""An SNMP device into `snmp.snmprec`: all that is below some roots, within bounds of rows and time."""

import time
from collections.abc import Callable, Mapping, Sequence

from agent.gather.read import Way
from agent.gather.snmp_values import Oid, dotted, oid
from agent.gather.snmp_walk import OPAQUE, Varbind, Walker, walk
from agent.outcome import Failed
from agent.profiles.record import Told
from agent.profiles.redact import Redactor
from agent.profiles.snmprec import LEFT_OUT, left_out, line, redacted

ROOTS = (
    "1.3.6.1.2.1.1",  # system
    "1.3.6.1.2.1.2",  # interfaces
    "1.3.6.1.2.1.31.1.1",  # ifXTable
    "1.3.6.1.2.1.25",  # host resources
    "1.3.6.1.4.1",  # enterprises
)
PATIENCE_S = 5.0  # for one answer
COMMUNITY = "public"  # what replays the recording knows no other


class SnmpCaptured:
    """What was found."""

    def __init__(self, found: Sequence[Varbind]) -> None:
        self.found = found
        self.not_kept = 0

    def files(self, redactor: Redactor) -> Mapping[str, bytes]:
        """Return the recording, and the community with which it is replayed."""
        made, self.not_kept = redacted(self.found, redactor)
        return {
            "snmp.snmprec": "".join(f"{line(one)}\n" for one in made).encode(),
            "community": f"{COMMUNITY}\n".encode(),
            "parameters.toml": b'community_file = "community"\n',
        }


def capture(
    way: Way, port: int, roots: Sequence[Oid], bounds: tuple[int, float], tell: Callable[[str, float], None]
) -> tuple[SnmpCaptured, Told]:
    """
    Walk a device; `bounds` are rows and seconds. Failed when it does not answer at all.

    What was found until the device fell silent, or until a bound, counts: it is said that it is not all.
    """
    most, within_s = bounds
    roots = _outermost(roots)
    found: list[Varbind] = []
    partial = ""
    begun = time.monotonic()
    with Walker(way, port, PATIENCE_S) as device:
        try:
            for batch in walk(device, roots, lambda name: left_out(name, roots)):
                found += batch
                passed_s = time.monotonic() - begun
                at = found[-1].oid
                tell(f"{len(found)} objects, {dotted(at[:12])}", max(len(found) / most, passed_s / within_s))
                if len(found) >= most or passed_s >= within_s:
                    bound = f"{most} objects (--most)" if len(found) >= most else f"{within_s:g} s (--within)"
                    partial = f"ended at {bound}, after {dotted(at)}"
                    break
        except Failed as failed:
            if not found:
                raise
            partial = f"{failed.reason}, after {dotted(found[-1].oid)}"
    found = found[:most]
    told = Told(
        f"SNMP {'v3' if way.username else 'v2c'}",
        ", ".join(map(dotted, roots)),
        f"{len(found)} objects in {time.monotonic() - begun:.1f} s",
        _not_there(roots, found),
        partial,
    )
    return SnmpCaptured(found), told


def roots_of(texts: Sequence[str]) -> tuple[Oid, ...]:
    """Return the roots that are asked for, the usual ones without any; ValueError says which is none."""
    from firmware_profiles.sources import Oid as OidText  # noqa: PLC0415  another Oid

    return tuple(oid(OidText.parse(text)) for text in texts or ROOTS)


def _outermost(roots: Sequence[Oid]) -> list[Oid]:
    """Return the roots in order, without those that are within others."""
    kept: list[Oid] = []
    for root in sorted(set(roots)):
        if not kept or root[: len(kept[-1])] != kept[-1]:
            kept.append(root)
    return kept


def _not_there(roots: Sequence[Oid], found: Sequence[Varbind]) -> list[str]:
    """Return what was not asked although it is below a root, and what is written in another way."""
    hidden = [
        dotted(root)
        for root in LEFT_OUT
        if any(root[: len(asked)] == asked for asked in roots) and left_out(root, roots) is not None
    ]
    said = [f"{', '.join(hidden)}: what runs, is installed or was loaded, who may ask"] if hidden else []
    if opaque := sum(one.tag == OPAQUE for one in found):
        said.append(f"the type of {opaque} Opaque values, which are written as text")
    return said
