"""
A program's output: the source `command` of a profile, and `run` for the sources that need a program themselves.

Its arguments are fixed, there is no shell, no input and no environment but PATH and LC_ALL=C. It has a process group of
its own, and that ends with it: nothing that it started is left behind.
"""

import contextlib
import functools
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from agent import privileges
from agent.gather.paths import TooManyRowsError, rows_of
from agent.gather.read import Read
from agent.outcome import Outcome, Row, Unable
from contract.sample import Value
from firmware_profiles.sources import Command

MOST_BYTES = 1 << 20
MOST_TEXT = 64 << 10  # of one value
MOST_ROWS = 1000
_MOST_ERROR = 4 << 10
_FURTHER_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/vc/bin")  # of services, and of old Raspberry Pi OS
_LOOK_S = 0.05  # how often a program is looked at that ended while something else holds its output open


def read(ask: Read) -> Outcome:
    """Return what a program prints, as its format says; Unable when there is no program, or it fails."""
    text = run(ask.what.argv, ask.timeout)
    return Outcome(True, rows=rows(ask.what, text), details={"output": text[:_MOST_ERROR]})


def rows(what: Command, text: str) -> tuple[Row, ...]:
    """Return the rows of an output; Unable where it is not of the format."""
    if what.format == "json":
        try:
            return rows_of(json.loads(text), what.rows, what.values)
        except TooManyRowsError as error:
            raise Unable(f"what {what.argv[0]} printed {error}") from None
        except ValueError as error:
            raise Unable(f"{what.argv[0]} did not print JSON: {error}") from None
        except RecursionError:
            raise Unable(f"{what.argv[0]} printed JSON that is nested too deep") from None
    if what.format == "pairs":
        return (Row("", pairs(text, what.separator)),)
    if what.format == "regex":
        return tuple(_matched(what, text))
    return (Row("", {"text": _short(what.argv[0], text.strip())}),)


def pairs(text: str, separator: str = "=") -> dict[str, Value]:
    """Return the values of lines of name, separator, value; lines without one are passed over."""
    split = (line.partition(separator) for line in text.splitlines())
    return {name.strip(): value.strip() for name, found, value in split if found and name.strip()}


def _matched(what: Command, text: str) -> Iterator[Row]:
    """Yield a row a match where `rows` is each, else one of the first match; groups that took no part are absent."""
    many = what.rows == "each"
    for number, match in enumerate(re.finditer(what.pattern or "", text)):
        if number >= MOST_ROWS:
            raise Unable(f"{what.argv[0]} printed more than {MOST_ROWS} rows")
        groups = {name: _short(what.argv[0], value) for name, value in match.groupdict().items() if value is not None}
        key = groups.pop("key", str(number))
        yield Row(key if many else "", groups)
        if not many:
            return


def _short(program: str, text: str) -> str:
    if len(text) > MOST_TEXT:
        raise Unable(f"{program} printed a value of more than {MOST_TEXT >> 10} KiB: take a part of it, with regex")
    return text


def run(argv: Sequence[str], timeout_s: float) -> str:
    """
    Run a program and return what it printed, at most 1 MiB within the time.

    Unable when it is not installed, fails (with the first line of its complaint), prints or takes more.
    """
    if sys.platform == "win32":
        raise Unable("programs are asked on Linux only")
    deadline = time.monotonic() + timeout_s
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd="/",
            process_group=0,
            # it ends when the worker's child is killed and can tidy up no more; no threads there, so it may run Python
            preexec_fn=functools.partial(privileges.die_with_parent, os.getpid()),  # noqa: PLW1509
        )
    except FileNotFoundError:
        raise Unable(f"{argv[0]} is not installed, or not in {environment()['PATH']}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Unable(f"{argv[0]} cannot be started: {reason}") from None
    with process:
        try:
            printed, complaint = _output(process, argv[0], deadline, timeout_s)
        finally:
            _end(process)
    if status := process.returncode:
        raise Unable(f"{argv[0]} {_ended(status)}{_first_line(complaint or printed)}")
    return printed.decode(errors="replace")


def environment() -> Mapping[str, str]:
    """Return the environment of programs."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return {"LC_ALL": "C", "PATH": os.pathsep.join(dict.fromkeys([*path, *_FURTHER_PATH]))}


def _output(process: subprocess.Popen[bytes], name: str, deadline: float, timeout_s: float) -> tuple[bytes, bytes]:
    """Return standard output and the beginning of standard error, until both end or the program has."""
    printed, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, into in ((process.stdout, printed), (process.stderr, complaint)):
            if pipe is not None:
                selector.register(pipe.fileno(), selectors.EVENT_READ, into)
        while selector.get_map():
            if (left_s := deadline - time.monotonic()) <= 0:
                raise Unable(f"{name} did not end within {timeout_s:g} s")
            has_ended = process.poll() is not None
            ready = selector.select(0 if has_ended else min(left_s, _LOOK_S))
            if has_ended and not ready:
                break  # whoever holds its output now is not the program
            for key, _ in ready:
                if data := os.read(key.fd, 65536):
                    key.data.extend(data)
                else:
                    selector.unregister(key.fd)
            if len(printed) > MOST_BYTES:
                raise Unable(f"{name} printed more than {MOST_BYTES >> 20} MiB")
            del complaint[_MOST_ERROR:]
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Unable(f"{name} did not end within {timeout_s:g} s") from None
    return bytes(printed), bytes(complaint)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program's whole group, what it started included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"


def _first_line(output: bytes) -> str:
    lines = (line.strip() for line in output.decode(errors="replace").splitlines())
    first = next((line for line in lines if line), "")
    clean = "".join(c if c.isprintable() else " " for c in first)[:200]
    return f": {clean}" if clean else ""
