"""
Between the collector and influxd: a proxy that answers writes with an error, before or after influxd has done them.

    santong collect ──▶ HttpProxy ──▶ influxd
                 500, 503, 404 ◀──┤       │
                 500, 503, 404, nothing ◀─┘  what was written is written, the collector hears otherwise
"""

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from tests.services import HOST

_TIMEOUT_S = 60
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Answer(NamedTuple):
    """What a write is answered. `status` 0 ends the connection without an answer; `is_late`: influxd wrote first."""

    status: int
    is_late: bool

    @property
    def name(self) -> str:
        """What it is counted as."""
        return f"{self.status or 'cut'} {'after' if self.is_late else 'before'} the write"


class HttpProxy:
    """A proxy on a free port of loopback. `answer` may be changed; `counts`: what was answered, `passed`: writes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.answer: Answer | None = None
        self.counts: Counter[str] = Counter()
        self.passed = 0
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def url(self, database: str) -> str:
        """Return the URL of a store behind the proxy."""
        return f"influxdb://{HOST}:{self._server.server_address[1]}/{database}"

    def count(self, what: str) -> None:
        """Count one answer; called by all connections."""
        with self._lock:
            self.counts[what] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: HttpProxy) -> None:
        self.proxy = proxy
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a killed end is what the harness is for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of the collector, and one of its own to influxd."""

    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._influxd = http.client.HTTPConnection(HOST, self.server.proxy.target, timeout=_TIMEOUT_S)

    def finish(self) -> None:
        self._influxd.close()
        super().finish()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the base class calls it so
        """Say nothing."""

    def do_GET(self) -> None:
        """Pass a query on."""
        self._pass_on(b"")

    def do_POST(self) -> None:
        """Pass a write on, or not, and answer it as is told."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.proxy.answer if self.path.startswith("/write") else None
        if answer is None:
            self._pass_on(body)
            return
        if answer.is_late:
            result = self._forward(body)
            if result is None or result[0] != 204:
                self.close_connection = True
                return
        self.server.proxy.count(answer.name)
        if answer.status == 0:
            self.close_connection = True
            return
        headers = {"Content-Type": "application/json"} | ({"Retry-After": "1"} if answer.status == 503 else {})
        self._answer(answer.status, headers, b'{"error":"made up by the fault harness"}')

    def _pass_on(self, body: bytes) -> None:
        result = self._forward(body)
        if result is None:
            self.close_connection = True  # influxd is away: so is its answer
            return
        status, headers, content = result
        if b"no space left" in content:
            self.server.proxy.count("no space left")
        self._answer(status, headers, content)
        if self.command == "POST" and status == 204:
            self.server.proxy.passed += 1

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """Return influxd's status, headers and content; None when it does not answer."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            self._influxd.request(self.command, self.path, body, headers)
            answer = self._influxd.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._influxd.close()
            return None
        return answer.status, dict(answer.getheaders()), content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP | {"date"}:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
