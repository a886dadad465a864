"""
What a dispute 异议 or a closure 停用 is, and the four things that can happen to it.

    proposed ──▶ approved (another person) ──▶ withdrawn (who approved it)
        ├──────▶ rejected (another person)
        └──────▶ withdrawn (who proposed it)

A period is [since, until): instants on full minutes, each with its offset from UTC.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeVar

_T = TypeVar("_T")


class Kind(StrEnum):
    """A dispute asks that minutes be judged otherwise; a closure says so, too, and stops alerts at once."""

    DISPUTE = "dispute"
    CLOSURE = "closure"


class Happened(StrEnum):
    """What can happen to a dispute, and so the state that it is in."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Reason(StrEnum):
    """Why. In stored records: codes are append-only."""

    POWER_MAINTENANCE = "power-maintenance"
    BUILDING_WORKS = "building-works"
    NETWORK_WORKS = "network-works"
    SCHOOL_CLOSED = "school-closed"
    EXAM = "exam"
    WEATHER_ALARM = "weather-alarm"
    STOLEN_EQUIPMENT = "stolen-equipment"
    WRONG_ROSTER_ENTRY = "wrong-roster-entry"
    AGENT_FAULT = "agent-fault"
    EVIDENCE_COUNTS = "evidence-counts"
    EVIDENCE_DOES_NOT_COUNT = "evidence-does-not-count"


# Decisions on whether evidence comes from where it claims to be: these exclude nothing.
ADJUDICATIONS = frozenset((Reason.EVIDENCE_COUNTS, Reason.EVIDENCE_DOES_NOT_COUNT))
# Why a place can be closed: what keeps people or devices away from it.
CLOSING = frozenset((
    Reason.POWER_MAINTENANCE, Reason.BUILDING_WORKS, Reason.SCHOOL_CLOSED, Reason.EXAM, Reason.WEATHER_ALARM,
    Reason.STOLEN_EQUIPMENT,
))  # fmt: skip
# Kinds of findings of integrity, as `collector.verify.integrity.Concern` has them.
FINDINGS = ("number_clash", "place", "shared_gateway")
LEVELS = ("county", "site", "room", "device")


class Scope(NamedTuple):
    """Whom it is about: a county's code, a site, a room (`site/room_id`, or the device that is its own) or a device."""

    level: str
    id: str


class Attachment(NamedTuple):
    """A file that stays where it is: its name, its SHA-256 and its size in bytes."""

    name: str
    sha256: str
    bytes: int


class Claim(NamedTuple):
    """What is asked for; `finding` names the kind of finding that an adjudication is about."""

    kind: Kind
    scope: Scope
    since: datetime
    until: datetime
    reason: Reason
    finding: str = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def window(self) -> tuple[int, int]:
        """The period in unix nanoseconds."""
        return int(self.since.timestamp()) * 10**9, int(self.until.timestamp()) * 10**9


class Entry(NamedTuple):
    """
    One record: what happened to which dispute, who did it (`by`), under which login, when, and why.

    Disputes are numbered from 1 as they are proposed; only a proposal has a claim.
    """

    happened: Happened
    dispute: int
    by: str
    login: str
    at: datetime
    text: str = ""
    claim: Claim | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        tree: dict[str, Any] = {
            "at": self.at.isoformat(),
            "event": str(self.happened),
            "dispute": self.dispute,
            "by": self.by,
            "login": self.login,
            "text": self.text,
        }
        if self.claim is None:
            return tree
        return tree | {
            "kind": str(self.claim.kind),
            "scope": {self.claim.scope.level: self.claim.scope.id},
            "since": self.claim.since.isoformat(),
            "until": self.claim.until.isoformat(),
            "reason": str(self.claim.reason),
            "finding": self.claim.finding,
            "attachments": [attachment._asdict() for attachment in self.claim.attachments],
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Return the entry that was written down; ValueError, KeyError or TypeError for anything else."""
        entry = cls(
            Happened(tree["event"]),
            _typed(int, tree["dispute"]),
            _typed(str, tree["by"]),
            _typed(str, tree["login"]),
            datetime.fromisoformat(tree["at"]),
            _typed(str, tree["text"]),
            _claim(tree) if tree["event"] == Happened.PROPOSED else None,
        )
        if entry.at.tzinfo is None or entry.as_json() != dict(tree):
            raise ValueError("it is not in the form in which records are written")
        return entry


def _claim(tree: Mapping[str, Any]) -> Claim:
    ((level, name),) = tree["scope"].items()
    return Claim(
        Kind(tree["kind"]),
        Scope(level, _typed(str, name)),
        datetime.fromisoformat(tree["since"]),
        datetime.fromisoformat(tree["until"]),
        Reason(tree["reason"]),
        _typed(str, tree["finding"]),
        tuple(
            Attachment(_typed(str, one["name"]), _typed(str, one["sha256"]), _typed(int, one["bytes"]))
            for one in tree["attachments"]
        ),
    )


def _typed(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is of another type")
    return value


class Dispute(NamedTuple):
    """A dispute or closure with all that happened to it, in order; the last says its state."""

    number: int
    claim: Claim
    entries: tuple[Entry, ...]

    @property
    def state(self) -> Happened:
        """What happened last."""
        return self.entries[-1].happened

    @property
    def proposed(self) -> Entry:
        """How it began."""
        return self.entries[0]

    @property
    def approved(self) -> Entry | None:
        """Its approval, also where that was withdrawn."""
        return next((entry for entry in self.entries if entry.happened is Happened.APPROVED), None)

    @property
    def changes_verdicts(self) -> bool:
        """Tell whether verification takes it: two people agreed, and nobody took it back."""
        return self.state is Happened.APPROVED

    @property
    def stops_alerts(self) -> bool:
        """Tell whether alerts about its scope and period are to be kept back: from its record on."""
        in_force = self.state in (Happened.PROPOSED, Happened.APPROVED)
        return in_force and (self.claim.kind is Kind.CLOSURE or (self.changes_verdicts and self.excludes))

    @property
    def excludes(self) -> bool:
        """Tell whether its minutes count neither for nor against; an adjudication is about evidence instead."""
        return self.claim.reason not in ADJUDICATIONS


def same_person(one: str, other: str) -> bool:
    """Tell whether two names are one person's: width, case, spaces and invisible characters do not count."""
    return person(one) == person(other)


def person(name: str) -> str:
    """Return a name as names are compared; empty where nothing of it can be seen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] not in "ZC")
