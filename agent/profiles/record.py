"""
A device into a folder of recordings, to run a profile against: `tests/profiles/conformance.py` replays it.

    captured ──redactor, twice: it learns──▶ files + SOURCE ──▶ .name.xxxx/ beside the target ──rename──▶ target

There is a whole recording in the end, or nothing: what fails on the way, or is interrupted, leaves no file.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from agent.profiles.redact import Redactor
from contract import __version__
from contract.errors import ConfigError, Problem

_RECORDED = b"recorded"  # the first word of SOURCE
_QUERY = re.compile(r"([?&][^\s=&,;]+=)[^\s&]+?(?=&|[,;:]?\s|$)")  # name and value in a path
SECOND = "second"  # the folder of a second read, for readings that need an increase


class Captured(Protocol):
    """What a device said, as it said it."""

    def files(self, redactor: Redactor) -> Mapping[str, bytes]:
        """Return the files of the recording with stand-ins in them; called several times, while it learns."""


class Told(NamedTuple):
    """What SOURCE says of a recording. `partial` is why it is not whole, empty where it is."""

    kind: str
    asked: str
    found: str
    left_out: Sequence[str] = ()
    partial: str = ""


def written(captured: Sequence[Captured], redactor: Redactor) -> dict[str, bytes]:
    """Return all files of one read or of two, in which nothing is left of what the redactor has learned."""
    for one in captured:
        one.files(redactor)
    files: dict[str, bytes] = {}
    for number, one in enumerate(captured):
        above = f"{SECOND}/" if number else ""
        files |= {above + name: content for name, content in one.files(redactor).items()}
    return files


def source(told: Told, redactor: Redactor) -> str:
    """Return what the file SOURCE says; no name of a host is in it."""
    replaced = ", ".join(f"{count} {name}" for name, count in redactor.counts.items()) or "nothing"
    lines = [
        f"recorded: {told.kind}, {datetime.now(UTC):%Y-%m-%d}, by santong {__version__}",
        f"asked: {_said(told.asked, redactor)}",
        f"found: {told.found}",
        *(f"left out: {_said(what, redactor)}" for what in told.left_out),
        f"replaced by stand-ins: {replaced}",
        *([f"not whole: {_said(told.partial, redactor)}"] if told.partial else []),
        "Private addresses (RFC 1918; fd00::/8, RFC 4193) are as they were.",
        "A version of four numbers may have been taken for an address.",
    ]
    return "\n".join(lines) + "\n"


def _said(text: str, redactor: Redactor) -> str:
    """Return what was asked, or was not got, with stand-ins; what stands in a query is dropped."""
    return "".join(
        f"{redactor.text(part)}…" if part[:1] in ("?", "&") and part.endswith("=") else redactor.text(part)
        for part in _QUERY.split(text)
    )


def check_target(out: Path, *, force: bool) -> None:
    """ConfigError: the folder is there already, or cannot be, or is none that may be replaced."""
    if out.exists() and not out.is_dir():
        raise ConfigError(str(out), [Problem("", "is a file: name a folder")])
    if out.exists() and not force:
        raise ConfigError(str(out), [Problem("", "is there already: name another folder, or give --force")])
    if out.exists() and not _is_recording(out):
        reason = "is there already, and has no SOURCE that begins with 'recorded': --force replaces recordings alone"
        raise ConfigError(str(out), [Problem("", reason)])
    if not out.absolute().parent.is_dir():
        raise ConfigError(str(out), [Problem("", f"there is no folder {out.absolute().parent}")])


def _is_recording(folder: Path) -> bool:
    """Tell whether a folder was made by a recording, so that `root` and `second` in it are no one's own."""
    try:
        with (folder / "SOURCE").open("rb") as file:
            return file.read(len(_RECORDED)) == _RECORDED
    except OSError:
        return False


def put(out: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder at once; what else a folder in its place had (expected.txt, notes) is kept."""
    with _beside(out) as folder:
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        if not out.exists():
            folder.rename(out)
            return
        _keep_others(out, folder)
        old = folder.with_name(f"{folder.name}.old")
        out.rename(old)
        folder.rename(out)
        shutil.rmtree(old)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Give a folder of another name beside the target, which is gone afterwards if it was not renamed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    try:
        umask = os.umask(0)
        os.umask(umask)
        folder.chmod(0o777 & ~umask)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_others(old: Path, new: Path) -> None:
    """Copy what the new recording does not have, but none of the recordings that it replaces."""
    for there in old.iterdir():
        if (new / there.name).exists() or there.name in (SECOND, "root"):
            continue
        if there.is_dir():
            shutil.copytree(there, new / there.name, symlinks=True)
        else:
            shutil.copy2(there, new / there.name)
