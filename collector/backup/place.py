"""
From a backup back to folders: everything beside where it is to be, and renamed once all of it was verified.

    DATA's neighbour .DATA.restoring ─── all verified ───▶ DATA
    (--force)                        DATA as it was ─────▶ DATA.before-20261128T174500Z

Ended by force in the middle it leaves folders named .….restoring, which the next run removes; what it had put in place
already has a mark of this backup, and the next run goes on from there. DATA comes last: until it is there nothing is
done.
"""

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from collector.backup.manifest import DATA, RESTORED, STORE, STORE_MEMBER, Head, section_of
from collector.backup.read import PIECE
from collector.backup.snapshot import COMPANIONS
from collector.durable import sync
from contract.errors import SantongError

END = ".restoring"
_MARK = ".santong-restoring"


class CannotRestore(SantongError):
    """Nothing was put in place; the message says why."""


class Place(NamedTuple):
    """
    Where a part of a backup goes, a folder or the file of a store, and where it is until everything is verified.

    With `within` it comes with another part, in whose folder it is.
    """

    section: str
    target: Path
    staged: Path
    within: str = ""


class Moved(NamedTuple):
    """What was put in place, what was there before and is aside now, users and groups that are not here."""

    placed: Mapping[str, Path]
    aside: tuple[Path, ...]
    unknown: tuple[str, ...]


class Restoring:
    """One restore: `begin`, then `take` for each member, then `finish` or `give_up`."""

    _head: Head

    def __init__(self, places: Mapping[str, Path], *, force: bool = False) -> None:
        self._places = _places({name: path.absolute() for name, path in places.items()})
        self._force = force
        self._modes: list[tuple[Path, tarfile.TarInfo]] = []
        self._unknown: set[str] = set()
        self._done: set[str] = set()

    def begin(self, head: Head) -> None:
        """Look whether everything can be put in place, and make the folders beside; CannotRestore, OSError."""
        self._head = head
        for place in self._places.values():
            if place.within in self._done or (_is_of(place.target, head) and place.section != DATA):
                self._done.add(place.section)  # by a run of this very backup that was ended
            else:
                self._look(place)
        for place in self._open():
            _clear(place.staged)
        for place in self._open():
            place.staged.parent.mkdir(parents=True, exist_ok=True)
            if place.section != STORE:
                place.staged.mkdir(mode=0o700)
                (place.staged / _MARK).touch(mode=0o600)

    def is_done(self, section: str) -> bool:
        """Tell a part that a run of this very backup has put in place already."""
        return section in self._done

    def staged(self, section: str) -> Path:
        """Return where a part is until it is put in place."""
        return self._places[section].staged

    def take(self, info: tarfile.TarInfo, content: IO[bytes]) -> None:
        """Take a member of a part that is wanted; OSError."""
        section = section_of(info.name)
        place = self._places.get(section)
        if place is None or section in self._done or (section == STORE and info.name != STORE_MEMBER):
            return
        inner = "" if section == STORE else info.name.removeprefix(section).lstrip("/")
        path = place.staged / inner if inner else place.staged
        if info.isdir():
            path.mkdir(mode=0o700, exist_ok=True)
        else:
            _write(path, content)
        self._modes.append((path, info))

    def drop(self, section: str) -> None:
        """Remove a part again, which is not put in place."""
        staged = self._places.pop(section).staged
        _clear(staged)
        self._modes = [(path, info) for path, info in self._modes if path != staged]

    def owner(self, path: Path) -> None:
        """Give a file that was made here the owner that DATA has."""
        data = next((info for at, info in self._modes if at == self._places[DATA].staged), None)
        if data is not None and os.geteuid() == 0:
            os.chown(path, self._number(data.uname, data.uid, _user), self._number(data.gname, data.gid, _group))

    def give_up(self) -> None:
        """Remove what was made beside, and nothing else."""
        for place in self._open():
            if place.section == STORE:
                _clear(place.staged)
            elif _is_ours(place.staged):
                shutil.rmtree(place.staged, ignore_errors=True)

    def finish(self) -> Moved:
        """Give owners and modes, have everything on disk, and put it in place; OSError."""
        for path, info in reversed(self._modes):  # folders after what is in them
            self._own(path, info)
            sync(path)
        aside = []
        for place in sorted(self._open(), key=lambda one: (not one.within, one.section == DATA)):
            if place.section != STORE:
                _mark(place.staged / RESTORED, self._head)
                (place.staged / _MARK).unlink()  # now that it has the other one
                sync(place.staged)
            if place.within:
                continue
            if _is_there(place.target):
                aside.append(_set_aside(place.target))
            place.staged.rename(place.target)
            sync(place.target.parent)
        placed = {place.section: place.target for place in self._places.values()}
        return Moved(placed, tuple(aside), tuple(sorted(self._unknown)))

    def _open(self) -> list[Place]:
        return [place for place in self._places.values() if place.section not in self._done]

    def _look(self, place: Place) -> None:
        target = place.target
        if place.within:
            return
        if target.is_symlink() or (target.exists() and not target.is_dir() and place.section != STORE):
            raise CannotRestore(f"{target}: is no folder: nothing was restored")
        if target.is_dir() and target.is_mount():
            raise CannotRestore(f"{target}: a disk of its own is mounted there: restore into a folder on it")
        if place.staged.is_dir() and not _is_ours(place.staged):
            raise CannotRestore(f"{place.staged}: is in the way, and was not made by a restore: move it away")
        if _is_there(target) and not self._force:
            raise CannotRestore(f"{target}: is not empty; with --force what is there is moved aside")

    def _own(self, path: Path, info: tarfile.TarInfo) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._number(info.uname, info.uid, _user), self._number(info.gname, info.gid, _group))
        path.chmod(info.mode & 0o777)

    def _number(self, name: str, number: int, look_up: Callable[[str], int | None]) -> int:
        found = look_up(name) if name else number
        if found is None:
            self._unknown.add(name)
            return 0
        return found


def _places(targets: Mapping[str, Path]) -> dict[str, Place]:
    """Return where each part goes: beside its target, or in the folder of another part that its target is in."""
    found: dict[str, Place] = {}
    for name, target in sorted(targets.items(), key=lambda one: len(one[1].parts)):
        outer = next(
            (one for one in found.values() if one.section != STORE and target.is_relative_to(one.target)), None
        )
        if outer is None:
            found[name] = Place(name, target, target.with_name(f".{target.name}{END}"))
        elif target == outer.target:
            raise CannotRestore(f"{target}: {outer.section} and {name} cannot both be there")
        else:
            found[name] = Place(name, target, outer.staged / target.relative_to(outer.target), outer.section)
    return found


def _write(path: Path, content: IO[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        while piece := content.read(PIECE):
            opened.write(piece)


def _is_ours(staged: Path) -> bool:
    """Tell a folder that a restore made: before it is finished it has one mark, and then the other."""
    return (staged / _MARK).exists() or (staged / RESTORED).exists()


def _clear(staged: Path) -> None:
    """Remove what a restore that was ended by force left."""
    if staged.is_dir():
        shutil.rmtree(staged)
        return
    for one in _with_companions(staged):
        one.unlink(missing_ok=True)


def _with_companions(file: Path) -> list[Path]:
    """Return a file and what SQLite may have left beside it: that would be taken for a part of another one."""
    return [file, *(file.with_name(file.name + end) for end in COMPANIONS)]


def _set_aside(target: Path) -> Path:
    stem = f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside, number = target.with_name(stem), 0
    while aside.exists():
        number += 1
        aside = target.with_name(f"{stem}-{number}")
    for one, other in zip(_with_companions(target), _with_companions(aside), strict=True):
        if one.exists():
            one.rename(other)
    return aside


def _is_there(target: Path) -> bool:
    if target.is_dir():
        return any(target.iterdir())
    return any(one.exists() for one in _with_companions(target))


def _mark(file: Path, head: Head) -> None:
    with file.open("w", encoding="utf-8") as opened:
        json.dump({"backup": head.id, "made": head.made, "version": head.version}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    file.chmod(0o600)


def _is_of(target: Path, head: Head) -> bool:
    try:
        return bool(json.loads((target / RESTORED).read_bytes())["backup"] == head.id)
    except (OSError, ValueError, KeyError, TypeError):
        return False


@cache
def _user(name: str) -> int | None:
    import pwd  # noqa: PLC0415  which Windows does not have

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


@cache
def _group(name: str) -> int | None:
    import grp  # noqa: PLC0415

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
