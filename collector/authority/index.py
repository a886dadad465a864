"""
What was issued, and what was revoked: one SQLite file in the authority's folder.

Rows are added and never taken away; revocation and its reason are all that is ever changed of one. Each change is one
transaction, on disk when it returns: after kill -9 or a power cut it is there or it is not.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from collector.authority.files import INDEX, AuthorityError
from collector.authority.identity import Identity, Kind

_TABLE = """
CREATE TABLE IF NOT EXISTS issued (
    number INTEGER PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    names TEXT NOT NULL,
    key TEXT NOT NULL,
    issued TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to TEXT NOT NULL,
    certificate TEXT NOT NULL,
    revoked TEXT,
    reason TEXT
);
CREATE INDEX IF NOT EXISTS issued_name ON issued (name);
CREATE INDEX IF NOT EXISTS issued_key ON issued (key);
"""
_COLUMNS = "serial, name, kind, names, key, issued, valid_from, valid_to, certificate, revoked, reason"


class Entry(NamedTuple):
    """One certificate. `key` is the SHA-256 of its public key (SubjectPublicKeyInfo in DER), in hex, as is `serial`."""

    serial: str
    who: Identity
    key: str
    issued: datetime
    begin: datetime
    end: datetime
    certificate: str
    revoked: datetime | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "name": self.who.name,
            "kind": str(self.who.kind),
            "names": list(self.who.names),
            "serial": self.serial,
            "key_sha256": self.key,
            "issued": self.issued.isoformat(),
            "valid_from": self.begin.isoformat(),
            "valid_to": self.end.isoformat(),
            "revoked": self.revoked.isoformat() if self.revoked else None,
            "reason": self.reason or None,
        }


class Index:
    """The entries of an authority's folder; sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def every(self) -> list[Entry]:
        """Return all entries, the oldest first."""
        return self._found("SELECT {} FROM issued ORDER BY number")

    def of(self, name: str) -> list[Entry]:
        """Return the entries of a name, the oldest first."""
        return self._found("SELECT {} FROM issued WHERE name = ? ORDER BY number", name)

    def with_key(self, key: str) -> list[Entry]:
        """Return the entries of a public key, the oldest first."""
        return self._found("SELECT {} FROM issued WHERE key = ? ORDER BY number", key)

    def revoked(self) -> list[Entry]:
        """Return what was revoked, the oldest first."""
        return self._found("SELECT {} FROM issued WHERE revoked IS NOT NULL ORDER BY number")

    def current(self) -> list[Entry]:
        """Return of each name the newest entry that was not revoked, whether it has expired or not."""
        return self._found(
            "SELECT {} FROM issued WHERE number IN "
            "(SELECT max(number) FROM issued WHERE revoked IS NULL GROUP BY name) ORDER BY name"
        )

    def change(self, add: list[Entry], revoke: list[Entry], at: datetime, reason: str) -> None:
        """Add entries and revoke others, durably, both or neither."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for one in revoke:
                self._connection.execute(
                    "UPDATE issued SET revoked = ?, reason = ? WHERE serial = ? AND revoked IS NULL",
                    (at.isoformat(), reason, one.serial),
                )
            for one in add:
                self._connection.execute(
                    f"INSERT INTO issued ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,NULL,NULL)",  # noqa: S608
                    (
                        one.serial, one.who.name, one.who.kind, " ".join(one.who.names), one.key,
                        one.issued.isoformat(), one.begin.isoformat(), one.end.isoformat(), one.certificate,
                    ),
                )  # fmt: skip
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def blame(self, some: list[Entry], reason: str) -> None:
        """Give what was revoked another reason, durably, all or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for one in some:
                self._connection.execute("UPDATE issued SET reason = ? WHERE serial = ?", (reason, one.serial))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def _found(self, query: str, *values: str) -> list[Entry]:
        return [_entry(row) for row in self._connection.execute(query.format(_COLUMNS), values)]


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Iterator[Index]:
    """Open the index of a folder; AuthorityError where there is none, unless `create`."""
    file = folder / INDEX
    if not create and not file.is_file():
        raise AuthorityError(f"{folder}: there is no authority: make one with `santong ca init`")
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=EXTRA")
        if create:
            connection.executescript(_TABLE)
        yield Index(connection)
    finally:
        connection.close()


def _entry(row: tuple[Any, ...]) -> Entry:
    serial, name, kind, names, key, issued, begin, end, certificate, revoked, reason = row
    who = Identity(name, Kind(kind), tuple(names.split()))
    made, first, last = (datetime.fromisoformat(one) for one in (issued, begin, end))
    when = datetime.fromisoformat(revoked) if revoked else None
    return Entry(serial, who, key, made, first, last, certificate, when, reason or "")
