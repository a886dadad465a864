"""
A plan as devices fetch it: one file, so that nobody ever reads a plan with the signature of another one.

    {"format":"santong-plan/1","number":7,"made":"2026-10-12T02:00:00Z","default":"1.0.0","agents":{…}}
    MEUCIQ…  the Ed25519 signature of the line above without its line feed, in base64

The first line is JSON in UTF-8 without a line feed in it; the second ends with one. `format` keeps a signature of
something else from being taken for one of a plan.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

from collector.fleet.rollout import Plan

FORMAT = "santong-plan/1"
FILE = "plan.signed"


def encode(plan: Plan, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the file of a plan, the same for the same plan and key."""
    made = datetime.fromtimestamp(plan.made_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tree = {
        "format": FORMAT,
        "number": plan.number,
        "made": made,
        "default": plan.default,
        "agents": dict(sorted(plan.agents.items())),
    }
    line = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
    return line + b"\n" + base64.b64encode(sign(line)) + b"\n"


def number_of(content: bytes) -> int:
    """Return the number of a plan's file; 0 of anything else."""
    try:
        tree = json.loads(content.split(b"\n", 1)[0])
        return int(tree["number"]) if tree["format"] == FORMAT else 0
    except (ValueError, KeyError, TypeError):
        return 0


def default_of(content: bytes) -> str:
    """Return the default version of a plan's file; nothing of anything else."""
    return str(json.loads(content.split(b"\n", 1)[0])["default"]) if number_of(content) else ""
