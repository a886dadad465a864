"""
When a device may load the line: in its own slot of the off-lesson window; a school's classes never test at once.

A window is cut into slots as long as a test may take. Numbered places keep apart by construction: up to 20 classes in
each of nine grades (`c0101` to `c0920`) have slots of their own in two hours of 30 s slots; other places are spread by
a hash. Schools are shifted against each other, so that a city's server is not asked by all of them at once. Where a
site is numbered in another way, `slot` in the settings says which one is the device's.
"""

import re
import time
import zlib
from typing import NamedTuple

from agent.probe.settings import Throughput

DAY_S = 86_400
_CLASSES_A_GRADE = 20


class Slot(NamedTuple):
    """A slot of one day, begin and end in unix s."""

    begins: float
    ends: float


def number_of(place: str) -> int:
    """Return a place's number: `c0703` or `7-3` is class 3 of grade 7; places without digits get a hash."""
    digits = [int(group) for group in re.findall(r"\d+", place)]
    if not digits:
        return zlib.crc32(place.encode())
    grade, number = digits[-2:] if len(digits) > 1 else divmod(digits[0], 100)
    return grade * _CLASSES_A_GRADE + number


def slot_of(ask: Throughput, device: str, unix_s: float, turn: tuple[int, int] = (0, 1)) -> Slot:
    """
    Return the device's slot that runs at `unix_s` or is the next to come.

    `turn` says which of how many throughput probes of the device this is: each has a slot of its own.
    """
    site, _, place = device.partition(".")
    which, of_all = turn
    own = number_of(place) * of_all + which + zlib.crc32(site.encode())
    number = own if ask.slot is None else ask.slot
    zone_s = ask.window.zone_s
    today = (unix_s + zone_s) // DAY_S * DAY_S - zone_s
    for midnight in (today, today + DAY_S):
        for start, end in sorted(ask.window.spans_s):
            slots = max(1, int((end - start) / ask.timeout))
            begins = midnight + start + number % slots * ask.timeout
            if begins + ask.timeout > unix_s:
                return Slot(begins, begins + ask.timeout)
    raise AssertionError("a window has a slot each day")


def month_of(ask: Throughput, unix_s: float) -> str:
    """Return the month of the device's place, `2026-11`."""
    return time.strftime("%Y-%m", time.gmtime(unix_s + ask.window.zone_s))
