"""How many of each stratum: worked out by hand, and for any sizes."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sampling.allocate import allocate

SIZES = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 300), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        # quotas 5, 3, 2: whole
        ({"a": 50, "b": 30, "c": 20}, 10, {"a": 5, "b": 3, "c": 2}),
        # quotas 4.7, 3.1, 2.2: two left over... one goes to .7
        ({"a": 47, "b": 31, "c": 22}, 10, {"a": 5, "b": 3, "c": 2}),
        # quotas 9.8, 0.1, 0.1: each small one gets one, and a the other eight
        ({"a": 980, "b": 10, "c": 10}, 10, {"a": 8, "b": 1, "c": 1}),
        # c gets one; of nine, quotas of a and b are 9 × 60/95 = 5.68 and 3.32
        ({"a": 60, "b": 35, "c": 5}, 10, {"a": 6, "b": 3, "c": 1}),
        # a and b have the same remainder .5: the larger is first
        ({"a": 10, "b": 30}, 6, {"a": 1, "b": 5}),
        # all the same: the name decides
        ({"b": 10, "a": 10, "c": 10}, 4, {"a": 2, "b": 1, "c": 1}),
        # fewer to draw than strata: the largest
        ({"a": 5, "b": 60, "c": 35}, 2, {"a": 0, "b": 1, "c": 1}),
        # more than there are
        ({"a": 2, "b": 3}, 100, {"a": 2, "b": 3}),
        # an empty stratum is none
        ({"a": 2, "b": 0}, 1, {"a": 1}),
        ({}, 5, {}),
    ],
)
def test_by_hand(sizes: Mapping[str, int], wanted: int, expected: Mapping[str, int]) -> None:
    """Strata get what largest remainders give them, and at least one."""
    assert allocate(sizes, wanted) == expected


@given(SIZES, st.integers(1, 400))
def test_for_any_sizes(sizes: dict[str, int], wanted: int) -> None:
    """As many as asked for are drawn, never more of a stratum than it has, and one of each where there are enough."""
    found = allocate(sizes, wanted)
    filled = {name: size for name, size in sizes.items() if size}
    assert sum(found.values()) == min(wanted, sum(sizes.values()))
    assert found.keys() == filled.keys()
    assert all(found[name] <= size for name, size in filled.items())
    if wanted >= len(filled):
        assert all(found.values())


@given(SIZES, st.integers(1, 400))
def test_nobody_is_far_from_proportion(sizes: dict[str, int], wanted: int) -> None:
    """Whatever the strata, none gets more than its quota rounded up, unless that one is its first."""
    total = sum(sizes.values())
    wanted = min(wanted, total)
    for name, number in allocate(sizes, wanted).items():
        assert number <= max(1, -(-wanted * sizes[name] // total))
