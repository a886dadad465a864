"""
Delivery: from the spool through the window onto the link, and what comes back.

    spool ──▶ window ──▶ link ══ MQTT ══▶
      ▲                                    ║
      └── settled: acknowledged, refused ◀═╝

What is settled is only remembered here; the next round's transaction writes it into the spool. Runs on the pipeline's
thread.
"""

import hashlib
import logging
import random
import time

from agent.config import PublishSettings
from agent.publish import Answered, Connected, Event, Link, Lost, Published
from agent.spool import Spool, Waiting
from agent.window import Window
from contract import topics
from contract.batch import text_of
from contract.errors import Reason

log = logging.getLogger("santong.delivery")

_KEPT_NAMES = 1000
# A centre so far behind refuses what is a day ahead of it: half of that day is no delay of the network.
_CENTRE_BEHIND_MS = 12 * 3_600_000


class Delivery:
    """The sending half of an agent. `note` says in words how it stands, `stored_at` when the centre last stored."""

    def __init__(self, agent: str, settings: PublishSettings, spool: Spool, link: Link) -> None:
        self._agent = agent
        self._acknowledged_by_broker = settings.ack == "broker"
        self._unpacks = settings.compress == "none"
        self._spool = spool
        self._link = link
        self._window = Window(settings.window, settings.replay_per_second, random.Random())  # noqa: S311
        self._acknowledged: set[int] = set()
        self._refused: dict[int, str] = {}
        self._sent: dict[tuple[int, int], int] = {}
        self._names: dict[tuple[str, int], int] = {}  # what this process sent lately: only that can be answered
        self._cursor = 0
        self.is_connected = False
        self.note = "not connected yet"
        self.stored_at = 0.0
        self.clock_offset_ms: float | None = None

    # ---- towards the centre

    def offer(self, batches: list[int]) -> None:
        """Announce batches that were just closed."""
        for batch in batches:
            self._window.offer(batch)

    def send(self) -> None:
        """Send what the window lets go: fresh first, then what got no answer, then the backlog."""
        if not self.is_connected:
            return
        now = time.monotonic()
        while (batch := self._window.take_fresh(now)) is not None:
            self._publish(batch)
        while retries := self._window.take_retries(now):
            for batch in retries:
                self._publish(batch)
        if self._window.wants_backlog(now):
            old = self._next_in_backlog()
            if old is None:
                self._window.pause_backlog(now)
            else:
                self._window.take_backlog(old, now)
                self._publish(old)

    def wait_s(self) -> float:
        """Return the seconds until `send` will have something to do."""
        if not self.is_connected:
            return float("inf")
        now = time.monotonic()
        return self._window.next_due(now) - now

    def _next_in_backlog(self) -> int | None:
        while ids := self._spool.backlog(self._cursor):
            for batch in ids:
                self._cursor = batch
                if batch not in self._window and batch not in self._acknowledged and batch not in self._refused:
                    return batch
        self._cursor = 0
        return None

    def _publish(self, batch: int) -> None:
        waiting = self._spool.waiting(batch)
        if waiting is None:  # dropped at the size cap meanwhile
            self._window.settle(batch)
            return
        self._names[waiting.epoch, waiting.seq] = batch
        if len(self._names) > _KEPT_NAMES:
            del self._names[next(iter(self._names))]
        key = self._link.publish(topics.batch(self._agent, waiting.device), self._as_sent(waiting))
        if key is not None:
            self._sent[key] = batch

    def _as_sent(self, waiting: Waiting) -> bytes:
        """Return the payload as it is published: the spool's is gzip."""
        return text_of(waiting.payload)[0] if self._unpacks else waiting.payload

    # ---- towards the spool

    def settled(self) -> set[int]:
        """Return the batches that the spool still has and the centre does not need any more."""
        return self._acknowledged | self._refused.keys()

    def write_settled(self) -> None:
        """Write what is settled into the spool, inside its transaction."""
        self._spool.acknowledged(self._acknowledged)
        for batch, reason in self._refused.items():
            self._spool.refuse(batch, reason)

    def forget_settled(self) -> None:
        """Forget what is settled, once the transaction is committed."""
        self._acknowledged.clear()
        self._refused.clear()

    # ---- from the link

    def handle(self, event: Event) -> bool:
        """Take one event of the link; tell whether something was stored or the connection changed."""
        match event:
            case Connected():
                log.info("connected to the broker")
                self._begin_connection("connected", is_connected=True)
            case Lost(reason):
                if reason != self.note:
                    log.warning("%s", reason)
                self._begin_connection(reason, is_connected=False)
            case Published(key, refusal):
                return self._on_published(self._sent.pop(key, None), refusal)
            case Answered(payload):
                return self._on_answer(payload)
        return True

    def _begin_connection(self, note: str, *, is_connected: bool) -> None:
        self.note = note
        self.is_connected = is_connected
        self._sent.clear()
        self._cursor = 0
        self._window.reset(time.monotonic())

    def _on_published(self, batch: int | None, refusal: str) -> bool:
        if batch is None:
            return False
        if refusal:
            note = f"the broker refuses a batch: {refusal}: it stays in the spool"
            if note != self.note:
                log.warning("%s", note)
            self.note = note
            return True
        return self._acknowledged_by_broker and self._settle([batch])

    def _on_answer(self, payload: bytes) -> bool:
        try:
            ack = topics.decode_ack(payload)
        except ValueError as error:
            log.warning("%s", error)
            return False
        self.clock_offset_ms = float(ack.at_ms - time.time_ns() // 1_000_000)
        news = False
        # Looked up before the first is settled: an answer after a silence empties the window, which the digests need.
        for refusal, batches in [(refusal, self._meant_by(refusal)) for refusal in ack.refused]:
            if self._is_centres_clock_wrong(refusal):
                news |= self._on_wrong_clock()
                continue
            for batch in batches:
                log.warning("the centre refuses batch %s of %s: %s", refusal.seq, refusal.epoch, refusal.reason)
                self._refused[batch] = refusal.reason
                self._window.answered(batch, time.monotonic())
        return self._settle([batch for run in ack.stored for batch in self._named(*run)]) or news

    def _named(self, epoch: str, first: int, last: int) -> list[int]:
        """Return the batches of a run of names; one that is not known any more is sent, and answered, once more."""
        return [batch for (of, seq), batch in self._names.items() if of == epoch and first <= seq <= last]

    def _is_centres_clock_wrong(self, refusal: topics.Refusal) -> bool:
        """Tell a refusal that is due to clocks: the centre's, by its own answer, is far behind ours."""
        is_behind = self.clock_offset_ms is not None and self.clock_offset_ms < -_CENTRE_BEHIND_MS
        return is_behind and Reason.IN_FUTURE in refusal.reason

    def _on_wrong_clock(self) -> bool:
        """Take it as no answer: the batch stays, and is asked again as of a silent centre. Tell whether it is news."""
        hours = -(self.clock_offset_ms or 0.0) / 3_600_000
        note = f"the centre's clock is {hours:.0f} h behind ours: batches wait until one of the two is set right"
        is_news = note != self.note
        if is_news:
            log.warning("%s", note)
        self.note = note
        return is_news

    def _meant_by(self, refusal: topics.Refusal) -> list[int]:
        """Return the batches that a refusal means: by name, or by the digest of a payload nobody could read."""
        if refusal.epoch is not None and refusal.seq is not None:
            return self._named(refusal.epoch, refusal.seq, refusal.seq)
        sent = (self._spool.waiting(batch) for batch in self._window.on_their_way())
        return [w.id for w in sent if w and hashlib.sha256(self._as_sent(w)).hexdigest()[:16] == refusal.digest]

    def _settle(self, batches: list[int]) -> bool:
        for batch in batches:
            self._window.answered(batch, time.monotonic())
        self._acknowledged.update(batches)
        if batches:
            self.note = "connected"
            self.stored_at = time.time()
        return bool(batches)
