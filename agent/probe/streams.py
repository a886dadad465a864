"""
Parallel connections that move bytes over HTTP in one direction, each in a thread of its own, until told to stop.

What counts is payload: bytes of bodies that have come, or, for an upload, that the other end has acknowledged. What
still waits in our own buffers has not been transferred.
"""

import errno
import http.client
import os
import secrets
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from agent.outcome import Failed, Unable
from agent.probe import tcpinfo
from agent.probe.net import small_stacks
from agent.probe.place import place
from agent.probe.tcpinfo import Counts
from agent.probe.values import Url, hide
from agent.probe.web import Connection
from agent.probe.wire import HEADER_BYTES, Wire

BUFFER_BYTES = 262_144
_TLS_RECORD_BYTES = 16_384  # RFC 8446 §5.1: a larger write would be counted late
POST_BYTES = 20 << 20  # what a LibreSpeed client sends at once: backends are set up for it
STALLED = errno.ETIMEDOUT
_GOODBYE_S = 2.0


class Task(Protocol):
    """What a stream does with its connection, over and over."""

    def __call__(self, stream: "Stream", connection: Connection) -> bool:
        """Do it once; return whether the connection can be used again. Failed: with the direction as its stage."""
        ...


class Stream:
    """One connection after the other, and what was moved over them."""

    def __init__(self, connect: Callable[[], Connection], task: Task, group: "Group", first: Connection | None) -> None:
        self.moved = 0
        self.received = 0
        self.failed: Failed | None = None
        self.min_rtt_s = float("inf")
        self.buffer = bytearray(BUFFER_BYTES)
        self.group = group
        self._connect, self._task = connect, task
        self._connection = first
        self._closed = Counts()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Move bytes until the group stops; what goes wrong ends this stream alone."""
        try:
            while not self.group.stopping:
                connection = self._connection or self._open()
                if not self._task(self, connection):
                    self.hang_up()
        except (Failed, Unable) as error:
            if not self.group.stopping:
                self.failed = error if isinstance(error, Failed) else Failed("connect", str(error))
                self.group.one_failed()
        finally:
            self.hang_up()

    def count(self, moved: int, received: int = 0) -> None:
        """Add to what was moved, and to all that was received for it: headers, chunk lines and payload."""
        self.moved += moved
        self.received += received
        self.group.check()

    @property
    def payload(self) -> int:
        """The bytes that have really been moved."""
        connection = self._connection
        return self.moved - (tcpinfo.unacknowledged(connection.sock) if self.group.is_upload and connection else 0)

    @property
    def counts(self) -> Counts:
        """Bytes and segments of all its connections so far."""
        with self._lock:
            return self._closed + (tcpinfo.read(self._connection.sock).counts if self._connection else Counts())

    def interrupt(self) -> None:
        """Wake it where it waits for the network."""
        connection = self._connection
        if connection:
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # past TLS: its thread may be inside

    def hang_up(self) -> None:
        """Close the connection and keep its counts."""
        with self._lock:
            if self._connection:
                info = tcpinfo.read(self._connection.sock)
                if self.group.is_upload:
                    self.moved -= tcpinfo.unacknowledged(self._connection.sock)
                self._closed += info.counts
                self.min_rtt_s = min(self.min_rtt_s, self._connection.connect_s, info.min_rtt_s or float("inf"))
                if self.group.is_upload and self.group.stopping:
                    _throw_away(self._connection.sock)
                self._connection.close()
                self._connection = None

    def _open(self) -> Connection:
        connection = self._connect()
        with self._lock:
            self._connection = connection
        return connection


def _throw_away(sock: socket.socket) -> None:
    """Let the close of a connection be a reset (RFC 9293 §3.10.4), or what waits in its buffers would still go out."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Group:
    """The streams of one direction. `over` is set when nothing more can come: the limit is reached, or all failed."""

    def __init__(self, direction: str, most_bytes: int) -> None:
        self.direction = direction
        self.is_upload = direction == "upload"
        self.over = threading.Event()
        self.stopping = False
        self.is_spent = False
        self.streams: list[Stream] = []
        self.most_bytes = most_bytes
        self._threads: list[threading.Thread] = []

    def start(self, connect: Callable[[], Connection], task: Task, first: Connection, streams: int) -> None:
        """
        Start the streams; the first goes over a connection that is open already.

        Where the worker's memory has no room for all threads there are fewer; Unable when there is none.
        """
        self.streams = [Stream(connect, task, self, None if number else first) for number in range(streams)]
        with small_stacks(), suppress(RuntimeError):
            for stream in self.streams:
                thread = threading.Thread(target=stream.run, daemon=True)
                thread.start()
                self._threads.append(thread)
        self.streams = self.streams[: len(self._threads)]
        if not self._threads:
            first.close()
            raise Unable("there is no memory for another thread")

    def check(self) -> None:
        """End it when so much has been moved as may be."""
        if sum(max(stream.moved, stream.received) for stream in self.streams) >= self.most_bytes:
            self.is_spent = True
            self.over.set()

    def one_failed(self) -> None:
        """End it when that was the last stream."""
        if all(stream.failed for stream in self.streams):
            self.over.set()

    def stop(self) -> None:
        """End all streams."""
        self.stopping = True
        for stream in self.streams:
            stream.interrupt()
        for thread in self._threads:
            thread.join(_GOODBYE_S)

    @property
    def moved(self) -> int:
        """The bytes that were read or handed to the kernel."""
        return sum(stream.moved for stream in self.streams)

    @property
    def payload(self) -> int:
        """The bytes that have really been moved."""
        return sum(stream.payload for stream in self.streams)

    @property
    def counts(self) -> Counts:
        """Bytes and segments of all connections."""
        return sum((stream.counts for stream in self.streams), Counts())

    @property
    def failures(self) -> list[Failed]:
        """Why streams ended by themselves."""
        return [stream.failed for stream in self.streams if stream.failed]

    @property
    def min_rtt_s(self) -> float:
        """The shortest round trip of all connections that are closed."""
        return min(stream.min_rtt_s for stream in self.streams)


class Download:
    """Ask for a body and take it."""

    def __init__(self, url: Url) -> None:
        self._url = url

    def __call__(self, stream: Stream, connection: Connection) -> bool:
        """Take one body; it must be whole."""
        url = Url(self._url.replace("{random}", secrets.token_hex(4)))
        try:
            connection.request(url)
            answer, wire = connection.answer()
        except Failed as failed:
            raise Failed("download", failed.reason, failed.code) from None
        if answer.status != http.client.OK:
            raise _refused("download", answer)
        with connection.named("download"):
            before = stream.moved
            _take(stream, answer, wire)
        if stream.moved == before and not stream.group.stopping:
            raise Failed("download", "there is nothing in it", answer.status)
        return not answer.will_close


def _take(stream: Stream, answer: http.client.HTTPResponse, wire: Wire) -> None:
    left, view, counted = answer.length, memoryview(stream.buffer), 0
    while left != 0 and not stream.group.stopping:
        wire.allow(BUFFER_BYTES + HEADER_BYTES)  # for each piece
        # Without a copy, unlike read1, where it can be.
        count = len(answer.read1(BUFFER_BYTES)) if answer.chunked else answer.fp.readinto1(view[:left])
        if not count:
            break
        stream.count(count, wire.received - counted)
        counted = wire.received
        left = None if left is None else left - count
    if left and not stream.group.stopping:
        raise http.client.IncompleteRead(b"", left)


class Upload:
    """Send a body of random bytes."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._random = memoryview(os.urandom(BUFFER_BYTES))

    def __call__(self, stream: Stream, connection: Connection) -> bool:
        """Send one body and wait for the answer; one that comes before the end ends it when it is a refusal."""
        self._ask(connection, POST_BYTES)
        try:
            with connection.named("upload"):
                is_early = self._send(stream, connection)
        except Failed as failed:
            raise self._said(connection) or failed from None
        if stream.group.stopping:
            return False
        return self._ended(connection, is_early)

    def try_out(self, connection: Connection) -> bool:
        """Send an empty body: a refusal may come at the end of one, and on a slow line none ends. Return as above."""
        self._ask(connection, 0)
        return self._ended(connection, is_early=False)

    def _ask(self, connection: Connection, size: int) -> None:
        url = Url(self._url.replace("{random}", secrets.token_hex(4)))
        try:
            connection.request(
                url, "POST", more=f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n"
            )
        except Failed as failed:
            raise Failed("upload", failed.reason, failed.code) from None

    def _send(self, stream: Stream, connection: Connection) -> bool:
        """Send the body; return True when an answer has come before its end."""
        sock, left = connection.sock, POST_BYTES
        is_tls = isinstance(sock, ssl.SSLSocket)
        piece = _TLS_RECORD_BYTES if is_tls else BUFFER_BYTES
        while left and not stream.group.stopping:
            if connection.deadline.is_over:
                raise TimeoutError
            if not is_tls and select.select([sock], [], [], 0)[0]:  # over TLS that may be a ticket, and no answer
                return True
            sock.settimeout(connection.deadline.left_s())
            sent = sock.send(self._random[: min(left, piece)])
            stream.count(sent)
            left -= sent
        return False

    @staticmethod
    def _ended(connection: Connection, is_early: bool) -> bool:
        try:
            answer, wire = connection.answer("POST")
            wire.allow(BUFFER_BYTES + HEADER_BYTES)
            with connection.named("upload"):
                is_whole = len(answer.read(BUFFER_BYTES)) < BUFFER_BYTES
        except Failed as failed:
            raise Failed("upload", failed.reason, failed.code) from None
        if answer.status >= 300:
            raise _refused("upload", answer)
        if is_early:
            raise Failed("upload", f"answers {answer.status} before all was sent: it does not take it", answer.status)
        return is_whole and not answer.will_close

    @staticmethod
    def _said(connection: Connection) -> Failed | None:
        """Return the refusal that a server sent before it hung up, if one came through."""
        with suppress(Failed):
            connection.sock.settimeout(0.2)
            answer, _ = connection.answer("POST")
            return _refused("upload", answer) if answer.status >= 300 else None
        return None


def _refused(direction: str, answer: http.client.HTTPResponse) -> Failed:
    there = answer.headers.get("location") if 300 <= answer.status < 400 else None
    where = f" and leads to {place(there)}: give that address" if there else ""
    details = {"location": hide(there)} if there else None
    return Failed(direction, f"answers {answer.status}{where}", answer.status, details=details)
