"""
A backup, read from its beginning to its end and believed only when both agree.

Nothing of it can be trusted before the manifest at its end: who takes members while they are read must be able to throw
them away again.
"""

import gzip
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from collector.backup import seal
from collector.backup.manifest import (
    FIRST,
    LAST,
    BadBackup,
    Head,
    Manifest,
    Member,
    head_from,
    manifest_from,
    section_of,
)
from collector.backup.snapshot import MAGIC, flaw_of

PIECE = 1 << 20
_MOST_MANIFEST = 1 << 30
_GZIP = b"\x1f\x8b"

# Takes a folder or a file, and its content; what it does not read is read for it.
Take = Callable[[tarfile.TarInfo, IO[bytes]], None]


class Content:
    """The content of a member, hashed while it is read."""

    def __init__(self, under: IO[bytes] | None) -> None:
        self.total = hashlib.sha256()
        self.size = 0
        self._under = under

    def read(self, size: int = PIECE) -> bytes:
        """Return some bytes, none at the end."""
        content = self._under.read(size) if self._under else b""
        self.total.update(content)
        self.size += len(content)
        return content


def read_backup(
    file: Path, passphrase: bytes | None, take: Take, begin: Callable[[Head], None] = lambda _head: None
) -> Manifest:
    """
    Read a backup to its end, give each member to `take`, and return its manifest.

    `begin` is told the head before anything is taken. BadBackup or BadPassphrase: then nothing of it is to be used.
    """
    try:
        with _opened(file, passphrase) as tar, _explained():
            head: Head | None = None
            seen: dict[str, Member] = {}
            for info in tar:
                if head is None:
                    head = head_from(_small(tar, info, FIRST))
                    begin(head)
                elif info.name == LAST:
                    manifest = manifest_from(_small(tar, info, LAST))
                    _compare(head, seen, manifest)
                    return _nothing_behind(tar, manifest)
                else:
                    _take(tar, info, seen, take)
        raise BadBackup("is cut short: it has no end")
    except (BadBackup, seal.BadPassphrase) as error:
        raise type(error)(f"{file}: {error}") from None


def check_backup(file: Path, passphrase: bytes | None, *, deep: bool = True) -> Manifest:
    """
    Read a backup, compare every hash, and return its manifest; with `deep` have SQLite examine each of its files, too.

    That needs room for the largest of them in the temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="santong-backup-") as name:
        copy = Path(name) / "copy"
        flaws: dict[str, str] = {}

        def take(info: tarfile.TarInfo, content: IO[bytes]) -> None:
            start = content.read(len(MAGIC))
            if deep and start == MAGIC:
                with copy.open("wb") as opened:
                    opened.write(start)
                    while piece := content.read(PIECE):
                        opened.write(piece)
                flaws[info.name] = flaw_of(copy)

        manifest = read_backup(file, passphrase, take)
    for member in manifest.members:
        if member.kind == "sqlite" and flaws.get(member.name):
            raise BadBackup(f"{file}: {member.name}: {flaws[member.name]}")
    return manifest


def _take(tar: tarfile.TarFile, info: tarfile.TarInfo, seen: dict[str, Member], take: Take) -> None:
    section_of(info.name)
    if info.name in seen:
        raise BadBackup(f"has two members named {info.name!r}")
    if info.type not in (tarfile.REGTYPE, tarfile.DIRTYPE) or info.issparse():
        raise BadBackup(f"has a member {info.name!r} that is neither file nor folder: nothing of it is used")
    content = Content(tar.extractfile(info) if info.isreg() else None)
    take(info, cast("IO[bytes]", content))
    while content.read(PIECE):
        pass
    if info.isreg():
        seen[info.name] = Member(info.name, content.size, content.total.hexdigest())


def _compare(head: Head, seen: dict[str, Member], manifest: Manifest) -> None:
    if manifest.head != head:
        raise BadBackup(f"its {FIRST} and its {LAST} are of different backups")
    told = {member.name: member._replace(kind="file") for member in manifest.members}
    for name in sorted(told.keys() | seen.keys()):
        if told.get(name) != seen.get(name):
            raise BadBackup(f"{name} is not as it was written")


def _nothing_behind(tar: tarfile.TarFile, manifest: Manifest) -> Manifest:
    """Read to the very end: that is where the checksums of compression and seal are."""
    if tar.next() is not None:
        raise BadBackup(f"has something behind its {LAST}")
    under = cast("IO[bytes]", tar.fileobj)  # what is buffered of it are blocks of zeros
    while under.read(PIECE):
        pass
    return manifest


def _small(tar: tarfile.TarFile, info: tarfile.TarInfo, name: str) -> bytes:
    opened = tar.extractfile(info) if info.type == tarfile.REGTYPE and info.name == name else None
    if opened is None or info.size > _MOST_MANIFEST:
        raise BadBackup("is no backup of santong")
    return opened.read()


@contextmanager
def _opened(file: Path, passphrase: bytes | None) -> Iterator[tarfile.TarFile]:
    with file.open("rb") as opened:
        start = opened.read(len(seal.MAGIC))
        opened.seek(0)
        under: IO[bytes] = opened
        if start == seal.MAGIC:
            under = io.BufferedReader(seal.Opener(opened, passphrase), 1 << 16)
        elif start[:2] != _GZIP:
            raise BadBackup("is no backup of santong, or damaged at its beginning")
        with (
            _explained(),
            gzip.GzipFile(fileobj=under, mode="rb") as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            yield tar


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what libraries say of streams that are not as they were written into BadBackup."""
    try:
        yield
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError, OverflowError):
        raise BadBackup("is damaged or cut short") from None
