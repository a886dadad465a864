"""`santong depot`: what devices fetch that nobody reaches: releases, and an order for each."""

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.commands.common import (
    DEFAULT_AUTHORITY,
    DEFAULT_DATA,
    DEFAULT_DEPOT,
    DEFAULT_ZONE,
    AsJson,
    Authority,
    Data,
    Depot,
    Zone,
    zone_of,
)
from collector.fleet.plan import FILE
from collector.fleet.signed import Sign
from contract.command_line import fail, one_line_errors
from contract.names import is_device

app = typer.Typer(no_args_is_help=True, help="What devices fetch that nobody reaches: releases, and orders, signed.")

NOT_ENROLLED = 4


@app.command()
def publish(
    release: Annotated[Path, typer.Argument(help="Folder of a release bundle, unpacked.")],
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Put a release's archives for devices into the depot, signed.

    Where there is no plan yet, it is that of the rollout in DATA; without one, all should have this release.
    """
    from collector.fleet import depot as room  # noqa: PLC0415
    from collector.rolling import Places, Rolling  # noqa: PLC0415

    with one_line_errors():
        rolling = Rolling(Places(data, depot, authority), datetime.now(zone_of(zone)).date())
        is_decided = rolling.current() is not None
        written = room.publish(release, depot, _signer(authority), _now_ms(), is_decided=is_decided)
        if is_decided and rolling.again():
            written.append(FILE)
    if as_json:
        typer.echo(json.dumps({"changed": bool(written), "written": written}))
        return
    for name in written:
        typer.echo(name)
    typer.echo(f"{len(written)} written")


@app.command()
def order(
    agent: Annotated[str, typer.Argument(help="Id of the agent.")],
    variables: Annotated[str, typer.Option("--vars", help="File with the role's variables, JSON; - is stdin.")],
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    as_json: AsJson = False,
) -> None:
    """Write an agent's order, where something of it changed. Exit code 4: it has no certificate yet."""
    from collector.fleet import depot as room  # noqa: PLC0415

    if not is_device(agent):
        fail(f"{agent!r} is not the id of a device, <county>-<school code>.<place>")
    tree = _variables(variables)
    with one_line_errors():
        papers = _papers(authority, agent)
        written = papers is not None and room.order(depot, agent, tree, papers, _signer(authority), _now_ms())
    if as_json:
        typer.echo(json.dumps({"changed": written, "enrolled": papers is not None}))
    elif papers is not None:
        typer.echo(f"{agent}: {'written' if written else 'is as it was'}")
    if papers is None:
        print(f"{agent}: has no certificate yet: enrol it with enrol.yml", file=sys.stderr)
        raise typer.Exit(NOT_ENROLLED)


@app.command()
def refresh(depot: Depot = DEFAULT_DEPOT, authority: Authority = DEFAULT_AUTHORITY, as_json: AsJson = False) -> None:
    """Give every order the certificate that its agent has now: for a timer, after `santong ca renew`."""
    from collector.fleet import depot as room  # noqa: PLC0415

    with one_line_errors():
        changed = [agent for agent in room.ordered(depot) if _refresh(depot, authority, agent)]
    if as_json:
        typer.echo(json.dumps({"changed": bool(changed), "agents": changed}))
    else:
        typer.echo(f"{len(changed)} written")


# ---- pieces


def _refresh(depot: Path, authority: Path, agent: str) -> bool:
    """Write an order again where its agent has another certificate, or none any more: then it goes."""
    from collector.fleet import depot as room  # noqa: PLC0415

    papers = _papers(authority, agent)
    if papers is None:
        return room.withdraw(depot, agent)
    return room.refresh(depot, agent, papers, _signer(authority), _now_ms())


def _papers(authority: Path, agent: str) -> Any:
    """Return certificate and authority of an agent; None where it has no certificate that counts."""
    from collector.authority import work  # noqa: PLC0415  cryptography takes its time
    from collector.fleet.depot import Papers  # noqa: PLC0415

    found = work.held(authority, agent)
    return Papers(found.certificate, work.authority_pem(authority)) if found else None


def _signer(authority: Path) -> Sign:
    from collector.authority.signing import sign  # noqa: PLC0415

    return lambda line: sign(authority, line)


def _variables(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        tree = json.loads(text)
    except OSError as error:
        fail(f"--vars: {file}: {error.strerror}")
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        fail(f"--vars: {file}: is no JSON object")
    return tree


def _now_ms() -> int:
    return int(time.time() * 1000)
