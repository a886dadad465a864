"""`santong report`: what verification found, as a file to be signed and filed; and its check."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.asking import (
    Question,
    Source,
    Way,
    advise,
    archived,
    pose,
    progress,
    reading,
    taken_from,
    verified,
)
from collector.commands.common import (
    DEFAULT_DATA,
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
from collector.commands.report_check import check
from collector.words import word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.report.model import Head
    from collector.verify.period import Period

app = typer.Typer(invoke_without_command=True, no_args_is_help=True)
app.command()(check)

_KINDS = ("html", "pdf", "xlsx", "json")


@app.callback()
def report(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="The file: .html, .pdf, .xlsx or .json.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day; else that of this month.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else yesterday.")] = None,
    number: Annotated[str, typer.Option(help="The report's number; else it is made of scope and period.")] = "",
    visits: Annotated[bool, typer.Option("--visits", help="The visit list alone, as HTML or PDF.")] = False,
    county: Annotated[str, typer.Option(help="Only this county's sites, by its code.")] = "",
    site: Annotated[str, typer.Option(help="Only this site, by its id.")] = "",
    target: Annotated[str, typer.Option(help="Only this target.")] = "",
    roster: RosterOption = None,
    calendars: CalendarsOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    recompute: Annotated[bool, typer.Option("--recompute", help="Judge every day again, from its minutes.")] = False,
    rates: Annotated[
        bool | None,
        typer.Option("--rates/--no-rates", help="As `santong verify`: also what every point is looked at for."),
    ] = None,
    hashes: Annotated[
        bool | None,
        typer.Option("--hashes/--no-hashes", help="Hash each device-day of evidence; by default up to 10,000."),
    ] = None,
    evidence: EvidenceOption = None,
    key: KeyOption = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
) -> None:
    """
    Write what verification finds as a report: one file to be signed, printed, filed and recomputed.

    Exit code 0: it was written, whatever it says; 2: it was not.
    """
    if context.invoked_subcommand:
        return
    language, file = language_of(lang), _file(out, only_visits=visits)
    question = Question(first, last, county, site, target, tuple(roster or ()), calendars, targets, folder, data)
    with one_line_errors(), ExitStack() as parts:
        from collector.report import files  # noqa: PLC0415
        from collector.reporting import Hashing, Rest, made_at, report_of  # noqa: PLC0415

        files.can_be_made(file, language)
        now_ns = time.time_ns() // 1000 * 1000  # as the report tells it: who recomputes it knows no more
        source = Source(data, now_ns)
        if evidence:
            source = parts.enter_context(archived(evidence, key, data, store, language))
        posed = pose(question, source)
        promise, zone = posed.promise, posed.calendars.zone
        taken, newest = taken_from(source.data, is_counted=True)
        with reading(source, store) as opened:
            way = Way(recompute or source.store is not None, taken, rates)
            found = verified(opened, promise, source.now_ns, way, language)
            head = _head(found.period, str(zone), question, number)
            rest = Rest(posed.inputs, newest, Hashing(zone, hashes, source.archive), source.data, source.now_ns)
            with progress(language) as show:
                made = report_of(opened, promise, found, head, rest, show)
        files.write(file, made, language, made_at(now_ns, source.now_ns, zone), only_visits=visits)
    advise(promise, posed.calendars, source, language)
    if found.disputes:
        typer.echo(word("report_disputes", language).format(number=len(found.disputes)), err=True)
    typer.echo(str(file))


def _file(out: Path | None, *, only_visits: bool) -> Path:
    if out is None:
        fail("--out: names the file that is written, such as march.pdf")
    kind = out.suffix.removeprefix(".").lower()
    if kind not in _KINDS:
        fail(f"--out: {out.name!r} ends in none of {', '.join(f'.{one}' for one in _KINDS)}")
    if only_visits and kind not in ("html", "pdf"):
        fail("--visits: the visit list alone is written as .html or .pdf; the other files have it as a part")
    if not out.parent.is_dir():
        fail(f"--out: there is no folder {out.parent}")
    return out


def _head(period: "Period", zone: str, question: Question, number: str) -> "Head":
    from collector.report.model import Head  # noqa: PLC0415

    scope = question.site or question.county or "all"
    made = number or f"ST-{scope}-{period.first:%Y%m%d}-{period.last:%Y%m%d}"
    return Head(made, period.first, period.last, zone, question.county, question.site, question.target)
