"""
A plan as devices fetch it: which version each should have; the format of the file is that of `signed.py`.

    {"format":"santong-plan/1","number":7,"made":"2026-10-12T02:00:00Z","default":"1.0.0","agents":{…}}
"""

from datetime import UTC, datetime

from collector.fleet import signed
from collector.fleet.rollout import Plan
from collector.fleet.signed import Sign

FORMAT = "santong-plan/1"
FILE = "plan.signed"


def encode(plan: Plan, sign: Sign) -> bytes:
    """Return the file of a plan, the same for the same plan and key."""
    made = datetime.fromtimestamp(plan.made_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tree = {
        "format": FORMAT,
        "number": plan.number,
        "made": made,
        "default": plan.default,
        "agents": dict(sorted(plan.agents.items())),
    }
    return signed.encode(tree, sign)


def number_of(content: bytes) -> int:
    """Return the number of a plan's file; 0 of anything else."""
    return int(signed.tree_of(content, FORMAT).get("number", 0))


def default_of(content: bytes) -> str:
    """Return the default version of a plan's file; nothing of anything else."""
    return str(signed.tree_of(content, FORMAT).get("default", ""))
