"""Who comes in, by a real web server: logins, sessions, proxies, forms, websockets, pages of others."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, WebSocket

from collector.access.gate import Found, Gate
from collector.access.listener import Listener, listener_of
from collector.access.log import Log
from collector.access.passwords import hashed
from collector.access.types import Role, Who
from collector.access.users import User, Users, added, removed, scoped, with_password
from tests.collector.web import HOST, Answer, ask, basic, page_of

PASSWORD = "correct horse battery"  # noqa: S105
KEPT = hashed(PASSWORD)
LI = Who("李娜", Role.COUNTY, "441802")
ELSEWHERE = Listener("0.0.0.0")  # noqa: S104  as it says of itself; these tests listen on 127.0.0.1 alone


class Clock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class House:
    """A page that says who asks, behind a door; its users and its log."""

    def __init__(self, data: Path, listener: Listener) -> None:
        self.users, self.log, self.clock = Users(data), Log(data), Clock()
        self.users.change(added(User(LI, KEPT)))
        self.listener = listener
        self.gate = Gate(data, listener, self.clock, self.clock)
        self.app = FastAPI(openapi_url=None)
        self.url = ""

        @self.app.api_route("/", methods=["GET", "POST"])
        def front(request: Request) -> dict[str, str]:
            found: Found = request.state.found
            name = found.who.name if found.who else ""
            return {"who": name, "address": found.address, "token": self.gate.form_token(found)}

        @self.app.websocket("/ws")
        async def live(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text(websocket.state.found.who.name)

    def login(self, name: str = LI.name, password: str = PASSWORD, **headers: str) -> Answer:
        """Log in by the form."""
        return ask(self.url, "/login", headers, form={"name": name, "password": password, "next": "/"})

    def who(self, headers: dict[str, str] | None = None) -> str:
        """Return who the page says asks; empty: it was not let in."""
        answer = ask(self.url, "/", headers)
        return str(answer.json["who"]) if answer.status == 200 else ""

    def said(self) -> list[str]:
        """Return what the log says: who and what."""
        found = self.log.examine()
        assert not found.problems
        return [f"{one.who} {one.what}".strip() for one in found.entries if one]


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Serve the page; by default as if it were bound to every address."""
    made = House(tmp_path, getattr(request, "param", ELSEWHERE))
    with page_of(made.app, made.gate, made.listener) as made.url:
        yield made


def with_listener(listener: Listener) -> pytest.MarkDecorator:
    """Let a test's house have another listener."""
    return pytest.mark.parametrize("house", [listener], indirect=True)


def test_nobody_comes_in_without_a_login(house: House) -> None:
    """A script gets 401 and a line of JSON, a browser the login page, which leads back to where it wanted to go."""
    answer = ask(house.url, "/", {"Accept": "*/*"})
    assert (answer.status, answer.json) == (401, {"error": "log in first"})
    assert answer.headers["www-authenticate"].startswith("Basic")
    answer = ask(house.url, "/?a=1&b=2", {"Accept": "text/html"})
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2F%3Fa%3D1%26b%3D2")
    answer = ask(house.url, answer.headers["location"], {"Accept-Language": "zh-CN,zh;q=0.9"})
    assert answer.status == 200
    assert 'value="/?a=1&amp;b=2"' in answer.body.decode()
    assert "登录" in answer.body.decode()
    assert not re.search(r"<script|src=|https?://", answer.body.decode()), "it runs nothing and loads nothing"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Log in" in ask(house.url, "/login?lang=en").body.decode()


def test_a_login_holds_until_logout(house: House) -> None:
    """The cookie cannot be read by scripts nor sent by other sites; after the logout it is worth nothing."""
    answer = house.login()
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Lax" in answer.headers["set-cookie"]
    assert "Secure" not in answer.headers["set-cookie"]
    mine = {"Cookie": answer.cookie}
    assert house.who(mine) == LI.name
    assert house.who({"Cookie": answer.cookie[:-2]}) == "", "a cookie that was changed"
    token = ask(house.url, "/", mine).json["token"]
    assert ask(house.url, "/logout", mine, form={"token": "x"}).status == 403, "a form of somebody else's"
    assert house.who(mine) == LI.name
    gone = ask(house.url, "/logout", mine, form={"token": token})
    assert (gone.status, "Max-Age=0" in gone.headers["set-cookie"]) == (303, True)
    assert house.who(mine) == ""
    assert house.said() == ["李娜 login", "李娜 logout"]


def test_a_login_ends(house: House, tmp_path: Path) -> None:
    """After twelve hours; at once when the password is changed or the user removed; a restart ends none."""
    mine = {"Cookie": house.login().cookie}
    other = Gate(tmp_path, ELSEWHERE, house.clock, house.clock)
    with page_of(house.app, other, ELSEWHERE) as url:
        assert ask(url, "/", mine).json["who"] == LI.name, "another process of the same data folder knows it"
    house.clock.now += 11.9 * 3600
    assert house.who(mine) == LI.name
    house.clock.now += 0.2 * 3600
    assert house.who(mine) == ""
    mine = {"Cookie": house.login().cookie}
    house.users.change(with_password(LI.name, KEPT, ""))
    assert house.who(mine) == ""
    mine = {"Cookie": house.login().cookie}
    house.users.change(removed(LI.name))
    assert house.who(mine) == ""


def test_another_role_holds_from_the_next_request_on(house: House) -> None:
    """Whoever is given a smaller scope has it at once, without a new login."""
    asked = {"Cookie": house.login().cookie}
    house.users.change(scoped(LI._replace(county="441803"), ""))
    assert house.who(asked) == LI.name
    assert house.gate.users.every()[LI.name].who.county == "441803"


@pytest.mark.parametrize(("name", "password"), [(LI.name, "wrong horse battery"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_login_says_nothing(house: House, name: str, password: str) -> None:
    """The same words for a wrong name and a wrong password; a name that nobody has is not written down."""
    answer = house.login(name, password)
    assert answer.status == 403
    assert "用户名或密码不对" in answer.body.decode()
    assert "set-cookie" not in answer.headers
    assert house.said() == ["李娜 refused" if name == LI.name else "refused"]
    assert password not in house.log.file.read_text() or not password


def test_guesses_are_held_up(house: House) -> None:
    """After five wrong ones even the right password has to wait, by form and by Basic; the wait is said, and ends."""
    for _ in range(5):
        assert house.login(password="wrong horse battery").status == 403  # noqa: S106
    answer = house.login()
    assert (answer.status, int(answer.headers["retry-after"]) >= 1) == (429, True)
    assert ask(house.url, "/", basic(LI.name, PASSWORD)).status == 429
    house.clock.now += 31
    assert house.login().status == 303


def test_a_script_comes_in_with_its_password(house: House) -> None:
    """HTTP Basic; written down once, not with each request, and hashed once: the second request is quick."""
    for _ in range(3):
        assert house.who(basic(LI.name, PASSWORD)) == LI.name
    assert house.said() == ["李娜 login"]
    assert house.who(basic(LI.name, "wrong horse battery")) == ""
    assert house.who({"Authorization": "Basic !!!"}) == ""
    house.users.change(with_password(LI.name, hashed("another horse battery"), ""))
    assert house.who(basic(LI.name, PASSWORD)) == "", "what was seen to be right is forgotten with the password"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//evil.example"]
)
def test_a_login_leads_nowhere_else(house: House, target: str) -> None:
    """A link to the login page cannot send anybody to another site afterwards."""
    answer = ask(house.url, "/login", form={"name": LI.name, "password": PASSWORD, "next": target})
    assert (answer.status, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("house", [ELSEWHERE, Listener()], indirect=True)
def test_pages_of_others_change_nothing(house: House, headers: dict[str, str]) -> None:
    """What another site's page has a browser send is refused, on localhost, too, where no cookie is needed."""
    assert ask(house.url, "/", headers, form={}).status == 403
    assert ask(house.url, "/login", headers, form={"name": LI.name, "password": PASSWORD}).status == 403
    assert _websocket(house, headers).startswith("HTTP/1.1 403")


@pytest.mark.parametrize("house", [ELSEWHERE, Listener()], indirect=True)
def test_a_websocket_knows_who_opened_it(house: House) -> None:
    """From a page of ours it opens and says who asks; without a login it does not open."""
    mine = {"Origin": house.url}
    if house.listener == ELSEWHERE:
        assert _websocket(house, mine).startswith("HTTP/1.1 403")
        mine["Cookie"] = house.login().cookie
    answer = _websocket(house, mine)
    assert answer.startswith("HTTP/1.1 101")


def _websocket(house: House, headers: dict[str, str]) -> str:
    """Ask for a websocket, and return the first line of the answer, and what the page said."""
    port = int(house.url.rpartition(":")[2])
    lines = {
        "Host": f"{HOST}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    with socket.create_connection((HOST, port), timeout=10) as connection:
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"GET /ws HTTP/1.1\r\n{text}\r\n".encode())
        return connection.recv(4096).decode(errors="replace")


@with_listener(Listener())
def test_on_localhost_no_login_is_asked(house: House) -> None:
    """Whoever sits at the machine is its operator; there is no login page to get lost on."""
    assert house.who() == "operator of this machine"
    assert ask(house.url, "/login").headers["location"] == "/"


@with_listener(Listener())
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"X-Forwarded-For": "192.0.2.7"}, {"Forwarded": "for=192.0.2.7"}]
)
def test_localhost_is_not_the_internet(house: House, headers: dict[str, str]) -> None:
    """A name of the Internet that leads to 127.0.0.1, or a proxy that nobody told us of, is not let in."""
    answer = ask(house.url, "/", headers)
    assert answer.status == 403
    assert "127.0.0.1" in answer.json["error"]


@with_listener(listener_of("8080", [HOST], "X-Remote-User"))
def test_a_reverse_proxy_names_the_user(house: House) -> None:
    """From its address its header counts, and the address that it handed on; somebody unknown is nobody."""
    named = {"X-Remote-User": LI.name.encode().decode("latin-1"), "X-Forwarded-For": "203.0.113.9"}
    answer = ask(house.url, "/", named)
    assert (answer.json["who"], answer.json["address"]) == (LI.name, "203.0.113.9")
    answer = ask(house.url, "/", {"X-Remote-User": "nobody"})
    assert (answer.status, answer.json["error"]) == (401, "the reverse proxy names somebody whom nobody added")
    assert ask(house.url, "/").status == 401, "on localhost, but behind a proxy: not the operator"
    assert house.said() == ["李娜 login"]
    secure = {"X-Forwarded-Proto": "https"}
    assert (
        "; Secure"
        in ask(house.url, "/login", secure, form={"name": LI.name, "password": PASSWORD}).headers["set-cookie"]
    )


@with_listener(listener_of("8080", ["192.0.2.1"], "X-Remote-User"))
def test_the_header_of_others_is_not_believed(house: House) -> None:
    """Whoever sends the header from another address is nobody."""
    named = {"X-Remote-User": LI.name.encode().decode("latin-1"), "X-Forwarded-For": "192.0.2.1"}
    assert ask(house.url, "/", named).status == 401


@with_listener(listener_of("8080", [HOST], "X-Remote-User"))
def test_a_header_that_came_twice_is_nobody(house: House) -> None:
    """One from the browser beside the proxy's own: nobody guesses which counts."""
    with socket.create_connection((HOST, int(house.url.rpartition(":")[2])), timeout=10) as connection:
        name = LI.name.encode()
        twice = b"X-Remote-User: admin\r\nX-Remote-User: " + name
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + twice + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 401")


def test_users_that_cannot_be_read_let_nobody_in(house: House) -> None:
    """A file that is broken, or that others can read: 503 in a line, no traceback, and nobody comes in."""
    mine = {"Cookie": house.login().cookie}
    house.users.file.chmod(0o644)
    answer = ask(house.url, "/", mine)
    assert answer.status == 503
    assert "users" in answer.json["error"]
    house.users.file.chmod(0o600)
    assert house.who(mine) == LI.name


def test_a_log_that_cannot_be_written_lets_nobody_in(house: House) -> None:
    """No login goes unseen: where it cannot be written down it does not happen."""
    house.login()
    lines = house.log.file.read_bytes()
    house.log.file.write_bytes(lines.replace(b"login", b"other"))
    answer = house.login()
    assert (answer.status, "set-cookie" in answer.headers) == (503, False)


def test_a_body_that_is_too_long_is_not_read(house: House) -> None:
    """A login form of a megabyte is refused."""
    assert house.login(password="x" * 1_000_000).status == 413


def test_answers_are_guarded(house: House) -> None:
    """No page is shown in another's frame, no type is guessed."""
    headers = ask(house.url, "/", basic(LI.name, PASSWORD)).headers
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert "server" not in headers
    assert json.loads(ask(house.url, "/logout", method="PUT").body)["error"]
