"""
The centre's hot path: receive, check, store, acknowledge.

    ══ MQTT ══▶ receive ──arrivals──▶ buffer ──▶ worker: check ──▶ store ──▶ acknowledge ══ MQTT ══▶
               (PUBACK)          (bounded: when      │ bytes         (durable)
                                  full, dropped)     └──▶ quarantine

A batch stays bytes all the way. Two workers take turns: while one waits for the store the other checks. A batch is
acknowledged after the durable write and never before; whatever is in memory here may be lost at any instant, since the
agent keeps it until then.
"""

import hashlib
import logging
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collector.check import BadLine, Checked, check, check_delivery_time, delivery_line, explain, without
from collector.quarantine import Entry, Quarantine
from collector.receive import Receiver
from collector.store.base import Poison, Store, StoreUnavailable
from collector.wire import Arrival
from contract import batch, topics
from contract.broker import BrokerSettings
from contract.errors import BadBatch, BadName, Reason, SantongError
from contract.measurements import Retention
from contract.names import is_device, may_speak

log = logging.getLogger("santong.collect")

CHUNK_LINES = 5000
CHUNK_BYTES = 4 << 20  # six times what 5,000 usual lines have
WORKERS = 2
# Enough to see what is wrong; one bad batch must not push all else out of quarantine.
QUARANTINED_LINES = 100
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.5, 30.0
_LOG_AGAIN_S = 60.0


class Limits(NamedTuple):
    """Bounds of the collector's memory and of the age of what it holds."""

    buffer_messages: int = 50_000
    buffer_bytes: int = 64 << 20
    max_age_s: float = 0.25


class Counters(NamedTuple):
    """What a collector did since its start."""

    received: int = 0
    dropped: int = 0
    stored_batches: int = 0
    stored_lines: int = 0
    refused: int = 0


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
                size = len(arrival.payload)
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
            self.bytes -= len(arrival.payload)
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


class Refused(NamedTuple):
    """A payload refused as a whole; `agent` is empty where the topic names none."""

    agent: str
    refusal: topics.Refusal


class Chunk:
    """Checked batches on their way to the store together."""

    def __init__(self) -> None:
        self.checked: list[tuple[Checked, int]] = []
        self.refused: list[Refused] = []
        self.quarantined: list[Entry] = []
        self.lines = 0
        self.bytes = 0

    def is_full(self) -> bool:
        """Tell whether it is to be written now."""
        return self.lines >= CHUNK_LINES or self.bytes >= CHUNK_BYTES

    def bodies(self) -> dict[Retention, bytes]:
        """Return what to write, by retention class; the delivery points are evidence."""
        parts: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}
        for checked, received_ns in self.checked:
            for kind, body in checked.bodies.items():
                parts[kind].append(body)
            parts[Retention.EVIDENCE].append(delivery_line(checked, received_ns))
        return {kind: b"".join(bodies) for kind, bodies in parts.items() if bodies}


class Collector:
    """One collector. `start`, then `stop`; both may be called from any thread."""

    def __init__(
        self, settings: BrokerSettings, store: Store, quarantine: Quarantine, limits: Limits | None = None
    ) -> None:
        self._store = store
        self._quarantine = quarantine
        self._limits = limits or Limits()
        self._buffer = Buffer(self._limits)
        self._stopping = threading.Event()
        self._turn = threading.Lock()  # one worker fills at a time: two would only fight for the interpreter
        self._workers = [threading.Thread(target=self._work, name=f"worker{n}", daemon=True) for n in range(WORKERS)]
        self._counts: dict[str, int] = defaultdict(int)
        self._counts_lock = threading.Lock()
        self.receiver = Receiver(settings, self._buffer.put)
        self.trouble = ""
        self._logged, self._log_again_at = "", 0.0
        self._trouble_lock = threading.Lock()

    def start(self) -> None:
        """Start the workers, then receive."""
        for worker in self._workers:
            worker.start()
        self.receiver.start()

    def stop(self) -> None:
        """Store and acknowledge what is in the buffer, if the store takes it at once; then disconnect."""
        self._buffer.end()
        self._stopping.set()
        for worker in self._workers:
            worker.join(10)
        self.receiver.stop()

    def counters(self) -> Counters:
        """Return what was done so far."""
        with self._counts_lock:
            return Counters(received=self._buffer.received, dropped=self._buffer.dropped, **self._counts)

    # ---- a worker

    def _work(self) -> None:
        while not self._buffer.is_ended:
            chunk = Chunk()
            with self._turn:
                self._fill(chunk)
            try:
                self._finish(chunk)
            except _Abandoned:
                log.warning("stopped with %d batches not stored: their agents send them again", len(chunk.checked))

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
            self._check(chunk, arrival)

    def _check(self, chunk: Chunk, arrival: Arrival) -> None:
        agent = device = ""
        try:
            agent, device = topics.parse_batch(arrival.topic)
            content = batch.decode(arrival.payload)
            if not may_speak(agent, device):
                raise BadBatch(Reason.FOREIGN_DEVICE, f"{agent} may not speak for {device}", content.epoch, content.seq)
            check_delivery_time(content, arrival.received_ns)
            checked = check(agent, device, content, arrival.received_ns)
        except BadName as error:
            agent = arrival.topic.split("/")[2] if arrival.topic.count("/") >= 2 else ""
            self._refuse(chunk, arrival, agent, device, BadBatch(Reason.BAD_TOPIC, str(error)))
            return
        except BadBatch as flaw:
            self._refuse(chunk, arrival, agent, device, flaw)
            return
        chunk.checked.append((checked, arrival.received_ns))
        chunk.lines += checked.lines + 1
        chunk.bytes += len(content.lines)
        if checked.refused:
            some = checked.refused[:QUARANTINED_LINES]
            chunk.quarantined += [_entry_of(checked, bad, arrival.received_ns) for bad in some]

    def _refuse(self, chunk: Chunk, arrival: Arrival, agent: str, device: str, flaw: BadBatch) -> None:
        digest = hashlib.sha256(arrival.payload).hexdigest()[:16]
        is_named = flaw.epoch is not None and flaw.seq is not None
        refusal = topics.Refusal(
            flaw.epoch if is_named else None, flaw.seq if is_named else None, str(flaw), "" if is_named else digest
        )
        chunk.bytes += len(arrival.payload)
        chunk.refused.append(Refused(agent if is_device(agent) else "", refusal))
        chunk.quarantined.append(
            Entry(
                arrival.received_ns,
                agent or arrival.topic[:200],
                device,
                flaw.epoch or "",
                -1 if flaw.seq is None else flaw.seq,
                0,
                flaw.reason,
                flaw.detail,
                len(arrival.payload),
                arrival.payload,
            )
        )

    # ---- store and acknowledge

    def _finish(self, chunk: Chunk) -> None:
        """Store, then quarantine, then acknowledge; the order is the promise."""
        poison = {p.line: p.message for kind, body in chunk.bodies().items() for p in self._write(kind, body)}
        if poison:
            log.error("the store refuses %d lines, the first: %s", len(poison), next(iter(poison.values())))
            chunk.checked = [(self._take_out(chunk, checked, at, poison), at) for checked, at in chunk.checked]
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
                own = [p for p in poison if p.line.startswith(b"delivery,")]
                if not own:
                    self._note_trouble("")
                    return poison
                self._note_trouble(f"the store refuses delivery points: {own[0].message}")
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

    def _take_out(self, chunk: Chunk, checked: Checked, at: int, poison: Mapping[bytes, str]) -> Checked:
        """Move the lines that the store refused from a batch to quarantine, and correct its delivery point."""
        left = without(checked, poison.keys())
        if left is checked:
            return checked
        chunk.quarantined += [
            _entry_of(checked, bad, at)._replace(detail=poison[bad.line])
            for bad in left.refused[len(checked.refused) :]
        ]
        self._write(Retention.EVIDENCE, delivery_line(left, at))
        return left

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
        self.receiver.answer(
            (agent, topics.Ack(topics.ranges(stored.get(agent, ())), tuple(refused.get(agent, ())), at_ms))
            for agent in stored.keys() | refused.keys()
        )
        with self._counts_lock:
            self._counts["stored_batches"] += len(chunk.checked)
            self._counts["stored_lines"] += sum(checked.lines for checked, _ in chunk.checked)
            self._counts["refused"] += len(chunk.quarantined)


class _Abandoned(Exception):
    """The collector was stopped before the store took a chunk."""


def _entry_of(checked: Checked, bad: BadLine, received_ns: int) -> Entry:
    name = checked.batch
    return Entry(
        received_ns,
        checked.agent,
        checked.device,
        name.epoch,
        name.seq,
        bad.number,
        bad.reason,
        "",
        len(bad.line),
        bad.line,
    )


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
