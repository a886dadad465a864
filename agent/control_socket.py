"""
The control socket of wpa_supplicant and hostapd: text datagrams, one reply to each command, and events in between.

    with ControlSocket(Path("/run/hostapd/wlan0"), "hostapd of wlan0", missing="…", forbidden="…") as hostapd:
        hostapd.ask("STATUS", Deadline(3))

Events look like `<3>CTRL-EVENT-SCAN-RESULTS `, replies never begin with `<digit>`. They come only to who has asked for
them (ATTACH). Folder and group of the socket are `ctrl_interface` of the program's settings.
"""

import re
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from agent.deadline import Deadline
from agent.outcome import Unable

_LARGEST = 65_536


class Event(NamedTuple):
    """What the program tells, and when (seconds of time.perf_counter)."""

    at_s: float
    text: str


class EndedError(Unable):
    """The program has left its socket behind."""


class ControlSocket:
    """
    A conversation with the program behind a socket, in a `with` block.

    Unable: there is no such socket (`missing` says what to do), it may not be opened (`forbidden` does), or `who` does
    not answer. EndedError, which is one, where nobody is behind the socket any more.
    """

    def __init__(self, path: Path, who: str, *, missing: str, forbidden: str) -> None:
        self._path = path
        self._who = who
        self._hints = {FileNotFoundError: missing, PermissionError: forbidden}
        self._sock = _datagrams()
        self._events: deque[Event] = deque()

    def __enter__(self) -> Self:
        try:
            self._sock.bind("")  # an abstract address of its own (unix(7)), where the replies go
            self._sock.connect(str(self._path))
        except OSError as error:
            self._sock.close()
            raise self._unable(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._sock.close()

    def ask(self, command: str, deadline: Deadline, shown: str = "") -> str:
        """Return the reply without its line end. `shown` stands for a command with a secret in what people read."""
        try:
            self._sock.settimeout(deadline.left_s())
            self._sock.send(command.encode())
            while not deadline.is_over:
                text = self._receive(deadline)
                if text is not None:
                    return text.rstrip("\n")
        except TimeoutError:
            pass
        except OSError as error:
            raise self._unable(error) from None
        raise Unable(f"{self._who} does not answer to {shown or command}")

    def events(self, deadline: Deadline) -> Iterator[Event]:
        """Yield what it has told and tells until the time is up."""
        while True:
            while self._events:
                yield self._events.popleft()
            if deadline.is_over:
                return
            try:
                self._receive(deadline)
            except TimeoutError:
                return
            except OSError as error:
                raise self._unable(error) from None

    def forget_events(self) -> None:
        """Forget what it has told so far."""
        self._events.clear()

    def _receive(self, deadline: Deadline) -> str | None:
        """Return a reply; None where an event came, which is kept. TimeoutError."""
        self._sock.settimeout(deadline.left_s())
        text = self._sock.recv(_LARGEST).decode("utf-8", "replace")
        if not re.match(r"<\d>", text):
            return text
        self._events.append(Event(time.perf_counter(), text[3:].strip()))
        return None

    def _unable(self, error: OSError) -> Unable:
        if isinstance(error, FileNotFoundError):
            return Unable(f"there is no control socket {self._path}: {self._hints[FileNotFoundError]}")
        if isinstance(error, PermissionError):
            return Unable(f"the control socket {self._path} may not be opened: {self._hints[PermissionError]}")
        return EndedError(f"{self._who} has ended: {error.strerror or error}")


def _datagrams() -> socket.socket:
    if sys.platform == "win32":
        raise Unable("Windows has no control sockets")
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def parse_values(reply: str) -> dict[str, str]:
    """Return the `name=value` lines of a reply."""
    pairs = (line.partition("=") for line in reply.split("\n"))
    return {name: value for name, equals, value in pairs if equals}
