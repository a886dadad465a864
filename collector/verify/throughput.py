"""
Acceptance of throughput: the median test against what was promised, and how sure that is.

The bounds of the median are order statistics, whatever the distribution: of n sorted tests the k-th is a lower bound at
confidence 1 − α for the largest k with P(B ≤ k − 1) ≤ α, B binomial(n, ½). One-sided at 95 % that takes five tests
(½⁵ = 3.1 %). Source: W. J. Conover, Practical Nonparametric Statistics, §3.2. A test is a TCP goodput (RFC 6349); one
that was limited by the network card, the processor or other traffic says nothing of the line: inconclusive.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from math import comb
from typing import NamedTuple

from collector.verify.results import UnitResult, Verdict

ALPHA = 0.05
LEAST_TESTS = 5  # the fewest that have bounds: ½⁵ ≤ ALPHA < ½⁴
INCONCLUSIVE = frozenset({"nic", "cpu", "cross-traffic"})


class Test(NamedTuple):
    """One throughput test of a device; `limited_by` in the agent's words, empty for the line."""

    device: str
    time_ns: int
    direction: str
    goodput_mbps: float
    limited_by: str = ""

    @property
    def is_conclusive(self) -> bool:
        """Tell whether the line itself was the limit."""
        return self.limited_by not in INCONCLUSIVE


class Bounds(NamedTuple):
    """The median of n tests in Mbit/s, with its one-sided 95 % bounds; None where n is too small for them."""

    tests: int
    median: float
    lower: float | None
    upper: float | None

    def verdict(self, threshold: float) -> Verdict:
        """Return PASS when the lower bound reaches the threshold, FAIL when the upper one does not."""
        if self.lower is not None and self.lower >= threshold:
            return Verdict.PASS
        return Verdict.FAIL if self.upper is not None and self.upper < threshold else Verdict.NOT_PROVEN


@cache
def rank(tests: int) -> int:
    """Return which of n sorted tests is the lower 95 % bound of the median, counted from 1; 0: none is."""
    total, found = 0, 0
    for k in range(1, tests + 1):
        total += comb(tests, k - 1)
        if total > ALPHA * 2**tests:
            break
        found = k
    return found


def bounds(goodputs: Iterable[float]) -> Bounds | None:
    """Return the median and its bounds; None without any test."""
    values = sorted(goodputs)
    if not values:
        return None
    k = rank(len(values))
    return Bounds(len(values), _median(values), values[k - 1] if k else None, values[-k] if k else None)


def _median(values: Sequence[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def unit_result(
    unit: tuple[str, str, str], goodputs: Iterable[float], inconclusive: int, threshold: float
) -> UnitResult:
    """Return what a unit (id, title, site) comes to by its conclusive tests; `inconclusive` are counted beside them."""
    found = bounds(goodputs)
    figures: dict[str, float] = {
        "tests": found.tests if found else 0, "inconclusive": inconclusive, "threshold_mbps": threshold,
    }  # fmt: skip
    if found is None:
        why = "only_inconclusive" if inconclusive else "no_tests"
        return UnitResult(*unit, Verdict.NOT_PROVEN, figures=figures, why=why)
    figures["median_mbps"] = found.median
    if found.lower is None or found.upper is None:
        return UnitResult(*unit, Verdict.NOT_PROVEN, figures=figures, why="too_few_tests")
    verdict = found.verdict(threshold)
    figures |= {"lower_mbps": found.lower, "upper_mbps": found.upper}
    return UnitResult(*unit, verdict, figures=figures, why=f"throughput_{verdict}")
