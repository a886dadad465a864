"""Those who get messages, on 127.0.0.1: a web server that takes JSON, and a mail server."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.services import HOST, free_port


class Web(http.server.ThreadingHTTPServer):
    """Takes what is posted; `status` and `answer` are what it says to it."""

    def __init__(self, port: int = 0) -> None:
        super().__init__((HOST, port), _Post)
        self.status, self.answer = 200, b"{}"
        self.got: list[dict[str, Any]] = []

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    @property
    def texts(self) -> list[str]:
        """The texts of the messages that it took."""
        return [str(one.get("message") or one.get("text", {}).get("content")) for one in self.got]


class _Post(http.server.BaseHTTPRequestHandler):
    server: Web

    def do_POST(self) -> None:
        """Take a message, unless the answer is an error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.got.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the standard library
        """Say nothing."""


@contextmanager
def web(port: int = 0) -> Iterator[Web]:
    """Run a web server, on this port or a free one."""
    server = Web(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Mailbox:
    """Keeps the mails that come; those to `nobody` it does not take."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802  the name in aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a receiver, or not."""
        if address.startswith("nobody"):
            return "550 there is nobody"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=default))
        return "250 OK"


@contextmanager
def mail() -> Iterator[tuple[int, Mailbox]]:
    """Run a mail server; yield its port and its mailbox."""
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname=HOST, port=port)
    controller.start()
    try:
        yield port, box
    finally:
        controller.stop()
