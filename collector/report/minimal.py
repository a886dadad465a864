"""
The minimal failing set: the fewest units that must become good for a target to be met.

How few is plain: those needed less those proven. Which ones is chosen so that as few sites as possible are concerned
(the sites with most such units first: no other choice needs fewer), then so that the actions are the cheapest.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil

from collector.report.model import Fix, MinimalSet
from collector.targets.schema import Target


def needed(target: Target, total: int) -> int:
    """Return how many of `total` units must be good, exactly: 0.9 is nine tenths."""
    share = 0 if target.share is None else ceil(Fraction(str(target.share)) * total)
    return max(share, target.at_least or 0)


def minimal_set(wanted: int, fixes: Iterable[Fix]) -> MinimalSet:
    """Return the set of `wanted` units, from one fix for each unit that is not good; what lacks then is missing."""
    candidates = sorted(fixes, key=_cost)
    if wanted >= len(candidates):
        return MinimalSet(tuple(candidates), max(0, wanted - len(candidates)))
    return MinimalSet(tuple(sorted(_fewest_sites(wanted, candidates), key=_cost)))


def _fewest_sites(wanted: int, candidates: Sequence[Fix]) -> list[Fix]:
    by_site: dict[str, list[Fix]] = defaultdict(list)
    for fix in candidates:
        by_site[fix.site].append(fix)
    chosen: list[Fix] = []
    while (rest := wanted - len(chosen)) > 0:
        enough = [some for some in by_site.values() if len(some) >= rest]
        if enough:  # the last site: any that has so many will do, so the cheapest
            return chosen + min((some[:rest] for some in enough), key=_costs)
        chosen += by_site.pop(min(by_site, key=lambda site: (-len(by_site[site]), *_costs(by_site[site]))))
    return chosen


def _cost(fix: Fix) -> tuple[int, int, str]:
    return (fix.effort, fix.minutes, fix.unit)


def _costs(fixes: Sequence[Fix]) -> tuple[int, int, str]:
    return (sum(fix.effort for fix in fixes), sum(fix.minutes for fix in fixes), fixes[0].unit)
