"""
A backup of the centre, and the centre from a backup: joins the room `backup` with the stores.

    /etc/santong, authority, DATA, store ──▶ one file ──▶ … ──▶ an empty host
"""

import re
import secrets
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from collector.backup.manifest import (
    AUTHORITY,
    CONFIG,
    DATA,
    LINES,
    STORE,
    STORE_MEMBER,
    BadBackup,
    Head,
    Manifest,
    section_of,
)
from collector.backup.place import CannotRestore, Moved, Restoring
from collector.backup.read import PIECE, check_backup, read_backup
from collector.backup.snapshot import flaw_of
from collector.backup.write import BackupFailed, Note, Sources, Written, write_backup
from collector.migrate import migrate
from collector.store.base import Store
from collector.store.open import StoreUrl, open_store
from collector.store.sqlite import SqliteStore
from collector.stored_lines import Intake, Piece, is_empty, pieces_of
from collector.up import STORE_FILE, store_url
from collector.watch import alone
from contract import __version__


class Asked(NamedTuple):
    """What is to be in a backup; `store` is a URL, "" DATA's own where it has one, None: none."""

    data: Path
    authority: Path | None = None
    configs: tuple[Path, ...] = ()
    store: str | None = ""


class Wanted(NamedTuple):
    """Where a backup is to go; what is not named stays in it. `store` is a URL, "" DATA's own file."""

    data: Path
    authority: Path | None = None
    configs: tuple[Path, ...] = ()
    store: str = ""
    force: bool = False

    @property
    def places(self) -> dict[str, Path]:
        """The folders by the names of their parts."""
        return _places(self.data, self.authority, self.configs)


class Filled(NamedTuple):
    """What became of the evidence: which store has it, how many points were written, too old, refused, not found."""

    store: str
    points: int = 0
    expired: int = 0
    refused: int = 0
    missing: int = 0
    first_refusal: str = ""


class Restored(NamedTuple):
    """What a restore did; `unasked` are the parts of the backup that no place was named for."""

    manifest: Manifest
    moved: Moved
    filled: Filled
    unasked: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Tell whether all evidence is there that the store keeps."""
        return not self.filled.refused and not self.filled.missing


def back_up(out: Path, asked: Asked, passphrase: bytes | None, note: Note = lambda *_: None) -> Written:
    """Write a backup into a folder; BackupFailed or StoreError: then there is none."""
    places = _places(asked.data, asked.authority, asked.configs)
    for path in places.values():
        if not path.is_dir():
            raise BackupFailed(f"{path}: there is no such folder: nothing was written")
    with ExitStack() as parts:
        kind, file, lines = _store(asked, parts)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        named = {name: str(path.absolute()) for name, path in places.items()}
        head = Head(secrets.token_hex(8), __version__, now, named, kind)
        without = (asked.data / STORE_FILE,) if asked.store is None else ()
        sources = Sources(places, without, file, lines)
        return write_backup(out, head, sources, passphrase, lambda path: _again(path, passphrase), note)


def restore(file: Path, passphrase: bytes | None, wanted: Wanted, note: Note = lambda *_: None) -> Restored:
    """
    Put what a backup has where it is wanted; everything is verified before anything is put in place.

    BadBackup, BadPassphrase, CannotRestore, StoreError, OSError: nothing was put in place.
    """
    flow = _Flow(file, passphrase, wanted, note)
    with ExitStack() as parts:
        if wanted.force and (wanted.data / alone.FILE).exists():
            parts.enter_context(alone.alone(wanted.data))
        try:
            manifest = read_backup(file, passphrase, flow.take, flow.begin)
            flow.examine(manifest)
            filled = flow.fill(manifest)
            moved = flow.restoring.finish()
        except BaseException:
            flow.give_up()
            raise
    unasked = tuple(sorted(manifest.head.places.keys() - moved.placed.keys()))
    return Restored(manifest, moved, filled, unasked)


class _Flow:
    """One restore, in the order in which it is done."""

    restoring: Restoring

    def __init__(self, file: Path, passphrase: bytes | None, wanted: Wanted, note: Note) -> None:
        self._file, self._passphrase, self._wanted, self._note = file, passphrase, wanted, note
        self._url = wanted.store or store_url(wanted.data)
        self._bytes = 0
        self._has_begun = False

    def begin(self, head: Head) -> None:
        """Look at everything that can be in the way."""
        if _is_newer(head.version):
            raise BadBackup(
                f"was made by santong {head.version}, this is {__version__}: use that version, or a later one"
            )
        self._target = open_store(self._url) if head.store != "none" else None
        places = self._wanted.places
        if head.store != "none" and isinstance(self._target, SqliteStore):
            places[STORE] = self._target.path
        elif self._target is not None:
            self._look_at(self._target)
            if head.store == "sqlite":
                places[STORE] = self._wanted.data.with_name(f"{self._wanted.data.name}.evidence")
        self.restoring = Restoring(places, force=self._wanted.force)
        self._has_begun = True
        self.restoring.begin(head)

    def take(self, info: tarfile.TarInfo, content: IO[bytes]) -> None:
        """Take a member."""
        self.restoring.take(info, content)
        self._bytes += info.size
        self._note(info.name, self._bytes)

    def examine(self, manifest: Manifest) -> None:
        """Have SQLite examine each of its files."""
        for member in manifest.members:
            section = section_of(member.name)
            if member.kind != "sqlite" or section not in {**self._wanted.places, STORE: None}:
                continue
            path = self._staged(section, member.name)
            if path is not None and (flaw := flaw_of(path)):
                raise BadBackup(f"{self._file}: {member.name}: {flaw}")

    def fill(self, manifest: Manifest) -> Filled:
        """Put evidence into the store that is wanted, where it is not a file that comes as it was."""
        if self._target is None:
            return Filled("")
        shown = str(StoreUrl(self._url))
        if isinstance(self._target, SqliteStore):
            if manifest.head.store == "sqlite":
                return Filled(shown)
            staged = self.restoring.staged(STORE)
            with closing(SqliteStore(staged)) as store:
                filled = self._fill_with_lines(store, manifest, shown)
            self.restoring.owner(staged)
            return filled
        with closing(self._target) as store:
            store.prepare()
            if manifest.head.store == "lines":
                return self._fill_with_lines(store, manifest, shown)
            with closing(SqliteStore(self.restoring.staged(STORE), create=False)) as old:
                filled = self._fill_from(old, store, shown)
        self.restoring.drop(STORE)
        return filled

    def give_up(self) -> None:
        """Remove what was made."""
        if self._has_begun:
            self.restoring.give_up()

    def _fill_with_lines(self, store: Store, manifest: Manifest, shown: str) -> Filled:
        store.prepare()
        intake = Intake(store, time.time_ns())
        done = 0

        def take(info: tarfile.TarInfo, content: IO[bytes]) -> None:
            nonlocal done
            if info.name.startswith(f"{LINES}/"):
                intake.add(info.name.split("/")[2], _parts(content))
                done += info.size
                self._note(info.name, done)

        read_backup(self._file, self._passphrase, take)  # verified already, and once more
        missing = sum(intake.missing(manifest.points).values())
        first = intake.refused[0].message if intake.refused else ""
        written, expired = sum(intake.written.values()), sum(intake.expired.values())
        return Filled(shown, written, expired, len(intake.refused), missing, first)

    def _fill_from(self, old: Store, store: Store, shown: str) -> Filled:
        points = expired = refused = missing = 0
        first = ""
        for moved in migrate(old, store, time.time_ns(), self._note):
            points += moved.rows - moved.expired
            expired += moved.expired
            refused += len(moved.refused)
            missing += max(0, moved.rows - moved.expired - moved.found)
            first = first or next((one.message for one in moved.refused), "")
        return Filled(shown, points, expired, refused, missing, first)

    def _look_at(self, target: Store) -> None:
        target.prepare()
        if not self._wanted.force and not is_empty(target):
            raise CannotRestore(
                f"{StoreUrl(self._url)!s}: has evidence already; with --force that of the backup is added to it, "
                "and the same points stay one"
            )

    def _staged(self, section: str, name: str) -> Path | None:
        if section == STORE:
            return self.restoring.staged(STORE) if name == STORE_MEMBER else None
        if self.restoring.is_done(section):
            return None
        return self.restoring.staged(section) / name.removeprefix(f"{section}/")


def _places(data: Path, authority: Path | None, configs: Iterable[Path]) -> dict[str, Path]:
    numbered = {f"{CONFIG}/{number}": path for number, path in enumerate(configs, start=1)}
    return {**numbered, **({AUTHORITY: authority} if authority else {}), DATA: data}


def _store(asked: Asked, parts: ExitStack) -> tuple[str, Path | None, Iterable[Piece]]:
    """Return the kind of the store, its file, its lines."""
    own = asked.data / STORE_FILE
    if asked.store is None or (asked.store == "" and not own.is_file()):
        return "none", None, ()
    opened = parts.enter_context(closing(open_store(asked.store or store_url(asked.data), create=False)))
    if isinstance(opened, SqliteStore):
        return "sqlite", opened.path.resolve(), ()
    opened.ready()
    return "lines", None, pieces_of(opened, time.time_ns())


def _again(file: Path, passphrase: bytes | None) -> None:
    check_backup(file, passphrase, deep=False)  # SQLite has examined its files before


def _parts(content: IO[bytes]) -> Iterator[bytes]:
    while part := content.read(PIECE):
        yield part


def _is_newer(version: str) -> bool:
    ours, theirs = (tuple(map(int, re.findall(r"\d+", text)[:3])) for text in (__version__, version))
    return theirs > ours
