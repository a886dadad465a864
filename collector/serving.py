"""
Board and API joined with the centre, behind one door, and listening.

    LiveCentre ──▶ API ───╮
    live source ─▶ board ─┴▶ Beside ──▶ Door ──▶ uvicorn, in a thread
                     users.json ──▶ Gate ──╯
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from collector.access.door import App, Door, Receive, Scope, Send, asked_of
from collector.access.files import BadFile
from collector.access.gate import Gate
from collector.access.listener import Listener, refusal
from collector.access.users import Users
from collector.api import app as api
from collector.api.asking import found_of, who_of
from collector.api.centre import Centre
from collector.board.source import Guest
from collector.metrics import Family
from contract.errors import SantongError

API_PATHS = ("/metrics", "/healthz")


def application(centre: Centre, gate: Gate, more: Callable[[], Sequence[Family]] = tuple) -> FastAPI:
    """Return the API, to run behind a `Door` of the same gate; what people download is written down."""

    def note(request: Request, what: str, on: str) -> None:
        found = found_of(request)
        gate.note(found.who, found.address, what, on)

    return api.create(centre, note, more)


def gate_of(data: Path, listener: Listener) -> Gate:
    """Return the gate of a listener; SantongError where nobody could come in."""
    if why := refusal(listener, len(Users(data).every())):
        raise SantongError(why)
    return Gate(data, listener)


def bound(listener: Listener) -> socket.socket:
    """Return a socket that listens there. OSError."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    try:
        return socket.create_server((listener.host, listener.port), family=family, backlog=128)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else str(error)  # without the address, which comes before it
        raise OSError(error.errno, said, f"{listener.host}:{listener.port}") from None


def guest_of(gate: Gate) -> Callable[[Request], Guest]:
    """Return what tells who is before the board: whom the door let in."""

    def guest(request: Request) -> Guest:
        found, asked = found_of(request), asked_of(request.scope)
        who = who_of(request)

        def note(what: str, on: str, text: str) -> None:
            gate.note(who, found.address, what, on, text)

        def still() -> bool:
            try:
                return gate.holds(found, asked)
            except (BadFile, OSError):  # users that cannot be read let nobody in, nor stay; the door says why
                return False

        return Guest(who, still, note, gate.form_token(found))

    return guest


class Beside:
    """The API's addresses, and all others the board's: one application."""

    def __init__(self, board: App, api_app: App) -> None:
        self._board, self._api = board, api_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what comes; the board begins and ends with the process."""
        is_api = scope["type"] == "http" and (scope["path"].startswith("/api/") or scope["path"] in API_PATHS)
        await (self._api if is_api else self._board)(scope, receive, send)


class Page:
    """An application that listens in a thread of its own; `start`, then `stop`."""

    def __init__(self, app: App, gate: Gate, listener: Listener) -> None:
        self._socket = bound(listener)
        host, port, *_ = self._socket.getsockname()
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        config = uvicorn.Config(
            Door(app, gate, api.PUBLIC),
            # Whom to believe about where a request comes from is the gate's to say.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended by itself: something failed at its start, and the log says what."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Answer what is under way, and end."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
