"""The city that people check by hand, `golden_city.md`: from files and evidence to verdicts, on both stores."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from collector import judging
from collector.days import read_days
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verification import Verified, promise_of, verify
from collector.verify.causes import Cause, Run, from_text
from collector.verify.conclude import Period
from collector.verify.results import TargetResult, UnitResult, Verdict
from tests.collector.verification import city
from tests.collector.verification.city import Case, day, instant, name_of
from tests.collector.verification.world import ZONE, at, now_ns

WORDS = {
    Cause.WORKING: "works", Cause.SERVICE_DOWN: "service", Cause.WAN_DOWN: "internet", Cause.LAN_DOWN: "gateway",
    Cause.POWER_OFF: "off", Cause.ASLEEP: "asleep", Cause.AGENT_DOWN: "agent", Cause.UNKNOWN: "unknown",
    Cause.EXCLUDED: "excluded",
}  # fmt: skip


class City:
    """The files and the store of one case, and what was found when it was asked last."""

    def __init__(self, case: Case, store: Store, targets: Sequence[Target], folder: Path) -> None:
        def said(word: str) -> list[tuple[str, ...]]:
            return [cells[1:] for cells in case.lines if cells[0] == word]

        rows = [(short, what) for short, what in said("roster")]
        agents = {short: what.partition("agent ")[2] for short, what in rows if "agent " in what}
        self.store = store
        self.evidence = city.Evidence(agents)
        self.targets = tuple(targets)
        self.calendars = city.calendars_of(folder, [text for (text,) in said("calendar")])
        self.rosters = city.rosters_of(folder, rows, next((what.split()[1] for _, what in said("school")), ""))
        self.found: Verified | None = None

    def ask(self, days: str, when: str = "") -> None:
        """Verify, twice: from what is stored and by sums; both must say the same."""
        self.evidence.world.write(self.store)
        self.evidence.asked()
        first, last = map(day, days.split(" to "))
        promise = promise_of(Period(first, last, self.rosters), ZONE, self.calendars.day, self.targets)
        horizon_ns = instant(when.removeprefix("at ")) if when else now_ns()
        self.found = verify(self.store, promise, horizon_ns)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judging, "WORTH_A_SUM", 0)
            anew = verify(self.store, promise, horizon_ns, recompute=True)
        assert (anew.targets, anew.findings) == (self.found.targets, self.found.findings)

    def target(self, name: str) -> Target:
        """Return a target of the page."""
        return next(target for target in self.targets if target.id == name)

    def result(self, name: str) -> TargetResult:
        """Return what was found of a target."""
        assert self.found, "nobody asked"
        return next(result for result, _ in self.found.targets if result.target.id == name)

    def unit(self, target: str, short: str) -> UnitResult:
        """Return what was found of a unit."""
        return next(unit for unit in self.result(target).units if unit.id == name_of(short))

    # ---- what the page says

    def expect(self, cells: Sequence[str]) -> None:
        """Check a line of the page."""
        word, *rest = cells
        checks: dict[str, Callable[..., None]] = {
            "record": self._record,
            "target": self._target,
            "finding": self._finding,
            "named": self._named,
            "outage": self._outage,
            "at risk": self._at_risk,
        }
        if word in checks:
            checks[word](*rest)
        else:
            self._unit(word, *rest)

    def _unit(self, target: str, short: str, verdict: str, share: str, minutes: str = "") -> None:
        unit = self.unit(target, short)
        said = str(unit.verdict).replace("_", " ").upper()
        if " of " not in share:
            assert (said, unit.why) == (verdict, share)
            return
        figures = unit.figures
        names = ("days_good", "days_unknown", "days") if "days" in figures else ("good", "unknown", "counted")
        good, unknown, total = (int(figures[name]) for name in names)
        bounds = f"{good} of {total}" if not unknown else f"{good} to {good + unknown} of {total}"
        assert (said, bounds, told(unit.minutes)) == (verdict, share, in_order(minutes))
        assert unit.rate == (good / total, (good + unknown) / total)

    def _record(self, target: str, short: str, on: str, text: str) -> None:
        criterion = self.target(target).criterion.id
        start_ns = at(day(on))
        found = [
            record
            for record in read_days(self.store, start_ns, start_ns + 1, [name_of(short)])
            if record.criterion == criterion
        ]
        said = ", ".join(map(told_run, from_text(found[0].runs, start_ns))) if found else "-"
        assert said == text

    def _target(self, name: str, verdict: str, text: str) -> None:
        result = self.result(name)
        said = str(result.verdict).replace("_", " ").upper()
        proven, failing, unproven = map(result.count, Verdict.__members__.values())
        assert said == verdict
        assert text in (f"{proven} proven, {failing} failing, {unproven} unproven", result.why)

    def _finding(self, kind: str, *rest: str) -> None:
        assert self.found, "nobody asked"
        if kind == "none":
            assert not self.found.findings
            return
        devices, period, doubted = rest
        (finding,) = self.found.findings
        since, _, until = period.removeprefix("since ").partition(", ")
        names = [name_of(short) for short in doubted.removeprefix("doubted ").split() if short != "nobody"]
        assert (finding.kind, list(finding.devices)) == (kind, [name_of(short) for short in devices.split()])
        assert finding.since_ns == instant(since)
        assert finding.until_ns == (None if until == "goes on" else instant(until.removeprefix("until ")))
        assert list(finding.doubted) == names

    def _named(self, target: str, short: str, title: str) -> None:
        assert self.unit(target, short).title == title

    def _outage(self, target: str, short: str, text: str) -> None:
        assert self.found, "nobody asked"
        (figures,) = (figures for result, figures in self.found.targets if result.target.id == target)
        (outage,) = figures.outages
        period, what = text.split(", ")
        since, until = map(instant, period.split(" to "))
        assert (outage.device, outage.start_ns, outage.end_ns) == (name_of(short), since, until)
        assert f"{WORDS[outage.cause]} {outage.minutes}" == what
        assert self.unit(target, short).figures["longest_minutes"] == outage.minutes

    def _at_risk(self, *devices: str) -> None:
        assert self.found, "nobody asked"
        assert [one.device for one in self.found.rates.reporting.at_risk] == [name_of(short) for short in devices]


def told(minutes: object) -> str:
    """Return minutes by cause as the page has them, in one order."""
    assert isinstance(minutes, dict)
    return in_order(", ".join(f"{WORDS[Cause(cause)]} {number}" for cause, number in minutes.items()))


def in_order(text: str) -> str:
    """Return parts of a text in one order."""
    return ", ".join(sorted(text.split(", ")))


def told_run(run: Run) -> str:
    """Return a run of minutes as `08:30 works 30`."""
    clock = datetime.fromtimestamp(run.start_ns // 10**9, ZONE)
    return f"{clock:%H:%M} {WORDS[run.cause]} {run.minutes}"


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Target]:
    """Return the targets of the page."""
    return city.targets_of(tmp_path_factory.mktemp("targets"))


@pytest.mark.parametrize("case", city.cases(), ids=lambda case: case.name)
def test_a_case_comes_to_what_was_computed_by_hand(
    case: Case, store: Store, targets: Sequence[Target], tmp_path: Path
) -> None:
    """Verdicts, minutes, stored days and findings of each case are those of the page, whenever it is asked."""
    place = City(case, store, targets, tmp_path)
    asked = 0
    for cells in case.lines:
        if city.is_event(cells):
            place.evidence.add(*cells)
        elif cells[0] == "asked":
            place.ask(*cells[1:])
            asked += 1
        elif cells[0] not in ("roster", "school", "calendar"):
            place.expect(cells)
    assert asked


def test_every_rule_has_its_case() -> None:
    """The index names each rule of verification, and a case of that name stands where it says."""
    rules = (
        "midnight", "make-up workday", "holiday", "term break", "closure", "maintenance", "two boots in a minute",
        "agent killed then reboot", "stop mark missing", "sleep", "off between lessons", "observer gone", "never seen",
        "commissioned in mid-term", "school closed in mid-term", "class renamed", "late evidence", "replaced hardware",
        "number clash", "moved device", "whole school's gateway changed", "shared gateway", "tie on a threshold",
        "empty scope",
    )  # fmt: skip
    rows = list(city.index())
    assert tuple(rule for rule, *_ in rows) == rules
    names = {case.name for case in city.cases()}
    for _, here, page, there in rows:
        assert set(here) <= names
        text = (Path(city.__file__).parent.parent / "verify" / page).read_text(encoding="utf-8")
        assert re.search(rf"^(### {re.escape(there)}$|\| {re.escape(there)}(:| \|))", text, re.MULTILINE), there
