"""
An archive of a period, written member by member: nothing of it is held but the hashes of one day's devices.

    files (roster, calendars, targets, profiles) ─┐
    store ──▶ lines of each part ──▶ evidence/…    ├─▶ manifest ──▶ signature
               └──▶ leaves of its devices ──▶ tree ┘

The same store, period and horizon give the same members; the order and the times of the ZIP are fixed.
"""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from collector.archive.keys import Signer, fingerprint
from collector.archive.manifest import (
    MANIFEST,
    OBSERVED,
    PUBLIC,
    SIGNATURE,
    BadArchive,
    Manifest,
    Member,
    evidence_name,
    leaves_name,
)
from collector.archive.scope import Scope, lines_of
from collector.archive.tree import Leaves, Tree
from collector.store.base import Store

README = Path(__file__).parent / "README.txt"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP can tell
_REGULAR = 0o100644 << 16
_PIECE = 1 << 18

Progress = Callable[[int, int, str], None]  # parts done, of how many, which one


class Told(NamedTuple):
    """What goes into an archive besides evidence: files by name, the zone of the days, versions of the software."""

    files: Mapping[str, bytes]
    zone: str
    software: Mapping[str, str]


def write_archive(
    out: Path, store: Store, scope: Scope, told: Told, signer: Signer, progress: Progress = lambda *_: None
) -> Manifest:
    """
    Write the archive of a period to the file `out`, durably, and return its manifest.

    Raises BadArchive when there is such a file, StoreError and OSError: then there is none.
    """
    if out.exists():
        raise BadArchive("is there already: an archive is never written over")
    with _new_file(out) as opened, zipfile.ZipFile(opened, "w", allowZip64=True) as archive:
        writer = _Writer(archive)
        for name, content in {README.name: README.read_bytes(), **told.files}.items():
            writer.add(name, [content])
        writer.add(OBSERVED, (f"{device}\n".encode() for device in scope.observed))
        tree = Tree()
        parts = scope.parts
        for number, part in enumerate(parts):
            progress(number, len(parts), part.name)
            leaves = Leaves()
            writer.add(evidence_name(part.name), _hashed(lines_of(store, scope, part), leaves))
            writer.add(leaves_name(part.name), (leaf_line(leaf, device) for device, leaf in leaves))
            for _, leaf in leaves:
                tree.add(leaf)
        progress(len(parts), len(parts), "")
        manifest = Manifest(
            told.zone,
            tuple(scope.days),
            scope.holding_ns,
            scope.made_ns,
            told.software,
            fingerprint(signer.public),
            tree.leaves,
            tree.root().hex(),
            tuple(writer.members),
        )
        content = manifest.as_bytes()
        for name, body in ((MANIFEST, content), (SIGNATURE, signer.sign(content)), (PUBLIC, signer.public)):
            writer.add(name, [body])
    return manifest


def leaf_line(leaf: bytes, device: str) -> bytes:
    """Return the line of a device in a member of leaves."""
    return f"{leaf.hex()}  {device}\n".encode()


class _Writer:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.members: list[Member] = []
        self._archive = archive

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a member from pieces of its content."""
        info = zipfile.ZipInfo(name, _EARLIEST)
        info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, _REGULAR
        total, size = hashlib.sha256(), 0
        with self._archive.open(info, "w", force_zip64=True) as member:
            for piece in _gathered(pieces):
                total.update(piece)
                size += len(piece)
                member.write(piece)
        self.members.append(Member(name, size, total.hexdigest()))


def _hashed(lines: Iterable[tuple[str, bytes]], leaves: Leaves) -> Iterator[bytes]:
    """Yield lines, and take each into the leaf of its device."""
    for device, line in lines:
        leaves.add(device, line)
        yield line


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small pieces together: one call a line would cost more than the compression."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


@contextmanager
def _new_file(out: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is whole and on disk, and is gone when it fails."""
    descriptor, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.absolute().parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(descriptor)
        new.chmod(0o644)
        os.link(new, out)  # which fails where another file came meanwhile
    finally:
        new.unlink(missing_ok=True)
