"""`santong report check`: a report recomputed, and every difference named."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from collector.commands.asking import Question, Source, Way, archived, pose, progress, reading, taken_from, verified
from collector.commands.common import (
    DEFAULT_DATA,
    AsJson,
    CalendarsOption,
    Data,
    EvidenceOption,
    FolderOption,
    KeyOption,
    Lang,
    RosterOption,
    StoreOption,
    TargetsOption,
    language_of,
)
from collector.words import Language
from contract import __version__
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.recheck import Difference
    from collector.report.model import Report

MOST_SHOWN = 50


class Checked(NamedTuple):
    """
    What a check found: the differences, and what of the file could not be compared and why.

    `not_compared` are keys of words: `evidence` without hashes in the report, `face` where another version made it or
    its figures are not the recomputed ones.
    """

    file: Path
    number: str
    fingerprint: str
    differences: "tuple[Difference, ...]"
    device_days: int
    not_compared: tuple[str, ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """How many differences there are of each kind."""
        return Counter(one.kind for one in self.differences)

    @property
    def is_altered(self) -> bool:
        """Tell whether anything differs that is not said to have come late."""
        return self.counts.total() > self.counts["late"]


def check(
    file: Annotated[Path, typer.Argument(help="A report: .json, .html, .xlsx or .pdf.", show_default=False)],
    evidence: EvidenceOption = None,
    key: KeyOption = None,
    roster: RosterOption = None,
    calendars: CalendarsOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    most: Annotated[int, typer.Option(help="How many differences are listed of each kind.", min=1)] = MOST_SHOWN,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Recompute a report from the evidence there is, and name every difference: late, or altered.

    Exit code 0: it is the same, but for what came late; 1: something was altered, or cannot be told; 2: it could not
    be recomputed.
    """
    from collector.commands.report_words import as_tree, print_checked  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415

    language = language_of(lang)
    with one_line_errors(), ExitStack() as parts:
        document = files.read(file)
        question = _question(file, document, (tuple(roster or ()), calendars, targets, folder), data)
        source = Source(data, time.time_ns())
        if evidence:
            source = parts.enter_context(archived(evidence, key, data, store, language))
        checked = _checked(file, document, question, source, store, language)
    if as_json:
        typer.echo(json.dumps(as_tree(checked, most), ensure_ascii=False, indent=2))
    else:
        print_checked(checked, most, language)
    raise typer.Exit(1 if checked.is_altered else 0)


def _question(
    file: Path,
    document: dict[str, Any],
    given: tuple[tuple[Path, ...], Path | None, Path | None, Path | None],
    data: Path,
) -> Question:
    """Return what a report was asked for, with the files that were given for the check."""
    report = document["report"]
    said = [report.get(name) for name in ("from", "to", "county", "site", "target")]
    if not all(isinstance(one, str) for one in said):
        fail(f"{file}: does not say what it is of: its from, to, county, site or target is missing")
    first, last, county, site, target = said
    return Question(first, last, county, site, target, *given, data)


def _checked(
    file: Path, document: dict[str, Any], question: Question, source: Source, store: str | None, language: Language
) -> Checked:
    from collector import recheck  # noqa: PLC0415
    from collector.evidence import software, spans_of  # noqa: PLC0415
    from collector.report.tree import canonical, fingerprint, tree_of  # noqa: PLC0415
    from collector.reporting import Hashing, Rest, report_of  # noqa: PLC0415

    known_ns = recheck.known_at(document)
    if known_ns is None:
        fail(f"{file}: does not say when its evidence was known")
    report = document["report"]
    archive = source.archive
    # As it was known then: what is at risk or over must not depend on when it is checked.
    source = source._replace(now_ns=source.now_ns if archive else known_ns)
    posed = pose(question, source)
    zone = posed.calendars.zone
    taken, newest = taken_from(source.data, is_counted=True)
    has_hashes = isinstance(document.get("leaves"), dict)
    with reading(source, store) as opened:
        way = Way(recompute=True, taken=taken, rates=not report.get("left_out"))
        found = verified(opened, posed.promise, source.now_ns, way, language)
        rest = Rest(posed.inputs, newest, Hashing(zone, has_hashes, archive), source.data, source.now_ns)
        with progress(language) as show:
            again = report_of(opened, posed.promise, found, _head(report, found.period, str(zone)), rest, show)
        days = spans_of((found.period.first, found.period.last), zone)
        is_its_own = archive is not None and archive.manifest.made_ns // 10**9 * 10**9 == known_ns
        now = recheck.Now(opened, source.data, days, known_ns, is_its_own)
        differences = [*recheck.of_itself(document), *recheck.of_software(document, software())]
        differences += recheck.of_inputs(document, again.basis, now)
        differences += recheck.of_evidence(document, again.basis, now)
    again = _as_correction(file, again, report)
    tree = json.loads(canonical(tree_of(again)))  # plain values, as the document has them
    differences += recheck.of_figures(document, tree, differences)
    missing = [] if has_hashes else ["evidence"]
    if file.suffix.lower() != ".json":
        if fingerprint(tree) == document["fingerprint"] and document["made"].get("version") == __version__:
            differences += _face(file, again, document)
        else:
            missing.append("face")
    evidence = again.basis.evidence
    return Checked(
        file,
        str(report.get("number")),
        document["fingerprint"],
        tuple(differences),
        evidence.device_days if evidence else 0,
        tuple(missing),
    )


def _head(report: dict[str, Any], period: Any, zone: str) -> Any:
    from collector.report.model import Head  # noqa: PLC0415

    scope = report["county"], report["site"], report["target"]
    return Head(str(report.get("number")), period.first, period.last, zone, *scope)


def _as_correction(file: Path, again: "Report", report: dict[str, Any]) -> "Report":
    """Return the report with what it says of the one that it corrects: that does not follow from the evidence now."""
    from collector.report.correction import correction_from  # noqa: PLC0415

    if not report.get("corrects"):
        return again
    try:
        return again._replace(correction=correction_from(report["corrects"]))
    except ValueError as error:
        fail(f"{file}: {error}")


def _face(file: Path, report: "Report", document: dict[str, Any]) -> "Iterator[Difference]":
    """Yield where a file shows something else than the same report does in either language, written anew."""
    from collector.recheck import ALTERED, FILE, Difference  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415
    from collector.report.model import Made  # noqa: PLC0415

    told = document["made"]
    at, version, known = (str(told.get(name, "")) for name in ("at", "version", "known"))
    made = Made(at, version, known, told.get("software") or {})
    with tempfile.TemporaryDirectory(prefix="santong-report-") as name:
        others: list[Path] = []
        languages: tuple[Language, ...] = ("zh", "en")
        for language in languages:
            other = Path(name) / f"{language}{file.suffix.lower()}"
            files.write(other, report, language, made)
            others.append(other)
        for place, shown, wanted in files.faces_differ(file, others):
            yield Difference(ALTERED, FILE, place, shown, wanted)
