"""
Keeping one MQTT session up: dial, drive the socket, back off, dial again.

    dial ──▶ drive ──▶ lost ──▶ pause (doubling, jittered) ──▶ dial

Both ends use it; it knows the client library only by its external-loop interface, so that one thread reads and writes
the socket, and a publish from another thread is sent at once (the wake-up socket) instead of at the next tick.
"""

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from contract.broker import Address

if TYPE_CHECKING:
    import ssl

_TICK_S = 5.0
# One look at the socket costs as much as a read, so several packets are read for each.
_READS_A_LOOK = 8
_STEADY_S = 30.0
_CONNECT_TIMEOUT_S = 10.0


class Client(Protocol):
    """What is used of an MQTT client: paho-mqtt's interface for loops of one's own."""

    def socket(self) -> Any:
        """Return the socket, None when there is no connection."""

    def want_write(self) -> bool:
        """Tell whether something waits to be written."""

    def loop_read(self) -> Any:
        """Read what is there."""

    def loop_write(self) -> Any:
        """Write what waits."""

    def loop_misc(self) -> Any:
        """Look after keep-alive."""


class Session:
    """
    One session that is dialled again whenever it ends.

    `dial` returns a connected client, which calls `wake` whenever it has something to write, or raises OSError or
    ValueError; `trouble` is told why. Pauses are seconds.
    """

    def __init__(
        self, name: str, dial: Callable[[], Client], trouble: Callable[[str], None], pauses: tuple[float, float]
    ) -> None:
        self._dial = dial
        self._trouble = trouble
        self._first_pause_s, self._last_pause_s = pauses
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._name = name
        self._alarm: socket.socket | None = None

    @property
    def is_stopping(self) -> bool:
        """Tell whether the end was asked for."""
        return self._stopping.is_set()

    def equip(self, client: Any, where: Address, tls: "ssl.SSLContext | None") -> None:
        """Give a new client what both ends need: TLS, the path of a WebSocket, and whom to wake before it writes."""
        client.connect_timeout = _CONNECT_TIMEOUT_S
        if tls:
            client.tls_set_context(tls)
        if where.websocket:
            client.ws_set_options(path=where.path)
        client.on_socket_register_write = lambda *_: self.wake()

    def start(self) -> None:
        """Dial, in a thread of its own."""
        awake, self._alarm = socket.socketpair()
        awake.setblocking(False)
        self._alarm.setblocking(False)
        self._thread = threading.Thread(target=self._run, args=(awake,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self, disconnect: Callable[[], object]) -> None:
        """End: call `disconnect`, and wait some seconds for the thread."""
        self._stopping.set()
        disconnect()
        self.wake()
        if self._thread is not None:
            self._thread.join(5)

    def wake(self) -> None:
        """Let the thread look at once; itself, it looks anyway."""
        if self._alarm is None or threading.current_thread() is self._thread:
            return
        with contextlib.suppress(OSError):  # full: it will look; closed: it has ended
            self._alarm.send(b"!")

    def _run(self, awake: socket.socket) -> None:
        with awake:
            self._dial_again_and_again(awake)
        if self._alarm is not None:
            self._alarm.close()

    def _dial_again_and_again(self, awake: socket.socket) -> None:
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._drive(self._dial(), awake)
            except (OSError, ValueError) as error:
                self._trouble(str(getattr(error, "strerror", None) or error))
            except Exception as error:  # noqa: BLE001  whatever a stranger's answer does to the client: dial again
                self._trouble(repr(error))
            if time.monotonic() - began >= _STEADY_S:
                pause_s = self._first_pause_s
            self._stopping.wait(pause_s * random.uniform(0.5, 1.5))  # noqa: S311  jitter, no secret
            pause_s = min(self._last_pause_s, pause_s * 2)

    def _drive(self, client: Client, awake: socket.socket) -> None:
        """Read and write until the client has no socket any more."""
        while (link := client.socket()) is not None:
            # TLS and WebSocket layers may hold bytes that select() does not see.
            holds_bytes = bool(link.pending()) if hasattr(link, "pending") else False
            writers = [link] if client.want_write() else []
            readable, _, _ = select.select([link, awake], writers, [], 0 if holds_bytes else _TICK_S)
            if awake in readable:
                awake.recv(4096)
            if link in readable or holds_bytes:
                for _ in range(_READS_A_LOOK):
                    client.loop_read()
            if client.want_write():
                client.loop_write()
            client.loop_misc()
