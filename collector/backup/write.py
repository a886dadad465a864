"""
A backup, written member by member: no more of it is in memory than a piece.

    folders ─▶ walk ─▶ staged, as it is at one moment ─┐
    SQLite ──▶ online copy, examined ──────────────────┼─▶ tar ─▶ gzip ─▶ (sealed) ─▶ .partial ─▶ read again ─▶ named
    store ───▶ lines ──────────────────────────────────┘
"""

import fcntl
import gzip
import hashlib
import io
import os
import shutil
import sqlite3
import stat
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

from collector.backup import names
from collector.backup.gather import Found, Walk, copied, held
from collector.backup.manifest import FIRST, LAST, LINES, STORE_MEMBER, Head, Manifest, Member
from collector.backup.seal import Sealer
from collector.backup.snapshot import is_sqlite, snapshot
from collector.durable import sync
from contract.errors import SantongError

LEVEL = 1  # lines and pages become a seventh; more would cost three times the time for a tenth of the size

Note = Callable[[str, int], None]  # what it is at, and how many bytes are done


class BackupFailed(SantongError):
    """There is no backup; the message says why, and nothing was left."""


class Lines(Protocol):
    """Some lines of a store: of which measurement, how many points, their text."""

    @property
    def measurement(self) -> str:
        """The measurement."""

    @property
    def points(self) -> int:
        """How many lines."""

    @property
    def text(self) -> bytes:
        """The lines, each with its line feed."""


class Sources(NamedTuple):
    """What is to be in a backup: folders by their names, the file of a SQLite store, lines of another."""

    places: Mapping[str, Path]
    without: tuple[Path, ...] = ()
    store_file: Path | None = None
    lines: Iterable[Lines] = ()


class Written(NamedTuple):
    """A backup on disk; `troubles` say what of it is not as it should be."""

    file: Path
    size: int
    manifest: Manifest
    troubles: tuple[str, ...]


class Writer:
    """Writes members into a stream; `troubles` says what could only be copied as it was."""

    def __init__(self, out: IO[bytes], head: Head, staging: Path, note: Note) -> None:
        self.members: list[Member] = []
        self.points: dict[str, int] = {}
        self.troubles: list[str] = []
        self._head, self._staging, self._note = head, staging, note
        self._done = 0
        self._sink = _Sink(out)
        self._gzip = gzip.GzipFile(fileobj=self._sink, mode="wb", compresslevel=LEVEL, mtime=0)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._plain(FIRST, head.as_bytes())

    def add(self, found: Found) -> None:
        """Write a folder or a file; one that is gone meanwhile is left out."""
        try:
            if found.is_folder:
                self._tar.addfile(_info(found.name, found.stat, tarfile.DIRTYPE))
            elif is_sqlite(found.path):
                self._add_sqlite(found)
            else:
                self._add_copy(found, "file")
        except FileNotFoundError:
            if found.path.exists():
                raise

    def add_lines(self, lines: Iterable[Lines]) -> None:
        """Write lines of a store, a member a piece."""
        numbers: dict[str, int] = {}
        for piece in lines:
            number = numbers[piece.measurement] = numbers.get(piece.measurement, 0) + 1
            self.points[piece.measurement] = self.points.get(piece.measurement, 0) + piece.points
            name = f"{LINES}/{piece.measurement}/{number:06d}.lp"
            self._stream(_fresh(name, len(piece.text)), io.BytesIO(piece.text), "file")

    def abandon(self) -> None:
        """Close what is open, and write nothing more; both would try to once again when they are thrown away."""
        self._sink.under = None
        self._tar.close()
        self._gzip.close()

    def finish(self, left_out: Iterable[str]) -> Manifest:
        """Write the manifest and the ends of all streams."""
        manifest = Manifest(self._head, tuple(self.members), self.points, tuple(left_out))
        self._plain(LAST, manifest.as_bytes())
        self._tar.close()
        self._gzip.close()
        return manifest

    def _add_sqlite(self, found: Found) -> None:
        copy = self._staging / "sqlite"
        try:
            flaw = snapshot(found.path, copy)
        except sqlite3.Error as error:
            if _is_of_disk(error):
                raise
            flaw, copy = str(error), found.path
        if flaw:
            self.troubles.append(f"{found.path}: {flaw}: copied as it is")
        if copy == found.path:
            self._add_copy(found, "damaged")
        else:
            with copy.open("rb") as opened:
                info = _info(found.name, found.stat, tarfile.REGTYPE, copy.stat().st_size)
                self._stream(info, opened, "damaged" if flaw else "sqlite")
        (self._staging / "sqlite").unlink(missing_ok=True)

    def _add_copy(self, found: Found, kind: str) -> None:
        with (self._staging / "copy").open("w+b") as staged, held(found.path) as descriptor:
            size = copied(descriptor, staged.fileno())
            staged.seek(0)
            self._stream(_info(found.name, found.stat, tarfile.REGTYPE, size), staged, kind)

    def _plain(self, name: str, content: bytes) -> None:
        self._tar.addfile(_fresh(name, len(content)), io.BytesIO(content))

    def _stream(self, info: tarfile.TarInfo, opened: IO[bytes], kind: str) -> None:
        hashing = _Hashing(opened)
        self._tar.addfile(info, cast("IO[bytes]", hashing))
        self.members.append(Member(info.name, info.size, hashing.total.hexdigest(), kind))
        self._done += info.size
        self._note(info.name, self._done)


def write_backup(
    out: Path,
    head: Head,
    sources: Sources,
    passphrase: bytes | None,
    check: Callable[[Path], object],
    note: Note = lambda *_: None,
) -> Written:
    """
    Write a backup into the folder `out`, durably, and return it.

    It gets its name once `check` has read it again. BackupFailed, or whatever the sources raise: then nothing is left.
    """
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(out), _staging(out) as staging:
            final = names.new_name(out, time.time(), is_sealed=passphrase is not None)
            partial = final.with_name(final.name + names.PARTIAL)
            try:
                written = _write(partial, head, sources, passphrase, staging, note)
                note("check", written.size)
                check(partial)
                partial.rename(final)
            finally:
                partial.unlink(missing_ok=True)
            sync(out)
            return written._replace(file=final)
    except sqlite3.Error as error:
        raise BackupFailed(f"{out}: {error}: there is no backup, and nothing was left") from error
    except OSError as error:
        where = error.filename or out
        raise BackupFailed(f"{where}: {error.strerror or error}: there is no backup, and nothing was left") from error


def _write(partial: Path, head: Head, sources: Sources, passphrase: bytes | None, staging: Path, note: Note) -> Written:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 20) as out:
        sealer = Sealer(out, passphrase) if passphrase is not None else None
        writer = Writer(cast("IO[bytes]", sealer) if sealer else out, head, staging, note)
        try:
            manifest = _write_all(writer, sources, partial.parent)
        except BaseException:
            writer.abandon()
            raise
        if sealer:
            sealer.finish()
        out.flush()
        os.fsync(descriptor)
    return Written(partial, partial.stat().st_size, manifest, tuple(writer.troubles))


def _write_all(writer: Writer, sources: Sources, out: Path) -> Manifest:
    left_out: list[str] = []
    for name, folder in sources.places.items():
        # A folder that is a part of its own is not taken twice, nor are the store and the backups themselves.
        others = [path for path in sources.places.values() if path != folder]
        walk = Walk([out, *sources.without, *others, *_store_file(sources)])
        for found in walk.of(folder.resolve(), name):
            writer.add(found)
        left_out += walk.left_out
    for file in _store_file(sources):
        writer.add(Found(file, STORE_MEMBER, file.stat()))
    writer.add_lines(sources.lines)
    return writer.finish(left_out)


def _store_file(sources: Sources) -> list[Path]:
    return [sources.store_file] if sources.store_file else []


def _is_of_disk(error: sqlite3.Error) -> bool:
    """Tell an error that is not of the file that is read: no room for its copy, or held by somebody else."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _Sink:
    """Passes on what is written, until there is nothing to pass it on to."""

    def __init__(self, under: IO[bytes]) -> None:
        self.under: IO[bytes] | None = under

    def write(self, content: bytes) -> int:
        if self.under is not None:
            self.under.write(content)
        return len(content)

    def flush(self) -> None: ...


class _Hashing:
    """Reads a stream, and hashes what is read."""

    def __init__(self, under: IO[bytes]) -> None:
        self.total = hashlib.sha256()
        self._under = under

    def read(self, size: int = -1) -> bytes:
        content = self._under.read(size)
        self.total.update(content)
        return content


def _fresh(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info


def _info(name: str, told: os.stat_result, kind: bytes, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.mtime = kind, size, stat.S_IMODE(told.st_mode), int(told.st_mtime)
    info.uid, info.gid = told.st_uid, told.st_gid
    info.uname, info.gname = user_name(told.st_uid), group_name(told.st_gid)
    return info


@cache
def user_name(number: int) -> str:
    """Return a user's name, "" for one who has none here."""
    import pwd  # noqa: PLC0415  which Windows does not have

    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return ""


@cache
def group_name(number: int) -> str:
    """Return a group's name, "" for one that has none here."""
    import grp  # noqa: PLC0415

    with suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return ""


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder against any other backup, and remove what one that was ended by force has left."""
    descriptor = os.open(out / names.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"{out}: another backup is being written there") from None
        for left in names.unfinished(out):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    folder = out / names.STAGING
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
