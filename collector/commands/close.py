"""`santong close`: a month's report, numbered and frozen with its evidence; and its corrections."""

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from collector.closings import ARCHIVE, BadClosing, Closing, Closings, Month, New, month_of
from collector.commands.asking import (
    Question,
    Way,
    advise_example,
    archived,
    pose,
    progress,
    reading,
    taken_from,
    verified,
)
from collector.commands.common import (
    DEFAULT_DATA,
    AsJson,
    CalendarsOption,
    Data,
    FolderOption,
    Lang,
    RosterOption,
    StoreOption,
    TargetsOption,
    calendars_of,
    language_of,
    open_for_reading,
)
from collector.screen import console
from collector.whoami import operator
from collector.words import Language, word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.evidence import Sources
    from collector.report.correction import Correction
    from collector.report.model import Report

KINDS = ("html", "pdf", "xlsx", "json")


class Order(NamedTuple):
    """What is to be closed: the month, where everything is, and what people say of it."""

    month: Month
    sources: "Sources"
    store: str | None
    number: str
    by: str
    reason: str
    kinds: tuple[str, ...]
    language: Language
    now_ns: int


def close(
    month: Annotated[
        str | None, typer.Argument(help="The month, 2026-03; it must be over.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--list", help="List what was closed, and check it, instead.")] = False,
    number: Annotated[str, typer.Option(help="The report's number; else ST-2026-03.")] = "",
    by: Annotated[str, typer.Option(help="Who closes it; else the login.")] = "",
    reason: Annotated[str, typer.Option(help="Of a correction: why, in words.")] = "",
    despite: Annotated[
        bool, typer.Option("--despite-alterations", help="Correct although evidence was altered; the report says so.")
    ] = False,
    with_pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="With the report as PDF.")] = True,
    roster: RosterOption = None,
    calendars: CalendarsOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Close a month: freeze its numbered report with all evidence that it follows from, signed, in DATA/reports.

    Closed again, it gives a numbered correction, where anything came later. Exit code 0: closed, or nothing changed; 1:
    evidence was altered since, and nothing was written; with --list: what was closed is not as signed; 2: it could not
    be closed.
    """
    language, now_ns = language_of(lang), time.time_ns()
    with one_line_errors():
        from collector.evidence import Sources  # noqa: PLC0415
        from collector.titles import FOLDER  # noqa: PLC0415

        if every:
            raise typer.Exit(_list(Closings(data), language, as_json=as_json))
        wanted = _month(month, calendars, data, now_ns)
        own = [folder] if folder else [FOLDER] if FOLDER.is_dir() else []
        sources = Sources(data, tuple(roster or ()), calendars, targets, own)
        kinds = tuple(kind for kind in KINDS if with_pdf or kind != "pdf")
        order = Order(wanted, sources, store, number, by or operator(), reason, kinds, language, now_ns)
        _files_can_be_made(order)
        with Closings(data).new(wanted) as new:
            correction = _correction(new, order, despite=despite) if new.corrects else None
            if new.corrects and correction is None:
                said: dict[str, Any] = {"closed": None, "since": new.corrects.id}
                _say(said, f"{word('close_nothing', language)} {new.corrects.id}", as_json=as_json)
                return
            closing = _close(new, order, correction)
    advise_example(calendars, data, language)
    said = {"closed": closing._asdict(), "folder": str(Closings(data).folder / closing.id)}
    _say(said, f"{word('close_done', language)} {said['folder']}", as_json=as_json)


def _say(tree: dict[str, Any], text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(tree, ensure_ascii=False, indent=2) if as_json else text)


def _month(text: str | None, calendars: Path | None, data: Path, now_ns: int) -> Month:
    from collector.verification import last_whole_day  # noqa: PLC0415

    if text is None:
        fail("which month? Such as: santong close 2026-03")
    try:
        found = month_of(text)
    except ValueError as error:
        fail(str(error))
    over = last_whole_day(now_ns, calendars_of(calendars, data).zone)
    if found.last > over:
        fail(f"{found} is not over yet: the last day that is over is {over}")
    return found


def _files_can_be_made(order: Order) -> None:
    from collector.archive.keys import Signer  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415

    if re.search(r"[\x00-\x1f]", order.number):
        fail("--number: has characters that cannot be printed")
    Signer(order.sources.data)
    for kind in order.kinds:
        files.can_be_made(Path(f"report.{kind}"), order.language)


def _close(new: New, order: Order, correction: "Correction | None") -> Closing:
    """Write the archive, and from it the report in all its kinds."""
    from collector import evidence  # noqa: PLC0415
    from collector.archive.keys import Signer  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415
    from collector.report.tree import fingerprint, tree_of  # noqa: PLC0415
    from collector.reporting import made_at  # noqa: PLC0415

    archive = new.path / f"{new.id}.{ARCHIVE}"
    opened = open_for_reading(order.sources.data, order.store)
    try:
        with progress(order.language) as show:
            period = order.month.first, order.month.last
            sources = order.sources
            evidence.export(
                archive, opened, sources, period, order.now_ns, lambda done, all_, _: show(done, all_, "archiving")
            )
    finally:
        opened.close()
    report, known_ns, zone = _reported(archive, new, order)
    if correction:
        report = _corrected(report, correction, new, order)
    made = made_at(order.now_ns, known_ns, zone)
    for kind in order.kinds:
        files.write(new.path / f"{new.id}.{kind}", report, order.language, made)
    signer = Signer(order.sources.data)
    return new.finish(signer, report.head.number, order.by, made.at, fingerprint(tree_of(report)))


def _reported(archive: Path, new: New, order: Order) -> "tuple[Report, int, Any]":
    """Return the report of an archive alone: what is not in it does not count."""
    from collector.report.model import Head  # noqa: PLC0415
    from collector.reporting import Hashing, Rest, report_of  # noqa: PLC0415

    data = order.sources.data
    with archived(archive, None, data, None, order.language) as source:
        posed = pose(Question(None, None, "", "", "", (), None, None, None, data), source)
        zone = posed.calendars.zone
        taken, newest = taken_from(source.data, is_counted=True)
        with reading(source, None) as opened:
            found = verified(opened, posed.promise, source.now_ns, Way(recompute=True, taken=taken), order.language)
            head = Head(order.number or new.id, found.period.first, found.period.last, str(zone))
            rest = Rest(posed.inputs, newest, Hashing(zone, None, source.archive), source.data, source.now_ns)
            return report_of(opened, posed.promise, found, head, rest), source.now_ns, zone


def _correction(new: New, order: Order, *, despite: bool) -> "Correction | None":
    """Return what came since the month was closed last, without its figures; None: nothing did."""
    from collector.archive.compare import KINDS as ROWS  # noqa: PLC0415
    from collector.archive.compare import LATE, Comparison  # noqa: PLC0415
    from collector.archive.read import Archive  # noqa: PLC0415
    from collector.evidence import changed_inputs  # noqa: PLC0415
    from collector.report.correction import Correction  # noqa: PLC0415

    before = new.corrects
    if before is None:
        raise BadClosing("there is nothing to correct")
    closings = Closings(order.sources.data)
    rows: Counter[str] = Counter()
    with Archive(closings.file(before, before.archive)) as archive:
        inputs = changed_inputs(archive, order.sources, (order.month.first, order.month.last), order.now_ns)
        opened = open_for_reading(order.sources.data, order.store)
        try:
            with progress(order.language) as show:
                comparison = Comparison(archive, opened, lambda done, total, _: show(done, total, "comparing"))
                rows.update(one.kind for one in comparison)
        finally:
            opened.close()
        file = archive.file
    if not rows and not inputs:
        return None
    if rows.total() > rows[LATE] and not despite:
        counted = ", ".join(f"{kind} {rows[kind]:,}" for kind in ROWS if rows[kind])
        typer.echo(word("close_altered", order.language).format(id=before.id, counted=counted, file=file), err=True)
        raise typer.Exit(1)
    counts = {kind: rows[kind] for kind in ROWS if rows[kind]}
    return Correction(before.number, before.fingerprint, before.closed_at, counts, inputs, order.reason)


def _corrected(report: "Report", correction: "Correction", new: New, order: Order) -> "Report":
    """Return a report with what it corrects: the figures that are others than those of the one before."""
    from collector.report import files  # noqa: PLC0415
    from collector.report.correction import moved  # noqa: PLC0415
    from collector.report.tree import canonical, tree_of  # noqa: PLC0415

    if new.corrects is None:
        return report
    before = files.read(Closings(order.sources.data).file(new.corrects, new.corrects.document))
    targets, units = moved(before["report"], json.loads(canonical(tree_of(report))))
    return report._replace(correction=correction._replace(targets=targets, units=units))


def _list(closings: Closings, language: Language, *, as_json: bool) -> int:
    """Print what was closed, each with whether it is as signed; return the exit code."""
    every = closings.every()
    flaws = {one.id: list(closings.flaws(one)) for one in every}
    if as_json:
        typer.echo(
            json.dumps([one._asdict() | {"flaws": flaws[one.id]} for one in every], ensure_ascii=False, indent=2)
        )
    else:
        screen = console()
        for one in every:
            state = word("as_signed" if not flaws[one.id] else "evidence_altered", language)
            corrects = f"  {word('close_corrects', language)} {one.corrects}" if one.corrects else ""
            text = (
                f"{one.id}  {one.number}  {one.closed_at}  {one.closed_by}  {one.fingerprint[:16]}  {state}{corrects}"
            )
            screen.print(text, soft_wrap=True, markup=False, highlight=False)
            for flaw in flaws[one.id]:
                screen.print(f"  {flaw}", soft_wrap=True, markup=False, highlight=False, style="red")
    return 1 if any(flaws.values()) else 0
