"""
The acknowledgement protocol, end to end: whatever the network does, every batch is stored or refused, and known to be.

    real Spool ──▶ real Delivery and Window ──▶ a link that loses, doubles, reorders, breaks ──▶ a model centre
         ▲                                                                                          │
         └──────────────────────────────── answers, as unreliable as the batches ◀──────────────────┘

Time is simulated. At the end the link is good, and within a bounded time nothing waits any more.
"""

import hashlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent import delivery as room
from agent.config import PublishSettings
from agent.delivery import Delivery
from agent.publish import Answered, Connected, Lost, Published
from agent.spool import Spool
from agent.window import FIRST_RETRY_S, IDLE_S, LAST_RETRY_S
from contract.batch import decode
from contract.topics import Ack, Refusal, encode_ack, ranges
from tests.agent.doubles import DEVICE, LinkDouble, TimeDouble
from tests.agent.test_spool_machine import MEMORY

CAP = 1 << 24
ROUND_S = 60.0
Name = tuple[str, int]
DEVICES = (DEVICE, DEVICE.replace("c0703", "c0704"))
SELDOM = st.integers(0, 5).map(lambda n: n == 5)
OFTEN = st.integers(0, 5).map(lambda n: n != 5)
WHICH = st.integers(0, 1000)  # of some messages, modulo their number
FATES = st.sampled_from(["stored", "stored", "stored", "refused", "unreadable"])


NO_ANSWERS = (b"", b"{}", b'{"stored":[["5f0c9a1e",1,9]],"refused":[],"at":"now"}', b"\xff")


class _Interrupt(Exception):
    """The disk does not take a round."""


class _Chance:
    """A test double of the module `random`: the same jitter in every run."""

    @staticmethod
    def Random() -> random.Random:  # noqa: N802  as the module calls it
        return random.Random(1)


class _Link(LinkDouble):
    """A link whose messages wait until they are delivered, or lost."""

    def __init__(self, note: Callable[[bytes], None]) -> None:
        super().__init__()
        self.is_connected = False
        self._note = note

    def publish(self, topic: str, payload: bytes) -> tuple[int, int] | None:
        """Note what is sent."""
        key = super().publish(topic, payload)
        if key is not None:
            self._note(payload)
        return key


class _Answer(NamedTuple):
    """An ack on its way, and the batches that it means."""

    payload: bytes
    stored: list[Name]
    refused: list[Name]
    unreadable: list[Name]


class _Centre:
    """A model of the centre: takes a batch as its lines say, the same way each time."""

    def __init__(self) -> None:
        self.payloads: dict[Name, bytes] = {}
        self.stored: set[Name] = set()
        self.refused: set[Name] = set()
        self.waiting: list[tuple[str, Name]] = []  # to be answered

    def take(self, payload: bytes) -> None:
        """Store or refuse a batch."""
        batch = decode(payload)
        name = (batch.epoch, batch.seq)
        assert self.payloads.setdefault(name, payload) == payload, "one name for two batches"
        fate = next((fate for fate in ("refused", "unreadable") if fate.encode() in batch.lines), "stored")
        (self.stored if fate == "stored" else self.refused).add(name)
        self.waiting.append((fate, name))

    def answer(self) -> _Answer:
        """Answer all that was taken since the last answer."""
        by: dict[str, list[Name]] = {"stored": [], "refused": [], "unreadable": []}
        for fate, name in self.waiting:
            by[fate].append(name)
        self.waiting.clear()
        refused = [Refusal(*name, "wrong_type: line 1") for name in by["refused"]]
        digests = [hashlib.sha256(self.payloads[name]).hexdigest()[:16] for name in by["unreadable"]]
        refused += [Refusal(None, None, "bad_gzip", digest) for digest in digests]
        return _Answer(encode_ack(Ack(ranges(by["stored"]), tuple(refused), 1_795_000_000_000)), *by.values())

    def lines(self) -> Counter[bytes]:
        """Return every line that ever came, each batch once."""
        return Counter(line for payload in self.payloads.values() for line in decode(payload).lines.splitlines())


class AcknowledgementMachine(RuleBasedStateMachine):
    """An agent's life: rounds, restarts, connections; messages and answers delivered, lost, doubled, out of order."""

    @initialize(
        limit=st.sampled_from([1, 2, 3, 8]), pace=st.sampled_from([0.2, 2.0, 20.0]), left_over=st.integers(0, 12)
    )
    def begin(self, limit: int, pace: float, left_over: int) -> None:
        """Start an agent, whose spool has some batches left over from an earlier run."""
        self.folder = Path(tempfile.mkdtemp(prefix="santong-ack-", dir=MEMORY if MEMORY.is_dir() else None))
        self.clock = TimeDouble()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(room, "time", self.clock)
        self.patch.setattr(room, "random", _Chance)
        self.publishing = PublishSettings(window=limit, replay_per_second=pace)
        self.centre = _Centre()
        self.messages: list[bytes] = []
        self.answers: list[_Answer] = []
        self.committed: Counter[bytes] = Counter()
        self.names: set[Name] = set()  # of all batches that were ever closed
        self.told: set[Name] = set()  # of those whose answer reached the agent
        self._start()
        for _ in range(left_over):
            self.round(["stored"], closes=True, fails=False)
        self.restart(in_good_order=False, connects=True)

    def _start(self) -> None:
        """Start the agent's process."""
        self.spool = Spool(self.folder, CAP)
        with self.spool.transaction():
            self.spool.begin()
        self.link = _Link(self._sent)
        self.delivery = Delivery(DEVICE, self.publishing, self.spool, self.link)
        self.ours: set[Name] = set()  # sent by this process
        self.settled: set[Name] = set()  # of these, the answered ones
        self._forget_flights()
        self._look()

    def _forget_flights(self) -> None:
        self.attempts: dict[Name, tuple[int, float]] = {}  # how often and when last sent on this connection
        self.overtaken: set[Name] = set()

    def _on_their_way(self) -> set[Name]:
        """Return the batches in the window; the others that a silent centre was sent are backlog again."""
        found = map(self.spool.waiting, self.delivery._window.on_their_way())
        return {(waiting.epoch, waiting.seq) for waiting in found if waiting}

    def _look(self) -> dict[Name, bytes]:
        """Return the payloads that wait in the spool."""
        found = [waiting for waiting in map(self.spool.waiting, self.spool.backlog(0, 100_000)) if waiting]
        self.names |= {(waiting.epoch, waiting.seq) for waiting in found}
        return {(waiting.epoch, waiting.seq): waiting.payload for waiting in found}

    # ---- the agent

    @rule(lines=st.lists(FATES, max_size=4), closes=OFTEN, fails=SELDOM)
    def round(self, lines: list[str], closes: bool, fails: bool) -> None:
        """Commit a round of one or two devices, as agent/pipeline.py does; now and then the disk refuses it."""
        made = [
            b"sensor,name=%b value=%d 1764000000000000000" % (fate.encode(), random.getrandbits(60)) for fate in lines
        ]
        closed: list[int] = []
        try:
            with self.spool.transaction():
                self.delivery.write_settled()
                for number, line in enumerate(made):
                    self.spool.append(DEVICES[number % 2], line + b"\n", "synced")
                closed = self.spool.close_batches() if closes else []
                if fails:
                    raise _Interrupt
        except _Interrupt:
            return
        self.committed.update(made)
        self.delivery.forget_settled()
        self.delivery.offer(closed)
        self._look()

    @rule()
    def send(self) -> None:
        """Send what is due; then nothing is due for a while."""
        self.delivery.send()
        assert self.delivery.wait_s() > 0, "a busy loop"

    def _sent(self, payload: bytes) -> None:
        """Note one message, which must not come too soon after the last one of its batch."""
        batch = decode(payload)
        name = (batch.epoch, batch.seq)
        assert name not in self.settled, f"{name} was answered, and is sent again"
        count, last = self.attempts.get(name, (0, 0.0))
        earliest = last + 0.8 * min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** (count - 1))
        assert not count or name in self.overtaken or self.clock.now >= earliest, f"{name} again, try {count + 1}"
        self.overtaken.discard(name)
        self.attempts[name] = count + 1, self.clock.now
        self.ours.add(name)
        self.messages.append(payload)

    @rule(times=st.integers(1, 8))
    def ask_again(self, times: int) -> None:
        """Wait until something is due, and send it, over and over: nobody answers."""
        for _ in range(times):
            self.wait_until_due()
            self.send()

    @rule(seconds=st.floats(0, 700))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @rule()
    def wait_until_due(self) -> None:
        """Let time pass until the agent says that it has something to send."""
        self.clock.now += min(max(self.delivery.wait_s(), 0.0), 1000.0)

    @rule(in_good_order=SELDOM, connects=OFTEN)
    def restart(self, in_good_order: bool, connects: bool) -> None:
        """Stop the agent, in good order or with kill -9, and start it again; it may get a connection at once."""
        if in_good_order:
            with self.spool.transaction():
                self.delivery.write_settled()
                self.spool.close_batches()
        self.spool.close()
        self._start()
        if connects:
            self.connect()

    # ---- the link

    @precondition(lambda self: not self.link.is_connected and not self.delivery.is_connected)
    @rule()
    def connect(self) -> None:
        """Get a connection: what was on its way before is not known any more, and nothing waits for its answer."""
        self.link.is_connected = True
        self._forget_flights()
        self.delivery.handle(Connected())
        self.send()
        if len(self._on_their_way()) < max(1, self.publishing.window - 1):
            assert self.delivery.wait_s() <= max(IDLE_S, 2 / self.publishing.replay_per_second)

    @precondition(lambda self: self.link.is_connected)
    @rule(loses=st.booleans())
    def lose_the_connection(self, loses: bool) -> None:
        """Lose the connection, with all that is on its way or not; the agent does not hear of it yet."""
        self.link.is_connected = False
        if loses:
            self.messages.clear()
            self.answers.clear()

    @precondition(lambda self: not self.link.is_connected and self.delivery.is_connected)
    @rule()
    def hear_of_the_loss(self) -> None:
        """Let the agent hear that there is no connection."""
        self._forget_flights()
        self.delivery.handle(Lost("connection lost"))

    @precondition(lambda self: self.messages)
    @rule(which=WHICH, again=st.booleans())
    def deliver(self, which: int, again: bool) -> None:
        """Let the centre have any message, once or more often."""
        at = which % len(self.messages)
        self.centre.take(self.messages[at] if again else self.messages.pop(at))

    @precondition(lambda self: self.messages)
    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        """Lose a message."""
        self.messages.pop(which % len(self.messages))

    @precondition(lambda self: self.centre.waiting)
    @rule()
    def answer(self) -> None:
        """Let the centre answer."""
        self.answers.append(self.centre.answer())

    @precondition(lambda self: self.answers and self.link.is_connected)
    @rule(which=WHICH, again=st.booleans())
    def deliver_answer(self, which: int, again: bool) -> None:
        """Let the agent have any answer, once or more often."""
        at = which % len(self.answers)
        answer = self.answers[at] if again else self.answers.pop(at)
        meant = {*answer.stored, *answer.refused, *(self._on_their_way() & set(answer.unreadable))}
        for name in meant & self.attempts.keys():
            last = self.attempts[name][1]
            self.overtaken |= {other for other, (_, at) in self.attempts.items() if at < last - FIRST_RETRY_S / 6}
        self.told |= meant
        self.settled |= meant & self.ours
        window, now = self.delivery._window, self.clock.now
        was_silent = window._is_silent(now)
        self.delivery.handle(Answered(answer.payload))
        if was_silent and not window._is_silent(now):  # all but what was sent just now begins anew, as backlog
            self.attempts = {name: (1, at) for name, (_, at) in self.attempts.items() if now - at < 0.8 * FIRST_RETRY_S}

    @precondition(lambda self: self.answers)
    @rule(which=WHICH)
    def lose_answer(self, which: int) -> None:
        """Lose an answer."""
        self.answers.pop(which % len(self.answers))

    @rule(which=WHICH, refusal=st.sampled_from(["", "Quota exceeded"]), content=st.sampled_from(NO_ANSWERS))
    def others_answer(self, which: int, refusal: str, content: bytes) -> None:
        """Let the broker take or refuse a message, and someone send rubbish: the centre's answer alone counts."""
        self.delivery.handle(Published((1, 1 + which % max(1, len(self.link.sent))), refusal))
        assert not self.delivery.handle(Answered(content))

    # ---- what always holds

    @invariant()
    def no_more_than_the_window_is_on_its_way(self) -> None:
        """Have at most `window` batches on their way."""
        assert len(self.delivery._window.on_their_way()) <= self.publishing.window

    @invariant()
    def what_is_gone_is_stored_or_refused(self) -> None:
        """Forget no batch before its answer came, and keep a refused one to be seen."""
        waiting = self._look().keys()
        refused = {(epoch, seq) for epoch, seq, _, _ in self.spool.refused()}
        assert refused <= self.centre.refused & self.told
        assert self.names - waiting - refused <= self.centre.stored & self.told
        assert not waiting & refused

    # ---- the end

    def teardown(self) -> None:
        """Let the link be good from now on: everything arrives, in a bounded time, and each line in one batch."""
        if not hasattr(self, "spool"):
            return
        try:
            self._drain()
        finally:
            self.spool.close()
            self.patch.undo()
            shutil.rmtree(self.folder)

    def _drain(self) -> None:
        self.round([], closes=True, fails=False)
        pause = 1 / self.publishing.replay_per_second
        limit_s = 2 * (pause + IDLE_S + ROUND_S) + 1.5 * pause * len(self._look())
        if self.link.is_connected:  # what was lost is asked for again within two of the longest pauses
            limit_s += 2 * 1.2 * LAST_RETRY_S
        else:
            if self.delivery.is_connected:
                self.hear_of_the_loss()
            self.connect()
        end, next_round = self.clock.now + limit_s, self.clock.now
        while self._look():
            assert self.clock.now < end, f"after {limit_s:.0f} s there still wait {sorted(self._look())}"
            self.send()
            while self.messages:
                self.deliver(0, again=False)
            if self.centre.waiting:
                self.answer()
            if self.answers:
                while self.answers:
                    self.deliver_answer(0, again=False)
                continue  # an event is followed by `send` at once, as in agent/pipeline.py
            if self.clock.now >= next_round:
                self.round([], closes=True, fails=False)
                next_round += ROUND_S
            self.clock.now += min(max(self.delivery.wait_s(), 0.001), next_round - self.clock.now)
        refused = {(epoch, seq) for epoch, seq, _, _ in self.spool.refused()}
        assert refused == self.centre.refused
        assert self.names == self.centre.stored | self.centre.refused
        assert self.centre.lines() == self.committed


TestAcknowledgementMachine = AcknowledgementMachine.TestCase
TestAcknowledgementMachine.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
