"""Who is told of what, and when."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from collector.watch.memory import ESCALATED, OPENED, RECOVERED, Case, News, Thing, Track
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


def test_who_was_woken_is_told_that_it_is_over() -> None:
    """Also where the journal does not say who was told, as that of an earlier version."""
    routes = (Route((CITY,), escalate_to=("mailto*",)), Route((HOOK,)))
    over = news(what=RECOVERED)
    woken = over._replace(case=over.case._replace(is_escalated=True))
    assert told(routes, over).keys() == {CITY, HOOK}
    assert told(routes, woken).keys() == {CITY, HEAD, HOOK}


def test_who_knows_of_an_incident_is_told_how_it_ends_and_nobody_else() -> None:
    """Whatever the routes say by now; quiet hours are kept."""
    routes = (Route((CITY,), county=("441881",), quiet=Quiet("22:00-07:00")), Route((HOOK,)))
    over = news("06:00", what=RECOVERED)._replace(to=(CITY, HEAD))
    assert told(routes, over) == {CITY: at("07:00"), HEAD: at("06:00")}


def test_whoever_has_taken_the_place_of_an_address_is_told_how_it_ends() -> None:
    """A bot with a new key has another name: those whom the routes name now hear of it, and all who knew."""
    routes = (Route((HOOK,)), Route((CITY,), county=("441881",)))
    over = news("06:00", what=RECOVERED)._replace(to=(HEAD, "feishu#00000009"))
    assert told(routes, over).keys() == {HEAD, HOOK}


THINGS = [
    Thing(f"{county}-100{number}.gw", f"{county}-100{number}", county, operator)
    for county in ("441802", "441881")
    for number, operator in enumerate(("operator-a", "operator-b"))
]


def digest(routes: tuple[Route, ...], cases: list[Case]) -> dict[str, tuple[list[str], list[str]]]:
    """Return who gets the digest, of which incidents and of which devices."""
    tracks = {thing.device: Track(thing.device) for thing in THINGS}
    parts = Routing(WatchSettings(route=routes), ADDRESSES).digests()
    return {
        name: ([one.id for one in part.cases(cases)], list(part.now(THINGS, tracks))) for name, part in parts.items()
    }


def test_a_digest_is_cut_by_all_that_routes_are_about() -> None:
    """An operator hears of its own lines alone, in the morning as at all other times; kinds and counties likewise."""
    cases = [
        news(operator="operator-a").case._replace(id="1"),
        news(operator="operator-b").case._replace(id="2"),
        news(operator="operator-a", county="441881").case._replace(id="3"),
        news(operator="operator-a", kind="device").case._replace(id="4"),
    ]
    of_a, of_b = ([thing.device for thing in THINGS if thing.operator == one] for one in ("operator-a", "operator-b"))
    assert digest((Route((HOOK,), operator=("operator-a",), kind=("operator", "site")),), cases) == {
        HOOK: (["1", "3"], of_a)
    }
    assert digest((Route((CITY,), county=("441881",), operator=("operator-a",)),), cases) == {CITY: (["3"], of_a[1:])}
    two = (Route((HEAD,), operator=("operator-b",)), Route((HEAD,), kind=("device",), county=("441802",)))
    assert digest(two, cases) == {HEAD: (["2", "4"], [THINGS[0].device, *of_b])}
    assert digest((), cases) == {one: (["1", "2", "3", "4"], [thing.device for thing in THINGS]) for one in ADDRESSES}


def test_who_gets_the_digest_of_which_counties() -> None:
    """Of the counties of their routes; of all where one of them names none."""
    routes = (
        Route((CITY,), county=("441802",)),
        Route((CITY,), county=("441881",)),
        Route((HEAD,), county=("441802",)),
        Route((HEAD,)),
        Route((HOOK,), digest=False),
    )
    everywhere = [thing.device for thing in THINGS]
    assert digest(routes, []) == {CITY: ([], everywhere), HEAD: ([], everywhere)}
    assert digest(routes[:1], []) == {CITY: ([], everywhere[:2])}


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
