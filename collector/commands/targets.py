"""`santong targets`: what was promised, and whether a file of targets is right."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from collector.commands.common import AsJson, Lang, language_of
from collector.screen import console
from collector.targets.schema import Programme, Rule, Target
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError
from contract.settings import plain

# YAML is imported by the commands that need it.
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Targets: what the programme promised, and which evidence proves it.",
)
_UNITS = {"site": "unit_site", "class": "unit_class", "device": "unit_device"}
_DIRECTIONS = {"download": "download", "upload": "upload"}
_EVIDENCE = {"measured": "measured", "declared": "declared"}
File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A file of targets; else the shipped one.", show_default=False)
]
Folder = Annotated[Path, typer.Option("--folder", help="Your own profiles, which targets may name.")]
OWN_PROFILES = Path("/etc/santong/profiles.d")


@app.command()
def check(file: File = None, folder: Folder = OWN_PROFILES) -> None:
    """Say everything that is wrong with a file of targets, with line and path. Exit code 1: mistakes."""
    if file and not file.is_file():
        fail(f"{file}: no such file")
    try:
        programme = _loaded(file, folder)
    except ConfigError as error:
        fail(error, 1)
    measured = sum(target.evidence == "measured" for target in programme.targets)
    declared = len(programme.targets) - measured
    typer.echo(f"{programme.id}: {measured} measured and {declared} declared targets are fine")


@app.command("list")
def list_(file: File = None, folder: Folder = OWN_PROFILES, as_json: AsJson = False, lang: Lang = None) -> None:
    """List the targets: project, deadline, what is counted, what makes a unit good, and how many must be."""
    language = language_of(lang)
    with one_line_errors():
        programme = _loaded(file, folder)
    if as_json:
        typer.echo(json.dumps(plain(programme), ensure_ascii=False, indent=2, default=str))
        return
    screen = console()
    title = programme.title.zh if language == "zh" else programme.title.en
    screen.print(Text(f"{programme.id}  {title}"))
    screen.print(_table(programme, language))


def _loaded(file: Path | None, folder: Path) -> Programme:
    from collector.targets.load import SHIPPED, load  # noqa: PLC0415

    is_used = folder != OWN_PROFILES or folder.is_dir()
    return load(file or SHIPPED, [folder] if is_used else [])


def _table(programme: Programme, language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("target", "project", "deadline", "evidence", "unit", "good_unit", "needed", "title"):
        table.add_column(word(column, language), no_wrap=column != "title")
    for target in programme.targets:
        is_measured = target.evidence == "measured"
        table.add_row(
            target.id,
            str(target.project or ""),
            str(target.deadline or ""),
            word(_EVIDENCE[target.evidence], language),
            word(_UNITS[target.unit], language) if is_measured else "",
            _rule(target.rule, language) if is_measured else _declared(target, language),
            _needed(target, language),
            Text(target.title.zh if language == "zh" else target.title.en),
        )
    return table


def _rule(rule: Rule, language: Language) -> str:
    """Return when a unit is good, in a few words."""

    def at_least(name: str, amount: str) -> str:
        return f"{word(name, language)} ≥ {amount}"

    if rule.availability is not None:
        return at_least("works", _percent(rule.availability))
    if rule.days is not None:
        minutes = word("lesson_minutes", language)
        return f"{rule.minutes} {minutes} · " + at_least("school_days", _percent(rule.days))
    if rule.throughput_mbps is not None:
        return at_least(_DIRECTIONS[rule.direction], f"{rule.throughput_mbps:g} Mbit/s")
    return word("reports", language)


def _declared(target: Target, language: Language) -> str:
    value = target.declared.value
    return word("not_declared", language) if value is None else _percent(value)


def _needed(target: Target, language: Language) -> str:
    """Return how many units must be good."""
    share = [] if target.share is None else [("" if target.share == 1 else "≥ ") + _percent(target.share)]
    count = [] if target.at_least is None else [f"≥ {target.at_least}"]
    return word("and", language).join(share + count)


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
