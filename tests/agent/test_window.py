"""The window of unacknowledged batches: order, retries, pace; and that nothing is ever lost in it."""

import random
from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.window import FIRST_RETRY_S, FRESH_LIMIT, IDLE_S, LAST_RETRY_S, Window

LIMIT = 8
SILENCE_S = 0.8 * FIRST_RETRY_S


def _window(limit: int = LIMIT, pace: float = 2.0) -> Window:
    return Window(limit, pace, random.Random(7))


def _fill(window: Window, count: int, now: float = 0.0) -> list[int]:
    for batch in range(1, count + 1):
        window.offer(batch)
    taken = (window.take_fresh(now) for _ in range(count))
    return [batch for batch in taken if batch is not None]


def test_the_newest_is_sent_first() -> None:
    """After a pause the newest measurement reaches the centre first."""
    assert _fill(_window(), 3) == [3, 2, 1]


def test_no_more_than_the_limit_is_on_its_way() -> None:
    """At most eight batches are unacknowledged; an answer makes place for the next."""
    window = _window()
    assert len(_fill(window, 12)) == len(window) == LIMIT
    assert window.take_fresh(0) is None
    window.settle(9)
    assert window.take_fresh(0) == 4


def test_no_answer_is_asked_again_after_half_a_minute_doubling_to_ten() -> None:
    """A batch without answer is sent again after 30 s, 60 s, 120 s … at most 10 minutes, each ± 20 %."""
    window = _window()
    _fill(window, 1)
    now, pauses = 0.0, []
    for _ in range(8):
        pauses.append(window.next_retry(now) - now)
        assert window.take_retries(now + pauses[-1] * 0.99) == []
        now += pauses[-1]
        assert window.take_retries(now) == [1]
    nominal = [30, 60, 120, 240, 480, 600, 600, 600]
    assert all(0.8 * want <= got <= 1.2 * want for want, got in zip(nominal, pauses, strict=True))
    assert len(set(pauses)) == len(pauses)


def test_weeks_without_an_answer_are_survived() -> None:
    """An agent asks every ten minutes for as long as it takes."""
    window = _window()
    _fill(window, 1)
    now = 0.0
    for _ in range(5000):
        now = window.next_retry(now)
        assert window.take_retries(now) == [1]
    assert window.next_retry(now) - now <= 720


@pytest.mark.parametrize("count", [2, LIMIT])
def test_a_silent_centre_is_asked_with_the_newest_only(count: int) -> None:
    """A centre that answers nothing is asked with one batch at a time, not with all that are on their way."""
    window = _window()
    _fill(window, count)
    assert window.take_retries(3600) == [count]
    assert window.take_retries(3600) == []


def test_one_batch_that_gets_no_answer_is_sent_again_beside_the_others() -> None:
    """While the centre answers others, a batch that it lost is sent again in its own time."""
    window = _window()
    _fill(window, 3)
    window.answered(3, 20)
    assert sorted(window.take_retries(37)) == [1, 2]


def test_a_fresh_batch_is_the_next_question_also_in_a_full_window() -> None:
    """While the centre is silent the newest batch takes the place of the oldest, which is backlog again."""
    window = _window()
    _fill(window, LIMIT)
    window.offer(100)
    assert window.take_fresh(20) is None
    assert window.next_fresh(20) == SILENCE_S
    assert window.take_fresh(24) == 100
    assert window.on_their_way() == {2, 3, 4, 5, 6, 7, 8, 100}


def test_one_question_a_round() -> None:
    """Many fresh batches, as a gateway has each round, are not many questions: the newest asks for all of them."""
    window = _window()
    _fill(window, LIMIT)
    asked = []
    for now in range(20, 140):
        if now in (20, 80):
            for batch in range(now * 100, now * 100 + 40):
                window.offer(batch)
        if (question := window.take_fresh(now)) is not None:
            asked.append((now, question))
    assert asked == [(24, 2039), (80, 8039)]


def test_questions_are_half_a_minute_apart() -> None:
    """Rounds of a second ask a silent centre no more often than others."""
    window = _window()
    _fill(window, LIMIT)
    asked = []
    for now in range(20, 110):
        window.offer(now)
        if window.take_fresh(now) is not None:
            asked.append(now)
    assert asked == [24, 48, 72, 96]


def test_the_backlog_waits_while_the_centre_is_silent() -> None:
    """Nothing of a backlog is sent to a centre that does not answer, though there is place in the window."""
    window = _window()
    window.take_backlog(1, 0)
    assert window.wants_backlog(20)
    assert not window.wants_backlog(24)
    assert window.next_replay(24) == float("inf")
    window.answered(1, 50)
    assert window.wants_backlog(52)


class Outage(NamedTuple):
    """What an agent sent while the centre was away, and how long live data waited when it was back."""

    sent: Counter[int]
    times: list[float]
    live_s: float


def _outage(seconds: float, chance: random.Random) -> Outage:
    """Let an agent close a batch a minute; the broker takes them, the centre answers nothing for so long."""
    window = Window(LIMIT, 2.0, chance)
    back_s, now, newest = seconds + chance.uniform(0, 600), 0.0, 0
    sent: Counter[int] = Counter()
    times: list[float] = []
    while True:
        if now >= 60 * newest:
            newest += 1
            window.offer(newest)
        batches = window.take_retries(now)
        if (fresh := window.take_fresh(now)) is not None:
            batches.append(fresh)
        if now >= back_s and newest in batches:
            return Outage(sent, times, now - back_s)
        for batch in batches:
            sent[batch] += 1
            times.append(now)
            if now >= back_s:
                window.answered(batch, now)
        now = max(now, min(60.0 * newest, window.next_fresh(now), window.next_retry(now)))


@pytest.mark.parametrize("hours", [0.1, 1, 8])
def test_live_data_does_not_wait_when_the_centre_is_back(hours: float) -> None:
    """After an outage of the centre, the broker being up, live data arrives within one round."""
    assert max(_outage(3600 * hours, random.Random(seed)).live_s for seed in range(50)) <= 60


@pytest.mark.parametrize("hours", [1, 8])
def test_a_long_outage_of_the_centre_is_no_storm(hours: float) -> None:
    """While the centre is away an agent sends one batch a round, each once; only the first one is repeated at once."""
    outage = _outage(3600 * hours, random.Random(1))
    assert outage.sent[1] == 2
    assert set(outage.sent.values()) == {1, 2}
    assert sum(outage.sent.values()) <= len(outage.sent) + 2
    rounds = Counter(int(time // 60) for time in outage.times)
    assert [count for _, count in sorted(rounds.items())][2:] == [1] * (len(rounds) - 2)


def test_without_fresh_batches_the_question_is_repeated_ever_more_rarely() -> None:
    """Fresh questions count: the pause doubles with each, so that the last one is repeated in ten minutes only."""
    window = _window()
    now = 0.0
    for batch in range(1, 20):
        window.offer(batch)
        assert window.take_fresh(now) == batch
        now += 30
    pause = window.next_retry(now) - (now - 30)
    assert 0.8 * LAST_RETRY_S <= pause <= 1.2 * LAST_RETRY_S


def test_the_backlog_waits_for_fresh_batches_and_leaves_them_a_place() -> None:
    """The backlog never takes the last place, and never goes before a fresh batch."""
    window = _window()
    window.offer(100)
    assert not window.wants_backlog(99)
    assert window.take_fresh(99) == 100
    now = 99.0
    for batch in range(1, LIMIT - 1):
        assert window.wants_backlog(now)
        window.take_backlog(batch, now)
        now += 1
    assert len(window) == LIMIT - 1
    assert not window.wants_backlog(now)
    assert window.next_replay(now) == float("inf")
    window.offer(101)
    assert window.take_fresh(now) == 101


def test_a_window_of_one_still_sends_the_backlog() -> None:
    """With a window of a single batch the backlog gets through as well."""
    window = _window(limit=1)
    assert window.wants_backlog(0)
    window.take_backlog(1, 0)
    assert not window.wants_backlog(1000)
    window.settle(1)
    assert window.wants_backlog(1000)


def test_the_backlog_follows_at_its_pace() -> None:
    """At two batches a second a backlog of a thousand takes about 500 seconds, with jitter."""
    window = _window(pace=2.0)
    now, pauses = 0.0, []
    for batch in range(1000):
        assert window.wants_backlog(now)
        window.take_backlog(batch, now)
        window.settle(batch)
        assert not window.wants_backlog(now)
        pauses.append(window.next_replay(now) - now)
        now = window.next_replay(now)
    assert 450 < now < 550
    assert min(pauses) >= 0.25
    assert max(pauses) <= 0.75


def test_an_empty_backlog_is_not_asked_for_all_the_time() -> None:
    """When nothing is left over, the spool is looked at again only after a while."""
    window = _window()
    window.pause_backlog(5)
    assert window.next_replay(5) == 5 + IDLE_S
    assert not window.wants_backlog(5 + IDLE_S - 0.01)
    assert window.wants_backlog(5 + IDLE_S)


def test_a_new_connection_begins_with_little() -> None:
    """After a reconnect two fresh batches go at once; all else is backlog, which starts after a pause of its own."""
    window = _window(pace=0.01)
    _fill(window, 12)
    window.reset(1000)
    assert window.on_their_way() == set()
    assert [window.take_fresh(1000), window.take_fresh(1000), window.take_fresh(1000)] == [4, 3, None]
    assert 1000 <= window.next_replay(1000) <= 1200


def test_an_answer_brings_what_was_sent_before_it_on_its_way_again() -> None:
    """A batch that a later one overtook was lost: it is sent again at once, not after its own pause."""
    window = _window()
    window.offer(1)
    assert window.take_fresh(0) == 1
    window.offer(2)
    assert window.take_fresh(10) == 2
    window.answered(2, 10.1)
    assert window.take_retries(11.2) == [1]


def test_an_answer_after_a_silence_is_like_a_new_connection() -> None:
    """What was sent into a silence follows as backlog, at its pace, and leaves the window to fresh batches at once."""
    window = _window()
    _fill(window, LIMIT)
    (asked,) = window.take_retries(3600)
    for batch in range(100, 110):
        window.offer(batch)
    window.answered(asked, 3600.1)
    assert window.on_their_way() == set()
    assert [window.take_fresh(3600.1) for _ in range(3)] == [109, 108, None]
    assert window.take_retries(3601.5) == []
    assert window.wants_backlog(3601.5)
    window.take_backlog(1, 3601.5)


def test_a_late_answer_after_a_silence_spares_what_was_just_asked() -> None:
    """A centre that works off its buffer answers old batches first: what it has just been asked is not repeated."""
    window = _window()
    _fill(window, LIMIT)
    window.offer(100)
    assert window.take_fresh(3600) == 100
    window.answered(1, 3605)
    assert window.on_their_way() == {100}
    assert window.take_retries(3605 + 0.79 * FIRST_RETRY_S) == []
    assert window.take_retries(3605 + 1.21 * FIRST_RETRY_S) == [100]


def test_an_answer_does_not_repeat_what_is_just_on_its_way() -> None:
    """While the centre answers in its own time, nothing is sent twice."""
    window = _window()
    _fill(window, LIMIT)
    window.answered(3, 2.0)
    assert window.take_retries(20.0) == []


def test_fresh_batches_that_nobody_takes_are_bounded() -> None:
    """During an outage the window remembers a bounded number of batches; the spool has them all."""
    window = _window()
    for batch in range(1000):
        window.offer(batch)
    assert sum(batch in window for batch in range(1000)) == FRESH_LIMIT
    assert 999 in window


def test_what_is_settled_is_forgotten_wherever_it_is() -> None:
    """An answer counts for a batch on its way, for one that waits to be sent, and harms nothing when unknown."""
    window = _window()
    window.offer(1)
    window.offer(2)
    window.take_fresh(0)
    window.settle(2)
    window.settle(1)
    window.settle(99)
    assert (len(window), window.take_fresh(0), window.next_retry(0)) == (0, None, float("inf"))


class WindowMachine(RuleBasedStateMachine):
    """An agent's life in batches: closed, sent, answered or not, connections lost; the spool is a set here."""

    @initialize(limit=st.integers(1, 8), pace=st.sampled_from([0.2, 2.0, 20.0]), old=st.integers(0, 12))
    def begin(self, limit: int, pace: float, old: int) -> None:
        """Start with some batches left over from an earlier run."""
        self.window = Window(limit, pace, random.Random(1))
        self.limit = limit
        self.now = 1000.0
        self.newest = old
        self.spool = set(range(1, old + 1))
        self.cursor = 0
        self.attempts: dict[int, tuple[int, float]] = {}  # batch: how often (as far as it counts) and when last sent
        self.heard = 0.0  # the last answer, or when waiting for one began
        self.asked = 0.0  # the last batch that was sent to a silent centre

    @rule(count=st.integers(1, 70))
    def close(self, count: int) -> None:
        """Close batches, as a round does."""
        for _ in range(count):
            self.newest += 1
            self.spool.add(self.newest)
            self.window.offer(self.newest)

    @rule(seconds=st.floats(0, 1000))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule()
    def wait_until_due(self) -> None:
        """Let time pass until the window says that it has something to do."""
        due = self.window.next_due(self.now)
        self.now = max(self.now, min(due, self.now + 2000))

    @rule()
    def send(self) -> None:
        """Do what agent/delivery.py does; a window that says `now` must get something done."""
        due = self.window.next_due(self.now)
        made = self._send()
        assert made or due > self.now, "the window said that something is due and nothing was done"
        assert self.window.next_due(self.now) > self.now, "a busy loop"

    @rule(chance=st.randoms(use_true_random=False))
    def answer(self, chance: random.Random) -> None:
        """Let the centre store one of the batches that were sent."""
        if sent := sorted(self.attempts.keys() & self.spool):
            self._settle(chance.choice(sent))

    @rule(batch=st.integers(1, 100))
    def drop(self, batch: int) -> None:
        """Let the spool lose a batch at its size cap: the window does not know yet."""
        self.spool.discard(batch)

    @rule()
    def reconnect(self) -> None:
        """Lose the connection and get a new one: nothing is on its way any more."""
        self.window.reset(self.now)
        self.attempts.clear()
        self.cursor = 0

    @invariant()
    @precondition(lambda self: hasattr(self, "window"))
    def never_more_than_the_limit(self) -> None:
        """No more than `limit` batches are unacknowledged, and only ones that were sent."""
        assert len(self.window) == len(self.window.on_their_way()) <= self.limit
        assert self.window.on_their_way() <= self.attempts.keys()

    def teardown(self) -> None:
        """Let a centre that answers everything get everything: nothing that is in the spool is lost."""
        if not hasattr(self, "window"):
            return
        self.reconnect()
        for _ in range(20 * (len(self.spool) + 2)):
            self._send()
            for batch in self.attempts.keys() & self.spool:
                self._settle(batch)
            if not self.spool:
                return
            due = self.window.next_due(self.now)
            self.now = due if due < float("inf") else self.now + 1
        raise AssertionError(f"never sent: {sorted(self.spool)[:10]}")

    def _is_silent(self) -> bool:
        """Tell whether the centre owes an answer for as long as the shortest pause before a retry."""
        return bool(self.window.on_their_way()) and self.now >= self.heard + SILENCE_S

    def _take_fresh(self) -> int | None:
        """Take a fresh batch; what falls out of a full window may come again as backlog at any time."""
        before, was_silent = self.window.on_their_way(), self._is_silent()
        fresh = self.window.take_fresh(self.now)
        for batch in before - self.window.on_their_way():
            assert was_silent, "a batch fell out of the window of a centre that answers"
            self.attempts[batch] = (0, self.now)
        return fresh

    def _take_retries(self) -> list[int]:
        """Take the retries; a silent centre is asked with the newest only."""
        newest = max(self.window.on_their_way(), default=0)
        retries = self.window.take_retries(self.now)
        assert not self._is_silent() or set(retries) <= {newest}
        return retries

    def _send(self) -> int:
        """Send as agent/delivery.py does; return how many steps were made."""
        steps = 0
        was_silent = self._is_silent()
        while (fresh := self._take_fresh()) is not None:
            self._publish(fresh, was_silent)
            steps += 1
        while retries := self._take_retries():
            for batch in retries:
                self._publish(batch, was_silent)
                steps += 1
        if self.window.wants_backlog(self.now):
            assert not self._is_silent()
            steps += 1
            old = self._next_old()
            if old is None:
                self.window.pause_backlog(self.now)
            else:
                assert self.window.take_fresh(self.now) is None, "backlog before a fresh batch"
                self.window.take_backlog(old, self.now)
                self._publish(old, was_silent)
        return steps

    def _next_old(self) -> int | None:
        for batch in sorted(self.spool):
            if batch > self.cursor:
                self.cursor = batch
                if batch not in self.window:
                    return batch
        self.cursor = 0
        return None

    def _publish(self, batch: int, was_silent: bool) -> None:
        if self.window.on_their_way() == {batch} and not was_silent:
            self.heard = max(self.heard, self.now)
        if batch not in self.spool:
            self.attempts[batch] = (0, self.now)
            self.window.settle(batch)
            return
        if was_silent:
            assert self.now >= self.asked + SILENCE_S, "two questions at a time"
            self.asked = self.now
        count, last = self.attempts.get(batch, (0, 0.0))
        if count:
            earliest = last + 0.8 * min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** (count - 1))
            assert self.now >= earliest, f"batch {batch} sent again {self.now - last:.1f} s after the last time"
        self.attempts[batch] = (count + 1, self.now)

    def _settle(self, batch: int) -> None:
        """Answer for a batch: others are sent again without their doubled pauses, at once if it overtook them."""
        overtaken = self.attempts[batch][1] - FIRST_RETRY_S / 6
        for other, (count, last) in self.attempts.items():
            self.attempts[other] = (0 if last < overtaken else min(count, 1), last)
        self.spool.discard(batch)
        self.window.answered(batch, self.now)
        self.heard = self.now


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
