"""Runs minute by minute, as tests compare them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from collector.verify.causes import MINUTE_NS, Cause, Run


class Minute(NamedTuple):
    """One minute, by its start."""

    start_ns: int
    cause: Cause
    stage: str = ""


def minutes_in(runs: Iterable[Run]) -> Iterator[Minute]:
    """Yield the minutes of runs."""
    for run in runs:
        for start_ns in range(run.start_ns, run.end_ns, MINUTE_NS):
            yield Minute(start_ns, run.cause, run.stage)
