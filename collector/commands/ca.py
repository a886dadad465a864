"""`santong ca`: the private authority that says who is who, and signs what devices run."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from collector.commands.common import DEFAULT_AUTHORITY, AsJson, Lang, language_of
from collector.screen import console
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.meant import did_you_mean

if TYPE_CHECKING:
    from collector.authority.certify import PublicKey
    from collector.authority.identity import Identity
    from collector.authority.index import Entry

app = typer.Typer(no_args_is_help=True, help="Certificates of agents, servers and services; signatures of releases.")

Folder = Annotated[
    Path, typer.Option("--folder", envvar="SANTONG_AUTHORITY", help="Folder of the authority, for root alone.")
]
Days = Annotated[int, typer.Option("--days", help="How long a certificate is valid.", min=1, max=7300)]
Name = Annotated[str, typer.Argument(help="Id of an agent, name of a service or a server.", show_default=False)]
DEFAULT_DAYS, RENEW_WITHIN = 730, 60
LARGEST_REQUEST = 64 * 1024


@app.callback()
def ca_group() -> None:
    """Certificates of agents, servers and services; signatures of releases."""


@app.command()
def init(folder: Folder = DEFAULT_AUTHORITY, as_json: AsJson = False) -> None:
    """Make the authority: its key and certificate, the list of revoked ones, the key that releases are signed with."""
    from collector.authority import files, work  # noqa: PLC0415  cryptography takes its time

    with one_line_errors():
        changed = work.init(folder)
    if as_json:
        _print({"changed": changed, "folder": str(folder), "certificate": str(folder / files.ROOT)})
    elif changed:
        typer.echo(f"{folder}: the authority is made; back it up: whoever has it can be anybody")
    else:
        typer.echo(f"{folder}: the authority is there already")


@app.command()
def issue(
    name: Name,
    csr: Annotated[str, typer.Option(help="Request made beside the key, PEM; - is standard input.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for certificate, and key where none is there.")] = None,
    is_server: Annotated[bool, typer.Option("--server", help="For a server, with NAME and --alt in it.")] = False,
    alt: Annotated[list[str] | None, typer.Option(help="Another DNS name or IP address of the server.")] = None,
    replace: Annotated[bool, typer.Option(help="Revoke the certificate that is for another key.")] = False,
    days: Days = DEFAULT_DAYS,
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """
    Issue a certificate for the key of a request, or for a key made here, which goes into --out with mode 0600.

    For the same key it is the same certificate again, until it is renewed 60 days before its end.
    """
    from collector.authority import handout, identity, work  # noqa: PLC0415

    if not csr and out is None:
        fail("say --csr for a request, or --out for a key that is made here")
    if alt and not is_server:
        fail("--alt: only a server has further names: say --server")
    with one_line_errors():
        who = identity.server(name, tuple(alt or ())) if is_server else _client(name)
        key, made_key = _key(who, csr, out)
        done = work.issue(folder, who, key, days=days, replace=replace)
        changed = done.changed or made_key
        authority = work.authority_pem(folder)
        if out:
            changed = handout.write_certificate(out, done.entry) or changed
            changed = handout.write_changed(out / "ca.crt", authority) or changed
    if as_json:
        texts = {"certificate": done.entry.certificate, "authority": authority}
        _print({"changed": changed, **done.entry.as_json(), **texts})
    elif out:
        typer.echo(f"{out / who.name}.crt: {_said(done.entry, changed=changed)}")
    else:
        typer.echo(done.entry.certificate, nl=False)


@app.command()
def renew(
    names: Annotated[list[str] | None, typer.Argument(help="Whose; else all that expire soon, or have.")] = None,
    within: Annotated[int, typer.Option("--within", help="How soon is soon, in days.", min=0)] = RENEW_WITHIN,
    out: Annotated[Path | None, typer.Option(help="Folder for the new certificates, NAME.crt each.")] = None,
    days: Days = DEFAULT_DAYS,
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """Renew certificates for the same keys; what was revoked is not. They are public: any way to the device will do."""
    from collector.authority import handout, work  # noqa: PLC0415

    with one_line_errors():
        made = work.renew(folder, names or (), within_days=within, days=days)
        for one in made if out else ():
            handout.write_certificate(out or Path(), one)
    if as_json:
        rows = [{**one.as_json(), "certificate": one.certificate} for one in made]
        _print({"changed": bool(made), "renewed": rows})
    else:
        for one in made:
            typer.echo(_said(one, changed=True))
        typer.echo(f"{len(made)} renewed")


@app.command()
def revoke(
    name: Name,
    reason: Annotated[str, typer.Option(help="stolen, retired or replaced.")] = "stolen",
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """Revoke every certificate of somebody and write the list; the broker has it at the next run of centre.yml."""
    from collector.authority import work  # noqa: PLC0415

    if reason not in work.REASONS:
        known = ", ".join(work.REASONS)
        fail(f"--reason: {reason!r} is not known{did_you_mean(reason, work.REASONS, '; there are ' + known)}")
    with one_line_errors():
        revoked = work.revoke(folder, name, reason)
    if as_json:
        _print({"changed": bool(revoked), "name": name, "revoked": [one.serial for one in revoked]})
    elif revoked:
        typer.echo(f"{name}: {len(revoked)} revoked ({reason}); now bring the list to the broker: centre.yml")
    else:
        typer.echo(f"{name}: was revoked already")


@app.command("list")
def list_certificates(
    expiring: Annotated[int | None, typer.Option(help="Only what expires within so many days, or has.", min=0)] = None,
    only_revoked: Annotated[bool, typer.Option("--revoked", help="Only what was revoked.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also earlier certificates, not only the newest of each.")
    ] = False,
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """List who has which certificate, until when; revoked ones with day and reason."""
    from collector.authority import work  # noqa: PLC0415

    language = language_of(lang)
    with one_line_errors():
        found = work.entries(folder, current=not (every or only_revoked))
    left = {one.serial: _days_left(one) for one in found}
    if only_revoked:
        found = [one for one in found if one.revoked]
    if expiring is not None:
        found = [one for one in found if not one.revoked and left[one.serial] < expiring]
    if as_json:
        _print([{**one.as_json(), "days_left": left[one.serial]} for one in found])
    elif found:
        console().print(_table(found, left, language))
    else:
        typer.echo(word("no_certificates", language))


@app.command()
def crl(
    out: Annotated[Path | None, typer.Option(help="File to write the list into, too.")] = None,
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """
    Print the list of revoked certificates, written anew where something ended before it was.

    With --json also whom the broker must not serve over WebSocket, where mosquitto 2.0 looks at no list.
    """
    from collector.authority import handout, work  # noqa: PLC0415

    with one_line_errors():
        changed = work.refresh(folder)
        text, refused = work.crl_pem(folder), work.refused_over_websocket(folder)
        if out:
            changed = handout.write_changed(out, text)
    if as_json:
        _print({"changed": changed, "crl": text, "websocket_refused": refused})
    elif out:
        typer.echo(f"{out}: {'written' if changed else 'is the same'}")
    else:
        typer.echo(text, nl=False)


@app.command()
def sign(
    files: Annotated[list[Path], typer.Argument(help="What to sign, each into FILE.sig.", show_default=False)],
    folder: Folder = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """Sign files with the authority's Ed25519 key; openssl pkeyutl -verify -rawin with signing.pub checks them."""
    from collector.authority import signing  # noqa: PLC0415

    with one_line_errors():
        signed = [(file, signing.sign_file(folder, file)) for file in files]
    if as_json:
        rows = [{"file": str(file), "signature": f"{file}{signing.SUFFIX}", "changed": one} for file, one in signed]
        _print({"changed": any(one for _, one in signed), "signed": rows})
    else:
        for file, _ in signed:
            typer.echo(f"{file}{signing.SUFFIX}")


# ---- inside


def _client(name: str) -> "Identity":
    from collector.authority import identity  # noqa: PLC0415

    return identity.client(name)


def _key(who: "Identity", csr: str, out: Path | None) -> "tuple[PublicKey, bool]":
    """Return the public key of a request, else of the key in --out, and whether that was made now."""
    from collector.authority import certify, handout  # noqa: PLC0415

    if not csr:
        return handout.key_in(out or Path(), who.name)
    if csr == "-":
        request = sys.stdin.buffer.read(LARGEST_REQUEST)
    else:
        with Path(csr).open("rb") as opened:
            request = opened.read(LARGEST_REQUEST)
    return certify.requested_key(request, who.name), False


def _said(entry: "Entry", *, changed: bool) -> str:
    how = "" if changed else ", unchanged"
    return f"{entry.who.name}: valid to {entry.end:%Y-%m-%d}, serial {entry.serial}{how}"


def _days_left(entry: "Entry") -> int:
    from collector.authority.certify import utc_now  # noqa: PLC0415

    return (entry.end - utc_now()).days


def _table(found: "list[Entry]", left: dict[str, int], language: Language) -> Table:
    table = Table(box=None)
    for key in ("certificate_name", "certificate_kind", "valid_to", "certificate_state", "serial_number"):
        table.add_column(word(key, language), overflow="fold")
    for one in found:
        kind = word(f"certificate_{one.who.kind}", language)
        table.add_row(
            one.who.name, kind, f"{one.end:%Y-%m-%d}", _state(one, left[one.serial], language), one.serial[:16]
        )
    return table


def _state(entry: "Entry", left: int, language: Language) -> str:
    if entry.revoked:
        reason = word(f"revoked_{entry.reason}", language)
        return word("certificate_revoked", language).format(day=f"{entry.revoked:%Y-%m-%d}", reason=reason)
    return word("certificate_expired" if left < 0 else "certificate_valid", language).format(days=abs(left))


def _print(tree: object) -> None:
    typer.echo(json.dumps(tree, ensure_ascii=False, indent=2))
