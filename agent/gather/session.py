"""
Is somebody using this computer? Yes or no, and seconds: the source `session` of a profile.

    /run/systemd/sessions/*    who is logged in, where (systemd-logind, elogind): sd-login(3) reads the same files
    loginctl show-session      how long without input, and whether the screen is locked

No name, title or content is kept: of a session's file only five words are looked at. Graphical desktops tell logind
when they have become idle, after a delay of their own (GNOME, KDE and those made of them; bare window managers do not);
of text consoles the kernel notes every key. Where nobody tells, `idle_s` is absent and a session counts as used.
"""

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agent.gather.command import pairs, run
from agent.gather.file import content
from agent.gather.read import Read
from agent.outcome import Outcome, Row, Unable
from contract.sample import Value

_SESSIONS = "run/systemd/sessions"
_WORDS = {"CLASS", "STATE", "SEAT", "ACTIVE", "REMOTE"}
_ASKED = ("Id", "Type", "IdleHint", "IdleSinceHintMonotonic", "LockedHint")
_GRAPHICAL = ("x11", "wayland", "mir")


class Seated(NamedTuple):
    """One session of a person in front of the machine: its number in logind, and how it is used."""

    id: str
    idle_s: float | None = None
    is_locked: bool = False


def read(ask: Read) -> Outcome:
    """Return one row: `session_active`, `idle_s`, `sessions`; no row where nobody keeps account of sessions."""
    if sys.platform == "win32":
        from agent.gather.session_windows import session  # noqa: PLC0415  there alone

        return Outcome(True, rows=(Row("", used(session(), ask.what.unused_after)),))
    listed = sessions(ask.way.root)
    if listed is None:
        return Outcome(True, details={"absent": f"/{_SESSIONS}: neither systemd-logind nor elogind runs here"})
    people = {id_: words for id_, words in listed.items() if is_a_person(words)}
    seated: list[Seated] = [Seated(id_) for id_, words in people.items() if is_in_front(words)]
    details = {}
    if seated:
        argv = ("loginctl", "show-session", *(f"--property={name}" for name in _ASKED), *(s.id for s in seated))
        try:
            seated = list(hints(run(argv, ask.timeout), time.monotonic()))
        except Unable as unable:
            details["idle"] = str(unable)
    return Outcome(
        True, rows=(Row("", {**state(seated, ask.what.unused_after), "sessions": len(people)}),), details=details
    )


def sessions(root: str) -> dict[str, dict[str, Value]] | None:
    """Return the words of every session's file, by the session's number; None where there is no such folder."""
    try:
        files = sorted(Path(root, _SESSIONS).iterdir())
    except OSError:
        return None
    found = {}
    for file in files:
        if file.name.isascii() and file.name.isalnum():  # N.ref is a pipe
            with suppress(OSError, ValueError):  # it has just ended
                words = pairs(content(str(file)))
                found[file.name] = {name: words[name] for name in _WORDS & words.keys()}
    return found


def is_a_person(words: dict[str, Value]) -> bool:
    """Tell whether a session is a person's that goes on: no login screen, no service."""
    return str(words.get("CLASS")).startswith("user") and words.get("STATE") not in ("opening", "closing")


def is_in_front(words: dict[str, Value]) -> bool:
    """Tell whether a session is at a seat (screen and keyboard) of this machine and in the foreground there."""
    return bool(words.get("SEAT")) and words.get("ACTIVE") == "1" and words.get("REMOTE") != "1"


def hints(printed: str, now_s: float) -> Iterable[Seated]:
    """Yield what loginctl prints: a block of pairs a session. `now_s` is CLOCK_MONOTONIC."""
    for block in printed.split("\n\n"):
        if words := pairs(block):
            since = str(words.get("IdleSinceHintMonotonic", ""))
            is_told = words.get("IdleHint") == "yes" or words.get("Type") not in _GRAPHICAL
            idle_s = max(0.0, now_s - int(since) / 1e6) if is_told and since.isdecimal() and int(since) else None
            yield Seated(str(words.get("Id", "")), idle_s, words.get("LockedHint") == "yes")


def state(seated: Iterable[Seated], unused_after_s: float) -> dict[str, Value]:
    """Return `session_active` (0 or 1) and, where it is known of all sessions, `idle_s`, seconds without input."""
    seated = list(seated)
    in_use = [s for s in seated if not s.is_locked and (s.idle_s is None or s.idle_s < unused_after_s)]
    found: dict[str, Value] = {"session_active": int(bool(in_use))}
    idle = [s.idle_s for s in seated if s.idle_s is not None]
    if idle and len(idle) == len(seated):
        found["idle_s"] = round(min(idle), 1)
    return found


def used(told: dict[str, int | float], unused_after_s: float) -> dict[str, Value]:
    """Return what Windows tells, where a session that was not touched for long is not in use."""
    is_unused = told.get("idle_s", 0.0) >= unused_after_s
    return {**told, "session_active": 0} if is_unused and "session_active" in told else dict(told)
