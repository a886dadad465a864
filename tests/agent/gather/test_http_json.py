"""The source http_json: JSON of a device by any of its logins; what goes wrong is told at its stage, in time."""

import base64
import errno
import hashlib
import json
import re
import socket
import time
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path
from urllib.request import parse_http_list, parse_keqv_list

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.deadline import Deadline
from agent.gather import digest, http_json
from agent.gather.read import Read, Way
from agent.gather.web import Answer, Request
from agent.outcome import Outcome, Row
from agent.worker.kinds import ask_of, perform
from contract.settings import plain
from firmware_profiles.sources import HttpJson
from tests.agent.probe.servers import (
    CHUNKED,
    Script,
    Tls,
    answer,
    answers,
    drips,
    endless,
    redirect,
    resets,
    serving,
    silent,
    tls_files,
)
from tests.certificates import DAY, NOW, Wish, authority
from tests.profiles import http_json_server
from tests.profiles.http_json_server import Handler, answering

STATUS = {"uptime": 5, "ports": [{"up": True}, {"up": None}]}
FINE = answer(200, json.dumps(STATUS).encode())
UPTIME = (Row("", {"uptime": 5}),)
USER, PASSWORD = "admin", "pä:ss"


def run(port: int, timeout: float = 5, way: Way = Way(), **wishes: object) -> Outcome:  # noqa: B008  a constant
    """Ask for /status of a server."""
    what = HttpJson("/status", {"uptime": "uptime"}, (), port=port)._replace(**wishes)  # type: ignore[arg-type]
    outcome = perform("http_json", Read(what, way._replace(address="127.0.0.1"), timeout))
    assert "defect" not in outcome.reason, outcome.reason
    return outcome


def ask(script: Script, timeout: float = 5, tls: Tls | None = None, way: Way = Way(), **wishes: object) -> Outcome:  # noqa: B008
    """Ask a server that follows the script."""
    with serving(script, tls) as server:
        return run(server.port, timeout, way, scheme=server.scheme, **wishes)


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """Give credentials."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return Way(username=USER, password_file=str(file))


def test_values() -> None:
    """The values of the profile's paths come, with the round trip and the status."""
    outcome = ask(answers(FINE))
    assert (outcome.success, outcome.stage, outcome.code, outcome.rows) == (True, "done", 200, UPTIME)
    assert 0 < float(outcome.fields["rtt_ms"]) < 5000


def test_rows() -> None:
    """A table becomes rows."""
    outcome = ask(answers(FINE), rows="ports", values={"up": "up"})
    assert outcome.rows == (Row("0", {"up": True}), Row("1", {}))


def test_request() -> None:
    """The device is asked with GET at the path with its query, for JSON, and the connection ends with the answer."""
    with serving(answers(FINE)) as server:
        run(server.port, path="api/status?all=1&name=教室 1\r\nX: y")
    (request,) = server.requests
    assert request.startswith("GET /api/status?all=1&name=%E6%95%99%E5%AE%A4%201%0D%0AX:%20y HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n" in request
    assert "\r\nAccept: application/json\r\n" in request
    assert "\r\nConnection: close\r\n" in request
    assert "Authorization" not in request


def test_recorded(tmp_path: Path) -> None:
    """A recorded device answers at its paths, and at no other."""
    (tmp_path / "http.json").write_text(json.dumps({"/status": STATUS, "/more?n=1": [{"uptime": 7}]}))
    with http_json_server.serving(tmp_path) as port:
        assert run(port).rows == UPTIME
        assert run(port, path="/more?n=1", rows=".").rows == (Row("0", {"uptime": 7}),)
        assert (run(port, path="/else").stage, run(port, path="/else").code) == ("answer", 404)


def test_through_the_worker() -> None:
    """What is asked survives its way to the worker as JSON."""
    what = HttpJson("/status", {"uptime": "uptime"}, (), port=1, login="digest", verify=False, ca="/ca.pem")
    sent = json.loads(json.dumps(plain(Read(what, Way(address="127.0.0.1"), 5.0))))
    assert ask_of("http_json", sent) == Read(what, Way(address="127.0.0.1"), 5.0)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"uptime": "\xe6\x95\x99"}', ()),
        (b'\xef\xbb\xbf{"uptime": "\xe6\x95\x99"}', ()),
        ('{"uptime": "教"}'.encode("utf-16"), ()),
        ('{"uptime": "教"}'.encode("gbk"), ("Content-Type: application/json; charset=GB2312",)),
        (b'{"uptime": "\xe6\x95\x99"}', ("Content-Type: text/html; charset=nonsense",)),
        ('{"uptime": "教"}'.encode("gb18030"), ()),
        ('{"uptime": "教"}'.encode("gb18030"), ("Content-Type: application/json; charset=utf-8",)),
    ],
    ids=["utf-8", "byte order mark", "utf-16", "gbk", "nonsense", "gbk unsaid", "gbk said to be utf-8"],
)
def test_charset(body: bytes, headers: tuple[str, ...]) -> None:
    """Text is read in the charset in which devices send it."""
    assert ask(answers(answer(200, body, *headers))).rows == (Row("", {"uptime": "教"}),)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"\xff\xfe\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["nothing", "HTML", "half", "no text", "deep", "long number"],
)
def test_no_json(body: bytes) -> None:
    """What is not JSON is told as a wrong answer, with the status that came with it."""
    outcome = ask(answers(answer(200, body)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", 200)
    assert outcome.reason == "what it sends is not JSON"


@pytest.mark.parametrize("status", [204, 304, 400, 404, 407, 429, 500, 503])
def test_status(status: int) -> None:
    """Another status is a wrong answer, and its code."""
    outcome = ask(answers(answer(status)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", status)


@pytest.mark.parametrize("status", [401, 403])
def test_login_is_asked_for(status: int) -> None:
    """A device that wants a login where the profile has none is told as such."""
    outcome = ask(answers(answer(status)))
    assert (outcome.stage, outcome.code, outcome.reason) == ("auth", status, "asks for a login")


def test_basic(way: Way) -> None:
    """Basic shows user name and password at once, in UTF-8."""
    with serving(answers(FINE)) as server:
        assert run(server.port, way=way, login="basic").rows == UPTIME
    assert _authorization(server.requests[0]) == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def test_bearer(way: Way) -> None:
    """Bearer shows the token of the file; a user name is not needed."""
    with serving(answers(FINE)) as server:
        run(server.port, way=way._replace(username="", password_file=_file(way, "abc.DEF-1")), login="bearer")
    assert _authorization(server.requests[0]) == "Bearer abc.DEF-1"


@pytest.mark.parametrize("token", ["two words", "toké", "a\tb", "\x00"])
def test_no_token(way: Way, token: str) -> None:
    """What cannot be a token is told to the operator, by its file, and sent nowhere."""
    with serving(answers(FINE)) as server:
        outcome = run(server.port, way=way._replace(password_file=_file(way, token)), login="bearer")
    assert (outcome.success, outcome.stage, server.requests) == (None, "unable", [])
    assert token not in outcome.reason


def test_name_in_chinese(way: Way) -> None:
    """A user name may be in any script."""
    asked: list[int] = []
    with answering(_digest_server(asked, 'Digest realm="the \\"realm", nonce="n", opaque="o,p"', "管理员")) as port:
        assert run(port, way=way._replace(username="管理员"), login="digest").rows == UPTIME


@pytest.mark.parametrize("challenge", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", ""])
@pytest.mark.parametrize("qop", ['qop="auth"', 'qop="auth-int, auth"', "qop=auth", ""])
def test_digest(way: Way, challenge: str, qop: str) -> None:
    """Digest proves the password to a server that reckons by itself, in every variant that devices use."""
    asked: list[int] = []
    words = ", ".join(word for word in (f"algorithm={challenge}" if challenge else "", qop, 'opaque="o,p"') if word)
    with answering(_digest_server(asked, f'Digest realm="the \\"realm", nonce="n=1", {words}')) as port:
        outcome = run(port, way=way, login="digest")
    assert (outcome.rows, asked) == (UPTIME, [401, 200])


@pytest.mark.parametrize(
    "headers",
    [
        ['Basic realm="x"', 'Digest realm="r", nonce="n", algorithm=MD5'],
        ['Digest realm="r", nonce="1", algorithm=SHA-3', 'Digest realm="r", nonce="n"'],
        ['Basic realm="x", Digest realm="r", nonce="n", Negotiate'],
        ['Digest realm="r", nonce="i", qop="auth-int", digest realm="r", nonce="n"'],
    ],
)
def test_chosen_challenge(headers: list[str]) -> None:
    """Of several challenges the first that can be answered is."""
    chosen = digest.chosen(headers)
    assert chosen is not None
    assert (chosen.realm, chosen.nonce) == ("r", "n")


@pytest.mark.parametrize("header", ["", "Basic realm=x", "Digest", "Digest realm=r", 'Digest nonce="n", algorithm=X'])
def test_no_challenge(header: str) -> None:
    """A challenge that cannot be answered is none."""
    assert digest.chosen([header]) is None


@settings(max_examples=300)
@given(st.lists(st.text(max_size=60).map(lambda text: f"Digest {text}")))
def test_any_challenge(headers: list[str]) -> None:
    """Whatever a server asks, it is answered or not, without a defect."""
    if challenge := digest.chosen(headers):
        assert digest.authorization(challenge, ("u", "p"), "GET", "/").startswith("Digest ")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_example_of_the_standard(algorithm: str, response: str) -> None:
    """The answers to the challenges of RFC 7616 §3.9.1 are those that stand there."""
    header = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    challenge = digest.chosen([header])
    assert challenge is not None
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    said = digest.authorization(challenge, ("Mufasa", "Circle of Life"), "GET", "/dir/index.html", 1, cnonce)
    assert f'response="{response}"' in said


@pytest.mark.parametrize("login", ["basic", "digest", "bearer"])
def test_refused(way: Way, login: str) -> None:
    """A refused login is told as such with its status, after one try, and nothing secret is in the reason."""
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    with serving(answers(answer(401, b"", challenge))) as server:
        outcome = run(server.port, way=way._replace(password_file=_file(way, "no-secret")), login=login)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "auth", 401)
    assert outcome.reason == "refuses the login"
    assert len(server.requests) == (2 if login == "digest" else 1)


def test_no_digest_offered(way: Way) -> None:
    """A device that offers another login than the profile's is told as such, and the password stays here."""
    with serving(answers(answer(401, b"", 'WWW-Authenticate: Basic realm="r"'))) as server:
        outcome = run(server.port, way=way, login="digest")
    assert (outcome.stage, outcome.code) == ("auth", 401)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("login", "lacks", "words"),
    [
        ("basic", "username", "no user name is given"),
        ("basic", "password_file", "no password is given"),
        ("bearer", "password_file", "no token is given"),
    ],
)
def test_no_credentials(way: Way, login: str, lacks: str, words: str) -> None:
    """Without credentials nothing is said of the device: the operator is told what to give."""
    with serving(answers(FINE)) as server:
        outcome = run(server.port, way=way._replace(**{lacks: ""}), login=login)
    assert (outcome.success, outcome.stage) == (None, "unable")
    assert words in outcome.reason
    assert server.requests == []


@pytest.mark.parametrize("where", ["/other", "other", "http://127.0.0.1:{port}/other"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(way: Way, where: str, status: int) -> None:
    """A redirect on the same server is followed, with the login."""
    asked: list[tuple[str, str | None]] = []

    def script(handler: Handler) -> None:
        asked.append((handler.path, handler.headers["Authorization"]))
        if handler.path == "/other":
            handler.reply(200, json.dumps(STATUS).encode())
        else:
            handler.reply(status, b"", ("Location", where.format(port=handler.server.server_address[1])))

    with answering(script) as port:
        assert run(port, way=way, login="basic").rows == UPTIME
    assert [path for path, _ in asked] == ["/status", "/other"]
    assert asked[0][1] == asked[1][1] is not None


def test_redirect_of_a_link_local_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is asked at an address of one link names itself without our interface: it is the same server."""
    asked: list[str] = []

    def exchange(request: Request, _deadline: Deadline) -> Answer:
        asked.append(request.path)
        headers = HTTPMessage()
        headers["Location"] = "http://[fe80::1]/other"
        return Answer(302 if len(asked) == 1 else 200, headers, json.dumps(STATUS).encode(), 1.0)

    monkeypatch.setattr(http_json, "exchange", exchange)
    what = HttpJson("/status", {"uptime": "uptime"}, ())
    assert http_json.read(Read(what, Way("fe80::1%eth0"), 5)).rows == UPTIME
    assert asked == ["/status", "/other"]


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2/", "https://127.0.0.1/", "//example.org/", "http://127.0.0.1:1/", "http://[", "ftp://x"]
)
def test_redirect_elsewhere(way: Way, where: str) -> None:
    """A redirect to another server is not followed: no login goes there."""
    outcome = ask(answers(redirect(where)), way=way, login="basic")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", 302)
    assert "another server" in outcome.reason


def test_circle() -> None:
    """A redirect in a circle ends."""
    with serving(answers(redirect("/status"))) as server:
        outcome = run(server.port)
    assert (outcome.stage, outcome.code, len(server.requests)) == ("answer", 302, 4)


def test_redirect_without_place() -> None:
    """A redirect that says no place is a wrong answer."""
    assert (ask(answers(answer(302))).stage, ask(answers(answer(302))).code) == ("answer", 302)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (silent, errno.ETIMEDOUT),
        (drips(b"HTTP/1.1 200 OK\r\nX: y\r\n", 0.02), errno.ETIMEDOUT),
        (drips(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), errno.ETIMEDOUT),
        (drips(CHUNKED + b"1\r\n \r\n" * 1000, 0.005), errno.ETIMEDOUT),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), errno.ETIMEDOUT),
    ],
    ids=["silent", "dripping header", "dripping interim answers", "dripping body", "endless interim answers"],
)
def test_slow(script: Script, code: int) -> None:
    """A device that takes too long, however steadily it sends, is told in time."""
    begun = time.monotonic()
    with serving(script) as server:
        outcome = run(server.port, 0.5)
        took = time.monotonic() - begun
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", code)
    assert took < 10


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (resets(), errno.ECONNRESET, "reset"),
        (answers(b""), errno.ECONNRESET, "closed without an answer"),
        (answers(b"SSH-2.0-x\r\n\r\n"), None, "is not HTTP"),
        (answers(b"HTTP/1.1 x\r\n\r\n"), None, "is not HTTP"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), None, "breaks off"),
        (answers(CHUNKED + b"5\r\n{}"), None, "breaks off"),
        (answers(CHUNKED + b"x\r\n{}\r\n0\r\n\r\n"), None, ""),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), None, "is not HTTP"),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", b"y"), None, "is not HTTP"),
        (answers(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1 << 20) + b"{}"), 200, "has more than 1 MiB"),
        (endless(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), 200, "has more than 1 MiB"),
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b" "), 200, "has more than 1 MiB"),
    ],
)
def test_wrong_answer(script: Script, code: int | None, words: str) -> None:
    """What is not a whole answer of HTTP of at most 1 MiB is told as such, at once."""
    begun = time.monotonic()
    outcome = ask(script, 15)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", code)
    assert words in outcome.reason
    assert float(outcome.fields["rtt_ms"]) > 0
    assert time.monotonic() - begun < 10


def test_table_without_end() -> None:
    """A table of more than 4,096 rows is not read: it would fill the agent's memory and the archive."""
    many = json.dumps({"ports": [{"up": 1}] * 4097}).encode()
    outcome = ask(answers(answer(200, many)), rows="ports", values={"up": "up"})
    assert (outcome.success, outcome.stage, outcome.reason) == (False, "answer", "has more than 4096 rows")
    most = json.dumps({"ports": [{"up": 1}] * 4096}).encode()
    assert len(ask(answers(answer(200, most)), rows="ports", values={"up": "up"}).rows) == 4096


def test_largest_answer() -> None:
    """An answer of 1 MiB is still read, with or without a stated length."""
    body = json.dumps(STATUS).encode().ljust(1 << 20)
    assert ask(answers(answer(200, body))).rows == UPTIME
    assert ask(answers(b"HTTP/1.0 200 OK\r\n\r\n" + body)).rows == UPTIME


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_any_answer(text: bytes, begins: bool) -> None:
    """Whatever a device sends, the reading ends in an outcome and in none of our defects."""
    outcome = ask(answers((b"HTTP/1.1 200 OK\r\n" if begins else b"") + text), 2)
    assert outcome.stage in ("done", "answer", "auth")


def test_nobody() -> None:
    """A device that refuses connections is told with the errno."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = run(port)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "connect", errno.ECONNREFUSED)
    assert outcome.reason == f"127.0.0.1 port {port}: refused"


def test_no_such_name() -> None:
    """A name that cannot exist is told at its stage."""
    what = HttpJson("/", {}, ())
    outcome = perform("http_json", Read(what, Way(address="no..name"), 5))
    assert (outcome.success, outcome.stage) == (False, "resolve")


def test_name() -> None:
    """A device may be given by its name."""
    with serving(answers(FINE)) as server:
        what = HttpJson("/status", {"uptime": "uptime"}, (), port=server.port)
        assert perform("http_json", Read(what, Way(address="localhost"), 5)).rows == UPTIME


def test_no_address() -> None:
    """Without an address it is this machine's settings that are wrong."""
    assert perform("http_json", Read(HttpJson("/", {}, ()), Way(), 1)).success is None


def test_tls(tmp_path: Path, way: Way) -> None:
    """A device whose certificate is of the authority in `ca` is believed, and shown the login."""
    tls = tls_files(tmp_path, Wish("device"), authority())
    assert ask(answers(FINE), tls=tls, ca=str(tls.ca), way=way, login="basic").rows == UPTIME


@pytest.mark.parametrize(
    ("wish", "words", "code"),
    [
        (Wish("device"), "unable to get local issuer certificate", 20),
        (Wish("device", dns="other.example"), "certificate is not valid for '127.0.0.1'", 64),
        (Wish("device", begin=NOW - 2 * DAY, end=NOW - DAY), "the clock here says", 10),
        (Wish("device", begin=NOW + DAY, end=NOW + 2 * DAY), "the clock here says", 9),
    ],
    ids=["unknown authority", "other name", "expired", "not yet valid"],
)
def test_tls_not_believed(tmp_path: Path, way: Way, wish: Wish, words: str, code: int) -> None:
    """A certificate that is not believed is told as such, and no login is shown; without `verify` it is taken."""
    tls = tls_files(tmp_path, wish, authority())
    ca = "" if code == 20 else str(tls.ca)
    with serving(answers(FINE), tls) as server:
        outcome = run(server.port, scheme="https", ca=ca, way=way, login="basic")
        assert server.requests == []
        taken = run(server.port, scheme="https", verify=False, way=way, login="basic")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "tls", code)
    assert words in outcome.reason
    assert taken.rows == UPTIME


def test_no_tls() -> None:
    """A device that speaks no TLS at its port is told at that stage."""
    with serving(lambda sock: sock.sendall(FINE)) as server:
        outcome = run(server.port, scheme="https")
    assert (outcome.success, outcome.stage) == (False, "tls")


def test_silent_tls() -> None:
    """A device that leaves the handshake without an answer is told in time."""
    begun = time.monotonic()
    with serving(silent) as server:
        outcome = run(server.port, 0.4, scheme="https")
    assert (outcome.stage, outcome.code) == ("tls", errno.ETIMEDOUT)
    assert time.monotonic() - begun < 10


def test_no_authority(tmp_path: Path) -> None:
    """A file of authorities that is not there is told to the operator."""
    outcome = run(1, scheme="https", ca=str(tmp_path / "none.pem"))
    assert (outcome.success, outcome.stage) == (None, "unable")
    assert "none.pem" in outcome.reason


def _authorization(request: str) -> str:
    match = re.search(r"\r\nAuthorization: (.*)\r\n", request)
    assert match, request
    return match[1]


def _file(way: Way, text: str) -> str:
    file = Path(way.password_file).with_name("token")
    file.write_text(text)
    return str(file)


def _digest_server(asked: list[int], challenge: str, user: str = USER) -> Callable[[Handler], None]:
    """Return a server that asks for Digest, and reckons what is due by the words of RFC 7616 §3.4."""

    def proof(given: dict[str, str]) -> str:
        algorithm = given.get("algorithm", "MD5")
        name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.removesuffix("-sess")]

        def h(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        a1 = h(f'{user}:the "realm:{PASSWORD}')
        if algorithm.endswith("-sess"):
            a1 = h(f"{a1}:{given['nonce']}:{given['cnonce']}")
        a2 = h(f"GET:{given['uri']}")
        if "qop" in given:
            return h(f"{a1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}:{a2}")
        return h(f"{a1}:{given['nonce']}:{a2}")

    def script(handler: Handler) -> None:
        shown = handler.headers["Authorization"] or ""
        given = parse_keqv_list(parse_http_list(shown.removeprefix("Digest "))) if shown else {}
        fits = bool(given) and (given["response"], given["opaque"], given["uri"]) == (proof(given), "o,p", "/status")
        asked.append(200 if fits else 401)
        if fits:
            handler.reply(200, json.dumps(STATUS).encode())
        else:
            handler.reply(401, b"", ("WWW-Authenticate", challenge))

    return script
