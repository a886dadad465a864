"""Slots of throughput tests: within the window, one class at a time."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from agent.probe.settings import Throughput
from agent.probe.slots import month_of, number_of, slot_of
from agent.probe.values import Url, Window

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC).timestamp()  # 12:00 in Qingyuan
ASK = Throughput(Url("http://192.0.2.1/backend/"))
SCHOOL = [f"441802-3144001234.c{grade:02}{number:02}" for grade in range(1, 10) for number in range(1, 21)]


def test_the_classes_of_a_school_never_test_at_once() -> None:
    """All 180 classes of a school with nine grades of twenty have slots of their own, without any list of them."""
    slots = sorted(slot_of(ASK, device, NOON - 3600) for device in SCHOOL)
    assert all(one.ends <= other.begins for one, other in pairwise(slots))


@pytest.mark.parametrize("device", [*SCHOOL[:3], "441802-3144001234.ap-hall", "441802-1.gw1"])
def test_a_slot_lies_within_the_window(device: str) -> None:
    """Whatever the time, the next slot is within the window, not over yet, and as long as a test may take."""
    for minutes in range(0, 2 * 24 * 60, 7):
        now = NOON + minutes * 60
        slot = slot_of(ASK, device, now)
        begins = datetime.fromtimestamp(slot.begins, UTC)
        assert 4 <= begins.hour < 6
        assert slot.ends - slot.begins == ASK.timeout
        assert now < slot.ends <= now + 86_400 + ASK.timeout


def test_several_windows_and_zones() -> None:
    """Each part of a window has a slot; the zone at its end is that of its times."""
    ask = ASK._replace(window=Window.parse("05:00-05:30,12:00-13:00+00:00"), slot=3)
    first = slot_of(ask, "441802-1.c1", datetime(2026, 11, 24, 0, 0, tzinfo=UTC).timestamp())
    second = slot_of(ask, "441802-1.c1", first.ends)
    third = slot_of(ask, "441802-1.c1", second.ends)
    times = [datetime.fromtimestamp(slot.begins, UTC).strftime("%d %H:%M:%S") for slot in (first, second, third)]
    assert times == ["24 05:01:30", "24 12:01:30", "25 05:01:30"]


@pytest.mark.parametrize(
    ("place", "number"), [("c0703", 143), ("7-3", 143), ("c12", 12), ("ap01", 1), ("g1b2c3", 43), ("c2024", 424)]
)
def test_places_have_numbers(place: str, number: int) -> None:
    """The number of a place is what its name says: grade and class, or the one number it has."""
    assert number_of(place) == number


def test_places_without_a_number_are_spread() -> None:
    """Places with names get a number of their own, too."""
    assert len({number_of(name) for name in ("hall", "library", "gate", "office")}) == 4


def test_the_month_is_that_of_the_place() -> None:
    """The budget's month begins at midnight there, not in Greenwich."""
    before, after = (datetime(2026, 11, 30, hour, tzinfo=UTC).timestamp() for hour in (15, 16))
    assert [month_of(ASK, unix) for unix in (before, after)] == ["2026-11", "2026-12"]


@pytest.mark.parametrize(
    "text", ["", "12:00", "14:00-12:00", "12:00-25:00", "noon-14:00", "12:00-14:00 +8", "12:00-12:00", "1:00-2:00"]
)
def test_a_window_that_is_none_is_refused(text: str) -> None:
    """A mistake in a window is said when the settings are read, not found out at noon."""
    with pytest.raises(ValueError, match="is not a window"):
        Window.parse(text)
