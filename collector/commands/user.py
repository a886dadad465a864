"""`santong user`: who may do what, and what they did."""

import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from collector.access import passwords
from collector.access.log import Entry, Log
from collector.access.types import Role, Who
from collector.access.users import User, Users, added, removed, scoped, with_password
from collector.access.users import known as known_user
from collector.commands.common import DEFAULT_DATA, DEFAULT_ZONE, AsJson, Data, Lang, Zone, language_of, zone_of
from collector.screen import console
from collector.whoami import operator
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.meant import did_you_mean

app = typer.Typer(no_args_is_help=True, help="Who may do what on the board and the API, and the log of what they did.")

Name = Annotated[str, typer.Argument(help="Name to log in with.", show_default=False)]
RoleOption = Annotated[str, typer.Option("--role", help=", ".join(Role) + ".", show_default=False)]
County = Annotated[str, typer.Option(help="Only in this county, by its code.")]
Site = Annotated[str, typer.Option(help="Only at this site, by its id.")]
HERE = "command line"
_ROLES = {
    Role.VIEWER: "role_viewer",
    Role.INSPECTOR: "role_inspector",
    Role.TECHNICIAN: "role_technician",
    Role.COUNTY: "role_county",
    Role.CITY: "role_city",
    Role.ADMIN: "role_admin",
}


@app.callback()
def user_group() -> None:
    """Who may do what on the board and the API, and the log of what they did."""


@app.command()
def add(
    name: Name,
    role: RoleOption,
    county: County = "",
    site: Site = "",
    with_no_password: Annotated[
        bool, typer.Option("--no-password", help="Comes in by the header of a reverse proxy alone.")
    ] = False,
    data: Data = DEFAULT_DATA,
    lang: Lang = None,
) -> None:
    """Add somebody. The password is typed, or the first line of standard input; never an argument."""
    language = language_of(lang)
    who = Who(name, _role(role), county, site)
    with one_line_errors():
        added(User(who))(dict(Users(data).every()))  # before a password is asked for
        kept = "" if with_no_password else passwords.hashed(_password(name, language))
        _change(data, added(User(who, kept, _now())), "user.add", name, _scope_text(who))
    typer.echo(f"{name}: {word('user_added', language)}")


@app.command("list")
def list_users(data: Data = DEFAULT_DATA, as_json: AsJson = False, lang: Lang = None) -> None:
    """List everybody with role and scope."""
    language = language_of(lang)
    with one_line_errors():
        users = sorted(Users(data).every().items())
    if as_json:
        typer.echo(json.dumps([one.shown() for _, one in users], ensure_ascii=False, indent=2))
    elif not users:
        typer.echo(word("no_users", language))
    else:
        console().print(_table([one for _, one in users], language))


@app.command()
def passwd(name: Name, data: Data = DEFAULT_DATA, lang: Lang = None) -> None:
    """Give somebody another password, typed or the first line of standard input; earlier logins no longer hold."""
    language = language_of(lang)
    with one_line_errors():
        known_user(Users(data).every(), name)
        kept = passwords.hashed(_password(name, language))
        _change(data, with_password(name, kept, _now()), "user.passwd", name)
    typer.echo(f"{name}: {word('password_changed', language)}")


@app.command()
def scope(
    name: Name, role: RoleOption, county: County = "", site: Site = "", data: Data = DEFAULT_DATA, lang: Lang = None
) -> None:
    """Give somebody another role and scope; holds from their next request on."""
    language = language_of(lang)
    who = Who(name, _role(role), county, site)
    with one_line_errors():
        _change(data, scoped(who, _now()), "user.scope", name, _scope_text(who))
    typer.echo(f"{name}: {word('scope_changed', language)}")


@app.command()
def remove(name: Name, data: Data = DEFAULT_DATA, lang: Lang = None) -> None:
    """Take somebody away; what they did stays in the log."""
    language = language_of(lang)
    with one_line_errors():
        _change(data, removed(name), "user.remove", name)
    typer.echo(f"{name}: {word('user_removed', language)}")


@app.command("log")
def show_log(
    most: Annotated[int, typer.Option(help="How many records, the newest.", min=0)] = 50,
    user: Annotated[str, typer.Option(help="Only what this user did.")] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Show who logged in and did what, and whether the log is whole. Exit code 1: records were changed or removed."""
    language, place = language_of(lang), zone_of(zone)
    with one_line_errors():
        found = Log(data).examine()
    wanted = [one for one in found.entries if one and user in ("", one.who)]
    shown = wanted[max(0, len(wanted) - most) :]
    if as_json:
        rows = [one.as_json() for one in shown]
        typer.echo(json.dumps({"problems": found.problems, "entries": rows}, ensure_ascii=False, indent=2))
    else:
        table = Table(box=None)
        for key in ("time", "user", "log_address", "log_what", "content"):
            table.add_column(word(key, language), overflow="fold")
        for one in shown:
            said = "  ".join(text for text in (one.on, one.text) if text)
            table.add_row(f"{one.at.astimezone(place):%Y-%m-%d %H:%M:%S}", one.who, one.address, one.what, said)
        console().print(table)
        typer.echo("\n".join(found.problems) or word("log_whole", language), err=bool(found.problems))
    if found.torn:
        typer.echo(word("log_unfinished", language), err=True)
    raise typer.Exit(1 if found.problems else 0)


def _table(users: list[User], language: Language) -> Table:
    table = Table(box=None)
    for key in ("user", "role", "where", "password", "user_changed"):
        table.add_column(word(key, language), overflow="fold")
    for one in users:
        password = "✓" if one.password else word("by_proxy_alone", language)
        place = one.who.site or one.who.county or word("city", language)
        table.add_row(one.who.name, word(_ROLES[one.who.role], language), place, password, one.changed[:10])
    return table


def _change(data: Path, make: Callable[[dict[str, User]], None], what: str, name: str, text: str = "") -> None:
    """Write a change down, then make it: none goes unseen."""
    users = Users(data)
    make(dict(users.every()))
    Log(data).add(lambda: Entry(datetime.now(UTC).replace(microsecond=0), operator(), HERE, what, name, text))
    users.change(make)


def _role(text: str) -> Role:
    if text not in list(Role):
        fail(f"--role: {text!r} is not known{did_you_mean(text, Role, '; there are ' + ', '.join(Role))}")
    return Role(text)


def _scope_text(who: Who) -> str:
    return " ".join(text for text in (who.role, who.county, who.site) if text)


def _now() -> str:
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def _password(name: str, language: Language) -> str:
    """Return the password that is typed twice, or the first line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass(word("type_password", language))
        if password and getpass.getpass(word("type_again", language)) != password:
            fail("the two passwords are not the same")
    else:
        password = sys.stdin.readline(passwords.MOST + 2).rstrip("\r\n")
    if flaw := passwords.flaw_of(password, name):
        fail(flaw)
    return password
