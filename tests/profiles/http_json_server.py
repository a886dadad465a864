"""
A device on 127.0.0.1 that gives JSON as it was recorded in `http.json`: path → what it answers there.

    {"/api/status": {"uptime": 5}, "/api/ports?all=1": [{"up": true}]}

Any other path is 404.
"""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """A request to a device; the server's script answers it."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        """Answer."""
        self.server.script(self)

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the standard library
        """Say nothing."""


Script = Callable[[Handler], None]


class Server(http.server.ThreadingHTTPServer):
    """The device."""

    block_on_close = True
    daemon_threads = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Be the recorded device; yield its port."""
    pages = json.loads((folder / "http.json").read_text(encoding="utf-8"))

    def script(asked: Handler) -> None:
        found = asked.path in pages
        asked.reply(200 if found else 404, json.dumps(pages[asked.path]).encode() if found else b"")

    with answering(script) as port:
        yield port


@contextmanager
def answering(script: Script, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Answer every request by a script, over TLS with `certificate` (its file, its key's); yield the port."""
    with Server(script) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
