"""Roots that somebody kept: whatever mails and chats do to lines, they are taken or refused in a line that says why."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.archive.chain import BadRoots, Root, read_roots
from collector.archive.pasted import pasted_roots
from collector.store.sqlite import SqliteStore
from tests.collector.archive.test_chain import taken
from tests.collector.verification.world import MONDAY, TUESDAY, WEDNESDAY


@pytest.fixture
def roots(tmp_path: Path) -> list[Root]:
    """Return the roots of three days."""
    store = SqliteStore(tmp_path / "santong.sqlite")
    store.prepare()
    found = taken(store, tmp_path, MONDAY, TUESDAY, WEDNESDAY)
    store.close()
    return found


def _pasted(tmp_path: Path, content: str | bytes) -> list[Root]:
    """Return the roots in a file with this content."""
    file = tmp_path / "held.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return pasted_roots(file)


def _message(root: Root) -> str:
    return f"证据日根 {root.day}\n{root.line()}"


WAYS: dict[str, Callable[[list[str]], str | bytes]] = {
    "as they were sent": "".join,
    "with CRLF and a byte order mark": lambda some: b"\xef\xbb\xbf" + "".join(some).replace("\n", "\r\n").encode(),
    "as UTF-16, which Windows calls Unicode": lambda some: "".join(some).encode("utf-16"),
    "quoted twice, with blanks at the ends": lambda some: "> > " + "".join(some).replace("\n", "  \t\n> > "),
    "in a chat, with who said it and when": lambda some: "\n".join(
        f"机器人 2026-03-03 00:35:02\n{one}" for one in some
    ),
    "wrapped by a mail program": lambda some: "> " + "".join(some).replace(" ", "\n> "),
    "the newest first": lambda some: "\n".join(reversed(some)),
    "some of them again": lambda some: "".join([*some, *some[1:]]),
    "with hard spaces": lambda some: "".join(some).replace(" ", "\u00a0"),
    "in a letter": lambda some: f"Dear auditor,\nhere they are:\n{''.join(some)}\n-- \nThe centre, 0763-123456\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_stands_around_them_they_are_found(roots: list[Root], tmp_path: Path, way: str) -> None:
    """The roots of several messages are the same as those in the log, each once, in the order of days."""
    assert _pasted(tmp_path, WAYS[way]([_message(root) for root in roots])) == roots
    assert read_roots(tmp_path / "evidence/roots.log") == roots


def test_half_a_root_is_refused(roots: list[Root], tmp_path: Path) -> None:
    """A line that was not copied whole would be a day without a root: it is named, with its line."""
    lines = "".join(root.line() for root in roots)
    with pytest.raises(BadRoots, match=r"held\.txt:3: looks like a root, and is not whole"):
        _pasted(tmp_path, lines.rstrip("\n")[:-1])
    with pytest.raises(BadRoots, match=r"held\.txt:1: looks like a root, and is not whole"):
        _pasted(tmp_path, lines[1:])


def test_two_roots_of_one_day_are_refused(roots: list[Root], tmp_path: Path) -> None:
    """Messages that contradict each other are named, both lines of them."""
    other = roots[1]._replace(leaves=7).line()
    with pytest.raises(BadRoots, match=rf"held\.txt:4: is another root of {TUESDAY} than line 2 has"):
        _pasted(tmp_path, "".join(root.line() for root in roots) + other)


def test_a_message_that_is_missing_between_is_said(roots: list[Root], tmp_path: Path) -> None:
    """Lines that do not follow are refused, and it is said whom to ask: the later line vouches for what they send."""
    with pytest.raises(BadRoots, match=rf"{WEDNESDAY} does not follow from that of {MONDAY}: .* evidence roots --all"):
        _pasted(tmp_path, roots[0].line() + roots[2].line())
    assert _pasted(tmp_path, roots[1].line() + roots[2].line()) == roots[1:]


def test_a_file_without_roots_is_refused(tmp_path: Path) -> None:
    """A wrong file must not look like days without roots."""
    with pytest.raises(BadRoots, match=r"held\.txt: has no root in it"):
        _pasted(tmp_path, "see you on 2026-03-02\n")
