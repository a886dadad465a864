"""`santong evidence`: archives of evidence, written, checked, shown."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from collector.commands.asking import advise_example
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
    days_asked,
    known_key,
    language_of,
    open_for_reading,
)
from collector.commands.evidence_roots import roots as roots_command
from collector.commands.evidence_words import PARTS, Outcome, print_manifest, print_outcome
from collector.screen import console
from collector.up import STORE_FILE
from collector.words import Language, word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.archive.read import Archive
    from collector.archive.scope import Span
    from collector.store.base import Store

app = typer.Typer(no_args_is_help=True, help="Evidence of a period as one signed file: write, check, show.")

app.command("roots")(roots_command)

MOST_SHOWN = 50
File = Annotated[Path, typer.Argument(help="An archive of evidence.", show_default=False)]
Key = Annotated[Path | None, typer.Option(help="Public key it must be signed with, PEM; else DATA's.")]
Show = Callable[[int, int, str], None]


@app.command()
def key(data: Data = DEFAULT_DATA) -> None:
    """Make the key that archives are signed with, in DATA/evidence, and print its fingerprint. Give that to others."""
    from collector.archive import keys  # noqa: PLC0415

    with one_line_errors():
        fingerprint = keys.create(data)
    typer.echo(f"{data / keys.FOLDER / keys.PUBLIC}  {fingerprint}")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is never written over.")],
    first: Annotated[str | None, typer.Option("--from", help="First day; else that of this month.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else yesterday.")] = None,
    roster: RosterOption = None,
    calendars: CalendarsOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Write all evidence of a period, and all else that verification reads, into one signed file."""
    from collector import evidence  # noqa: PLC0415  YAML and holidays take their time
    from collector.calendars.load import file_in, load  # noqa: PLC0415
    from collector.titles import FOLDER  # noqa: PLC0415
    from collector.verification import last_whole_day  # noqa: PLC0415

    language, now_ns = language_of(lang), time.time_ns()
    own = [folder] if folder else [FOLDER] if FOLDER.is_dir() else []
    with one_line_errors():
        period = days_asked(first, last, last_whole_day(now_ns, load(calendars or file_in(data)).zone))
        opened = open_for_reading(data, store)
        try:
            with _progress(language) as show:
                sources = evidence.Sources(data, roster or [], calendars, targets, own)
                manifest = evidence.export(out, opened, sources, period, now_ns, show)
        finally:
            opened.close()
    advise_example(calendars, data, language)
    if as_json:
        typer.echo(_as_text({"file": str(out), "bytes": out.stat().st_size, **manifest.as_json()}))
    else:
        print_manifest(out, manifest, language)


@app.command()
def check(
    file: File,
    key: Key = None,
    roots: Annotated[
        Path | None, typer.Option(help="Roots that somebody outside was handed: mails, chats, pasted into a file.")
    ] = None,
    most: Annotated[int, typer.Option(help="How many differences are listed.", min=1)] = MOST_SHOWN,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Check that an archive is as it was signed and, where there is a store, that both have the same evidence.

    With --roots its days are compared with their roots, too. Exit code 0: it is the same; what came late is named;
    1: the store has other rows, or a day is not that of its root; 2: the file is not as signed.
    """
    language = language_of(lang)
    with one_line_errors(), _opened(file, known_key(data, key)) as archive:
        from collector.archive.chain import beside  # noqa: PLC0415
        from collector.archive.pasted import pasted_roots  # noqa: PLC0415
        from collector.archive.whole import check_whole  # noqa: PLC0415

        given = pasted_roots(roots) if roots else None
        with _progress(language) as show:
            check_whole(archive, show)
        if not store and not os.environ.get("SANTONG_STORE") and not (data / STORE_FILE).is_file():
            outcome = Outcome(archive)
        else:
            opened = open_for_reading(data, store)
            try:
                with _progress(language) as show:
                    outcome = _compared(archive, opened, most, show)
            finally:
                opened.close()
        outcome.rooted = None if given is None else list(beside(archive, given))
    if as_json:
        typer.echo(_as_text(outcome.as_json()))
    else:
        print_outcome(outcome, language)
    raise typer.Exit(1 if outcome.is_altered else 0)


@app.command()
def show(
    file: File,
    device: Annotated[str, typer.Option(help="Print the evidence of this device instead.")] = "",
    day: Annotated[
        str, typer.Option(help="… of this day alone; before and after name what is around the period.")
    ] = "",
    key: Key = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Show what is in an archive: period, versions, hashes; with --device its evidence, as line protocol."""
    language = language_of(lang)
    with one_line_errors(), _opened(file, known_key(data, key)) as archive:
        if device or day:
            for line in _lines(archive, device, day):
                typer.echo(line.decode(), nl=False)
        elif as_json:
            typer.echo(_as_text(archive.manifest.as_json()))
        else:
            print_manifest(file, archive.manifest, language)


# ---- inside


def _compared(archive: "Archive", store: "Store", most: int, show: Show) -> Outcome:
    from collector.archive.compare import Comparison  # noqa: PLC0415

    outcome = Outcome(archive)
    comparison = Comparison(archive, store, show)
    for difference in comparison:
        # Of each kind some: what came late must not hide what was altered.
        if outcome.counts[difference.kind] < most:
            outcome.differences.append(difference)
        outcome.counts[difference.kind] += 1
    outcome.compared = comparison.compared
    return outcome


def _lines(archive: "Archive", device: str, day: str) -> Iterator[bytes]:
    from collector.archive.canonical import head_of, parts_of  # noqa: PLC0415

    for part in _parts(archive, day):
        for line in archive.lines(part):
            if not device or head_of(parts_of(line).head).device == device:
                yield line


def _parts(archive: "Archive", day: str) -> "list[Span]":
    parts = [part for part in archive.manifest.scope.parts if day in ("", part.name)]
    if not parts:
        fail(
            f"--day: {day!r} is not in it: it has {archive.manifest.first} … {archive.manifest.last}, before and after"
        )
    return parts


def _opened(file: Path, public: bytes | None) -> "Archive":
    from collector.archive.read import Archive  # noqa: PLC0415

    return Archive(file, public)


def _as_text(tree: object) -> str:
    return json.dumps(tree, ensure_ascii=False, indent=2)


@contextmanager
def _progress(language: Language) -> Iterator[Show]:
    """Show how far it is on stderr, where that is a terminal."""
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("…", total=None)
        yield lambda done, total, part: bar.update(
            task,
            completed=done,
            total=total,
            description=word(PARTS[part], language) if part in PARTS else part or "…",
        )
