"""`santong form`: the city's own statistics form, filled from a report."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collector.commands.common import DEFAULT_DATA, Data
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError

if TYPE_CHECKING:
    from collector.report.form import Mapped
    from collector.roster.schema import Site

# YAML and openpyxl are imported by the commands that need them.
app = typer.Typer(no_args_is_help=True, help="The city's own XLSX form, filled from a report by a mapping file.")

MappingFile = Annotated[Path, typer.Argument(metavar="MAPPING", help="The mapping file, YAML.", show_default=False)]
Lossy = Annotated[
    bool, typer.Option("--lossy", help="Fill a template with pictures or charts all the same: they are lost.")
]
_MOST_SHOWN = 60


@app.command()
def check(mapping: MappingFile, lossy: Lossy = False) -> None:
    """Say everything that is wrong with a mapping file and its template, without a report. Exit code 1: mistakes."""
    mapped = _loaded(mapping, lossy=lossy, code=1)
    form = mapped.form
    typer.echo(f"{mapping}: {len(form.cells)} cells and {len(form.tables)} tables of {mapped.template.name} are fine")


@app.command()
def fill(
    mapping: MappingFile,
    report: Annotated[Path, typer.Option("--report", help="The report, as .json: its figures are the ones filled in.")],
    out: Annotated[Path, typer.Option("--out", help="The filled form, .xlsx.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing while a row of the form or an entry has no match.")
    ] = False,
    lossy: Lossy = False,
    roster: Annotated[
        list[Path] | None,
        typer.Option(help="CSV or XLSX with names of sites, instead of the versions in DATA; can be repeated."),
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """
    Fill a form from a report's JSON file, whose fingerprint is checked first.

    Exit code 0: it was written; 1: it was not, for something has no match and --strict says so; 2: it was not written.
    """
    from collector.report.form import fill as filled  # noqa: PLC0415
    from collector.report.form import read_report  # noqa: PLC0415
    from collector.roster.columns import COUNTIES  # noqa: PLC0415

    mapped = _loaded(mapping, lossy=lossy, code=2)
    _can_be_written(out, (mapped.template, report, mapping))
    with one_line_errors():
        tree = read_report(report)
        done = filled(mapped, tree, _sites(roster or [], data, tree), COUNTIES)
        for line in done.unmatched:
            typer.echo(line, err=True)
        if strict and done.unmatched:
            fail(f"{out}: not written: {len(done.unmatched)} have no match (--strict)", 1)
        for place in done.empty:
            typer.echo(f"{place}: empty, the report has no value", err=True)
        done.save(out)
    typer.echo(str(out))


@app.command()
def paths(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="The report, as .json.", show_default=False)],
    under: Annotated[str, typer.Argument(metavar="[PATH]", help="Only what is under this path.")] = "",
) -> None:
    """List what a mapping file can name in a report: each path with its value; of a list all names, and one entry."""
    from collector.report.form import read_report  # noqa: PLC0415
    from collector.report.form_paths import BadPath, Record, scalar, steps_of, walk  # noqa: PLC0415

    with one_line_errors():
        tree = read_report(report)
    try:
        start = scalar(walk(Record(tree, None, is_entry=True), steps_of(under)), under) if under else tree
    except BadPath as error:
        fail(error)
    for line in _paths(start, under):
        typer.echo(line)


def _paths(value: Any, path: str) -> Iterator[str]:
    from collector.report.form_paths import identity  # noqa: PLC0415

    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        names = [identity(one) for one in value]
        yield f"{path}[]  {len(names)}: {_short(', '.join(names))}"
        yield from _paths(value[0], _entry(path, names[0]))
    else:
        yield f"{path}  {_short(json.dumps(value, ensure_ascii=False))}"


def _entry(path: str, name: str) -> str:
    from collector.report.form_paths import is_plain  # noqa: PLC0415

    return f"{path}.{name}" if is_plain(name) else f"{path}[{name}]"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _loaded(mapping: Path, *, lossy: bool, code: int) -> "Mapped":
    from collector.report.form import load  # noqa: PLC0415

    try:
        mapped = load(mapping)
    except ConfigError as error:
        fail(error, code)
    if mapped.lost and not lossy:
        what = ", ".join(mapped.lost)
        fail(f"{mapped.template}: has {what}, which would be lost: take them out, or lose them with --lossy", code)
    return mapped


def _can_be_written(out: Path, sources: tuple[Path, ...]) -> None:
    if out.suffix.lower() != ".xlsx":
        fail(f"--out: {out.name!r} does not end in .xlsx")
    if not out.parent.is_dir():
        fail(f"--out: there is no folder {out.parent}")
    for source in sources:
        if out.exists() and source.exists() and out.samefile(source):
            fail(f"--out: {out} is what is read: name another file")


def _sites(files: list[Path], data: Path, report: dict[str, Any]) -> "dict[str, Site]":
    """Return what the roster says of sites on the report's last day; nothing where there is no roster."""
    from collector.roster.read import read  # noqa: PLC0415
    from collector.roster.versions import Versions  # noqa: PLC0415

    if files:
        reading = read(files)
        if reading.errors:
            fail("\n".join(map(str, reading.errors)))
        return dict(reading.roster.sites)
    versions = Versions(data)
    version = versions.in_force(date.fromisoformat(report["to"]))
    return dict(versions.roster(version).sites) if version else {}
