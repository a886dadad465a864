"""
Months that were closed: numbered reports with their evidence, signed, in a chain.

    DATA/reports/ST-2026-03/       ST-2026-03.html .pdf .xlsx .json      the report
                                   ST-2026-03.evidence.zip               all that it follows from
                                   closing.json, closing.sig, public.pem what was closed, by whom, with which hashes
    DATA/reports/ST-2026-03-C1/    the first correction of it
    DATA/reports/.new-…            one that was never finished; the next one removes it

A closing is there as a whole or not at all, and none is ever changed. Each names the SHA-256 of the one before it, so
that one that was taken away is missed.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from collector.archive.keys import PUBLIC, BadKey, Signer, fingerprint, is_signed, public_in
from collector.durable import sync
from contract.errors import SantongError

FOLDER, RECORD, SIGNATURE = "reports", "closing.json", "closing.sig"
FORMAT = "santong-closing/1"
ARCHIVE = "evidence.zip"
_NEW = ".new-"
_ID = re.compile(r"ST-(\d{4}-\d\d)(?:-C(\d{1,4}))?")
_NOTHING = "0" * 64


class BadClosing(SantongError):
    """A closing that is not as it was signed, or that cannot be made."""


class Month(NamedTuple):
    """A month of the programme's zone."""

    year: int
    month: int

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    def __str__(self) -> str:
        """Return it as 2026-03."""
        return f"{self.year:04}-{self.month:02}"


def month_of(text: str) -> Month:
    """Return the month of a text such as 2026-03; ValueError for what is none."""
    match = re.fullmatch(r"(\d{4})-(\d{1,2})", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a month such as 2026-03")
    try:
        date(int(match[1]), int(match[2]), 1)
    except ValueError:
        raise ValueError(f"{text!r} is not a month such as 2026-03") from None
    return Month(int(match[1]), int(match[2]))


class Closing(NamedTuple):
    """
    A closed month: `id` names its folder, `number` is the report's; `corrects` the id of what it corrects, or empty.

    `files` are their SHA-256 by name; `previous` is the SHA-256 of the closing before it, in the order of `sequence`.
    """

    sequence: int
    id: str
    number: str
    month: str
    corrects: str
    closed_at: str
    closed_by: str
    fingerprint: str
    previous: str
    files: dict[str, str]

    def as_bytes(self) -> bytes:
        """Return the text that is signed."""
        return (json.dumps({"format": FORMAT, **self._asdict()}, ensure_ascii=False, indent=1) + "\n").encode()

    @property
    def archive(self) -> str:
        """The name of its evidence."""
        return f"{self.id}.{ARCHIVE}"

    @property
    def document(self) -> str:
        """The name of its report as JSON."""
        return f"{self.id}.json"


class Closings:
    """The closed months of a data folder, which may have none yet."""

    def __init__(self, data: Path, public: bytes | None = None) -> None:
        """Take the folder, and the public key that they must be signed with: None: any."""
        self.folder = data / FOLDER
        self.public = public

    def every(self) -> list[Closing]:
        """Return all, in the order in which they were closed; BadClosing names one that is missing or was changed."""
        found = sorted(map(self._read, self._names()), key=lambda one: one.sequence)
        before = _NOTHING
        for number, one in enumerate(found, 1):
            if one.sequence != number or one.previous != before:
                raise BadClosing(f"{self.folder}: closing {number} is missing: {one.id} does not follow what is there")
            before = hashlib.sha256(one.as_bytes()).hexdigest()
        return found

    def of(self, month: Month) -> list[Closing]:
        """Return the closing of a month, and its corrections in their order."""
        return [one for one in self.every() if one.month == str(month)]

    def file(self, closing: Closing, name: str) -> Path:
        """Return a file of a closing; BadClosing when it is not what was signed."""
        file = self.folder / closing.id / name
        if flaw := self._flaw(closing, name):
            raise BadClosing(flaw)
        return file

    def flaws(self, closing: Closing) -> Iterator[str]:
        """Yield which of its files are not what was signed."""
        for name in closing.files:
            if flaw := self._flaw(closing, name):
                yield flaw
        known = {*closing.files, RECORD, SIGNATURE, PUBLIC}
        for file in sorted((self.folder / closing.id).iterdir()):
            if file.name not in known:
                yield f"{file}: is in it and was not signed"

    @contextmanager
    def new(self, month: Month) -> Iterator["New"]:
        """Yield a folder for a new closing of a month; it is gone when it was not `finish`ed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for left in self.folder.glob(f"{_NEW}*"):
                shutil.rmtree(left)
            every = self.every()
            name = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
            try:
                yield New(self.folder, name, every, month)
                os.fsync(descriptor)
            finally:
                shutil.rmtree(name, ignore_errors=True)
        finally:
            os.close(descriptor)

    def _names(self) -> list[str]:
        try:
            return [one.name for one in self.folder.iterdir() if _ID.fullmatch(one.name)]
        except FileNotFoundError:
            return []

    def _read(self, name: str) -> Closing:
        folder = self.folder / name
        try:
            content = (folder / RECORD).read_bytes()
            signature, public = (folder / SIGNATURE).read_bytes(), (folder / PUBLIC).read_bytes()
            if not is_signed(content, signature, public):
                raise BadClosing(f"{folder / RECORD}: was changed after it was signed")
            if self.public is not None and (known := fingerprint(self.public)) != (own := fingerprint(public)):
                raise BadClosing(f"{folder / RECORD}: is signed by another key: {own[:16]}…, not {known[:16]}…")
            found = _closing_of(json.loads(content))
        except OSError as error:
            raise BadClosing(f"{error.filename}: {error.strerror}") from None
        except BadKey as flaw:
            raise BadClosing(f"{folder / PUBLIC}: {flaw}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BadClosing(f"{folder / RECORD}: cannot be read: {type(error).__name__} {error}") from None
        if found.id != name:
            raise BadClosing(f"{folder / RECORD}: is that of {found.id}")
        return found

    def _flaw(self, closing: Closing, name: str) -> str:
        file = self.folder / closing.id / name
        try:
            return "" if sha256_of(file) == closing.files[name] else f"{file}: is not what was signed"
        except OSError as error:
            return f"{file}: {error.strerror}"


class Told(NamedTuple):
    """What is said of a closing: the report's number, when and by whom it is closed, the report's fingerprint."""

    number: str
    closed_at: str
    closed_by: str
    fingerprint: str


class New:
    """A closing in the making: write its files into `path`, then `finish`."""

    def __init__(self, folder: Path, path: Path, every: list[Closing], month: Month) -> None:
        self.path = path
        self._folder, self._every, self._month = folder, every, month
        before = [one for one in every if one.month == str(month)]
        self.corrects = before[-1] if before else None
        self.id = f"ST-{month}-C{len(before)}" if before else f"ST-{month}"

    def finish(self, signer: Signer, told: Told) -> Closing:
        """Sign what was written, and give it its name, durably; return the closing."""
        files = {file.name: sha256_of(file) for file in sorted(self.path.iterdir())}
        previous = hashlib.sha256(self._every[-1].as_bytes()).hexdigest() if self._every else _NOTHING
        corrects = self.corrects.id if self.corrects else ""
        sequence = len(self._every) + 1
        made = Closing(sequence, self.id, told.number, str(self._month), corrects, *told[1:], previous, files)
        content = made.as_bytes()
        for name, body in ((RECORD, content), (SIGNATURE, signer.sign(content)), (PUBLIC, signer.public)):
            (self.path / name).write_bytes(body)
        for file in self.path.iterdir():
            sync(file)
        sync(self.path)
        self.path.chmod(0o755)
        self.path.rename(self._folder / self.id)
        return made


def is_signed_as_closed(data: Path, fingerprint_of_report: str) -> bool:
    """Tell whether a report of this fingerprint was closed in a data folder, signed with its key."""
    public = public_in(data)
    if public is None:
        return False
    try:
        every = Closings(data, public.read_bytes()).every()
    except BadClosing:
        return False
    return fingerprint_of_report in [one.fingerprint for one in every]


def _closing_of(tree: Any) -> Closing:
    """Return the closing of its record; ValueError for another format, or a field of another type."""
    if tree["format"] != FORMAT:
        raise ValueError(f"is of the format {str(tree['format'])[:40]!r}")
    found = Closing(**{field: tree[field] for field in Closing._fields})
    texts = [getattr(found, name) for name in Closing._fields if name not in {"sequence", "files"}]
    files = found.files if isinstance(found.files, dict) else {0: 0}
    if type(found.sequence) is not int or not all(isinstance(one, str) for one in (*texts, *files, *files.values())):
        raise ValueError("a field of it is of another type")
    if any("/" in name for name in files) or not all(one.isprintable() for one in (*files, *texts)):
        raise ValueError("a name in it cannot be one")
    return found


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file; OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
