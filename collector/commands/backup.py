"""`santong backup`: the whole centre as one file, and its check."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from collector.commands.common import DEFAULT_AUTHORITY, DEFAULT_DATA, AsJson, Data, StoreOption
from collector.screen import console
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.backup.manifest import Manifest

CONFIG_FOLDER = Path("/etc/santong")
PASSPHRASE = Path("/etc/santong/secrets/backup")
_NICER = 10

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="SANTONG_BACKUP_PASSPHRASE_FILE",
        help="File whose first line is the passphrase of the backup; else /etc/santong/secrets/backup, where it is.",
    ),
]
Note = Callable[[str, int], None]

app = typer.Typer(invoke_without_command=True, no_args_is_help=True)


@app.callback()
def backup(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Folder that the backup is written into.")] = None,
    keep: Annotated[int, typer.Option(min=0, help="Remove the oldest backups there but so many; 0: none.")] = 0,
    authority: Annotated[
        Path | None,
        typer.Option(envvar="SANTONG_AUTHORITY", help="Folder of the authority; else /etc/santong/authority."),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option("--config", help="Folder of settings; else /etc/santong. Can be repeated.")
    ] = None,
    with_store: Annotated[bool, typer.Option("--with-store/--no-store", help="With the evidence, or without.")] = True,
    passphrase_file: PassphraseFile = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """
    Write authority, settings, everything in DATA and the store into one file, while the centre runs.

    Exit code 0: it was written, and read again; 1: it was, but a file in it was damaged before; 2: there is none.
    """
    if context.invoked_subcommand:
        return
    if out is None:
        fail("--out: names the folder that the backup is written into")
    with suppress(OSError):  # where a unit forbids it, the unit says how nice it is
        os.nice(_NICER)
    from collector.backing import Asked, back_up  # noqa: PLC0415
    from collector.backup import names  # noqa: PLC0415

    url = (store or os.environ.get("SANTONG_STORE") or "") if with_store else None
    configs = tuple(config or ([CONFIG_FOLDER] if CONFIG_FOLDER.is_dir() else []))
    keys = authority or (DEFAULT_AUTHORITY if DEFAULT_AUTHORITY.is_dir() else None)
    began = time.monotonic()
    with one_line_errors(), progress() as note:
        written = back_up(out, Asked(data, keys, configs, url), passphrase_of(passphrase_file), note)
    removed = [] if written.troubles or not keep else names.too_many(out, keep, written.file)
    with one_line_errors():
        for old in removed:
            old.unlink()
    for line in (*written.troubles, *written.manifest.left_out):
        typer.echo(line, err=True)
    if as_json:
        told = {"file": str(written.file), "size": written.size, "seconds": round(time.monotonic() - began, 1)}
        more = {"removed": [str(one) for one in removed], "troubles": list(written.troubles)}
        typer.echo(as_text(told | summary(written.manifest) | more))
    else:
        typer.echo(f"{written.file}  {written.size:,} bytes  {words(written.manifest)}")
    raise typer.Exit(1 if written.troubles else 0)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """
    Read a backup to its end: every hash, every file of SQLite. Exit code 0: it can be restored; 2: it cannot.

    Needs room for the largest file of SQLite in it, in the folder for temporary files (TMPDIR).
    """
    from collector.backup.read import check_backup  # noqa: PLC0415

    with one_line_errors():
        manifest = check_backup(file, passphrase_of(passphrase_file))
    if as_json:
        typer.echo(as_text({"file": str(file), "size": file.stat().st_size} | summary(manifest)))
    else:
        typer.echo(f"{file}  good  {words(manifest)}")


# ---- shared with restore


def passphrase_of(file: Path | None) -> bytes | None:
    """Return the passphrase of a file, else of that of every night; None without one."""
    if file is None and PASSPHRASE.is_file():
        file = PASSPHRASE
    if file is None:
        return None
    from collector.backup.seal import passphrase_in  # noqa: PLC0415

    with one_line_errors():
        return passphrase_in(file)


def summary(manifest: "Manifest") -> dict[str, Any]:
    """Return what scripts want to know of a backup."""
    head = manifest.head
    damaged = [member.name for member in manifest.members if member.kind == "damaged"]
    return {
        "made": head.made,
        "version": head.version,
        "id": head.id,
        "places": dict(head.places),
        "store": {"kind": head.store, "points": dict(manifest.points)},
        "files": len(manifest.members),
        "bytes": manifest.size,
        "damaged": damaged,
        "left_out": list(manifest.left_out),
    }


def words(manifest: "Manifest") -> str:
    """Return one line of what a backup has."""
    head = manifest.head
    points = f" of {sum(manifest.points.values()):,} points" if manifest.points else ""
    store = {"none": "no store", "sqlite": "store as SQLite", "lines": f"store as lines{points}"}.get(head.store, "")
    parts = ", ".join(sorted(head.places))
    size = f"{len(manifest.members):,} files, {manifest.size:,} bytes"
    return f"made {head.made} by {head.version}  {parts}; {store}; {size}"


def as_text(tree: object) -> str:
    """Return JSON for a script."""
    return json.dumps(tree, ensure_ascii=False, indent=2)


@contextmanager
def progress() -> Iterator[Note]:
    """Show what it is at on stderr, where that is a terminal."""
    screen = console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("…")
        yield lambda what, size: bar.update(task, description=f"{size:>17,}  {what}")
