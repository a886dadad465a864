"""How many are drawn from each stratum: in proportion, by largest remainder, and at least one of each."""

from collections.abc import Mapping
from fractions import Fraction


def allocate(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """
    Return how many of `wanted` fall to each stratum of these sizes; all there are, where they are fewer.

    Quota = wanted × size ÷ total. A stratum with a quota below one gets one, and the rest is divided among the others
    anew; these get their whole quotas, and what is left over goes by the largest remainder (Hamilton's method). Of
    equal remainders the larger stratum is first, then the name. With less to draw than there are strata nobody is sure
    of one: largest remainders alone decide. No stratum gets more than it has.
    """
    filled = {name: size for name, size in sizes.items() if size > 0}
    wanted = min(wanted, sum(filled.values()))
    found = dict.fromkeys(filled, 0)
    if wanted >= len(filled):
        while small := [name for name, size in filled.items() if wanted * size < sum(filled.values())]:
            found |= dict.fromkeys(small, 1)
            wanted -= len(small)
            filled = {name: size for name, size in filled.items() if name not in small}
    return found | _by_remainder(filled, wanted)


def _by_remainder(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    total = sum(sizes.values())
    quotas = {name: Fraction(wanted * size, total) for name, size in sizes.items()}
    found = {name: int(quota) for name, quota in quotas.items()}
    first = sorted(sizes, key=lambda name: (found[name] - quotas[name], -sizes[name], name))
    for name in first[: wanted - sum(found.values())]:
        found[name] += 1
    return found
