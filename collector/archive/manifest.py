"""
The manifest of an archive: what is in it, from which period, made with what; all else is proven by its hashes.

A line a member, so that `sed` and `sha256sum` alone can check them: docs/archive.md has the recipe.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from collector.archive.scope import AFTER, BEFORE, Scope, Span
from contract.errors import SantongError

FORMAT = "santong-evidence/1"
MANIFEST, SIGNATURE, PUBLIC = "manifest.json", "manifest.sig", "public.pem"
OBSERVED = "observed.txt"  # the devices that others speak for, a line each
MOST_BYTES = 64 << 20  # of a manifest: it has a line a member, three a day
_LATEST_NS = 1 << 62
_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
# Whatever else were in one could stand in the way of what is read from it.
_MEMBER = re.compile(
    r"(?:README\.txt|observed\.txt|calendars\.yaml|targets\.yaml)$"
    r"|(?:evidence|leaves|roots|roster|profiles|disputes|sampling|correction)/"
)
_PART = re.compile(rf"\d{{4}}-\d\d-\d\d|{BEFORE}|{AFTER}")


class BadArchive(SantongError):
    """A file that is no archive, or not as it was signed; the message is one line without the file's name."""


class Member(NamedTuple):
    """A file in the archive, with its size and the SHA-256 of its content."""

    name: str
    bytes: int
    sha256: str


class Manifest(NamedTuple):
    """
    What an archive says of itself.

    `made_ns` is the horizon: what was known when its making began. `software` names what decides of a verdict besides
    the evidence: versions of the program, of its rules, of the table of public holidays. `key` is the fingerprint of
    the public key; `root` that of the tree over the device-days, `leaves` in number.
    """

    zone: str
    days: tuple[Span, ...]
    holding_ns: int
    made_ns: int
    software: Mapping[str, str]
    key: str
    leaves: int
    root: str
    members: tuple[Member, ...]

    @property
    def first(self) -> date:
        """The first day."""
        return date.fromisoformat(self.days[0].name)

    @property
    def last(self) -> date:
        """The last day."""
        return date.fromisoformat(self.days[-1].name)

    @property
    def scope(self) -> Scope:
        """The period, without the devices that others speak for: those are a member of the archive."""
        return Scope(self.days, self.holding_ns, self.made_ns)

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "format": FORMAT,
            "made_at": datetime.fromtimestamp(self.made_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
            "made_ns": self.made_ns,
            "from": self.days[0].name,
            "to": self.days[-1].name,
            "zone": self.zone,
            "holding_ns": self.holding_ns,
            "software": dict(self.software),
            "key": self.key,
            "tree": {"hash": "SHA-256, RFC 6962 section 2.1", "leaves": self.leaves, "root": self.root},
            "days": [day._asdict() for day in self.days],
            "members": [member._asdict() for member in self.members],
        }

    def as_bytes(self) -> bytes:
        """Return the text that is signed: the same for the same manifest."""
        head = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in self.as_json().items()]
        for at, values in ((-2, self.days), (-1, self.members)):
            rows = ",\n".join(f"  {json.dumps(value._asdict())}" for value in values)
            head[at] = f"{head[at].partition(':')[0]}: [\n{rows}\n ]"
        return ("{\n" + ",\n".join(head) + "\n}\n").encode()


def read_manifest(content: bytes) -> Manifest:
    """Return the manifest of its text; BadArchive says what is wrong with it."""
    try:
        tree = json.loads(content)
        if tree["format"] != FORMAT:
            raise BadArchive(f"is of the format {str(tree['format'])[:40]!r}; this program reads {FORMAT}")
        found = Manifest(
            zone=_text(tree["zone"]),
            days=tuple(Span(_text(day["name"]), int(day["start_ns"]), int(day["end_ns"])) for day in tree["days"]),
            holding_ns=int(tree["holding_ns"]),
            made_ns=int(tree["made_ns"]),
            software={_text(name): _text(value) for name, value in tree["software"].items()},
            key=_text(tree["key"]),
            leaves=int(tree["tree"]["leaves"]),
            root=_text(tree["tree"]["root"]),
            members=tuple(
                Member(_text(one["name"]), int(one["bytes"]), _text(one["sha256"])) for one in tree["members"]
            ),
        )
        _check(found)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadArchive(f"its {MANIFEST} cannot be read: {type(error).__name__} {str(error)[:80]}") from None
    return found


def evidence_name(part: str) -> str:
    """Return the member with the lines of a part."""
    return f"evidence/{part}.lp"


def leaves_name(part: str) -> str:
    """Return the member with the hashes of a part's devices."""
    return f"leaves/{part}.txt"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _check(manifest: Manifest) -> None:
    """Raise ValueError for days that are none or do not follow each other, and for names that lead elsewhere."""
    names = {member.name for member in manifest.members}
    if len(names) < len(manifest.members):
        raise ValueError("a member is named twice")
    if bad := [name for name in names if len(name) > 200 or not _NAME.fullmatch(name)]:
        raise ValueError(f"{bad[0][:80]!r} is no name of a member")
    if strange := [name for name in names if not _MEMBER.match(name)]:
        raise ValueError(f"{strange[0][:80]!r} is no member of an archive")
    if min(manifest.holding_ns, *(member.bytes for member in manifest.members)) < 0:
        raise ValueError("a size is less than nothing")
    ZoneInfo(manifest.zone)
    for day in manifest.days:
        date.fromisoformat(day.name)
    days = manifest.days
    if not days or any(a.end_ns != b.start_ns or a.name >= b.name for a, b in pairwise(days)):
        raise ValueError("its days do not follow each other")
    if not 0 <= days[0].start_ns < days[-1].end_ns <= manifest.made_ns < _LATEST_NS:
        raise ValueError("its days were not over when it was made")
    if missing := [name for part in manifest.scope.parts for name in _of_part(part.name) if name not in names]:
        raise ValueError(f"{missing[0]} is not named in it")


def _of_part(name: str) -> Sequence[str]:
    return evidence_name(name), leaves_name(name)
