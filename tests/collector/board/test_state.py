"""The state of a device by its newest evidence, when watch does not say it."""

from datetime import date, timedelta

import pytest

from collector.board.newest import Newest
from collector.board.state import FRESH_NS, Hours, derive, since
from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.roster.schema import Device
from collector.watch.types import Now, State

HOUR = 3600 * 10**9
DAY = 24 * HOUR
NOON = 20_000 * DAY + 12 * HOUR
CLASSROOM = Device("441802-1.c1", "classroom")
HOTSPOT = Device("441802-1.ap1", "access-point")
PANEL = Device("441802-1.c2", "classroom", agent="441802-1.gw1")


def day(back: int = 0, start: int = 8, end: int = 17, kind: DayKind = DayKind.WORKDAY) -> DaySchedule:
    """Return a day so many days ago with service from one hour to another."""
    midnight = NOON - 12 * HOUR - back * DAY
    service = (Window(midnight + start * HOUR, midnight + end * HOUR),) if end > start else ()
    return DaySchedule(date(2026, 3, 20) - timedelta(back), kind, "", midnight, midnight + DAY, service)


HOURS = Hours(day(), [day(1), day(2), day(3)])


def newest(presence: int = NOON - HOUR // 60, **fields: object) -> Newest:
    """Return the newest of a device that was just heard, with other fields."""
    one = Newest()
    one.take("presence", (), presence, {"lan": 1, "wan": 1, "uptime_s": 3600.0}, is_own=True)
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def state(device: Device, own: Newest | None, hours: Hours = HOURS, closed: tuple[Window, ...] = ()) -> Now:
    """Return the state at noon of a device that speaks for itself."""
    return derive(device, own, own, hours, closed, NOON)


def test_who_was_never_heard_is_unknown() -> None:
    """Not off and not failing: nobody knows."""
    assert state(CLASSROOM, None)[1:4] == (State.UNKNOWN, 0, "never_reported")


def test_who_was_just_heard_works_since_its_start() -> None:
    """Since the boot that its newest presence tells of."""
    assert state(CLASSROOM, newest()) == Now(CLASSROOM.id, State.WORKING, NOON - HOUR // 60 - HOUR)


@pytest.mark.parametrize(("lan", "wan", "why"), [(0, 0, "lan_down"), (1, 0, "wan_down")])
def test_without_a_network_it_fails(lan: int, wan: int, why: str) -> None:
    """Powered, and the gateway or the Internet does not answer: failing, by the nearer of the two."""
    found = state(CLASSROOM, newest(lan=lan, wan=wan))
    assert (found.state, found.why) == (State.FAILING, why)


def test_a_probe_that_fails_says_at_which_stage() -> None:
    """The stage at which a journey ended is why a hotspot fails; an outcome long ago says nothing of now."""
    own = newest()
    own.take("probe", (("kind", "wifi_join"), ("target", "x")), NOON - HOUR // 60, {"success": 0, "stage": "portal"},
             is_own=True)  # fmt: skip
    assert state(HOTSPOT, own)[1::2] == (State.FAILING, "portal")
    old = newest()
    old.take("probe", (("kind", "wifi_join"), ("target", "x")), NOON - HOUR, {"success": 0, "stage": "portal"},
             is_own=True)  # fmt: skip
    assert state(HOTSPOT, old).state is State.WORKING


def test_a_classroom_that_is_not_heard_is_off_and_a_hotspot_is_offline() -> None:
    """Off is not broken in a classroom; what should always run is gone."""
    gone = NOON - FRESH_NS
    assert state(CLASSROOM, newest(gone)) == Now(CLASSROOM.id, State.OFF, gone, "not_heard")
    assert state(HOTSPOT, newest(gone)) == Now(HOTSPOT.id, State.OFFLINE, gone, "not_heard")


def test_a_mark_says_that_it_was_shut_down() -> None:
    """Whoever shuts down in order is off, a hotspot too."""
    own = newest(NOON - HOUR)
    own.take("stop", (), NOON - HOUR, {"reason": "shutdown success"}, is_own=True)
    assert state(HOTSPOT, own) == Now(HOTSPOT.id, State.OFF, NOON - HOUR, "power_off")


def test_two_days_of_service_without_a_word_are_silence() -> None:
    """Days that owe nothing do not count, and today does not before it is over."""
    assert state(CLASSROOM, newest(NOON - DAY)).state is State.OFF
    assert state(CLASSROOM, newest(NOON - 3 * DAY)).state is State.SILENT
    weekend = Hours(day(), [day(1, 0, 0, DayKind.WEEKEND), day(2, 0, 0, DayKind.WEEKEND), day(3)])
    assert state(CLASSROOM, newest(NOON - 3 * DAY), weekend).state is State.OFF


def test_outside_its_hours_nothing_is_due_but_what_works_works() -> None:
    """Nobody is sent for what is off at night; what is proven to work is shown as that."""
    night = Hours(day(0, 8, 11), [day(1)])
    assert state(CLASSROOM, newest(NOON - HOUR), night) == Now(CLASSROOM.id, State.QUIET, NOON - HOUR, "no_service")
    assert state(CLASSROOM, newest(), night).state is State.WORKING


def test_closures_and_maintenance_are_quiet() -> None:
    """From when they were agreed on; a device that works in them is working."""
    window = Window(NOON - 2 * HOUR, NOON + HOUR)
    assert state(HOTSPOT, newest(NOON - HOUR), closed=(window,))[1:] == (State.QUIET, window.start_ns, "closed", "")
    works = Hours(day()._replace(excluded=(window,)))
    assert state(HOTSPOT, newest(NOON - HOUR), works).why == "excluded"
    assert state(HOTSPOT, newest(), closed=(window,)).state is State.WORKING


def observed(answered: int, success: int = 1, power: str = "on") -> Newest:
    """Return what a gateway said last of a panel."""
    own = Newest()
    own.take("probe", (("kind", "pjlink"), ("target", "d")), answered, {"success": success, "stage": "connect"},
             is_own=False)  # fmt: skip
    own.take("display", (), answered if success else answered - HOUR, {"power": power}, is_own=False)
    return own


@pytest.mark.parametrize(
    ("own", "expected", "why"),
    [
        (observed(NOON - HOUR // 60), State.WORKING, ""),
        (observed(NOON - HOUR // 60, power="standby"), State.OFF, "standby"),
        (observed(NOON - HOUR // 60, success=0), State.OFF, "no_answer"),
    ],
    ids=["on", "standby", "silent"],
)
def test_a_panel_is_what_its_gateway_says(own: Newest, expected: State, why: str) -> None:
    """An answer is life; a panel that does not answer is off, as panels are."""
    found = derive(PANEL, own, newest(), HOURS, (), NOON)
    assert (found.state, found.why) == (expected, why)


def test_a_panel_whose_gateway_is_gone_is_unknown() -> None:
    """A gateway that is not heard takes its panels' evidence with it, not their state."""
    found = derive(PANEL, observed(NOON - HOUR), newest(NOON - HOUR), HOURS, (), NOON)
    assert (found.state, found.why) == (State.UNKNOWN, "observer")


def test_what_goes_on_keeps_its_time() -> None:
    """Failing a minute longer it fails since then; an agent that is gone is so since its newest word."""
    before, again = Now("d", State.FAILING, 5, "wan_down"), Now("d", State.FAILING, 9, "wan_down")
    assert since(before, again).since_ns == 5
    assert since(before, again._replace(why="lan_down")).since_ns == 9
    assert since(Now("d", State.OFF, 5, "x"), Now("d", State.OFF, 9, "x")).since_ns == 9
    assert since(None, again).since_ns == 9
