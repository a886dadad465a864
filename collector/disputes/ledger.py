"""
The file of disputes and closures in a data folder: read whole, added to line by line.

    DATA/disputes/records.jsonl     a line a record: collector/disputes/chain.py
                  head.json         number and hash of the newest record
                  authorised.txt    who may decide, a name a line; written by hand, everybody where it is not there
                  torn-1            what a power cut left of a line, set aside

A record is confirmed when it is on disk. A head that names no record is there before the first one: records without
any head were never left by a power cut, and may have lost their end. Writers wait for each other; readers need not.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from collector.disputes.chain import Examined, Head, digest, examine, head_from, head_text, line_of
from collector.disputes.rules import after, refusal
from collector.disputes.schema import Dispute, Entry
from collector.durable import sync
from contract.errors import SantongError

FOLDER = "disputes"
RECORDS, HEAD, AUTHORISED = "records.jsonl", "head.json", "authorised.txt"


class BadRecords(SantongError):
    """Records that are not as they were written."""


class Refused(SantongError):
    """A record that a rule does not allow."""


class Added(NamedTuple):
    """A dispute with what was recorded of it now; `note` says what had to be mended before."""

    dispute: Dispute
    head: Head
    note: str = ""


class Ledger:
    """Disputes and closures of a data folder, which may have none yet."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self._file = self.folder / RECORDS

    def examine(self) -> Examined:
        """Return what is there, with everything that is wrong with it."""
        found = self._examine()
        if found.problems and self.folder.is_dir():
            with self._alone():  # what was written meanwhile is no problem
                return self._examine()
        return found

    def _examine(self) -> Examined:
        try:
            kept = self._head()  # before the records: another process may add one between
        except ValueError as error:
            found = examine(self._content(), None)
            return found._replace(problems=(*found.problems, f"{HEAD}: is not what was written: {error}"))
        found = examine(self._content(), kept)
        if kept is None and self._file.exists():
            return found._replace(problems=(*found.problems, f"{HEAD}: removed; records may be missing at the end"))
        return found

    def read(self) -> Examined:
        """Return the disputes; BadRecords when anything was changed or removed."""
        return self._checked(self.examine())

    def _checked(self, found: Examined) -> Examined:
        if found.problems:
            raise BadRecords(f"{self._file}: {found.problems[0]}; `santong dispute check` names everything")
        return found

    def add(self, make: Callable[[Mapping[int, Dispute]], Entry], before: Callable[[], None] = lambda: None) -> Added:
        """
        Record what `make` returns of the disputes there are; durable when this returns.

        `before` is done once nothing is against it, and before anything is written; what it raises stops it.

        Raises Refused when a rule is against it, BadRecords when what is there was changed, OSError when it cannot be
        written: what there is of it is mended by the next one.
        """
        self._make_folder()
        with self._alone():
            found = self._checked(self._examine())
            note = self._mend(found) if found.torn else ""
            found = self._checked(self._examine()) if note else found
            entry = make(found.disputes)
            if why := refusal(entry, found.disputes, self._authorised()):
                raise Refused(f"{why}; {note}" if note else why)
            before()
            if found.head != self._head():  # none is there, or a power cut left the one before
                self._write_head(found.head)
            line = line_of(entry, found.head)
            self._append(line)
            head = Head(found.head.record + 1, digest(line))
            self._write_head(head)
            return Added(after(entry, found.disputes), head, note)

    def _mend(self, found: Examined) -> str:
        """Finish a line that lacks its end alone, set any other aside; return what was done."""
        if not examine(self._content() + b"\n", None).problems:
            self._append(b"\n")
            return f"{self._file}: record {found.head.record + 1} was not finished (a power cut?), and is now"
        aside = self._set_aside(found.torn)
        with self._file.open("r+b") as opened:
            opened.truncate(self._file.stat().st_size - len(found.torn))
            os.fsync(opened.fileno())
        what = f"{len(found.torn)} bytes of a record that was never confirmed (a power cut?)"
        return f"{self._file}: {what} are set aside in {aside.name}"

    def _set_aside(self, torn: bytes) -> Path:
        number = 1
        while (aside := self.folder / f"torn-{number}").exists():
            number += 1
        with aside.open("xb") as opened:
            opened.write(torn)
            opened.flush()
            os.fsync(opened.fileno())
        sync(self.folder)
        return aside

    def _append(self, line: bytes) -> None:
        is_new = not self._file.exists()
        try:
            with self._file.open("ab") as opened:
                opened.write(line)
                opened.flush()
                os.fsync(opened.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file)) from error
        if is_new:
            sync(self.folder)

    def _write_head(self, head: Head) -> None:
        new = self.folder / f".{HEAD}.new"
        with new.open("wb") as opened:
            opened.write(head_text(head))
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(self.folder / HEAD)
        sync(self.folder)

    def _content(self) -> bytes:
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return b""

    def _head(self) -> Head | None:
        try:
            return head_from((self.folder / HEAD).read_bytes())
        except FileNotFoundError:
            return None

    def _authorised(self) -> list[str] | None:
        """Return who may decide; None: there is no list."""
        try:
            text = (self.folder / AUTHORISED).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise Refused(f"{self.folder / AUTHORISED}: is not UTF-8 text, a name a line") from None
        return [name for line in text.splitlines() if (name := line.partition("#")[0].strip())]

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync(self.folder.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder against other writers."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
