"""A program of ours beside `santong up`: a process of its own, started again when it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.child import start_tied, stop

_FIRST_PAUSE_S, _LAST_PAUSE_S = 2.0, 300.0
_STEADY_S = 60.0
_PATIENCE_S = 8.0
_MOST_LOG_BYTES = 10_000_000
_NICE = 5


class Kept:
    """`look` from the main thread, often; `trouble` is what it said last where it ended by itself."""

    def __init__(self, name: str, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._name, self._log = name, log
        self._command = [sys.executable, "-P", "-m", *words]
        self._environment = {**os.environ, **environment}
        self._child: subprocess.Popen[bytes] | None = None
        self._at = 0.0
        self._began = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self.trouble = ""

    def look(self) -> None:
        """Start it, and again when it has ended: sooner where it ran well, else ever later."""
        if self._child is not None and self._child.poll() is not None:
            self.trouble = f"{self._name}: {self._last_words()}"
            ran_s = time.monotonic() - self._began
            self._pause_s = _FIRST_PAUSE_S if ran_s > _STEADY_S else min(2 * self._pause_s, _LAST_PAUSE_S)
            self._child = None
            self._at = time.monotonic() + self._pause_s
        if self._child is None and time.monotonic() >= self._at:
            self._start()
        elif self._child is not None and time.monotonic() - self._began > _STEADY_S:
            self.trouble = ""

    def stop(self) -> None:
        """End it."""
        child, self._child = self._child, None
        if child is not None:
            stop(child, _PATIENCE_S)

    def _start(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _MOST_LOG_BYTES:
            self._log.unlink()
        self._child = start_tied(self._command, self._log, self._environment)
        os.setpriority(os.PRIO_PROCESS, self._child.pid, _NICE)
        self._began = time.monotonic()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "ended at once")
