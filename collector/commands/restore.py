"""`santong restore`: a centre from a backup."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.backup import PassphraseFile, as_text, passphrase_of, progress, summary, words
from collector.commands.common import DEFAULT_DATA, AsJson, Data, StoreOption
from contract.command_line import one_line_errors

if TYPE_CHECKING:
    from collector.backing import Restored


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    authority: Annotated[Path | None, typer.Option(help="Folder for the authority; else it stays in the file.")] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", help="Folder for settings, in the order of the backup; else they stay in the file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Move aside what is there; nothing is deleted.")] = False,
    passphrase_file: PassphraseFile = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """
    Put what a backup has onto an empty place: everything is verified before anything is put there.

    Evidence goes into --store (or SANTONG_STORE), else into a SQLite file in DATA. Exit code 0: all of it is there;
    1: all but some evidence, which the store refused; 2: nothing was put in place.
    """
    from collector.backing import Wanted  # noqa: PLC0415
    from collector.backing import restore as put_back  # noqa: PLC0415

    url = store or os.environ.get("SANTONG_STORE") or ""
    wanted = Wanted(data, authority, tuple(config or ()), url, force)
    with one_line_errors(), progress() as note:
        done = put_back(file, passphrase_of(passphrase_file), wanted, note)
    for line in _remarks(done):
        typer.echo(line, err=True)
    if as_json:
        told = {name: str(path) for name, path in done.moved.placed.items()}
        more = {"unasked": list(done.unasked), "aside": [str(one) for one in done.moved.aside]}
        typer.echo(as_text({"placed": told, "evidence": done.filled._asdict()} | more | summary(done.manifest)))
    else:
        for name, path in done.moved.placed.items():
            typer.echo(f"{name:<10} {path}")
        if done.filled.points:
            typer.echo(f"{'points':<10} {done.filled.points:,} in {done.filled.store}; {done.filled.expired:,} too old")
        typer.echo(words(done.manifest))
    raise typer.Exit(0 if done.is_complete else 1)


def _remarks(done: "Restored") -> list[str]:
    """Return what somebody should know."""
    places = done.manifest.head.places
    said = [
        f"{name}: from {places[name]}, is in the backup and stays there: no folder was named" for name in done.unasked
    ]
    said += [f"{path}: what was there before" for path in done.moved.aside]
    said += [f"{name}: no such user or group here: its files are root's" for name in done.moved.unknown]
    filled = done.filled
    if filled.refused:
        said.append(f"{filled.store}: refused {filled.refused:,} points: {filled.first_refusal}")
    if filled.missing:
        said.append(f"{filled.store}: {filled.missing:,} points are not in it")
    return said
