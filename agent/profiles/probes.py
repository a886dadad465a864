"""What is wrong with a probe that a profile asks for: the profiles themselves do not know the kinds."""

from collections.abc import Mapping
from typing import Any

from agent.probe.sense import problems
from agent.probe.settings import KINDS
from agent.questions import probe_of
from contract.errors import Problem
from contract.meant import did_you_mean


def problems_of_probe(kind: str, given: Mapping[str, Any]) -> list[Problem]:
    """Return every mistake of one probe, with the setting's name as path."""
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS, f"; there are {', '.join(KINDS)}")
        return [Problem("", f"there is no kind of probe {kind}{hint}")]
    ask, mistakes = probe_of(kind, given)
    return mistakes or problems(ask, is_repeated=True)
