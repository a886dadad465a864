"""
Contracts: whether an operator 运营商 delivers the rate that a site pays for.

A site's contract is kept when the lower 95 % bound of its median goodput (TCP, RFC 6349; see `throughput.py`) is at
least 80 % of the contracted rate: what a line carries of payload is less than its rate, and what the contract says is
a rate of the line. It is broken when the upper bound is below that.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from collector.roster.schema import Site
from collector.verify.results import Interval, Operator, UnitResult, Verdict
from collector.verify.throughput import Test, unit_result

LEAST_SHARE = 0.8


class Contracts:
    """Takes throughput tests of any site, in any order."""

    def __init__(self, least_share: float = LEAST_SHARE, direction: str = "download") -> None:
        self._least_share, self._direction = Fraction(str(least_share)), direction
        self._goodputs: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._inconclusive: dict[str, int] = defaultdict(int)

    def add(self, test: Test) -> None:
        """Take a test."""
        site = test.device.partition(".")[0]
        if test.direction != self._direction:
            return
        if test.is_conclusive:
            self._goodputs[site].append(test.goodput_mbps)
        else:
            self._inconclusive[site] += 1

    def finish(self, sites: Iterable[Site]) -> tuple[Operator, ...]:
        """Return the operators of sites, sorted by name."""
        kept: dict[str, list[UnitResult]] = defaultdict(list)
        without: dict[str, int] = defaultdict(int)
        for site in sites:
            if site.contracted_mbps:
                kept[site.operator].append(self._of(site, site.contracted_mbps))
            elif site.operator:
                without[site.operator] += 1
        return tuple(_operator(name, kept[name], without[name]) for name in sorted(kept.keys() | without.keys()))

    def _of(self, site: Site, contracted_mbps: float) -> UnitResult:
        threshold = float(self._least_share * Fraction(str(contracted_mbps)))
        goodputs, inconclusive = self._goodputs.get(site.id, ()), self._inconclusive.get(site.id, 0)
        found = unit_result((site.id, site.name or site.id, site.id), goodputs, inconclusive, threshold)
        return found._replace(figures={**found.figures, "contracted_mbps": contracted_mbps})


def _operator(name: str, sites: list[UnitResult], no_contract: int) -> Operator:
    good = sum(site.verdict is Verdict.PASS for site in sites)
    unknown = sum(site.verdict is Verdict.NOT_PROVEN for site in sites)
    ordered = tuple(sorted(sites, key=lambda site: site.id))
    return Operator(name, ordered, no_contract, Interval.of(good, unknown, len(sites)))
