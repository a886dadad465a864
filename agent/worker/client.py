"""
The agent's end of the worker: starts it when something is to be asked, ends it when it idles, replaces it when it dies.

One thread uses a client. It never waits longer than it says, and gives exactly one answer for each question: where the
worker dies or hangs, an outcome that says so and nothing of the target.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agent.outcome import Outcome, told
from contract.settings import plain

MOST_AT_ONCE = 16  # children of the worker
PATIENCE_S = 30.0  # beyond a probe's timeout: a small board imports scapy in some seconds
_KILLED_AFTER_S = 6.0  # the worker's own patience with its children is shorter
WORKER = (sys.executable, "-P", "-m", "agent.worker.serve")


class Answer(NamedTuple):
    """
    What came of a question: its number, when it was asked (CLOCK_BOOTTIME, ns) and what was found.

    `is_lost`: the worker died with it, or could not be started.
    """

    id: int
    at_ns: int
    outcome: Outcome
    is_lost: bool = False


class Client:
    """A worker that is there when it is needed."""

    def __init__(self, command: Sequence[str] = WORKER, *, with_details: bool = False) -> None:
        self._command = command
        self._with_details = with_details
        self._waiting: deque[tuple[int, str, Any]] = deque()  # beyond what runs at once
        self._worker: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self._open: dict[int, tuple[int, float]] = {}  # question → (asked at, boot ns; answered until, monotonic)
        self._input = b""
        self._last = 0

    @property
    def is_running(self) -> bool:
        """Tell whether there is a worker now."""
        return self._worker is not None

    @property
    def pid(self) -> int:
        """The worker's process id, 0 without one."""
        return self._worker.pid if self._worker else 0

    @property
    def open_questions(self) -> int:
        """How many answers are still to come."""
        return len(self._open) + len(self._waiting)

    def ask(self, kind: str, ask: Any) -> int:
        """Have one probe run, and return the number that its answer will carry."""
        self._last += 1
        self._waiting.append((self._last, kind, ask))
        self._send()
        return self._last

    def _send(self) -> None:
        """Send what the worker can begin at once: so a question is never old before it is asked."""
        while self._waiting and len(self._open) < MOST_AT_ONCE:
            number, kind, ask = self._waiting.popleft()
            self._open[number] = (_boottime_ns(), time.monotonic() + ask.timeout + PATIENCE_S)
            request = {"id": number, "kind": kind, "ask": plain(ask), "with_details": self._with_details}
            try:
                self._started().stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
            except OSError:
                self._stop()  # the answer will be that it died
                return

    def answers(self, wait_s: float) -> Iterator[Answer]:
        """Yield what has come, waiting for the first at most `wait_s`."""
        if self._worker is None:
            yield from self._give_up("the worker could not be started, or died")
            return
        overdue_s = min((until for _, until in self._open.values()), default=time.monotonic() + wait_s)
        if self._selector.select(max(0.0, min(wait_s, overdue_s - time.monotonic()))):
            yield from self._read()
        if any(until <= time.monotonic() for _, until in self._open.values()):
            self._stop()
            yield from self._give_up("the worker hung and was replaced")

    def close(self) -> None:
        """End the worker; what is still open is forgotten."""
        self._open.clear()
        self._waiting.clear()
        self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None:
            environment = os.environ | {"MALLOC_ARENA_MAX": "2"}
            self._worker = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
            )
            self._input = b""
            self._selector.register(self._worker.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        return self._worker

    def _read(self) -> Iterator[Answer]:
        assert self._worker and self._worker.stdout  # noqa: S101  for the type checker
        data = os.read(self._worker.stdout.fileno(), 65536)
        if not data:
            self._stop()
            yield from self._give_up("the worker died and was replaced")
            return
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if self._open.pop(answer["id"], None):
                self._send()
                yield Answer(answer["id"], answer["at_ns"], told(answer["outcome"]))

    def _give_up(self, why: str) -> Iterator[Answer]:
        lost, self._open = self._open, {}
        for number, (at_ns, _) in lost.items():
            yield Answer(number, at_ns, Outcome(None, "unable", reason=why), is_lost=True)
        self._send()

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        self._selector.unregister(worker.stdout)  # type: ignore[arg-type]
        for pipe in (worker.stdin, worker.stdout):
            pipe.close()  # type: ignore[union-attr]
        try:
            worker.wait(_KILLED_AFTER_S)  # the end of its input ends it, and its children
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def ask_once(kind: str, ask: Any) -> Outcome:
    """Run one probe in a worker of its own, and wait for what it finds."""
    client = Client(with_details=True)
    client.ask(kind, ask)
    try:
        while True:
            for answer in client.answers(1.0):
                return answer.outcome
    finally:
        client.close()
