"""
The report as data, whatever the language and the file.

    Report ─┬─ Page of each measured target ─┬─ counties, sites, units ──▶ Strip by device and day ──▶ minutes
            │                                ├─ days, tests
            │                                └─ minimal failing set ─┐
            ├─ visits, school by school ◀────────────────────────────┘
            └─ declared targets, targets without anything in the roster, findings, rates

Everything in it follows from evidence, roster, calendars and targets; when it was made, and by which version, is not.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.report.basis import Basis
from collector.report.beside import Agreed, Sample
from collector.report.correction import Correction
from collector.roster.schema import Site
from collector.targets.schema import Target
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Finding
from collector.verify.outages import Outage, Reliability
from collector.verify.results import Interval, Rates, TargetResult, UnitResult, Verdict
from collector.verify.throughput import Test


class Counts(NamedTuple):
    """How many units are proven, failing, unproven."""

    proven: int
    failing: int
    unproven: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    @property
    def rate(self) -> Interval:
        """Share of good units: low = proven ÷ all, high = (proven + unproven) ÷ all."""
        return Interval.of(self.proven, self.unproven, self.total)


class Group(NamedTuple):
    """The units of a target in one county, or at one site: `id` is the county's code or the site's id."""

    id: str
    counts: Counts


class DayFigure(NamedTuple):
    """
    A day of all units of a target.

    Minutes by what they count as, as in the units' own figures: over the days of the period they add up to these.
    `units` by kind of day, where the rule is one of days: good, bad, unknown, never_on, none.
    """

    day: date
    good: int
    bad: int
    unknown: int
    excluded: int
    units: Mapping[str, int] = {}

    @property
    def counted(self) -> int:
        """Service minutes less what is excluded."""
        return self.good + self.bad + self.unknown


class Strip(NamedTuple):
    """The minutes of a device on a day, with what they count as for the target; `kind` as in `DayFigure.units`."""

    device: str
    day: date
    record: DayRecord
    good: int
    bad: int
    unknown: int
    excluded: int
    kind: str


class Fix(NamedTuple):
    """
    A unit that must become good, why it is not, and what would make it so.

    `reason` is a cause of minutes or the unit's `why`; `minutes` are those of the cause; `party` is who must act:
    operator, site or us; `action` the cheapest that may do, `effort` its rank: 0 from the desk … 3 a visit with work.
    """

    target: str
    unit: str
    title: str
    site: str
    reason: str
    stage: str
    minutes: int
    party: str
    action: str
    effort: int


class MinimalSet(NamedTuple):
    """
    The fewest units that must become good for a target to be met, at the fewest sites, by the cheapest actions.

    `missing`: units that the programme owes beyond those of the roster. Both empty: the target is met.
    """

    fixes: tuple[Fix, ...] = ()
    missing: int = 0

    @property
    def sites(self) -> int:
        """At how many sites they are."""
        return len({fix.site for fix in self.fixes})


class Page(NamedTuple):
    """
    A measured target with all that its verdict rests on.

    `needed` is how many units must be good. `strips` are the minutes by unit, `tests` the throughput tests by unit:
    which one there is follows from the target's rule.
    """

    result: TargetResult
    needed: int
    counties: tuple[Group, ...]
    sites: tuple[Group, ...]
    minutes: Mapping[str, int]
    reliability: Reliability
    outages: tuple[Outage, ...]
    days: tuple[DayFigure, ...]
    strips: Mapping[str, tuple[Strip, ...]]
    tests: Mapping[str, tuple[Test, ...]]
    minimal: MinimalSet

    @property
    def target(self) -> Target:
        """The target."""
        return self.result.target

    @property
    def counts(self) -> Counts:
        """Of all units."""
        return counts_of(self.result.units)


class Visit(NamedTuple):
    """A site with what is to be done there, or about it; the visit is worth a journey when any fix needs one."""

    site: Site
    fixes: tuple[Fix, ...]

    @property
    def effort(self) -> int:
        """The rank of the dearest action."""
        return max(fix.effort for fix in self.fixes)


class Head(NamedTuple):
    """
    What the report is of, in which time zone.

    `county` and `site` are empty where it is of all of the roster, `target` where it is of all targets.
    """

    number: str
    first: date
    last: date
    zone: str
    county: str = ""
    site: str = ""
    target: str = ""


class Made(NamedTuple):
    """
    When a report was made, and what decides of it besides its contents; not among what the fingerprint is of.

    `at` and `known` are ISO 8601: evidence is as it was known then. `software` are the versions of rules, holidays and
    time zones that it was judged by.
    """

    at: str
    version: str
    known: str = ""
    software: Mapping[str, str] = {}


class Report(NamedTuple):
    """
    All of it.

    `declared` targets nobody can measure; of those `outside` the roster has nothing. `sites` are those of the period,
    by id, `counties` the names of their counties, by code. `basis` is what it rests on, by hash; `correction` says what
    it corrects; `agreed` are the disputes and closures that figures are with, `samples` what inspectors saw.
    """

    head: Head
    pages: tuple[Page, ...]
    declared: tuple[TargetResult, ...]
    outside: tuple[TargetResult, ...]
    visits: tuple[Visit, ...]
    findings: Sequence[Finding]
    rates: Rates
    left_out: Sequence[str]
    sites: Mapping[str, Site]
    counties: Mapping[str, str] = {}
    basis: Basis = Basis()
    correction: Correction | None = None
    agreed: Agreed = Agreed()
    samples: tuple[Sample, ...] = ()

    @property
    def verdicts(self) -> Mapping[Verdict, int]:
        """How many targets of the roster have each verdict."""
        return {one: sum(page.result.verdict is one for page in self.pages) for one in Verdict}


def counts_of(units: Sequence[UnitResult]) -> Counts:
    """Return the headline of units."""
    verdicts = [unit.verdict for unit in units]
    return Counts(*(verdicts.count(one) for one in (Verdict.PASS, Verdict.FAIL, Verdict.NOT_PROVEN)))
