"""Child processes that end with their parent, even when that is killed with -9."""

import os
import sys

# The parent may die before prctl takes effect, hence the look at getppid afterwards. 1 = PR_SET_PDEATHSIG, 9 = KILL.
# A process of its own, as preexec_fn is not safe in a program with threads.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: list[str]) -> list[str]:
    """
    Return the command that runs `command` (an absolute program first) tied to this process.

    The kernel counts the thread that starts it as the parent: start it from the main thread.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
