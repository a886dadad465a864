"""
What a backup says of itself, at its beginning and at its end.

    backup.json          first: format, version, when, which places; so that a newer one is refused at once
    config/1/…           /etc/santong, and more folders as config/2/…
    authority/…          keys and certificates
    data/…               everything in DATA
    store/…              santong.sqlite, or lines/MEASUREMENT/000001.lp
    manifest.json        last: all of that, and size and SHA-256 of every file; without it the backup is cut short
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from contract.errors import SantongError

FORMAT = 1
FIRST, LAST = "backup.json", "manifest.json"
DATA, AUTHORITY, CONFIG, STORE = SECTIONS = ("data", "authority", "config", "store")
STORE_MEMBER = "store/santong.sqlite"
LINES = "store/lines"
# Left by a restore in each folder that it put in place; no part of a backup.
RESTORED = ".santong-restored"


class BadBackup(SantongError):
    """A file that is no backup, is damaged, cut short, sealed with another passphrase, or of a newer program."""


class Head(NamedTuple):
    """
    What stands at the beginning.

    `made` is UTC, ISO 8601. `places` say where each part came from, by its name: data, authority, config/1, …
    `store` is sqlite, lines or none.
    """

    id: str
    version: str
    made: str
    places: Mapping[str, str]
    store: str

    def as_bytes(self) -> bytes:
        """Return the first member."""
        return _as_bytes(self._tree())

    def _tree(self) -> dict[str, Any]:
        return {"format": FORMAT, **self._asdict(), "places": dict(self.places)}


class Member(NamedTuple):
    """One file: name within the backup, size, SHA-256; `kind` is file, sqlite, or damaged (copied as it was)."""

    name: str
    bytes: int
    sha256: str
    kind: str = "file"


class Manifest(NamedTuple):
    """What stands at the end; `points` are those of a store in lines, by measurement."""

    head: Head
    members: tuple[Member, ...]
    points: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size of all files together, before they were compressed."""
        return sum(member.bytes for member in self.members)

    def as_bytes(self) -> bytes:
        """Return the last member."""
        tree = self.head._tree() | {"points": dict(self.points), "left_out": list(self.left_out)}
        return _as_bytes(tree | {"files": [member._asdict() for member in self.members]})


def head_from(content: bytes) -> Head:
    """Return the head that the first member tells; BadBackup, also for one of a newer program."""
    return _head(_tree(content, FIRST))


def manifest_from(content: bytes) -> Manifest:
    """Return the manifest that the last member tells."""
    tree = _tree(content, LAST)
    try:
        members = tuple(
            Member(str(one["name"]), int(one["bytes"]), str(one["sha256"]), str(one["kind"])) for one in tree["files"]
        )
        points = {str(name): int(number) for name, number in tree["points"].items()}
        return Manifest(_head(tree), members, points, tuple(map(str, tree["left_out"])))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadBackup(f"its {LAST} is not as it was written") from None


def section_of(name: str) -> str:
    """Return which part a member belongs to: data, authority, store, config/1; BadBackup for a name that leads out."""
    parts = name.split("/")
    is_plain = "\0" not in name and not any(part in ("", ".", "..") for part in parts)
    if not is_plain or parts[0] not in SECTIONS or (parts[0] == CONFIG and not parts[1:2]):
        raise BadBackup(f"has a member named {name[:200]!r}, which no backup has: nothing of it is used")
    return "/".join(parts[:2]) if parts[0] == CONFIG else parts[0]


def _head(tree: dict[str, Any]) -> Head:
    try:
        number, version = int(tree["format"]), str(tree["version"])
        places = {str(name): str(path) for name, path in tree["places"].items()}
        head = Head(str(tree["id"]), version, str(tree["made"]), places, str(tree["store"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadBackup(f"its {FIRST} is not as it was written") from None
    if number > FORMAT:
        raise BadBackup(f"was made by santong {version}, in a newer format: use that version")
    return head


def _tree(content: bytes, name: str) -> dict[str, Any]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise BadBackup(f"its {name} is not as it was written")
    return tree


def _as_bytes(tree: Mapping[str, Any]) -> bytes:
    return json.dumps(tree, indent=1).encode() + b"\n"
