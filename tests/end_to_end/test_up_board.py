"""What a newcomer sees in the browser: `santong up`, with a pretend district."""

import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.processes import BIN, LOCAL_ONLY
from tests.services import find_program, free_port

LIVING_S = 20.0


def environment() -> dict[str, str]:
    """Return an environment without that of pytest, which NiceGUI would take for a test of its own."""
    known = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return known | LOCAL_ONLY | {"SANTONG_LANG": "en"}


def page(port: int, path: str) -> str:
    """Return a page, empty while there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def working(text: str) -> int:
    """Return how many devices a city page says are working."""
    tile = text.partition("count-working")[2][:1000]
    found = re.search(r"<b>([\d,]+)</b>", html.unescape(tile))
    return int(found[1].replace(",", "")) if found else 0


def test_a_pretend_district_lives_within_20_seconds(tmp_path: Path) -> None:
    """Most of 300 devices work on the board 20 s after the command, it goes on living, and this machine is to check."""
    port = free_port()
    words = ["up", "--simulate", "300", "--data", str(tmp_path / "data"), "--port", str(free_port())]
    log = (tmp_path / "up.log").open("wb")
    began = time.monotonic()
    process = subprocess.Popen([str(BIN / "santong"), *words, "--board-port", str(port)], env=environment(),
                               stdout=log, stderr=log)  # fmt: skip
    try:
        while working(page(port, "/")) < 200:
            assert process.poll() is None, (tmp_path / "up.log").read_text()
            assert time.monotonic() - began < LIVING_S, f"{working(page(port, '/'))} work after {LIVING_S:.0f} s"
            time.sleep(0.2)
        with sync_playwright() as play:
            program = find_program("chromium", "chromium")
            browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{port}/")
            expect(tab.locator(".pretended")).to_have_text("simulated")
            first = tab.locator("#as-of").get_attribute("data-at")
            expect(tab.locator("#as-of")).not_to_have_attribute("data-at", str(first), timeout=40_000)
            tab.locator("#county-table a").first.click()
            tab.locator("#site-table a").first.click()
            tab.locator(".room.s-working").first.click()
            expect(tab.locator("#today .c-working").first).to_be_visible(timeout=40_000)
            tab.goto(f"http://127.0.0.1:{port}/check")
            expect(tab.locator("#unregistered-table")).to_contain_text("local-pilot.", timeout=90_000)
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        log.close()
    said = (tmp_path / "up.log").read_text()
    assert f"board: http://127.0.0.1:{port}" in said
    assert "trouble" not in said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the board outlives santong up"
    assert json.loads(_status(tmp_path / "data"))


def _status(data: Path) -> str:
    done = subprocess.run([str(BIN / "santong"), "status", "--data", str(data), "--hours", "1", "--json"],
                          env=environment(), capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    return done.stdout
