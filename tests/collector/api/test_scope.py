"""Nobody sees more than their scope: for every route, every person, every form, no id of another county or site."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from collector.access.types import Who, covers
from collector.api.app import create
from contract.names import county_of, site_of
from tests.collector.api.conftest import CLOSED, MONDAY, PASSWORD, City, Served
from tests.collector.web import Answer, ask, basic

_OPEN = {"/healthz"}
IDS = re.compile(r"\b(44\d{4})(-[a-z0-9]+)?\b")


def routes(served: Served) -> Iterator[str]:
    """Yield every route with every part of the city that may be asked about: what is added later is among them."""
    city = served.city
    app: FastAPI = create(served.centre)
    for path, operations in app.openapi()["paths"].items():
        if "get" not in operations:  # test_handling.py has what changes something
            continue
        names = {one["name"] for one in operations["get"].get("parameters", ())}
        queries = ["limit=5000"] if "limit" in names else [""]
        if "county" in names:
            queries += [f"limit=5000&county={county}" for county in (city.counties[0], city.counties[-1])]
            queries += [f"limit=5000&site={site}" for site in (min(city.roster.sites), max(city.roster.sites))]
        if "by" in names:
            queries.append("by=county")
        if "measurement" in names:
            period = f"from={MONDAY}&to={MONDAY}T02:00"
            queries = [
                f"measurement=presence&device={one}&{period}"
                for one in (min(city.roster.devices), max(city.roster.devices))
            ]
        filled = (
            path.replace("incidents/{name}", "incidents/1")
            .replace("{name}", CLOSED)
            .replace("{file}", f"{CLOSED}.json")
        )
        for query in queries:
            yield f"{filled}?{query}" if query else filled


def seen(answer: Answer) -> set[tuple[str, str]]:
    """Return the counties and sites that an answer names."""
    text = answer.body.decode(errors="replace")
    return {(county, f"{county}{rest}" if rest else "") for county, rest in IDS.findall(text)}


def strangers(who: Who, found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of which somebody must not see anything; whoever has a site may see the name of its county."""
    own = county_of(who.site)
    return {one for one in found if not covers(who, *one) and not (who.site and one == (own, ""))}


def test_no_answer_names_what_is_of_others(served: Served) -> None:
    """Asked for everything, and for each county and site; as JSON and as CSV. What is refused is 403, in one line."""
    every = list(routes(served))
    assert len({url.partition("?")[0] for url in every}) >= 13
    for name, who in served.city.people.items():
        headers = basic(name, PASSWORD)
        for url in every:
            asked_for = {(county, site) for county, site in seen(Answer(0, {}, url.encode()))}
            for form in ("json", "csv") if url.endswith("limit=5000") else ("",):
                answer = ask(served.url, f"{url}&format={form}" if form else url, headers)
                assert answer.status in (200, 403, 404), (name, url, answer.body[:200])
                named = strangers(who, seen(answer))
                if answer.status == 200:
                    assert not named, (name, url, sorted(named)[:3])
                else:
                    assert named <= asked_for, (name, url, answer.body)
                    assert set(answer.json) == {"error"}


def test_everybody_sees_their_own(served: Served) -> None:
    """The same is not empty: each person sees all devices of their scope, and whoever has the city sees all."""
    devices = served.city.roster.devices
    for name, who in served.city.people.items():
        rows = ask(served.url, "/api/v1/status?limit=5000", basic(name, PASSWORD)).json["items"]
        wanted = {one for one in devices if covers(who, county_of(one), site_of(one))}
        assert {row["device"] for row in rows if row["registered"]} == wanted
        incidents = ask(served.url, "/api/v1/incidents", basic(name, PASSWORD)).json["items"]
        assert incidents[0]["devices"] or who.site
        assert any(one["kind"] == "operator" for one in incidents), "a cut that touches its devices, too"
        assert any(one["kind"] == "centre" for one in incidents) is covers(who)


@pytest.mark.parametrize("role", ["viewer", "technician"])
def test_a_role_without_reports_gets_none(served: Served, role: str) -> None:
    """A viewer of the whole city sees that a month was closed, and cannot take its files."""
    headers = basic(role, PASSWORD)
    (closing, *_) = ask(served.url, "/api/v1/closings", headers).json["items"]
    assert (closing["id"], closing["files"]) == (CLOSED, {})
    answer = ask(served.url, f"/api/v1/closings/{CLOSED}/{CLOSED}.json", headers)
    assert (answer.status, answer.json) == (403, {"error": f"report: is not for the role {role}"})


def test_without_a_login_there_is_nothing(served: Served, city: City) -> None:
    """Of every route nobody gets anything but whether the centre is well, which names nothing of the city."""
    for url in routes(served):
        answer = ask(served.url, url)
        if url in _OPEN:
            assert not seen(answer)
        else:
            assert (answer.status, set(answer.json)) == (401, {"error"}), url
