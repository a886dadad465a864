"""
What the service manager is told: ready, alive, busy, stopping; sd_notify(3), with nothing but the standard library.

    loop ──READY=1, WATCHDOG=1, STATUS=…──▶ socket named by NOTIFY_SOCKET ══▶ systemd, which restarts what falls silent

Only the loop's own thread says that it is alive, each time that it has come round. Mending a large spool takes longer
than any usual limit: each step of it asks for more time, so that work goes on and a disk that hangs is still noticed.
Without NOTIFY_SOCKET nothing happens.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import MutableMapping

log = logging.getLogger("santong.agent")

STEP_S = 600.0  # the longest that one step of mending may take: a card writes 256 MiB in a few minutes
_BUSY_AGAIN_S = 10.0
_PATIENCE_S = 0.2  # with a service manager that does not read
_PAUSE_S = 1.0  # before it is tried again
_MOST_STATUS = 200


class Supervisor:
    """
    The service manager that started this process, if any. Takes its variables out of `environment`.

    `longest_wait_s` is how long the loop may wait without saying that it is alive.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = _address(environment.pop("NOTIFY_SOCKET", ""))
        self._limit_us = _limit_us(environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", ""))
        self._is_ready = False
        self._is_busy = False
        self._alive_at = self._busy_at = self._deaf_until = float("-inf")
        self._status = ""

    @property
    def longest_wait_s(self) -> float:
        """A quarter of what the watchdog allows; no limit without one."""
        return self._limit_us / 4e6 if self._address and self._limit_us else float("inf")

    def alive(self) -> None:
        """Say that the loop has come round, and the first time that it is ready; as often as it is needed."""
        now = time.monotonic()
        if not self._address or (self._is_ready and not self._is_busy and now - self._alive_at < self.longest_wait_s):
            return
        words = [] if self._is_ready else ["READY=1"]
        if self._limit_us:
            words += [f"WATCHDOG_USEC={self._limit_us}"] if self._is_busy else []
            words.append("WATCHDOG=1")
        if not words or self._say(*words):
            self._is_ready, self._is_busy, self._alive_at = True, False, now

    def busy(self) -> None:
        """Say, between steps that may each take as long as STEP_S, that the work goes on."""
        now = time.monotonic()
        if not self._address or (self._is_busy and now - self._busy_at < _BUSY_AGAIN_S):
            return
        step_us = max(int(STEP_S * 1e6), self._limit_us)
        words = [f"EXTEND_TIMEOUT_USEC={step_us}"]
        if self._is_ready:
            words = [f"WATCHDOG_USEC={step_us}", "WATCHDOG=1"] if self._limit_us else []
        if words and self._say(*words):
            self._is_busy, self._busy_at = True, now

    def status(self, text: str) -> None:
        """Say how it stands, in one line, when it is new."""
        line = "".join(char if char.isprintable() else " " for char in text)[:_MOST_STATUS]
        if self._address and line != self._status and self._say(f"STATUS={line}"):
            self._status = line

    def stopping(self) -> None:
        """Say that the end has begun."""
        if self._address:
            self._say("STOPPING=1")

    def _say(self, *words: str) -> bool:
        """Send one datagram; a service manager that cannot be told costs no evidence."""
        if sys.platform == "win32" or time.monotonic() < self._deaf_until:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.settimeout(_PATIENCE_S)
                link.sendto("\n".join(words).encode(errors="replace"), self._address)
        except OSError as error:
            log.debug("NOTIFY_SOCKET: %s", error)
            self._deaf_until = time.monotonic() + _PAUSE_S
            return False
        return True


def _address(name: str) -> str:
    """Return the address as socket(2) has it: a path, or a name of Linux's abstract ones behind a zero byte."""
    if sys.platform == "win32" or name[:1] not in ("/", "@"):
        return ""
    return "\0" + name[1:] if name.startswith("@") else name


def _limit_us(limit: str, process: str) -> int:
    """Return the microseconds in which the watchdog wants a word; 0 without one, or where it is meant for another."""
    is_ours = not process or process == str(os.getpid())
    return int(limit) if is_ours and limit.isascii() and limit.isdigit() and len(limit) < 19 else 0
