"""
Runs a Python program and ends it, as `kill -9` and a power cut do, just before its N-th step that changes anything.

    python killed.py N COUNT PROGRAM ARGUMENTS…      N = 0: to the end, and the number of its steps is written to COUNT
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.utime", "subprocess.Popen", "fcntl.flock"}


def main() -> None:
    """Run the program of the command line."""
    at, count, program, *arguments = sys.argv[1:]
    steps = 0

    def hook(event: str, about: tuple[Any, ...]) -> None:
        nonlocal steps
        if event in STEPS or (event == "open" and _writes(about)):
            steps += 1
            if steps == int(at):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.argv = [program, *arguments]
    sys.addaudithook(hook)
    try:
        runpy.run_path(program, run_name="__main__")
    finally:
        done, steps = steps, -1_000_000
        Path(count).write_text(str(done))


def _writes(about: tuple[Any, ...]) -> bool:
    flags = about[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if __name__ == "__main__":
    main()
