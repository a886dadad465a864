"""
What a report rests on, hashed: joins the period's inputs with its evidence.

    roster, calendars, targets, profiles, disputes ──▶ SHA-256 each ─────────────╮
    store ──▶ canonical lines of a device-day ──▶ leaf ─┬─▶ root of all leaves ──┴─▶ Basis
    archive ──▶ the same leaves, as they were signed ───╯
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from collector.archive.read import Archive
from collector.archive.scope import HOUR_NS, Scope, Span, lines_of
from collector.archive.tree import Leaves, tree_of
from collector.evidence import PROFILES, profiles_of
from collector.report.basis import Basis, Evidence, InForce
from collector.roster.canonical import digest
from collector.roster.schema import Roster
from collector.sampling.kept import Samples
from collector.store.base import Store
from collector.verify.period import Period

_MOST_NAMED = 200  # devices that a question names; of more all are read
Progress = Callable[[int, int, str], None]  # days done, of how many, "hashing"


class Inputs(NamedTuple):
    """What a period is judged by besides its evidence: versions of the roster with their first days, and files."""

    rosters: Sequence[tuple[date, Roster]]
    calendars: Path
    targets: Path
    profiles: Sequence[Path]


def basis_of(inputs: Inputs, first: date, evidence: Evidence | None, archive: Archive | None) -> Basis:
    """
    Return the basis of a report of a period that begins on the day `first`, but for what people agreed on and saw.

    Profiles are those of `archive`, where the report is made of one. Raises OSError where a file is gone by now.
    """
    return Basis(
        tuple(InForce(max(since, first), digest(roster)) for since, roster in inputs.rosters),
        _sha256(inputs.calendars.read_bytes()),
        _sha256(inputs.targets.read_bytes()),
        _of_profiles(_archived(archive) if archive else profiles_of(inputs.profiles)),
        evidence=evidence,
    )


def sampling_of(data: Path) -> str:
    """Return the SHA-256 of all samples and results, empty without any; BadSampling when any was altered."""
    lines = Samples(data).digest_lines()
    return _sha256("".join(f"{line}\n" for line in lines).encode()) if lines else ""


def devices_of(period: Period) -> frozenset[str]:
    """Return the devices that a period asks about, and those that speak for them."""
    devices = [device for roster in period.in_force for device in roster.devices.values()]
    return frozenset(one.id for one in devices) | frozenset(one.speaker for one in devices)


def evidence_of_store(
    store: Store, days: Sequence[Span], devices: Collection[str], progress: Progress = lambda *_: None
) -> Evidence:
    """Return the hashes of some devices' evidence, as the store has it now; StoreError when the store fails."""
    scope = Scope(days, HOUR_NS, 0)
    found: dict[str, dict[str, str]] = {}
    for number, day in enumerate(days):
        progress(number, len(days), "hashing")
        found[day.name] = leaves_of(store, scope, day, devices)
    progress(len(days), len(days), "hashing")
    return _evidence(found)


def evidence_of_archive(archive: Archive, days: Sequence[Span], devices: Collection[str]) -> Evidence:
    """Return the hashes of some devices' evidence that an archive was signed with."""
    return _evidence(
        {day.name: {name: leaf for name, leaf in archive.leaves(day).items() if name in devices} for day in days}
    )


def leaves_of(store: Store, scope: Scope, day: Span, devices: Collection[str]) -> dict[str, str]:
    """Return the hash of each device's evidence of a day, in hex."""
    leaves = Leaves()
    for device, line in lines_of(store, scope, day, sorted(devices) if len(devices) <= _MOST_NAMED else None):
        if device in devices:
            leaves.add(device, line)
    return {device: leaf.hex() for device, leaf in leaves}


def root_of(leaves: Mapping[str, Mapping[str, str]]) -> str:
    """Return the root of the tree over leaves, in the order of day and device."""
    some = (bytes.fromhex(leaves[day][device]) for day in sorted(leaves) for device in sorted(leaves[day]))
    return tree_of(some).root().hex()


def _evidence(leaves: Mapping[str, Mapping[str, str]]) -> Evidence:
    return Evidence(root_of(leaves), leaves)


def _archived(archive: Archive) -> dict[str, bytes]:
    names = [name for name in archive.files() if name.startswith(f"{PROFILES}/")]
    return {name: b"".join(archive.pieces(name)) for name in names}


def _of_profiles(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of a list as `sha256sum` prints it, by name."""
    return _sha256("".join(f"{_sha256(files[name])}  {name}\n" for name in sorted(files)).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
