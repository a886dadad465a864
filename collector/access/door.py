"""
The door before the pages: an ASGI application that lets through whom the gate knows, and says who it is.

    request ──▶ Door ──▶ board, API        scope["state"]["found"]: Found, of which `who` is never None
                 ├─ /login, /logout
                 └─ everybody else: 401, the login page, or a websocket that is not opened

`public` paths are let through without anybody: scope["state"]["found"].who is None there. What changes something, and
every websocket, must come from a page of our own (or from no page): a page of the Internet that a browser shows can
send requests to localhost, too.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

from collector.access import pages
from collector.access.files import BadFile
from collector.access.gate import COOKIE, Asked, Found, Gate
from collector.words import Language

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("santong.access")

_MOST_FORM = 8192
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)
_PAGE_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_FOR_PROGRAMS = ("/api/v", "/metrics")


class Door:
    """Wraps an application."""

    def __init__(self, app: App, gate: Gate, public: Collection[str] = ()) -> None:
        self._app, self._gate, self._public = app, gate, frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = _with_headers(send)
        try:
            await self._guarded(scope, receive, send)
        except (BadFile, OSError) as error:  # users or log that cannot be used: nobody comes in
            if not isinstance(error, BadFile) and "found" in scope.get("state", {}):
                raise  # the application's own
            log.error("%s", error)  # noqa: TRY400  it says what to do
            await _refuse(
                scope, send, 503, "the users or their log cannot be read: whoever runs this finds why in its log"
            )

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = asked_of(scope)
        path, method = scope["path"], scope.get("method", "GET")
        if (scope["type"] == "websocket" or method not in _SAFE) and not self._gate.is_own_page(asked):
            await _refuse(scope, send, 403, "this was sent by a page of another site")
            return
        if scope["type"] == "http" and path in ("/login", "/logout"):
            await self._login_or_logout(scope, asked, receive, send)
            return
        # A password takes half a second to look at, and so may a disk that writes the log.
        found = await asyncio.to_thread(self._gate.find, asked)
        if found.who is None and path not in self._public:
            await self._turn_away(scope, asked, found, send)
            return
        scope.setdefault("state", {})["found"] = found
        await self._app(scope, receive, send)

    async def _turn_away(self, scope: Scope, asked: Asked, found: Found, send: Send) -> None:
        if self._is_for_people(scope, asked):
            query = scope.get("query_string", b"").decode("latin-1")
            target = scope["path"] + (f"?{query}" if query else "")
            await _redirect(send, f"/login?next={quote(target, safe='')}")
            return
        headers: list[tuple[bytes, bytes]] = []
        status = 403 if self._gate.listener.asks_nobody else 401
        if found.wait_s:
            status = 429
            headers.append((b"retry-after", str(max(1, round(found.wait_s))).encode()))
        elif status == 401:
            headers.append((b"www-authenticate", b'Basic realm="santong", charset="UTF-8"'))
        await _refuse(scope, send, status, found.why, headers)

    def _is_for_people(self, scope: Scope, asked: Asked) -> bool:
        """Tell whether somebody in front of a browser could log in and go on."""
        if scope["type"] != "http" or scope["method"] not in _SAFE or self._gate.listener.asks_nobody:
            return False
        return "text/html" in asked.headers.get("accept", "") and not scope["path"].startswith(_FOR_PROGRAMS)

    async def _login_or_logout(self, scope: Scope, asked: Asked, receive: Receive, send: Send) -> None:
        if self._gate.listener.asks_nobody:
            await _redirect(send, "/")
        elif scope["method"] in ("GET", "HEAD") and scope["path"] == "/login":
            form = _fields(scope.get("query_string", b""))
            language = _language(form, asked)
            await _page(send, pages.login_page(language, pages.own_path(form.get("next", "/"))))
        elif scope["method"] != "POST":
            await _refuse(scope, send, 405, "only POST is understood here", [(b"allow", b"POST")])
        elif (body := await _body(receive)) is None:
            await _refuse(scope, send, 413, "that is too much for a form")
        elif scope["path"] == "/login":
            await self._login(asked, _fields(body), send)
        else:
            await self._logout(scope, asked, _fields(body), send)

    async def _login(self, asked: Asked, form: dict[str, str], send: Send) -> None:
        language, target = _language(form, asked), pages.own_path(form.get("next", "/"))
        name, password = form.get("name", "").strip(), form.get("password", "")
        done = await asyncio.to_thread(self._gate.login, name, password, asked)
        if done.cookie:
            await _redirect(send, target, self._cookie(asked, done.cookie, done.seconds))
        elif done.wait_s:
            page = pages.login_page(language, target, pages.wait(language, done.wait_s), name)
            await _page(send, page, 429, [(b"retry-after", str(max(1, round(done.wait_s))).encode())])
        else:
            await _page(send, pages.login_page(language, target, pages.wrong(language), name), 403)

    async def _logout(self, scope: Scope, asked: Asked, form: dict[str, str], send: Send) -> None:
        session = self._gate.session_of(asked)
        if session and not self._gate.is_form_token(Found(None, "", session.id), form.get("token", "")):
            await _refuse(scope, send, 403, "this form is not one that you were shown: load the page again")
            return
        await asyncio.to_thread(self._gate.logout, asked)
        await _redirect(send, "/login", self._cookie(asked, "", 0))

    def _cookie(self, asked: Asked, value: str, seconds: int) -> tuple[bytes, bytes]:
        secure = "; Secure" if self._gate.is_secure(asked) else ""
        text = f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        return b"set-cookie", text.encode()


def asked_of(scope: Scope) -> Asked:
    """Return what the gate looks at of a request; of a header that came more than once it gets all, joined."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode(errors="replace")
        joint = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{joint}{text}" if name in headers else text
    client = scope.get("client")
    return Asked(client[0] if client else "", scope.get("scheme", "http"), headers)


def _language(form: dict[str, str], asked: Asked) -> Language:
    named = form.get("lang")
    if named == "zh":
        return "zh"
    return "en" if named == "en" else pages.preferred(asked.headers.get("accept-language", ""))


def _fields(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a form; None: it is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > _MOST_FORM:
            return None
        if not message.get("more_body"):
            return body


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            have = {name.lower() for name, _ in message.get("headers", ())}
            more = [(name, value) for name, value in _HEADERS if name not in have]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, status: int, why: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})  # before it is opened: status 403
        return
    body = json.dumps({"error": why}, ensure_ascii=False).encode()
    await _answer(send, status, body, b"application/json", headers)


async def _page(send: Send, body: bytes, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    policy = (b"content-security-policy", _PAGE_POLICY)
    await _answer(send, status, body, b"text/html; charset=utf-8", [policy, *headers])


async def _redirect(send: Send, target: str, *headers: tuple[bytes, bytes]) -> None:
    location = (b"location", quote(target, safe="/?&=%:;,@+!*'()~#[]-._").encode())
    await _answer(send, 303, b"", b"text/plain", [location, *headers])


async def _answer(
    send: Send, status: int, body: bytes, kind: bytes, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    own = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
