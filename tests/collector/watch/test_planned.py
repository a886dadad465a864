"""Who should be there, and when nobody is to be alerted."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collector.disputes.ledger import Ledger
from collector.disputes.schema import Claim, Entry, Happened, Kind, Reason, Scope
from collector.planned import Planned
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.watch.rules import SECOND_NS

SITE, SQUARE = "441802-3000000001", "441802-3000000002"
SITES = (
    f"site,name,kind,operator,calendar\n{SITE},School,school,operator-a,\n{SQUARE},Square,public,operator-b,hotspot\n"
)
DEVICES = (
    f"device,role,class_name,valid_from\n{SITE}.c1,classroom,7-1,2025-09-01\n{SQUARE}.ap1,access-point,,2025-09-01\n"
)
CALENDARS = """
zone: Asia/Shanghai
holidays: none
default: school
calendars:
  school:
    title: {zh: 学校, en: school}
    terms: [{from: 2026-03-02, to: 2026-07-11, title: {zh: 学期, en: term}}]
    service: 07:30-17:30
    lessons: {mon-fri: [08:20-09:00]}
  hotspot: {title: {zh: 热点, en: hotspot}, service: always, every_day: true, follows_holidays: false}
closures:
  - where: 441802-3000000002
    from: 2026-03-04 10:00
    to: 2026-03-04 12:00
    kind: maintenance
    title: {zh: 割接, en: works}
"""


def at(text: str) -> int:
    """Return an instant in the people's zone."""
    return int(datetime.fromisoformat(f"{text}:00+08:00").timestamp()) * SECOND_NS


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Return what should be, of a school and a square."""
    (tmp_path / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
    for name, text in (("sites.csv", SITES), ("devices.csv", DEVICES)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    Versions(tmp_path).add(read([tmp_path / "sites.csv", tmp_path / "devices.csv"]), date(2025, 9, 1), "tests")
    found = Planned(tmp_path, None, ("access-point",))
    found.refresh(at("2026-03-03T08:30"))
    return found


def test_things_are_those_of_the_roster(planned: Planned) -> None:
    """With site, county, operator; a class may be off, an access point may not."""
    school, square = planned.things()
    assert (school.device, school.operator, school.may_be_off) == (f"{SITE}.c1", "operator-a", True)
    assert (square.site, square.county, square.may_be_off) == (SQUARE, "441802", False)
    assert planned.names().devices == {f"{SITE}.c1": "7-1"}


def test_service_is_owed_by_the_calendar_of_each_site(planned: Planned) -> None:
    """In its hours, since they began; a square that is open always owes it since the day before at the least."""
    assert planned.owed(at("2026-03-03T08:30")).service == {
        SITE: at("2026-03-03T07:30"),
        SQUARE: at("2026-03-02T00:00"),
    }
    assert planned.owed(at("2026-03-03T08:30")).lessons == {SITE}
    assert planned.owed(at("2026-03-03T18:00")).service.keys() == {SQUARE}
    assert planned.owed(at("2026-03-07T08:30")).service.keys() == {SQUARE}


def test_in_maintenance_devices_are_quiet(planned: Planned) -> None:
    """As the calendar has it, to the minute."""
    assert planned.owed(at("2026-03-04T10:00")).quiet == {f"{SQUARE}.ap1"}
    assert planned.owed(at("2026-03-04T12:00")).quiet == frozenset()


def test_a_closure_stops_alerts_from_its_record_on(planned: Planned, tmp_path: Path) -> None:
    """Whoever records one need not restart anything; an ordinary dispute does nothing before it is approved."""

    def record(kind: Kind, site: str) -> None:
        period = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
        claim = Claim(kind, Scope("site", site), *period, Reason.BUILDING_WORKS)
        number = len(Ledger(tmp_path).read().disputes) + 1
        now = datetime(2026, 3, 3, tzinfo=UTC)
        Ledger(tmp_path).add(lambda _: Entry(Happened.PROPOSED, number, "somebody", "login", now, "roof", claim))

    record(Kind.DISPUTE, SITE)
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.owed(at("2026-03-03T08:30")).quiet == frozenset()
    record(Kind.CLOSURE, SQUARE)
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.owed(at("2026-03-03T08:30")).quiet == {f"{SQUARE}.ap1"}


def test_lost_minutes_are_those_of_service(planned: Planned) -> None:
    """A night costs a school nothing, and maintenance nobody."""
    assert planned.lost(SITE, at("2026-03-03T17:00"), at("2026-03-04T08:00")) == 60
    assert planned.lost(SQUARE, at("2026-03-04T09:00"), at("2026-03-04T13:00")) == 120
    assert planned.lost("", at("2026-03-04T09:00"), at("2026-03-04T13:00")) == 240


def test_silence_is_counted_in_school_days(planned: Planned) -> None:
    """From Friday to Tuesday a class was silent for one day; what was never heard is not silent but missing."""
    heard = {f"{SITE}.c1": at("2026-03-06T10:00")}
    tell = lambda device: heard.get(device, 0)  # noqa: E731
    assert planned.silent(tell, at("2026-03-10T08:00"), 2) == {}
    assert planned.silent(tell, at("2026-03-11T08:00"), 2) == {f"{SITE}.c1": 2}
    assert planned.silent(lambda _: 0, at("2026-03-11T08:00"), 2) == {}


def test_a_day_that_no_term_tells_of_is_said_and_alerts_nobody(planned: Planned) -> None:
    """Silence for want of a calendar is never silent."""
    assert planned.owed(at("2027-03-03T08:30")).service.keys() == {SQUARE}
    assert "2027-03-03" in planned.trouble
    assert "nobody is alerted" in planned.trouble
    planned.owed(at("2026-03-03T08:30"))
    assert planned.trouble == ""


def test_what_cannot_be_read_any_more_stays_as_it_was(planned: Planned, tmp_path: Path) -> None:
    """A broken file is said; the last good one goes on."""
    (tmp_path / "calendars.yaml").write_text("zone: [", encoding="utf-8")
    planned.refresh(at("2026-03-03T08:30"))
    assert "calendars" in planned.trouble
    assert planned.owed(at("2026-03-03T08:30")).service.keys() == {SITE, SQUARE}
