"""
The journal of watch, DATA/watch.sqlite: what is known of each device, every incident, every message.

    track link place muted      what the state machine goes on from
    incident                    written by watch alone
    said                        what people did: appended by anybody, taken up by watch
    entry ─▶ message            what is to be told, and the messages that it was put into (`outbox.py`)

Watch is the one writer of all but `said`; a step is one transaction, on disk before anybody is told of it. Readers see
one snapshot beside it.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from collector.watch.memory import Case, Link, Memory, Place, Said, Swing, Track
from collector.watch.types import Handling, Incident, Note, Now, State
from contract.errors import SantongError

FILE = "watch.sqlite"
LOOKED, EVERY, CENTRE, JUDGED = _PULSE = "looked_ns", "every_ns", "centre", "judged_ns"
TROUBLE = "trouble"  # what of watch itself did not work at its last look
_BUSY_S = 10.0
_REMEDY = ": stop watch and put the last backup of this file back, or move it away: watch then begins a new one"
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS track(device TEXT PRIMARY KEY, state TEXT, why TEXT, since_ns INT, incident TEXT,
    heard_ns INT, swing TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link(agent TEXT PRIMARY KEY, word TEXT, at_ns INT, vanished_ns INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place(site TEXT PRIMARY KEY, why TEXT, vanish_ns INT, swing TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS muted(subject TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident(number INTEGER PRIMARY KEY, opened_ns INT, closed_ns INT, content TEXT);
CREATE INDEX IF NOT EXISTS incident_closed ON incident(closed_ns);
CREATE TABLE IF NOT EXISTS said(number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INT, incident INT, what TEXT, by TEXT,
    text TEXT);
CREATE INDEX IF NOT EXISTS said_incident ON said(incident);
CREATE TABLE IF NOT EXISTS known(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry(number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT, incident TEXT, what TEXT,
    urgency TEXT, line TEXT, due_ns INT, message INT);
CREATE INDEX IF NOT EXISTS entry_message ON entry(message);
CREATE TABLE IF NOT EXISTS message(number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT, title TEXT, text TEXT,
    urgency TEXT, made_ns INT, tries INT, begun_ns INT, next_ns INT, outcome TEXT, done_ns INT);
CREATE INDEX IF NOT EXISTS message_done ON message(done_ns);
"""


class JournalError(SantongError):
    """The journal cannot be read or written, or has nothing of that name."""


class Entry(NamedTuple):
    """What one address is to be told of one incident, at `due_ns` at the earliest; `number` is the journal's."""

    address: str
    incident: str
    what: str
    urgency: str
    line: str
    due_ns: int
    number: int = 0


class Pulse(NamedTuple):
    """
    When watch looked last (unix ns), and how often it does.

    `centre` is what of the centre itself fails, "" nothing: while it does devices are as they were at `judged_ns`.
    """

    looked_ns: int
    every_ns: int
    centre: str
    judged_ns: int


class Journal:
    """The journal of a data folder; with `create` it is made where it is not there."""

    def __init__(self, data: Path, *, create: bool = False) -> None:
        self.path = data / FILE
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        if create:
            data.mkdir(parents=True, exist_ok=True)
            with self._explained():
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._prepare()
        elif not self.path.is_file():
            raise JournalError(f"{self.path}: there is no journal: `santong watch` has not run here")

    # ---- for all: what is known

    def now(self) -> dict[str, Now]:
        """Return the state of every device of the roster, by id."""
        with self._read() as connection:
            rows = connection.execute("SELECT device, state, since_ns, why, incident FROM track")
            return {row[0]: Now(row[0], State(row[1]), *row[2:]) for row in rows}

    def pulse(self) -> Pulse | None:
        """Return when watch looked last, None where it never did."""
        with self._read() as connection:
            looked, every, centre, judged = (self._known(connection, name) for name in _PULSE)
        return Pulse(int(looked), int(every or 0), centre, int(judged or looked)) if looked else None

    def last_said(self) -> int:
        """Return a number that goes up with everything that people do about incidents."""
        with self._read() as connection:
            (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM said").fetchone()
            return int(number)

    def incidents(self, *, open_only: bool = False, since_ns: int = 0) -> list[Incident]:
        """Return incidents, the newest first: those that are open, and those that were at `since_ns` or later."""
        where = "closed_ns IS NULL" if open_only else "closed_ns IS NULL OR closed_ns >= ?"
        with self._read() as connection:
            rows = connection.execute(
                "SELECT i.number, content, s.number, at_ns, s.incident, what, by, text"  # noqa: S608  two fixed texts
                " FROM incident AS i LEFT JOIN said AS s ON s.incident = i.number"
                f" WHERE {where} ORDER BY i.number DESC, s.number",
                () if open_only else (since_ns,),
            )
            found = []
            for _, group in groupby(rows, key=itemgetter(0)):
                same = list(group)
                found.append(_with(_case(same[0][1]), [_word(row[2:]) for row in same if row[2] is not None]))
        return [one for one in found if one.closed_ns is None] if open_only else found

    def cases(self, *, open_only: bool = True) -> list[Case]:
        """Return incidents with all that watch knows of them, the oldest first."""
        where = "WHERE closed_ns IS NULL" if open_only else ""
        with self._read() as connection:
            rows = connection.execute(f"SELECT content FROM incident {where} ORDER BY number")  # noqa: S608
            return [_case(row[0]) for row in rows]

    def incident(self, name: str) -> Incident:
        """Return one incident; JournalError when there is none of that id."""
        with self._read() as connection:
            return _with(self._case_of(connection, name), self._said(connection, name))

    def looked_ns(self) -> int:
        """Return when watch looked last (unix ns), 0: never; what is older than some minutes is not how it is now."""
        return int(self.known(LOOKED) or 0)

    def trouble(self) -> str:
        """Return what of watch itself did not work when it looked last, "" nothing."""
        return self.known(TROUBLE)

    def messages(self, most: int = 50) -> list[dict[str, object]]:
        """Return the newest messages, with what became of them."""
        names = ("number", "address", "title", "text", "urgency", "made_ns", "tries", "outcome", "done_ns")
        with self._read() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(names)} FROM message ORDER BY number DESC LIMIT ?",  # noqa: S608
                (most,),
            )
            return [dict(zip(names, row, strict=True)) for row in rows]

    # ---- for all: what people do

    def acknowledge(self, name: str, by: str) -> None:
        """Write down that somebody looks after an incident: nobody else is told of it any more."""
        self.handle(name, Handling.ACKNOWLEDGE, by)

    def note(self, name: str, by: str, text: str) -> None:
        """Write something to an incident."""
        self.handle(name, Handling.NOTE, by, text)

    def close(self, name: str, by: str, text: str) -> None:
        """Close an incident by hand; nothing more is opened about it until it was good again."""
        self.handle(name, Handling.CLOSE, by, text)

    def handle(
        self, name: str, what: Handling, by: str, text: str = "", before: Callable[[], None] = lambda: None
    ) -> None:
        """
        Write down what somebody does; JournalError where there is no such incident, or it is closed already.

        `before` is done once nothing is against it, and before anything is written.
        """
        with self._transaction() as connection:
            with self._whole():
                found = _with(self._case_of(connection, name), self._said(connection, name))
            if what is not Handling.NOTE and found.closed_ns is not None:
                raise JournalError(f"incident {name} is closed already")
            before()
            connection.execute(
                "INSERT INTO said(at_ns, incident, what, by, text) VALUES(?, ?, ?, ?, ?)",
                (time.time_ns(), int(name), str(what), by, text),
            )

    def _case_of(self, connection: sqlite3.Connection, name: str) -> Case:
        row = None
        if name.isdecimal() and len(name) < 18:
            row = connection.execute("SELECT content FROM incident WHERE number = ?", (int(name),)).fetchone()
        if row is None:
            raise JournalError(f"there is no incident {name}; `santong incident list` names them")
        return _case(row[0])

    @staticmethod
    def _said(connection: sqlite3.Connection, name: str) -> list[Said]:
        rows = connection.execute(
            "SELECT number, at_ns, incident, what, by, text FROM said WHERE incident = ? ORDER BY number", (int(name),)
        )
        return [_word(row) for row in rows]

    # ---- for watch

    def load(self) -> Memory:
        """Return what was committed last."""
        memory = Memory()
        with self._read() as connection:
            for row in connection.execute("SELECT * FROM link"):
                memory.links[row[0]] = Link(*row)
            for row in connection.execute("SELECT * FROM track"):
                device, state, why, since_ns, incident, heard_ns, swing = row
                memory.tracks[device] = Track(device, State(state), why, since_ns, incident, heard_ns, _swing(swing))
            for row in connection.execute("SELECT * FROM place"):
                site, why, vanish_ns, swing = row
                memory.places[site] = Place(site, why, vanish_ns, _swing(swing))
            memory.muted = {row[0] for row in connection.execute("SELECT subject FROM muted")}
            for row in connection.execute("SELECT content FROM incident WHERE closed_ns IS NULL"):
                memory.case(_case(row[0]))
            (memory.last_id,) = connection.execute("SELECT coalesce(max(number), 0) FROM incident").fetchone()
            memory.last_said = int(self._known(connection, "last_said") or 0)
        memory.written()
        return memory

    def unheard(self, last_said: int) -> tuple[Said, ...]:
        """Return what people did since."""
        with self._read() as connection:
            rows = connection.execute(
                "SELECT number, at_ns, incident, what, by, text FROM said WHERE number > ? ORDER BY number",
                (last_said,),
            )
            return tuple(map(_word, rows))

    def known(self, name: str) -> str:
        """Return something that was remembered, "" when it was not."""
        with self._read() as connection:
            return self._known(connection, name)

    @staticmethod
    def _known(connection: sqlite3.Connection, name: str) -> str:
        row = connection.execute("SELECT value FROM known WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def commit(self, memory: Memory, entries: Iterable[Entry] = (), remember: Mapping[str, str] | None = None) -> None:
        """Write what a step changed, and what is to be told of it: all or nothing, on disk when it returns."""
        values = {**(remember or {}), "last_said": str(memory.last_said)}
        with self._transaction() as connection:
            _replace(connection, "link", memory.links, memory.dirty["links"])
            _replace(connection, "track", memory.tracks, memory.dirty["tracks"])
            _replace(connection, "place", memory.places, memory.dirty["places"])
            for subject in memory.dirty["muted"]:
                is_muted = subject in memory.muted
                text = "INSERT OR IGNORE INTO muted VALUES(?)" if is_muted else "DELETE FROM muted WHERE subject = ?"
                connection.execute(text, (subject,))
            connection.executemany(
                "INSERT OR REPLACE INTO incident VALUES(?, ?, ?, ?)",
                [(int(case.id), case.opened_ns, case.closed_ns, _text(case)) for case in memory.changed_cases.values()],
            )
            add_entries(connection, entries)
            connection.executemany("INSERT OR REPLACE INTO known VALUES(?, ?)", values.items())
        memory.written()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, on disk at its end; for the outbox."""
        with self._transaction() as connection:
            yield connection

    def shut(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ---- the file

    def _prepare(self) -> None:
        with self._transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise JournalError(f"{self.path}: was written by a newer version of santong")
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            connection = self._writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _writer(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open("rw")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        return self._connection

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._whole(), closing(self._open("ro")) as connection:
            connection.execute("BEGIN")
            yield connection

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            # What is locked or full is a subclass; so is, of the same name, text that is no UTF-8.
            is_spoilt = type(error) is sqlite3.DatabaseError or "decode" in str(error)
            raise JournalError(f"{self.path}: {error}{_REMEDY if is_spoilt else ''}") from error

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Explain rows that are not as they were written."""
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            what = f"{type(error).__name__}: {error}"
            raise JournalError(f"{self.path}: holds a row that watch has not written so ({what}){_REMEDY}") from error


def add_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write what is to be told."""
    connection.executemany(
        "INSERT INTO entry(address, incident, what, urgency, line, due_ns) VALUES(?, ?, ?, ?, ?, ?)",
        [entry[:6] for entry in entries],
    )


def _replace(
    connection: sqlite3.Connection, table: str, rows: Mapping[str, Track | Link | Place], names: Iterable[str]
) -> None:
    """Write the rows of these names; those that are there no more are removed."""
    some = [rows[name] for name in names if name in rows]
    key = {"track": "device", "link": "agent", "place": "site"}[table]
    gone = [(name,) for name in names if name not in rows]
    connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)  # noqa: S608  two of three fixed words
    if some:
        values = [tuple(json.dumps(one) if isinstance(one, Swing) else one for one in row) for row in some]
        marks = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES({marks})", values)


def _word(row: Sequence[Any]) -> Said:
    number, at_ns, incident, what, by, text = row
    return Said(number, at_ns, str(incident), what, by, text)


def _swing(text: str) -> Swing:
    bad_ns, good_ns, dips = json.loads(text)
    return Swing(bad_ns, good_ns, tuple(dips))


def _text(case: Case) -> str:
    return json.dumps(case._asdict(), ensure_ascii=False, separators=(",", ":"))


def _case(text: str) -> Case:
    tree = json.loads(text)
    return Case(**tree | {name: tuple(value) for name, value in tree.items() if isinstance(value, list)})


def _with(case: Case, said: Iterable[Said]) -> Incident:
    """Return an incident as it is with what people did, whether watch has taken it up or not."""
    found = case.incident()
    for one in said:
        if one.what == Handling.ACKNOWLEDGE:  # who says so last looks after it
            found = found._replace(acknowledged_by=one.by)
        elif one.what == Handling.CLOSE and found.closed_ns is None:
            found = found._replace(closed_ns=one.at_ns)
        if one.text:
            found = found._replace(notes=(*found.notes, Note(one.at_ns, one.by, one.text)))
    return found
