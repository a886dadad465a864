"""
Stop marks: how the agent's end is told from a power cut.

The supervisor runs `python -m agent.stopmark DIR` after each end of the agent (systemd: ExecStopPost=, which also runs
after kill -9 and after the watchdog). Only the standard library, no settings: it must work when nothing else does.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from agent import files

FILE = "stop.jsonl"
SHUTDOWN = "shutdown"
_SYSTEMD_RUNS = Path("/run/systemd/system")  # sd_booted(3)
_PATIENCE_S = 2.0

log = logging.getLogger("santong.agent")


class StopMark(NamedTuple):
    """
    The end of an agent: in which boot, at which boot time, and why, in the supervisor's words.

    `asleep_ns` is for how long of the boot the machine had slept by then; None in marks of older versions.
    """

    boot: str
    boottime_ns: int
    reason: str
    asleep_ns: int | None = None


def write(directory: Path, reason: str) -> None:
    """Append a mark to the spool's folder, durable when this returns."""
    boot, boottime_ns, awake_ns = _now()
    mark = StopMark(boot, boottime_ns, reason, max(0, boottime_ns - awake_ns))
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | files.BINARY, 0o600)
    try:
        # The line feed before it closes a line that a power cut tore.
        os.write(descriptor, f"\n{json.dumps(mark._asdict())}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    files.sync_folder(directory)


def _now() -> tuple[str, int, int]:
    """Return the boot's id, its time, and for how much of that the machine was awake, ns."""
    if sys.platform == "win32":
        from agent.clock_windows import WindowsClocks  # noqa: PLC0415

        clocks = WindowsClocks()
        return clocks.boot, clocks.boottime_ns(), clocks.awake_ns()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return boot, time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def read(directory: Path) -> list[StopMark]:
    """Return the marks that wait; a torn last line (power cut in the middle of a write) is passed over."""
    try:
        lines = (directory / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:  # marks are worth less than what the agent measures
        log.warning("stop marks cannot be read: %s: %s", directory / FILE, error.strerror)
        return []
    marks = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
            data = json.loads(line)
            mark = StopMark(str(data["boot"]), int(data["boottime_ns"]), str(data["reason"]))
            marks.append(mark._replace(asleep_ns=int(data["asleep_ns"])) if "asleep_ns" in data else mark)
    return marks


def clear(directory: Path) -> None:
    """Forget the marks, once the spool has them."""
    try:
        (directory / FILE).unlink(missing_ok=True)
    except OSError as error:
        log.warning("stop marks cannot be removed: %s: %s", directory / FILE, error.strerror)


def reason_from_systemd(environment: "os._Environ[str]") -> str:
    """
    Return systemd's account of the end (systemd.exec(5): SERVICE_RESULT, EXIT_CODE, EXIT_STATUS).

    It begins with `shutdown` where all of the system is being stopped: that is no end of the agent's own.
    """
    words = [environment.get(name, "") for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")]
    if any(words) and is_shutting_down():
        words.insert(0, SHUTDOWN)
    return " ".join(word for word in words if word) or "unknown"


def is_shutting_down() -> bool:
    """
    Tell whether systemd is stopping the system; False where it does not run, or does not say within 2 s.

    systemctl(1), is-system-running: `stopping` as soon as the job for shutdown.target is queued, before any service is
    stopped. It leaves no file that says so: /run/nologin is also there minutes before, and while the system starts. Any
    user but root asks over D-Bus, so the unit needs After=dbus.service to be stopped before that.
    """
    if not _SYSTEMD_RUNS.is_dir():
        return False
    try:
        asked = subprocess.run(
            ["systemctl", "is-system-running"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return False
    return asked.stdout.strip() == "stopping"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m agent.stopmark SPOOL_DIRECTORY [REASON]")
    try:
        write(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else reason_from_systemd(os.environ))
    except OSError as error:
        sys.exit(f"stop mark not written: {sys.argv[1]}: {error.strerror}")
