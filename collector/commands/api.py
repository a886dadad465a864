"""`santong api`: the read-only HTTP API, alone."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from collector.access.listener import Listener, listener_of
from collector.commands.common import DEFAULT_DATA, Data, Lang, StoreOption, language_of, open_for_reading
from collector.words import word
from contract.command_line import one_line_errors

Listen = Annotated[
    str, typer.Option(envvar="SANTONG_LISTEN", help="Address to listen on: port, host:port or [IPv6]:port.")
]
Proxy = Annotated[
    list[str] | None,
    typer.Option(envvar="SANTONG_PROXY", help="Address or network of a reverse proxy; again for more."),
]
ProxyUser = Annotated[
    str, typer.Option(envvar="SANTONG_PROXY_USER", help="Header in which that proxy names the user, X-Remote-User.")
]
Login = Annotated[bool, typer.Option("--login", envvar="SANTONG_LOGIN", help="Ask for a login on 127.0.0.1, too.")]


def api(
    listen: Listen = "127.0.0.1:8081",
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1, in short.", min=0, max=65535)] = None,
    proxy: Proxy = None,
    proxy_user: ProxyUser = "",
    login: Login = False,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.")] = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
) -> None:
    """Serve status, verdicts, series, roster, incidents and more as JSON and CSV, until stopped; read-only."""
    language = language_of(lang)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    with one_line_errors():
        listener = listener_of(str(port) if port is not None else listen, proxy or (), proxy_user, login=login)
        _serve(data, store, listener, stopping, seconds, word("api_at", language))


def _serve(
    data: Path, store: str | None, listener: Listener, stopping: threading.Event, seconds: float | None, said: str
) -> None:
    from collector import serving  # noqa: PLC0415  a web server takes its time to load
    from collector.centre import LiveCentre  # noqa: PLC0415

    gate = serving.gate_of(data, listener)
    opened = open_for_reading(data, store)
    centre = LiveCentre(data, opened)
    page = serving.Page(serving.application(centre, gate), gate, listener)
    page.start()
    centre.warm()
    typer.echo(f"{said} {page.url}/api/docs")
    stopping.wait(seconds)
    page.stop()
    centre.close()
    opened.close()
