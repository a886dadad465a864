"""Sampling on site in a report: what a sample came to, in one language."""

from collections.abc import Iterator
from math import floor

from collector.report.beside import Sample
from collector.report.views import View
from collector.sampling.agreement import Compared, Estimate
from collector.sentences import percent
from collector.words import Language


def headline(sample: Sample, view: View) -> str:
    """Return the agreement with its interval in a sentence, or why there is none."""
    found = sample.found
    if found.estimate is None:
        return view.text("nothing_compared" if sample.results else "sample_without_results")
    return view.text(
        "agreement_line",
        agreed=found.table.agreed,
        compared=found.table.total,
        **shares(found.estimate, view.language),
    )


def shares(estimate: Estimate, language: Language) -> dict[str, str]:
    """Return the figures of an estimate; the upper bound is rounded up, so that the interval is never narrower."""
    high = -floor(-estimate.high * 1000 + 1e-9) / 1000
    return {
        "share": percent(estimate.share, language),
        "confidence": f"{estimate.confidence * 100:g}{'%' if language == 'zh' else ' %'}",
        "low": percent(estimate.low, language),
        "high": percent(high, language),
    }


def notes(sample: Sample, view: View) -> Iterator[str]:
    """Yield what is not compared and why, and what else is to be known of the figure."""
    found = sample.found
    if found.estimate and found.estimate.covered < 1:
        yield view.text("agreement_covers", covered=percent(found.estimate.covered, view.language))
    if found.unknown:
        comma = view.text("list_and")
        seen = comma.join(f"{view.text(f'seen_{kind}')} {number}" for kind, number in found.unknown.items())
        yield view.text("count_of", what=view.text("evidence_unknown"), number=sum(found.unknown.values()), more=seen)
    for key, number in (("seen_not_accessible", found.not_accessible), ("not_visited", found.not_visited)):
        if number and sample.results:
            yield view.text("count", what=view.text(key), number=number)
    if sample.outside:
        yield view.text("count", what=view.text("visits_outside"), number=sample.outside)


def target_of(sample: Sample, view: View) -> str:
    """Return the title of the target whose classes were drawn."""
    known = (page.target.title for page in view.report.pages if page.target.id == sample.question.target)
    return view.title(next(known))


def scope_of(sample: Sample, view: View) -> str:
    """Return of which classes it is: those of a county, or of all of the roster."""
    county = sample.county or sample.question.county
    return view.county(county) if county else view.text("whole_roster")


def seen(one: Compared, view: View) -> str:
    """Return what was seen of a class."""
    return view.text(f"seen_{one.visit.seen}") if one.visit else view.text("not_visited")


def when(one: Compared, view: View) -> str:
    """Return when it was seen."""
    return view.local(one.visit.time_ns) if one.visit and one.visit.time_ns is not None else "–"


def evident(one: Compared, view: View) -> str:
    """Return what the evidence of that minute is."""
    return view.reason(str(one.evident.cause), one.evident.stage)
