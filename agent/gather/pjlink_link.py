"""A connection of PJLink: the greeting, the password, and lines that end in CR."""

import errno
import hashlib
import re
import socket

from agent.deadline import Deadline
from agent.gather.read import secret
from agent.gather.tcp import connect
from agent.outcome import Failed
from agent.sockets import code_of, describe

_LONGEST = 1024  # bytes of a line; the longest answer of the specification has 136


class Link:
    """
    A connection that was greeted; `has_served` is set by whoever got an answer on it.

    Opening it: Failed `resolve`, `connect`, `greeting` (code: errno; none where it is not PJLink); Unable where the
    device asks for a password and none is given. All else raises OSError, ConnectionError where the device closes.
    """

    def __init__(self, address: str, port: int, password_file: str, deadline: Deadline) -> None:
        connected = connect(address, port, deadline)
        self.rtt_ms = connected.rtt_ms
        self.has_served = False
        self._sock: socket.socket = connected.sock
        self._deadline = deadline
        self._received = bytearray()
        try:
            self._proof = self._greeted(password_file)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def ask(self, command: str, patience: Deadline) -> str:
        """Send a command, the first one with the proof of the password, and return the line that comes next."""
        proof, self._proof = self._proof, ""
        self._sock.settimeout(patience.left_s())
        self._sock.sendall(f"{proof}{command}\r".encode("ascii"))
        return self.line(patience)

    def line(self, patience: Deadline) -> str:
        """Return the next line; Failed `auth` where it says that the password is refused."""
        while b"\r" not in self._received:
            if len(self._received) > _LONGEST:
                raise Failed("answer", "sends a line without an end", fields={"rtt_ms": self.rtt_ms})
            if patience.is_over:
                raise TimeoutError
            self._sock.settimeout(patience.left_s())
            piece = self._sock.recv(_LONGEST)
            if not piece:
                raise ConnectionResetError(errno.ECONNRESET, "closed")
            self._received += piece
        line, _, rest = bytes(self._received).partition(b"\r")
        self._received = bytearray(rest)
        text = _printable(line)
        if text.upper() == "PJLINK ERRA":
            raise Failed("auth", "the password is refused", fields={"rtt_ms": self.rtt_ms})
        return text

    def _greeted(self, password_file: str) -> str:
        """Take the greeting and return the proof that it asks for, empty for none."""
        fields = {"rtt_ms": self.rtt_ms}
        try:
            greeting = self.line(self._deadline)
        except OSError as error:
            raise Failed("greeting", words_of(error), code_of(error), fields) from None
        except Failed as failed:
            raise failed if failed.stage == "auth" else Failed("greeting", failed.reason, fields=fields) from None
        if re.fullmatch(r"(?i)PJLINK 0", greeting):
            return ""
        if token := re.fullmatch(r"(?i)PJLINK 1 (\S+)", greeting):
            return proof_of(token[1], secret(password_file, "PJLink password"))
        raise Failed("greeting", f"is not PJLink as it is known here: {greeting[:40]!r}", fields=fields)


def proof_of(token: str, password: str) -> str:
    """Return what proves the password: MD5 of token and password in hexadecimal digits."""
    return hashlib.md5((token + password).encode(), usedforsecurity=False).hexdigest()


def words_of(error: OSError) -> str:
    """Return in a few words why there was no answer."""
    if isinstance(error, ConnectionError):
        return "closes the connection: does it serve another client?"
    return describe(error)


def _printable(line: bytes) -> str:
    """Return a line as text; some devices end theirs with LF too, or send names in a charset of their own."""
    return "".join(c for c in line.decode("utf-8", "replace") if c.isprintable()).strip()
