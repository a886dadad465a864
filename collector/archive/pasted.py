"""
Roots as somebody outside kept them: copied out of mails and chats, with whatever stands around them.

Quoting, titles, blanks at ends, CRLF, a byte order mark, lines that a mail program wrapped and lines that came twice
are taken. What looks like a root and is not whole is refused, as are roots that do not follow from each other.
"""

import codecs
import re
from pathlib import Path

from collector.archive.chain import BadRoots, Root

_ROOT = re.compile(
    r"(?<![\w-])([0-9]{4}-[0-9]{2}-[0-9]{2})\s+([0-9]{1,19})\s+([0-9]{1,9})\s+([0-9a-f]{64})\s+([0-9a-f]{64})(?!\w)"
)
_BEFORE = re.compile(r"^[\s>|\u200b\ufeff]+|[\s\u200b]+$")
# Nobody writes these in a greeting: most of a hash, or a day with a time in nanoseconds.
_ALMOST = re.compile(r"[0-9a-fA-F]{32}|\d{4}-\d\d-\d\d\s+\d{13}")


def pasted_roots(file: Path) -> list[Root]:
    """Return the roots in a file, each once, by day; BadRoots says with its line what is wrong."""
    lines = [_BEFORE.sub("", line) for line in _text(file.read_bytes()).splitlines()]
    text = "\n".join(lines)
    found: dict[str, tuple[int, Root]] = {}
    for match in _ROOT.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        root = Root(match[1], int(match[2]), int(match[3]), match[4], match[5])
        before, same = found.setdefault(root.day, (number, root))
        if same != root:
            raise BadRoots(f"{file}:{number}: is another root of {root.day} than line {before} has")
    rest = _ROOT.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(rest.split("\n"), start=1):
        if _ALMOST.search(line):
            raise BadRoots(f"{file}:{number}: looks like a root, and is not whole: {line[:60]!r}")
    if not found:
        raise BadRoots(f"{file}: has no root in it: a line with day, time, number and two hashes")
    return _in_order(file, found)


def _in_order(file: Path, found: dict[str, tuple[int, Root]]) -> list[Root]:
    roots: list[Root] = []
    for day in sorted(found):
        number, root = found[day]
        if roots and not root.follows(roots[-1].chain):
            raise BadRoots(
                f"{file}:{number}: the root of {day} does not follow from that of {roots[-1].day}: one of them was "
                "changed, or lines between are missing; who took them has all (santong evidence roots --all)"
            )
        roots.append(root)
    return roots


def _text(content: bytes) -> str:
    """Return a text as Windows and others write it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")
