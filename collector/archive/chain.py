"""
The root of each day as the store had it soon after, in a chain that somebody outside can hold.

    DATA/evidence/roots.log          a line a day: day, when it was taken (unix ns), leaves, root, chain
    DATA/evidence/roots/DAY.txt      the hash of each device, from which the root follows

`chain` is the SHA-256 of: the chain of the day before (64 zeros for the first), day, time, leaves, root, with single
spaces and a line feed. So whoever has one line can vouch for all before it. Lines are only ever added.
"""

import fcntl
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from collector.archive.canonical import head_of, parts_of
from collector.archive.keys import FOLDER
from collector.archive.read import Archive
from collector.archive.scope import AFTER, Scope, Span, lines_of
from collector.archive.tree import Leaves, tree_of
from collector.archive.write import leaf_line
from collector.store.base import Store
from contract.errors import SantongError

LOG, LEAVES = "roots.log", "roots"
_NONE = "0" * 64
_LINE = re.compile(r"(\d{4}-\d\d-\d\d) (\d{1,19}) (\d{1,9}) ([0-9a-f]{64}) ([0-9a-f]{64})")
_MARK = re.compile(rb"(oldest|newest)=(\d+)i")

SAME, NO_ROOT, LATE, ALTERED = "same", "no_root", "late", "altered"


class BadRoots(SantongError):
    """Roots that do not follow from each other, or that cannot be read."""


class Root(NamedTuple):
    """The root of a day, taken at `taken_ns`, and the hash that chains it to the days before."""

    day: str
    taken_ns: int
    leaves: int
    root: str
    chain: str

    def follows(self, before: str) -> bool:
        """Tell whether `chain` follows from the one before."""
        return self.chain == _chained(before, self)

    def line(self) -> str:
        """Return it as it is written, with its line feed."""
        return " ".join(map(str, self)) + "\n"


class Rooted(NamedTuple):
    """A day of an archive beside its root: same, no_root, or late or altered with the devices that are."""

    day: str
    kind: str
    devices: tuple[str, ...] = ()


def read_roots(file: Path) -> list[Root]:
    """Return the roots of a file, or the lines that somebody was handed; BadRoots where one does not follow."""
    text = file.read_text(encoding="utf-8", errors="replace")
    found: list[Root] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadRoots(f"{file}:{number}: is no root: {line[:60]!r}")
        root = Root(match[1], int(match[2]), int(match[3]), match[4], match[5])
        if found and not root.follows(found[-1].chain):
            raise BadRoots(f"{file}:{number}: the root of {root.day} does not follow from that of {found[-1].day}")
        found.append(root)
    return found


class Chain:
    """The roots in a data folder."""

    def __init__(self, data: Path) -> None:
        self.log = data / FOLDER / LOG
        self.leaves = data / FOLDER / LEAVES

    def roots(self) -> list[Root]:
        """Return those that were taken, the oldest first; BadRoots when one was changed."""
        found = read_roots(self.log) if self.log.is_file() else []
        if found and not found[0].follows(_NONE):
            raise BadRoots(f"{self.log}:1: is not the first root of this chain")
        return found

    def take(self, store: Store, scope: Scope, now_ns: int) -> Iterator[Root]:
        """Take the roots of the days that follow the last one taken, durably, and yield each when it is on disk."""
        self.leaves.mkdir(parents=True, exist_ok=True)
        with self._alone() as descriptor:
            taken = self.roots()
            last = taken[-1] if taken else Root("", 0, 0, "", _NONE)
            for day in scope.days:
                if day.name <= last.day:
                    continue
                leaves = _leaves(store, scope, day)
                _write(self.leaves / f"{day.name}.txt", leaves)
                tree = tree_of(leaf for _, leaf in leaves)
                open_root = Root(day.name, now_ns, tree.leaves, tree.root().hex(), "")
                last = open_root._replace(chain=_chained(last.chain, open_root))
                os.write(descriptor, last.line().encode())
                os.fsync(descriptor)
                yield last

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """Hold the log against others, and cut off a line that a power cut left half."""
        descriptor = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = self.log.read_bytes()
            if not content.endswith(b"\n"):
                os.ftruncate(descriptor, content.rfind(b"\n") + 1)
            yield descriptor
        finally:
            os.close(descriptor)


def files_of(data: Path, days: Iterable[Span]) -> dict[str, bytes]:
    """Return what an archive has of the chain: the leaves of its days as they were taken, by name."""
    found = {day.name: data / FOLDER / LEAVES / f"{day.name}.txt" for day in days}
    return {f"{LEAVES}/{name}.txt": file.read_bytes() for name, file in found.items() if file.is_file()}


def beside(archive: Archive, roots: Iterable[Root]) -> Iterator[Rooted]:
    """
    Yield each day of an archive beside its root.

    Where they differ, the leaves that were taken tell which devices: late is one of which the archive has a mark of
    evidence of the day that was stored after the root was taken. Any other was altered; so were all, where the leaves
    that were taken do not follow from the root.
    """
    by_day = {root.day: root for root in roots}
    marks = _marks(archive)
    files = archive.files()
    for day in archive.manifest.days:
        root = by_day.get(day.name)
        if root is None:
            yield Rooted(day.name, NO_ROOT)
            continue
        now = archive.leaves(day)
        if _root(now) == root.root:
            yield Rooted(day.name, SAME)
            continue
        name = f"{LEAVES}/{day.name}.txt"
        then = _taken(b"".join(archive.pieces(name)) if name in files else b"")
        if _root(then) != root.root:
            yield Rooted(day.name, ALTERED)
            continue
        differing = {device for device in now.keys() | then.keys() if now.get(device) != then.get(device)}
        late = {device for device in differing if _is_late(marks.get(device, ()), day, root.taken_ns)}
        for kind, devices in ((ALTERED, differing - late), (LATE, late)):
            if devices:
                yield Rooted(day.name, kind, tuple(sorted(devices)))


def _chained(before: str, root: Root) -> str:
    text = f"{before} {root.day} {root.taken_ns} {root.leaves} {root.root}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _leaves(store: Store, scope: Scope, day: Span) -> list[tuple[str, bytes]]:
    leaves = Leaves()
    for device, line in lines_of(store, scope, day):
        leaves.add(device, line)
    return list(leaves)


def _root(leaves: Mapping[str, str]) -> str:
    return tree_of(bytes.fromhex(leaves[device]) for device in sorted(leaves)).root().hex()


def _write(file: Path, leaves: Iterable[tuple[str, bytes]]) -> None:
    with file.open("wb") as opened:
        opened.writelines(leaf_line(leaf, device) for device, leaf in leaves)
        opened.flush()
        os.fsync(opened.fileno())


def _taken(content: bytes) -> dict[str, str]:
    rows = (line.partition("  ") for line in content.decode(errors="replace").splitlines())
    return {device: leaf for leaf, _, device in rows if re.fullmatch("[0-9a-f]{64}", leaf)}


_Mark = tuple[int, int, int]  # stored ns, oldest ms, newest ms


def _marks(archive: Archive) -> Mapping[str, list[_Mark]]:
    """Return the marks of late evidence that an archive has, by device."""
    found: dict[str, list[_Mark]] = defaultdict(list)
    for part in archive.manifest.scope.parts:
        if part in archive.manifest.days or part.name == AFTER:
            for line in archive.lines(part):
                if line.startswith(b"late,"):
                    head, fields, time = parts_of(line)
                    span = {name: int(value) for name, value in _MARK.findall(fields)}
                    found[head_of(head).device].append((int(time), span.get(b"oldest", 0), span.get(b"newest", 0)))
    return found


def _is_late(marks: Iterable[_Mark], day: Span, taken_ns: int) -> bool:
    return any(
        stored_ns >= taken_ns and oldest_ms * 10**6 < day.end_ns and (newest_ms + 1) * 10**6 > day.start_ns
        for stored_ns, oldest_ms, newest_ms in marks
    )
