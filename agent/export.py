"""
Evidence by hand: what waits in a spool, written into a file of batches.

The spool may be in use: it is read, in one snapshot, and never changed. The batches stay in it until the centre
acknowledges them; the centre stores once what comes by hand and over the network.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from agent import files
from agent.rows import checksum
from agent.sign import Signer
from agent.spool import DAMAGED, FILE, SpoolError
from agent.writeahead import would_be_deleted
from contract import __version__
from contract.batch import Batch, decode
from contract.batchfile import Head, Writer
from contract.errors import BadBatch, SantongError

# The columns in the order of their checksum, then the body and the checksum itself.
_WAITING = "SELECT id, epoch, seq, device, clock, previous, open, body, crc FROM batch WHERE NOT open ORDER BY id"
_REFUSED = "SELECT id, epoch, seq, device, reason, body, crc FROM refused ORDER BY id"

_MENDED = "santong-agent spool repair, or the next start of the agent, mends it"


class ExportError(SantongError):
    """The file cannot be written; the message says why."""


class Exported(NamedTuple):
    """
    What was written where. `skipped` batches could not be read any more.

    `first_ns` and `last_ns` are the oldest and the newest first or last line of a batch, unix ns, 0 without any.
    """

    file: Path
    batches: int
    skipped: int
    first_ns: int
    last_ns: int


def export(spool: Path, agent: str, out: Path | None, signer: Signer | None, *, with_refused: bool) -> Exported:
    """
    Write the closed batches of a spool, and with `with_refused` those that the centre refused, into a new file.

    `out` is the file, or a folder in which it gets a name of its own. The file is there whole or not at all; without
    any batch there is none.
    """
    now = datetime.now(UTC)
    file = _file(out, f"{agent}.{now:%Y%m%d-%H%M%S}.jsonl")
    new = file.with_name(f".{file.name}.new")
    try:
        with new.open("wb") as opened:
            written = _write(opened, Head(agent, now, __version__), _read(spool, with_refused=with_refused), signer)
            opened.flush()
            os.fsync(opened.fileno())
        if written.batches:
            new.rename(file)
            _sync_folder(file.parent)
    except OSError as error:
        raise ExportError(f"{file}: {error.strerror}: nothing was written; name another place with --out") from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
    return written._replace(file=file)


def _file(out: Path | None, name: str) -> Path:
    file = Path(name) if out is None else out / name if out.is_dir() else out
    if file.exists():
        raise ExportError(f"{file}: exists already: name another file with --out")
    return file


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system of a memory stick can
        files.sync_folder(folder)


def _write(
    file: BinaryIO, head: Head, rows: Iterator[tuple[str, bytes, Batch | None]], signer: Signer | None
) -> Exported:
    writer = Writer(file, head)
    skipped = 0
    times: list[int] = []
    for device, payload, batch in rows:
        if batch is None:
            skipped += 1
            continue
        writer.add(device, payload)
        times = _span(times, batch)
    writer.seal(signer.certificate, signer.sign) if signer else writer.seal()
    first, last = times or (0, 0)
    return Exported(Path(), writer.batches, skipped, first, last)


def _span(times: list[int], batch: Batch) -> list[int]:
    """Return the first and last of `times` and of a batch."""
    lines = batch.lines.removesuffix(b"\n")
    ends = (lines.partition(b"\n")[0], lines.rpartition(b"\n")[2])
    all_times = times + ([int(line[-19:]) for line in ends if line[-19:].isdigit()] or [batch.at_ns])
    return [min(all_times), max(all_times)]


def _read(spool: Path, *, with_refused: bool) -> Iterator[tuple[str, bytes, Batch | None]]:
    """Yield device, payload and batch, None where the row is not what was once put there."""
    file = spool / FILE
    if not file.is_file():
        raise SpoolError(f"{file}: no spool here: has the agent run? (--spool names its folder)")
    if would_be_deleted(file):
        raise SpoolError(f"{file}: is empty: {_MENDED}")
    queries = {"batch": _WAITING, "refused": _REFUSED} if with_refused else {"batch": _WAITING}
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = lambda text: text.decode(errors="replace")
            db.execute("BEGIN")
            for table, query in queries.items():
                for *values, body, crc in db.execute(query):
                    yield values[3], body, _decoded(table, values, body, crc)
    except sqlite3.OperationalError as error:
        raise SpoolError(f"{file}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise SpoolError(f"{file}: {error}: {_MENDED}") from None


def _decoded(table: str, values: list[Any], body: object, crc: object) -> Batch | None:
    """Return the batch of a row, whose columns may hold anything after damage; None when it is not what it was."""
    is_whole = isinstance(body, bytes) and checksum(table, values, body) == crc and DAMAGED not in values
    try:
        return decode(body) if is_whole else None  # type: ignore[arg-type]
    except BadBatch:
        return None
