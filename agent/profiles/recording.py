"""Which device is recorded, and how: joins the kinds of recordings."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from agent.gather.read import Way, secret
from agent.outcome import Unable
from agent.profiles import record_host, record_network
from agent.profiles.record import Captured, Told, source, written
from agent.profiles.redact import Redactor
from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from firmware_profiles.library import Library

KINDS = ("snmp", "pjlink", "ubus", "http", "https", "host")
_PORTS = {"snmp": 161, "pjlink": 4352}
_OF_ROOTS = ("snmp", "http", "https")
Tell = Callable[[str, float], None]
Recorded = tuple[Captured, Told]


class Wanted(NamedTuple):
    """What is to be recorded; `roots` are OIDs or paths."""

    kind: str
    way: Way
    port: int | None = None
    roots: Sequence[str] = ()


def recording(wanted: Wanted, library: Library, bounds: tuple[int, float], tell: Tell) -> Recorded:
    """
    Ask a device all there is; `bounds` are the objects and seconds of a walk.

    Failed: the device does not answer; Unable: something is missing here; ConfigError: the command is wrong.
    """
    kind, way = wanted.kind, wanted.way
    if mistakes := list(_mistakes(wanted)):
        raise ConfigError("command line", mistakes)
    port = wanted.port or _PORTS.get(kind, 0)
    if kind == "host":
        return record_host.capture(library)
    if kind == "snmp":
        return _snmp(wanted, port, bounds, tell)
    if kind == "pjlink":
        return record_network.pjlink(way, port, tell)
    if kind == "ubus":
        return record_network.ubus(way, port, library, tell)
    return record_network.http(way, port, wanted.roots, kind, tell)


def _snmp(wanted: Wanted, port: int, bounds: tuple[int, float], tell: Tell) -> Recorded:
    try:
        from agent.profiles import record_snmp  # noqa: PLC0415  its library is an extra
    except ImportError as error:
        raise Unable(f"{error.name} is not installed: pip install 'santong[profiles]'") from None
    try:
        roots = record_snmp.roots_of(wanted.roots)
    except ValueError as error:
        raise ConfigError("--root", [Problem("", str(error))]) from None
    return record_snmp.capture(wanted.way, port, roots, bounds, tell)


def again(wanted: Wanted, library: Library, bounds: tuple[int, float], wait_s: float, tell: Tell) -> Recorded:
    """Wait, and record a second time."""
    begun = time.monotonic()
    while (passed_s := time.monotonic() - begun) < wait_s:
        tell(f"waits {wait_s:g} s for the second read", passed_s / wait_s)
        time.sleep(min(0.1, wait_s - passed_s))
    return recording(wanted, library, bounds, tell)


def finished(recorded: Sequence[Recorded], redactor: Redactor) -> dict[str, bytes]:
    """Return all files, with SOURCE."""
    files = written([captured for captured, _ in recorded], redactor)
    told = recorded[0][1]
    partial = "; second read: ".join(told.partial for _, told in recorded if told.partial)
    not_kept = getattr(recorded[0][0], "not_kept", 0)
    lost = [f"{not_kept if isinstance(not_kept, int) else ', '.join(not_kept)}: an original would be left"]
    left_out = [*told.left_out, *(lost if not_kept else ())]
    found = f"{told.found}{', read twice' if len(recorded) > 1 else ''}"
    text = source(told._replace(partial=partial, left_out=left_out, found=found), redactor)
    return {"SOURCE": text.encode(), **files}


def secrets_of(way: Way) -> Iterator[str]:
    """Yield what is shown to the device and must not be in the recording; Unable where a file cannot be read."""
    if way.username:
        yield way.username
    for file in (way.community_file, way.password_file, way.auth_file, way.privacy_file):
        if file:
            yield secret(file, "secret")


def _mistakes(wanted: Wanted) -> Iterator[Problem]:
    kind, way = wanted.kind, wanted.way
    if kind not in KINDS:
        there = f"; there are {', '.join(KINDS)}"
        yield Problem("--kind", f"{kind!r} is not known{did_you_mean(kind, KINDS, there)}")
    elif (kind == "host") is bool(way.address):
        reason = "is for this machine, without HOST" if kind == "host" else f"{kind}: which device? HOST is missing"
        yield Problem("--kind" if kind == "host" else "HOST", reason)
    elif kind == "snmp" and not (way.community_file or way.username):
        yield Problem("--community-file", "is missing: which community (v2c)? Or --user for v3")
    if wanted.roots and kind not in _OF_ROOTS:
        yield Problem("--root", f"is for {', '.join(_OF_ROOTS)}")
