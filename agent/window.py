"""
Which batches are on their way: the agent's half of end-to-end acknowledgement, without any I/O.

    fresh ──▶ ┌────────────┐ ──▶ send ──▶ acknowledged: forget
    backlog ─▶│ ≤ 8 unacked │ ──▶ no answer: send again after 30 s, 60 s … 10 min, jittered
      (paced) └────────────┘

Fresh batches go first. The backlog follows at its own jittered pace and leaves one place to fresh batches.

When nothing has been answered for about half a minute the centre is silent. Then there is one question at a time, the
newest batch: a fresh one takes over as the question, also in a full window, where the oldest batch falls back into the
backlog; without a fresh one the question is repeated, ever more rarely. So a centre that is away gets one batch a round
from an agent, each once, and when it is back the first thing it gets is live.

Times are seconds of any monotonic clock.
"""

import random
from collections import deque

FIRST_RETRY_S = 30.0
LAST_RETRY_S = 600.0
IDLE_S = 10.0
FRESH_LIMIT = 64
FRESH_AT_ONCE = 2
_JITTER = 0.2


class _Flight:
    """One batch on its way."""

    __slots__ = ("attempts", "retry_at", "sent_at")

    def __init__(self, attempts: int, sent_at: float, retry_at: float) -> None:
        self.attempts = attempts
        self.sent_at = sent_at
        self.retry_at = retry_at


class Window:
    """The window of unacknowledged batches. Batches are named by the spool's ascending ids."""

    def __init__(self, limit: int, replay_per_second: float, chance: random.Random) -> None:
        self.limit = limit
        self._pause = 1 / replay_per_second
        self._chance = chance
        self._flights: dict[int, _Flight] = {}
        self._fresh: deque[int] = deque(maxlen=FRESH_LIMIT)
        self._replay_at = 0.0
        self._waits_since = 0.0  # the last answer, or when the first of what is on its way was sent after it
        self._asked_at = 0.0  # when a silent centre was asked last

    def __contains__(self, batch: int) -> bool:
        return batch in self._flights or batch in self._fresh

    def __len__(self) -> int:
        return len(self._flights)

    def on_their_way(self) -> set[int]:
        """Return the unacknowledged batches."""
        return set(self._flights)

    def offer(self, batch: int) -> None:
        """Announce a batch that was just closed; of too many that wait, the oldest are backlog from now on."""
        self._fresh.append(batch)

    def take_fresh(self, now: float) -> int | None:
        """Return a fresh batch to send now, newest first, None when there is none or it has to wait."""
        if now < self.next_fresh(now):
            return None
        attempts = self._question().attempts + 1 if self._is_silent(now) else 1
        batch = self._fresh.pop()
        self._send(batch, now, attempts)
        if len(self._flights) > self.limit:
            del self._flights[min(self._flights)]
        return batch

    def next_fresh(self, now: float) -> float:
        """Return when `take_fresh` will have something: `now` where there is place, infinity without a fresh batch."""
        if not self._fresh:
            return float("inf")
        if len(self._flights) < self.limit and not self._is_silent(now):
            return now
        is_newer = self._fresh[-1] > max(self._flights)
        return max(self._silent_at(), self._asked_at + _shortest_retry_s()) if is_newer else float("inf")

    def wants_backlog(self, now: float) -> bool:
        """Tell whether one batch of the backlog may be sent now."""
        return now >= self._replay_at and self._has_place_for_backlog() and not self._is_silent(now)

    def take_backlog(self, batch: int, now: float) -> None:
        """Put a batch of the backlog on its way."""
        self._send(batch, now)
        self._replay_at = now + self._pause * self._chance.uniform(0.5, 1.5)

    def pause_backlog(self, now: float) -> None:
        """Note that there is no backlog; look again in a while."""
        self._replay_at = now + max(IDLE_S, self._pause)

    def next_replay(self, now: float) -> float:
        """Return when the backlog may send again, infinity while it has to wait for an answer."""
        return self._replay_at if self._has_place_for_backlog() and not self._is_silent(now) else float("inf")

    def take_retries(self, now: float) -> list[int]:
        """Return the batches to send again now; while the centre is silent, the question at most."""
        due = [batch for batch, flight in self._flights.items() if flight.retry_at <= now]
        if self._is_silent(now):
            due = [batch for batch in due if batch == max(self._flights)]
        for batch in due:
            self._send(batch, now, self._flights[batch].attempts + 1)
        return due

    def next_retry(self, now: float) -> float:
        """Return when `take_retries` will have something, infinity when nothing is on its way."""
        if self._is_silent(now):
            return self._question().retry_at
        return min((flight.retry_at for flight in self._flights.values()), default=float("inf"))

    def next_due(self, now: float) -> float:
        """Return when anything may be sent: a fresh batch, one again, one of the backlog."""
        return min(self.next_fresh(now), self.next_retry(now), self.next_replay(now))

    def settle(self, batch: int) -> None:
        """Forget a batch that was acknowledged, refused or dropped; unknown ones are no error."""
        self._flights.pop(batch, None)
        if batch in self._fresh:
            self._fresh.remove(batch)

    def answered(self, batch: int, now: float) -> None:
        """
        Settle a batch that the centre answered, and send again soon what was sent well before it.

        A centre takes batches in about the order in which they were sent: one that is overtaken by a sixth of the first
        retry, 5 s, was lost. After a silence it is like after a reconnect: what got no answer then is backlog.
        """
        flight, was_silent = self._flights.get(batch), self._is_silent(now)
        self.settle(batch)
        self._waits_since = now
        if was_silent:
            self._begin_again(now)
        if flight is None:
            return
        for other in self._flights.values():
            if other.sent_at < flight.sent_at - FIRST_RETRY_S / 6:
                other.retry_at = min(other.retry_at, now + self._chance.uniform(0.0, 2 * self._pause))

    def reset(self, now: float) -> None:
        """Forget what was on its way: the connection is gone, or new. The backlog starts after a jittered pause."""
        self._flights.clear()
        self._begin_again(now)

    def _begin_again(self, now: float) -> None:
        """Leave to the backlog what was not sent just now, and start it after a jittered pause."""
        self._flights = {
            batch: _Flight(1, flight.sent_at, now + self._delay(1))
            for batch, flight in self._flights.items()
            if now - flight.sent_at < _shortest_retry_s()
        }
        while len(self._fresh) > FRESH_AT_ONCE:
            self._fresh.popleft()
        self._replay_at = now + self._pause * self._chance.uniform(0.0, 2.0)

    def _send(self, batch: int, now: float, attempts: int = 1) -> None:
        if not self._flights:
            self._waits_since = max(self._waits_since, now)
        elif self._is_silent(now):
            self._asked_at = now
        self._flights[batch] = _Flight(attempts, now, now + self._delay(attempts))

    def _has_place_for_backlog(self) -> bool:
        return not self._fresh and len(self._flights) < max(1, self.limit - 1)

    def _question(self) -> _Flight:
        return self._flights[max(self._flights)]

    def _silent_at(self) -> float:
        """Return when the centre is silent if no answer comes: as soon as anything could be due again."""
        return self._waits_since + _shortest_retry_s() if self._flights else float("inf")

    def _is_silent(self, now: float) -> bool:
        return now >= self._silent_at()

    def _delay(self, attempt: int) -> float:
        """Return the pause after the n-th attempt: 30 s doubling to 10 min, ± 20 %."""
        doublings = min(attempt - 1, 20)  # a week without an answer is a thousand attempts
        return min(LAST_RETRY_S, FIRST_RETRY_S * 2.0**doublings) * self._chance.uniform(1 - _JITTER, 1 + _JITTER)


def _shortest_retry_s() -> float:
    return FIRST_RETRY_S * (1 - _JITTER)
