"""Does evidence come from where it claims to be? Three findings, from what agents say of hardware and place."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from collector.verify.evidence import Identified


class Concern(StrEnum):
    """What is to be looked at."""

    NUMBER_CLASH = "number_clash"  # 编号重复待核实
    PLACE = "place"  # 位置待核实
    SHARED_GATEWAY = "shared_gateway"


class Finding(NamedTuple):
    """
    Something to look at. `until_ns` None: it goes on.

    `doubted` are those of `devices` (agents) whose evidence does not count meanwhile; none: a notice.
    `seen` are the serials, boots, gateways or subnets, in the order in which they were seen.
    """

    kind: Concern
    devices: tuple[str, ...]
    since_ns: int
    until_ns: int | None
    seen: tuple[str, ...]
    doubted: tuple[str, ...] = ()


class Adjudication(NamedTuple):
    """What somebody decided about a finding, told by kind, begin and one of its devices: its evidence counts or not."""

    kind: Concern
    device: str
    since_ns: int
    counts: bool


def findings(
    identified: Mapping[str, Sequence[Identified]], boots: Mapping[str, Sequence[tuple[int, str]]] | None = None
) -> tuple[Finding, ...]:
    """Return the findings from rows of `identity` and (time, boot) of presences, both by agent and sorted by time."""
    return ()  # nothing is judged yet


def doubted(
    found: Iterable[Finding], adjudicated: Iterable[Adjudication] = ()
) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """Return the periods of each agent whose evidence does not count; `Evidence.doubted` of all it speaks for."""
    return {}
