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
    from collector.archive.scope import Span
    from collector.recheck import Difference
    from collector.report.basis import Basis
    from collector.report.model import Report
    from collector.store.base import Store

MOST_SHOWN = 50
_KEPT_NS = 1000  # a report names the instant to the microsecond


class Checked(NamedTuple):
    """
    What a check found: the differences, and what of the file could not be compared and why.

    `not_compared` are keys of words: `evidence` without hashes in the report.
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
        files.can_be_made(file, "zh" if file.suffix.lower() == ".pdf" else language)
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
    """Recompute a report with what there was when it was made, and compare."""
    from collector import recheck  # noqa: PLC0415
    from collector.as_of import folder_as_of  # noqa: PLC0415
    from collector.corrections import plain  # noqa: PLC0415
    from collector.evidence import software  # noqa: PLC0415
    from collector.report.tree import fingerprint  # noqa: PLC0415

    known_ns = recheck.known_at(document)
    if known_ns is None:
        fail(f"{file}: does not say when its evidence was known")
    archive = source.archive
    with reading(source, store) as opened, tempfile.TemporaryDirectory(prefix="santong-as-of-") as name:
        then = source
        if archive is None:
            folder_as_of(source.data, Path(name), known_ns)
            then = source._replace(data=Path(name), now_ns=known_ns)
        again, days, latest = _again(document, question, (source, then), opened, language)
        is_its_own = archive is not None and archive.manifest.made_ns // _KEPT_NS * _KEPT_NS == known_ns
        now = recheck.Now(opened, days, known_ns, archive is not None, is_its_own)
        again, of_correction = _as_correction(file, document, again, source)
        differences = [
            *recheck.of_making(document, days[-1].end_ns, time.time_ns()),
            *recheck.of_itself(document),
            *recheck.of_software(document, software()),
            *recheck.of_inputs(document, again.basis, latest, now),
            *recheck.of_evidence(document, again.basis, now),
            *of_correction,
        ]
        evidence = again.basis.evidence
        devices = {device for leaves in evidence.leaves.values() for device in leaves} if evidence else set()
        late = recheck.late_sites(now, devices)
    tree = plain(again)
    differences += recheck.of_figures(document, tree, differences, late, now.worst)
    differences += recheck.of_the_rest(document, tree, differences)
    has_hashes = isinstance(document.get("leaves"), dict)
    if file.suffix.lower() != ".json":
        if fingerprint(tree) == document["fingerprint"] and document["made"].get("version") == __version__:
            differences += _face(file, again, document)
        else:
            differences.append(recheck.Difference(recheck.UNCLEAR, recheck.FILE, "face"))
    return Checked(
        file,
        str(document["report"].get("number")),
        document["fingerprint"],
        tuple(differences),
        evidence.device_days if evidence else 0,
        () if has_hashes else ("evidence",),
    )


def _again(
    document: dict[str, Any], question: Question, sources: tuple[Source, Source], store: "Store", language: Language
) -> "tuple[Report, list[Span], Basis]":
    """
    Return the report recomputed, its days, and what it would rest on now.

    `sources` are the one that there is now, and the one that there was when the report was made.
    """
    from collector.as_of import store_as_of  # noqa: PLC0415
    from collector.basis import basis_of, sampling_of  # noqa: PLC0415
    from collector.evidence import spans_of  # noqa: PLC0415
    from collector.reporting import Hashing, Rest, report_of  # noqa: PLC0415

    source, then = sources
    posed, latest = pose(question, then), pose(question, source)
    zone, period = posed.calendars.zone, posed.promise.period
    taken, newest = taken_from(then.data, is_counted=True)
    known = store_as_of(store, then.now_ns)
    way = Way(recompute=True, taken=taken, rates=not document["report"].get("left_out"))
    found = verified(known, posed.promise, then.now_ns, way, language)
    hashing = Hashing(zone, isinstance(document.get("leaves"), dict), source.archive)
    rest = Rest(posed.inputs, newest, hashing, then.data, then.now_ns)
    with progress(language) as show:
        again = report_of(known, posed.promise, found, _head(document["report"], period, str(zone)), rest, show)
    basis = basis_of(latest.inputs, period.first, None, source.archive)
    _, head = taken_from(source.data, is_counted=True)
    basis = basis._replace(disputes=head, sampling=sampling_of(source.data))
    return again, spans_of((period.first, period.last), zone), basis


def _head(report: dict[str, Any], period: Any, zone: str) -> Any:
    from collector.report.model import Head  # noqa: PLC0415

    scope = report["county"], report["site"], report["target"]
    return Head(str(report.get("number")), period.first, period.last, zone, *scope)


def _as_correction(
    file: Path, document: dict[str, Any], again: "Report", source: Source
) -> "tuple[Report, list[Difference]]":
    """
    Return the report with what it says of the one that it corrects, and what of that cannot be told.

    An archive has the report before within; beside a store it is known where this report was closed and signed.
    """
    from collector.closings import is_signed_as_closed  # noqa: PLC0415
    from collector.corrections import corrected_by  # noqa: PLC0415
    from collector.recheck import UNCLEAR, Difference  # noqa: PLC0415
    from collector.report.correction import correction_from  # noqa: PLC0415

    said = document["report"].get("corrects")
    if source.archive:
        return corrected_by(again, source.data), []
    if not said:
        return again, []
    try:
        again = again._replace(correction=correction_from(said))
    except ValueError as error:
        fail(f"{file}: {error}")
    if is_signed_as_closed(source.data, document["fingerprint"]):
        return again, []
    return again, [Difference(UNCLEAR, "file", "corrects")]


def _face(file: Path, report: "Report", document: dict[str, Any]) -> "Iterator[Difference]":
    """Yield where a file shows something else than the same report does in either language, written anew."""
    from collector.recheck import ALTERED, FILE, Difference  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415
    from collector.report.model import Made  # noqa: PLC0415

    told = document["made"]
    at, version, known = (str(told.get(name, "")) for name in ("at", "version", "known"))
    made = Made(at, version, known, told.get("software") or {})
    languages: tuple[Language, ...] = ("zh", "en")
    with tempfile.TemporaryDirectory(prefix="santong-report-") as name:

        def written(language: Language) -> Path:
            other = Path(name) / f"{language}{file.suffix.lower()}"
            files.write(other, report, language, made)
            return other

        for place, shown, wanted in files.faces_differ(file, map(written, languages)):
            yield Difference(ALTERED, FILE, place, shown, wanted)
