"""Runs `santong` as people and scripts do."""

import os
import subprocess

from tests.processes import BIN


def run(*words: object, code: int = 0) -> tuple[str, str]:
    """Run a command, and return what it says on stdout and stderr."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")} | {"LANG": "C.UTF-8"}
    line = [str(BIN / "santong"), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=known)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done
    return done.stdout, done.stderr
