"""`santong board`: the live page, with the API beside it."""

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from collector.access.listener import listener_of
from collector.commands.common import (
    DEFAULT_DATA,
    DEFAULT_ZONE,
    Data,
    Lang,
    StoreOption,
    Zone,
    language_of,
    on_stop_signals,
    open_for_reading,
    zone_of,
)
from collector.commands.listening import For, Listen, Login, Port, Proxy, ProxyUser, serve
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event
    from zoneinfo import ZoneInfo

    from collector.access.listener import Listener
    from collector.board.source import Settings


def board(
    listen: Listen = "127.0.0.1:8080",
    port: Port = None,
    proxy: Proxy = None,
    proxy_user: ProxyUser = "",
    login: Login = False,
    every: Annotated[float, typer.Option(min=1, max=600, help="Seconds between two looks at the evidence.")] = 5,
    pretended: Annotated[bool, typer.Option("--pretended", help="Say on every page that it is simulated.")] = False,
    seconds: For = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Show what works now, as pages that update themselves, until stopped; the API is beside them, at /api/docs.

    It reads, and records disputes, closures and what people do about incidents.
    """
    language, place, stopping = language_of(lang), zone_of(zone), on_stop_signals()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    with one_line_errors():
        from collector.board.source import Settings  # noqa: PLC0415  brings a web server
        from collector.living import FOLDER as PRETENDED  # noqa: PLC0415

        listener = listener_of(str(port) if port is not None else listen, proxy or (), proxy_user, login=login)
        if not data.is_dir():
            fail(f"--data: {data} is not there: name the folder of the centre")
        pretended = pretended or (data / PRETENDED).is_dir()
        settings = Settings(every, language, pretended, may_leave=not listener.asks_nobody and not listener.header)
        _serve(data, store, place, (listener, settings), stopping, seconds)


def _serve(
    data: "Path",
    store: str | None,
    place: "ZoneInfo",
    how: "tuple[Listener, Settings]",
    stopping: "Event",
    seconds: float | None,
) -> None:
    from collector import serving  # noqa: PLC0415
    from collector.board.server import application  # noqa: PLC0415
    from collector.boarding import LiveSource  # noqa: PLC0415
    from collector.centre import LiveCentre  # noqa: PLC0415
    from collector.desk import Desk  # noqa: PLC0415

    listener, settings = how
    gate = serving.gate_of(data, listener)
    opened = open_for_reading(data, store)
    centre = LiveCentre(data, opened)
    pages = application(LiveSource(opened, data, place), Desk(data), settings, serving.guest_of(gate))
    page = serving.Page(serving.Beside(pages, serving.application(centre, gate)), gate, listener)
    serve(page, stopping, seconds, page.url)
    centre.close()
    opened.close()
