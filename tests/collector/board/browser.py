"""The board as its user runs it, and a real Chromium before it."""

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import BrowserContext, Page, expect

from tests.processes import BIN, Process

expect.set_options(timeout=20_000)


class BoardProcess(Process):
    """`santong board`, which looks every second."""

    def __init__(self, data: Path, port: int, *words: str) -> None:
        super().__init__(data / "board.log")
        self._data, self._port, self._words = data, port, words

    def command(self) -> list[str]:
        """Return the command line."""
        words = ["board", "--data", str(self._data), "--port", str(self._port), "--every", "1", "--lang", "en"]
        return [str(BIN / "santong"), *words, *self._words]

    def environment(self) -> dict[str, str]:
        """Return the environment: NiceGUI would take pytest's for a test of its own."""
        return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            assert self.is_running(), self.log.read_text()
            assert time.monotonic() < until, "the board does not answer"
            time.sleep(0.1)


class Tab(NamedTuple):
    """A tab, and what its browser complained of or asked elsewhere."""

    page: Page
    complaints: list[str]
    hosts: set[str]


def watched(context: BrowserContext) -> Tab:
    """Return a tab whose complaints and requests are written down."""
    page, complaints, hosts = context.new_page(), list[str](), set[str]()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]) if "//" in asked.url else None)
    page.on("websocket", lambda socket: hosts.add(socket.url.split("/")[2]))
    return Tab(page, complaints, hosts)
