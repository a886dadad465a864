"""
What evidence says against what was seen, and how far that holds for all classes.

Evidence of a minute is working, not working, or unknown; what was seen is usable, or not (on but unusable, off,
absent). They agree when both say yes or both say no. What is unknown, was not accessible or was not visited is neither,
and is counted apart.

The share for all classes weighs each stratum by its classes (Cochran 1977, Sampling Techniques, chapter 5). Its
interval is Wilson's (1927), with the number of cases that carry as much as the weighted ones do, n = 1 ÷ Σ (W² ÷ n of
each stratum) (Kish 1992, Weighting for unequal Pi, Journal of Official Statistics 8). That takes one p(1 − p)
for all strata. With a sample in proportion it is at least the true one, whatever the strata are like, since
Σ W p(1 − p) of the strata is never more than p(1 − p) of the whole; and it can be computed where a stratum has one
class, or where all agree. No correction is made for a large part of all classes being in the sample. All of this makes
the interval wider; where comparisons are out of proportion and strata differ much it may be too narrow.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from collector.sampling.draw import Draw, Drawn
from collector.sampling.filled import Seen, Visit
from collector.sampling.wilson import wilson
from collector.verify.causes import Cause

# Of several devices in a class the one that says most for it counts, as in a unit's day.
_BEST_FIRST = (
    Cause.WORKING,
    Cause.UNKNOWN,
    Cause.AGENT_DOWN,
    Cause.SERVICE_DOWN,
    Cause.WAN_DOWN,
    Cause.LAN_DOWN,
    Cause.ASLEEP,
    Cause.POWER_OFF,
)
_UNKNOWN = (Cause.UNKNOWN, Cause.AGENT_DOWN, Cause.EXCLUDED)


class Evident(NamedTuple):
    """What evidence says of a class at a minute; `stage` is what failed of a service that is down."""

    cause: Cause = Cause.UNKNOWN
    stage: str = ""

    @property
    def is_working(self) -> bool | None:
        """Tell whether it worked; None: unknown."""
        return None if self.cause in _UNKNOWN else self.cause is Cause.WORKING


def of_class(devices: Iterable[Evident]) -> Evident:
    """Return what the evidence of a class's devices comes to: working when any is, else unknown when any is."""
    return min(devices, key=lambda one: _BEST_FIRST.index(one.cause), default=Evident())


class Compared(NamedTuple):
    """A class of the sample: what was seen, None without a visit; and what evidence says of that minute."""

    drawn: Drawn
    visit: Visit | None = None
    evident: Evident = Evident()

    @property
    def was_usable(self) -> bool | None:
        """Tell whether it was seen usable; None: nobody could see it."""
        if self.visit is None or self.visit.seen is Seen.NOT_ACCESSIBLE:
            return None
        return self.visit.seen is Seen.USABLE

    @property
    def agrees(self) -> bool | None:
        """Tell whether both say the same; None where one of them says nothing."""
        if self.was_usable is None or self.evident.is_working is None:
            return None
        return self.was_usable == self.evident.is_working


class Table(NamedTuple):
    """The 2 × 2 table: evidence (working, not) × seen (usable, not)."""

    both: int = 0
    only_evidence: int = 0  # working, and not seen usable
    only_seen: int = 0  # not working, and seen usable
    neither: int = 0

    @property
    def total(self) -> int:
        """How many are compared."""
        return sum(self)

    @property
    def agreed(self) -> int:
        """How many agree."""
        return self.both + self.neither

    @property
    def kappa(self) -> float | None:
        """
        Agreement beyond chance; None where chance alone would give all of it.

        Cohen, J. (1960), A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20.
        """
        if not self.total:
            return None
        evidence, seen = self.both + self.only_evidence, self.both + self.only_seen
        square = self.total**2
        chance = evidence * seen + (self.total - evidence) * (self.total - seen)
        return (self.agreed * self.total - chance) / (square - chance) if square != chance else None


class StratumAgreement(NamedTuple):
    """A stratum: its classes, how many were drawn, how many could be compared, how many of these agree."""

    name: str
    classes: int
    drawn: int
    compared: int
    agreed: int


class Estimate(NamedTuple):
    """
    The share of classes that agree, over all classes of the strata that have any comparison, and its interval.

    `cases` is the number that the interval is that of; `covered` the share of all classes that these strata have.
    """

    share: float
    low: float
    high: float
    confidence: float
    cases: float
    covered: float


class Agreement(NamedTuple):
    """What the comparison comes to. `estimate` is None when nothing could be compared."""

    table: Table
    estimate: Estimate | None
    strata: tuple[StratumAgreement, ...]
    not_visited: int
    not_accessible: int
    unknown: Mapping[Seen, int]
    compared: tuple[Compared, ...]

    @property
    def disagreements(self) -> list[Compared]:
        """The classes of which the two say different things."""
        return [one for one in self.compared if one.agrees is False]


def agreement(draw: Draw, compared: Sequence[Compared], confidence: float = 0.95) -> Agreement:
    """Return what the classes of a sample come to."""
    pairs = [(one.evident.is_working, one.was_usable) for one in compared if one.agrees is not None]
    table = Table(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))
    said: dict[str, list[bool]] = defaultdict(list)
    for one in compared:
        if one.agrees is not None:
            said[one.drawn.one.stratum].append(one.agrees)
    strata = tuple(
        StratumAgreement(one.name, one.classes, one.drawn, len(said[one.name]), sum(said[one.name]))
        for one in draw.strata
    )
    seen = [one.visit.seen for one in compared if one.visit and one.evident.is_working is None]
    return Agreement(
        table,
        estimate(strata, confidence),
        strata,
        sum(one.visit is None for one in compared),
        sum(one.visit is not None and one.was_usable is None for one in compared),
        {kind: seen.count(kind) for kind in Seen if kind is not Seen.NOT_ACCESSIBLE and seen.count(kind)},
        tuple(compared),
    )


def estimate(strata: Sequence[StratumAgreement], confidence: float) -> Estimate | None:
    """Return the share of all classes that agree, with its interval; None when nothing was compared."""
    known = [one for one in strata if one.compared]
    total, all_classes = sum(one.classes for one in known), sum(one.classes for one in strata)
    if not known:
        return None
    # Whole numbers as long as it goes: all that agree are exactly 1.
    missed = sum(one.classes / total * (one.compared - one.agreed) / one.compared for one in known)
    none = not any(one.agreed for one in known)
    share = 0.0 if none else 1.0 - missed
    cases = 1 / sum((one.classes / total) ** 2 / one.compared for one in known)
    return Estimate(share, *wilson(share, cases, confidence), confidence, cases, total / all_classes)


def as_json(found: Agreement, zone: ZoneInfo) -> dict[str, Any]:
    """Return an agreement as `--json` and reports have it; instants in the programme's zone."""
    table, known = found.table, found.estimate
    return {
        "compared": table.total,
        "agreed": table.agreed,
        "estimate": known._asdict() if known else None,
        "table": table._asdict(),
        "kappa": table.kappa,
        "strata": [stratum._asdict() for stratum in found.strata],
        "not_visited": found.not_visited,
        "not_accessible": found.not_accessible,
        "unknown": {str(seen): number for seen, number in found.unknown.items()},
        "classes": [_class_json(one, zone) for one in found.compared],
    }


def _class_json(one: Compared, zone: ZoneInfo) -> dict[str, Any]:
    visit = one.visit
    at = datetime.fromtimestamp(visit.time_ns // 10**9, zone).isoformat() if visit and visit.time_ns else None
    return {
        "class": one.drawn.one.room,
        "title": one.drawn.one.title,
        "site": one.drawn.one.site,
        "stratum": one.drawn.one.stratum,
        "inspector": visit.inspector if visit else one.drawn.inspector,
        "seen": str(visit.seen) if visit else None,
        "at": at,
        "remarks": visit.remarks if visit else "",
        "evidence": str(one.evident.cause) if visit and visit.time_ns else None,
        "stage": one.evident.stage,
        "agrees": one.agrees,
    }
