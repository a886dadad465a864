"""
Service minutes that the devices of a case lose: of each from its own beginning until it is back, added up.

They are counted by the clock's minutes, as `santong verify` does, and only while a site owes service. A case keeps for
each device since when (unix minutes) it loses service, or, negative, since when it does not any more; what was lost by
those is in `lost`. So a look costs little, and after a restart the same comes out.
"""

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import NamedTuple

from collector.watch.memory import Case
from collector.watch.rules import ns

_MINUTE_NS = ns(60)


class Loss(NamedTuple):
    """Whether a device loses service, and since when (unix ns) it does or does not; None: it is as it was."""

    is_losing: bool | None
    at_ns: int


class Losses:
    """Counts of one look: what a site owes in a period is asked once."""

    def __init__(self, lost: Callable[[str, int, int], int]) -> None:
        self._lost = lost
        self._owed: dict[tuple[str, int, int], int] = {}

    def count(self, case: Case, until_ns: int, loss_of: Callable[[str], Loss]) -> Case:
        """Return a case with the minutes that were lost until then; of one without devices those of the clock."""
        if not case.devices:
            return case._replace(minutes=self._lost(case.site, case.began_ns, until_ns))
        until = until_ns // _MINUTE_NS
        kept, lost, goes_on = [], case.lost, 0
        for device, before in zip(case.devices, case.since or repeat(case.began_ns // _MINUTE_NS), strict=False):
            is_losing, at_ns = loss_of(device)
            since, at = before, at_ns // _MINUTE_NS
            if since == 0:
                since = -at if is_losing is False else at
            elif since > 0 and is_losing is False:
                lost += self._of(device, since, at)
                since = -max(since, at)
            elif since < 0 and is_losing is not None:
                since = max(-since, at) if is_losing else -max(-since, at)
            if since > 0:
                goes_on += self._of(device, since, until)
            kept.append(since)
        return case._replace(since=tuple(kept), lost=lost, minutes=lost + goes_on)

    def _of(self, device: str, since: int, until: int) -> int:
        if until <= since:
            return 0
        key = (device.partition(".")[0], since, until)
        if key not in self._owed:
            self._owed[key] = self._lost(key[0], since * _MINUTE_NS, until * _MINUTE_NS)
        return self._owed[key]


def joined(case: Case, devices: Iterable[str], children: Iterable[Case]) -> Case:
    """Return a case with more devices, and those of cases that it takes up with what they have lost by then."""
    known, lost = sinces(case), case.lost
    since = dict.fromkeys(devices, 0) | known
    for child in children:
        theirs = sinces(child)
        if not theirs.keys() <= known.keys():
            lost += child.lost
        for device, at in theirs.items():
            mine = since.get(device, 0)
            since[device] = max(at, -mine) if at > 0 and mine <= 0 else mine or at
    names = tuple(sorted(since))
    return case._replace(devices=names, since=tuple(since[name] for name in names), lost=lost)


def sinces(case: Case) -> dict[str, int]:
    """Return since when each device of a case loses service; a journal of an earlier version knows one for all."""
    return dict(zip(case.devices, case.since or repeat(case.began_ns // _MINUTE_NS), strict=False))
