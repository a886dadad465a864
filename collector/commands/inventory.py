"""`santong inventory`: the agents of the roster as Ansible's dynamic inventory."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.commands.common import DEFAULT_DATA, DEFAULT_ZONE, Data, StoreOption, Zone, open_for_reading, zone_of
from collector.enlisted import enlisted
from collector.fleet.inventory import graph, inventory
from contract.command_line import fail, one_line_errors


def show_inventory(
    is_list: Annotated[bool, typer.Option("--list", help="Everything, as Ansible asks for it.")] = False,
    host: Annotated[str | None, typer.Option("--host", help="The variables of one agent.")] = None,
    is_graph: Annotated[bool, typer.Option("--graph", help="Groups and their hosts as a tree, for people.")] = False,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            envvar="SANTONG_INVENTORY_EVIDENCE",
            help="Choose as canaries agents that the store has evidence of the last day of.",
        ),
    ] = False,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Print the agents of the roster in force today as Ansible asks a program for its hosts, in the order of waves."""
    if is_list + is_graph + (host is not None) != 1:
        fail("inventory: give one of --list, --host NAME and --graph")
    listed = _inventory(data, store, zone, evidence=evidence)
    variables = listed["_meta"]["hostvars"]
    if is_graph:
        typer.echo(graph(listed))
    elif host is None:
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=1))
    elif host in variables:
        typer.echo(json.dumps(variables[host], ensure_ascii=False, indent=1))
    else:
        fail(f"--host: {host!r} is no agent of the roster in force today", 1)


def _inventory(data: Path, store: str | None, zone: str, *, evidence: bool) -> dict[str, Any]:
    with one_line_errors():
        now = datetime.now(zone_of(zone))
        agents, gone = enlisted(data, now.date())
        proven: frozenset[str] = frozenset()
        if evidence:
            from collector.gated import seen_lately  # noqa: PLC0415  what reads a store, which a roster needs none for

            opened = open_for_reading(data, store)
            proven = seen_lately(opened, [agent.id for agent in agents], int(now.timestamp() * 1e9))
            opened.close()
    return inventory(agents, gone, proven)
