"""
A cable between two network namespaces with delay, jitter, loss and duplicates: netem, which not every kernel has.

Each end is a TAP interface, and every frame passes through this process. It prints "ready" when both ends exist; when
it ends, both interfaces vanish, as if the network card had been pulled out. Jitter can change the order of frames.
Chance is seeded: the same frames in the same order meet the same fate.

    python -m tests.lab.wire NAMESPACE INTERFACE NAMESPACE INTERFACE '{"delay_ms": 20, "loss": 0.1}'
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.lab.background import Background

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
BURST = 64  # frames read from one end before the other gets its turn
FRAME = 65536
IDLE_S = 1.0

End = tuple[str, str]  # namespace, interface


class Settings(NamedTuple):
    """What befalls a frame, in each direction: delay and jitter in ms, loss and duplicates from 0 to 1."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    dup: float = 0.0
    seed: float = 1


class Flight(NamedTuple):
    """A frame under way: when it is due, by what it is ordered among those due then, where to, what."""

    due: float
    number: int
    end: int
    frame: bytes


def start_wire(one: End, other: End, log: Path, settings: Mapping[str, float]) -> Background:
    """Start a cable and return when both ends exist."""
    words = json.dumps(Settings(**settings)._asdict())
    wire = Background([sys.executable, "-m", "tests.lab.wire", *one, *other, words], log)
    wire.wait_until(lambda: "ready" in wire.words())
    return wire


def open_tap(namespace: str, name: str) -> int:
    """Make a TAP; it belongs to the namespace in which it was made, whoever holds its descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open() as home, Path(f"/run/netns/{namespace}").open() as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns: are you root?")
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        libc.setns(home.fileno(), CLONE_NEWNET)
    return tap


class Wire:
    """The cable between two descriptors."""

    def __init__(self, one: int, other: int, settings: Settings) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(one, selectors.EVENT_READ, other)
        self._selector.register(other, selectors.EVENT_READ, one)
        self._settings = settings
        self._random = random.Random(settings.seed)
        self._under_way: list[Flight] = []
        self._number = 0

    def run(self) -> None:
        """Pass frames on for ever."""
        while True:
            for key, _ in self._selector.select(self._deliver()):
                for _ in range(BURST):
                    try:
                        self._accept(os.read(key.fd, FRAME), key.data)
                    except OSError:  # nothing more to read, or the near interface is down
                        break

    def _accept(self, frame: bytes, end: int) -> None:
        wish, chance = self._settings, self._random
        if chance.random() < wish.loss:
            return
        for _ in range(2 if chance.random() < wish.dup else 1):
            self._number += 1
            delay_ms = max(0.0, wish.delay_ms + chance.uniform(-1, 1) * wish.jitter_ms)
            heapq.heappush(self._under_way, Flight(time.monotonic() + delay_ms / 1000, self._number, end, frame))

    def _deliver(self) -> float:
        """Write what is due; return the seconds until the next frame is."""
        while self._under_way:
            wait = self._under_way[0].due - time.monotonic()
            if wait > 0:
                return wait
            flight = heapq.heappop(self._under_way)
            try:
                os.write(flight.end, flight.frame)
            except OSError:  # the far interface is down, or its queue is full: lost, as on a real cable
                continue
        return IDLE_S


if __name__ == "__main__":
    *ends, wishes = sys.argv[1:]
    cable = Wire(open_tap(*ends[:2]), open_tap(*ends[2:]), Settings(**json.loads(wishes)))
    print("ready", flush=True)
    cable.run()
