"""
The messages of watch on their way out: the outbox over the addresses, and the heartbeat.

Either has a thread of its own: an address that answers nothing for half a minute holds nobody up.
"""

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from traceback import extract_tb

from collector.channels.service import FAILED, Address, Message
from collector.watch.outbox import Outbox, Paper
from collector.watch.routes import Heartbeat
from collector.watch.texts import Voice
from contract.errors import SantongError

log = logging.getLogger("santong.watch")

_TICK_S = 1.0
_BEAT_TIMEOUT_S = 20.0
_NO_ADDRESS = "no_address"
_SMALLEST_ROOM = 200


def paper(voice: Voice, addresses: Mapping[str, Address]) -> Paper:
    """Return how messages to these addresses are written."""

    def room(name: str, title: str) -> int:
        return max(_SMALLEST_ROOM, addresses[name].room(title)) if name in addresses else 2000

    return Paper(
        voice.title,
        lambda number: voice.word("told_number", number=number),
        lambda number: voice.word("told_rest", number=number),
        room,
    )


class Sender:
    """Sends what the outbox has to `addresses`, in a thread, until `stop`; with `send_all` at once."""

    def __init__(self, outbox: Outbox, addresses: Mapping[str, Address]) -> None:
        self._outbox, self.addresses = outbox, addresses
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tell", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is on its way is waited for, for some seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def send_all(self) -> None:
        """Send what is due now."""
        self._outbox.compose(time.time_ns())
        while not self._stopping.is_set() and (message := self._outbox.next(time.time_ns())):
            address = self.addresses.get(message.address)
            if address is None:
                self._outbox.ended(message, _NO_ADDRESS, time.time_ns(), is_final=True)
                continue
            urgency = {"warning": "warning", "critical": "critical"}.get(message.urgency, "info")
            try:
                outcome = address.send(Message(message.title, message.text, urgency))  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001  a bug in one message, or at one address, must hold up no other
                log.error("message %s to %s: %s", message.number, message.address, _where(error))  # noqa: TRY400
                outcome = FAILED
            self._outbox.ended(message, outcome, time.time_ns())
            log.info("message %s to %s: %s", message.number, message.address, outcome)

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            try:
                self.send_all()
            except SantongError as error:  # the journal takes nothing for a moment
                log.error("messages: %s: trying again", error)  # noqa: TRY400  one line is enough
            except Exception:
                log.exception("messages: trying again")
            else:
                continue
            self._stopping.wait(30)


def _where(error: Exception) -> str:
    """Return what kind of error it is and where it was raised; not its words: they may have an address with its key."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.filename}:{frame.lineno}"


class Beats:
    """
    The heartbeat: asks its URL every so often while `well` is called often enough, and says nothing else.

    Whoever listens there notices a centre that is dead, one that is cut off, and one whose own parts fail.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self.heartbeat = heartbeat
        self._stopping = threading.Event()
        self._well_at = 0.0
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin, where there is a URL."""
        if self.heartbeat.url:
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def well(self) -> None:
        """Say that everything was well a moment ago."""
        self._well_at = time.monotonic()

    def _run(self) -> None:
        every_s = float(self.heartbeat.every)
        while not self._stopping.wait(0.2):
            if self._well_at and time.monotonic() - self._well_at < every_s:
                self.trouble = beat(self.heartbeat)
                if self.trouble:
                    log.warning("heartbeat: %s", self.trouble)
                self._stopping.wait(every_s)


def beat(heartbeat: Heartbeat) -> str:
    """Ask the URL once; return what is wrong, "" nothing, without anything of the URL."""
    body = b'{"state":"well"}' if heartbeat.method == "POST" else None
    request = urllib.request.Request(heartbeat.url, body, method=heartbeat.method)  # noqa: S310  checked in settings
    if body:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=_BEAT_TIMEOUT_S):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"http_{error.code}"
    except (OSError, ValueError):
        return "unreachable"
