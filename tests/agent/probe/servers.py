r"""
Small servers on 127.0.0.1 that do exactly what a test says, however wrong.

    with serving(answers(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        fetch(server.url("/generate_204"), …)
    server.requests     # what was asked, as far as its header
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from agent.probe.values import Url
from tests.certificates import Identity, Wish, issue

Script = Callable[[socket.socket], None]
PATIENCE_S = 20.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server that runs: its port, and the header of each request that came."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.scheme = scheme
        self.requests: list[str] = []

    def url(self, path: str = "/") -> Url:
        """Return the address of a path."""
        return Url.parse(f"{self.scheme}://127.0.0.1:{self.port}{path}")


class Tls(NamedTuple):
    """The files of a certificate for 127.0.0.1, and of the authority that clients shall believe."""

    certificate: Path
    key: Path
    ca: Path


def tls_files(folder: Path, wish: Wish, authority: Identity) -> Tls:
    """Write a certificate by `authority`; it is for 127.0.0.1 unless the wish has a name of its own."""
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    ca, _ = authority.save(folder, "authority")
    return Tls(*issue(wish if wish.dns else wish._replace(more=(here,)), authority).save(folder, "server"), ca)


@contextmanager
def serving(script: Script, tls: Tls | None = None) -> Iterator[Server]:
    """
    Run `script` for each connection, in a thread of its own, until the context ends.

    The connection is closed after it. With `tls` its socket speaks TLS.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], "https" if tls else "http")
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
    if context and tls:
        context.load_cert_chain(tls.certificate, tls.key)

    def talk(sock: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if context:
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                opened.append(sock)
                sock.do_handshake()
            script(_Recorded(sock, server.requests))  # type: ignore[arg-type]
        sock.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(PATIENCE_S)
                opened.append(sock)
                threads.append(threading.Thread(target=talk, args=(sock,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for sock in opened:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


class _Recorded:
    """A socket whose requests are written down."""

    def __init__(self, sock: socket.socket, requests: list[str]) -> None:
        self._sock = sock
        self.requests = requests

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def asked(sock: socket.socket) -> str:
    """Read a request as far as its header; empty when the client has gone."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = sock.recv(1)
        if not piece:
            return ""
        text += piece
    request = text.decode()
    sock.requests.append(request)  # type: ignore[attr-defined]
    return request


def answers(*texts: bytes) -> Script:
    """Give the next of these answers to each request of a connection, and close after the last."""

    def script(sock: socket.socket) -> None:
        for text in texts:
            if not asked(sock):
                return
            sock.sendall(text)

    return script


def pages(found: dict[str, bytes]) -> Script:
    """Give the answer of the path that is asked for, 404 for any other; the connection is kept."""

    def script(sock: socket.socket) -> None:
        while request := asked(sock):
            sock.sendall(found.get(request.split()[1], answer(404)))

    return script


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer with its length."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(there: str, status: int = 302) -> bytes:
    """Return a redirect."""
    return answer(status, b"", f"Location: {there}")


def drips(text: bytes, every_s: float) -> Script:
    """Answer one byte at a time, for as long as the client stays."""

    def script(sock: socket.socket) -> None:
        asked(sock)
        stop = threading.Event()
        for byte in text * 1000:
            sock.sendall(bytes([byte]))
            stop.wait(every_s)  # a slow server is what is asked for

    return script


def endless(first: bytes, again: bytes) -> Script:
    """Answer without an end, as fast as the client takes it."""

    def script(sock: socket.socket) -> None:
        asked(sock)
        sock.sendall(first)
        while True:
            sock.sendall(again * 100)

    return script


def resets(after: bytes = b"") -> Script:
    """Say something and tear the connection down (RST)."""

    def script(sock: socket.socket) -> None:
        asked(sock)
        if after:
            sock.sendall(after)
        linger(sock)

    return script


def linger(sock: socket.socket) -> None:
    """Let the close of a socket be a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def silent(sock: socket.socket) -> None:
    """Take everything and say nothing."""
    while sock.recv(65536):
        pass
