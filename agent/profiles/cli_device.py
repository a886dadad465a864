"""`santong-agent profiles try` and `record`: a profile on a real device, and a device into a recording."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.config import PROFILES_FOLDER
from agent.outcome import Failed, Unable
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError, Problem

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


def try_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The profile: a YAML file, or the id of one there is.")],
    host: Annotated[str, typer.Argument(metavar="HOST", help="The device's address; without, this machine.")] = "-",
    community: Community = None,
    user: User = "",
    auth: Auth = "sha256",
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
    folder: Annotated[Path, typer.Option("--folder", help="Your own profiles.")] = PROFILES_FOLDER,
    as_json_: AsJson = False,
) -> None:
    """
    Ask a device all that a profile asks, and show what becomes of each value. Nothing is kept or sent.

    Exit code 1: the device does not answer, or nothing is mapped; 2: the profile or the command is wrong.
    """
    from agent.profiles.attempt_show import as_json, as_text  # noqa: PLC0415  not at every start of the agent
    from agent.profiles.device import Shown, tried, way_of  # noqa: PLC0415

    with one_line_errors():
        way = way_of(host, Shown(community, user, auth, auth_file, privacy, privacy_file, password))
        found = tried(file, folder, way, given or [], port, wait if twice else None)
    if as_json_:
        typer.echo(json.dumps(as_json(found), ensure_ascii=False, indent=2))
    else:
        for line in as_text(found):
            typer.echo(line)
    raise typer.Exit(found.exit_code)


def record(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The device's address; without, this machine.")] = "-",
    out: Annotated[Path | None, typer.Option(help="The folder to make.", show_default=False)] = None,
    kind: Annotated[
        str, typer.Option(help="snmp, pjlink, ubus, http, https or host; else snmp, and host for this machine.")
    ] = "",
    community: Community = None,
    user: User = "",
    auth: Auth = "sha256",
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
    folder: Annotated[Path, typer.Option("--folder", help="Your own profiles.")] = PROFILES_FOLDER,
) -> None:
    """
    Record what a device says, to run a profile against; names, numbers and addresses are replaced by stand-ins.

    Exit code 1: the device does not answer (nothing is written), or only a part could be recorded.
    """
    from agent.profiles.device import Limits, Shown, recorded, way_of  # noqa: PLC0415
    from agent.profiles.recording import Wanted  # noqa: PLC0415

    with one_line_errors():
        if out is None:
            raise ConfigError("--out", [Problem("", "is missing: which folder is to be made?")])
        way = way_of(host, Shown(community, user, auth, auth_file, privacy, privacy_file, password))
        wanted = Wanted(kind or ("snmp" if way.address else "host"), way, port, tuple(roots or ()))
        limits = Limits(most, within, wait if twice else None)
        try:
            source, is_whole = recorded(wanted, out, folder, limits, (hide or (), keep or ()), force=force)
        except Failed as failed:
            reason = failed.reason.removeprefix(f"{host}: ")
            fail(f"{host}: fails at {failed.stage}: {reason}; nothing was written", 1)
        except Unable as unable:
            fail(f"{host}: {unable}; nothing was written", 2)
    typer.echo(f"{out}:\n{source}", nl=False)
    typer.echo(
        "Look through the texts in it before you hand it on: what has no form of its own is not found.", err=True
    )
    raise typer.Exit(0 if is_whole else 1)
