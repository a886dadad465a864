"""One measurement at one instant."""

from collections.abc import Mapping
from typing import NamedTuple

Value = float | int | str | bool


class Sample(NamedTuple):
    """
    One measurement at one instant; data only.

    `at_ns` is CLOCK_BOOTTIME in nanoseconds: the instant is known even while the wall clock is not. The pipeline
    dates a sample when the clock is trusted. (A NamedTuple, not a dataclass: importing `dataclasses` would cost
    an agent 2 MB.)
    """

    measurement: str
    fields: Mapping[str, Value]
    at_ns: int
    tags: Mapping[str, str] = {}
