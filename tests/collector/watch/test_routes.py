"""Who is told of what, and when."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from collector.watch.memory import ESCALATED, OPENED, Case, News
from collector.watch.routes import Board, Quiet, Route, Routing, WatchSettings
from collector.watch.rules import SECOND_NS
from contract.errors import ConfigError

ZONE = ZoneInfo("Asia/Shanghai")
ADDRESSES = ["wecombot#00000001", "mailtos://smtp.example.org#00000002", "json://one.example.org#00000003"]
CITY, HEAD, HOOK = ADDRESSES


def at(clock: str) -> int:
    """Return an instant of a day in the people's zone."""
    return int(datetime.fromisoformat(f"2026-03-02T{clock}:00+08:00").timestamp()) * SECOND_NS


def news(
    clock: str = "10:00", kind: str = "site", county: str = "441802", operator: str = "", what: str = OPENED
) -> News:
    """Return news of an incident."""
    site = f"{county}-1001"
    case = Case("1", kind, f"{kind}:{site}", county, site, operator, (f"{site}.gw",), "wan_down", at(clock), at(clock))
    return News(what, case, at(clock))


def told(routes: tuple[Route, ...], one: News) -> dict[str, int]:
    """Return who is told, and when."""
    return dict(Routing(WatchSettings(route=routes), ADDRESSES).recipients(one, ZONE))


def test_without_routes_everybody_is_told() -> None:
    """Who has written no file is told of everything."""
    assert told((), news()).keys() == set(ADDRESSES)


def test_a_route_is_by_county_operator_and_kind() -> None:
    """All that a route names must fit."""
    routes = (
        Route((CITY,), county=("441802",)),
        Route((HEAD,), county=("441881",)),
        Route((HOOK,), operator=("operator-a",), kind=("operator", "site")),
    )
    assert told(routes, news()).keys() == {CITY}
    assert told(routes, news(county="441881")).keys() == {HEAD}
    assert told(routes, news(operator="operator-a")).keys() == {CITY, HOOK}
    assert told(routes, news(operator="operator-a", kind="device")).keys() == {CITY}


def test_an_incident_of_the_centre_is_everybodys() -> None:
    """It has no county; nobody who watches one is left out."""
    case = news(kind="centre").case._replace(county="", site="", devices=())
    assert told((Route((CITY,), county=("441802",)),), News(OPENED, case, at("03:00"))) == {CITY: at("03:00")}


def test_in_quiet_hours_news_wait_for_their_end_but_for_a_dead_centre() -> None:
    """A night goes over midnight; by day nothing waits."""
    routes = (Route((CITY,), quiet=Quiet("22:00-07:00")),)
    assert told(routes, news("23:30"))[CITY] == at("07:00") + 86_400 * SECOND_NS
    assert told(routes, news("06:59"))[CITY] == at("07:00")
    assert told(routes, news("07:00"))[CITY] == at("07:00")
    assert told(routes, news("12:00"))[CITY] == at("12:00")
    assert told(routes, news("23:30", kind="centre"))[CITY] == at("23:30")


def test_who_is_told_by_two_routes_is_told_once_and_at_the_earlier_time() -> None:
    """Not twice."""
    routes = (Route((CITY,), quiet=Quiet("22:00-07:00")), Route(("wecom*",)))
    assert told(routes, news("23:30")) == {CITY: at("23:30")}


def test_escalation_goes_to_others() -> None:
    """Where a route names somebody for it; else to the same."""
    routes = (Route((CITY,), escalate_to=("mailto*",)), Route((HOOK,)))
    assert told(routes, news(what=ESCALATED)).keys() == {HEAD, HOOK}


def test_who_gets_the_digest_of_which_counties() -> None:
    """Of the counties of their routes; of all where one of them names none."""
    routes = (
        Route((CITY,), county=("441802",)),
        Route((CITY,), county=("441881",)),
        Route((HEAD,), county=("441802",)),
        Route((HEAD,)),
        Route((HOOK,), digest=False),
    )
    assert Routing(WatchSettings(route=routes), ADDRESSES).digests() == {
        CITY: frozenset({"441802", "441881"}),
        HEAD: frozenset(),
    }


def test_an_address_that_there_is_not_is_a_mistake_and_all_are_named() -> None:
    """A route to nobody would be silence."""
    routes = (Route(("wecombot#00000009",)), Route((CITY,), escalate_to=("feishu*",)))
    with pytest.raises(ConfigError) as found:
        Routing(WatchSettings(route=routes), ADDRESSES)
    assert [problem.path for problem in found.value.problems] == ["route[0].to", "route[1].escalate_to"]
    assert "did you mean wecombot#00000001" in str(found.value)


def test_the_boards_address_is_one_that_a_link_can_be_made_of() -> None:
    """Of http or https, without a user, a query or a part of a page; a slash at its end makes no difference."""
    assert Board.parse("https://board.example.org/") == Board.parse("https://board.example.org")
    assert Board.parse("http://10.0.0.5:8080/santong") == "http://10.0.0.5:8080/santong"
    assert Board.parse("") == ""
    for text in ("board.example.org", "ftp://board", "https://", "https://a b", "https://u:p@board", "https://board?x"):
        with pytest.raises(ValueError, match="is no address such as"):
            Board.parse(text)
    with pytest.raises(ValueError, match="longer than"):
        Board.parse("https://board.example.org/" + "x" * 200)
