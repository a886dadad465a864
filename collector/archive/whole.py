"""Whether an archive is whole: members as they were signed, lines in their places, leaves and root from them."""

from collections import deque
from collections.abc import Callable

from collector.archive.canonical import Head, head_of, parts_of
from collector.archive.manifest import BadArchive
from collector.archive.read import Archive
from collector.archive.scope import Span
from collector.archive.tree import Leaves, Tree

Progress = Callable[[int, int, str], None]
_Key = tuple[Head, bytes]  # lines are sorted by it, each once


def check_whole(archive: Archive, progress: Progress = lambda *_: None) -> int:
    """Return how many device-days it has; BadArchive names the first thing that is not as it was signed."""
    for name in archive.files():
        deque(archive.pieces(name), 0)
    tree = Tree()
    parts = archive.manifest.scope.parts
    for number, part in enumerate(parts):
        progress(number, len(parts), part.name)
        found = _leaves(archive, part)
        if {device: leaf.hex() for device, leaf in found} != archive.leaves(part):
            raise BadArchive(f"{archive.file}: leaves of {part.name} do not follow from its evidence")
        for _, leaf in found:
            tree.add(leaf)
    progress(len(parts), len(parts), "")
    if (tree.root().hex(), tree.leaves) != (archive.manifest.root, archive.manifest.leaves):
        raise BadArchive(f"{archive.file}: its root does not follow from its leaves")
    return tree.leaves


def _leaves(archive: Archive, part: Span) -> Leaves:
    leaves = Leaves()
    lines = archive.lines(part)
    before: _Key | None = None
    for line in lines:
        try:
            key = _key_of(line, part)
            if before is not None and key <= before:
                raise ValueError(f"{line[:80]!r} is out of order")
        except ValueError as flaw:
            deque(lines, 0)  # what was changed since it was signed is said so
            raise BadArchive(f"{archive.file}: {part.name}: {flaw}") from None
        before = key
        leaves.add(key[0].device, line)
    return leaves


def _key_of(line: bytes, part: Span) -> _Key:
    head, _, time = parts_of(line)
    if not part.start_ns <= int(time) < part.end_ns:
        raise ValueError(f"{line[:80]!r} is evidence of another day")
    return head_of(head), time
