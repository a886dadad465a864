"""
An archive, opened: nothing in it is believed before its signature and its hashes were looked at.

    ZIP ──▶ manifest, signature, key ──▶ members, each against its hash while it is read

Whoever can write the file can sign it again with another key. So the key is compared with one that came another way.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from collector.archive.keys import BadKey, fingerprint, is_signed
from collector.archive.manifest import (
    MANIFEST,
    MOST_BYTES,
    OBSERVED,
    PUBLIC,
    SIGNATURE,
    BadArchive,
    Member,
    evidence_name,
    leaves_name,
    read_manifest,
)
from collector.archive.scope import Scope, Span

# What zipfile raises where the bytes are not those of a ZIP: OSError for a place in the file that cannot be.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
)
_PIECE = 1 << 20
_MOST_LINE = 1 << 16


class Archive:
    """
    An archive whose manifest is signed by the key in it; BadArchive when it is not.

    With `public`, the PEM of the key that was published, it must be by that one. Members are read from the file as they
    are asked for, and compared with their hashes then.
    """

    def __init__(self, file: Path, public: bytes | None = None) -> None:
        self.file = file
        self.is_by_known_key = public is not None
        try:
            self._zip = zipfile.ZipFile(file)
        except _UNREADABLE as error:
            if isinstance(error, OSError) and error.filename:  # it is the file that is not there, or not ours to read
                raise
            raise BadArchive(f"{file}: is no archive of evidence, or is damaged") from None
        try:
            content = self._small(MANIFEST, MOST_BYTES)
            own, signature = self._small(PUBLIC, 4096), self._small(SIGNATURE, 4096)
            self._check_signature(content, signature, own, public)
            self.manifest = read_manifest(content)
            self._members = {member.name: member for member in self.manifest.members}
            self._check_names()
        except BadArchive as flaw:
            self._zip.close()
            raise BadArchive(f"{file}: {flaw}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def scope(self) -> Scope:
        """The period, as it was asked of the store."""
        lines = self._lines(OBSERVED) if OBSERVED in self._members else ()
        return self.manifest.scope._replace(observed=[line.decode(errors="replace").rstrip("\n") for line in lines])

    def files(self) -> list[str]:
        """Return the names of what is neither evidence nor leaves: roster, calendars, targets, profiles, roots."""
        return [name for name in self._members if not name.startswith(("evidence/", "leaves/"))]

    def lines(self, part: Span) -> Iterator[bytes]:
        """Yield the lines of a part; BadArchive at the end, or before, when they are not those that were signed."""
        return self._lines(evidence_name(part.name))

    def leaves(self, part: Span) -> dict[str, str]:
        """Return the hash of each device of a part, in hex."""
        found = {}
        for line in self._lines(leaves_name(part.name)):
            digest, _, device = line.decode(errors="replace").rstrip("\n").partition("  ")
            found[device] = digest
        return found

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a member in pieces, never more than was signed; BadArchive when it is another content."""
        member = self._members[name]
        total, left = hashlib.sha256(), member.bytes
        with self._opened(name) as opened:
            while piece := self._piece(opened, member, min(_PIECE, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                total.update(piece)
                yield piece
        if left or total.hexdigest() != member.sha256:
            raise BadArchive(f"{self.file}: {name} is not what was signed")

    def names(self) -> list[str]:
        """Return the names of all members that the manifest has."""
        return list(self._members)

    def _lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        for piece in self.pieces(name):
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > _MOST_LINE:
                break
            yield from (line + b"\n" for line in whole)
        if rest:
            raise BadArchive(f"{self.file}: {name} is not made of lines")

    def _piece(self, opened: IO[bytes], member: Member, most: int) -> bytes:
        try:
            return opened.read(most)
        except _UNREADABLE:
            raise BadArchive(f"{self.file}: {member.name} is damaged") from None

    def _opened(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(name)
        except (*_UNREADABLE, KeyError):
            raise BadArchive(f"{self.file}: {name} is damaged") from None

    def _small(self, name: str, most: int) -> bytes:
        try:
            with self._zip.open(name) as opened:
                content = opened.read(most + 1)
        except KeyError:
            raise BadArchive(f"has no {name}: it is no archive of evidence, or something was taken out") from None
        except _UNREADABLE:
            raise BadArchive(f"{name} is damaged") from None
        if len(content) > most:
            raise BadArchive(f"{name} is too large")
        return content

    def _check_signature(self, content: bytes, signature: bytes, own: bytes, public: bytes | None) -> None:
        try:
            known = fingerprint(own)
            if public is not None and (expected := fingerprint(public)) != known:
                raise BadArchive(f"is signed by another key: {known[:16]}…, not {expected[:16]}…")
            if not is_signed(content, signature, own):
                raise BadArchive(f"its signature is wrong: {MANIFEST} was changed after it was signed")
        except BadKey as flaw:
            raise BadArchive(f"its key {flaw}") from None

    def _check_names(self) -> None:
        """Raise BadArchive for a member that was not signed, is there twice, or is not there."""
        names = self._zip.namelist()
        wanted = {*self._members, MANIFEST, SIGNATURE, PUBLIC}
        if strange := sorted(set(names) - wanted):
            raise BadArchive(f"{strange[0][:80]!r} is in it and was not signed")
        if missing := sorted(wanted - set(names)):
            raise BadArchive(f"{missing[0]} was taken out")
        if len(names) > len(wanted):
            raise BadArchive("a member is in it twice")
        if self.manifest.key != fingerprint(self._small(PUBLIC, 4096)):
            raise BadArchive("its manifest names another key")
