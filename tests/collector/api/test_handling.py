"""Incidents over the API: who may acknowledge, note and close which, and what is kept of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.access.gate import Gate
from collector.access.types import Role, Who
from collector.access.users import User, Users, added
from collector.centre import LiveCentre
from collector.serving import application
from collector.store.open import open_store
from collector.watch.journal import Journal
from collector.watch.memory import Case, Memory
from collector.watch.types import Incident
from tests.collector.api.conftest import ELSEWHERE, KEPT, PASSWORD
from tests.collector.web import Answer, ask, basic, page_of

ONE, OTHER = "441802-3144000001", "441803-3144000002"
NOW_NS = 1_772_000_000 * 10**9
PEOPLE = {
    who.name: who
    for who in (
        Who("viewer", Role.VIEWER),
        Who("inspector", Role.INSPECTOR),
        Who("city", Role.CITY),
        Who("county", Role.COUNTY, "441802"),
        Who("technician", Role.TECHNICIAN, "", ONE),
        Who("stranger", Role.TECHNICIAN, "", OTHER),
    )
}
SITE, BOTH, CENTRE = "1", "2", "3"  # of one site, of an operator in two counties, of the centre


class Served(NamedTuple):
    """The pages over a journal that watch wrote: their URL, and the data folder."""

    url: str
    data: Path

    def do(self, name: str, what: str, who: str, text: str | None = None) -> Answer:
        """Do something about an incident."""
        body = None if text is None else {"text": text}
        return ask(self.url, f"/api/v1/incidents/{name}/{what}", basic(who, PASSWORD), json_body=body, method="POST")

    def incident(self, name: str) -> Incident:
        """Return an incident as the journal has it."""
        return Journal(self.data).incident(name)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve three open incidents."""
    for who in PEOPLE.values():
        Users(tmp_path).change(added(User(who, KEPT)))
    journal, memory = Journal(tmp_path, create=True), Memory()
    devices = (f"{ONE}.c0101", f"{OTHER}.c0101")
    memory.case(Case(SITE, "site", f"site:{ONE}", "441802", ONE, "", devices[:1], "wan_down", NOW_NS, NOW_NS))
    memory.case(Case(BOTH, "operator", "operator:x", "", "", "x", devices, "wan_down", NOW_NS, NOW_NS))
    memory.case(Case(CENTRE, "centre", "centre:store", "", "", "", (), "store_down", NOW_NS, NOW_NS))
    journal.commit(memory)
    journal.shut()
    store = open_store(f"sqlite://{tmp_path}/santong.sqlite")
    store.prepare()
    centre, gate = LiveCentre(tmp_path, store), Gate(tmp_path, ELSEWHERE)
    with page_of(application(centre, gate), gate, ELSEWHERE) as url:
        yield Served(url, tmp_path)
    centre.close()
    store.close()


def test_what_is_done_is_kept_under_the_login(served: Served) -> None:
    """Acknowledged, noted, closed: the journal has it, the answer shows it, the log says who did it."""
    assert served.do(SITE, "ack", "technician").json["acknowledged_by"] == "technician"
    noted = served.do(SITE, "note", "county", "the operator is on the way").json
    assert noted["notes"][0].endswith("county: the operator is on the way")
    closed = served.do(SITE, "close", "technician", "a cable was pulled out").json
    assert closed["closed"]
    found = served.incident(SITE)
    assert (found.acknowledged_by, [note.by for note in found.notes]) == ("technician", ["county", "technician"])
    logged = [json.loads(line) for line in (served.data / "access/log.jsonl").read_text("utf-8").splitlines()]
    told = [(one["who"], one["what"], one["on"]) for one in logged if one["what"].startswith("incident.")]
    assert told == [
        ("technician", "incident.ack", "incident 1"),
        ("county", "incident.note", "incident 1"),
        ("technician", "incident.close", "incident 1"),
    ]


@pytest.mark.parametrize(("who", "may"), [
    ("viewer", set()), ("inspector", set()), ("city", {SITE, BOTH, CENTRE}), ("county", {SITE}),
    ("technician", {SITE}), ("stranger", set()),
])  # fmt: skip
def test_only_who_has_all_of_an_incident_handles_it(served: Served, who: str, may: set[str]) -> None:
    """A role that acknowledges, and a scope that has all of it; what is outside of a scope is not there."""
    for name in (SITE, BOTH, CENTRE):
        answer = served.do(name, "ack", who)
        sees = ask(served.url, f"/api/v1/incidents/{name}", basic(who, PASSWORD)).status == 200
        assert answer.status == (200 if name in may else 403 if sees else 404), (name, answer)
        assert bool(served.incident(name).acknowledged_by) is (name in may)


def test_what_cannot_be_done_is_said_and_not_done(served: Served) -> None:
    """Nothing without a reason where one is needed, nothing twice, nothing about an incident that is not there."""
    assert served.do(SITE, "close", "city", "  ").status == 409
    assert served.do(SITE, "close", "city").status == 422
    assert served.do(SITE, "note", "city", "x" * 1001).status == 422
    assert served.incident(SITE).closed_ns is None
    assert not served.incident(SITE).notes
    assert served.do("99", "ack", "city").status == 404
    assert served.do(SITE, "close", "city", "over").status == 200
    again = served.do(SITE, "close", "city", "over")
    assert (again.status, "closed already" in again.json["error"]) == (409, True)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", "[]", "body: "),
        ("application/json", '"over"', "body: "),
        ("application/json", "null", "body: "),
        ("application/json", '{"text": ', "body: "),
        ("application/json", "", "body: "),
        ("text/plain", '{"text": "over"}', "body: "),
        ("application/json", '{"text": 7}', "text: "),
        ("application/json", '{"test": "over"}', "test: "),
    ],
)
def test_a_body_that_is_none_is_named(served: Served, kind: str, body: str, said: str) -> None:
    """Whoever forgot Content-Type, or sends a list, is told that it is the body; a field is told by its name."""
    headers = {"Content-Type": kind, **basic("city", PASSWORD)}
    answer = ask(served.url, f"/api/v1/incidents/{SITE}/close", headers, body=body, method="POST")
    assert answer.status == 422
    assert answer.json["error"].startswith(said), answer.json
    assert "; :" not in answer.json["error"]
    assert served.incident(SITE).closed_ns is None


def test_a_page_of_another_site_does_nothing(served: Served) -> None:
    """What a browser sends from another site's page is refused, whoever is logged in."""
    headers = basic("city", PASSWORD) | {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    answer = ask(served.url, f"/api/v1/incidents/{SITE}/ack", headers, json_body={}, method="POST")
    assert answer.status == 403
    assert not served.incident(SITE).acknowledged_by


def test_a_folder_without_watch_has_no_incidents(served: Served) -> None:
    """Where watch never ran it is said so."""
    for file in served.data.glob("watch.sqlite*"):
        file.unlink()
    answer = served.do(SITE, "ack", "city")
    assert answer.status == 404
    assert "santong watch" in answer.json["error"]
