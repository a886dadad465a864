"""What every test in a browser begins with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.services import find_program


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, which finds no host but this machine."""
    program = find_program("chromium", "chromium")
    with sync_playwright() as play:
        nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", nowhere])
        yield browser
        browser.close()
