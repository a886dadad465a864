"""Schools without a gateway: all their classes that go at once in a lesson are an outage, whatever was off before."""

import pytest

from tests.collector.watch.town import Town, school

FIRST = school(0)
OPENED = [("opened", "site", f"site:{FIRST}")]


def town_of_ten() -> Town:
    """Return a town of schools with ten classes and no gateway."""
    return Town(classes=10, gateways=False)


@pytest.mark.parametrize("off_at", [(22,), (4,), (8, 13, 18, 24), (28,)])
def test_a_class_that_was_switched_off_before_the_cut_hides_it_from_nobody(off_at: tuple[int, ...]) -> None:
    """However long before: the school is alerted after its hold-down, as if that class had been on."""
    town = town_of_ten()
    for number, minute in enumerate(off_at):
        town.run(minute - (off_at[number - 1] if number else 0))
        town.lose([f"{FIRST}.c{number}"])
    town.run(30 - off_at[-1])
    town.cut(FIRST)
    town.run(8)
    assert town.told == OPENED
    cut_off = {f"{FIRST}.c{number}" for number in range(len(off_at), 10)}
    assert cut_off <= set(town.news[0].case.devices)


def test_the_lesson_is_that_in_which_they_went_and_not_that_in_which_somebody_looks() -> None:
    """The last lesson ends between the cut and the hold-down: it is an outage for all that."""
    town = town_of_ten()
    town.run(20)
    town.lose([f"{FIRST}.c0"])
    town.run(10)
    town.cut(FIRST)
    town.run(3)
    town.no_lessons.add(FIRST)
    town.run(8)
    assert town.told == OPENED


def test_one_class_that_leaves_before_the_bell_makes_no_outage_of_the_others_that_leave_after_it() -> None:
    """Most of them went when no lesson was given: they were switched off."""
    town = town_of_ten()
    town.run(20)
    town.lose([f"{FIRST}.c0"])
    town.run(2)
    town.no_lessons.add(FIRST)
    town.cut(FIRST)
    town.run(60)
    assert town.told == []


def test_classes_that_are_switched_off_one_after_the_other_are_no_outage() -> None:
    """Nobody loses a line in ten parts, six minutes apart."""
    town = town_of_ten()
    for number in range(10):
        town.run(6)
        town.lose([f"{FIRST}.c{number}"])
    town.run(60)
    assert town.told == []


def test_a_school_in_a_long_cut_of_its_operator_stays_offline() -> None:
    """That all went at once is remembered for as long as the operator's incident is open, not for half an hour."""
    town = Town(schools=12, classes=4, gateways=False)
    town.run(5)
    town.cut(*(school(number) for number in range(0, 12, 2)))
    town.run(60)
    assert [one for one in town.told if one[0] == "opened"] == [("opened", "operator", "operator:operator-0")]
    assert {town.core.memory.tracks[device].state for device in town.of(FIRST)} == {"offline"}
