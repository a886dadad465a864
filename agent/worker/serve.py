"""
The worker: a process of its own in which probes run, each in a child of its own.

    agent ──{"id", "kind", "ask"}──▶ worker ──fork──▶ child: few privileges, little memory, little time
          ◀─{"id", "at_ns", "outcome"}─┘   ◀──pipe───┘

The worker imports what a kind needs once (scapy takes half a second, in an emulated guest five) and forks: a child that
hangs, crashes or eats memory costs its own probe and nothing else. One JSON object a line, both ways; the end of input
ends the worker and its children. It answers every request exactly once.
"""

import gc
import json
import os
import resource
import selectors
import signal
import sys
import time
from typing import Any, NamedTuple, NoReturn

from agent import privileges
from agent.outcome import Outcome, Unable, told
from agent.worker import kinds

MOST_ANSWER_BYTES = 1 << 20
_TOO_LONG = f"what was found is more than {MOST_ANSWER_BYTES >> 20} MiB"
MEMORY_BYTES = 96 << 20  # beyond what the worker itself has when it forks
GRACE_S = 2.0  # after a probe's own timeout: first to end in order, then again to be killed
_TIDY_S = 4.0  # for what runs when the agent goes: a journey over WiFi takes its address away again
_STDIN = 0
_COUNTED = {"total_bytes"}  # of the details, those that the agent itself needs


class Request(NamedTuple):
    """One probe to run, and the number that its answer carries."""

    id: int
    kind: str
    ask: Any  # as its kind has it: kinds.py
    with_details: bool


class _Child(NamedTuple):
    request: Request
    at_ns: int
    ends_at: float  # monotonic
    answer: bytearray


class Worker:
    """Takes requests from standard input and answers on standard output, until the input ends."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(_STDIN, selectors.EVENT_READ)
        self._children: dict[int, _Child] = {}  # by pid
        self._pipes: dict[int, int] = {}  # pid by the end we read from
        self._asked_to_end: set[int] = set()
        self._input = b""
        self._is_open = True
        gc.freeze()  # what is there now is shared with every child

    def run(self) -> None:
        """Serve until the input ends."""
        while self._is_open:
            for key, _ in self._selector.select(self._wait_s()):
                if key.fd == _STDIN:
                    self._read_requests()
                else:
                    self._read_answer(key.fd)
            self._end_the_overdue()
        self._end_all()

    def _end_all(self) -> None:
        """End every child: in order as long as there is time, then by force."""
        for pid in self._children:
            _kill(pid, signal.SIGTERM)
        until = time.monotonic() + _TIDY_S
        while self._children and (left_s := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left_s):
                if key.fd != _STDIN:
                    self._read_answer(key.fd)
                else:
                    self._selector.unregister(_STDIN)
        for pid in self._children:
            _kill(pid, signal.SIGKILL)

    def _read_requests(self) -> None:
        data = os.read(_STDIN, 65536)
        self._is_open = bool(data)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:  # no more at once than the client lets run
            self._start(_request(json.loads(line)))

    def _start(self, request: Request) -> None:
        at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if refusal := _prepare(request.kind):
            _answer(request.id, at_ns, refusal)
            return
        try:
            pid, reads = _fork(request)
        except OSError as error:  # too many processes or files, no memory
            unable = Outcome(None, "unable", reason=f"no process for it could be started: {error.strerror}")
            _answer(request.id, at_ns, unable)
            return
        self._children[pid] = _Child(request, at_ns, time.monotonic() + request.ask.timeout + GRACE_S, bytearray())
        self._pipes[reads] = pid
        self._selector.register(reads, selectors.EVENT_READ)

    def _read_answer(self, reads: int) -> None:
        """Read what a child says; at the end of it take leave of the child and pass the answer on."""
        pid = self._pipes[reads]
        child = self._children[pid]
        if (data := os.read(reads, 65536)) and len(child.answer) + len(data) <= MOST_ANSWER_BYTES:
            child.answer.extend(data)
            return
        self._selector.unregister(reads)
        os.close(reads)
        del self._pipes[reads], self._children[pid]
        self._asked_to_end.discard(pid)
        _kill(pid, signal.SIGKILL)  # whatever the probe itself had started
        _, status = os.waitpid(pid, 0)
        outcome = Outcome(None, "unable", reason=_TOO_LONG) if data else _read(bytes(child.answer), status)
        _answer(child.request.id, child.at_ns, outcome)

    def _wait_s(self) -> float | None:
        ends = [child.ends_at + (GRACE_S if pid in self._asked_to_end else 0) for pid, child in self._children.items()]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _end_the_overdue(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if now >= child.ends_at + GRACE_S:
                _kill(pid, signal.SIGKILL)
            elif now >= child.ends_at and pid not in self._asked_to_end:
                self._asked_to_end.add(pid)
                _kill(pid, signal.SIGTERM)


def _request(given: Any) -> Request:
    return Request(given["id"], given["kind"], kinds.ask_of(given["kind"], given["ask"]), given["with_details"])


def _prepare(kind: str) -> Outcome | None:
    """Load what the kind needs, and say why it cannot run if it cannot."""
    try:
        kinds.module_of(kind)
    except Unable as unable:
        return unable.outcome()
    except Exception as error:  # noqa: BLE001  a library that cannot be loaded must not end the worker
        return Outcome(None, "unable", reason=f"cannot be loaded: {type(error).__name__}: {error}")
    if names := privileges.missing(kinds.KINDS[kind].needs):
        return Outcome(None, "unable", reason=f"{names} is needed: run as root, or give it to the agent's service")
    return None


def _fork(request: Request) -> tuple[int, int]:
    """Start a child for a request; return its process id and the end of the pipe on which it answers."""
    reads, writes = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(reads)
        os.close(writes)
        raise
    if pid == 0:
        _child(request, parent, writes)
    os.close(writes)
    return pid, reads


def _child(request: Request, parent: int, writes: int) -> NoReturn:
    """Run one probe with as little as it needs; never returns."""
    try:
        outcome = _confined(request, parent)
        if not request.with_details:  # they are for people at the device, and are not even told to the agent
            outcome = outcome._replace(
                details={name: outcome.details[name] for name in _COUNTED & outcome.details.keys()}
            )
        _write_all(writes, json.dumps(outcome._asdict(), default=str).encode())
    finally:
        os._exit(0)


def _confined(request: Request, parent: int) -> Outcome:
    try:
        os.setpgid(0, 0)
        privileges.die_with_parent(parent)
        signal.signal(signal.SIGTERM, _time_is_up)
        os.dup2(os.open(os.devnull, os.O_RDWR), _STDIN)
        os.dup2(2, 1)  # answers are the worker's alone
        _limit(request.ask.timeout)
        kind = kinds.KINDS[request.kind]
        privileges.keep_only(kind.needs | kind.may_use)
        return kinds.perform(request.kind, request.ask)
    except Unable as unable:
        return unable.outcome()
    except Exception as error:  # noqa: BLE001  what cannot be confined does not run, and says why
        return Outcome(None, "unable", reason=f"cannot be run: {type(error).__name__}: {error}")


def _time_is_up(_number: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: a second one would interrupt the tidying up
    raise Unable("took much longer than its timeout and was ended")


def _limit(timeout_s: float) -> None:
    """Limit address space and processor time (getrlimit(2)); no core dumps, which would hold passphrases."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123  pathlib is not loaded
        pages = int(statm.read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    _lower(resource.RLIMIT_AS, most)
    _lower(resource.RLIMIT_CPU, int(timeout_s + 2 * GRACE_S) * 2 + 1)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, most: int) -> None:
    """Set a limit; one that is lower already, of the service manager or the user's own, stays."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _write_all(to: int, data: bytes) -> None:
    while data:
        data = data[os.write(to, data) :]


def _read(answer: bytes, status: int) -> Outcome:
    try:
        return told(json.loads(answer))
    except (ValueError, TypeError):
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "without an answer"
        return Outcome(None, "unable", reason=f"the probe's process ended: {how}")


def _answer(number: int, at_ns: int, outcome: Outcome) -> None:
    line = json.dumps({"id": number, "at_ns": at_ns, "outcome": outcome._asdict()}, default=str)
    _write_all(1, line.encode() + b"\n")


def _kill(pid: int, number: signal.Signals) -> None:
    """Signal a child's whole group: what the probe started dies with it."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, number)
        except ProcessLookupError:
            continue
        return


def main() -> int:
    """Serve; the agent starts this."""
    # Ctrl-C, and what a service manager sends to all processes of a unit, are the agent's: it ends our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        Worker().run()
    except BrokenPipeError:  # the agent is gone
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
