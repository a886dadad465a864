"""Programs of the system that are asked something: a fixed argv without shell, ended when its time is up."""

import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from agent.deadline import Deadline
from agent.outcome import Unable

PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"  # after PATH, which often lacks sbin for who is not root
_PACKAGES = {"ip": "iproute2"}


class Said(NamedTuple):
    """What a program said. `code` is its exit code, None when it was killed because its time was up."""

    code: int | None
    out: str
    error: str

    @property
    def last_words(self) -> str:
        """The last line of its complaint; `ended without a word` when there is none."""
        lines = self.error.strip().splitlines()
        return lines[-1] if lines else "ended without a word"


def run(argv: Sequence[str], deadline: Deadline) -> Said:
    """Run a program in the language C; Unable when it is not installed or may not be run."""
    places = ":".join(filter(None, (os.environ.get("PATH"), PLACES)))
    try:
        done = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline.left_s(),
            env={"PATH": places, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise Unable(f"the program {argv[0]} is missing: install {_PACKAGES.get(argv[0], argv[0])}") from None
    except PermissionError:
        raise Unable(f"the program {argv[0]} may not be run by this user") from None
    except subprocess.TimeoutExpired:
        return Said(None, "", "")
    return Said(done.returncode, done.stdout, done.stderr)
