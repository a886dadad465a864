"""What pages and sheets show of where a report comes from: what it rests on by hash, and what it corrects."""

from collections.abc import Iterator
from typing import NamedTuple

from collector.report.correction import Change
from collector.report.model import Made
from collector.report.views import View
from collector.verify.results import Interval, Verdict


class Fact(NamedTuple):
    """A name and its value; of a `hash` each character counts."""

    name: str
    value: str
    is_hash: bool = False


class Moved(NamedTuple):
    """A figure that moved: what it is of, and what it was and is."""

    name: str
    before: str
    now: str


def basis_of(view: View, made: Made) -> Iterator[Fact]:
    """Yield what the report rests on."""
    basis = view.report.basis
    yield Fact(view.text("known_at"), view.instant_of(made.known or made.at))
    tables = ", ".join(f"{name} {made.software[name]}" for name in sorted(made.software) if name != "santong")
    named = view.text("in_brackets", what=tables) if tables else ""
    yield Fact(view.text("software"), f"santong {made.version}{named}")
    if basis.evidence:
        days = view.text("of_device_days", number=f"{basis.evidence.device_days:,}")
        name = view.text("evidence_root") + view.text("in_brackets", what=days)
        yield Fact(name, basis.evidence.root, is_hash=True)
    else:
        yield Fact(view.text("evidence_root"), view.text("not_hashed"))
    for one in basis.roster:
        since = view.text("in_force", day=view.day(one.effective))
        yield Fact(view.text("part_roster") + view.text("in_brackets", what=since), one.sha256, is_hash=True)
    for name in ("calendars", "targets", "profiles"):
        yield Fact(view.text(f"part_{name}"), getattr(basis, name), is_hash=True)
    newest = basis.disputes or view.text("no_records")
    yield Fact(view.text("newest_dispute"), newest, is_hash=bool(basis.disputes))
    drawn = basis.sampling or view.text("no_records")
    yield Fact(view.text("part_sampling"), drawn, is_hash=bool(basis.sampling))


def correction_of(view: View) -> Iterator[Fact]:
    """Yield what is corrected, and why; nothing where the report is no correction."""
    correction = view.report.correction
    if correction is None:
        return
    yield Fact(
        view.text("corrects"), correction.number + view.text("in_brackets", what=view.instant_of(correction.made_at))
    )
    yield Fact(view.text("its_fingerprint"), correction.fingerprint, is_hash=True)
    rows = [f"{view.text(f'rows_{kind}')} {number:,}" for kind, number in correction.rows.items()]
    yield Fact(view.text("rows_since"), view.text("list_and").join(rows) or view.text("none_of_it"))
    inputs = view.text("list_and").join(view.text(f"part_{name}") for name in correction.inputs)
    yield Fact(view.text("inputs_since"), inputs or view.text("none_of_it"))
    if correction.reason:
        yield Fact(view.text("reason_given"), correction.reason)


def targets_moved(view: View) -> Iterator[Moved]:
    """Yield the targets whose figure moved."""
    titles = {str(page.target.id): view.title(page.target.title) for page in view.report.pages}
    for one in view.report.correction.targets if view.report.correction else ():
        yield Moved(titles.get(one.id, one.id), *_both(view, one.change))


def units_moved(view: View) -> Iterator[Moved]:
    """Yield the units that have another verdict."""
    for one in view.report.correction.units if view.report.correction else ():
        yield Moved(
            f"{view.site(one.site)} {one.title.removeprefix(view.site(one.site)).strip()}", *_both(view, one.change)
        )


def _both(view: View, change: Change) -> tuple[str, str]:
    before = _figure(view, change.verdict_before, change.low_before, change.high_before)
    return before, _figure(view, change.verdict_now, change.low_now, change.high_now)


def _figure(view: View, verdict: str, low: float | None, high: float | None) -> str:
    said = view.verdict(Verdict(verdict)) if verdict in set(Verdict) else "–"
    return said if low is None or high is None else f"{said} {view.interval(Interval(low, high))}"
