"""
One exchange over HTTP/1.1 (RFC 9112): connect, TLS, request, answer, each timed apart, all of it within a deadline.

    answer = fetch(Url("https://www.example.cn/"), Deadline(10), via)

A server cannot hold it up: each read waits only for what is left of the time, however small the bytes come, and header
and interim answers have 64 KiB at most (`wire.py`).
"""

import errno
import http.client
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

from agent.deadline import Deadline
from agent.outcome import Failed, Unable
from agent.probe import tls
from agent.probe.base import Via
from agent.probe.connect import connect
from agent.probe.net import Address, milliseconds
from agent.probe.place import place, without_queries
from agent.probe.values import HostPort, Url, hide
from agent.probe.wire import HEADER_BYTES, TooMuchError, Wire
from agent.sockets import describe
from contract import __version__
from contract.sample import Value

MIB = 1 << 20
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110 §15.4
_PORTS = {"http": 80, "https": 443}
_READ = 65_536
_TEXTS = r"(utf-?8|utf-?16(le|be)?|gb\w*|big5\w*|iso-8859-\d+|latin-?1|windows-125\d|us-ascii|shift_jis|euc-\w+)"


class How(NamedTuple):
    """
    What else there is to say of a request.

    `ca` and `verify` say which certificates are believed, `proxy` through whom it goes, `accept` which kind of answer
    is wanted, `most` how much of the body is read (bytes; 0: none). `address` is connected to instead of the host's.
    """

    ca: str = ""
    verify: bool = True
    proxy: HostPort | None = None
    accept: str = "*/*"
    most: int = MIB
    address: str = ""


class Response(NamedTuple):
    """
    An answer. Names of `headers` are in small letters, the first of a name counts; `body` is as sent but unpacked.

    `is_whole` is False where the body has more than was asked for. `address` is the server's, or the proxy's.
    `tls_s` is None over plain HTTP, `first_byte_s` lasts from the request sent to the first byte of the answer.
    """

    url: Url
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool
    address: str
    connect_s: float
    tls_s: float | None
    first_byte_s: float
    certificate: tls.Certificate | None
    tls_version: str

    @property
    def certificate_days(self) -> float | None:
        """The days until the certificate expires; None over plain HTTP."""
        return self.certificate.days if self.certificate else None

    @property
    def fields(self) -> dict[str, Value]:
        """What is measured, as fields of the measurement `probe`."""
        timed = _fields(self.connect_s, self.tls_s, self.certificate)
        return {**timed, "first_byte_ms": milliseconds(self.first_byte_s)}

    @property
    def location(self) -> Url | None:
        """Where a redirect leads (RFC 9110 §10.2.2), None when this is none; ValueError where it cannot be followed."""
        if self.status not in REDIRECTS or "location" not in self.headers:
            return None
        # http.client gives header bytes as Latin-1; those that an address cannot have are written as %XX.
        given = quote(self.headers["location"].strip(), safe="!#$%&'()*+,/:;=?@[]~", encoding="latin-1")
        return Url.parse(urljoin(self.url, given))

    def text(self) -> str:
        """Return the body in the charset of the header, else of the page itself, else UTF-8."""
        declared = self.headers.get("content-type", "") + " " + self.body[:1024].decode("latin-1")
        match = re.search(r"charset\s*=\s*[\"']?" + _TEXTS + r"\b", declared, re.IGNORECASE)
        charset = match[1].lower() if match else "utf-8"
        if charset in ("gb2312", "gbk"):
            charset = "gb18030"  # pages that call themselves so use its characters
        try:
            return self.body.decode(charset, "replace")
        except (LookupError, UnicodeError):
            return self.body.decode("utf-8", "replace")


class Connection:
    """A connection to the server of an address, through the proxy where there is one, with TLS for https."""

    def __init__(self, url: Url, deadline: Deadline, via: Via, how: How) -> None:
        parts = urlsplit(url)
        self.url, self.deadline, self._via, self._how = url, deadline, via, how
        self.host: str = parts.hostname or ""
        self.port: int = parts.port or _PORTS[parts.scheme]
        self.tls_s: float | None = None
        self.certificate: tls.Certificate | None = None
        self.tls_version = ""
        there = (how.proxy.host, how.proxy.port) if how.proxy else (how.address or self.host, self.port)
        secure = tls.context(how.ca, how.verify) if parts.scheme == "https" else None
        connected = connect(*there, deadline, via)
        self.sock: socket.socket = connected.sock
        self.peer: Address = connected.peer
        self.connect_s: float = connected.connect_s
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                if how.proxy:
                    self._tunnel()
                self._secure(secure)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    @property
    def fields(self) -> dict[str, Value]:
        """What is measured so far."""
        return _fields(self.connect_s, self.tls_s, self.certificate)

    def request(self, url: Url, method: str = "GET", accept: str = "*/*", more: str = "") -> None:
        """Send a request; `more` are further header lines, each with its end. Failed `request`."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self._how.proxy and parts.scheme == "http":
            path = f"http://{parts.netloc}{path}"  # RFC 9112 §3.2.2
        with self.named("request"):
            self._send(
                f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: santong/{__version__}\r\n"
                f"Accept: {accept}\r\nAccept-Encoding: identity\r\n{more}\r\n"
            )

    def answer(self, method: str = "GET") -> tuple[http.client.HTTPResponse, Wire]:
        """Read an answer as far as its header; Failed `request`."""
        wire = Wire(self.sock, self.deadline)
        response = _response(wire, method)
        with self.named("request"):
            response.begin()
        return response, wire

    @contextmanager
    def named(self, stage: str) -> Iterator[None]:
        """Turn what goes wrong with the exchange into Failed at a stage (code: errno, none where it is not HTTP)."""
        try:
            yield
        except http.client.RemoteDisconnected:
            raise Failed(stage, "closed without an answer", errno.ECONNRESET, self.fields) from None
        except http.client.IncompleteRead:
            raise Failed(stage, "the answer breaks off", fields=self.fields) from None
        except TooMuchError as error:
            raise Failed(stage, f"sends {error}", fields=self.fields) from None
        except OSError as error:
            raise Failed(stage, words_of(error), code_of(error), self.fields) from None
        except (http.client.HTTPException, ValueError) as error:
            raise Failed(stage, f"no answer of HTTP: {_short(error)}", fields=self.fields) from None

    def _send(self, text: str) -> None:
        self.sock.settimeout(self.deadline.left_s())
        self.sock.sendall(text.encode("ascii"))

    def _tunnel(self) -> None:
        """Ask the proxy for a way to the server (RFC 9110 §9.3.6)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        with self.named("proxy"):
            self._send(f"CONNECT {host}:{self.port} HTTP/1.1\r\nHost: {host}:{self.port}\r\n\r\n")
            response = _response(Wire(self.sock, self.deadline), "CONNECT")
            response.begin()
        if response.status != 200:
            said = f"answers {response.status} {without_queries(response.reason)[:60]}".strip()
            raise Failed("proxy", said, response.status, self.fields)

    def _secure(self, context: ssl.SSLContext) -> None:
        begun = time.perf_counter()
        try:
            self.sock.settimeout(self.deadline.left_s())
            # The handshake is apart from the wrapping, so that the socket is ours to close when it fails.
            secured = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = secured
            secured.do_handshake()
        except ssl.SSLCertVerificationError as error:
            certificate = self._unverified()
            fields = _fields(self.connect_s, None, certificate)
            raise Failed("tls", tls.explain(error, certificate), error.verify_code, fields) from None
        except (OSError, ValueError) as error:
            code = code_of(error) if isinstance(error, OSError) else None
            raise Failed("tls", words_of(error), code, self.fields) from None
        self.tls_s = time.perf_counter() - begun
        self.certificate = tls.certificate_of(secured)
        self.tls_version = secured.version() or ""

    def _unverified(self) -> tls.Certificate | None:
        """Fetch the certificate that was not believed, by a second connection that believes everything."""
        with (
            suppress(Failed, Unable),
            Connection(self.url, self.deadline, self._via, self._how._replace(verify=False)) as c,
        ):
            return c.certificate
        return None


def fetch(url: Url, deadline: Deadline, via: Via = Via(), how: How = How()) -> Response:  # noqa: B008  constants
    """
    Ask for a page and return the answer, whatever its status. Redirects are not followed.

    Failed `resolve` (EAI number), `connect` (errno), `proxy` (its HTTP status, or errno), `tls` (X509 verify code, or
    errno), `request` (errno; none where the answer is not HTTP); with the timings so far.
    """
    with Connection(url, deadline, via, how) as connection:
        connection.request(url, accept=how.accept)
        begun = time.perf_counter()
        answer, wire = connection.answer()
        first_byte_s = (wire.first_at or time.perf_counter()) - begun
        headers: dict[str, str] = {}
        for name, value in answer.headers.items():
            headers.setdefault(name.lower(), str(value))
        wire.allow(2 * how.most + HEADER_BYTES)  # small chunks take more room than what they hold
        with connection.named("request"):
            body, is_whole = _body(answer, how.most)
            if headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
                body, is_whole = _unpacked(body, how.most, is_whole)
        return Response(
            url, answer.status, headers, body, is_whole, connection.peer.address, connection.connect_s,
            connection.tls_s, first_byte_s, connection.certificate, connection.tls_version,
        )  # fmt: skip


def follow(
    url: Url, deadline: Deadline, via: Via, how: How, most: int, wanted: tuple[int, ...] = ()
) -> tuple[Response, list[str]]:
    """
    Fetch a page through at most `most` redirects; return it and the addresses that led there.

    A status that is `wanted` is not followed, nor is any when `most` is 0. Failed as fetch() does, and `redirect`
    (code: HTTP status).
    """
    passed: list[str] = []
    while True:
        try:
            response = fetch(url, deadline, via, how)
        except Failed as failed:
            failed.details = {**failed.details, **_passed(passed, url)}
            raise
        if response.status in wanted or not most:
            return response, passed
        reason, there = _next(response, passed, most)
        if reason:
            given = response.headers.get("location")
            details = _passed(passed, url) | ({"location": hide(given)} if given else {})
            raise Failed("redirect", reason, response.status, response.fields, details)
        if there is None:
            return response, passed
        passed.append(url)
        url = there


def words_of(error: Exception) -> str:
    """Return an error of a connection in a few words."""
    if isinstance(error, ssl.SSLError):  # its numbers are those of OpenSSL, not of errno
        return (error.reason or "").replace("_", " ").lower() or _short(error)
    return describe(error) if isinstance(error, OSError) else _short(error)


def code_of(error: OSError) -> int | None:
    """Return the errno of an error of a connection, None where OpenSSL found it."""
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    return None if isinstance(error, ssl.SSLError) else error.errno


def _response(wire: Wire, method: str) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]  # of a socket it asks makefile alone


def _next(response: Response, passed: list[str], most: int) -> tuple[str, Url | None]:
    """Return why an answer cannot be followed, or where it leads."""
    if response.status in REDIRECTS and "location" not in response.headers:
        return "leads nowhere: it has no Location", None
    try:
        there = response.location
    except ValueError:
        return f"leads where we cannot go: {place(response.headers['location'])}", None
    if there is None:
        return "", None
    if there in (*passed, response.url):
        return f"leads in a circle: {place(there)}", None
    if len(passed) >= most:
        return f"more than {most} in a row", None
    return "", there


def _passed(passed: list[str], url: Url) -> dict[str, object]:
    return {"redirects": [*passed, str(url)]} if passed else {}


def _fields(connect_s: float, tls_s: float | None, certificate: tls.Certificate | None) -> dict[str, Value]:
    fields: dict[str, Value] = {"rtt_ms": milliseconds(connect_s), "connect_ms": milliseconds(connect_s)}
    if tls_s is not None:
        fields["tls_ms"] = milliseconds(tls_s)
    if certificate is not None:
        fields["certificate_days"] = certificate.days
    return fields


def _body(answer: http.client.HTTPResponse, most: int) -> tuple[bytes, bool]:
    """Return at most so much of a body, and whether that is all; IncompleteRead where it breaks off."""
    due = None if answer.chunked else answer.length
    pieces, size = [], 0
    while size < most and size != due:
        piece = answer.read1(min(_READ, most - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    if due is not None and size < min(due, most):
        raise http.client.IncompleteRead(b"", due - size)
    return b"".join(pieces), size == due or size < most


def _unpacked(body: bytes, most: int, is_whole: bool) -> tuple[bytes, bool]:
    """Return a gzip text (RFC 1952) unpacked: servers send it that were asked not to."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(body, most) if most else b""
    except zlib.error as error:
        raise ValueError(f"gzip: {error}") from None
    return text, is_whole and not unpacker.unconsumed_tail


def _short(error: Exception) -> str:
    text = without_queries(str(error).strip())
    return repr(text[:60]) if text else type(error).__name__
