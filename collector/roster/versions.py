"""
The versions of the roster, by the day from which each is in force.

    DATA/roster/000003/version.json      from when, who imported it, SHA-256 of everything
                       sites.csv devices.csv     what was read, always the same bytes for the same roster
                       originals/台账.xlsx       the files as they came
    DATA/roster/.new-…                   an import that never became a version; the next import removes it

A version is there as a whole or not at all: its folder gets its name when everything in it is on disk. None is ever
changed or removed.
"""

import csv
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from collector.durable import sync
from collector.roster import canonical
from collector.roster.read import Reading, Source, read
from collector.roster.schema import Roster
from contract.errors import SantongError

FOLDER = "roster"
RECORD, ORIGINALS = "version.json", "originals"
_NAME = re.compile(r"\d{6}")
_NEW = ".new-"


class BadVersion(SantongError):
    """A stored version that is not as it was written, or one that does not exist."""


class Original(NamedTuple):
    """A file as it came."""

    name: str
    sha256: str


class Version(NamedTuple):
    """One version: in force from the day `effective` until the next one is; `sha256` is that of sites and devices."""

    number: int
    effective: date
    imported_at: datetime
    imported_by: str
    sha256: str
    sites: int
    devices: int
    originals: tuple[Original, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what is written down, and what `--json` prints."""
        return self._asdict() | {
            "effective": self.effective.isoformat(),
            "imported_at": self.imported_at.isoformat(),
            "originals": [original._asdict() for original in self.originals],
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "Version":
        """Return the version that was written down."""
        known = {name: tree[name] for name in cls._fields}
        return cls(
            **known
            | {
                "effective": date.fromisoformat(tree["effective"]),
                "imported_at": datetime.fromisoformat(tree["imported_at"]),
                "originals": tuple(Original(**original) for original in tree["originals"]),
            }
        )


class Span(NamedTuple):
    """Days for which a version is in force, both included. None: from the beginning on, or without end."""

    first: date | None
    last: date | None

    def past(self, today: date) -> "Span | None":
        """Return those of its days that are over; None without any."""
        last = min(today - timedelta(1), self.last or today)
        return None if self.first and self.first > last else Span(self.first, last)


class Versions:
    """The versions in a data folder, which may have none yet. What was read is kept; versions never change."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self._rosters: dict[int, Roster] = {}

    def every(self) -> list[Version]:
        """Return every version, in the order of import; BadVersion names one that cannot be read."""
        return [self._record(folder) for folder in self._folders()]

    def in_force(self, day: date) -> Version | None:
        """
        Return the version in force on a day; None when there is no version at all.

        That is the one with the latest `effective` until that day, of several the one imported last; days before the
        first have the first.
        """
        found = sorted(self.every(), key=lambda version: (version.effective, version.number))
        begun = [version for version in found if version.effective <= day]
        if begun or not found:
            return begun[-1] if begun else None
        return [version for version in found if version.effective == found[0].effective][-1]

    def on(self, day: date) -> Roster:
        """Return the roster in force on a day; BadVersion when nothing was ever imported."""
        version = self.in_force(day)
        if version is None:
            raise BadVersion(f"{self.folder}: there is no roster yet: import one with `santong roster import`")
        return self.roster(version)

    def get(self, number: int) -> Version:
        """Return a version by its number; BadVersion when there is none."""
        found = next((version for version in self.every() if version.number == number), None)
        if found is None:
            raise BadVersion(f"{self.folder}: there is no version {number}; `santong roster list` names them")
        return found

    def roster(self, version: Version) -> Roster:
        """Return the roster of a version; BadVersion when its files are not those that were written."""
        if version.number not in self._rosters:
            folder = self.folder / f"{version.number:06}"
            names = (canonical.SITES, canonical.DEVICES)
            try:
                content = {name: (folder / name).read_bytes() for name in names}
            except OSError as error:
                raise BadVersion(f"{folder}: {error.filename}: {error.strerror}") from error
            if canonical.digest_of(content) != version.sha256:
                raise BadVersion(f"{folder}: was changed since it was imported: its SHA-256 is another one")
            self._rosters[version.number] = read([folder / name for name in names]).roster
        return self._rosters[version.number]

    def own_speakers(self, version: Version) -> set[str]:
        """Return the devices of a version that no other agent speaks for: quickly, and without looking at its hash."""
        file = self.folder / f"{version.number:06}" / canonical.DEVICES
        try:
            with file.open(encoding="utf-8", newline="") as opened:
                rows = csv.reader(opened)
                agent = next(rows).index("agent")
                return {row[0] for row in rows if row[agent] in ("", row[0])}
        except OSError as error:
            raise BadVersion(f"{file}: {error.strerror}") from error
        except (ValueError, IndexError, StopIteration) as error:
            raise BadVersion(f"{file}: was changed since it was imported") from error

    def span(self, effective: date) -> Span:
        """Return the days for which a version with this effective date would be in force, imported now."""
        others = sorted(version.effective for version in self.every())
        later = [day for day in others if day > effective]
        is_first = not others or effective <= others[0]
        return Span(None if is_first else effective, later[0] - timedelta(1) if later else None)

    def add(self, reading: Reading, effective: date, by: str) -> Version | None:
        """
        Keep what was read as a new version, durably; None when the one in force on that day is the same already.

        The files are kept beside it as they were; OSError when anything cannot be written: then there is no version.
        """
        roster = reading.roster
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            content = canonical.files(roster)
            sha256 = canonical.digest_of(content)
            current = self.in_force(effective)
            if current and current.sha256 == sha256:
                return None
            number = max((int(folder.name) for folder in self._folders()), default=0) + 1
            new = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
            new.chmod(0o755)
            originals = _keep(reading.sources, new / ORIGINALS)
            now = datetime.now(UTC)
            version = Version(number, effective, now, by, sha256, len(roster.sites), len(roster.devices), originals)
            record = json.dumps(version.as_json(), ensure_ascii=False, indent=2) + "\n"
            for name, body in {**content, RECORD: record.encode()}.items():
                _write(new / name, body)
            sync(new)
            new.rename(self.folder / f"{number:06}")
            sync(self.folder)
            return version

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder against other imports, and remove what an import left that was cut short."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for left in self.folder.glob(f"{_NEW}*"):
                shutil.rmtree(left)
            yield
        finally:
            os.close(descriptor)

    def _folders(self) -> list[Path]:
        try:
            return sorted(folder for folder in self.folder.iterdir() if _NAME.fullmatch(folder.name))
        except FileNotFoundError:
            return []

    @staticmethod
    def _record(folder: Path) -> Version:
        try:
            return Version.from_json(json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except OSError as error:
            raise BadVersion(f"{folder / RECORD}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadVersion(f"{folder / RECORD}: is not what was written: {error}") from error


def _keep(sources: Sequence[Source], folder: Path) -> tuple[Original, ...]:
    """Write files as they came; of two with the same name the second gets its number."""
    folder.mkdir()
    kept: list[Original] = []
    for number, source in enumerate(sources, start=1):
        base = source.file.name
        name = base if base not in [other.name for other in kept] else f"{number}-{base}"
        _write(folder / name, source.content)
        kept.append(Original(name, hashlib.sha256(source.content).hexdigest()))
    sync(folder)
    return tuple(kept)


def _write(file: Path, body: bytes) -> None:
    with file.open("xb") as opened:
        opened.write(body)
        opened.flush()
        os.fsync(opened.fileno())
