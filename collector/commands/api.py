"""`santong api`: the HTTP API, alone."""

import logging
import sys
from typing import TYPE_CHECKING

from collector.access.listener import listener_of
from collector.commands.common import (
    DEFAULT_DATA,
    Data,
    Lang,
    StoreOption,
    language_of,
    on_stop_signals,
    open_for_reading,
)
from collector.commands.listening import For, Listen, Login, Port, Proxy, ProxyUser, serve
from collector.words import word
from contract.command_line import one_line_errors

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from collector.access.listener import Listener


def api(
    listen: Listen = "127.0.0.1:8081",
    port: Port = None,
    proxy: Proxy = None,
    proxy_user: ProxyUser = "",
    login: Login = False,
    seconds: For = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    lang: Lang = None,
) -> None:
    """
    Serve the HTTP API alone, until stopped; `santong board` has it, too.

    Status, verdicts, series, roster, incidents and more as JSON and CSV.
    """
    language, stopping = language_of(lang), on_stop_signals()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    with one_line_errors():
        listener = listener_of(str(port) if port is not None else listen, proxy or (), proxy_user, login=login)
        _serve(data, store, listener, stopping, seconds, word("api_at", language))


def _serve(
    data: "Path", store: str | None, listener: "Listener", stopping: "Event", seconds: float | None, said: str
) -> None:
    from collector import serving  # noqa: PLC0415  a web server takes its time to load
    from collector.centre import LiveCentre  # noqa: PLC0415

    gate = serving.gate_of(data, listener)
    opened = open_for_reading(data, store)
    centre = LiveCentre(data, opened)
    page = serving.Page(serving.application(centre, gate), gate, listener)
    centre.warm()
    serve(page, stopping, seconds, f"{said} {page.url}/api/docs")
    centre.close()
    opened.close()
