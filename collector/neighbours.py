"""
What others publish, on its way into telemetry.

    ══ MQTT ══▶ receive ──▶ queue ──▶ check ──▶ store
                      (bounded: when       └──▶ quarantine
                       full, dropped)

On a thread of its own, so that it never holds up evidence: best effort, nothing is acknowledged but to the broker, on
receipt. While the store does not take it, it is tried a few times and then dropped, counted.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from collector.foreign import Flaw, Rule, check
from collector.quarantine import Entry, Quarantine
from collector.store.base import Poison, Store, StoreUnavailable
from collector.wire import Arrival
from contract.errors import Reason, SantongError
from contract.measurements import Retention

log = logging.getLogger("santong.foreign")

BUFFER_BYTES = 16 << 20
CHUNK_LINES = 5000
CHUNK_AGE_S = 0.25
TRIES = 5
# Others must not push what agents were refused out of quarantine, which keeps 20,000 entries.
QUARANTINED_A_MINUTE = 20
_FIRST_PAUSE_S = 0.5


class Counts(NamedTuple):
    """What became of it since the start: lines stored, lines (or whole messages) refused, messages dropped."""

    stored: int = 0
    refused: int = 0
    dropped: int = 0


class _Chunk:
    """Good lines by topic, on their way to the store together."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        self.lines = 0
        self.messages = 0


class Neighbours:
    """The messages of others; without rules there is nothing to do and no thread."""

    def __init__(self, rules: Sequence[Rule], store: Store, quarantine: Quarantine) -> None:
        self._rules = rules
        self._store = store
        self._quarantine = quarantine
        self._queue: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self._counts = Counts()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="neighbours", daemon=True)
        self._trouble = ""
        self._minute = 0.0
        self._room = 0

    def start(self) -> None:
        """Begin."""
        if self._rules:
            self._thread.start()

    def stop(self) -> None:
        """Store what is here, if the store takes it at once."""
        self._stopping.set()
        self._queue.put(None)
        if self._rules:
            self._thread.join(10)

    def counts(self) -> Counts:
        """Return what was done so far."""
        with self._lock:
            return self._counts

    def offer(self, arrival: Arrival) -> None:
        """Take a message, or drop it when too much waits; never blocks."""
        with self._lock:
            fits = self._bytes < BUFFER_BYTES
            if fits:
                self._bytes += arrival.size
        if fits:
            self._queue.put(arrival)
        else:
            self._count(Counts(dropped=1))

    # ---- the thread

    def _work(self) -> None:
        is_last = False
        while not is_last:
            chunk = _Chunk()
            is_last = self._fill(chunk)
            if chunk.lines:
                self._keep(chunk)

    def _fill(self, chunk: _Chunk) -> bool:
        """Check messages until there are enough lines or the first is old enough; tell whether to end."""
        deadline: float | None = None
        while chunk.lines < CHUNK_LINES:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                arrival = self._queue.get(timeout=wait_s)
            except queue.Empty:
                return False
            if arrival is None:
                return True
            with self._lock:
                self._bytes -= arrival.size
            self._check(arrival, chunk)
            if deadline is None:
                deadline = time.monotonic() + CHUNK_AGE_S
        return False

    def _check(self, arrival: Arrival, chunk: _Chunk) -> None:
        rule = next((rule for rule in self._rules if rule.pattern.fullmatch(arrival.topic)), None)
        if rule is None:
            self._set_aside(arrival.topic, [Flaw(0, Reason.BAD_TOPIC, "is not in [[foreign]]", arrival.payload)])
            return
        taken = check(arrival.payload, rule.names, arrival.received_ns)
        self._set_aside(arrival.topic, taken.refused)
        if taken.lines:
            chunk.bodies[arrival.topic].append(taken.body)
            chunk.lines += taken.lines
            chunk.messages += 1

    def _keep(self, chunk: _Chunk) -> None:
        poison = self._write(b"".join(body for bodies in chunk.bodies.values() for body in bodies))
        if poison is None:
            self._count(Counts(dropped=chunk.messages))
            return
        messages = {p.line: p.message for p in poison}
        for topic, bodies in chunk.bodies.items() if messages else ():
            bad = [line for line in b"".join(bodies).split(b"\n") if line in messages]
            self._set_aside(topic, [Flaw(0, Reason.STORE_REFUSED, messages[line], line) for line in bad])
        self._count(Counts(stored=chunk.lines - len(poison)))

    def _write(self, body: bytes) -> list[Poison] | None:
        """Return the lines that the store refuses; None when it does not take the body."""
        for number in range(TRIES):
            if number and self._stopping.wait(_FIRST_PAUSE_S * 2 ** (number - 1)):
                return None
            try:
                poison = self._store.write(Retention.TELEMETRY, body)
            except StoreUnavailable as error:
                self._note(str(error))
            except Exception as error:  # noqa: BLE001  whatever it is, evidence goes on without these lines
                self._note(str(error) if isinstance(error, SantongError) else repr(error))
                return None
            else:
                self._note("")
                return poison
        return None

    def _set_aside(self, topic: str, flaws: Iterable[Flaw]) -> None:
        """Count what is refused, and keep some of it for the operator to see."""
        flaws = list(flaws)
        if not flaws:
            return
        self._count(Counts(refused=len(flaws)))
        if time.monotonic() >= self._minute:
            self._minute, self._room = time.monotonic() + 60, QUARANTINED_A_MINUTE
        kept, now_ns = flaws[: self._room], time.time_ns()
        self._room -= len(kept)
        try:
            self._quarantine.add(
                Entry(now_ns, topic[:200], "", "", -1, f.number, f.reason, f.detail, len(f.content), f.content)
                for f in kept
            )
        except sqlite3.Error as error:
            self._note(f"quarantine: {error}")

    def _count(self, more: Counts) -> None:
        with self._lock:
            self._counts = Counts(*(a + b for a, b in zip(self._counts, more, strict=True)))

    def _note(self, trouble: str) -> None:
        """Log a change, not every try."""
        if trouble and trouble != self._trouble:
            log.warning("lines of others are not stored: %s", trouble)
        self._trouble = trouble
