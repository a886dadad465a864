"""
Throughput tests of one device: each in its turn, within the month's bytes, one at a time.

What was moved and when each was last tested is kept beside the spool. Times are unix seconds.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from agent.probe import budget
from agent.probe.settings import Throughput
from agent.probe.slots import month_of, slot_of

log = logging.getLogger("santong.agent")

LATE_S = 5.0  # a test that begins later than this would run into the neighbour's slot


class Turns:
    """Whose turn it is. `tests` are the names of the device's throughput probes, in the order of the settings."""

    def __init__(self, device: str, folder: Path, tests: Sequence[str]) -> None:
        self._device = device
        self._folder = folder
        self._turns = {name: (number, len(tests)) for number, name in enumerate(tests)}
        self._spent = budget.read(folder)
        self._reserved: dict[str, tuple[str, int]] = {}  # month and bytes that a running test may move

    @property
    def is_running(self) -> bool:
        """Tell whether a test has the line."""
        return bool(self._reserved)

    def next_s(self, ask: Throughput, name: str, now_s: float) -> float:
        """Return when the device's next slot for this test begins."""
        earliest_s = max(now_s, self._spent.last(name, now_s) + ask.every)
        slot = slot_of(ask, self._device, earliest_s, self._turns[name])
        if slot.begins < earliest_s:
            slot = slot_of(ask, self._device, slot.ends, self._turns[name])
        return slot.begins

    def is_now(self, ask: Throughput, name: str, now_s: float) -> bool:
        """Tell whether its slot has just begun, no test is running and its last one is long enough ago."""
        slot = slot_of(ask, self._device, now_s, self._turns[name])
        is_due = self._spent.last(name, now_s) + ask.every <= now_s
        return is_due and slot.begins <= now_s < slot.begins + LATE_S and not self.is_running

    def begin(self, ask: Throughput, name: str, now_s: float) -> Throughput | None:
        """
        Book a test with all that it may move, and return it with no more bytes than are left; None when none are.

        What it did not move is given back at its end; a test that a power cut ends has moved all of it.
        """
        month = month_of(ask, now_s)
        reserved = max(0, min(ask.max_bytes, ask.budget - self._spent.in_month(month)))
        self._book(self._spent.begun(name, now_s).plus(month, reserved))
        if not reserved:
            return None
        self._reserved[name] = (month, reserved)
        return ask._replace(max_bytes=type(ask.max_bytes)(reserved))

    def end(self, name: str, moved: object) -> None:
        """Give back what a test did not move; all of it stays booked where nobody knows what it moved."""
        month, reserved = self._reserved.pop(name)
        if isinstance(moved, int):
            self._book(self._spent.plus(month, moved - reserved))

    def forget(self) -> None:
        """Let go of tests that will not answer any more."""
        self._reserved.clear()

    def _book(self, spent: budget.Spent) -> None:
        self._spent = spent
        try:
            budget.write(self._folder, spent)
        except OSError as error:
            log.warning("%s: %s: a restart forgets what throughput tests have moved", budget.FILE, error.strerror)
