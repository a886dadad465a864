"""
Commands: what the centre asks of this agent, once and by hand; answered, never kept as evidence.

    link ──Asked──▶ is it one, is it allowed, is it in time ──▶ probing (a child of the worker) ──Done──▶ reply
                              │                    └─ diagnose: what the agent knows ─────────────────────▶ reply
                              └─ a refusal that has a name ───────────────────────────────────────────────▶ reply

One at a time, and so many a minute; what comes twice is answered once. All of it runs on the pipeline's thread and
takes a moment: whoever asks delays no round. Nothing of a command is kept on disk, and each connection begins anew
(clean start), so none is run after a power cut.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from agent.clock import Timeline
from agent.config import CommandSettings
from agent.outcome import Outcome
from agent.probe.ask import ask_of
from agent.probe.settings import KINDS, Ask
from agent.probing import Done, Order, Probing
from agent.publish import Asked
from contract import __version__
from contract.asking import (
    CORRELATION_BYTES,
    MOST_LIFETIME_S,
    Command,
    Found,
    Refused,
    Reply,
    Request,
    decode_request,
    encode_reply,
)
from contract.errors import ConfigError

log = logging.getLogger("santong.commands")

_KEPT_SEEN = 1000
_MINUTE_S = 60.0
_MOST_REPLIES = 60  # a minute, refusals too: a flood is not answered with a flood
_CLOCKS_APART_S = 300.0  # what the asker's clock may be ahead of ours
_SPARE_S = 1.0  # for the way back
_FILES = ("ca", "passphrase_file", "control")  # settings that name files of the device
_LONGEST_REASON = 500


class Line(Protocol):
    """What is needed of the link."""

    def reply(self, payload: bytes, correlation: bytes) -> object:
        """Send an answer."""


class _Running(NamedTuple):
    number: int
    request: Request
    correlation: bytes
    ends_at: float  # monotonic


class _No(Exception):
    """A refusal: its name, and a reason for people."""

    def __init__(self, refused: Refused, reason: str) -> None:
        super().__init__(reason)
        self.refused, self.reason = refused, reason


class Commands:
    """Takes commands and answers them; `diagnose` returns what is known, `post` takes the end of an order."""

    def __init__(
        self,
        settings: CommandSettings,
        timeline: Timeline,
        probing: Probing,
        line: Line,
        diagnose: Callable[[], Mapping[str, Any]],
        post: Callable[[Done], None],
    ) -> None:
        self._settings = settings
        self._timeline = timeline
        self._probing = probing
        self._line = line
        self._diagnose = diagnose
        self._post = post
        self._seen: dict[bytes, None] = {}
        self._begun: deque[float] = deque()  # when commands began, in the last minute
        self._replied: deque[float] = deque()
        self._running: _Running | None = None
        self._last = 0
        self._is_flooded = False

    # ---- what comes

    def take(self, asked: Asked) -> None:
        """Answer a message of the command topic, or begin to; whatever it holds, nothing is raised."""
        correlation = asked.correlation
        least, most = CORRELATION_BYTES
        if not least <= len(correlation) <= most:
            log.warning("a command without correlation data of %d to %d bytes is not answered", least, most)
            return
        if correlation in self._seen:
            log.info("a command that came again is not run again")
            return
        self._seen[correlation] = None
        if len(self._seen) > _KEPT_SEEN:
            del self._seen[next(iter(self._seen))]
        _forget(self._replied, time.monotonic())
        if len(self._replied) >= _MOST_REPLIES:
            if not self._is_flooded:
                log.warning("more than %d commands in a minute: the others are not answered", _MOST_REPLIES)
            self._is_flooded = True
            return
        self._is_flooded = False
        request = None
        try:
            request = _read(asked.payload)
            self._begin(request, asked)
        except _No as no:
            self._refuse(request, correlation, no.refused, no.reason)
        except Exception as error:
            log.exception("a command could not be run")
            self._refuse(request, correlation, Refused.UNABLE, f"defect of the agent: {type(error).__name__}")

    def finish(self, done: Done) -> None:
        """Answer with what an order came to, where somebody still waits for it."""
        running = self._running
        if running is None or running.number != done.number:
            return
        self._running = None
        if done.refused:
            self._refuse(running.request, running.correlation, Refused(done.refused), done.outcome.reason)
            return
        outcome = done.outcome
        found = Found(
            outcome.success,
            outcome.stage,
            outcome.code,
            outcome.reason[:_LONGEST_REASON],
            outcome.fields,
            tuple((measurement, tags, fields) for measurement, tags, fields in outcome.extra),
        )
        word = {True: "works", False: f"fails at {outcome.stage}", None: "could not be asked"}[outcome.success]
        self._answer(running.request, running.correlation, self._said(found=found), word)

    def tick(self) -> None:
        """Say of a command whose time is up that it is."""
        if self._running and time.monotonic() >= self._running.ends_at:
            running, self._running = self._running, None
            self._refuse(running.request, running.correlation, Refused.TOO_LATE, "nothing was found in time")

    def wait_s(self) -> float:
        """Return the seconds until `tick` will have something to do."""
        return self._running.ends_at - time.monotonic() if self._running else float("inf")

    # ---- what is asked

    def _begin(self, request: Request, asked: Asked) -> None:
        if request.command not in set(Command):
            raise _No(Refused.UNKNOWN, f"there is no command {request.command}; there are {', '.join(Command)}")
        command = Command(request.command)
        if command not in set(self._settings.allow):
            raise _No(Refused.NOT_ALLOWED, f"commands.allow of this agent has no {request.command}")
        left_s = self._left_s(request, asked)
        if self._running is not None:
            raise _No(Refused.BUSY, f"a command of {_shown(self._running.request.who)} is running: ask again")
        if self._probing.has_order:
            raise _No(Refused.BUSY, "a command that nobody waits for any more is still running: ask again")
        now = time.monotonic()
        _forget(self._begun, now)
        if len(self._begun) >= self._settings.per_minute:
            raise _No(Refused.BUSY, f"more than {self._settings.per_minute} commands in a minute: ask again later")
        self._begun.append(now)
        if command is Command.DIAGNOSE:
            self._answer(request, asked.correlation, self._said(diagnosis=self._diagnose()), "answered")
            return
        kind, ask = _what(request)
        if ask.timeout + _SPARE_S > left_s:
            reason = f"it may take {ask.timeout:g} s, and {left_s:.0f} s are left: give it more time, or a timeout"
            raise _No(Refused.TOO_LATE, reason)
        self._last = number = self._last + 1
        self._running = _Running(number, request, asked.correlation, now + left_s - _SPARE_S / 2)
        log.info("command of %s: %s", _shown(request.who), _title(request))

        def done(outcome: Outcome, refused: str) -> None:
            self._post(Done(number, outcome, refused))

        self._probing.order(Order(kind, ask, done))

    def _left_s(self, request: Request, asked: Asked) -> float:
        """
        Return how many seconds there are for it; by our clock only where somebody vouches for that.

        The broker counts down the expiry of the message itself, which needs no clock.
        """
        waited_s = time.monotonic() - asked.at
        by_broker_s = asked.expiry_s - waited_s if asked.expiry_s is not None else float("inf")
        by_clock_s = float("inf")
        if (now_ms := self._now_ms()) is not None:
            by_clock_s = (request.expires_ms - now_ms) / 1000
            if by_clock_s > MOST_LIFETIME_S + _CLOCKS_APART_S:
                reason = f"it expires in {by_clock_s:.0f} s by this agent's clock: at most {MOST_LIFETIME_S:g} s"
                raise _No(Refused.BAD_ARGUMENTS, reason)
        elif asked.expiry_s is None:
            raise _No(Refused.BAD_ARGUMENTS, "it has no expiry of MQTT, and nobody vouches for this agent's clock")
        left_s = min(by_broker_s, by_clock_s, MOST_LIFETIME_S)
        if left_s <= 0:
            raise _No(Refused.EXPIRED, f"it expired {-left_s:.1f} s ago")
        return left_s

    # ---- what is answered

    def _refuse(self, request: Request | None, correlation: bytes, refused: Refused, reason: str) -> None:
        self._answer(request, correlation, self._said(refused=refused, reason=reason[:_LONGEST_REASON]), str(refused))

    def _answer(self, request: Request | None, correlation: bytes, reply: Reply, word: str) -> None:
        self._replied.append(time.monotonic())
        who, title = (_shown(request.who), _title(request)) if request else ("somebody", "?")
        reason = f": {_shown(reply.reason)}" if reply.reason else ""
        log.info("command of %s: %s: %s%s", who, title, word, reason)
        try:
            payload = encode_reply(reply)
        except ValueError as error:
            log.warning("the answer to %s cannot be sent: %s", title, error)
            payload = encode_reply(self._said(refused=Refused.UNABLE, reason="what was found cannot be sent"))
        self._line.reply(payload, correlation)

    def _said(self, **what: Any) -> Reply:
        return Reply(__version__, self._now_ms(), **what)

    def _now_ms(self) -> int | None:
        """Return unix time, None as long as nobody vouches for it."""
        offset = self._timeline.offset
        return (self._timeline.clocks.boottime_ns() + offset.ns) // 1_000_000 if offset else None


def _read(payload: bytes) -> Request:
    try:
        return decode_request(payload)
    except ValueError as error:
        raise _No(Refused.BAD_ARGUMENTS, str(error)) from None


def _what(request: Request) -> tuple[str, Ask]:
    """Return the kind of probe and what it is asked; a refusal says what is wrong with it."""
    kind = "throughput" if request.command == Command.THROUGHPUT else request.probe
    if request.command == Command.PROBE and kind == "throughput":
        raise _No(Refused.BAD_ARGUMENTS, "throughput is a command of its own")
    if kind not in KINDS:
        raise _No(Refused.BAD_ARGUMENTS, f"there is no probe {kind or 'without a kind'}; there are {', '.join(KINDS)}")
    if files := [name for name in request.given if name.replace("-", "_") in _FILES]:
        raise _No(Refused.BAD_ARGUMENTS, f"{', '.join(files)}: files of the device are not for commands to name")
    try:
        return kind, ask_of(kind, request.target, [f"{name}={value}" for name, value in request.given.items()])
    except ConfigError as error:
        raise _No(Refused.BAD_ARGUMENTS, "; ".join(str(error).splitlines())) from None


def _forget(times: deque[float], now: float) -> None:
    while times and now - times[0] >= _MINUTE_S:
        times.popleft()


def _title(request: Request) -> str:
    settings = "".join(f" {name}={value}" for name, value in request.given.items())
    return _shown(f"{request.command} {request.probe} {request.target}{settings}".replace("  ", " ").rstrip())


def _shown(text: str) -> str:
    """Return a stranger's text as one line of a log can have it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[:300])
