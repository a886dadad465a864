"""Child processes that end with their parent, even when that is killed with -9."""

import os
import subprocess
import sys
from pathlib import Path

# The parent may die before prctl takes effect, hence the look at getppid afterwards. 1 = PR_SET_PDEATHSIG, 9 = KILL.
# A process of its own, as preexec_fn is not safe in a program with threads.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def start_tied(command: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """
    Start `command` (an absolute program first), its words appended to `log`, tied to this process.

    The kernel counts the thread that starts it as the parent: call this from the main thread. The child has a process
    group of its own, so that Ctrl-C does not reach it and we can end it in our own order.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )


def stop(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """Ask a child to end, and kill it when it has not after `patience_s`."""
    child.terminate()
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
