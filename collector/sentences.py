"""Verdicts in a plain sentence: what decided, in people's language."""

from fractions import Fraction
from math import ceil, floor

from collector.targets.schema import Target
from collector.verify.results import TargetResult, UnitResult, Verdict
from collector.verify.throughput import LEAST_TESTS
from collector.words import SENTENCES, Language


def sentence_of_target(result: TargetResult, language: Language) -> str:
    """Return why a target has its verdict: `3 of 40 classes fail: the worst, …`."""
    target, share = result.target, result.target.share
    good, failing, unproven = map(result.count, (Verdict.PASS, Verdict.FAIL, Verdict.NOT_PROVEN))
    worst = decisive(result)
    rule = target.declared
    units_are = _template(f"units_of_{target.unit}", language)
    return _template(result.why, language).format(
        all=len(result.units),
        good=good,
        failing=failing,
        unproven=unproven,
        possible=good + unproven,
        needed="–" if share is None else ceil(Fraction(str(share)) * len(result.units)),
        at_least=target.at_least,
        units=units_are,
        each=units_are[0],  # 个 or 台, which stands behind numbers in Chinese
        fail="fails" if failing == 1 else "fail",
        worst=sentence_of_unit(worst, target, language) if worst else "–",
        value=percent(rule.value, language),
        source=rule.source or "–",
        on=rule.on or "–",
        threshold=percent(share, language),
    )


def sentence_of_unit(unit: UnitResult, target: Target, language: Language) -> str:
    """Return a unit's name and why it has its verdict: `七(3)班, worked on 61 % of its school days; …`."""
    rule = target.rule
    threshold = rule.days if rule.days is not None else rule.availability
    figures = {name: f"{value:g}" for name, value in unit.figures.items() if not name.endswith("_mbps")}
    rates = {
        name: f"{floor(value * 10 + 1e-9) / 10:g}" for name, value in unit.figures.items() if name.endswith("_mbps")
    }
    said = _template(unit.why, language).format(
        **figures,
        **rates,
        low=percent(unit.rate.low if unit.rate else None, language),
        high=percent(unit.rate.high if unit.rate else None, language),
        threshold=percent(threshold, language),
        least_tests=LEAST_TESTS,
    )
    return f"{unit.title}{'，' if language == 'zh' else ', '}{said}"


def decisive(result: TargetResult) -> UnitResult | None:
    """
    Return the unit that tells most of a verdict, None where there is none.

    Of a target that fails the worst of those that fail, else the worst of those that are not proven: the one that could
    be the least good at best, then the one with the least proven.
    """
    for verdict in (Verdict.FAIL, Verdict.NOT_PROVEN) if result.verdict is Verdict.FAIL else (Verdict.NOT_PROVEN,):
        units = [unit for unit in result.units if unit.verdict is verdict]
        if units:
            return min(units, key=_badness)
    return None


def _badness(unit: UnitResult) -> tuple[float, float, str]:
    if unit.rate:
        return (unit.rate.high, unit.rate.low, unit.id)
    share = unit.figures.get("upper_mbps", 0.0) / (unit.figures.get("threshold_mbps") or 1.0)
    return (share, share, unit.id)


def percent(share: float | None, language: Language) -> str:
    """Return a share in percent, never more than it is: what is short of 90 % is not called that."""
    if share is None:
        return "–"
    return f"{floor(share * 1000 + 1e-9) / 10:g}{'%' if language == 'zh' else ' %'}"


def _template(key: str, language: Language) -> str:
    return SENTENCES[key][0 if language == "zh" else 1]
