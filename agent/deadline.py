"""Until when a question must be answered, however many steps it takes."""

import time


class Deadline:
    """An instant until which something must be done."""

    def __init__(self, timeout_s: float) -> None:
        self._at = time.monotonic() + timeout_s

    def left_s(self, most_s: float = float("inf")) -> float:
        """Return the seconds left, at most `most_s` and never below a millisecond (0 would mean: do not wait)."""
        return max(0.001, min(most_s, self._at - time.monotonic()))

    @property
    def is_over(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() >= self._at
