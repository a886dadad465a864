"""`santong board`: the live page."""

import logging
import sys
from typing import Annotated

import typer

from collector.commands.common import (
    DEFAULT_DATA,
    DEFAULT_ZONE,
    Data,
    Lang,
    StoreOption,
    Zone,
    language_of,
    open_for_reading,
    zone_of,
)
from contract.command_line import fail, one_line_errors

PORT = 8080


def board(
    host: Annotated[str, typer.Option(help="Address to listen on; this machine alone by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    every: Annotated[float, typer.Option(min=1, max=600, help="Seconds between two looks at the evidence.")] = 5,
    pretended: Annotated[bool, typer.Option("--pretended", help="Say on every page that it is simulated.")] = False,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Show what works now, as pages that update themselves, until stopped. It reads, and records disputes alone."""
    language, place = language_of(lang), zone_of(zone)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    with one_line_errors():
        from collector.board.source import LOOPBACK, Settings  # noqa: PLC0415
        from collector.boarding import Centre, is_free, serve  # noqa: PLC0415  brings a web server

        if host not in LOOPBACK:
            fail(f"--host: {host} is not this machine alone, and nobody would be asked for a login")
        if not is_free(host, port):
            fail(f"--port: {host}:{port} is taken: name another one")
        if not data.is_dir():
            fail(f"--data: {data} is not there: name the folder of the centre")
        opened = open_for_reading(data, store)
        typer.echo(f"http://{host}:{port}")
        serve(Centre(opened, data, place), Settings(host, port, every, language, pretended))
        opened.close()
