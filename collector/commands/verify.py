"""`santong verify`: what was promised, against the evidence."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.commands.asking import (
    Question,
    Source,
    Way,
    advise,
    archived,
    pose,
    reading,
    taken_from,
    verified,
)
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
from collector.screen import console
from contract.command_line import one_line_errors


def verify(
    first: Annotated[str | None, typer.Option("--from", help="First day; else that of this month.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else yesterday.")] = None,
    county: Annotated[str, typer.Option(help="Only this county's sites, by its code.")] = "",
    site: Annotated[str, typer.Option(help="Only this site, by its id.")] = "",
    target: Annotated[str, typer.Option(help="Only this target.")] = "",
    roster: RosterOption = None,
    calendars: CalendarsOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    recompute: Annotated[bool, typer.Option("--recompute", help="Judge every day again, from its minutes.")] = False,
    disputes: Annotated[
        bool, typer.Option("--disputes/--no-disputes", help="With what was approved, and compared, or without it.")
    ] = True,
    rates: Annotated[
        bool | None,
        typer.Option(
            "--rates/--no-rates",
            help="Also journeys, use by lesson and completeness, for which every point is looked at; "
            "by default up to 10,000 device-days.",
        ),
    ] = None,
    evidence: EvidenceOption = None,
    key: KeyOption = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Say for each target, from the evidence: PASS, FAIL or NOT PROVEN, and why.

    Exit code 0: no target fails (some may not be proven); 1: a target fails; 2: it could not be verified.
    """
    from collector.commands.verify_json import as_tree  # noqa: PLC0415  YAML and holidays take their time
    from collector.commands.verify_words import screen_of  # noqa: PLC0415

    question = Question(first, last, county, site, target, tuple(roster or ()), calendars, targets, folder, data)
    language = language_of(lang)
    with one_line_errors(), ExitStack() as parts:
        source = Source(data, time.time_ns())
        if evidence:
            source = parts.enter_context(archived(evidence, key, data, store, language))
        promise, days, _ = pose(question, source)
        taken, head = taken_from(source.data, is_counted=disputes)
        way = Way(recompute or source.store is not None, taken, rates)
        with reading(source, store) as opened:
            found = verified(opened, promise, source.now_ns, way, language)
    advise(promise, days, source, language)
    tree = as_tree(found, days.zone, source.now_ns, head)
    if disputes and not evidence and not any(question[2:-1]):  # of all, by what is in DATA
        _keep(data, tree)
    if as_json:
        typer.echo(json.dumps(tree, ensure_ascii=False, indent=2))
    else:
        console().print(screen_of(found, language, days.zone, full_times=recompute))
    raise typer.Exit(1 if any(result.verdict == "fail" for result, _ in found.targets) else 0)


def _keep(data: Path, tree: dict[str, Any]) -> None:
    """Keep what was found of the whole city, for pages to show; where that fails it is said, and nothing else fails."""
    from collector.verdicts import FOLDER, keep  # noqa: PLC0415

    try:
        keep(data, tree)
    except OSError as error:
        typer.echo(f"{data / FOLDER}: not kept for the board and the API: {error.strerror}", err=True)
