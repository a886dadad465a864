"""
Samples and what was seen, append-only, in the data folder.

    DATA/sampling/3f0c…/draw.json           what was drawn
                        drawn.json          when, by whom
                        results/0001/results.json    visits; SHA-256 of the file, and of the results before it
                                     抽查.xlsx        the file as it came
                        results/head.json    how many results there are, and the SHA-256 of the newest results.json

A sample that was drawn stays on record, so that one cannot draw until a sample pleases and nobody knows. Nothing is
ever changed: results that correct others are results of their own, and each names the SHA-256 of those before it, the
first that of draw.json: what was altered or taken away in between is noticed. The head, there before the first results
and renewed after each, does the same for the newest; a power cut leaves it one behind, and never more.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from collector.durable import sync
from collector.sampling.draw import Draw
from collector.sampling.filled import Seen, Visit
from contract.errors import SantongError

FOLDER, DRAW, DRAWN, RESULTS, RECORD = "sampling", "draw.json", "drawn.json", "results", "results.json"
HEAD = "head.json"  # of the results of a sample
ORIGINAL = "original"  # what a file of results is called in an archive, whose names are not in people's language
_NUMBER = re.compile(r"\d{4}")
_ID = re.compile(r"[0-9a-f]{12}")
_NEW = ".new-"


class BadSampling(SantongError):
    """A stored sample that is not as it was written, or one that does not exist."""


class OnRecord(NamedTuple):
    """A sample, and who drew it when first."""

    draw: Draw
    at: datetime
    by: str


class Results(NamedTuple):
    """The visits of one file, who stored it when, and hashes; `number` counts from 1."""

    number: int
    at: datetime
    by: str
    file: str
    sha256: str
    previous: str
    visits: tuple[Visit, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        visits = [visit._asdict() for visit in self.visits]
        return self._asdict() | {"at": self.at.isoformat(), "visits": visits}

    def in_short(self) -> dict[str, Any]:
        """Return what `--json` says of them: of visits how many."""
        return self._asdict() | {"at": self.at.isoformat(), "visits": len(self.visits)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "Results":
        """Return results that were written down."""
        visits = tuple(Visit(**one | {"seen": Seen(one["seen"])}) for one in tree["visits"])
        known = {name: tree[name] for name in cls._fields}
        return cls(**known | {"at": datetime.fromisoformat(tree["at"]), "visits": visits})


class Samples:
    """The samples of a data folder, which may have none yet."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    def every(self) -> list[OnRecord]:
        """Return every sample, in the order in which they were drawn; BadSampling names one that is damaged."""
        try:
            names = [folder.name for folder in self.folder.iterdir() if _ID.fullmatch(folder.name)]
        except FileNotFoundError:
            return []
        return sorted((self.get(name) for name in names), key=lambda one: (one.at, one.draw.id))

    def get(self, name: str) -> OnRecord:
        """Return a sample by its id; BadSampling when there is none, or when it was changed."""
        folder = self.folder / name
        if not _ID.fullmatch(name) or not folder.is_dir():
            raise BadSampling(f"{self.folder}: there is no sample {name}; `santong sample list` names them")
        drawn = _read(folder / DRAWN)
        try:
            found = OnRecord(
                Draw.from_json(_read(folder / DRAW)), datetime.fromisoformat(drawn["at"]), str(drawn["by"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadSampling(f"{folder}: is not what was written: {error}") from error
        if found.draw.id != name or found.draw.canonical() != (folder / DRAW).read_bytes():
            raise BadSampling(f"{folder / DRAW}: was changed since it was drawn")
        return found

    def record(self, draw: Draw, by: str) -> OnRecord:
        """Put a sample on record, durably; one that is there stays as it is. OSError: nothing was written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder):
            if not (self.folder / draw.id).is_dir():
                drawn = {"at": _now().isoformat(), "by": by}
                _folder(self.folder / draw.id, {DRAW: draw.canonical(), DRAWN: _json(drawn)})
        return self.get(draw.id)

    def results(self, draw: Draw) -> list[Results]:
        """Return all results of a sample, the first first; BadSampling when any was altered or is missing."""
        with self._waiting(draw):  # between results and their head another process may be
            return self._results(draw)

    def _results(self, draw: Draw) -> list[Results]:
        found: list[Results] = []
        previous = _sha256(draw.canonical())
        hashes = [previous]
        for number, folder in enumerate(self._numbered(draw), start=1):
            tree = _read(folder / RECORD)
            try:
                results = Results.from_json(tree)
                own = folder / results.file
                original = (own if own.is_file() else folder / ORIGINAL).read_bytes()
            except (OSError, KeyError, TypeError, ValueError) as error:
                raise BadSampling(f"{folder}: is not what was written: {error}") from error
            is_whole = hashlib.sha256(original).hexdigest() == results.sha256
            if (results.number, folder.name, results.previous, is_whole) != (number, f"{number:04}", previous, True):
                raise BadSampling(f"{folder}: was changed since it was stored, or one before it was")
            previous = _sha256((folder / RECORD).read_bytes())
            hashes.append(previous)
            found.append(results)
        self._check_head(draw, hashes)
        return found

    def _check_head(self, draw: Draw, hashes: Sequence[str]) -> None:
        """Raise BadSampling where the head is not that of these hashes: of the draw, then of each results."""
        newest = len(hashes) - 1
        head = self.folder / draw.id / RESULTS / HEAD
        if not newest and not head.exists():
            return
        kept = _read(head)
        number = kept.get("number")
        if type(number) is not int or number not in range(max(0, newest - 1), newest + 1):
            raise BadSampling(f"{head}: names other results as the newest than {newest}: some were removed or put in")
        if kept.get("sha256") != hashes[number]:
            raise BadSampling(f"{head.parent}: the newest results were changed since they were stored")

    def add(self, draw: Draw, file: Path, content: bytes, visits: Sequence[Visit], by: str) -> Results | None:
        """Store what a file says, durably; None when it is the last that was stored. OSError: nothing is stored."""
        folder = self.folder / draw.id / RESULTS
        folder.mkdir(exist_ok=True)
        with _alone(folder):
            before = self._results(draw)
            last = (folder / f"{len(before):04}" / RECORD).read_bytes() if before else draw.canonical()
            previous = _sha256(last)
            write_head(folder, len(before), previous)
            sha256 = _sha256(content)
            if before and sha256 == before[-1].sha256:
                return None
            name = file.name if file.name != RECORD else f"original-{RECORD}"
            results = Results(len(before) + 1, _now(), by, name, sha256, previous, tuple(visits))
            record = _json(results.as_json())
            _folder(folder / f"{results.number:04}", {name: content, RECORD: record})
            write_head(folder, results.number, _sha256(record))
        return results

    def files(self) -> dict[str, bytes]:
        """Return all that is on record, by names of an archive; BadSampling when any was altered or is missing."""
        found: dict[str, bytes] = {}
        for record in self.every():
            name = f"{FOLDER}/{record.draw.id}"
            found |= {f"{name}/{one}": (self.folder / record.draw.id / one).read_bytes() for one in (DRAW, DRAWN)}
            every = self.results(record.draw)
            if every:
                found[f"{name}/{RESULTS}/{HEAD}"] = (self.folder / record.draw.id / RESULTS / HEAD).read_bytes()
            for results in every:
                number = f"{results.number:04}"
                folder = self.folder / record.draw.id / RESULTS / number
                for own, there in ((RECORD, RECORD), (results.file, ORIGINAL)):
                    found[f"{name}/{RESULTS}/{number}/{there}"] = (folder / own).read_bytes()
        return found

    def digest_lines(self) -> list[str]:
        """
        Return a line for each sample and each results, in the order in which they were stored.

            <id> <SHA-256 of drawn.json>
            <id> <number> <SHA-256 of results.json>

        draw.json needs none: its SHA-256 begins with the id. Raises BadSampling when any was altered or is missing.
        """
        known: list[tuple[datetime, str, int, str]] = []
        for record in self.every():
            name, folder = record.draw.id, self.folder / record.draw.id
            known.append((record.at, name, 0, f"{name} {_sha256((folder / DRAWN).read_bytes())}"))
            for one in self.results(record.draw):
                sha256 = _sha256((folder / RESULTS / f"{one.number:04}" / RECORD).read_bytes())
                known.append((one.at, name, one.number, f"{name} {one.number} {sha256}"))
        return [line for *_, line in sorted(known)]

    @contextmanager
    def _waiting(self, draw: Draw) -> Iterator[None]:
        """Wait until nobody writes results of a sample; several may read."""
        try:
            descriptor = os.open(self.folder / draw.id / RESULTS, os.O_RDONLY)
        except FileNotFoundError:
            yield  # it has none
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def _numbered(self, draw: Draw) -> list[Path]:
        try:
            found = (self.folder / draw.id / RESULTS).iterdir()
            return sorted(folder for folder in found if _NUMBER.fullmatch(folder.name))
        except FileNotFoundError:
            return []


def latest(results: Sequence[Results]) -> dict[str, Visit]:
    """Return what counts of each class: what was stored last."""
    return {visit.room: visit for one in results for visit in one.visits}


def corrected(results: Sequence[Results]) -> list[tuple[Visit, Visit]]:
    """Return what was stored of a class and what replaced it, where they say another thing."""
    known: dict[str, Visit] = {}
    found = []
    for visit in (visit for one in results for visit in one.visits):
        before = known.get(visit.room)
        if before and (before.seen, before.time_ns) != (visit.seen, visit.time_ns):
            found.append((before, visit))
        known[visit.room] = visit
    return found


def _now() -> datetime:
    return datetime.now(UTC)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_head(folder: Path, number: int, sha256: str) -> None:
    """Keep which results of a folder are the newest, durably; 0 and the hash of the draw before there are any."""
    new = folder / f".{HEAD}.new"
    with new.open("wb") as opened:
        opened.write(_json({"number": number, "sha256": sha256}))
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(folder / HEAD)
    sync(folder)


def _json(tree: object) -> bytes:
    return json.dumps(tree, ensure_ascii=False, indent=1).encode() + b"\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = json.loads(file.read_bytes())
    except OSError as error:
        raise BadSampling(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise BadSampling(f"{file}: is not what was written: {error}") from error
    if not isinstance(tree, dict):
        raise BadSampling(f"{file}: is not what was written")
    return tree


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder against others who write, and remove what one left that was cut short."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in folder.glob(f"{_NEW}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


def _folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder as a whole or not at all."""
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder.parent))
    new.chmod(0o755)
    for name, body in files.items():
        with (new / name).open("xb") as opened:
            opened.write(body)
            opened.flush()
            os.fsync(opened.fileno())
    sync(new)
    new.rename(folder)
    sync(folder.parent)
