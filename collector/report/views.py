"""What pages and sheets show of a report in one language: names, sentences, groups of fixes, and how much is shown."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.report.model import Fix, MinimalSet, Page, Report, Visit
from collector.report.phrases import PHRASES, phrase
from collector.roster.schema import Site
from collector.sentences import percent, sentence_of_target, sentence_of_unit
from collector.targets.schema import Target
from collector.verify.results import Interval, TargetResult, UnitResult, Verdict
from collector.words import WORDS, Language, word
from firmware_profiles.schema import Title

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_AREAS = {"urban": "area_urban", "rural": "area_rural"}
_ORDER = (Verdict.FAIL, Verdict.NOT_PROVEN, Verdict.PASS)


class Task(NamedTuple):
    """Units of a site that need the same thing for the same reason."""

    target: Target
    units: tuple[str, ...]
    reason: str
    party: str
    action: str
    effort: int
    minutes: int


class View:
    """A report in one language."""

    def __init__(self, report: Report, language: Language) -> None:
        self.report, self.language = report, language
        self.zone = ZoneInfo(report.head.zone)
        self._targets = {str(page.target.id): page.target for page in report.pages}

    def text(self, key: str, **values: object) -> str:
        """Return a phrase."""
        return phrase(key, self.language, **values)

    def title(self, title: Title) -> str:
        """Return a title in the language."""
        return str(title.zh if self.language == "zh" else title.en)

    def verdict(self, verdict: Verdict) -> str:
        """Return what a target's verdict is called."""
        return word(f"verdict_{verdict}", self.language)

    def of_unit(self, verdict: Verdict) -> str:
        """Return what a unit's verdict is called."""
        names = {Verdict.PASS: "proven", Verdict.FAIL: "failing", Verdict.NOT_PROVEN: "unproven"}
        return word(names[verdict], self.language)

    def sentence(self, result: TargetResult) -> str:
        """Return why a target has its verdict."""
        return sentence_of_target(result, self.language)

    def reason_of(self, unit: UnitResult, target: Target) -> str:
        """Return why a unit has its verdict, without its name."""
        return sentence_of_unit(unit._replace(title=""), target, self.language).lstrip("，, ")

    def interval(self, rate: Interval | None) -> str:
        """Return a rate from what is proven to what is possible."""
        if rate is None:
            return "–"
        low, high = percent(rate.low, self.language), percent(rate.high, self.language)
        return low if low == high else f"{low} – {high}"

    def county(self, code: str) -> str:
        """Return a county's name; its code where nobody knows it."""
        return self.report.counties.get(code, code)

    def site(self, name: str) -> str:
        """Return a site's name."""
        site = self.report.sites.get(name)
        return (site.name if site else "") or name

    def place(self, unit: UnitResult) -> str:
        """Return a unit's name without that of its site."""
        return short_title(unit.title, self.site(unit.site))

    def scope(self) -> str:
        """Return what the report is of."""
        head = self.report.head
        if head.site:
            return f"{self.site(head.site)} ({head.site})"
        return f"{self.county(head.county)} ({head.county})" if head.county else self.text("whole_roster")

    def limited_by(self, what: str) -> str:
        """Return what limited a throughput test, in people's words; empty for the line itself."""
        key = f"limited_{what.replace('-', '_')}"
        return self.text(key) if key in PHRASES else what.removeprefix("none")

    def party(self, fix_party: str, site: Site) -> str:
        """Return who must act; of an operator the name, where the roster has it."""
        name = self.text(f"party_{fix_party}")
        return f"{name}{f' {site.operator}' if site.operator else ''}" if fix_party == "operator" else name

    def reason(self, reason: str, stage: str = "") -> str:
        """Return why a unit is not good: a cause of minutes, with its stage, or what it lacks."""
        key = f"cause_{reason}" if f"cause_{reason}" in WORDS else f"reason_{reason}"
        said = phrase(key, self.language).split("（")[0]
        if not stage:
            return said
        known = f"stage_{stage}"
        return f"{said} ({phrase(known, self.language) if known in WORDS else stage})"

    def tasks(self, visit: Visit) -> list[Task]:
        """Return what is to be done at a site, the same things together, the cheapest first."""
        groups: dict[tuple[str, str, str, str, str, int], list[Fix]] = {}
        for fix in visit.fixes:
            key = (fix.target, fix.reason, fix.stage, fix.party, fix.action, fix.effort)
            groups.setdefault(key, []).append(fix)
        tasks = [
            Task(
                self._targets[target],
                tuple(short_title(fix.title, self.site(fix.site)) for fix in some),
                self.reason(reason, stage),
                self.party(party, visit.site),
                self.text(f"action_{action}"),
                effort,
                sum(fix.minutes for fix in some),
            )
            for (target, reason, stage, party, action, effort), some in groups.items()
        ]
        return sorted(tasks, key=lambda task: (task.effort, -len(task.units)))

    def to_pass(self, minimal: MinimalSet) -> str:
        """Return what it takes for a target to be met, in a sentence."""
        if not minimal.fixes and not minimal.missing:
            return self.text("minimal_none")
        if minimal.missing:
            more = "minimal_missing" if minimal.fixes else "minimal_only_missing"
            said = [self.text(more, missing=f"{minimal.missing:,}")]
            if minimal.fixes:
                said.insert(0, self._units_at_sites(minimal, "minimal_first"))
            return " ".join(said)
        return self._units_at_sites(minimal, "minimal_all")

    def _units_at_sites(self, minimal: MinimalSet, key: str) -> str:
        return self.text(key, units=f"{len(minimal.fixes):,}", sites=f"{minimal.sites:,}")

    def day(self, day: date) -> str:
        """Return a day as people write it."""
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def day_of(self, text: str) -> str:
        """Return a day that is written in ISO 8601 as people write it."""
        return self.day(date.fromisoformat(text))

    def days(self, first: date, last: date) -> str:
        """Return days in a row, both included, as people write them."""
        if first == last:
            return self.day(first)
        if self.language == "zh":
            end = f"{last.month}月{last.day}日" if first.year == last.year else self.day(last)
            return f"{self.day(first)}至{end}"
        begin = self.day(first)
        if first.year == last.year:
            begin = f"{first.day}" if first.month == last.month else f"{first.day} {_MONTHS[first.month - 1]}"
        return f"{begin} to {self.day(last)}"

    def period(self) -> str:
        """Return the period of the report."""
        return self.days(self.report.head.first, self.report.head.last)

    def zone_name(self) -> str:
        """Return what people call the zone of days."""
        return self.text("beijing_time") if self.report.head.zone == "Asia/Shanghai" else self.report.head.zone

    def instant_of(self, text: str) -> str:
        """Return an instant that is written in ISO 8601 as people write it."""
        return self.instant(datetime.fromisoformat(text))

    def instant(self, at: datetime) -> str:
        """Return an instant as people write it, to the minute, in the programme's zone."""
        local = at.astimezone(self.zone)
        return f"{self.day(local.date())} {local:%H:%M}"

    def span(self, since: datetime, until: datetime) -> str:
        """Return a period of instants: whole days by their dates, both included, anything else to the minute."""
        begin, end = since.astimezone(self.zone), until.astimezone(self.zone)
        if begin.time() == end.time() == time():
            return self.days(begin.date(), (end - timedelta(days=1)).date())
        last = f"{end:%H:%M}" if begin.date() == end.date() else self.instant(until)
        return f"{self.instant(since)}{'至' if self.language == 'zh' else ' to '}{last}"

    def stratum(self, name: str) -> str:
        """Return a stratum of a sample: county, and urban or rural."""
        county, _, area = name.partition("/")
        return f"{self.county(county)} {self.text(_AREAS.get(area, 'area_unknown'))}"

    def local(self, time_ns: int | None, pattern: str = "%Y-%m-%d %H:%M") -> str:
        """Return an instant as people read it."""
        if time_ns is None:
            return self.text("goes_on")
        return format(datetime.fromtimestamp(time_ns // 10**9, self.zone), pattern)


def short_title(title: str, site: str) -> str:
    """Return a unit's title without its site's name, which stands beside it; a site is its own."""
    return title.removeprefix(site).strip() or title


def ordered(units: Sequence[UnitResult]) -> list[UnitResult]:
    """Return units with those that are not good first."""
    return sorted(units, key=lambda unit: (_ORDER.index(unit.verdict), unit.id))


def anchors(page: Page) -> dict[str, str]:
    """Return an anchor for each unit of a target; ids of rooms may be in people's language."""
    return {unit.id: f"{page.target.id}-{number}" for number, unit in enumerate(page.result.units, 1)}


def with_details(page: Page, most: int) -> Iterator[UnitResult]:
    """Yield the units whose minutes or tests are shown, at most so many, those that are not good first."""
    some = (unit for unit in ordered(page.result.units) if page.strips.get(unit.id) or page.tests.get(unit.id))
    for number, unit in enumerate(some):
        if number >= most:
            return
        yield unit


def detailed(page: Page) -> int:
    """Return how many units have minutes or tests."""
    return sum(bool(page.strips.get(unit.id) or page.tests.get(unit.id)) for unit in page.result.units)
