"""What takes long to find out and changes slowly: found out once in a while, for everybody who asks."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
log = logging.getLogger("santong.api")


class Fresh(Generic[T]):
    """
    Holds what `make` returned for `seconds`.

    Afterwards it is found out anew behind the back of whoever asks, who gets the one before, up to five times as old;
    beyond that, and at first, one waits for it. What `make` raises is raised to whoever waits.
    """

    def __init__(self, make: Callable[[], T], seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._seconds, self._clock = make, seconds, clock
        self._lock = threading.Lock()
        self._held: tuple[float, T] | None = None

    def get(self) -> T:
        """Return it."""
        held = self._held
        if held is None or self._age(held) > 5 * self._seconds:
            return self._wait()
        if self._age(held) > self._seconds and self._lock.acquire(blocking=False):
            threading.Thread(target=self._renew, name="fresh", daemon=True).start()
        return held[1]

    def _age(self, held: tuple[float, T]) -> float:
        return self._clock() - held[0]

    def _wait(self) -> T:
        with self._lock:
            if self._held is None or self._age(self._held) > self._seconds:
                self._held = (self._clock(), self._make())
            return self._held[1]

    def _renew(self) -> None:
        """Find it out with the lock held, and let go of it."""
        try:
            self._held = (self._clock(), self._make())
        except Exception as error:  # noqa: BLE001  whoever waits next is told
            log.warning("not found out anew: %s", error)
        finally:
            self._lock.release()
