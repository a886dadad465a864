"""What others read of watch: when it looked last, and what of itself did not work."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from collector.watch.journal import LOOKED, TROUBLE, Journal, JournalError
from collector.watch.memory import Case, Memory, Track
from tests.collector.commands import run


def test_who_reads_the_journal_sees_when_watch_looked_last_and_what_troubles_it(tmp_path: Path) -> None:
    """States that nobody has looked at for an hour are not how it is now: a reader can tell."""
    journal = Journal(tmp_path, create=True)
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (0, "")
    journal.commit(Memory(), remember={LOOKED: "7000", TROUBLE: "no calendar"})
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (7000, "no calendar")
    journal.commit(Memory(), remember={LOOKED: "8000", TROUBLE: ""})
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (8000, "")
    journal.shut()


def journal_of(data: Path, incidents: int) -> Journal:
    """Return a journal with a device and some incidents, every other of which is closed."""
    journal, memory = Journal(data, create=True), Memory()
    memory.track(Track("441802-3000.c1"))
    for number in range(1, incidents + 1):
        closed_ns = number if number % 2 else None
        case = Case(str(number), "site", f"site:{number}", "441802", "441802-3000", "", (), "wan_down", 1, 1, closed_ns)
        memory.case(case)
    journal.commit(memory)
    return journal


def test_incidents_come_with_what_people_did_whatever_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest first, each with its own notes in order; the journal is asked once for all of them."""
    journal = journal_of(tmp_path, 100)
    for number in (2, 100):
        journal.acknowledge(str(number), "Head of Centre")
        journal.note(str(number), "Head of Centre", f"first of {number}")
        journal.note(str(number), "Somebody", "second")
    asked: list[str] = []
    opened = Journal._open

    def tracing(journal: Journal, mode: str) -> sqlite3.Connection:
        connection = opened(journal, mode)
        connection.set_trace_callback(lambda text: asked.append(text) if text.startswith("SELECT") else None)
        return connection

    monkeypatch.setattr(Journal, "_open", tracing)
    found = journal.incidents(since_ns=50)
    assert len(asked) == 1
    assert [int(one.id) for one in found] == [n for n in range(100, 0, -1) if n % 2 == 0 or n >= 50]
    with_notes = {one.id: [note.text for note in one.notes] for one in found if one.notes}
    assert with_notes == {"100": ["first of 100", "second"], "2": ["first of 2", "second"]}
    assert [one.id for one in found if one.acknowledged_by] == ["100", "2"]
    assert len(journal.incidents(open_only=True)) == 50
    assert found == [journal.incident(one.id) for one in found]
    journal.shut()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE track SET state = 'asleep'",
        "UPDATE incident SET content = '{'",
        "UPDATE incident SET content = '{}'",
        "UPDATE incident SET content = '[]'",
        "UPDATE incident SET content = NULL",
        "UPDATE track SET swing = '[0]'",
        "UPDATE incident SET content = CAST(X'FF' AS TEXT)",
    ],
)
def test_a_spoilt_row_is_said_with_what_to_do(tmp_path: Path, spoil: str) -> None:
    """By whatever reads it: watch at its start, and people who ask; never as a traceback."""
    journal_of(tmp_path, 2).shut()
    with closing(sqlite3.connect(tmp_path / "watch.sqlite")) as connection, connection:
        connection.execute(spoil)
    with pytest.raises(JournalError, match="put the last backup of this file back, or move it away"):
        Journal(tmp_path).load()
    if "incident" in spoil:
        with pytest.raises(JournalError, match="move it away"):
            Journal(tmp_path).acknowledge("2", "somebody")
        said = run("incident", "list", "--data", tmp_path, code=2)[1]
        assert said.count("\n") == 1
        assert "move it away" in said
    said = run("watch", "--once", "--data", tmp_path, code=2)[1]
    assert "move it away" in said


def test_a_file_that_is_no_journal_is_said_with_what_to_do(tmp_path: Path) -> None:
    """A disk that spoilt it, or a wrong file put back."""
    (tmp_path / "watch.sqlite").write_bytes(b"no journal at all" * 100)
    assert "move it away" in run("incident", "list", "--data", tmp_path, code=2)[1]
    assert "move it away" in run("watch", "--once", "--data", tmp_path, code=2)[1]
