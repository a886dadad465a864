"""Incidents of many sites: when they end, and who is told that they have become those of others, too."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.watch.journal import Journal
from collector.watch.memory import Moment, Thing
from collector.watch.routes import Route, Routing, WatchSettings
from tests.collector.commands import run
from tests.collector.watch.town import Town, school

SITES = [school(number) for number in range(6)]


def cut_off() -> Town:
    """Return a town of one operator that has lost six of its twelve schools."""
    town = Town(12, operators=1)
    town.run(10)
    town.cut(*SITES)
    town.run(8)
    assert [what for what, _, _ in town.told] == ["opened"]
    return town


def test_sites_that_are_closed_by_then_do_not_keep_an_operators_incident_open() -> None:
    """Six are cut off and come back; two of them are in a closure since: the four others count."""
    town = cut_off()
    for site in SITES[:2]:
        town.quiet.update(town.of(site))
    town.run(10)
    town.mend(*SITES)
    town.run(30)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]
    assert town.news[-1].case.ended == "recovered"


def test_nor_do_those_whose_hours_are_over() -> None:
    """What is not heard then says nothing of the line."""
    town = cut_off()
    town.closed_hours.update(SITES[:2])
    town.run(5)
    town.mend(*SITES[2:])
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]


def test_when_nobody_owes_service_any_more_the_incident_goes_on() -> None:
    """The night repairs nothing: it ends in the morning, when all are back."""
    town = cut_off()
    town.closed_hours.update(SITES)
    town.run(20)
    assert town.core.memory.of_subject("operator:operator-0") is not None
    town.mend(*SITES)
    town.closed_hours.clear()
    town.service_ns = town.now_ns
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]


def test_what_is_still_cut_off_when_its_closure_ends_gets_an_incident_of_its_own() -> None:
    """Left out is not forgotten."""
    town = cut_off()
    town.quiet.update(town.of(SITES[0]))
    town.run(5)
    town.mend(*SITES[1:])
    town.run(10)
    assert [what for what, _, _ in town.told] == ["opened", "recovered"]
    town.quiet.clear()
    town.run(10)
    assert town.told[2:] == [("opened", "site", f"site:{SITES[0]}")]


def test_an_operators_incident_is_escalated_though_its_first_site_owes_nothing_any_more() -> None:
    """As long as one of its sites owes service somebody has to look after it."""
    town = cut_off()
    town.closed_hours.add(town.news[0].case.site)
    town.run(40)
    assert [what for what, _, _ in town.told] == ["opened", "escalated"]


def test_the_list_names_the_operator_and_how_many_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the school that happens to be the first."""
    town = Town(12, operators=1, journal=tmp_path)
    town.run(10)
    town.cut(*SITES)
    town.run(8)
    monkeypatch.setenv("COLUMNS", "200")
    listed, _ = run("incident", "list", "--data", tmp_path, "--lang", "en", code=1)
    assert "operator-0 6 sites" in listed
    assert SITES[0] not in listed


# ---- who is told

CITY, A, B, HEAD = ADDRESSES = ["city#1", "a#2", "b#3", "head#4"]
ROUTES = (
    Route((A,), county=("441802",), escalate_to=(HEAD,)),
    Route((B,), county=("441881",)),
)


class Told(Town):
    """A town of one operator in two counties, whose people are told by routes."""

    def __init__(self, routes: tuple[Route, ...] = ROUTES, journal: Path | None = None) -> None:
        super().__init__(12, operators=1, journal=journal)
        self.routing = Routing(WatchSettings(route=routes), ADDRESSES)
        self.others = [f"441881-{5000 + number}" for number in range(6)]
        for site in self.others:
            self.add(Thing(f"{site}.gw", site, "441881", "operator-0", is_gateway=True))
            self.add(Thing(f"{site}.c0", site, "441881", "operator-0", may_be_off=True))
        self.core.plan(self.things.values())
        for site in self.others:
            for device in self.of(site):
                self.core.said(device, "online", self.now_ns, is_retained=True)

    def moment(self) -> Moment:
        """Return what is known, with the routes."""
        return super().moment()._replace(addresses=self.routing.addresses)

    def messages(self) -> list[tuple[str, str, str]]:
        """Return who was told what of which incident, in order."""
        zone = ZoneInfo("Asia/Shanghai")
        return [
            (one.address, news.what, news.case.id)
            for news in self.news
            for one in sorted(self.routing.recipients(news, zone))
        ]


def test_people_of_a_county_that_an_incident_grows_into_are_told_that_it_began(tmp_path: Path) -> None:
    """Once, when their first schools go; and they hear that it is over, as all others who were told do."""
    town = Told(journal=tmp_path)
    town.run(10)
    town.cut(*SITES)
    town.run(6)
    assert town.messages() == [(A, "opened", "1")]
    town.cut(*town.others[:3])
    town.run(5)
    assert town.messages() == [(A, "opened", "1"), (B, "opened", "1")]
    assert any(device.startswith("441881-") for device in town.news[-1].case.devices)
    town.restart()
    town.cut(*town.others[3:])
    town.run(6)
    town.mend(*SITES, *town.others)
    town.run(10)
    assert town.messages()[2:] == [(A, "recovered", "1"), (B, "recovered", "1")]


def test_who_was_told_of_a_school_hears_that_it_is_over_with_the_incident_that_took_it_up() -> None:
    """Also where they are not told of incidents of operators: the recovery names the number that they know."""
    town = Told((Route((A,), kind=("site",)), Route((CITY,), kind=("operator",))))
    town.run(10)
    town.cut(SITES[0])
    town.run(8)
    town.cut(*SITES[1:])
    town.run(8)
    assert town.messages() == [(A, "opened", "1"), (CITY, "opened", "2")]
    assert town.core.memory.cases["2"].includes == ("1",)
    town.mend(*SITES)
    town.run(10)
    assert town.messages()[2:] == [(A, "recovered", "2"), (CITY, "recovered", "2")]


def test_who_was_woken_because_nobody_acknowledged_is_told_that_it_is_over() -> None:
    """They are the ones who got up."""
    town = Told()
    town.run(10)
    town.cut(SITES[0])
    town.run(45)
    town.mend(SITES[0])
    town.run(10)
    assert town.messages() == [
        (A, "opened", "1"),
        (HEAD, "escalated", "1"),
        (A, "recovered", "1"),
        (HEAD, "recovered", "1"),
    ]


def test_what_an_earlier_version_opened_is_told_to_nobody_a_second_time(tmp_path: Path) -> None:
    """Its journal does not say who was told: those were whom the routes name."""
    town = Told(journal=tmp_path)
    town.run(10)
    town.cut(*SITES)
    town.run(6)
    with Journal(tmp_path).transaction() as connection:
        connection.execute("UPDATE incident SET content = json_remove(content, '$.told', '$.since', '$.lost')")
    town.restart()
    town.cut(school(6))
    town.run(6)
    town.mend(*SITES, school(6))
    town.run(10)
    assert town.messages() == [(A, "opened", "1"), (A, "recovered", "1")]
