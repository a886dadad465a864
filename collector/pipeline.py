"""
The centre's hot path: receive, check, store, acknowledge.

    ══ MQTT ══▶ receive ──arrivals──▶ buffer ──▶ worker: check ──▶ store ──▶ acknowledge ══ MQTT ══▶
               (PUBACK)          (bounded: when      │ bytes         (durable)
                                  full, dropped)     └──▶ quarantine

A batch stays bytes all the way. Two workers take turns: while one waits for the store the other checks. A batch is
acknowledged after the durable write and never before; whatever is in memory here may be lost at any instant, since the
agent keeps it until then. What others publish (`[[foreign]]`) leaves this path at the door, for `neighbours`.
"""

import logging
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from collector.check import explain, lag_ms
from collector.chunk import Chunk, Speakers, nobody
from collector.foreign import Rule
from collector.lags import Lags
from collector.neighbours import Neighbours
from collector.quarantine import Entry, Quarantine
from collector.receive import Receiver
from collector.store.base import Poison, Store, StoreUnavailable
from collector.wire import Arrival
from contract import topics
from contract.broker import BrokerSettings
from contract.errors import SantongError
from contract.measurements import Retention

log = logging.getLogger("santong.collect")

WORKERS = 2
REFUSALS_AN_ACK = 50
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.5, 30.0
_LOG_AGAIN_S = 60.0


class Limits(NamedTuple):
    """Bounds of the collector's memory and of the age of what it holds."""

    buffer_messages: int = 50_000
    buffer_bytes: int = 64 << 20
    max_age_s: float = 0.25


class Counters(NamedTuple):
    """What a collector did since its start; `foreign_…` counts what others publish."""

    received: int = 0
    dropped: int = 0
    stored_batches: int = 0
    stored_lines: int = 0
    refused: int = 0
    foreign_stored: int = 0
    foreign_refused: int = 0
    foreign_dropped: int = 0


class Buffer:
    """Arrivals that wait for a worker, bounded in number and bytes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Arrival] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self.bytes = 0
        self.received = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Take arrivals, or drop those for which there is no room."""
        most, most_bytes, _ = self._limits
        with self._changed:
            for arrival in arrivals:
                size = arrival.size
                if len(self._waiting) >= most or self.bytes + size > most_bytes:
                    self.dropped += 1
                else:
                    self._waiting.append(arrival)
                    self.bytes += size
            self.received += len(arrivals)
            self._changed.notify()

    def take(self, timeout_s: float | None) -> Arrival | None:
        """Return the oldest arrival; None after the timeout, and at the end."""
        with self._changed:
            if not self._waiting:
                self._changed.wait_for(lambda: self._waiting or self._ended, timeout_s)
                if not self._waiting:
                    return None
            arrival = self._waiting.popleft()
            self.bytes -= arrival.size
        return arrival

    @property
    def is_ended(self) -> bool:
        """Tell whether nothing waits and nothing will come."""
        return self._ended and not self._waiting

    def end(self) -> None:
        """Let the workers find the end behind what waits."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Collector:
    """
    One collector. `start`, then `stop`; both may be called from any thread.

    `speakers` returns the devices for which the roster names an agent, and that agent; asked anew for every batch.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        store: Store,
        quarantine: Quarantine,
        limits: Limits | None = None,
        foreign: Sequence[Rule] = (),
        speakers: Speakers = nobody,
    ) -> None:
        self._store = store
        self._speakers = speakers
        self._quarantine = quarantine
        self._limits = limits or Limits()
        self._buffer = Buffer(self._limits)
        self._stopping = threading.Event()
        self._turn = threading.Lock()  # one worker fills at a time: two would only fight for the interpreter
        self._workers = [threading.Thread(target=self._work, name=f"worker{n}", daemon=True) for n in range(WORKERS)]
        self._counts: dict[str, int] = defaultdict(int)
        self._counts_lock = threading.Lock()
        self.lags = Lags()
        self._neighbours = Neighbours(foreign, store, quarantine)
        deliver = self._sort if foreign else self._buffer.put
        self.receiver = Receiver(settings, deliver, [rule.topic for rule in foreign])
        self.trouble = ""
        self._logged, self._log_again_at = "", 0.0
        self._trouble_lock = threading.Lock()

    def start(self) -> None:
        """Start the workers, then receive."""
        for worker in self._workers:
            worker.start()
        self._neighbours.start()
        self.receiver.start()

    def stop(self) -> None:
        """Store and acknowledge what is in the buffer, if the store takes it at once; then disconnect."""
        self._buffer.end()
        self._stopping.set()
        for worker in self._workers:
            worker.join(10)
        self._neighbours.stop()
        self.receiver.stop()

    def counters(self) -> Counters:
        """Return what was done so far."""
        others = self._neighbours.counts()
        with self._counts_lock:
            return Counters(
                received=self._buffer.received,
                dropped=self._buffer.dropped,
                foreign_stored=others.stored,
                foreign_refused=others.refused,
                foreign_dropped=others.dropped,
                **self._counts,
            )

    @property
    def waiting(self) -> int:
        """How many batches wait in memory for a worker."""
        return len(self._buffer)

    def _sort(self, arrivals: Sequence[Arrival]) -> None:
        """Part what agents send from what others publish; no topic is both."""
        ours = []
        for arrival in arrivals:
            if arrival.topic.startswith(f"{topics.ROOT}/"):
                ours.append(arrival)
            else:
                self._neighbours.offer(arrival)
        self._buffer.put(ours)

    # ---- a worker

    def _work(self) -> None:
        while not self._buffer.is_ended:
            chunk = Chunk(speakers=self._speakers)
            try:
                with self._turn:
                    self._fill(chunk)
                self._finish(chunk)
            except _Abandoned:
                log.warning("stopped with %d batches not stored: their agents send them again", len(chunk.checked))
            except Exception:  # a worker that ended would leave a collector that takes everything and stores nothing
                log.exception(
                    "a defect: %d batches are not acknowledged, their agents send them again", len(chunk.checked)
                )

    def _fill(self, chunk: Chunk) -> None:
        """Take and check arrivals until the chunk is full or its first one is old enough."""
        deadline: float | None = None
        while not chunk.is_full():
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            arrival = self._buffer.take(wait)
            if arrival is None:
                return
            if deadline is None:
                deadline = time.monotonic() + self._limits.max_age_s
            chunk.add(arrival)

    # ---- store and acknowledge

    def _finish(self, chunk: Chunk) -> None:
        """Store, then quarantine, then acknowledge; the order is the promise."""
        chunk.store(self._write)
        self._set_aside(chunk.quarantined)
        self._acknowledge(chunk)

    def _write(self, kind: Retention, body: bytes) -> list[Poison]:
        """Write until the store has it."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                poison = self._store.write(kind, body)
            except Exception as error:  # noqa: BLE001  an unknown failure means: keep
                self._note_trouble(str(error) if isinstance(error, SantongError) else repr(error))
                wait = getattr(error, "retry_after_s", None) or pause
                if self._stopping.wait(min(wait, _LAST_PAUSE_S)):
                    raise _Abandoned from None
                pause = min(_LAST_PAUSE_S, pause * 2)
            else:
                own = [p for p in poison if p.line.startswith((b"delivery,", b"late,"))]
                if not own:
                    self._note_trouble("")
                    return poison
                self._note_trouble(f"the store refuses points of the centre: {own[0].message}")
                if self._stopping.wait(pause):
                    raise _Abandoned
                pause = min(_LAST_PAUSE_S, pause * 2)

    def _note_trouble(self, text: str) -> None:
        """Keep the trouble for whoever asks; log it when it is new, and one that comes and goes once a minute."""
        now = time.monotonic()
        with self._trouble_lock:  # both workers meet the same trouble at the same time
            if text and (text != self._logged or now >= self._log_again_at):
                log.error("%s: nothing is acknowledged until it works", text)
                self._logged, self._log_again_at = text, now + _LOG_AGAIN_S
            elif self.trouble and not text:
                log.info("the store takes writes again")
            self.trouble = text

    def _set_aside(self, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            self._quarantine.add(entries)
        except sqlite3.Error as error:
            log.error("quarantine: %s: %d refused entries are only in the agents' spools", error, len(entries))  # noqa: TRY400

    def _acknowledge(self, chunk: Chunk) -> None:
        stored: dict[str, list[tuple[str, int]]] = defaultdict(list)
        refused: dict[str, list[topics.Refusal]] = defaultdict(list)
        for checked, _ in chunk.checked:
            name = (checked.batch.epoch, checked.batch.seq)
            if checked.refused:
                refused[checked.agent].append(topics.Refusal(*name, explain(checked.refused)))
            else:
                stored[checked.agent].append(name)
        for item in chunk.refused:
            if item.agent:
                refused[item.agent].append(item.refusal)
        at_ms = time.time_ns() // 1_000_000
        self.receiver.answer((agent, topics.Ack(topics.ranges(stored.get(agent, ())), (), at_ms)) for agent in stored)
        # Brokers limit the size of a packet, and one agent's rubbish must not cost the others their connection.
        self.receiver.answer(
            (agent, topics.Ack((), tuple(refusals[at : at + REFUSALS_AN_ACK]), at_ms))
            for agent, refusals in refused.items()
            for at in range(0, len(refusals), REFUSALS_AN_ACK)
        )
        self.lags.add(lag_ms(checked, received_ns) for checked, received_ns in chunk.checked)
        with self._counts_lock:
            self._counts["stored_batches"] += len(chunk.checked)
            self._counts["stored_lines"] += sum(checked.lines for checked, _ in chunk.checked)
            self._counts["refused"] += len(chunk.quarantined)


class _Abandoned(Exception):
    """The collector was stopped before the store took a chunk."""


def wait_until_prepared(store: Store, stopping: threading.Event) -> None:
    """Prepare the store, waiting with back-off while it is away; StoreMisconfigured when an operator must act."""
    pause = _FIRST_PAUSE_S
    while not stopping.is_set():
        try:
            store.prepare()
        except StoreUnavailable as error:
            log.warning("%s: trying again", error)
            stopping.wait(pause)
            pause = min(_LAST_PAUSE_S, pause * 2)
        else:
            return
