"""What `santong api` and `santong board` have in common: where they listen, whom they believe, and how they end."""

import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from contract.command_line import fail

if TYPE_CHECKING:
    from collector.serving import Page

Listen = Annotated[
    str, typer.Option(envvar="SANTONG_LISTEN", help="Address to listen on: port, host:port or [IPv6]:port.")
]
Port = Annotated[int | None, typer.Option(help="Port on 127.0.0.1, in short.", min=0, max=65535)]
Proxy = Annotated[
    list[str] | None,
    typer.Option(envvar="SANTONG_PROXY", help="Address or network of a reverse proxy; again for more."),
]
ProxyUser = Annotated[
    str, typer.Option(envvar="SANTONG_PROXY_USER", help="Header in which that proxy names the user, X-Remote-User.")
]
Login = Annotated[bool, typer.Option("--login", envvar="SANTONG_LOGIN", help="Ask for a login on 127.0.0.1, too.")]
For = Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.")]


def serve(page: "Page", stopping: threading.Event, seconds: float | None, said: str) -> None:
    """Serve a page until the process is told to stop, or so long; say where it is."""
    until = None if seconds is None else time.monotonic() + seconds
    page.start()
    typer.echo(said)
    while not stopping.wait(0.5) and (until is None or time.monotonic() < until):
        if page.is_over:
            fail("the page has ended by itself: its log has the reason")
    page.stop()
