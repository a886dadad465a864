"""
The API joined with the centre, and listening.

    LiveCentre ──▶ api.create ──▶ Door ──▶ uvicorn, in a thread
                   users.json ──▶ Gate ──╯
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from collector.access.door import Door
from collector.access.gate import Gate
from collector.access.listener import Listener, refusal
from collector.access.users import Users
from collector.api import app as api
from collector.api.asking import found_of
from collector.api.centre import Centre
from collector.metrics import Family
from contract.errors import SantongError


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


class Page:
    """An application that listens in a thread of its own; `start`, then `stop`."""

    def __init__(self, app: FastAPI, gate: Gate, listener: Listener) -> None:
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

    def stop(self) -> None:
        """Answer what is under way, and end."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
