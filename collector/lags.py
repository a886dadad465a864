"""How late batches come: counted in steps of 5 %, so that whatever number of them takes a few hundred counters."""

import math
import threading
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

_STEP = math.log(1.05)


class Lag(NamedTuple):
    """Lags (ms) within which half of the batches came, and 99 % of them; within 3 % of what they were."""

    p50_ms: int
    p99_ms: int


class Lags:
    """The lags of batches since the last `take`, whose answer is kept in `last`; threads may share it."""

    def __init__(self) -> None:
        self.last: Lag | None = None
        self._counts: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, lags_ms: Iterable[int]) -> None:
        """Count lags; a clock that is ahead, and so came before its time, was not late."""
        steps = [round(math.log(max(lag_ms, 1)) / _STEP) for lag_ms in lags_ms]
        with self._lock:
            self._counts.update(steps)

    def take(self) -> Lag | None:
        """Return the lags that were counted and begin anew, None without any."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        self.last = Lag(_within(counts, 0.5), _within(counts, 0.99)) if counts else None
        return self.last


def _within(counts: Counter[int], share: float) -> int:
    rest = math.ceil(share * counts.total())
    for step in sorted(counts):
        rest -= counts[step]
        if rest <= 0:
            return round(math.exp(step * _STEP))
    raise ValueError("nothing was counted")
