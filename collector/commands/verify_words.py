"""What a verdict says, in plain sentences, and the table above them."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.commands import dispute_words
from collector.commands.verify_rates import sections
from collector.commands.verify_times import local
from collector.report.phrases import phrase
from collector.sentences import sentence_of_target
from collector.targets.schema import Target
from collector.verification import Verified
from collector.verify.causes import Cause
from collector.verify.conclude import TargetFigures
from collector.verify.integrity import Finding
from collector.verify.results import TargetResult, Verdict
from collector.words import Language, word

_VERDICTS = {
    Verdict.PASS: ("verdict_pass", "green"),
    Verdict.FAIL: ("verdict_fail", "red"),
    Verdict.NOT_PROVEN: ("verdict_not_proven", "yellow"),
}
_WHY = {
    "availability_fail": "why_availability_fail",
    "availability_not_proven": "why_availability_not_proven",
    "days_fail": "why_days_fail",
    "days_not_proven": "why_days_not_proven",
    "never_on": "why_never_on",
    "no_days": "why_nothing_owed",
    "no_minutes": "why_nothing_owed",
    "throughput_fail": "why_throughput_fail",
    "throughput_not_proven": "why_throughput_not_proven",
    "too_few_tests": "why_too_few_tests",
    "only_inconclusive": "why_only_inconclusive",
    "no_tests": "why_no_tests",
    "never_reported": "why_never_reported",
    "undelivered": "why_undelivered",
    "after_deadline": "why_after_deadline",
}
CAUSES = {
    Cause.WORKING: "cause_working",
    Cause.SERVICE_DOWN: "cause_service_down",
    Cause.WAN_DOWN: "cause_wan_down",
    Cause.LAN_DOWN: "cause_lan_down",
    Cause.POWER_OFF: "cause_power_off",
    Cause.ASLEEP: "cause_asleep",
    Cause.AGENT_DOWN: "cause_agent_down",
    Cause.UNKNOWN: "cause_unknown",
    Cause.EXCLUDED: "cause_excluded",
}
_FINDINGS = {
    "number_clash": "finding_number_clash",
    "place": "finding_place",
    "shared_gateway": "finding_shared_gateway",
}
_MOST_FINDINGS = 20


class Counts(NamedTuple):
    """How many units are proven, failing, unproven; and how many must be good, None without units."""

    proven: int
    failing: int
    unproven: int
    needed: int | None

    @property
    def total(self) -> int:
        """All of them."""
        return self.proven + self.failing + self.unproven


def counts_of(result: TargetResult) -> Counts:
    """Return the headline of a target; the number needed is exact, without rounding of floats."""
    target = result.target
    total = len(result.units)
    share = 0 if target.share is None else math.ceil(Fraction(str(target.share)) * total)
    needed = max(share, target.at_least or 0) if total else None
    proven, failing, unproven = map(result.count, (Verdict.PASS, Verdict.FAIL, Verdict.NOT_PROVEN))
    return Counts(proven, failing, unproven, needed)


def reasons(result: TargetResult, language: Language) -> str:
    """Return why units are not proven, the most frequent reason first; empty where all are."""
    found = Counter(_WHY[unit.why] for unit in result.units if unit.verdict is not Verdict.PASS and unit.why in _WHY)
    said = ((word(why, language), count) for why, count in found.most_common())
    return word("and", language).join(
        f"{why} {count:,}" if language == "zh" else f"{count:,} {why}" for why, count in said
    )


def lost(figures: TargetFigures, language: Language) -> str:
    """Return which causes took how many minutes, the largest first; empty where every minute was good."""
    found = sorted(figures.minutes.items(), key=lambda pair: (-pair[1], pair[0]))
    some = ((cause, minutes) for cause, minutes in found if cause not in (Cause.WORKING, Cause.EXCLUDED) and minutes)
    return word("and", language).join(f"{word(CAUSES[Cause(cause)], language)} {minutes:,}" for cause, minutes in some)


def titled(target: Target, language: Language) -> str:
    """Return the title of a target."""
    return str(target.title.zh if language == "zh" else target.title.en)


def screen_of(found: Verified, language: Language, zone: ZoneInfo, *, full_times: bool) -> RenderableType:
    """Return the table of targets, what each verdict is due to, and what needs somebody's attention."""
    facts = [f"{word('period', language)}: {found.period.first} … {found.period.last}"]
    facts.append(
        f"{word('judged_now', language)}: {found.judged:,}   {word('reused_days', language)}: {found.reused:,}"
    )
    if full_times:
        facts.append(f"{word('judging_took', language)}: {found.judging_s:.1f} s")
        facts.append(f"{word('summing_took', language)}: {found.summing_s:.1f} s")
        facts.append(f"{word('rates_took', language)}: {found.rates_s:.1f} s")
    lines = [
        *_sentences(found, language),
        *dispute_words.taken(found.disputes, language, zone),
        *_findings(found, language, zone),
    ]
    rates = sections(found.rates, found.left_out, language, zone)
    said = [Text(), Text(in_short(found, language), style="bold")]
    return Group(Text("   ".join(facts), style="dim"), _table(found, language), *said, *lines, *rates)


def in_short(found: Verified, language: Language) -> str:
    """Return in a sentence how many targets have which verdict, as a report says it."""
    inside = [result for result, _ in found.targets if result.target.evidence == "measured" and result.units]
    counts = Counter(result.verdict for result in inside)
    return phrase(
        "in_short",
        language,
        total=len(inside),
        passed=counts[Verdict.PASS],
        failed=counts[Verdict.FAIL],
        unproven=counts[Verdict.NOT_PROVEN],
    )


def _table(found: Verified, language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    numbers = ("proven", "failing", "unproven", "needed")
    for column in ("target", "verdict", *numbers, "evidence", "title"):
        table.add_column(
            word(column, language), justify="right" if column in numbers else "left", no_wrap=column != "title"
        )
    for result, _ in found.targets:
        key, style = _VERDICTS[result.verdict]
        counts = counts_of(result)
        is_measured = result.target.evidence == "measured"
        cells = [f"{number:,}" for number in counts[:3]] if is_measured and counts.total else ["–"] * 3
        table.add_row(
            result.target.id,
            Text(word(key, language), style=style),
            *cells,
            "–" if counts.needed is None else f"{counts.needed:,}",
            word("measured" if is_measured else "declared", language),
            Text(titled(result.target, language)),
        )
    return table


def _sentences(found: Verified, language: Language) -> Iterator[Text]:
    without = found.differing
    for result, figures in found.targets:
        key, style = _VERDICTS[result.verdict]
        yield Text()
        yield Text.assemble((word(key, language), style), f"  {result.target.id}  {titled(result.target, language)}")
        yield Text(f"  {sentence_of_target(result, language)}")
        if why := reasons(result, language):
            yield Text(f"  {why}")
        if minutes := lost(figures, language):
            yield Text(f"  {word('minutes_lost', language)}: {minutes}")
        if result.target.id in without:
            yield _in_short("without_disputes", *without[result.target.id], language)
            yield _in_short("with_disputes", result, figures, language)


def _in_short(which: str, result: TargetResult, figures: TargetFigures, language: Language) -> Text:
    """Return a target's figure in a line, to be compared with another one."""
    key, style = _VERDICTS[result.verdict]
    numbers = zip(("proven", "failing", "unproven"), counts_of(result)[:3], strict=True)
    parts = [f"{word(name, language)} {number:,}" for name, number in numbers]
    causes = (Cause.WORKING, Cause.UNKNOWN, Cause.EXCLUDED)
    parts += [f"{word(CAUSES[cause], language)} {figures.minutes.get(cause, 0):,}" for cause in causes]
    said = word("and", language).join(parts)
    return Text.assemble(f"  {word(which, language)}: ", (word(key, language), style), f"  {said}")


def _findings(verified: Verified, language: Language, zone: ZoneInfo) -> Iterator[Text]:
    found = verified.findings
    for finding in found[:_MOST_FINDINGS]:
        if finding is found[0]:
            yield Text()
            yield Text(f"{word('to_check', language)}: {len(found):,}", style="bold")
        until = word("goes_on", language) if finding.until_ns is None else local(finding.until_ns, zone)
        effect = word(_effect(finding, verified.decided), language)
        yield Text(
            f"  {word(_FINDINGS[finding.kind], language)}  {local(finding.since_ns, zone)} … {until}  "
            f"{', '.join(finding.devices[:5])}{' …' if len(finding.devices) > 5 else ''}  {effect}"
        )


def _effect(finding: Finding, decided: Sequence[Finding]) -> str:
    """Return the word of what a finding does to the evidence."""
    if finding in decided:
        return "decided"
    return "not_counted" if finding.doubted else "info"
