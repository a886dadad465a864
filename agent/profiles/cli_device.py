"""`santong-agent profiles try` and `record`: a profile on a real device, and a device into a recording."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from agent.gather.read import Way
from agent.outcome import Failed, Unable
from agent.profiles.attempt import ID, Tell, attempt
from agent.profiles.attempt_show import as_json, as_text
from agent.profiles.record import check_target, put
from agent.profiles.recording import Wanted, again, finished, recording, secrets_of
from agent.profiles.redact import Redactor
from agent.profiles.resolve import DEFAULT_FOLDER, library
from contract.errors import ConfigError, Problem
from contract.settings import Seconds
from firmware_profiles.fill import fill
from firmware_profiles.schema import Profile
from firmware_profiles.sources import REMOTE

Port = Annotated[int | None, typer.Option(help="The port, instead of the usual one.", show_default=False)]
Community = Annotated[
    Path | None, typer.Option("--community-file", help="SNMP v2c: the file with the community.", show_default=False)
]
User = Annotated[str, typer.Option("--user", help="SNMP v3, HTTP, ubus: the user's name.", show_default=False)]
Password = Annotated[
    Path | None, typer.Option("--password-file", help="PJLink, HTTP, ubus: its file.", show_default=False)
]
Auth = Annotated[str, typer.Option("--auth", help="SNMP v3: md5, sha, sha224, sha256, sha384 or sha512.")]
AuthFile = Annotated[
    Path | None, typer.Option("--auth-file", help="SNMP v3: the authentication password's.", show_default=False)
]
Privacy = Annotated[str, typer.Option("--privacy", help="SNMP v3: des, aes, aes192 or aes256.")]
PrivacyFile = Annotated[
    Path | None, typer.Option("--privacy-file", help="SNMP v3: the privacy password's.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Make the commands part of an application."""
    app.command("try")(try_)
    app.command()(record)


def way_of(
    host: str,
    community: Path | None,
    password: Path | None,
    user: tuple[str, str, Path | None, str, Path | None],
) -> Way:
    """Return the way to a device; `user` is name, auth, its file, privacy, its file. ConfigError: a file is missing."""
    name, auth, auth_file, privacy, privacy_file = user
    files = {
        "community_file": community,
        "password_file": password,
        "auth_file": auth_file,
        "privacy_file": privacy_file,
    }
    missing = [
        Problem(f"--{option.replace('_', '-')}", f"{file}: no such file")
        for option, file in files.items()
        if file is not None and not file.is_file()
    ]
    if (auth_file or privacy_file) and not name:
        missing.append(Problem("--user", "is missing: whose passwords are these?"))
    if missing:
        raise ConfigError("command line", missing)
    given = {option: str(file.absolute()) for option, file in files.items() if file is not None}
    methods = {"auth": auth if auth_file else "", "privacy": privacy if privacy_file else ""}
    return Way(address="" if host == "-" else host, username=name, **given, **methods)


def profile_of(name: str, folder: Path, host: str, given: list[str]) -> Profile:
    """Return a profile, from a file or by its id, with its placeholders filled; ConfigError lists every mistake."""
    file = Path(name)
    if file.suffix == ".yaml" or os.sep in name:
        if file.suffix != ".yaml":
            raise ConfigError(name, [Problem("", f"a profile's file is called {file.stem}.yaml")])
        profile = library(folder, (file,)).get(file.stem)
    else:
        profile = library(folder).get(name)
    words = {"device": ID, "address": "" if host == "-" else host}
    strange = []
    for text in given:
        key, equals, value = text.partition("=")
        words[key] = value
        if not equals:
            strange.append(Problem(text, "is not NAME=VALUE"))
    if strange:
        raise ConfigError("--set", strange)
    if host == "-" and (remote := sorted({s.source for s in profile.collect.values()} & (REMOTE - {"ubus"}))):
        raise ConfigError("HOST", [Problem("", f"{profile.id} asks another device ({', '.join(remote)}): which one?")])
    return fill(profile, words)


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on a terminal what is being done, and how much of it is done."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=escape(what), completed=done)


def try_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The profile: a YAML file, or the id of one there is.")],
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="The device's address; without, this machine.")] = "-",
    community: Community = None,
    user: User = "",
    auth: Auth = "sha",
    auth_file: AuthFile = None,
    privacy: Privacy = "aes",
    privacy_file: PrivacyFile = None,
    password: Password = None,
    port: Port = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter of the profile; can be repeated."),
    ] = None,
    twice: Annotated[bool, typer.Option("--twice", help="Read again, for what needs an increase.")] = False,
    wait: Annotated[str, typer.Option(help="How long after the first read.")] = "10s",
    folder: Annotated[Path, typer.Option("--folder", help="Your own profiles.")] = DEFAULT_FOLDER,
    as_json_: AsJson = False,
) -> None:
    """
    Ask a device all that a profile asks, and show what becomes of each value. Nothing is kept or sent.

    Exit code 1: the device does not answer, or nothing is mapped; 2: the profile or the command is wrong.
    """
    from agent.profiles.cli import one_line_errors  # noqa: PLC0415  it imports this module

    logging.getLogger("santong").addHandler(logging.NullHandler())  # what is wrong with a reading is shown below
    with one_line_errors():
        way = way_of(host, community, password, (user, auth, auth_file, privacy, privacy_file))
        profile = profile_of(file, folder, host, given or [])
        with progress() as tell:
            found = attempt(profile, way, port, _seconds(wait) if twice else None, tell)
    if as_json_:
        typer.echo(json.dumps(as_json(found), ensure_ascii=False, indent=2))
    else:
        for line in as_text(found):
            typer.echo(line)
    raise typer.Exit(found.exit_code)


def record(
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="The device's address; without, this machine.")] = "-",
    out: Annotated[Path | None, typer.Option(help="The folder to make.", show_default=False)] = None,
    kind: Annotated[
        str, typer.Option(help="snmp, pjlink, ubus, http, https or host; else snmp, and host for this machine.")
    ] = "",
    community: Community = None,
    user: User = "",
    auth: Auth = "sha",
    auth_file: AuthFile = None,
    privacy: Privacy = "aes",
    privacy_file: PrivacyFile = None,
    password: Password = None,
    port: Port = None,
    roots: Annotated[
        list[str] | None,
        typer.Option("--root", metavar="OID|PATH", help="What is walked (SNMP), or got (HTTP); can be repeated."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="SNMP: objects at most.")] = 50_000,
    within: Annotated[str, typer.Option(help="SNMP: how long at most.")] = "5m",
    twice: Annotated[bool, typer.Option("--twice", help="A second read too, in the folder second.")] = False,
    wait: Annotated[str, typer.Option(help="How long after the first read.")] = "60s",
    hide: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A further text that must not be in it; can be repeated.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A text that is no address or name; can be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a recording that is there.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Your own profiles.")] = DEFAULT_FOLDER,
) -> None:
    """
    Record what a device says, to run a profile against; names, numbers and addresses are replaced by stand-ins.

    Exit code 1: the device does not answer (nothing is written), or only a part could be recorded.
    """
    from agent.profiles.cli import one_line_errors  # noqa: PLC0415  it imports this module

    with one_line_errors():
        if out is None:
            raise ConfigError("--out", [Problem("", "is missing: which folder is to be made?")])
        check_target(out, force=force)
        way = way_of(host, community, password, (user, auth, auth_file, privacy, privacy_file))
        wanted = Wanted(kind or ("host" if host == "-" else "snmp"), way, port, tuple(roots or ()))
        bounds = (most, _seconds(within, "--within"))
        redactor = Redactor(keep or (), numbers=wanted.kind == "host")
        try:
            for text in (*secrets_of(way), *(hide or ())):
                redactor.learn(text)
            with progress() as tell:
                recorded = [recording(wanted, library(folder), bounds, tell)]
                if twice:
                    recorded.append(again(wanted, library(folder), bounds, _seconds(wait), tell))
            files = finished(recorded, redactor)
        except Failed as failed:
            _stop(f"{host}: fails at {failed.stage}: {failed.reason.removeprefix(f'{host}: ')}; nothing was written", 1)
        except Unable as unable:
            _stop(f"{host}: {unable}; nothing was written", 2)
        put(out, files)
    said = files["SOURCE"].decode()
    typer.echo(f"{out}:\n{said}", nl=False)
    typer.echo(
        "Look through the texts in it before you hand it on: what has no form of its own is not found.", err=True
    )
    if any(told.partial for _, told in recorded):
        raise typer.Exit(1)


def _stop(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)


def _seconds(text: str, option: str = "--wait") -> float:
    try:
        return Seconds.parse(text)
    except ValueError as error:
        raise ConfigError(option, [Problem("", str(error))]) from None
