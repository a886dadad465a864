"""Roles and scopes: the table that is documented is the one that decides."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.access.types import LOCAL, TABLE, Action, Role, Who, covers, flaw_of_scope, may
from contract.names import county_of

ROOT = Path(__file__).parents[3]
COUNTIES = ("441802", "441803")
SITES = tuple(f"{county}-314400000{number}" for county in COUNTIES for number in (1, 2))
people = st.builds(
    Who, st.just("a"), st.sampled_from(Role), st.sampled_from(("", *COUNTIES)), st.sampled_from(("", *SITES))
)
places = st.tuples(st.sampled_from(("", *COUNTIES)), st.sampled_from(("", *SITES)))


def test_the_table_of_the_docs_is_the_one_that_decides() -> None:
    """docs/access.md has a column for each action and a row for each role, with a mark where it may."""
    text = (ROOT / "docs/access.md").read_text(encoding="utf-8")
    head, *rows = [line for line in text.splitlines() if re.match(r"\| (role|`\w+`) \|", line)]
    actions = [cell.strip(" `") for cell in head.split("|")[2:-1]]
    assert actions == [str(action) for action in Action]
    marked = {}
    for row in rows[: len(Role)]:
        name, *cells = [cell.strip(" `") for cell in row.split("|")[1:-1]]
        marked[name] = frozenset(action for action, cell in zip(actions, cells, strict=True) if cell)
    assert marked == {str(role): frozenset(map(str, can)) for role, can in TABLE.items()}


@given(people, st.sampled_from(Action), places)
def test_nobody_may_outside_role_and_scope(who: Who, action: Action, place: tuple[str, str]) -> None:
    """Whatever is asked: only what the role has, and inside of the scope; a scope that is wrong has nothing."""
    county, site = place
    if not may(who, action, county, site):
        return
    assert action in TABLE[who.role]
    assert not flaw_of_scope(who)
    if who.site:
        assert site == who.site
    if who.county:
        assert (county or county_of(site)) == who.county
    if county and site:
        assert county_of(site) == county


@given(people, places)
def test_a_scope_covers_what_is_within_it(who: Who, place: tuple[str, str]) -> None:
    """Whoever has the city has each county, whoever has a county each of its sites."""
    county, site = place
    if not site and not county and covers(who):
        assert all(covers(who, one) for one in COUNTIES)
    if county and not site and covers(who, county):
        assert all(covers(who, county, one) and covers(who, site=one) for one in SITES if county_of(one) == county)


def test_examples() -> None:
    """A county's user approves in the county alone; a viewer only looks; whoever sits at the machine may do all."""
    li = Who("li", Role.COUNTY, "441802")
    assert may(li, Action.APPROVE, "441802")
    assert may(li, Action.APPROVE, site=SITES[0])
    assert not may(li, Action.APPROVE, "441803")
    assert not may(li, Action.VIEW)
    assert not may(li, Action.ADMINISTER, "441802")
    assert not may(li, Action.VIEW, "441802", SITES[2])
    assert not may(Who("x", Role.COUNTY), Action.VIEW, "441802"), "a county's role without a county has none"
    assert all(may(LOCAL, action) for action in Action)
    assert not may(Who("v", Role.VIEWER), Action.PROPOSE, "441802")
