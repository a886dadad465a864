"""The probe portal tells an open Internet, a login page and a broken way from each other."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outcome import Outcome
from agent.probe.portal import parse_api
from agent.probe.settings import Portal
from agent.probe.values import ENDPOINTS, Endpoint, Url
from agent.worker.kinds import perform
from contract.settings import Seconds
from tests.agent.probe.servers import Script, Server, answer, answers, asked, pages, redirect, serving, silent

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
LOGIN = answer(200, b"<html>please log in</html>")


def look(script: Script, *paths: str, **wishes: object) -> Outcome:
    """Probe the endpoints at these paths of a server."""
    with serving(script) as server:
        return look_at(server, *paths, **wishes)


def look_at(server: Server, *paths: str, **wishes: object) -> Outcome:
    """Probe the endpoints at these paths."""
    endpoints = tuple(Endpoint.parse(f"{server.url()[:-1]}{path}") for path in paths)
    return perform("portal", Portal(endpoints=endpoints, timeout=Seconds(4))._replace(**wishes))  # type: ignore[arg-type]


def finds(outcome: Outcome) -> list[object]:
    """Return what was found at each endpoint."""
    rows = outcome.details["endpoints"]
    assert isinstance(rows, list)
    return [row["finds"] for row in rows]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/generate_204", NO_CONTENT),
        ("/generate_204", NO_CONTENT[:-2] + b"Content-Length: 4\r\n\r\nbody"),
        ("/x|204", NO_CONTENT),
        ("/x|Success", answer(200, b"<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>")),
        ("/x|Microsoft Connect Test", answer(200, b"Microsoft Connect Test")),
        ("/x|success", answer(200, b"success\n")),
    ],
)
def test_what_is_due_means_an_open_internet(path: str, text: bytes) -> None:
    """204, or the text and nothing else, tags aside; stage `done`."""
    outcome = look(answers(text), path)
    assert (outcome.success, outcome.stage, finds(outcome)) == (True, "done", ["open"])
    assert float(outcome.fields["rtt_ms"]) > 0


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("/generate_204", LOGIN, 200),
        ("/generate_204", answer(200), 200),
        ("/x|success", answer(200, b"<script>if (success) go()</script> success is near"), 200),
        ("/x|success", NO_CONTENT, 204),
        ("/generate_204", answer(511, b"<a href='/login'>log in</a>"), 511),
    ],
)
def test_a_page_in_its_place_is_a_portal(path: str, text: bytes, code: int) -> None:
    """A page where 204 or a text is due, and status 511: stage `portal`, a success, with the status that was seen."""
    outcome = look(answers(text), path)
    assert (outcome.success, outcome.stage, outcome.code) == (True, "portal", code)
    assert finds(outcome) == ["page"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_login_page_is_a_portal(status: int) -> None:
    """Its page is loaded once, through further redirects."""
    site = pages({"/generate_204": redirect("/1", status), "/1": redirect("/login"), "/login": LOGIN})
    with serving(site) as server:
        outcome = look_at(server, "/generate_204")
        assert (outcome.success, outcome.stage, outcome.code) == (True, "portal", status)
        assert outcome.details["login_page"] == server.url("/1")
        assert [request.split()[1] for request in server.requests] == ["/generate_204", "/1", "/login"]


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ({"/generate_204": redirect("/login")}, 404),
        ({"/generate_204": redirect("/login"), "/login": redirect("/login")}, 302),
        ({"/generate_204": redirect("/login"), "/login": answer(302)}, 302),
        ({"/generate_204": redirect("/login"), "/login": answer(304)}, 304),
        ({"/generate_204": redirect("http://127.0.0.1:1/")}, 111),
        ({"/generate_204": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"}, 302),
        ({"/generate_204": redirect("ftp://x/")}, 302),
    ],
)
def test_a_login_page_that_does_not_load_fails(site: dict[str, bytes], code: int) -> None:
    """People are held up and cannot log in: stage `login_page`; the endpoints' answers are told."""
    outcome = look(pages(site), "/generate_204")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "login_page", code)
    assert finds(outcome) == ["redirect"]


@pytest.mark.parametrize("login", [answer(500), redirect("/login?mac=aa:bb:cc:dd:ee:ff&token=s3cr3t"), b"nonsense\r\n"])
def test_a_reason_names_no_query_of_the_login_page(login: bytes) -> None:
    """MAC, user and token of the address stay in the details: the reason leaves the device."""
    there = "/login?mac=aa:bb:cc:dd:ee:ff&token=s3cr3t"
    with serving(pages({"/generate_204": redirect(there), there: login})) as server:
        outcome = look_at(server, "/generate_204")
        assert (outcome.success, outcome.stage) == (False, "login_page")
        assert server.url("/login") in outcome.reason
        assert "s3cr3t" not in outcome.reason
        assert "aa:bb" not in outcome.reason
        assert outcome.details["login_page"] == server.url(there)


def test_one_open_endpoint_is_enough_and_disagreement_is_told() -> None:
    """One vendor's server in trouble proves nothing; a portal beside an open one is remarkable."""
    site = pages({"/generate_204": NO_CONTENT, "/portal/generate_204": LOGIN})
    outcome = look(site, "/gone/generate_204", "/generate_204")
    assert (outcome.success, outcome.stage, finds(outcome)) == (True, "done", ["failed", "open"])
    assert "disagree" not in outcome.details
    assert outcome.reason == ""
    outcome = look(site, "/portal/generate_204", "/generate_204")
    assert (outcome.success, outcome.stage, finds(outcome)) == (True, "done", ["page", "open"])
    assert "disagree" in outcome.details
    assert outcome.reason == "open, but 1 of 2 endpoints meet a portal: 127.0.0.1"


@pytest.mark.parametrize("text", [LOGIN, redirect("/login"), answer(511)])
def test_an_open_internet_is_expected_at_every_endpoint(text: bytes) -> None:
    """A portal that lets one vendor's check through is one: with `expect` open it fails at `expected`."""
    site = pages({"/generate_204": NO_CONTENT, "/portal/generate_204": text})
    outcome = look(site, "/portal/generate_204", "/generate_204", expect="open")
    assert (outcome.success, outcome.stage) == (False, "expected")
    assert outcome.reason == "open, but 1 of 2 endpoints meet a portal: 127.0.0.1; expected is open"
    assert finds(outcome)[1] == "open"
    assert look(site, "/gone/generate_204", "/generate_204", expect="open").success


def test_the_furthest_stage_is_told_when_all_fail() -> None:
    """Of a name that does not exist, a closed port and a server in trouble the last says most."""
    refused = Endpoint.parse("http://127.0.0.1:1/generate_204")
    unknown = Endpoint.parse("http://no-such-name.invalid/generate_204")
    outcome = perform("portal", Portal(endpoints=(unknown, refused)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "connect", 111)
    with serving(answers(b"garbage\r\n\r\n")) as server:
        garbage = Endpoint.parse(server.url("/generate_204"))
        assert perform("portal", Portal(endpoints=(garbage, unknown, refused))).stage == "request"
    with serving(answers(answer(502))) as server:
        trouble = Endpoint.parse(server.url("/generate_204"))
        outcome = perform("portal", Portal(endpoints=(unknown, trouble, refused)))
    assert (outcome.stage, outcome.code) == ("status", 502)


def test_silent_endpoints_end_in_time() -> None:
    """All are asked at once, and none is waited for longer than the probe may last."""
    begun = time.monotonic()
    outcome = look(silent, *["/generate_204"] * 5, timeout=Seconds(2))
    assert time.monotonic() - begun < 8, "less than one after the other"
    assert (outcome.success, outcome.stage) == (False, "request")


@pytest.mark.parametrize(("text", "found"), [(NO_CONTENT, "open"), (LOGIN, "portal")])
def test_what_is_expected(text: bytes, found: str) -> None:
    """Where a portal is due an open Internet is a failure, and the other way round; stage `expected`."""
    other = {"open": "portal", "portal": "open"}[found]
    assert look(answers(text), "/generate_204", expect=found).success
    outcome = look(answers(text), "/generate_204", expect=other)
    assert (outcome.success, outcome.stage) == (False, "expected")
    assert finds(outcome)


# ---- the API of RFC 8908


def captive(text: str) -> bytes:
    """Return an answer of the API."""
    return answer(200, text.encode(), "Content-Type: application/captive+json")


def look_with_api(said: Callable[[Server], bytes], endpoint: bytes) -> tuple[Outcome, list[str]]:
    """Probe an endpoint and an API of one server."""
    made: list[Server] = []

    def script(sock: socket.socket) -> None:
        request = asked(sock)
        site = {"/api": said(made[0]), "/generate_204": endpoint, "/login": LOGIN}
        if not (text := site.get(request.split()[1], answer(404))):
            silent(sock)
        sock.sendall(text)

    with serving(script) as server:
        made.append(server)
        return look_at(server, "/generate_204", api=server.url("/api"), timeout=Seconds(1)), server.requests


def test_the_api_decides_where_the_endpoints_are_blocked() -> None:
    """`captive` with a page that loads is a portal; it is asked for its own kind of answer."""
    outcome, requests = look_with_api(
        lambda server: captive(f'{{"captive": true, "user-portal-url": "{server.url("/login")}"}}'), b""
    )
    assert (outcome.success, outcome.stage, finds(outcome)) == (True, "portal", ["failed"])
    api = outcome.details["api"]
    assert isinstance(api, dict)
    assert api["captive"] is True
    assert str(api["user-portal-url"]).endswith("/login")
    assert any("Accept: application/captive+json\r\n" in request for request in requests)


def test_the_api_does_not_make_a_broken_way_work() -> None:
    """Not captive and no endpoint answers: the way is broken, and the reason says both."""
    outcome, _ = look_with_api(lambda _: captive('{"captive": false}'), b"")
    assert (outcome.success, outcome.stage) == (False, "request")
    assert "API says that the way is open" in outcome.reason
    outcome, _ = look_with_api(lambda _: captive('{"captive": true}'), b"")
    assert (outcome.success, outcome.stage) == (False, "login_page")


def test_an_api_in_trouble_changes_nothing() -> None:
    """The endpoints alone decide, and the trouble is told."""
    outcome, _ = look_with_api(lambda _: answer(500), NO_CONTENT)
    assert (outcome.success, outcome.stage, outcome.details["api"]) == (True, "done", {"trouble": "answers 500"})


def test_an_api_that_contradicts_the_endpoints_is_told() -> None:
    """Captive says the API, open says the Internet: people get through, but something is wrong."""
    outcome, _ = look_with_api(lambda _: captive('{"captive": true}'), NO_CONTENT)
    assert (outcome.success, outcome.stage) == (True, "done")
    assert "disagree" in outcome.details
    assert outcome.reason == "open, but the portal's API says captive"


@given(st.binary(max_size=100) | st.sampled_from([b"[]", b"{}", b'{"captive": 1}', b"[" * 50_000]))
def test_any_answer_of_the_api_is_understood_or_trouble(body: bytes) -> None:
    """Nothing that an API says breaks the probe."""
    said = parse_api(200, body)
    assert said.captive is not None or said.trouble


# ---- endpoints


def test_the_defaults_are_of_several_vendors() -> None:
    """One vendor's failure must prove nothing; what is due is known of each."""
    assert len({endpoint.url.split("/")[2] for endpoint in ENDPOINTS}) >= 2
    assert [Endpoint.parse(endpoint).due for endpoint in ENDPOINTS] == ["204", "204", "Microsoft Connect Test"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://a.example/generate_204", "plain http"),
        ("http://a.example/page", "what is due"),
        ("http:///generate_204", "not an address"),
        ("http://user:secret@a.example/generate_204", "everybody would see"),
    ],
)
def test_endpoints_that_cannot_be_judged_are_refused(text: str, words: str) -> None:
    """With a reason, at the start."""
    with pytest.raises(ValueError, match=words):
        Endpoint.parse(text)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200) | st.builds(lambda rest: b"HTTP/1.1 302 Found\r\nLocation: " + rest, st.binary(max_size=80))
)
def test_any_bytes_give_a_named_outcome(text: bytes) -> None:
    """Whatever stands in the way, the probe names it."""
    outcome = look(answers(text), "/generate_204", timeout=Seconds(1.5))
    assert outcome.success is not None, outcome.reason
    assert outcome.success or outcome.reason


def test_a_missing_file_of_authorities_is_our_own_trouble(tmp_path: Path) -> None:
    """It says nothing of the network."""
    outcome = look(answers(NO_CONTENT), "/generate_204", ca=str(tmp_path / "none"), api=Url("https://127.0.0.1:1/"))
    assert outcome.success is None
