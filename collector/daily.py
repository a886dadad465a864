"""
The roots of days, taken each night beside a running centre: `santong evidence roots` as a process of its own.

It reads the store while the collector writes, in a lower priority; its memory is gone when it ends, and whatever
happens to it is one line of trouble here.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.calendars.zone import day_window
from collector.child import start_tied, stop
from collector.words import Language

LOG = "evidence-roots.log"  # what it said the last time
AFTER_MIDNIGHT_S = 35 * 60  # a day has a root half an hour after its end
FIRST_S = 5.0
_AGAIN_S = 3600.0
_PATIENCE_S = 5.0
_NICE = 10
_ROOT = re.compile(r"(\d{4}-\d\d-\d\d) \d+ \d+ [0-9a-f]{64} [0-9a-f]{64}")


class DailyRoots:
    """
    Takes and hands out what is due: some seconds after the start, each night, and an hour after a run that failed.

    `look` from the main thread, often. `last` is the day of the newest root taken so far, `trouble` what failed.
    """

    def __init__(
        self, data: Path, store: str, zone: ZoneInfo, language: Language, now: Callable[[], float] = time.time
    ) -> None:
        self._log = data / LOG
        self._zone = zone
        self._now = now
        self._command = [sys.executable, "-P", "-m", "collector.cli", "evidence", "roots"]
        self._command += ["--data", str(data), "--lang", language]
        # A store's URL may have a password in it, and everybody on this machine sees the words of a command.
        self._environment = {**os.environ, "SANTONG_STORE": store}
        self._child: subprocess.Popen[bytes] | None = None
        self._at = now() + FIRST_S
        self._until = 0.0
        self.last = ""
        self.trouble = ""

    def look(self) -> None:
        """Start what is due, and take in what has ended."""
        try:
            if self._child is None:
                self._start_when_due()
            elif self._child.poll() is not None:
                self._end(self._child.returncode)
            elif time.monotonic() > self._until:
                stop(self._child, _PATIENCE_S)
                self._fail(f"did not end within {_AGAIN_S:.0f} s")
        except OSError as error:
            self._fail(error.strerror or str(error))

    def stop(self) -> None:
        """End it: what is not finished is due at the next start."""
        if self._child is not None:
            stop(self._child, _PATIENCE_S)
            self._child = None

    def _start_when_due(self) -> None:
        if self._now() >= self._at:
            self._log.unlink(missing_ok=True)
            self._child = start_tied(self._command, self._log, self._environment)
            self._until = time.monotonic() + _AGAIN_S
            os.setpriority(os.PRIO_PROCESS, self._child.pid, _NICE)

    def _end(self, code: int) -> None:
        self._child = None
        lines = [line for line in self._log.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
        taken = [match[1] for match in map(_ROOT.fullmatch, lines) if match]
        self.last = max([self.last, *taken])
        if code == 0:
            self.trouble = ""
            self._at = next_night(self._now(), self._zone)
        else:
            words = [line for line in lines if not _ROOT.fullmatch(line)]
            self._fail(words[-1] if words else f"exit {code}")

    def _fail(self, why: str) -> None:
        self._child = None
        self.trouble = f"evidence roots: {why}"
        self._at = min(self._now() + _AGAIN_S, next_night(self._now(), self._zone))


def next_night(now: float, zone: ZoneInfo) -> float:
    """Return when the next roots are taken, in unix seconds: a while after midnight."""
    today = datetime.fromtimestamp(now, zone).date()
    nights = (day_window(today + timedelta(days=more), zone)[0] / 1e9 + AFTER_MIDNIGHT_S for more in (0, 1))
    return next(night for night in nights if night > now)
