"""What the board reads from a real store, and what pages are drawn from it."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.access.types import LOCAL, Role, Who
from collector.asked import Questions
from collector.board import city, lists, school
from collector.board.detail import DayShare, SiteDetail
from collector.board.draw import Eyes, week
from collector.board.forms import BadForm, Decided, Written, decision_of, filing_of
from collector.board.model import Model, Paper, Rollout
from collector.board.newest import Newest
from collector.board.source import Filing
from collector.board.state import Hours
from collector.board.view import Sections, View
from collector.boarding import LiveSource
from collector.calendars.load import file_in
from collector.calendars.load import load as load_calendars
from collector.calendars.schedule import DayKind, DaySchedule
from collector.check import identity_tags
from collector.disputes.ledger import Refused
from collector.disputes.schema import Claim, Happened, Kind, Reason, Scope
from collector.records import read_records
from collector.roster.versions import Versions
from collector.store.base import DAY_NS
from collector.targets.load import load
from collector.verification import only, promise_of
from collector.verify.causes import Cause
from collector.verify.conclude import Period
from collector.watch.types import State
from tests.collector.board.town import (
    CLASSES,
    GATEWAY,
    HOTSPOT,
    LATE,
    MINUTE_NS,
    NEVER,
    OTHER,
    OTHER_HOTSPOT,
    PANELS,
    SCHOOL,
    SQUARE,
    Town,
    last_minute,
)

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a town without any evidence."""
    made = Town(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def centre(town: Town) -> LiveSource:
    """Return what the board reads of the town."""
    return LiveSource(town.store, town.data, ZONE)


def look(centre: LiveSource) -> dict[str, State]:
    """Look, and return the states."""
    return {name: now.state for name, now in centre.look(time.time_ns()).now.items()}


def view(centre: LiveSource, who: Who = LOCAL, *details: SiteDetail) -> View:
    """Return what somebody sees, in English."""
    known = {one.site: one for one in details}
    return View(centre.picture, centre.rest, who, Eyes("en", ZONE, centre.picture.at_ns), known)


def html(sections: Sections) -> str:
    """Return the pieces of a page as one text."""
    return "".join(content for _, content in sections)


def test_every_device_has_a_state_and_is_counted_once(town: Town, centre: LiveSource) -> None:
    """Of thirteen devices eleven work, two never reported; sites and city add up."""
    town.all_well(last_minute())
    found = look(centre)
    assert found == dict.fromkeys(found, State.WORKING) | {NEVER: State.UNKNOWN, LATE: State.UNKNOWN}
    assert centre.picture.trouble == ""
    counts = centre.picture.counts(centre.picture.sites.values())
    assert counts == {State.WORKING: 11, State.UNKNOWN: 2}
    assert sum(one.total for one in centre.picture.sites.values()) == len(found) == 13


def test_a_look_sees_what_came_since(town: Town, centre: LiveSource) -> None:
    """Failures, recoveries and devices that nobody knows appear with the next look."""
    at = last_minute()
    town.all_well(at - MINUTE_NS)
    look(centre)
    town.presence(CLASSES[0], at, wan=0)
    town.journey(HOTSPOT, at, "portal")
    town.presence("441802-3144000001.c9999", at)
    found = look(centre)
    assert found[CLASSES[0]] is found[HOTSPOT] is State.FAILING
    assert [name for name, _ in centre.picture.unregistered] == ["441802-3144000001.c9999"]
    town.presence(CLASSES[0], at + MINUTE_NS)
    assert look(centre)[CLASSES[0]] is State.WORKING


def test_what_waited_is_seen_though_it_is_old(town: Town, centre: LiveSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose data comes an hour late has reported, though no look at the last minutes can see it."""
    monkeypatch.setattr("collector.boarding._MISSING_S", 0.0)
    town.all_well(last_minute())
    assert look(centre)[NEVER] is State.UNKNOWN
    town.presence(NEVER, last_minute() - 60 * MINUTE_NS)
    assert look(centre)[NEVER] is State.OFF


def test_since_when_it_fails_is_looked_up(town: Town, centre: LiveSource) -> None:
    """Whoever starts the board in the middle of a failure learns when it began."""
    at = last_minute()
    town.all_well(at - 30 * MINUTE_NS)
    for device in (*CLASSES[:5], GATEWAY, HOTSPOT, OTHER_HOTSPOT):
        town.presence(device, at, minutes=30, wan=int(device != CLASSES[1]))
    look(centre)
    now = centre.picture.now[CLASSES[1]]
    assert (now.state, now.why, now.since_ns) == (State.FAILING, "wan_down", at - 29 * MINUTE_NS)


def test_rollout_counts_how_far_each_device_has_come(town: Town, centre: LiveSource) -> None:
    """On the roster, installed, reporting, proven: each a part of the one before."""
    town.all_well(last_minute())
    town.presence(NEVER, last_minute() - 20 * MINUTE_NS, wan=0)
    centre.look(time.time_ns())
    assert centre.picture.rollout[SCHOOL] == Rollout(6, 6, 6, 5)
    assert centre.picture.rollout[SQUARE] == Rollout(3, 2, 2, 2)


def test_the_strip_is_what_verification_says(town: Town, centre: LiveSource) -> None:
    """Yesterday on the board is, minute by minute, what santong verify judges; and looking writes nothing."""
    at = last_minute()
    town.all_well(at, minutes=36 * 60)
    centre.look(time.time_ns())
    detail = centre.detail(SCHOOL, time.time_ns())
    assert list(town.store.select("availability", 0, 1 << 62)) == []
    yesterday = datetime.now(ZONE).date() - timedelta(days=1)
    period = Period(yesterday, yesterday, only([(date.min, centre.picture.roster)], site=SCHOOL))
    calendars = load_calendars(file_in(town.data))
    promise = promise_of(period, calendars.zone, calendars.day, load().targets)
    records = list(read_records(town.store, Questions(promise), time.time_ns(), lambda *_: None))
    shares = {(one.day, name): one for name, days in detail.week.items() for one in days}
    shown = shares[yesterday, CLASSES[0]]
    good = [one.minutes().get(Cause.WORKING, 0) for one in records if one.device == CLASSES[0]]
    assert shown.good in good
    assert shown.good > 0
    assert detail.today[CLASSES[0]].runs[-1].cause is Cause.WORKING
    assert detail.today[CLASSES[0]].runs[-1].end_ns <= time.time_ns()
    again = centre.detail(SCHOOL, time.time_ns())  # from what was stored by now
    assert again.week == detail.week


def test_a_closure_makes_quiet_at_once(town: Town, centre: LiveSource) -> None:
    """Proposed on the board it stops alerts; approved by another it is in force; by the same person it is refused."""
    town.all_well(last_minute() - 30 * MINUTE_NS)
    assert look(centre)[HOTSPOT] is State.OFFLINE
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    claim = Claim(Kind.CLOSURE, Scope("site", SQUARE), now - timedelta(hours=1), now + timedelta(hours=1),
                  Reason.BUILDING_WORKS)  # fmt: skip
    centre.file(Filing(Happened.PROPOSED, "A", "login", "works on the square", claim=claim))
    assert look(centre)[HOTSPOT] is State.QUIET
    with pytest.raises(Refused, match="another person"):
        centre.file(Filing(Happened.APPROVED, "A", "login", "", 1))
    assert centre.file(Filing(Happened.APPROVED, "B", "login", "", 1)).state is Happened.APPROVED


def test_a_broken_roster_is_said_and_the_rest_goes_on(town: Town, centre: LiveSource) -> None:
    """What cannot be read is named on every page; evidence is shown as before."""
    town.all_well(last_minute())
    look(centre)
    version = town.data / "roster" / "000001" / "devices.csv"
    version.write_bytes(version.read_bytes() + b"x")
    (town.data / "roster" / "000002").mkdir()
    found = look(centre)
    assert "roster" in centre.picture.trouble
    assert found[HOTSPOT] is State.WORKING


@pytest.mark.parametrize("name", ["calendars.yaml", "disputes/records.jsonl"])
def test_what_cannot_be_read_is_said_until_it_can(town: Town, centre: LiveSource, name: str) -> None:
    """At each look, not once; and what was in it before stays in force."""
    town.all_well(last_minute())
    day = datetime(2026, 3, 2, tzinfo=ZONE)
    claim = Claim(Kind.CLOSURE, Scope("site", SQUARE), day, day + timedelta(days=1), Reason.BUILDING_WORKS)
    centre.file(Filing(Happened.PROPOSED, "Wang", "wang", "x", claim=claim))
    look(centre)
    file = town.data / name
    content, before = file.read_bytes(), centre.rest.disputes
    file.write_bytes(b"{spoilt")
    for _ in range(3):
        look(centre)
        assert name.rpartition("/")[2].partition(".")[0] in centre.picture.trouble
        assert centre.rest.disputes == before
    file.write_bytes(content)
    look(centre)
    assert centre.picture.trouble == ""


def test_what_worked_this_week_is_proven_after_a_start(town: Town, centre: LiveSource) -> None:
    """Nobody need look while it works: switched off since, or failing now, it is proven by what the store has of it."""
    at = last_minute()
    long_ago = at - 2 * 24 * 60 * MINUTE_NS
    town.presence(CLASSES[0], long_ago)  # off since
    town.presence(CLASSES[1], long_ago)
    town.presence(CLASSES[1], at, wan=0, minutes=5)
    town.presence(CLASSES[2], at, wan=0, minutes=5)  # never seen with Internet
    town.panel(PANELS[0], long_ago)
    town.panel(PANELS[1], long_ago, answers=False)
    for hotspot, stage in ((HOTSPOT, "done"), (OTHER_HOTSPOT, "portal"), (LATE, "portal")):
        town.presence(hotspot, long_ago)
        town.journey(hotspot, long_ago, stage)
    town.journey(LATE, at, "portal")
    centre.look(time.time_ns())
    assert centre.picture.trouble == ""
    assert [centre.picture.rollout[site].proven for site in (SCHOOL, OTHER, SQUARE)] == [2, 1, 1]


def test_proven_is_of_this_week(town: Town) -> None:
    """A device that works no more is proven for a week, not for ever."""
    now_ns = last_minute()
    roster = Versions(town.data).on(date.today())  # noqa: DTZ011
    service = DaySchedule(date.min, DayKind.BREAK, "", 0, 0)
    paper = Paper(roster, list(roster.devices.values()), lambda _site: Hours(service))
    model, newest = Model(), Newest()
    model.newest[HOTSPOT] = newest

    def rollout(at_ns: int, wan: int) -> Rollout:
        newest.take("presence", (), at_ns, {"lan": 1, "wan": wan, "uptime_s": 60.0}, is_own=True)
        return model.picture(paper, at_ns).rollout[SQUARE]

    assert rollout(now_ns, 1) == Rollout(3, 1, 1, 1)
    assert rollout(now_ns + 6 * DAY_NS, 0) == Rollout(3, 1, 1, 1)
    assert rollout(now_ns + 8 * DAY_NS, 0) == Rollout(3, 1, 1, 0)


# ---- pages


def test_names_of_people_are_text(town: Town, centre: LiveSource) -> None:
    """What somebody wrote into a roster is shown as they wrote it, never run."""
    town.all_well(last_minute())
    town.presence(CLASSES[0], last_minute() + MINUTE_NS // 2, lan=0)
    centre.look(time.time_ns())
    detail = centre.detail(SCHOOL, time.time_ns())
    pages = [city.city(view(centre)), school.site(view(centre, LOCAL, detail), SCHOOL),
             lists.search(view(centre), "<img")]  # fmt: skip
    for page in pages:
        assert "<img" not in html(page)
        assert "&lt;img" in html(page)


@pytest.mark.parametrize(
    ("who", "sees", "does_not"),
    [
        (Who("a", Role.COUNTY, "441803"), OTHER, SCHOOL),
        (Who("b", Role.VIEWER, "441802", SCHOOL), SCHOOL, SQUARE),
    ],
    ids=["county", "site"],
)
def test_nobody_sees_beyond_their_scope(town: Town, centre: LiveSource, who: Who, sees: str, does_not: str) -> None:
    """Counts, lists, searches and single pages are those of somebody's county or site alone."""
    town.all_well(last_minute() - 30 * MINUTE_NS)
    centre.look(time.time_ns())
    seen = view(centre, who)
    assert sees in html(city.city(seen, sees[:6]))
    pages = [city.city(seen), city.devices(seen, "", "", 0), lists.hotspots(seen), lists.rollout(seen),
             lists.search(seen, "441"), lists.check(seen), school.site(seen, does_not)]  # fmt: skip
    assert does_not not in "".join(map(html, pages))


def test_a_page_of_a_list_holds_so_many_rows(town: Town, centre: LiveSource) -> None:
    """However many devices there are, a page sends fifty at most, and leads to the others."""
    town.all_well(last_minute())
    centre.look(time.time_ns())
    first = html(city.devices(view(centre), "working", "", 0, size=4))
    third = html(city.devices(view(centre), "working", "", 2, size=4))
    assert first.count("badge s-working") == 4
    assert third.count("badge s-working") == 3
    assert "page=1" in first
    assert html(city.devices(view(centre), "failing", "", 9)).count("badge") == 0


def test_a_state_that_there_is_not_is_said(town: Town, centre: LiveSource) -> None:
    """A list of all devices would be taken for the answer; what somebody wrote is text."""
    town.all_well(last_minute())
    centre.look(time.time_ns())
    page = html(city.devices(view(centre), "<foo>", "", 0))
    assert "there is no state" in page
    assert "&lt;foo&gt;" in page
    assert "badge" not in page
    assert html(city.devices(view(centre), "", "", 0)).count("badge") == 13


def test_models_are_called_by_their_profile(town: Town, centre: LiveSource) -> None:
    """The same kind of thing has the same name on every page, whatever it says of itself; its own page has both."""
    town.all_well(last_minute())
    tags = identity_tags(GATEWAY, GATEWAY).decode()
    town.write([f'identity{tags} version="1",profile="raspberry-pi-5",model="Raspberry Pi 5 Rev 1.0" {last_minute()}'])
    town.write([f'identity{identity_tags(LATE, LATE).decode()} version="1",model="Box 7" {last_minute()}'])
    centre.look(time.time_ns())
    seen = view(centre)
    names = [seen.model(device) for device in (CLASSES[0], PANELS[0], GATEWAY, HOTSPOT, LATE)]
    assert names == ["Windows classroom computer", "PJLink interactive panel", "Raspberry Pi 5",
                     "OpenWrt access point", "OpenWrt access point"]  # fmt: skip
    assert "Raspberry Pi 5 · Raspberry Pi 5 Rev 1.0" in html(school.device(seen, GATEWAY))
    assert "raspberry-pi-5" not in html([*school.device(seen, GATEWAY), *school.site(seen, OTHER)])


def test_a_panel_says_who_sees_it_and_a_hotspot_its_journey(town: Town, centre: LiveSource) -> None:
    """A device's page has its observer, its newest probes and the stage at which a guest fails."""
    at = last_minute()
    town.all_well(at)
    town.journey(HOTSPOT, at + MINUTE_NS // 2, "dns")
    centre.look(time.time_ns())
    assert "gw1" in html(school.device(view(centre), PANELS[0]))
    _, page = html(school.device(view(centre), HOTSPOT)).split('class="walk"')
    assert page.index("scan") < page.index("associate") < page.index("DNS")
    assert "900 ms" in page


def test_journeys_are_told_stage_by_stage(town: Town, centre: LiveSource) -> None:
    """Of two journeys one ends at DNS: two pass the stages before, one from there on, and half fail there."""
    at = last_minute()
    town.all_well(at, minutes=5)
    town.journey(OTHER_HOTSPOT, at + MINUTE_NS // 2, "dns")
    centre.look(time.time_ns())
    table = html(lists.hotspots(view(centre))).split('id="journey-table"')[1].split("</table>")[0]
    rows = [re.findall(r"<div>([^<]+)</div>", row) for row in table.split("<tr>")[2:]]
    assert rows == [
        ["scan", "2", "0"], ["associate", "2", "0"], ["DHCP", "2", "0"], ["DNS", "1", "1 (50.0 %)"],
        ["login page", "1", "0"], ["page", "1", "0"],
    ]  # fmt: skip


def test_a_gateway_has_a_strip_though_no_target_measures_it(town: Town, centre: LiveSource) -> None:
    """Minutes in which it reached the Internet are good, others are what they were."""
    noon = datetime.now(ZONE).replace(hour=12, minute=0, second=0, microsecond=0)  # of a day that has begun long ago
    at = int(noon.timestamp()) * 10**9
    town.all_well(at, minutes=20)
    town.presence(GATEWAY, at - 21 * MINUTE_NS, wan=0, minutes=5)
    centre.look(at + MINUTE_NS)
    runs = centre.detail(OTHER, at + MINUTE_NS).today[GATEWAY].runs
    assert {Cause.WORKING, Cause.WAN_DOWN} <= {run.cause for run in runs if run.minutes >= 3}


def test_a_week_has_seven_days() -> None:
    """Days before a device was on the roster are empty, and stand there."""
    eyes = Eyes("en", ZONE, time.time_ns())
    today = datetime.fromtimestamp(eyes.now_ns / 1e9, ZONE).date()
    shown = week([DayShare(today, 30, 60, 15)], eyes)
    assert shown.count('class="day"') == 7
    assert shown.count("<b>–</b>") == 6
    assert "<b>50%</b>" in shown
    assert week([DayShare(today)], eyes).count('class="day"') == 0


def test_a_county_counts_what_is_its_own(town: Town, centre: LiveSource) -> None:
    """An unregistered device of another county waits for somebody there."""
    town.all_well(last_minute())
    town.presence("441803-3144000002.c9999", last_minute())
    centre.look(time.time_ns())

    def waiting(county: str) -> str:
        text = html(city.city(view(centre), county)).partition("#unregistered")[2]
        return str(re.findall(r"<b>([^<]+)</b>", text)[0])

    assert (waiting(""), waiting("441803"), waiting("441802")) == ("1", "1", "0")


def test_tests_of_an_hour_are_spread_over_that_hour(town: Town, centre: LiveSource) -> None:
    """A line that has been tested since an hour ago has a chart of that hour, one tested for weeks one of 30 days."""
    now_ns = time.time_ns()
    town.test(CLASSES[0], now_ns - 60 * MINUTE_NS, 80.0)
    assert re.search(r">\d\d:\d\d</text>", html(school.site(view(centre, LOCAL, _detail(centre)), SCHOOL)))
    town.test(CLASSES[0], now_ns - 20 * DAY_NS, 80.0)
    assert re.search(r">\d\d-\d\d</text>", html(school.site(view(centre, LOCAL, _detail(centre)), SCHOOL)))


def _detail(centre: LiveSource) -> SiteDetail:
    centre.look(time.time_ns())
    return centre.detail(SCHOOL, time.time_ns())


# ---- forms


def written(**fields: str) -> Written:
    """Return a form that is filled in well, with other fields."""
    form = Written("closure", "site", SCHOOL, "2026-03-02", "", "2026-03-03", "12:30", "building-works", "",
                   " new \n roof ", " A  B ")  # fmt: skip
    return form._replace(**fields)


def test_a_form_becomes_a_claim(centre: LiveSource) -> None:
    """Days without a time are whole, in the programme's zone; names and texts are one paragraph."""
    centre.look(time.time_ns())
    filing = filing_of(written(), LOCAL, "root", centre.picture.roster, ZONE, "en")
    assert filing.claim is not None
    assert filing.claim.since == datetime(2026, 3, 2, tzinfo=ZONE)
    assert filing.claim.until == datetime(2026, 3, 3, 12, 30, tzinfo=ZONE)
    assert (filing.by, filing.text, filing.login) == ("A B", "new roof", "root")
    whole = filing_of(written(last_day="", last_time=""), LOCAL, "root", centre.picture.roster, ZONE, "en")
    assert whole.claim is not None
    assert whole.claim.until == datetime(2026, 3, 3, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"place": "441802-999"}, "the roster does not have '441802-999'"),
        ({"place": ""}, "the roster does not have ''"),
        ({"first_day": "soon"}, "'soon' is no day or time"),
        ({"last_time": "25:00"}, "'25:00' is no day or time"),
    ],
)
def test_a_form_that_is_wrong_says_what(centre: LiveSource, fields: dict[str, str], said: str) -> None:
    """In one sentence, with what was written."""
    centre.look(time.time_ns())
    with pytest.raises(BadForm, match=said):
        filing_of(written(**fields), LOCAL, "root", centre.picture.roster, ZONE, "en")


def test_who_may_not_cannot(town: Town, centre: LiveSource) -> None:
    """A viewer files nothing, a technician decides nothing, and nobody does either beyond their scope."""
    centre.look(time.time_ns())
    roster = centre.picture.roster
    technician = Who("t", Role.TECHNICIAN, "441802", SCHOOL)
    for who in (Who("v", Role.VIEWER), Who("c", Role.COUNTY, "441803")):
        with pytest.raises(BadForm, match="not yours"):
            filing_of(written(), who, who.name, roster, ZONE, "en")
    filed = centre.file(filing_of(written(by=""), technician, "t", roster, ZONE, "en"))
    assert filed.proposed.by == "t"
    with pytest.raises(BadForm, match="not yours"):
        decision_of(filed, Decided(Happened.APPROVED, "t", ""), technician, "t", "en")
    assert decision_of(filed, Decided(Happened.APPROVED, "", ""), Who("x", Role.CITY), "x", "en").by == "x"
