"""An archive as a store: its evidence in a SQLite file of its own, from which the ordinary questions are answered."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from collector.archive.manifest import BadArchive
from collector.archive.read import Archive
from collector.store.sqlite import SqliteStore
from contract.measurements import Retention

_LINES_A_WRITE = 20_000

Progress = Callable[[int, int, str], None]


def load(archive: Archive, file: Path, progress: Progress = lambda *_: None) -> SqliteStore:
    """
    Return a new store in `file` with the evidence of an archive; it is not meant to outlive this process.

    BadArchive when a member is not what was signed, or is no evidence.
    """
    store = SqliteStore(file, is_scratch=True)
    try:
        store.prepare()
        parts = archive.manifest.scope.parts
        for number, part in enumerate(parts):
            progress(number, len(parts), part.name)
            pieces = _pieces(archive.lines(part))
            for piece in pieces:
                if poison := store.write(Retention.EVIDENCE, piece):
                    deque(pieces, 0)  # what was changed since it was signed is said so
                    raise BadArchive(f"{archive.file}: {part.name}: {poison[0].message}")
        progress(len(parts), len(parts), "")
    except BaseException:
        store.close()
        raise
    return store


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= _LINES_A_WRITE:
            yield b"".join(waiting)
            waiting = []
    if waiting:
        yield b"".join(waiting)
