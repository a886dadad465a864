"""
How often a password may be guessed: a wait that doubles with each wrong guess, by address and by name.

A guess is counted before it is looked at, so that many at once are no more than many in a row. What is kept is bounded,
and in memory: a restart forgives, and costs an attacker more than it gives.
"""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

FREE = 5  # wrong guesses without a wait
_MOST_KEYS = 10_000
_FORGET_S = 3600.0
# Whoever guesses from one address waits long; a name that others guess at stays open to its owner.
_MOST_S = {"address": 900.0, "name": 30.0}


class _Tries(NamedTuple):
    number: int
    last_s: float
    until_s: float


class Throttle:
    """Counts guesses; thread-safe. Seconds are of any clock that never goes back."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, keys: Iterable[str], now_s: float) -> float:
        """Return how long to wait, in seconds; 0: the guess is counted, and may be looked at."""
        names = list(keys)
        with self._lock:
            wait = max((self._tries[key].until_s - now_s for key in names if key in self._tries), default=0.0)
            if wait > 0:
                return wait
            for key in names:
                self._count(key, now_s)
            return 0.0

    def right(self, keys: Iterable[str]) -> None:
        """Forget the guesses at a name; of an address only this one, which was right: it may guess at other names."""
        with self._lock:
            for key in keys:
                tries = self._tries.pop(key, None)
                if tries and key.startswith("address:") and tries.number > 1:
                    self._tries[key] = _Tries(tries.number - 1, tries.last_s, 0.0)

    def _count(self, key: str, now_s: float) -> None:
        before = self._tries.pop(key, None)
        count = 1 + (before.number if before and now_s - before.last_s < _FORGET_S else 0)
        most = _MOST_S[key.partition(":")[0]]
        pause = min(most, 2.0 ** min(count - FREE, 30)) if count >= FREE else 0.0
        self._tries[key] = _Tries(count, now_s, now_s + pause)
        while len(self._tries) > _MOST_KEYS:
            self._tries.popitem(last=False)


def keys_of(address: str, name: str) -> tuple[str, str]:
    """Return what guesses are counted by; of IPv6 a whole network of 64 bits is one address."""
    try:
        found = ipaddress.ip_address(address)
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
            address = str(ipaddress.ip_network((found, 64), strict=False))
    except ValueError:
        pass
    return f"address:{address}", f"name:{name.casefold()[:64]}"
