"""
What verification says: of each unit, of each target, and of the programme.

A verdict is PASS 达标, FAIL 不达标 or NOT PROVEN 证据不足; of single units people read proven 已证实, failing 不合格,
unproven 未证实.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from collector.targets.schema import Target


class Verdict(StrEnum):
    """What evidence says of a threshold."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    NOT_PROVEN = "not_proven"


class Interval(NamedTuple):
    """
    A rate that evidence bounds: it is at least `low` and at most `high`, both in 0 to 1.

    Availability (ITU-T G.827, with what is unknown apart): low = good ÷ (service − excluded),
    high = (good + unknown) ÷ (service − excluded), in minutes. The same over units: low = proven ÷ all,
    high = (proven + unproven) ÷ all.
    """

    low: float
    high: float

    @classmethod
    def of(cls, good: int, unknown: int, total: int) -> "Interval":
        """Return the interval of counts; without anything to count nothing is proven: 0 to 1."""
        return cls(good / total, (good + unknown) / total) if total else cls(0.0, 1.0)

    def verdict(self, threshold: float) -> Verdict:
        """Return PASS when low ≥ threshold, FAIL when high < threshold, else NOT PROVEN."""
        if self.low >= threshold:
            return Verdict.PASS
        return Verdict.FAIL if self.high < threshold else Verdict.NOT_PROVEN


class UnitResult(NamedTuple):
    """
    One unit of a target: a site, a class or a device.

    `id` is its site, room or device id, `title` its name in people's language. `minutes` are those of the period by
    cause; `figures` are further numbers by name (`days`, `days_good`, `never_on`, `goodput_mbps` …). `why` is the key
    of the sentence that says what decided: its words are in `collector/words.py`.
    """

    id: str
    title: str
    site: str
    verdict: Verdict
    rate: Interval | None = None
    minutes: Mapping[str, int] = {}
    figures: Mapping[str, float] = {}
    why: str = ""


class TargetResult(NamedTuple):
    """One target: its verdict, the rate over its units, and these. `why` as above."""

    target: Target
    verdict: Verdict
    rate: Interval | None
    units: tuple[UnitResult, ...] = ()
    why: str = ""

    def count(self, verdict: Verdict) -> int:
        """Return how many units have a verdict."""
        return sum(unit.verdict is verdict for unit in self.units)
