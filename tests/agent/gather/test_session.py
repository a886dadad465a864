"""The source `session`: is somebody using this computer? Never who."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from agent.gather.read import Read, Way
from agent.gather.session import Seated, hints, read, state, used
from agent.outcome import Outcome
from contract.sample import Value
from firmware_profiles.sources import GIVES, Session

NOW_S = 5000.0
Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put programs of the test's own first on PATH; loginctl is there from the start and fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> None:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}")
        file.chmod(0o755)

    put("loginctl", "exit 1")
    return put


def _session(root: Path, number: str, **words: str) -> None:
    given = {
        "USER": "pupil",
        "CLASS": "user",
        "ACTIVE": "1",
        "STATE": "active",
        "SEAT": "seat0",
        "REMOTE": "0",
        **words,
    }
    folder = root / "run/systemd/sessions"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}={value}\n" for name, value in given.items() if value]
    (folder / number).write_text("# This is private data. Do not parse.\n" + "".join(lines))


def _read(root: Path) -> Outcome:
    return read(Read(Session(()), Way(root=str(root)), 5.0))


def _values(root: Path) -> dict[str, Value]:
    (row,) = _read(root).rows
    return dict(row.values)


def test_somebody_is_there(tmp_path: Path, program: Program) -> None:
    """A person's session in the foreground of a seat is use; where nobody tells for how long, that is absent."""
    _session(tmp_path, "2")
    assert _values(tmp_path) == {"session_active": 1, "sessions": 1}


@pytest.mark.parametrize(
    ("words", "sessions"),
    [
        ({"CLASS": "greeter"}, 0),
        ({"CLASS": "manager"}, 0),
        ({"CLASS": "background"}, 0),
        ({"CLASS": "lock-screen"}, 0),
        ({"STATE": "closing"}, 0),
        ({"ACTIVE": "0", "STATE": "online"}, 1),
        ({"SEAT": ""}, 1),
        ({"REMOTE": "1"}, 1),
    ],
    ids=str,
)
def test_nobody_is_there(tmp_path: Path, program: Program, words: dict[str, str], sessions: int) -> None:
    """A login screen, a service, a session in the background and a technician over SSH are not use in lessons."""
    _session(tmp_path, "2", **words)
    assert _values(tmp_path) == {"session_active": 0, "sessions": sessions}


def test_nobody_is_logged_in(tmp_path: Path, program: Program) -> None:
    """With logind but no session the machine is not in use."""
    (tmp_path / "run/systemd/sessions").mkdir(parents=True)
    assert _values(tmp_path) == {"session_active": 0, "sessions": 0}


def test_nobody_keeps_account_of_sessions(tmp_path: Path, program: Program) -> None:
    """Without logind nothing is known, which is not the same as nobody being there."""
    found = _read(tmp_path)
    assert found.success
    assert found.rows == ()
    assert "logind" in str(found.details)


def test_pipes_of_logind_are_passed_over(tmp_path: Path, program: Program) -> None:
    """Beside each session's file logind keeps a pipe: reading that would never end."""
    _session(tmp_path, "2")
    os.mkfifo(tmp_path / "run/systemd/sessions/2.ref")
    assert _values(tmp_path)["sessions"] == 1


def test_logind_is_asked_of_the_sessions_in_front(tmp_path: Path, program: Program) -> None:
    """Only sessions that could count are asked for, and only for what is needed: no name is."""
    _session(tmp_path, "2", TYPE="x11")
    _session(tmp_path, "c7", CLASS="greeter")
    _session(tmp_path, "9", SEAT="", REMOTE="1")
    asked = tmp_path / "asked"
    program(
        "loginctl",
        f'echo "$@" > {asked}\necho "Id=2\nType=x11\nIdleHint=no\nLockedHint=yes\nIdleSinceHintMonotonic=0"\n',
    )
    assert _values(tmp_path) == {"session_active": 0, "sessions": 2}
    properties = " ".join(
        f"--property={name}" for name in ("Id", "Type", "IdleHint", "IdleSinceHintMonotonic", "LockedHint")
    )
    assert asked.read_text() == f"show-session {properties} 2\n"


def test_no_name_leaves(tmp_path: Path, program: Program) -> None:
    """What is read of sessions says nothing of who it was."""
    _session(tmp_path, "2", USER="lihua", DISPLAY=":0", DESKTOP="ukui", TTY="tty7", SERVICE="lightdm")
    found = str(_read(tmp_path))
    assert not any(word in found for word in ("lihua", "ukui", "tty7", "lightdm", "pupil"))
    assert set(_values(tmp_path)) <= set(GIVES["session"])


def test_without_loginctl(tmp_path: Path, program: Program) -> None:
    """Where logind does not answer, who is logged in still counts, and whoever tries it out is told what is missing."""
    _session(tmp_path, "2")
    found = _read(tmp_path)
    assert found.rows[0].values["session_active"] == 1
    assert found.details["idle"] == "loginctl failed with status 1"


BLOCK = "IdleHint={idle}\nLockedHint={locked}\nId={id}\nType={type}\nIdleSinceHintMonotonic={since}\n"


@pytest.mark.parametrize(
    ("kind", "idle", "since", "idle_s"),
    [
        ("x11", "no", 0, None),  # the desktop never said that it is idle
        ("wayland", "no", 4000_000_000, None),  # it was, and is not any more: somebody is there
        ("wayland", "yes", 4000_000_000, 1000.0),
        ("tty", "no", 4999_000_000, 1.0),  # the terminal's last key
        ("tty", "no", 0, None),
        ("x11", "yes", 6000_000_000, 0.0),  # between two clocks
    ],
)
def test_how_long_without_input(kind: str, idle: str, since: int, idle_s: float | None) -> None:
    """Desktops say when they became idle; of a console the kernel knows its last key (logind's idle hint)."""
    printed = BLOCK.format(idle=idle, locked="no", id="2", type=kind, since=since)
    assert list(hints(printed, NOW_S)) == [Seated("2", idle_s)]


def test_several_sessions_of_loginctl() -> None:
    """Of loginctl there is a block for each session, in any order of its lines, with an empty line between."""
    blocks = [
        BLOCK.format(idle="no", locked=locked, id=id_, type="x11", since=0)
        for id_, locked in (("2", "no"), ("c1", "yes"))
    ]
    assert list(hints("\n".join(blocks), NOW_S)) == [Seated("2"), Seated("c1", None, True)]
    assert list(hints("", NOW_S)) == []


@pytest.mark.parametrize(
    ("seated", "expected"),
    [
        ([], {"session_active": 0}),
        ([Seated("1")], {"session_active": 1}),
        ([Seated("1", 899.0)], {"session_active": 1, "idle_s": 899.0}),
        ([Seated("1", 900.0)], {"session_active": 0, "idle_s": 900.0}),
        ([Seated("1", 5.0, is_locked=True)], {"session_active": 0, "idle_s": 5.0}),
        ([Seated("1", 3600.0), Seated("2", 5.04)], {"session_active": 1, "idle_s": 5.0}),
        ([Seated("1", 3600.0), Seated("2")], {"session_active": 1}),
    ],
)
def test_in_use(seated: list[Seated], expected: dict[str, Value]) -> None:
    """A machine is in use when one of its sessions is neither locked nor long without input."""
    assert state(seated, 900) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"session_active": 1, "idle_s": 30.0}, {"session_active": 1, "idle_s": 30.0}),
        ({"session_active": 1, "idle_s": 901.0}, {"session_active": 0, "idle_s": 901.0}),
        ({"session_active": 1}, {"session_active": 1}),
        ({"session_active": 0}, {"session_active": 0}),
        ({}, {}),
    ],
)
def test_what_windows_tells(told: dict[str, int | float], expected: dict[str, Value]) -> None:
    """On Windows, too, a machine that nobody has touched for long is not in use; what is not told stays absent."""
    assert used(told, 900) == expected


def test_windows_is_asked_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the answer is Windows' own, in one row."""
    module = ModuleType("agent.gather.session_windows")
    module.session = lambda: {"session_active": 1, "idle_s": 2.5}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "platform", "win32")
    (row,) = read(Read(Session(()), Way(), 5.0)).rows
    assert row.values == {"session_active": 1, "idle_s": 2.5}
