"""
A double of an InfluxDB server, for answers that a real one does not give on demand.

It is no InfluxDB: it says what a test tells it to say, and remembers what it was asked. Everything that a real influxd
can be brought to do is tested against a real influxd.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """One answer; with `cut` the connection ends in the middle of the body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


def error(status: int, words: str, *headers: tuple[str, str]) -> Answer:
    """Return an error as influxd 1.x puts it."""
    return Answer(status, json.dumps({"error": words}).encode(), headers)


def results(*found: dict[str, Any]) -> Answer:
    """Return an answer to a query."""
    return Answer(200, json.dumps({"results": found}).encode() + b"\n")


class Double:
    """A running double; `asked` has every request so far."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                params = {name: values[0] for name, values in parse_qs(parts.query).items()}
                asked = Asked(self.command, parts.path, params, dict(self.headers), body)
                double.asked.append(asked)
                reply = answer(asked)
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body) * (2 if reply.cut else 1)))
                self.end_headers()
                self.wfile.write(reply.body)
                self.close_connection = reply.cut

            do_GET = do_POST = handle_any  # noqa: N815  the names that http.server asks for

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"influxdb://any:TOKEN@127.0.0.1:{self._server.server_port}/santong"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def double(answer: Callable[[Asked], Answer]) -> Iterator[Double]:
    """Run a double for the length of a `with` block."""
    running = Double(answer)
    try:
        yield running
    finally:
        running.close()
