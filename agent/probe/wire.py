"""What http.client reads an answer from: a socket, within a deadline and a limit of bytes."""

import http.client
import io
import socket
import time

from agent.deadline import Deadline

HEADER_BYTES = 65_536  # of a header, all interim answers (RFC 9110 §15.2) before it included
_READ = 65_536


class TooMuchError(http.client.HTTPException):
    """A server sends more than an answer may have; the text says of what."""


class Wire(io.RawIOBase):
    """
    No read lasts past the deadline, and none goes beyond what is allowed: 64 KiB at first, which is for the header.

    `first_at` is when the first byte came, `received` the bytes so far.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._allowed = HEADER_BYTES
        self._limit = f"{HEADER_BYTES >> 10} KiB of header and interim answers"
        self.first_at: float | None = None
        self.received = 0

    def allow(self, more: int) -> None:
        """Let so many bytes more come, for the body and what stands around it."""
        self._allowed = self.received + more
        self._limit = f"{more >> 10} KiB of chunks and trailers"

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """
        Read what there is.

        TimeoutError when the time is up, also where bytes still come; TooMuchError where more come than is allowed.
        """
        if self._deadline.is_over:
            raise TimeoutError
        left = self._allowed - self.received
        if left <= 0:
            raise TooMuchError(f"more than {self._limit}")
        self._sock.settimeout(self._deadline.left_s())
        count = self._sock.recv_into(buffer, min(len(buffer), left))
        if self.first_at is None:
            self.first_at = time.perf_counter()
        self.received += count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return itself as the file that http.client asks a socket for."""
        return io.BufferedReader(self, _READ)
