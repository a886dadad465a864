"""Who should be there, and when nobody is to be alerted."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collector import planned as planned_module
from collector.disputes.ledger import Ledger
from collector.disputes.schema import Claim, Entry, Happened, Kind, Reason, Scope
from collector.planned import Planned, Unplanned
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


def closed(data: Path, site: str, kind: Kind = Kind.CLOSURE) -> None:
    """Record that a site is closed for a day."""
    period = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
    claim = Claim(kind, Scope("site", site), *period, Reason.BUILDING_WORKS)
    number = len(Ledger(data).read().disputes) + 1
    now = datetime(2026, 3, 3, tzinfo=UTC)
    Ledger(data).add(lambda _: Entry(Happened.PROPOSED, number, "somebody", "login", now, "roof", claim))


def test_a_closure_stops_alerts_from_its_record_on(planned: Planned, tmp_path: Path) -> None:
    """Whoever records one need not restart anything; an ordinary dispute does nothing before it is approved."""
    closed(tmp_path, SITE, Kind.DISPUTE)
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.owed(at("2026-03-03T08:30")).quiet == frozenset()
    closed(tmp_path, SQUARE)
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.owed(at("2026-03-03T08:30")).quiet == {f"{SQUARE}.ap1"}


def test_lost_minutes_are_those_of_service(planned: Planned) -> None:
    """A night costs a school nothing, and maintenance nobody."""
    assert planned.lost(SITE, at("2026-03-03T17:00"), at("2026-03-04T08:00")) == 60
    assert planned.lost(SQUARE, at("2026-03-04T09:00"), at("2026-03-04T13:00")) == 120
    assert planned.lost("", at("2026-03-04T09:00"), at("2026-03-04T13:00")) == 240


def test_lost_minutes_of_months_are_the_sum_of_their_days(planned: Planned) -> None:
    """However long a case is open, and in whichever order it is asked: minute by minute it is the same."""

    def by_days(site: str, since: str, until: str) -> int:
        total, day_ns, end_ns = 0, at(since), at(until)
        while day_ns < end_ns:
            midnight_ns = day_ns - (day_ns + 8 * 3600 * SECOND_NS) % (86_400 * SECOND_NS) + 86_400 * SECOND_NS
            total += planned.lost(site, day_ns, min(midnight_ns, end_ns))
            day_ns = midnight_ns
        return total

    for site in (SITE, SQUARE):
        for since, until in (
            ("2026-03-03T09:30", "2026-07-01T10:10"),
            ("2026-03-10T09:30", "2026-03-12T10:10"),
            ("2026-02-20T09:30", "2026-03-05T11:00"),
            ("2026-03-03T09:30", "2026-07-09T10:10"),
            ("2026-05-04T09:30", "2026-05-05T00:00"),
        ):
            assert planned.lost(site, at(since), at(until)) == by_days(site, since, until) > 0


def test_lost_minutes_follow_a_calendar_that_was_changed(planned: Planned, tmp_path: Path) -> None:
    """What was counted by the old one is counted anew."""
    period = (at("2026-03-03T12:00"), at("2026-03-06T12:00"))
    before = planned.lost(SITE, *period)
    (tmp_path / "calendars.yaml").write_text(CALENDARS.replace("07:30-17:30", "07:30-18:30"), encoding="utf-8")
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.lost(SITE, *period) == before + 3 * 60


def test_minutes_of_cases_that_are_open_for_a_year_are_counted_in_a_moment(planned: Planned) -> None:
    """Three hundred schools whose cases nobody closed do not slow each look down."""
    since_ns, until_ns = at("2025-09-01T09:00"), at("2026-07-28T09:00")
    planned.lost(SITE, since_ns, until_ns)
    asked: list[date] = []
    original = planned._day
    planned._day = lambda site, day: asked.append(day) or original(site, day)  # type: ignore[method-assign, func-returns-value]
    for _ in range(300):
        planned.lost(SITE, since_ns, until_ns)
    assert len(asked) == 600  # the days that are not whole


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


def test_what_could_not_be_read_for_a_moment_is_read_at_the_next_look(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that answers nothing once costs one look: nobody has to touch the file afterwards."""
    file = tmp_path / "calendars.yaml"
    file.write_text(CALENDARS.replace("07:30-17:30", "07:30-20:30"), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(planned_module, "load", failing)
        planned.refresh(at("2026-03-03T08:30"))
        assert "Input/output error: what was read before stays" in planned.unread
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.unread == planned.trouble == ""
    assert SITE in planned.owed(at("2026-03-03T20:00")).service


def failing(*_words: object) -> None:
    """Answer as a disk does that cannot be read."""
    raise OSError(5, "Input/output error")


def test_folders_that_cannot_be_listed_are_said_and_change_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roster and closures stay as they were, and watch goes on."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", failing)
        planned.refresh(at("2026-03-03T08:30"))
        assert planned.unread.count("Input/output error") == 2
        assert len(planned.things()) == 2
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.unread == ""


def test_what_is_gone_is_not_taken_for_an_order(planned: Planned, tmp_path: Path) -> None:
    """Calendars or a roster that are away, for a moment or by mistake, end no alerts: neither was ever empty before."""
    (tmp_path / "calendars.yaml").rename(tmp_path / "aside.yaml")
    (tmp_path / "roster").rename(tmp_path / "aside")
    planned.refresh(at("2026-03-03T08:30"))
    assert "is gone" in planned.unread
    assert "all versions are gone" in planned.unread
    assert planned.owed(at("2026-03-03T08:30")).service.keys() == {SITE, SQUARE}
    (tmp_path / "aside.yaml").rename(tmp_path / "calendars.yaml")
    (tmp_path / "aside").rename(tmp_path / "roster")
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.unread == ""


def test_spoilt_records_keep_the_closures_that_were_read_before(planned: Planned, tmp_path: Path) -> None:
    """A closed school is not alerted because a file was edited by hand; read at a start, it is said what that means."""
    closed(tmp_path, SQUARE)
    planned.refresh(at("2026-03-03T08:30"))
    records = tmp_path / "disputes" / "records.jsonl"
    records.write_text(records.read_text(encoding="utf-8").replace("roof", "door"), encoding="utf-8")
    planned.refresh(at("2026-03-03T08:30"))
    assert planned.unread.endswith("what was read before stays")
    assert planned.owed(at("2026-03-03T08:30")).quiet == {f"{SQUARE}.ap1"}
    fresh = Planned(tmp_path, None, ())
    fresh.refresh(at("2026-03-03T08:30"))
    fresh.insist()
    assert fresh.unread.endswith("no closure stops alerts")


@pytest.mark.parametrize("file", ["calendars.yaml", "roster/000001/version.json"])
def test_at_a_start_spoilt_calendars_or_roster_are_refused(planned: Planned, tmp_path: Path, file: str) -> None:
    """Without either nobody is alerted of anything: whoever starts watch reads in one line what to do."""
    (tmp_path / file).write_text("zone: [", encoding="utf-8")
    fresh = Planned(tmp_path, None, ())
    fresh.refresh(at("2026-03-03T08:30"))
    with pytest.raises(Unplanned, match="mend it, then start watch again") as refusal:
        fresh.insist()
    assert file in str(refusal.value)
    assert "\n" not in str(refusal.value)
    planned.refresh(at("2026-03-04T08:30"))
    planned.insist()
