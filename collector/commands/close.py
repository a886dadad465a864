"""`santong close`: a month's report, numbered and frozen with its evidence; and its corrections."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from collector.closings import ARCHIVE, BadClosing, Closing, Closings, Month, New, Told, month_of
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
    KeyOption,
    Lang,
    RosterOption,
    StoreOption,
    TargetsOption,
    calendars_of,
    known_key,
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
    closings: Closings


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
    key: KeyOption = None,
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

        closings = Closings(data, known_key(data, key))
        if every:
            raise typer.Exit(_list(closings, language, as_json=as_json))
        wanted = _month(month, calendars, data, now_ns)
        own = [folder] if folder else [FOLDER] if FOLDER.is_dir() else []
        sources = Sources(data, tuple(roster or ()), calendars, targets, own)
        kinds = tuple(kind for kind in KINDS if with_pdf or kind != "pdf")
        told = number, by or operator(), reason, kinds, language, now_ns, closings
        closing, since = _closed(Order(wanted, sources, store, *told), despite=despite)
    advise_example(calendars, data, language)
    if closing:
        place = closings.folder / closing.id
        said: dict[str, Any] = {"closed": closing._asdict(), "folder": str(place)}
        _say(said, f"{word('close_done', language)} {place}", as_json=as_json)
    else:
        _say({"closed": None, "since": since}, f"{word('close_nothing', language)} {since}", as_json=as_json)


def _closed(order: Order, *, despite: bool) -> tuple[Closing | None, str]:
    """Close a month or correct it; return what was written, if anything, and the id of what was closed before."""
    _files_can_be_made(order)
    with order.closings.new(order.month) as new:
        since = new.corrects.id if new.corrects else ""
        correction = _correction(new, order, despite=despite) if new.corrects else None
        if new.corrects and correction is None:
            return None, since
        return _close(new, order, correction), since


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

    for option, text in (("--number", order.number), ("--by", order.by), ("--reason", order.reason)):
        if not text.isprintable():
            fail(f"{option}: has characters that cannot be printed")
    Signer(order.sources.data)
    for kind in order.kinds:
        files.can_be_made(Path(f"report.{kind}"), order.language)


def _close(new: New, order: Order, correction: "Correction | None") -> Closing | None:
    """Write the archive, and from it the report in all its kinds; None where a correction would say nothing new."""
    from collector import evidence  # noqa: PLC0415
    from collector.archive.keys import Signer  # noqa: PLC0415
    from collector.corrections import files_of  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415
    from collector.report.tree import fingerprint, tree_of  # noqa: PLC0415
    from collector.reporting import made_at  # noqa: PLC0415

    archive, sources = new.path / f"{new.id}.{ARCHIVE}", order.sources
    if correction and new.corrects:
        before = order.closings.file(new.corrects, new.corrects.document)
        sources = sources._replace(more=files_of(correction, before.read_bytes()))
    opened = open_for_reading(sources.data, order.store)
    try:
        with progress(order.language) as show:
            period = order.month.first, order.month.last
            told = lambda done, total, _: show(done, total, "archiving")  # noqa: E731
            evidence.export(archive, opened, sources, period, order.now_ns, told)
    finally:
        opened.close()
    report, known_ns, zone = _reported(archive, new, order)
    if correction and not correction.rows and _is_as_before(report, before):
        return None
    made = made_at(order.now_ns, known_ns, zone)
    for kind in order.kinds:
        files.write(new.path / f"{new.id}.{kind}", report, order.language, made)
    said = Told(report.head.number, made.at, order.by, fingerprint(tree_of(report)))
    return new.finish(Signer(sources.data), said)


def _reported(archive: Path, new: New, order: Order) -> "tuple[Report, int, Any]":
    """Return the report of an archive alone: what is not in it does not count."""
    from collector.corrections import corrected_by  # noqa: PLC0415
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
            report = report_of(opened, posed.promise, found, head, rest)
        return corrected_by(report, source.data), source.now_ns, zone


def _is_as_before(report: "Report", before: Path) -> bool:
    """Tell whether a report says what the one before did: nothing that changed since concerns it."""
    from collector.corrections import plain  # noqa: PLC0415
    from collector.report import files  # noqa: PLC0415

    now, then = plain(report), files.read(before)["report"]
    apart = {"number", "basis", "corrects", "disputes_head"}
    return {name: now[name] for name in now.keys() - apart} == {name: then[name] for name in then.keys() - apart}


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
    rows: Counter[str] = Counter()
    with Archive(order.closings.file(before, before.archive), order.closings.public) as archive:
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
