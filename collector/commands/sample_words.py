"""What was drawn, and what the comparison with the evidence comes to, on the screen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.commands.verify_times import local
from collector.commands.verify_words import CAUSES
from collector.report.sampled import shares
from collector.roster.columns import COUNTIES
from collector.sampling.agreement import Agreement, Compared
from collector.sampling.draw import Draw
from collector.sampling.filled import Seen, Visit
from collector.sampling.form import SEEN_WORDS
from collector.sampling.kept import OnRecord, Results
from collector.sentences import percent
from collector.words import Language, word

_AREAS = {"urban": "area_urban", "rural": "area_rural"}


def draw_screen(draw: Draw, out: Path, language: Language) -> RenderableType:
    """Return what was drawn: seed, strata, and who goes where."""
    question = draw.question
    lines = [
        ("sample", draw.id),
        ("seed", question.seed),
        ("roster_hash", question.roster_sha256),
        ("sample_day", question.day),
    ]
    facts = [Text(f"{word(key, language)}: {value}") for key, value in lines]
    if draw.undelivered:
        facts.append(Text(word("undelivered_note", language).format(number=draw.undelivered), style="yellow"))
    strata = _table(("stratum", "classes", "drawn"), language)
    for one in draw.strata:
        strata.add_row(stratum_name(one.name, language), f"{one.classes:,}", f"{one.drawn:,}")
    classes = _table(("inspector", "school", "unit_class"), language)
    for drawn in draw.classes:
        classes.add_row(Text(drawn.inspector or "–"), Text(drawn.one.site_name), Text(drawn.one.title))
    every = sum(one.classes for one in draw.strata)
    said = word("draw_in_short", language).format(drawn=len(draw.classes), all=every, folder=out)
    return Group(*facts, Text(), strata, Text(), classes, Text(), Text(said, style="bold"))


def stored_line(stored: Results | None, language: Language) -> RenderableType:
    """Return what became of a file."""
    if stored is None:
        return Text(word("results_known", language), style="yellow")
    said = word("results_stored", language)
    return Text(said.format(number=stored.number, classes=f"{len(stored.visits):,}", sha256=stored.sha256))


def results_screen(
    draw: Draw, found: Agreement, changed: Sequence[tuple[Visit, Visit]], language: Language, zone: ZoneInfo
) -> RenderableType:
    """Return agreement with its interval, the table, strata, what is not compared and why, and each disagreement."""
    lines: list[RenderableType] = [Text(f"{word('sample', language)}: {draw.id}", style="dim")]
    lines += [Text(line, style="bold") for line in _headline(found, language)]
    if found.table.total:
        lines += [Text(), _two_by_two(found, language)]
        kappa = found.table.kappa
        lines.append(Text(f"{word('kappa', language)}: {'–' if kappa is None else f'{kappa:.2f}'}"))
    lines += [Text(), _strata(found, language), *map(Text, _left_out(found, language))]
    if found.disagreements:
        lines += [Text(), Text(f"{word('disagreements', language)}: {len(found.disagreements)}", style="bold red")]
        lines += [Text(f"  {sentence(one, language, zone)}") for one in found.disagreements]
    lines += [Text(_corrected(one, language, zone), style="yellow") for one in changed]
    return Group(*lines)


def list_screen(found: Sequence[tuple[OnRecord, int]], language: Language, zone: ZoneInfo) -> RenderableType:
    """Return the table of samples."""
    if not found:
        return Text(word("no_samples", language))
    table = _table(("sample", "time", "imported_by", "classes", "seed", "roster_hash", "results"), language)
    for record, number in found:
        question = record.draw.question
        at = local(int(record.at.timestamp()) * 10**9, zone)
        cells = [record.draw.id, at, record.by, f"{len(record.draw.classes)}", question.seed]
        table.add_row(*map(Text, (*cells, question.roster_sha256[:12], f"{number}")))
    return table


def sentence(one: Compared, language: Language, zone: ZoneInfo) -> str:
    """Return a disagreement in a sentence."""
    where = f"{one.drawn.one.site_name} {one.drawn.one.title}"
    visit = one.visit
    if visit is None or visit.time_ns is None:
        raise ValueError(f"{where}: nothing was seen")
    cause = word(CAUSES[one.evident.cause], language) + (f" ({one.evident.stage})" if one.evident.stage else "")
    key = "disagree_only_seen" if visit.seen is Seen.USABLE else "disagree_only_evidence"
    said = word(key, language).format(
        where=where, time=local(visit.time_ns, zone), seen=word(SEEN_WORDS[visit.seen], language), cause=cause
    )
    remarks = f" [{visit.remarks}]" if visit.remarks else ""
    return f"{said}{remarks}"


def stratum_name(name: str, language: Language) -> str:
    """Return a stratum in people's language; counties that are not known keep their code."""
    county, _, area = name.partition("/")
    shown = COUNTIES.get(county, county) if language == "zh" else county
    return f"{shown} {word(_AREAS.get(area, 'area_unknown'), language)}"


def _headline(found: Agreement, language: Language) -> Iterator[str]:
    if found.estimate is None:
        yield word("nothing_compared" if found.not_visited < len(found.compared) else "no_results", language)
        return
    yield word("agreement_line", language).format(
        agreed=found.table.agreed, compared=found.table.total, **shares(found.estimate, language)
    )
    if found.estimate.covered < 1:
        covered = percent(found.estimate.covered, language)
        yield word("agreement_covers", language).format(covered=covered)


def _two_by_two(found: Agreement, language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("")
    for key in ("seen_was_usable", "seen_not_usable"):
        table.add_column(word(key, language), justify="right")
    numbers = found.table
    table.add_row(word("evidence_working", language), f"{numbers.both}", f"{numbers.only_evidence}")
    table.add_row(word("evidence_not_working", language), f"{numbers.only_seen}", f"{numbers.neither}")
    return table


def _strata(found: Agreement, language: Language) -> Table:
    table = _table(("stratum", "classes", "drawn", "compared", "agreed"), language)
    for one in found.strata:
        cells = (one.classes, one.drawn, one.compared, one.agreed)
        table.add_row(stratum_name(one.name, language), *(f"{number:,}" for number in cells))
    return table


def _left_out(found: Agreement, language: Language) -> Iterator[str]:
    if found.unknown:
        seen = ", ".join(f"{word(SEEN_WORDS[kind], language)} {number}" for kind, number in found.unknown.items())
        yield f"{word('evidence_unknown', language)}: {sum(found.unknown.values())} ({seen})"
    for key, number in (("seen_not_accessible", found.not_accessible), ("not_visited", found.not_visited)):
        if number:
            yield f"{word(key, language)}: {number}"


def _corrected(change: tuple[Visit, Visit], language: Language, zone: ZoneInfo) -> str:
    shown = [
        f"{word(SEEN_WORDS[one.seen], language)} {local(one.time_ns, zone) if one.time_ns else '–'}" for one in change
    ]
    return f"{word('corrected', language)}: {change[0].room}: {' → '.join(shown)}"


def _table(columns: Sequence[str], language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    numbers = ("classes", "drawn", "compared", "agreed", "results")
    for column in columns:
        table.add_column(word(column, language), justify="right" if column in numbers else "left")
    return table
