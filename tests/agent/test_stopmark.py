"""Stop marks: how the agent's end is told from a power cut."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import stopmark
from agent.stopmark import FILE, StopMark

ROOT = Path(__file__).parents[2]
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.stopmark", *map(str, arguments)]
    base = {
        key: value for key, value in os.environ.items() if key not in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")
    }
    return subprocess.run(
        command, cwd=ROOT, env=base | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_mark_says_boot_instant_and_reason(tmp_path: Path) -> None:
    """The supervisor's command leaves a mark with this boot, the instant of the end, and the reason given."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    slept = before - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    ended = _run(tmp_path, "signal 9")
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    (mark,) = stopmark.read(tmp_path)
    assert (mark.boot, mark.reason) == (BOOT, "signal 9")
    assert before < mark.boottime_ns < after
    assert mark.asleep_ns is not None
    assert abs(mark.asleep_ns - slept) < 10**9, "how long this machine has slept since it was switched on"


def test_systemds_own_words_are_the_reason(tmp_path: Path) -> None:
    """Without a reason given, the mark says what systemd says: killed, by which signal, or why it failed."""
    _run(tmp_path, SERVICE_RESULT="watchdog", EXIT_CODE="killed", EXIT_STATUS="ABRT")
    _run(tmp_path, SERVICE_RESULT="success", EXIT_CODE="exited", EXIT_STATUS="0")
    _run(tmp_path, SERVICE_RESULT="oom-kill")
    _run(tmp_path)
    reasons = [mark.reason for mark in stopmark.read(tmp_path)]
    assert reasons == ["watchdog killed ABRT", "success exited 0", "oom-kill", "unknown"]


def test_reason_from_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account of systemd is put together from what it says, and is `unknown` when it says nothing."""
    for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"):
        monkeypatch.delenv(name, raising=False)
    assert stopmark.reason_from_systemd(os.environ) == "unknown"
    monkeypatch.setenv("EXIT_STATUS", "TERM")
    assert stopmark.reason_from_systemd(os.environ) == "TERM"


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let systemd run, and return the file of its systemctl, which is to be written."""
    for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_RESULT", "success")
    monkeypatch.setattr(stopmark, "_SYSTEMD_RUNS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "systemctl"


def _program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("stopping", "shutdown success"), ("running", "success"), ("degraded", "success"), ("", "success")],
)
def test_an_orderly_shutdown_is_said(systemctl: Path, answer: str, reason: str) -> None:
    """Ended since the whole system stops, the mark begins with `shutdown`; systemctl's exit code is 1 by then."""
    _program(systemctl, f'[ "$*" = is-system-running ] && echo "{answer}"; exit 1')
    assert stopmark.reason_from_systemd(os.environ) == reason


def test_a_systemd_that_does_not_answer_costs_two_seconds_and_no_mark(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no systemctl, or one that hangs, the mark is written as if nothing were said."""
    monkeypatch.setattr(stopmark, "_PATIENCE_S", 0.2)
    _program(systemctl, "exec sleep 60")
    before = time.monotonic()
    assert stopmark.reason_from_systemd(os.environ) == "success"
    assert time.monotonic() - before < 20
    systemctl.unlink()
    monkeypatch.setenv("PATH", str(systemctl.parent))
    assert stopmark.reason_from_systemd(os.environ) == "success"


def test_without_systemd_nobody_is_asked(systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where systemd does not run, or did not call, no other program is started."""
    _program(systemctl, "echo stopping")
    monkeypatch.setattr(stopmark, "_SYSTEMD_RUNS", systemctl)  # no folder
    assert stopmark.reason_from_systemd(os.environ) == "success"
    monkeypatch.setattr(stopmark, "_SYSTEMD_RUNS", systemctl.parent)
    monkeypatch.delenv("SERVICE_RESULT")
    assert stopmark.reason_from_systemd(os.environ) == "unknown"


def test_a_mark_is_durable_and_private(tmp_path: Path) -> None:
    """The mark is on the disk, file and folder, when the command returns: the power may be cut at once."""
    log = tmp_path / "strace.log"
    folder = tmp_path / "spool"
    folder.mkdir()
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(log),
        "-e",
        "trace=fsync,fdatasync",
        sys.executable,
        "-m",
        "agent.stopmark",
    ]
    subprocess.run([*command, folder, "x"], cwd=ROOT, check=True, timeout=60)
    synced = log.read_text()
    assert f"<{folder / FILE}>" in synced
    assert f"<{folder}>" in synced
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600


def test_marks_add_up_until_they_are_taken(tmp_path: Path) -> None:
    """Several ends before the next start leave several marks; once taken over they are gone."""
    for reason in ("one", "zwei", "三"):
        stopmark.write(tmp_path, reason)
    assert [mark.reason for mark in stopmark.read(tmp_path)] == ["one", "zwei", "三"]
    stopmark.clear(tmp_path)
    assert stopmark.read(tmp_path) == []
    stopmark.clear(tmp_path)


def test_without_marks_there_are_none(tmp_path: Path) -> None:
    """A folder without marks is a folder without marks."""
    assert stopmark.read(tmp_path) == []


@pytest.mark.parametrize(
    "torn", ["{", '{"boot": "b", "boottime_ns": 12', '{"boot": "b"}\n', "7\n", "\x00\x00\x00\x00", "\n"]
)
def test_a_torn_last_line_is_passed_over(tmp_path: Path, torn: str) -> None:
    """A mark that a power cut tore is passed over; those before it count."""
    stopmark.write(tmp_path, "whole")
    with (tmp_path / FILE).open("a") as file:
        file.write(torn)
    assert [mark.reason for mark in stopmark.read(tmp_path)] == ["whole"]


def test_a_mark_after_a_torn_line_counts(tmp_path: Path) -> None:
    """A torn mark does not swallow the next one, should the agent end again before it took the marks over."""
    (tmp_path / FILE).write_text('{"boot": "b", "boottime_ns": 12')
    stopmark.write(tmp_path, "next")
    assert [mark.reason for mark in stopmark.read(tmp_path)] == ["next"]


def test_bytes_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    """A block of the card that holds garbage costs its own marks only."""
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00garbage\n" + b'{"boot":"b","boottime_ns":5,"reason":"r"}\n')
    assert stopmark.read(tmp_path) == [StopMark("b", 5, "r")]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """A supervisor that names a wrong folder gets one line and an exit code."""
    ended = _run(tmp_path / "no", "x")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"stop mark not written: {tmp_path / 'no'}: No such file or directory\n"


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"]])
def test_wrong_arguments_give_the_usage(arguments: list[str]) -> None:
    """Called wrongly, the command says how it is called."""
    ended = _run(*arguments)
    assert ended.returncode == 1
    assert ended.stderr == "usage: python -m agent.stopmark SPOOL_DIRECTORY [REASON]\n"
