"""The source `command`: what a program prints, and what becomes of one that misbehaves."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from agent.gather.command import MOST_ROWS, pairs, read, rows, run
from agent.gather.read import Read, Way
from agent.outcome import Outcome, Row, Unable
from agent.programs import MOST_BYTES
from agent.worker.client import ask_once
from agent.worker.kinds import perform
from contract.settings import Pattern
from firmware_profiles.sources import Command

SHELL = ("sh", "-c")


def _read(script: str, timeout: float = 5.0) -> Outcome:
    return read(Read(Command((*SHELL, script), ()), Way(), timeout))


def _is_there(pid: int) -> bool:
    """Tell whether a process lives; one that waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _is_gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while _is_there(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# ---- formats


def test_text() -> None:
    """A program's whole output is the value `text`."""
    assert _read("echo ' 42 '; echo more").rows == (Row("", {"text": "42 \nmore"}),)


def test_pairs() -> None:
    """Lines of name and value are values by these names; what is no such line is passed over."""
    what = Command(("x",), (), format="pairs")
    assert rows(what, "throttled=0x50005\n\nnothing\n a = b=c \n") == (Row("", {"throttled": "0x50005", "a": "b=c"}),)
    assert pairs("timestamp 1673458852\nversion: 1", " ") == {"timestamp": "1673458852", "version:": "1"}


def test_regex_of_one() -> None:
    """Named groups of the first match are values; a group that took no part is absent, and so is everything else."""
    what = Command(("x",), (), format="regex", pattern=Pattern.parse(r"(?P<built>\d{4}/\d\d/\d\d)(?P<beta> beta)?"))
    assert rows(what, "built 2023/01/11 17:40\nor 2024/02/02 beta") == (Row("", {"built": "2023/01/11"}),)
    assert rows(what, "nothing of it") == ()


def test_regex_of_many() -> None:
    """With `rows: each` every match is a row; its key is the group `key`, or its number."""
    pattern = Pattern.parse(r"(?m)^(?P<key>\w+) volt=(?P<volts>[\d.]+)V")
    what = Command(("x",), (), format="regex", rows="each", pattern=pattern)
    assert rows(what, "A volt=5.17V\nB volt=0.79V") == (Row("A", {"volts": "5.17"}), Row("B", {"volts": "0.79"}))
    what = what._replace(pattern=Pattern.parse(r"(?P<n>\d)"))
    assert rows(what, "7 8") == (Row("0", {"n": "7"}), Row("1", {"n": "8"}))
    with pytest.raises(Unable, match=f"x printed more than {MOST_ROWS} rows"):
        rows(what, "1" * (MOST_ROWS + 1))


def test_json() -> None:
    """Paths into JSON name the values, of one row or of a list of them."""
    what = Command(("x",), (), format="json", rows="ports", values={"up": "link.up"})
    assert rows(what, '{"ports":[{"link":{"up":1}},{}]}') == (Row("0", {"up": 1}), Row("1", {}))
    with pytest.raises(Unable, match="x did not print JSON"):
        rows(what, "Error")
    with pytest.raises(Unable, match="nested too deep"):
        rows(what, "[" * 200_000)


def test_a_value_is_not_a_book() -> None:
    """A value of more than 64 KiB is refused with the way out."""
    with pytest.raises(Unable, match="more than 64 KiB: take a part of it, with regex"):
        _read("head -c 70000 /dev/zero | tr '\\0' x")


# ---- how it is run


def test_no_shell_no_input_and_hardly_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program gets its arguments as they are, nothing to read, and no secret of the agent's environment."""
    monkeypatch.setenv("SANTONG_BROKER_PASSWORD", "secret")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run(("printf", "%s", "$HOME; *"), 5) == "$HOME; *"
    assert run(("cat",), 5) == ""
    words = dict(line.partition("=")[::2] for line in run(("env",), 5).splitlines())
    assert words.keys() - {"_", "PWD", "SHLVL"} == {"PATH", "LC_ALL"}
    assert words["LC_ALL"] == "C"
    assert {"/usr/sbin", "/opt/vc/bin"} <= set(words["PATH"].split(":"))


def test_a_program_that_is_not_there() -> None:
    """What is missing is said with its name: it is our own machine that lacks it."""
    found = perform("command", Read(Command(("vcgencmd-none", "x"), ()), Way(), 5.0))
    assert found.success is None
    assert found.reason.startswith("vcgencmd-none is not installed, or not in /")


def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    """A file that is no program is said so."""
    file = tmp_path / "text"
    file.write_text("not a program")
    with pytest.raises(Unable, match=rf"{file} cannot be started: Permission denied"):
        run((str(file),), 5)
    file.chmod(0o755)
    with pytest.raises(Unable, match=r"cannot be started: Exec format error"):
        run((str(file),), 5)
    with pytest.raises(Unable, match=r"cannot be started: embedded null byte"):
        run(("ls", "a\0b"), 5)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo ' VCHI initialization failed' >&2; echo more >&2; exit 255", "status 255: VCHI initialization failed"),
        ("echo said on output; exit 1", "status 1: said on output"),
        ("exit 3", "status 3"),
        ("printf 'red \\033[31m\\n' >&2; exit 1", "status 1: red  [31m"),
        ("head -c 9999 /dev/zero | tr '\\0' y >&2; exit 1", "status 1: " + "y" * 200),
    ],
)
def test_a_program_that_fails(script: str, reason: str) -> None:
    """A program that fails gives no values; its first word on it is told, fit for one line of a log."""
    with pytest.raises(Unable, match=rf"^sh failed with {re.escape(reason)}$"):
        _read(script)


def test_a_program_that_crashes() -> None:
    """A crash is told with its signal."""
    with pytest.raises(Unable, match=rf"sh was ended by signal {signal.SIGSEGV:d}"):
        _read("kill -SEGV $$")


def test_a_program_that_hangs(tmp_path: Path) -> None:
    """After its time a program is killed, with everything that it started."""
    pids = tmp_path / "pids"
    begun = time.monotonic()
    with pytest.raises(Unable, match=r"sh did not end within 0\.5 s"):
        _read(f"echo $$ > {pids}; sleep 60 & echo $! >> {pids}; trap '' TERM; wait", 0.5)
    assert time.monotonic() - begun < 20
    first, second = map(int, pids.read_text().split())
    assert _is_gone_within(first, 10)
    assert _is_gone_within(second, 10)


def test_a_program_that_closes_its_output_and_hangs() -> None:
    """Having no more to say is not yet the end of a program."""
    with pytest.raises(Unable, match=r"did not end within 0\.3 s"):
        _read("exec >&- 2>&-; sleep 60", 0.3)


def test_what_a_program_leaves_behind(tmp_path: Path) -> None:
    """A helper that stays in the background does not hold up the answer, and does not stay."""
    begun = time.monotonic()
    found = _read(f"sleep 60 & echo $! > {tmp_path}/pid; echo 42")
    assert found.rows[0].values == {"text": "42"}
    assert time.monotonic() - begun < 20
    assert _is_gone_within(int((tmp_path / "pid").read_text()), 10)


@pytest.mark.parametrize("to", ["1", "2"])
def test_a_program_that_never_stops_talking(to: str) -> None:
    """Of what a program prints at most 1 MiB is kept; of its complaints only the first are, and its time ends."""
    begun = time.monotonic()
    with pytest.raises(Unable, match=r"more than 1 MiB" if to == "1" else r"did not end within 1 s"):
        _read(f"exec yes >&{to}", 1.0)
    assert time.monotonic() - begun < 10


def test_all_that_is_allowed_is_read() -> None:
    """An output as large as may be arrives whole."""
    assert len(run((sys.executable, "-c", f"print('x' * {MOST_BYTES - 1})"), 30)) == MOST_BYTES


def test_bytes_that_are_no_text() -> None:
    """Binary output is marked as such, never an error."""
    assert run(("printf", r"a\377b"), 5) == "a�b"


def test_it_works_in_the_worker() -> None:
    """In the worker's child, with its limits and privileges, a program is asked as anywhere else."""
    ask = Read(Command((*SHELL, "echo throttled=0x0"), (), format="pairs"), Way(), 5.0)
    answer = ask_once("command", ask)
    assert answer.success
    assert answer.rows == (Row("", {"throttled": "0x0"}),)


def test_a_program_ends_with_the_one_who_asked(tmp_path: Path) -> None:
    """When the worker's child is killed and cannot tidy up, its program is killed, too."""
    pid = os.fork()
    if pid == 0:
        try:
            run((*SHELL, f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60"), 60)
        finally:
            os._exit(1)
    until = time.monotonic() + 10
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert _is_gone_within(int((tmp_path / "pid").read_text()), 10)
