"""The minimal failing set: numbers by hand, and against all choices that there are."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from collector.report.minimal import minimal_set, needed
from collector.report.model import Fix
from collector.targets.schema import Target
from firmware_profiles.schema import Slug, Title

TARGET = Target(Slug("ours"), Title("我们的", "Ours"), share=0.9)


def fix(unit: str, effort: int = 1, minutes: int = 0) -> Fix:
    """Return what unit `a3` of site `a` needs."""
    return Fix("ours", unit, unit, unit[0], "unknown", "", minutes, "us", "find_silent", effort)


def names(wanted: int, *fixes: Fix) -> list[str]:
    """Return the units of the minimal set, sorted."""
    return sorted(one.unit for one in minimal_set(wanted, fixes).fixes)


def test_how_many_must_be_good_is_exact() -> None:
    """Nine tenths of 20 are 18, of 21 are 19; of a share and a number the larger counts, without either none is."""
    assert needed(TARGET, 20) == 18
    assert needed(TARGET, 21) == 19
    assert needed(TARGET._replace(at_least=270), 20) == 270
    assert needed(TARGET._replace(share=None), 20) == 0


def test_nothing_is_asked_of_a_target_that_is_met() -> None:
    """Where enough is proven the set is empty."""
    assert minimal_set(0, []) == ((), 0)


def test_the_fewest_sites_are_concerned() -> None:
    """Of 2 units at a, 3 at b and 1 at c four must become good: those of b, and the single cheapest of the others."""
    fixes = [fix("a1"), fix("a2"), fix("b1"), fix("b2"), fix("b3"), fix("c1", effort=0)]
    assert names(4, *fixes) == ["b1", "b2", "b3", "c1"]
    assert names(5, *fixes) == ["a1", "a2", "b1", "b2", "b3"]
    assert minimal_set(4, fixes).sites == 2


def test_one_site_is_enough_where_it_can_be() -> None:
    """Two units at a site are better than two at two sites, however cheap; the cheapest two of it are taken."""
    fixes = [fix("a1", effort=0), fix("b1", 3, minutes=90), fix("b2", 3, minutes=5), fix("b3", 2)]
    assert names(2, *fixes) == ["b2", "b3"]


def test_the_cheapest_of_sites_that_do_alike() -> None:
    """Where two sites have as many units the one with the cheaper actions is taken, then the shorter loss."""
    assert names(1, fix("a1", effort=3), fix("b1", effort=0)) == ["b1"]
    assert names(1, fix("a1", minutes=50), fix("b1", minutes=40)) == ["b1"]


def test_units_that_the_roster_does_not_have_are_missing() -> None:
    """270 promised, 2 not good, 5 wanted: both, and three that must be built and entered first."""
    found = minimal_set(5, [fix("a1"), fix("b1")])
    assert len(found.fixes) == 2
    assert found.missing == 3


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), min_size=1, max_size=7), st.data())
def test_no_other_choice_needs_fewer_sites(units: list[tuple[str, int]], data: st.DataObject) -> None:
    """It has as many units as are wanted, and no choice of so many is at fewer sites."""
    fixes = [fix(f"{site}{number}", effort) for number, (site, effort) in enumerate(units)]
    wanted = data.draw(st.integers(1, len(fixes)))
    found = minimal_set(wanted, fixes)
    assert len(found.fixes) == len({one.unit for one in found.fixes}) == wanted
    assert found.sites == min(len({one.site for one in some}) for some in combinations(fixes, wanted))
