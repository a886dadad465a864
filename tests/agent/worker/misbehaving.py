"""A worker with kinds that misbehave: doubles of defects in probes and libraries, in the real worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

from agent import privileges
from agent.outcome import Failed, Outcome
from agent.probe import settings
from agent.probe.base import Via
from agent.worker import kinds, serve

COMMAND = (sys.executable, "-m", "tests.agent.worker.misbehaving")


def _hang(_ask: settings.Tcp, _via: Via) -> Outcome:
    while True:
        time.sleep(60)


def _hang_for_good(ask: settings.Tcp, via: Via) -> Outcome:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    return _hang(ask, via)


def _hog(_ask: settings.Tcp, _via: Via) -> Outcome:
    return Outcome(True, reason=str(len(bytes(1 << 30))))


def _crash(_ask: settings.Tcp, _via: Via) -> Outcome:
    os.kill(os.getpid(), signal.SIGSEGV)
    threading.Event().wait()
    return Outcome(True)


def _kill_worker(_ask: settings.Tcp, _via: Via) -> Outcome:
    os.kill(os.getppid(), signal.SIGKILL)
    threading.Event().wait()
    return Outcome(True)


def _stop_worker(_ask: settings.Tcp, _via: Via) -> Outcome:
    os.kill(os.getppid(), signal.SIGSTOP)
    return Outcome(True)


def _chatter(_ask: settings.Tcp, _via: Via) -> Outcome:
    print("a library that talks")
    sys.stdout.flush()
    return Outcome(True, details={"long": "x" * 200_000})


def _defect(_ask: settings.Tcp, _via: Via) -> Outcome:
    raise ZeroDivisionError("a defect")


def _refuse(_ask: settings.Tcp, _via: Via) -> Outcome:
    raise Failed("connect", "refused", 111, {"rtt_ms": 1.5}, {"address": "192.0.2.1"})


def _privileges(_ask: settings.Tcp, _via: Via) -> Outcome:
    sets = privileges.held()
    return Outcome(True, details={"effective": sets.effective, "permitted": sets.permitted})


def _child(_ask: settings.Tcp, _via: Via) -> Outcome:
    return Outcome(True, details={"started": subprocess.Popen(["sleep", "60"]).pid})


def _flood(_ask: settings.Tcp, _via: Via) -> Outcome:
    return Outcome(True, details={"long": "x" * (2 << 20)})


def _tidy(ask: settings.Tcp, via: Via) -> Outcome:
    try:
        Path(f"{ask.name}.begun").touch()
        return _hang(ask, via)
    finally:
        time.sleep(1)
        Path(ask.name).write_text("tidied")


_ALL = {
    "flood": _flood,
    "tidy": _tidy,
    "hang": _hang,
    "hang_for_good": _hang_for_good,
    "hog": _hog,
    "crash": _crash,
    "kill_worker": _kill_worker,
    "stop_worker": _stop_worker,
    "chatter": _chatter,
    "defect": _defect,
    "refuse": _refuse,
    "child": _child,
    "privileges": _privileges,
    "raw_privileges": _privileges,
}


def main() -> int:
    """Add the kinds and be the worker."""
    for name, probe in _ALL.items():
        module = ModuleType(f"agent.probe.{name}")
        module.probe = probe  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        needs = frozenset({privileges.CAP_NET_RAW}) if name == "raw_privileges" else frozenset()
        kinds.KINDS[name] = kinds.Kind(module.__name__, settings.Tcp, needs)
    return serve.main()


if __name__ == "__main__":
    sys.exit(main())
