"""`santong-agent profiles`, and `santong profiles`: the profiles there are, whether they are right, which one fits."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.config import PROFILES_FOLDER
from agent.profiles import cli_device
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from contract.settings import plain
from firmware_profiles.schema import Match

if TYPE_CHECKING:
    from firmware_profiles.library import Library

# YAML, and all that reads it, is imported by the commands that need it: others of the agent start without.
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Profiles of hardware and firmware models, shipped and of your own.",
)
cli_device.add_to(app)

Folder = Annotated[Path, typer.Option("--folder", help="Your own profiles, which stand above the shipped ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(folder: Folder = PROFILES_FOLDER, as_json: AsJson = False) -> None:
    """List every profile: its role, whether it was tried on the hardware itself, where it comes from."""
    from agent.profiles import show as shown  # noqa: PLC0415
    from agent.profiles.resolve import library  # noqa: PLC0415

    rows, broken = [], []
    with one_line_errors():
        profiles = library(folder)
        for name in profiles.ids():
            try:
                rows.append(shown.row_of(profiles, name))
            except ConfigError as error:
                broken.append(str(error))
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2) if as_json else "\n".join(shown.as_table(rows)))
    if broken:
        fail("\n".join(broken))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The profile's id.")],
    folder: Folder = PROFILES_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show a profile with all that it inherits, and in which file each part stands."""
    from agent.profiles import show as shown  # noqa: PLC0415
    from agent.profiles.resolve import library  # noqa: PLC0415

    with one_line_errors():
        profiles = library(folder)
        if as_json:
            row, origins = shown.row_of(profiles, name), shown.origins_of(profiles.document(name))
            whole = {"profile": plain(profiles.get(name)), "from": row["from"], "replaces": row["replaces"]}
            typer.echo(json.dumps(whole | {"origins": origins}, ensure_ascii=False, indent=2))
            return
        for line in shown.as_yaml(profiles, name):
            typer.echo(line)


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", help="Files, or folders of them.")] = None,
    folder: Folder = PROFILES_FOLDER,
) -> None:
    """Say everything that is wrong with profiles, with file and line. Without FILE: all. Exit code 1: errors."""
    with one_line_errors():
        profiles, names = _chosen(files or [], folder)
        flaws = profiles.check(names)
    for flaw in flaws:
        typer.echo(str(flaw), err=True)
    if flaws:
        raise typer.Exit(1)
    count = len(profiles.ids() if names is None else names)
    typer.echo("1 profile is fine" if count == 1 else f"{count} profiles are fine")


def _chosen(given: list[Path], folder: Path) -> "tuple[Library, list[str] | None]":
    """Return the library with the given files above it, and their ids."""
    from agent.profiles.resolve import library  # noqa: PLC0415

    files = [file for path in given for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not given:
        return library(folder), None
    if not files:
        raise ConfigError(str(given[0]), [Problem("", "no file *.yaml in it")])
    for file in files:
        if file.suffix != ".yaml":
            raise ConfigError(str(file), [Problem("", f"a profile's file is called {file.stem}.yaml")])
    return library(folder, tuple(files)), [file.stem for file in files]


@app.command()
def match(
    given: Annotated[
        list[str] | None,
        typer.Option("--fact", "-f", metavar="NAME=VALUE", help="What is known of a device; can be repeated."),
    ] = None,
    folder: Folder = PROFILES_FOLDER,
    as_json: AsJson = False,
    with_all: Annotated[bool, typer.Option("--all", help="Also why the others do not fit.")] = False,
) -> None:
    """
    Say which profile fits this machine, or a device with these facts, and why. Exit code 1: none, or several equally.

    Facts are what `match` of a profile can name: system, device_tree, dmi_product, sys_object_id, pjlink_model …
    """
    from agent.profiles import show as shown  # noqa: PLC0415
    from agent.profiles.facts import facts  # noqa: PLC0415
    from agent.profiles.resolve import library, matched  # noqa: PLC0415
    from firmware_profiles.match import best  # noqa: PLC0415

    with one_line_errors():
        found = matched(library(folder), facts_of(given) if given else facts())
    top = best(found)
    if as_json:
        typer.echo(json.dumps(shown.fits_as_json(found, top), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(shown.fits_as_lines(found, top, with_all=with_all)))
    raise typer.Exit(0 if len(top) == 1 else 1)


def facts_of(given: list[str]) -> dict[str, str]:
    """Return the facts of `name=value` texts; ConfigError lists what is strange."""
    known: dict[str, str] = {}
    strange = []
    for text in given:
        name, equals, value = text.partition("=")
        known[name] = value
        if not equals:
            strange.append(Problem(text, "is not NAME=VALUE"))
        elif name not in Match._fields:
            there = f"; there are {', '.join(Match._fields)}"
            strange.append(Problem(name, f"is not a fact{did_you_mean(name, Match._fields, there)}"))
    if strange:
        raise ConfigError("--fact", strange)
    return known


def main() -> None:
    """Run the command line as a part of `santong`, which hands it on."""
    app(prog_name="santong profiles")


if __name__ == "__main__":
    main()
