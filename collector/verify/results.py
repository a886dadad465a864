"""
What verification says: of each unit, of each target, and of the programme.

A verdict is PASS 达标, FAIL 不达标 or NOT PROVEN 证据不足; of single units people read proven 已证实, failing 不合格,
unproven 未证实.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from collector.targets.schema import Target
from collector.verify.outages import Outage, Reliability


class Verdict(StrEnum):
    """What evidence says of a threshold."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    NOT_PROVEN = "not_proven"


class Interval(NamedTuple):
    """
    A rate that evidence bounds: it is at least `low` and at most `high`, both in 0 to 1.

    Availability (ITU-T G.827, with what is unknown apart): low = good ÷ (service − excluded),
    high = (good + unknown) ÷ (service − excluded), in minutes. The same over units: low = proven ÷ all,
    high = (proven + unproven) ÷ all.
    """

    low: float
    high: float

    @classmethod
    def of(cls, good: int, unknown: int, total: int) -> "Interval":
        """Return the interval of counts; without anything to count nothing is proven: 0 to 1."""
        return cls(good / total, (good + unknown) / total) if total else cls(0.0, 1.0)

    def verdict(self, threshold: float) -> Verdict:
        """Return PASS when low ≥ threshold, FAIL when high < threshold, else NOT PROVEN."""
        if self.low >= threshold:
            return Verdict.PASS
        return Verdict.FAIL if self.high < threshold else Verdict.NOT_PROVEN


# All keys of sentences: `why` of units, and of targets. Each has its words in `collector/words.py`.
UNIT_WHYS = frozenset({
    "availability_pass", "availability_fail", "availability_not_proven", "no_minutes", "days_pass", "days_fail",
    "days_not_proven", "never_on", "no_days", "throughput_pass", "throughput_fail", "throughput_not_proven",
    "too_few_tests", "only_inconclusive", "no_tests", "reports", "never_reported", "undelivered", "no_device",
    "after_deadline",
})  # fmt: skip
TARGET_WHYS = frozenset({
    "units_pass", "units_fail", "units_not_proven", "number_pass", "number_fail", "number_not_proven", "empty_scope",
    "no_hours", "not_declared", "declared_pass", "declared_fail",
})  # fmt: skip


class UnitResult(NamedTuple):
    """
    One unit of a target: a site, a class or a device.

    `id` is its site, room or device id, `title` its name in people's language. `minutes` are those of the period by
    cause. `why` is the key of the sentence that says what decided.

    `figures` by rule: availability has `good`, `counted`, `unknown` (minutes); days has `days`, `days_good`,
    `days_bad`, `days_unknown`, and beside these `never_on`; both have `failures`, `longest_minutes` and, with one,
    `mtbf_minutes` and `mttr_minutes`; throughput has `tests`, `inconclusive`, `threshold_mbps` and, as far as the tests
    go, `median_mbps`, `lower_mbps`, `upper_mbps`.
    """

    id: str
    title: str
    site: str
    verdict: Verdict
    rate: Interval | None = None
    minutes: Mapping[str, int] = {}
    figures: Mapping[str, float] = {}
    why: str = ""


class TargetResult(NamedTuple):
    """One target: its verdict, the rate over its units, and these. `why` as above."""

    target: Target
    verdict: Verdict
    rate: Interval | None
    units: tuple[UnitResult, ...] = ()
    why: str = ""

    def count(self, verdict: Verdict) -> int:
        """Return how many units have a verdict."""
        return sum(unit.verdict is verdict for unit in self.units)


class TargetFigures(NamedTuple):
    """
    Beside a target's verdict: how reliable its devices were, their longest outages, and minutes by cause.

    `minutes` are those of its units, lost ones and working ones; a target without minutes has none.
    """

    reliability: Reliability = Reliability(0, 0, 0, 0)
    outages: tuple[Outage, ...] = ()
    minutes: Mapping[str, int] = {}


class StageRate(NamedTuple):
    """
    One stage of a hotspot's journey: how often it was asked, and how often it was passed.

    Asked are journeys that passed all stages before it. The two quantiles are of the time it took when it was passed.
    """

    stage: str
    asked: int
    passed: int
    p50_ms: float | None = None
    p95_ms: float | None = None

    @property
    def failed(self) -> int:
        """How many journeys ended at it."""
        return self.asked - self.passed


class Journey(NamedTuple):
    """
    What strangers' phones would have met: `kind` is the probe (`wifi_join`, `portal`, `http`) or `throughput`.

    Of `journeys` `done` came as far as anybody without an account can come; `failed` counts the others by the stage
    where they ended, in the probe's words. `unable` could not be asked and are not among them.
    """

    kind: str
    journeys: int
    done: int
    unable: int
    stages: tuple[StageRate, ...]
    failed: Mapping[str, int]


class Journeys(NamedTuple):
    """Journeys of all hotspots together, and by site; one of each kind that there is."""

    total: tuple[Journey, ...] = ()
    by_site: Mapping[str, tuple[Journey, ...]] = {}


class Equipped(NamedTuple):
    """A device that was seen with another profile than the roster's."""

    device: str
    wanted: str
    seen: str


class Equipment(NamedTuple):
    """
    Devices of the roster, those that count at the period's end, and what they are.

    Seen with the roster's profile, with another one, without saying which, or never seen. A device that the roster
    gives no profile is right when it was seen.

    rate: low = right ÷ all, high = (right + without profile + never seen) ÷ all.
    """

    right: int = 0
    other: tuple[Equipped, ...] = ()
    without_profile: int = 0
    never: tuple[str, ...] = ()
    rate: Interval = Interval(0.0, 1.0)


class Firmware(NamedTuple):
    """
    Devices of one profile by their firmware: good by the profile, behind it, or nobody knows.

    `versions` counts what they said. rate: low = compliant ÷ all, high = (compliant + unknown) ÷ all.
    """

    profile: str
    compliant: int
    behind: int
    unknown: int
    versions: Mapping[str, int]
    rate: Interval


class LessonRate(NamedTuple):
    """
    Use of the platforms in one lesson of the day, counted from 1; 0: all lessons.

    `used`, `unused`, `unknown` count lessons; `on` and `active` are shares of all readings, None where there are none.
    """

    number: int
    used: int
    unused: int
    unknown: int
    on: float | None = None
    active: float | None = None

    @property
    def rate(self) -> Interval:
        """Lessons in which the platform was used ÷ all lessons."""
        return Interval.of(self.used, self.unknown, self.used + self.unused + self.unknown)


class Usage(NamedTuple):
    """Use in lessons: of each lesson of the day, and of all lessons by site. Nobody is named, no content is known."""

    lessons: tuple[LessonRate, ...] = ()
    by_site: Mapping[str, LessonRate] = {}


class Silent(NamedTuple):
    """A device that says nothing: for how many days of service, and when it was seen last; None: never."""

    device: str
    days: int
    last_seen_ns: int | None


class Reporting(NamedTuple):
    """
    Who reports: devices of the roster at the period's end, how many of them said anything in it, who is at risk.

    At risk is a device silent for two days of service or more; the longest silence first.
    """

    devices: int = 0
    reporting: int = 0
    at_risk: tuple[Silent, ...] = ()


class Delivered(NamedTuple):
    """What one agent sent in the period: batches that came, and those that were numbered and never came."""

    agent: str
    batches: int
    missing: int

    @property
    def share(self) -> float | None:
        """Completeness of delivery: came ÷ (came + missing)."""
        return self.batches / (self.batches + self.missing) if self.batches + self.missing else None


class Operator(NamedTuple):
    """
    How far an operator kept its contracts: its sites with a contracted rate, each with its verdict.

    `no_contract` counts its sites without one. rate: low = kept ÷ sites with a contract, high = (kept + unproven) ÷
    these.
    """

    operator: str
    sites: tuple[UnitResult, ...]
    no_contract: int
    rate: Interval

    def count(self, verdict: Verdict) -> int:
        """Return how many sites have a verdict."""
        return sum(site.verdict is verdict for site in self.sites)


class Rates(NamedTuple):
    """Further rates, which no target needs to ask for. What had no evidence handed in is empty."""

    operators: tuple[Operator, ...] = ()
    journeys: Journeys = Journeys()
    equipment: Equipment = Equipment()
    firmware: tuple[Firmware, ...] = ()
    usage: Usage = Usage()
    reporting: Reporting = Reporting()
    delivery: tuple[Delivered, ...] = ()


class Result(NamedTuple):
    """What verification says of a period (both days included), from evidence up to `horizon_ns`."""

    first: date
    last: date
    horizon_ns: int
    targets: tuple[tuple[TargetResult, TargetFigures], ...]
    rates: Rates = Rates()
