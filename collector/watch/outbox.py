"""
From what is to be told to messages that somebody took.

    entry (an incident, an address) ──compose──▶ message, durable ──begin──▶ sent ──▶ outcome, durable

What waits for an address is put into as few messages as it fits, and no more are made while one is on its way: so an
address that cannot be reached gets, when it can, what is so by then. A message is sent again until it was taken. One
that was begun and of which no outcome was written, because watch was killed in between, is sent again with the same
number: that it may come twice is the price of never losing one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from collector.watch.journal import Entry, Journal, add_entries
from collector.watch.memory import ENDED, RECOVERED
from collector.watch.rules import SECOND_NS, ns

DIGEST = "digest"
TAKEN = "taken"
_OVER = (RECOVERED, ENDED)
MOST_PIECES = 5  # messages that are made at once for an address: the rest is counted in the last of them
_FIRST_PAUSE_NS, _LAST_PAUSE_NS = ns(60), ns(1800)
# The pause that a message waits for at most. Of one that is to wait for longer the clock was set back: it is due.
_PAUSE = f"min({_FIRST_PAUSE_NS} << min(max(tries - 1, 0), 10), {_LAST_PAUSE_NS})"
_GIVE_UP_NS = 3 * 86_400 * SECOND_NS
_KEPT_NS = 90 * 86_400 * SECOND_NS
_MINUTE_NS = ns(60)
_RANK = {"info": 0, "warning": 1, "critical": 2}


class Envelope(NamedTuple):
    """A message that waits, or is on its way."""

    number: int
    address: str
    title: str
    text: str
    urgency: str
    tries: int
    is_begun: bool  # in an earlier try of which nothing is known


class Paper(NamedTuple):
    """
    How messages are written: the title of some news, the last line of a message, the line for what is left out.

    `room` tells how many bytes of text an address takes below a title.
    """

    title: Callable[[Sequence[str]], str]
    footer: Callable[[int], str]
    rest: Callable[[int], str]
    room: Callable[[str, str], int]


class Outbox:
    """The outbox of a journal. `compose` and `next` from one thread; `add` with a step, by the journal's `commit`."""

    def __init__(self, journal: Journal, paper: Paper, per_minute: int) -> None:
        self._journal, self.paper, self.per_minute = journal, paper, per_minute

    def add(self, entries: Iterable[Entry]) -> None:
        """Write down what is to be told beside any step."""
        with self._journal.transaction() as connection:
            add_entries(connection, entries)

    def compose(self, now_ns: int) -> None:
        """Put what is due into messages, for each address that has none on its way."""
        with self._journal.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT address FROM entry WHERE message IS NULL AND due_ns <= ?"
                " AND address NOT IN (SELECT address FROM message WHERE done_ns IS NULL)",
                (now_ns,),
            ).fetchall()
            for (address,) in rows:
                self._compose(connection, address, now_ns)

    def _compose(self, connection: sqlite3.Connection, address: str, now_ns: int) -> None:
        rows = connection.execute(
            "SELECT address, incident, what, urgency, line, due_ns, number FROM entry"
            " WHERE message IS NULL AND address = ? AND due_ns <= ? ORDER BY number",
            (address, now_ns),
        )
        waiting = [Entry(*row) for row in rows]
        news = [entry for entry in waiting if entry.what != DIGEST]
        digests = [entry for entry in waiting if entry.what == DIGEST]
        if news:
            title = self.paper.title([entry.what for entry in _last_words(news)])
            self._write(connection, title, news, now_ns)
        for digest in digests:
            title, _, text = digest.line.partition("\n")
            self._write(connection, title, [digest._replace(line=line) for line in text.split("\n")], now_ns)

    def _write(self, connection: sqlite3.Connection, title: str, entries: Sequence[Entry], now_ns: int) -> None:
        """Write messages with the lines of entries; all of them count as told."""
        address = entries[0].address
        room = self.paper.room(address, title) - len(self.paper.footer(10**9).encode()) - 1
        lines = [entry.line for entry in _last_words(entries)]
        urgency = max((entry.urgency for entry in entries), key=lambda one: _RANK[one])
        number = 0
        for piece in pieces(lines, room, self.paper.rest):
            made = connection.execute(
                "INSERT INTO message(address, title, text, urgency, made_ns, tries, begun_ns, next_ns)"
                " VALUES(?, ?, '', ?, ?, 0, 0, ?)",
                (address, title, urgency, now_ns, now_ns),
            )
            number = int(made.lastrowid or 0)
            text = "\n".join([*piece, self.paper.footer(number)]) + "\n"
            connection.execute("UPDATE message SET text = ? WHERE number = ?", (text, number))
        connection.executemany(
            "UPDATE entry SET message = ? WHERE number = ?", [(number, entry.number) for entry in entries]
        )

    def next(self, now_ns: int) -> Envelope | None:
        """Return the next message that may be sent now, as begun: that is written down first."""
        with self._journal.transaction() as connection:
            row = connection.execute(
                "SELECT number, address, title, text, urgency, tries, begun_ns FROM message AS m"  # noqa: S608  fixed
                f" WHERE done_ns IS NULL AND (next_ns <= :now OR next_ns - :now > {_PAUSE})"
                " AND number = (SELECT min(number) FROM message WHERE address = m.address AND done_ns IS NULL)"
                " AND (SELECT count(*) FROM message WHERE address = m.address"
                "      AND begun_ns > :now - :minute AND begun_ns <= :now) < :most"
                " ORDER BY next_ns, number LIMIT 1",
                {"now": now_ns, "minute": _MINUTE_NS, "most": self.per_minute},
            ).fetchone()
            if row is None:
                return None
            text = "UPDATE message SET tries = tries + 1, begun_ns = ?, outcome = NULL WHERE number = ?"
            connection.execute(text, (now_ns, row[0]))
        number, address, title, message, urgency, tries, begun_ns = row
        return Envelope(number, address, title, message, urgency, tries + 1, bool(begun_ns))

    def ended(self, sent: Envelope, outcome: str, now_ns: int, *, is_final: bool = False) -> None:
        """Write down what became of a message: one that was not taken is sent again later, unless that is final."""
        pause_ns = min(_FIRST_PAUSE_NS << min(sent.tries - 1, 10), _LAST_PAUSE_NS)
        with self._journal.transaction() as connection:
            (made_ns,) = connection.execute("SELECT made_ns FROM message WHERE number = ?", (sent.number,)).fetchone()
            is_done = is_final or outcome == TAKEN or now_ns - made_ns > _GIVE_UP_NS
            connection.execute(
                "UPDATE message SET outcome = ?, next_ns = ?, done_ns = ? WHERE number = ?",
                (outcome, now_ns + pause_ns, now_ns if is_done else None, sent.number),
            )

    def waiting(self) -> int:
        """Return how many messages were not taken yet."""
        with self._journal.transaction() as connection:
            (number,) = connection.execute("SELECT count(*) FROM message WHERE done_ns IS NULL").fetchone()
            return int(number)

    def forget(self, now_ns: int) -> None:
        """Remove what was told long ago; incidents stay."""
        old = (now_ns - _KEPT_NS,)
        with self._journal.transaction() as connection:
            text = "DELETE FROM entry WHERE message IN (SELECT number FROM message WHERE done_ns < ?)"
            connection.execute(text, old)
            connection.execute("DELETE FROM message WHERE done_ns < ?", old)


def _last_words(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries without what was opened where it is over by now: one line says so."""
    over = {entry.incident for entry in entries if entry.what in _OVER}
    return [entry for entry in entries if entry.what in (*_OVER, DIGEST) or entry.incident not in over]


def pieces(lines: Sequence[str], room: int, rest: Callable[[int], str]) -> list[list[str]]:
    """Part lines into messages of so many bytes; what does not fit into the last of them is counted there."""
    found: list[list[str]] = [[]]
    left = room
    least = len(rest(10**6).encode()) + 1
    for number, line in enumerate(lines):
        size = len(line.encode()) + 1
        is_last = len(found) == MOST_PIECES
        if size > left - (least if is_last and number < len(lines) - 1 else 0) and found[-1]:
            if is_last:
                found[-1].append(rest(len(lines) - number))
                break
            found.append([])
            left = room
        found[-1].append(line)
        left -= size
    return found
