"""What is in folders, for comparing them; and backups that nobody would write."""

import gzip
import io
import sqlite3
import tarfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from collector.backup.manifest import FIRST, LAST, RESTORED, Head, Manifest, Member
from collector.backup.snapshot import COMPANIONS, is_sqlite
from contract import __version__

HEAD = Head("0123456789abcdef", __version__, "2026-11-28T00:00:00+00:00", {"data": "/var/lib/santong"}, "none")


def contents(folder: Path) -> dict[str, object]:
    """Return every file of a folder by name, and its mode: bytes, or of a file of SQLite its rows."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.name == RESTORED or path.name.endswith((*COMPANIONS, ".lock")):
            continue
        mode = path.stat().st_mode & 0o777
        content = None if path.is_dir() else rows(path) if is_sqlite(path) else path.read_bytes()
        found[str(path.relative_to(folder))] = (mode, content)
    return found


def rows(file: Path) -> list[str]:
    """Return a file of SQLite as statements."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened:
        return list(opened.iterdump())


def folder_entry(name: str) -> tarfile.TarInfo:
    """Return the member of a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def link_entry(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return the member of a link."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def write_tar(
    file: Path, members: Iterable[tarfile.TarInfo | tuple[str, bytes]], told: Iterable[Member] = (), head: Head = HEAD
) -> None:
    """Write a backup of any members, and a manifest that tells of `told`."""
    with gzip.open(file, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for one in [(FIRST, head.as_bytes()), *members, (LAST, Manifest(head, tuple(told), {}).as_bytes())]:
            if isinstance(one, tarfile.TarInfo):
                tar.addfile(one)
            else:
                info = tarfile.TarInfo(one[0])
                info.size = len(one[1])
                tar.addfile(info, io.BytesIO(one[1]))
