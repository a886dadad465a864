"""The product as its user runs it, on a machine of the lab."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.lab.namespace import Namespace

AGENT = Path(sys.executable).with_name("santong-agent")
EXIT = {True: 0, False: 1, None: 2}


def probe(machine: Namespace, kind: str, target: str, *given: str, timeout_s: float = 90) -> dict[str, Any]:
    """Run `santong-agent probe` there and return what it prints as JSON; `given` are NAME=VALUE."""
    words = [word for text in given for word in ("--set", text)]
    done = machine.run([AGENT, "probe", kind, target, *words, "--json"], timeout_s, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"status {done.returncode}: {done.stdout}{done.stderr}") from None
    assert done.returncode == EXIT[found["success"]], "the exit code says what the outcome says"
    return found
