"""
Projectors and panels by PJLink, class 1 and 2 (JBMIA), over TCP: `%1POWR ?` is answered by `%1POWR=1`, lines end in CR.

Stages: `resolve` (code: EAI number), `connect` (errno), `greeting` (errno; none where it is not PJLink), `auth` (the
password is refused), `answer` (errno). What the device does not have (ERR1, ERR2), cannot say now (ERR3) or does not
answer in its share of the time is absent; those that stay silent in standby are named in `reason`. Many projectors talk
to one client at a time, and some close after each answer, so a reading tries again once where it is turned away, and
goes on by a new connection where it was answered on the old one.
"""

import errno
import re
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent.deadline import Deadline
from agent.gather.pjlink_link import Link, words_of
from agent.gather.read import Read
from agent.outcome import Failed, Outcome, Row
from agent.sockets import code_of
from contract.sample import Value
from firmware_profiles.sources import GIVES, Reading


class Command(NamedTuple):
    """A question: the class that has it, and the raw names that its answer gives."""

    name: str
    level: str
    gives: tuple[str, ...]


_HEALTH = ("fan", "lamp", "temperature", "cover", "filter", "other")  # the digits of ERST
COMMANDS = (
    Command("POWR", "1", ("power", "failure")),
    Command("ERST", "1", _HEALTH),
    Command("LAMP", "1", ("lamp_hours", "lamp_on")),
    Command("INPT", "1", ("input",)),
    Command("AVMT", "1", ("muted", "sound_muted")),
    Command("INF1", "1", ("manufacturer",)),
    Command("INF2", "1", ("model",)),
    Command("INFO", "1", ("information",)),
    Command("NAME", "1", ("name",)),
    Command("CLSS", "1", ("class", "serial", "version", "filter_hours")),  # it tells whether those of class 2 are there
    Command("SNUM", "2", ("serial",)),
    Command("SVER", "2", ("version",)),
    Command("FILT", "2", ("filter_hours",)),
)
_AVMT = {"11": (1, 0), "21": (0, 1), "31": (1, 1), "30": (0, 0), "10": (0, 0), "20": (0, 0)}  # picture, sound


def read(ask: Read) -> Outcome:
    """Ask for what the profile reads; `rtt_ms` is the round trip of the first connection."""
    talk = _Talk(ask)
    try:
        talk.run()
    finally:
        talk.close()
    silent = ", ".join(talk.unanswered)
    reason = f"no answer to {silent}" if silent else ""
    return Outcome(True, reason=reason, rows=(Row("", values_of(talk.said)),), fields=talk.fields)


def _names(readings: tuple[Reading, ...]) -> frozenset[str]:
    """Return the raw names that are read; without readings all but the name that people gave."""
    if not readings:
        return frozenset(GIVES["pjlink"]) - {"name"}
    tags = (re.findall(r"\{(\w+)\}", text) for reading in readings for text in reading.tags.values())
    return frozenset({reading.raw for reading in readings} | {reading.per for reading in readings}).union(*tags)


def values_of(said: Mapping[str, str]) -> dict[str, Value]:
    """Return the raw values of answers, command → what stands behind `=`."""
    fine = {name: text for name, text in said.items() if not re.fullmatch(r"(?i)ERR[1-4A]", text)}
    values: dict[str, Value | None] = {
        **{name: fine.get(command) or None for name, command in _TEXTS.items()},
        "failure": int(any(text.upper() == "ERR4" for text in said.values())),
        "filter_hours": _whole(fine.get("FILT", "")),
        **_lamps(fine.get("LAMP", "")),
    }
    for name, digit in zip(_HEALTH, fine.get("ERST", ""), strict=False):
        values[name] = int(digit) if digit in "012" else None
    if (muted := _AVMT.get(fine.get("AVMT", ""))) is not None:
        values["muted"], values["sound_muted"] = muted
    return {name: value for name, value in values.items() if value is not None}


_TEXTS = {
    "power": "POWR",
    "input": "INPT",
    "manufacturer": "INF1",
    "model": "INF2",
    "information": "INFO",
    "name": "NAME",
    "class": "CLSS",
    "serial": "SNUM",
    "version": "SVER",
}


def _lamps(text: str) -> dict[str, Value | None]:
    """Return the hours of the lamp that has the most, and whether one is lit, of pairs `hours lit`."""
    words = text.split()
    hours = [number for word in words[::2] if (number := _whole(word)) is not None]
    return {
        "lamp_hours": max(hours, default=None),
        "lamp_on": int("1" in words[1::2]) if len(words) > 1 else None,
    }


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


class _Talk:
    """
    All that is asked in one reading: `said` are the answers, command → what stands behind `=`.

    Each question but the last may take half of the time that is left: one without an answer leaves some to the others.
    """

    def __init__(self, ask: Read) -> None:
        self._ask = ask
        self._names = _names(ask.what.read)
        self._deadline = Deadline(ask.timeout)
        self._pause_s = ask.timeout / 4
        self._tried: set[str] = set()
        self._link: Link | None = None
        self.said: dict[str, str] = {}
        self.fields: dict[str, Value] = {}

    def run(self) -> None:
        """Ask everything; Failed when nothing at all is answered."""
        last = Failed("answer", "no answer", errno.ETIMEDOUT)
        while (due := list(self._due())) and not self._deadline.is_over:
            self._tried.add(due[0].name)
            left_s = self._deadline.left_s()
            try:
                self._question(due[0], Deadline(left_s / 2 if len(due) > 1 else left_s))
            except OSError as error:
                last = Failed("answer", words_of(error), code_of(error))
            except Failed as failed:
                if not self.said or failed.stage == "auth":
                    raise
                break  # turned away on a further connection: what there is counts
        if not self.said:
            last.fields = self.fields
            raise last

    @property
    def unanswered(self) -> list[str]:
        """The commands that would have been due."""
        self._tried.clear()
        return [command.name for command in self._due()]

    def close(self) -> None:
        """Close the connection."""
        if self._link:
            self._link.close()
        self._link = None

    def _due(self) -> Iterator[Command]:
        for command in COMMANDS:
            is_there = command.level == "1" or self.said.get("CLSS") == "2"
            is_done = command.name in self.said or command.name in self._tried
            if is_there and not is_done and not self._names.isdisjoint(command.gives):
                yield command

    def _question(self, command: Command, patience: Deadline) -> None:
        """Ask one question, again by a new connection where one that has served is closed; OSError."""
        while command.name not in self.said:
            link = self._link = self._link or self._open()
            try:
                self._take(link.ask(f"%{command.level}{command.name} ?", patience), link)
                while command.name not in self.said:
                    self._take(link.line(patience), link)
            except ConnectionError:
                self.close()
                if not link.has_served:
                    raise

    def _take(self, line: str, link: Link) -> None:
        """Keep an answer, also a late one to an earlier question."""
        answer = re.fullmatch(r"%[12]([0-9A-Za-z]{4})=(.*)", line)
        if answer and answer[1].upper() in self._tried:
            self.said[answer[1].upper()] = answer[2].strip()
            link.has_served = True

    def _open(self) -> Link:
        """Connect; where that is refused, perhaps since another client is served, once more after a pause."""
        try:
            return self._opened()
        except Failed as failed:
            if failed.code not in (errno.ECONNREFUSED, errno.ECONNRESET) or self._deadline.left_s() < 2 * self._pause_s:
                raise
        time.sleep(self._pause_s)
        return self._opened()

    def _opened(self) -> Link:
        way = self._ask.way
        link = Link(way.address, self._ask.what.port, way.password_file, self._deadline)
        self.fields.setdefault("rtt_ms", link.rtt_ms)
        return link
