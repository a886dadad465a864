"""
The spool's file: opened for this hardware, examined, mended, set aside; and one agent a folder.

    damaged ──▶ renamed spool.sqlite.damaged-<ns> ──▶ what is readable in it ──▶ new spool.sqlite
    of other hardware ──▶ renamed spool.sqlite.aside-<ns>, as it is

Nothing here ever ends in a loop of crashes: whatever the file holds, the agent gets a spool, and what was lost is
counted and said. Only a folder or disk that refuses altogether is an error.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent import files, mark
from agent.rows import TABLE_OF_COLUMNS, TABLES, is_right_record
from agent.spool import FILE, Place, Spool, SpoolDamaged, SpoolError, Status
from agent.writeahead import Log, is_empty, log_of

if TYPE_CHECKING:
    from agent.salvage import Salvage

_KEPT_DAMAGED = 3  # the new one among them
_BUILDING = "rebuilding"
_CUT_OFF = "rows that were on the disk are there no more"
_JOURNALS = ("-wal", "-shm")


class Mended(NamedTuple):
    """What was read out of a damaged spool. `lost` counts rows and pages that could not be read: rows at least."""

    verdict: str
    rows: int
    lost: int
    aside: Path

    def __str__(self) -> str:
        return f"spool damaged: {self.verdict}: {self.rows} rows were read, {self.lost} or more are lost"


def _nothing() -> None:
    """Tell nobody of progress."""


def lock(directory: Path) -> int:
    """Keep the folder for this process, until it ends; SpoolError when another agent has it."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        files.lock(descriptor)
    except BlockingIOError:
        raise SpoolError(f"{directory}: another agent is using this spool: stop it, or set spool.path") from None
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror}: choose another folder with spool.path") from None
    return descriptor


def peek(directory: Path) -> tuple[Status, list[tuple[str, int, str, str]]]:
    """Return the status and the refused batches of a spool that another process may be using; change nothing."""
    if not (directory / FILE).is_file():
        raise SpoolError(f"{directory / FILE}: no spool here: has the agent run? (--spool names its folder)")
    try:
        spool = Spool(directory, 0, read_only=True)
        try:
            return spool.status(), spool.refused()
        finally:
            spool.close()
    except SpoolDamaged as error:
        raise SpoolError(f"{error}: santong-agent spool repair, or the next start of the agent, mends it") from None


def open_for(
    directory: Path, max_bytes: int, serial: str, progress: Callable[[], object] = _nothing
) -> tuple[Spool, str]:
    """
    Open the spool of this hardware; return it and why an earlier file was set aside (empty when none was).

    SpoolError when the folder or its disk refuses. `progress` is called between the steps of what may take minutes.
    """
    spool, mended = open_sound(directory, max_bytes, progress)
    why = str(mended) if mended else ""
    known = spool.recall("serial")
    if known is not None and not _may_be_same(known, serial):
        spool.close()
        set_aside(directory, "aside")
        mark.forget(directory)
        spool = Spool(directory, max_bytes)
        why = f"spool of other hardware ({known}), this is {serial}"
    if spool.recall("serial") != serial:
        with spool.transaction():
            spool.remember("serial", serial)
    return spool, why


def open_sound(
    directory: Path, max_bytes: int, progress: Callable[[], object] = _nothing
) -> tuple[Spool, Mended | None]:
    """Open a spool whose file is sound, after mending it where it was not."""
    progress()
    _finish_rebuilding(directory)
    verdict, suspects = _examine(directory)
    mended = _rebuild(directory, verdict, progress) if verdict else None
    spool = Spool(directory, max_bytes)
    spool.suspect(suspects)
    return spool, mended


def repair(directory: Path) -> tuple[Mended | None, int, Status]:
    """
    Mend the spool of a stopped agent; return what was mended, how many bad rows were set aside, and the status.

    What is made anew belongs to whom the folder belongs.
    """
    if not (directory / FILE).exists() and not (directory / _BUILDING).exists():
        raise SpoolError(f"{directory}: no spool here: has the agent run? (--spool names its folder)")
    held = lock(directory)
    try:
        spool, mended = open_sound(directory, 1 << 62)
        before = spool.status().damaged_total
        with spool.transaction():  # moves the bad rows away
            pass
        status = spool.status()
        spool.close()
        owner = directory.stat()
        if sys.platform != "win32" and os.geteuid() == 0:
            for file in directory.iterdir():
                os.chown(file, owner.st_uid, owner.st_gid)
    finally:
        os.close(held)
    return mended, status.damaged_total - before, status


def mend(spool: Spool, progress: Callable[[], object] = _nothing) -> Mended | None:
    """
    Examine the file of a running agent's spool and mend it where it is damaged; the spool stays in use.

    Ids, the epoch and its last number stay as they are, so that what is on its way can still be answered.
    """
    progress()
    spool.close(keep_log=True)  # it may have what the file has not
    _finish_rebuilding(spool.directory)  # Windows renames no file that is held open
    verdict, suspects = _examine(spool.directory)
    mended = _rebuild(spool.directory, verdict, progress) if verdict else None
    spool.open()
    spool.suspect(suspects)
    if mended:
        spool.skip_names()
    return mended


def _examine(directory: Path) -> tuple[str, set[Place]]:
    """Return what is wrong with the file (nothing, when SQLite can use it), and which rows fail their checksum."""
    file = directory / FILE
    if not file.exists():
        return "", set()
    if verdict := _flaw_outside_the_pages(file):
        return verdict, set()
    try:
        # Only reading: whoever opens a database for writing merges and deletes its log in the end.
        looker = Spool(directory, 0, read_only=True)
        try:
            if looker.is_behind_mark():
                return f"{file}: {_CUT_OFF}", set()
            return "", looker.examine()
        finally:
            looker.close()
    except SpoolDamaged as error:
        return str(error), set()


def set_aside(directory: Path, kind: str) -> Path:
    """Rename the spool's file and its journals; return the new name."""
    aside = directory / f"{FILE}.{kind}-{time.time_ns()}"
    for suffix in ("", *_JOURNALS):
        with contextlib.suppress(FileNotFoundError):
            (directory / (FILE + suffix)).rename(f"{aside}{suffix}")
    return aside


def _flaw_outside_the_pages(file: Path) -> str:
    """Say what SQLite would pass over in silence, and lose: a bad frame in the log, a file cut down to nothing."""
    try:
        if file.is_file() and is_empty(file):
            return f"{file}: is empty"
        log = log_of(file)
        if not log.is_file() or not log.stat().st_size:
            return f"{file}: its header is damaged" if file.is_file() and _is_header_changed(file) else ""
    except OSError as error:
        raise SpoolError(f"{file}: {error.strerror}: choose another folder with spool.path") from None
    flaw = Log(file).flaw()
    return f"{file}: {flaw}" if flaw else ""


def _is_header_changed(file: Path) -> bool:
    """Tell a header with fields that SQLite never writes here (file format, section 1.3): it would only refuse them."""
    with file.open("rb") as stream:
        head = stream.read(100)
    fields = (head[18:20], head[20:24], head[44:48], head[56:60])
    usual = (b"\2\2", b"\0\x40\x20\x20", b"\0\0\0\4", b"\0\0\0\1")
    is_ours = head.startswith(b"SQLite format 3\0") and mark.is_there(file.parent)
    return is_ours and fields != usual


def _rebuild(directory: Path, verdict: str, progress: Callable[[], object]) -> Mended:
    """
    Fill a new file with every row that can be read, then put it in the place of the damaged one.

    Until the new file is whole the damaged one stays where it is: a disk that is full, or a power cut, costs nothing.
    """
    from agent.salvage import Salvage  # noqa: PLC0415  few agents ever need it

    building = directory / _BUILDING
    try:
        _forget_building(directory)
        _forget_oldest(directory)
        spool = Spool(building, 1)
        try:
            salvage = Salvage(directory / FILE, is_right_record)
            rows, lost = _read_into(spool, salvage, progress)
            progress()
        finally:
            spool.close(is_trusted=True)
        aside = set_aside(directory, "damaged")
        mark.forget(directory)  # the new file counts its commits from what was read
        _finish_rebuilding(directory)
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror}: free space there, or choose another spool.path") from None
    return Mended(verdict, rows, lost, aside)


def _read_into(spool: Spool, salvage: "Salvage", progress: Callable[[], object]) -> tuple[int, int]:
    """Take over the rows of a damaged file; return how many there are then, and how many at least were lost."""
    bad = set()
    with spool.transaction():
        for record in salvage.records():
            progress()
            is_row = len(record.values) in TABLE_OF_COLUMNS
            if not spool.adopt(record.rowid, record.values) and is_row:
                bad.add((TABLE_OF_COLUMNS[len(record.values)], record.rowid))
        gone = sum(rowid is None or not spool.has(table, rowid) for table, rowid in bad)
        lost = max(1, gone + salvage.flaws)
        rows = sum(map(spool.count, TABLES))
        spool.count_damaged(lost)
    return rows, lost


def _finish_rebuilding(directory: Path) -> None:
    """Put a rebuilt file in its place, where the damaged one has left it; a power cut may come between the two."""
    if (directory / _BUILDING / FILE).exists() and not (directory / FILE).exists():
        for suffix in _JOURNALS:
            (directory / (FILE + suffix)).unlink(missing_ok=True)
        (directory / _BUILDING / FILE).rename(directory / FILE)
    _forget_building(directory)


def _forget_building(directory: Path) -> None:
    building = directory / _BUILDING
    if building.is_dir():
        for file in building.iterdir():
            file.unlink()
        building.rmdir()


def _forget_oldest(directory: Path) -> None:
    """Make room for one more damaged file: all that could be read of the old ones was taken over."""
    old = sorted(directory.glob(f"{FILE}.damaged-*[0-9]"))[: 1 - _KEPT_DAMAGED]
    for file in old:
        for suffix in ("", *_JOURNALS):
            Path(f"{file}{suffix}").unlink(missing_ok=True)


def _may_be_same(known: str, serial: str) -> bool:
    """Tell whether two serial numbers may be of one machine: a hardware's own is hidden from ordinary users."""
    comparable = known.startswith("machine-id:") == serial.startswith("machine-id:")
    return known == serial or not comparable or "unknown" in (known, serial)
