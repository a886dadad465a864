"""The log of logins and actions: what was changed, removed or added by other means is named."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.access.files import BadFile
from collector.access.log import Entry, Log

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def entry(number: int) -> Entry:
    """Return an entry."""
    return Entry(AT, f"user{number}", "192.0.2.7", "login", text="中文 ✓")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Return a log with four records."""
    made = Log(tmp_path)
    for number in range(1, 5):
        made.add(lambda number=number: entry(number))  # type: ignore[misc]
    return made


def test_what_was_written_is_there_and_whole(log: Log) -> None:
    """Four records, in order, readable by the owner alone."""
    found = log.examine()
    assert found.problems == ()
    assert found.entries == tuple(entry(number) for number in range(1, 5))
    assert oct(log.file.stat().st_mode)[-3:] == "600"
    assert Log(log.folder.parent / "elsewhere").examine().entries == ()


def lines_changed(make: Callable[[list[bytes]], list[bytes]]) -> Callable[[Log], None]:
    """Return what rewrites the file."""

    def change(log: Log) -> None:
        log.file.write_bytes(b"".join(make(log.file.read_bytes().splitlines(keepends=True))))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lines_changed(lambda some: [some[0], some[1].replace(b"user2", b"user9"), *some[2:]]), "record 2: changed"),
        (lines_changed(lambda some: [*some[:3], some[3].replace(b"login", b"views")]), "record 4: changed"),
        (lines_changed(lambda some: [some[0], *some[2:]]), "record 2: removed"),
        (lines_changed(lambda some: some[:3]), "record 4: removed"),
        (lines_changed(lambda some: [some[1], some[0], *some[2:]]), "record 1: moved"),
        (lines_changed(lambda some: [*some, some[3]]), "record 4: there 2 times"),
        (lines_changed(lambda some: [*some[:3], b"{}\n"]), "line 4: is not a record"),
        (lambda log: log.file.unlink(), "records 1 to 4: removed"),
        (lambda log: (log.folder / "log.head.json").unlink(), "the head names record 0"),
    ],
)
def test_whatever_was_changed_is_named(log: Log, change: Callable[[Log], None], said: str) -> None:
    """Each record that is not as it was written is named, and the last one, too, by the head."""
    change(log)
    assert any(said in problem for problem in log.examine().problems), log.examine().problems


@pytest.mark.parametrize("cut", [lambda some: some[:3], lambda some: [*some[:3], some[3].replace(b"user4", b"user5")]])
def test_nothing_is_written_behind_a_record_that_was_changed(
    log: Log, cut: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Whoever cuts off the end, or changes it, is not helped by the next login: it is refused until somebody looked."""
    lines_changed(cut)(log)
    with pytest.raises(BadFile, match="record 4 was changed or removed"):
        log.add(lambda: entry(5))


def test_a_power_cut_is_mended(log: Log) -> None:
    """Half a line is cut off; a whole line whose head was not written any more is kept: it was on disk."""
    head = (log.folder / "log.head.json").read_bytes()
    with log.file.open("ab") as opened:
        opened.write(b'{"record":5,"previous":"12')
    assert log.examine().torn
    log.add(lambda: entry(5))
    (log.folder / "log.head.json").write_bytes(head)  # as if power had gone between line and head
    log.add(lambda: entry(6))
    found = log.examine()
    assert found.problems == ()
    assert [one.who for one in found.entries if one] == [f"user{number}" for number in range(1, 7)]


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    """Forty records from four threads, as from board and API at once: one chain, none lost."""

    def write() -> None:
        for number in range(10):
            Log(tmp_path).add(lambda number=number: entry(number))  # type: ignore[misc]

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = Log(tmp_path).examine()
    assert (len(found.entries), found.problems) == (40, ())


def test_what_anybody_types_stays_one_line(tmp_path: Path) -> None:
    """A name with line feeds, half of a character, and a megabyte long is cut, escaped and read back."""
    log = Log(tmp_path)
    log.add(lambda: Entry(AT, "a\nb\ud800" + "x" * 1_000_000, "\x00", "refused"))
    log.add(lambda: entry(2))
    found = log.examine()
    assert found.problems == ()
    assert [json.loads(line)["record"] for line in log.file.read_text().splitlines()] == [1, 2]
