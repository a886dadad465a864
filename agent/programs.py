"""
Programs of the system that are asked something: a fixed argv without shell, ended when its time is up.

A program gets no input and no environment but PATH and LC_ALL=C. It has a process group of its own, and that ends with
it: nothing that it started is left behind.
"""

import contextlib
import functools
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from agent import privileges
from agent.deadline import Deadline
from agent.outcome import Unable

MOST_BYTES = 1 << 20
MOST_ERROR = 4 << 10
PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"  # after PATH, which often lacks sbin for who is not root
_LOOK_S = 0.05  # how often a program is looked at that ended while something else holds its output open
_PACKAGES = {"ip": "iproute2"}


class Said(NamedTuple):
    """What a program said, 4 KiB of its complaint. `code` is its exit code, None when its time was up."""

    code: int | None
    out: str
    error: str

    @property
    def last_words(self) -> str:
        """The last line of its complaint; `ended without a word` when there is none."""
        lines = self.error.strip().splitlines()
        return lines[-1] if lines else "ended without a word"


def run(argv: Sequence[str], deadline: Deadline) -> Said:
    """Run a program in the language C; Unable when it is not installed, may not be run or prints more than 1 MiB."""
    try:
        return bounded(argv, deadline, ":".join(filter(None, (os.environ.get("PATH"), PLACES))))
    except FileNotFoundError:
        raise Unable(f"the program {argv[0]} is missing: install {_PACKAGES.get(argv[0], argv[0])}") from None
    except PermissionError:
        raise Unable(f"the program {argv[0]} may not be run by this user") from None


def bounded(argv: Sequence[str], deadline: Deadline, path: str) -> Said:
    """Run a program of `path`; OSError or ValueError when it cannot be started, Unable when it prints over 1 MiB."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C", "PATH": path},
        cwd="/",
        process_group=0,
        # it ends when the worker's child is killed and can tidy up no more; no threads there, so it may run Python
        preexec_fn=functools.partial(privileges.die_with_parent, os.getpid()),  # noqa: PLW1509
    )
    with process:
        try:
            printed, complaint = _output(process, argv[0], deadline)
            process.wait(deadline.left_s())
        except (TimeoutError, subprocess.TimeoutExpired):
            return Said(None, "", "")
        finally:
            _end(process)
    return Said(process.returncode, printed.decode(errors="replace"), complaint.decode(errors="replace"))


def _output(process: subprocess.Popen[bytes], name: str, deadline: Deadline) -> tuple[bytes, bytes]:
    """Return standard output and the beginning of standard error, until both end or the program has; TimeoutError."""
    printed, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, into in ((process.stdout, printed), (process.stderr, complaint)):
            if pipe is not None:
                selector.register(pipe.fileno(), selectors.EVENT_READ, into)
        while selector.get_map():
            if deadline.is_over:
                raise TimeoutError
            has_ended = process.poll() is not None
            ready = selector.select(0 if has_ended else deadline.left_s(_LOOK_S))
            if has_ended and not ready:
                break  # whoever holds its output now is not the program
            for key, _ in ready:
                if data := os.read(key.fd, 65536):
                    key.data.extend(data)
                else:
                    selector.unregister(key.fd)
            if len(printed) > MOST_BYTES:
                raise Unable(f"{name} printed more than {MOST_BYTES >> 20} MiB")
            del complaint[MOST_ERROR:]
    return bytes(printed), bytes(complaint)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program's whole group, what it started included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
