"""A real web server for tests, uvicorn on a free port of 127.0.0.1, and requests as browsers and scripts send them."""

import base64
import http.client
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastapi import FastAPI

from collector.access.gate import Gate
from collector.access.listener import Listener
from collector.serving import Page

HOST = "127.0.0.1"


class Answer(NamedTuple):
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def cookie(self) -> str:
        """The cookie that was set, as it is sent back."""
        return self.headers.get("set-cookie", "").partition(";")[0]


def ask(
    url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    form: Mapping[str, str] | None = None,
    json_body: Mapping[str, str] | None = None,
    body: str | None = None,
    method: str | None = None,
) -> Answer:
    """Send one request, with a form, JSON or a text as its body; no redirect is followed."""
    port = urllib.parse.urlsplit(url).port
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    body = urllib.parse.urlencode(form) if form is not None else body
    sent = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    if json_body is not None:
        body, sent = json.dumps(json_body), {"Content-Type": "application/json"}
    try:
        connection.request(method or ("POST" if form is not None else "GET"), path, body, {**sent, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@contextmanager
def page_of(app: FastAPI, gate: Gate, listener: Listener) -> Iterator[str]:
    """Serve an application behind a door, and yield its URL."""
    page = Page(app, gate, listener._replace(host=HOST, port=0))
    page.start()
    try:
        yield page.url
    finally:
        page.stop()
