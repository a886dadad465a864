"""`santong report`: what verification found, as a file to be signed and filed."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.asking import Question, Source, Way, advise, promise_for, reading, taken_from, verified
from collector.commands.common import DEFAULT_DATA, CalendarsOption, Data, Lang, StoreOption, language_of
from collector.words import Language, word
from contract import __version__
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.report.model import Head, Report
    from collector.verification import Verified
    from collector.verify.period import Period
    from collector.verify.throughput import Test

_KINDS = ("html", "pdf", "xlsx", "json")


def report(
    out: Annotated[Path, typer.Option("--out", help="The file: .html, .pdf, .xlsx or .json says which kind.")],
    first: Annotated[str | None, typer.Option("--from", help="First day; else that of this month.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else yesterday.")] = None,
    number: Annotated[str, typer.Option(help="The report's number; else it is made of scope and period.")] = "",
    visits: Annotated[bool, typer.Option("--visits", help="The visit list alone, as HTML or PDF.")] = False,
    county: Annotated[str, typer.Option(help="Only this county's sites, by its code.")] = "",
    site: Annotated[str, typer.Option(help="Only this site, by its id.")] = "",
    target: Annotated[str, typer.Option(help="Only this target.")] = "",
    roster: Annotated[
        list[Path] | None, typer.Option(help="CSV or XLSX, instead of the versions in DATA; can be repeated.")
    ] = None,
    calendars: CalendarsOption = None,
    targets: Annotated[Path | None, typer.Option(help="File of targets; else the shipped one.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Your own profiles, which targets may name.")] = None,
    recompute: Annotated[bool, typer.Option("--recompute", help="Judge every day again, from its minutes.")] = False,
    rates: Annotated[
        bool | None,
        typer.Option("--rates/--no-rates", help="As `santong verify`: also what every point is looked at for."),
    ] = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
) -> None:
    """
    Write what verification finds as a report: one file to be signed, printed, filed and recomputed.

    Exit code 0: it was written, whatever it says; 2: it was not.
    """
    from collector.rates import tests  # noqa: PLC0415

    language, kind = language_of(lang), _kind(out, only_visits=visits)
    source = Source(data, time.time_ns())
    question = Question(first, last, county, site, target, tuple(roster or ()), calendars, targets, folder, data)
    with one_line_errors():
        if kind == "pdf":
            _pdf_can_be_made(language)
        promise, days = promise_for(question, source)
        taken, _ = taken_from(data, is_counted=True)
        with reading(source, store) as opened:
            found = verified(opened, promise, source.now_ns, Way(recompute, taken, rates), language)
            some = [test for test in tests(opened, promise.start_ns, promise.end_ns) if found.takes(test)]
        head = _head(found.period, str(days.zone), question, number)
        made = datetime.fromtimestamp(source.now_ns // 10**9, days.zone).isoformat()
        _write(out, _report(found, some, head), (kind, language, made), only_visits=visits)
    advise(promise, days, source, language)
    if found.disputes:
        typer.echo(word("report_disputes", language).format(number=len(found.disputes)), err=True)
    typer.echo(str(out))


def _kind(out: Path, *, only_visits: bool) -> str:
    kind = out.suffix.removeprefix(".").lower()
    if kind not in _KINDS:
        fail(f"--out: {out.name!r} ends in none of {', '.join(f'.{one}' for one in _KINDS)}")
    if only_visits and kind not in ("html", "pdf"):
        fail("--visits: the visit list alone is written as .html or .pdf; the other files have it as a part")
    if not out.parent.is_dir():
        fail(f"--out: there is no folder {out.parent}")
    return kind


def _head(period: "Period", zone: str, question: Question, number: str) -> "Head":
    from collector.report.model import Head  # noqa: PLC0415

    scope = question.site or question.county or "all"
    made = number or f"ST-{scope}-{period.first:%Y%m%d}-{period.last:%Y%m%d}"
    return Head(made, period.first, period.last, zone, question.county, question.site)


def _report(found: "Verified", tests: "list[Test]", head: "Head") -> "Report":
    from collector.report.build import Found, build  # noqa: PLC0415
    from collector.roster.columns import COUNTIES  # noqa: PLC0415

    doubts = [finding for finding in found.findings if finding not in found.decided]
    parts = (found.period, found.targets, found.records, tests, doubts, found.rates, found.left_out, COUNTIES)
    return build(Found(*parts), head)


def _write(out: Path, report: "Report", how: tuple[str, Language, str], *, only_visits: bool) -> None:
    """Write the file whole or not at all: what is there already is replaced by a whole one."""
    from collector.report.html import Limits, Made, html_of  # noqa: PLC0415

    kind, language, made_at = how
    made = Made(made_at, __version__)
    part = out.with_name(f".{out.name}.part")
    try:
        if kind == "html":
            part.write_text(html_of(report, language, made, Limits(visits_only=only_visits)), encoding="utf-8")
        elif kind == "json":
            from collector.report.document import document_of  # noqa: PLC0415

            part.write_bytes(document_of(report, made))
        elif kind == "xlsx":
            from collector.report.xlsx import write_xlsx  # noqa: PLC0415

            write_xlsx(part, report, language, made)
        else:
            from collector.report.pdf import PDF_LIMITS, pdf_of  # noqa: PLC0415

            part.write_bytes(pdf_of(html_of(report, language, made, PDF_LIMITS._replace(visits_only=only_visits))))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _pdf_can_be_made(language: Language) -> None:
    """End the command at once where nothing can be made of the verdicts in the end."""
    from collector.report.pdf import check  # noqa: PLC0415

    check(language)
