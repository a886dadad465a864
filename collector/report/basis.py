"""
What a report rests on, by hash: whoever has the same evidence and files can tell that they are the same.

    leaves     day ──▶ device ──▶ SHA-256 of its evidence of that day, as an archive of evidence has it
    root       of the tree over all leaves, in the order of day and device (RFC 6962 §2.1)
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

Leaves = Mapping[str, Mapping[str, str]]  # day ▶ device ▶ hex


class Evidence(NamedTuple):
    """The evidence of the devices that a report asks about and of those that speak for them, of the period's days."""

    root: str
    leaves: Leaves

    @property
    def device_days(self) -> int:
        """How many leaves there are; a device without evidence of a day has none."""
        return sum(map(len, self.leaves.values()))


class InForce(NamedTuple):
    """A version of the roster: since when it is in force, and the SHA-256 that it is known by."""

    effective: date
    sha256: str


class Basis(NamedTuple):
    """
    Hashes of all that decides of a report besides the program.

    `roster` are the versions in force in the period; `calendars` and `targets` the SHA-256 of the files; `profiles`
    that of the list of all profiles with theirs; `disputes` that of the newest record, `sampling` that of all samples
    with their results, both empty while there is none. `evidence` is None where it was not
    hashed: of a large city that takes long.
    """

    roster: tuple[InForce, ...] = ()
    calendars: str = ""
    targets: str = ""
    profiles: str = ""
    disputes: str = ""
    sampling: str = ""
    evidence: Evidence | None = None


def tree_of_basis(basis: Basis) -> dict[str, Any]:
    """Return what the report itself has of it: the leaves follow from the root, and stand apart."""
    evidence = basis.evidence
    return {
        "roster": [{"effective": one.effective.isoformat(), "sha256": one.sha256} for one in basis.roster],
        "calendars": basis.calendars,
        "targets": basis.targets,
        "profiles": basis.profiles,
        "disputes": basis.disputes,
        "sampling": basis.sampling,
        "evidence": None if evidence is None else {"root": evidence.root, "device_days": evidence.device_days},
    }
