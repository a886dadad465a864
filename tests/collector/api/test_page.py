"""The page that explains the API, and `santong api` as a process of its own."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.collector.api.conftest import PASSWORD, City, Served
from tests.collector.web import ask, basic
from tests.processes import BIN, Process

_ADMIN = basic("admin", PASSWORD)
FROM_OUTSIDE = re.compile(rb"""(?:src|href|url|action)\s*[=:(]\s*["']?(?:https?:)?//""")


def test_the_page_loads_nothing_from_outside(served: Served) -> None:
    """Every file that it names is served here; a browser is told to load nothing else, and to run nothing within it."""
    answer = ask(served.url, "/api/docs", _ADMIN)
    assert not FROM_OUTSIDE.search(answer.body)
    assert not re.search(rb"<script(?![^>]*src=)|<style| on\w+=", answer.body)
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    names = re.findall(rb'(?:src|href)="(docs/[^"]+)"', answer.body)
    assert len(names) == 4
    for name in names:
        assert ask(served.url, f"/api/{name.decode()}", _ADMIN).status == 200
    assert ask(served.url, "/api/docs/other.js", _ADMIN).status == 404
    assert b"validatorUrl: null" in ask(served.url, "/api/docs/start.js", _ADMIN).body


def test_every_route_is_explained(served: Served) -> None:
    """Each has a summary in a sentence, each parameter that is no id a description, each column a type."""
    tree = ask(served.url, "/api/openapi.json", _ADMIN).json
    assert len(tree["paths"]) == 17
    for path, operations in tree["paths"].items():
        changes = path.startswith("/api/v1/incidents/{name}/")
        assert set(operations) == {"post" if changes else "get"}, "all else is read-only"
        assert all(one["description"].endswith(".") for one in operations.values()), path


class ApiProcess(Process):
    """`santong api` on a free port."""

    def __init__(self, folder: Path, data: Path, *more: str) -> None:
        super().__init__(folder / "api.log")
        self._arguments = ["--port", "0", "--data", str(data), "--lang", "en", *more]

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(BIN / "santong"), "api", *self._arguments]

    def url(self) -> str:
        """Return where it is, once it says so."""
        deadline = time.monotonic() + 30
        while not (found := re.search(r"the API is at (http://127\.0\.0\.1:\d+)/api/docs\n", self.words())):
            assert self.is_running() and time.monotonic() < deadline, self.words()
            time.sleep(0.05)
        return found[1]


@contextmanager
def running(folder: Path, data: Path, *more: str) -> Iterator[ApiProcess]:
    """Run `santong api`."""
    folder.mkdir(exist_ok=True)
    process = ApiProcess(folder, data, *more)
    process.start()
    try:
        yield process
    finally:
        process.stop()


def test_a_browser_shows_it(city: City, tmp_path: Path) -> None:
    """In a real Chromium, on localhost: the routes are listed, so the scripts ran under their policy."""
    program = shutil.which("chromium")
    assert program, "apt-get install chromium"
    with running(tmp_path, city.data) as process:
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--virtual-time-budget=15000", "--dump-dom", f"{process.url()}/api/docs"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False).stdout
    assert "/api/v1/verdicts/units" in shown
    assert "/healthz" in shown


def test_the_command_serves_until_it_is_stopped(city: City, tmp_path: Path) -> None:
    """On localhost without a login: it says where it is, answers, and ends in good order on SIGTERM, saying nothing."""
    with running(tmp_path / "a", city.data) as process:
        url = process.url()
        assert ask(url, "/").headers["location"] == "/api/docs"
        assert len(ask(url, "/api/v1/status").json["items"]) == len(city.roster.devices)
        assert ask(url, "/api/v1/status", {"Host": "evil.example"}).status == 403
    assert process.words().count("\n") == 1, process.words()
    with running(tmp_path / "b", city.data, "--login") as process:
        url = process.url()
        assert ask(url, "/api/v1/status").status == 401
        assert ask(url, "/api/v1/status", _ADMIN).status == 200


def test_the_port_of_another_is_said(city: City, tmp_path: Path) -> None:
    """One line, exit code 2."""
    with running(tmp_path, city.data) as process:
        port = process.url().rpartition(":")[2]
        command = [str(BIN / "santong"), "api", "--port", port, "--data", str(city.data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (2, f"127.0.0.1:{port}: Address already in use\n")
