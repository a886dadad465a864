"""
Which batches are on their way: the agent's half of end-to-end acknowledgement, without any I/O.

    fresh ──▶ ┌────────────┐ ──▶ send ──▶ acknowledged: forget
    backlog ─▶│ ≤ 8 unacked │ ──▶ no answer: send again after 30 s, 60 s … 10 min, jittered
      (paced) └────────────┘

Fresh batches go first. While the window is full and nothing is answered, only its newest batch is sent again: a centre
that is away gets one batch as a question, not eight, and its answer brings what was sent before it on its way again.
The backlog follows at its own jittered pace and leaves one place to fresh batches.

Times are seconds of any monotonic clock.
"""

import random
from collections import deque

FIRST_RETRY_S = 30.0
LAST_RETRY_S = 600.0
IDLE_S = 10.0
FRESH_LIMIT = 64
FRESH_AFTER_RESET = 2


class _Flight:
    """One batch on its way."""

    __slots__ = ("attempts", "retry_at", "sent_at")

    def __init__(self, sent_at: float, retry_at: float) -> None:
        self.attempts = 1
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
        self._answered_at = float("-inf")

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
        """Return a fresh batch to send now, newest first, None when there is none or no place."""
        if not self._fresh or len(self._flights) >= self.limit:
            return None
        batch = self._fresh.pop()
        self._flights[batch] = _Flight(now, now + self._delay(1))
        return batch

    def wants_backlog(self, now: float) -> bool:
        """Tell whether one batch of the backlog may be sent now."""
        return now >= self._replay_at and not self._fresh and len(self._flights) < max(1, self.limit - 1)

    def take_backlog(self, batch: int, now: float) -> None:
        """Put a batch of the backlog on its way."""
        self._flights[batch] = _Flight(now, now + self._delay(1))
        self._replay_at = now + self._pause * self._chance.uniform(0.5, 1.5)

    def pause_backlog(self, now: float) -> None:
        """Note that there is no backlog; look again in a while."""
        self._replay_at = now + max(IDLE_S, self._pause)

    def take_retries(self, now: float) -> list[int]:
        """Return the batches to send again now."""
        due = [batch for batch, flight in self._flights.items() if flight.retry_at <= now]
        if self._is_unanswered(now):
            newest = max(self._flights)
            due = [newest] if newest in due else []
        for batch in due:
            flight = self._flights[batch]
            flight.attempts += 1
            flight.sent_at = now
            flight.retry_at = now + self._delay(flight.attempts)
        return due

    def next_retry(self, now: float) -> float:
        """Return when `take_retries` will have something, infinity when nothing is on its way."""
        if self._is_unanswered(now):
            return self._flights[max(self._flights)].retry_at
        return min((flight.retry_at for flight in self._flights.values()), default=float("inf"))

    def next_replay(self) -> float:
        """Return when the backlog may send again, infinity while it has to wait for an answer."""
        has_place = not self._fresh and len(self._flights) < max(1, self.limit - 1)
        return self._replay_at if has_place else float("inf")

    def settle(self, batch: int) -> None:
        """Forget a batch that was acknowledged, refused or dropped; unknown ones are no error."""
        self._flights.pop(batch, None)
        if batch in self._fresh:
            self._fresh.remove(batch)

    def answered(self, batch: int, now: float) -> None:
        """
        Settle a batch that the centre answered, and send again soon what was sent well before it.

        A centre takes batches in about the order in which they were sent: one that is overtaken by a sixth of the first
        retry, 5 s, was lost.
        """
        flight = self._flights.get(batch)
        self.settle(batch)
        self._answered_at = now
        if flight is None:
            return
        for other in self._flights.values():
            if other.sent_at < flight.sent_at - FIRST_RETRY_S / 6:
                other.retry_at = min(other.retry_at, now + self._chance.uniform(0.0, 2 * self._pause))

    def _is_unanswered(self, now: float) -> bool:
        return len(self._flights) >= self.limit and now - self._answered_at > FIRST_RETRY_S

    def reset(self, now: float) -> None:
        """Forget what was on its way: the connection is gone, or new. The backlog starts after a jittered pause."""
        self._flights.clear()
        while len(self._fresh) > FRESH_AFTER_RESET:
            self._fresh.popleft()
        self._replay_at = now + self._pause * self._chance.uniform(0.0, 2.0)

    def _delay(self, attempt: int) -> float:
        """Return the pause after the n-th attempt: 30 s doubling to 10 min, ± 20 %."""
        doublings = min(attempt - 1, 20)  # a week without an answer is a thousand attempts
        return min(LAST_RETRY_S, FIRST_RETRY_S * 2.0**doublings) * self._chance.uniform(0.8, 1.2)
