"""One request to a device over HTTP/1.1 (RFC 9112), with TLS for https, all of it within a deadline; and its JSON."""

import errno
import http.client
import io
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from agent.deadline import Deadline
from agent.gather.tcp import Connected, connect
from agent.outcome import Failed, Unable
from agent.sockets import code_of, describe
from contract import __version__

MOST = 1 << 20  # bytes of a body
PORTS = {"http": 80, "https": 443}
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


class Request(NamedTuple):
    """What is asked of whom, a POST with `body`; `ca` is a file of authorities to believe instead of the system's."""

    scheme: str
    address: str
    port: int
    path: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    verify: bool = True
    ca: str = ""

    @property
    def method(self) -> str:
        """The method of the request."""
        return "GET" if self.body is None else "POST"

    @property
    def target(self) -> str:
        """The path as it is sent: what cannot stand there is written as %XX."""
        return quote(self.path if self.path.startswith("/") else f"/{self.path}", safe="!#$%&'()*+,/:;=?@[]~")


class Answer(NamedTuple):
    """An answer, whatever its status, with the round trip of the connection."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    rtt_ms: float


def exchange(request: Request, deadline: Deadline) -> Answer:
    """
    Send a request and return the answer.

    Failed `resolve` (EAI number), `connect` (errno), `tls` (X509 verify code, or errno), `answer` (errno; none where it
    is not HTTP, breaks off, or has more than 1 MiB).
    """
    secure = _context(request) if request.scheme == "https" else None
    port = request.port or PORTS[request.scheme]
    connected = connect(request.address, port, deadline)
    sock = connected.sock
    try:
        if secure:
            sock = _secured(secure, connected, request.address, deadline)
        with _named(connected):
            return _exchange(request, port, _Timed(sock, deadline), connected.rtt_ms)
    finally:
        sock.close()


def json_of(answer: Answer) -> object:
    """
    Return the JSON of an answer, in the charset that its header names, else UTF-8, -16 or -32; Failed `answer`.

    What is no text in these is taken for GB 18030, as of SNMP: many devices do not say in what they write.
    """
    charset = answer.headers.get_content_charset("")
    try:
        if charset in ("gb2312", "gbk", "gb18030"):
            return json.loads(answer.body.decode("gb18030"))
        try:
            return json.loads(answer.body)
        except UnicodeDecodeError:
            return json.loads(answer.body.decode("gb18030"))
    except (ValueError, RecursionError):
        fields = {"rtt_ms": answer.rtt_ms}
        raise Failed("answer", "what it sends is not JSON", answer.status, fields) from None


class _Timed(io.RawIOBase):
    """A socket for http.client: no read lasts past the deadline, however small the bytes come."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send."""
        self._sock.settimeout(self._deadline.left_s())
        self._sock.sendall(data)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what there is; TimeoutError when the time is up, also where bytes still come."""
        if self._deadline.is_over:
            raise TimeoutError
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return itself as the file that http.client asks a socket for."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the socket to the one who opened it: http.client closes before the body is read."""


def _exchange(request: Request, port: int, sock: _Timed, rtt_ms: float) -> Answer:
    connection = http.client.HTTPConnection(request.address.partition("%")[0], port)
    connection.default_port = PORTS[request.scheme]
    connection.sock = sock
    headers = {
        "User-Agent": f"santong/{__version__}",
        "Accept": "application/json",
        "Connection": "close",
        **request.headers,
    }
    encoded = {name: value.encode() for name, value in headers.items()}
    connection.request(request.method, request.target, request.body, encoded)
    answer = connection.getresponse()
    body = answer.read(MOST + 1)
    if len(body) > MOST:
        raise Failed("answer", f"has more than {MOST >> 20} MiB", answer.status, {"rtt_ms": rtt_ms})
    if answer.length:  # of a stated length, http.client takes what comes when not all is asked for
        raise http.client.IncompleteRead(body, answer.length)
    return Answer(answer.status, answer.headers, body, rtt_ms)


@contextmanager
def _named(connected: Connected) -> Iterator[None]:
    """Turn what goes wrong with the exchange into Failed `answer`."""
    fields = {"rtt_ms": connected.rtt_ms}
    try:
        yield
    except http.client.RemoteDisconnected:
        raise Failed("answer", "closed without an answer", errno.ECONNRESET, fields) from None
    except http.client.IncompleteRead:
        raise Failed("answer", "breaks off", fields=fields) from None
    except OSError as error:
        raise Failed("answer", _words(error), _code(error), fields) from None
    except http.client.HTTPException as error:
        raise Failed("answer", f"is not HTTP: {str(error)[:60] or type(error).__name__}", fields=fields) from None
    except ValueError:  # its text might have what was sent, a login too
        raise Failed("answer", "is not HTTP", fields=fields) from None


def _context(request: Request) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=request.ca or None)
    except OSError as error:
        raise Unable(f"ca = {request.ca}: {error.strerror or error}") from None
    if not request.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _secured(context: ssl.SSLContext, connected: Connected, host: str, deadline: Deadline) -> ssl.SSLSocket:
    fields = {"rtt_ms": connected.rtt_ms}
    sock = connected.sock
    try:
        sock.settimeout(deadline.left_s())
        # The handshake is apart from the wrapping, so that the socket is ours to close when it fails.
        secured = context.wrap_socket(sock, server_hostname=host.partition("%")[0], do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        raise Failed("tls", str(error)[:60], fields=fields) from None
    try:
        secured.do_handshake()
    except BaseException as error:
        secured.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Failed("tls", _doubt(error), error.verify_code, fields) from None
        if isinstance(error, OSError):
            raise Failed("tls", _words(error), _code(error), fields) from None
        raise
    return secured


def _doubt(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate is not believed; a wrong clock makes good ones look bad."""
    reason = error.verify_message.rstrip(".")
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return f"{reason}; the clock here says {datetime.now(UTC):%Y-%m-%d}: is it right?"
    return reason


def _words(error: OSError) -> str:
    """Return an error of a connection in a few words."""
    if isinstance(error, ssl.SSLError):  # its numbers are those of OpenSSL, not of errno
        return (error.reason or "").replace("_", " ").lower() or str(error)[:60]
    return describe(error)


def _code(error: OSError) -> int | None:
    return None if isinstance(error, ssl.SSLError) else code_of(error)
