"""Profiles for the loop, which never loads YAML: a short-lived process reads them (agent/profiles/resolve.py)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.devices import Wanted
from contract.errors import ConfigError, Problem
from contract.settings import checked
from firmware_profiles.schema import Profile

_PATIENCE_S = 120.0  # a board that has just been switched on has much else to do
COMMAND = (sys.executable, "-P", "-m", "agent.profiles.resolve")


def profiles_for(folder: Path, wanted: Sequence[Wanted]) -> list[Profile]:
    """Return the profiles that are wanted, in their order; ConfigError lists what is wrong with them."""
    if not wanted:
        return []
    answer = _asked({"folder": str(folder), "want": [one._asdict() for one in wanted]})
    if problems := answer.get("problems"):
        raise ConfigError("settings", [Problem(*problem) for problem in problems])
    return [checked(Profile, tree, "profile") for tree in answer["profiles"]]


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            COMMAND, input=json.dumps(request).encode(), capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError("settings", [Problem("profile", f"profiles cannot be read: {error}")]) from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ConfigError(
            "settings",
            [Problem("profile", f"profiles cannot be read: {last or f'their process ended with {done.returncode}'}")],
        )
    return json.loads(done.stdout)  # type: ignore[no-any-return]
