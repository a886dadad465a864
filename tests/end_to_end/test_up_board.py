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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page, expect, sync_playwright

from collector.boarding import LiveSource
from collector.store.open import open_store
from collector.up import store_url
from collector.watch.journal import Journal
from collector.watch.types import Now, State
from contract import topics
from tests.collector.board.town import HOTSPOT, SQUARE, Town
from tests.processes import BIN, LOCAL_ONLY, AgentProcess
from tests.services import find_program, free_port

LIVING_S = 20.0
# A will comes 30 s after the connection ended, watch looks every 15 s, the board every two seconds.
NOTICED_MS = 75_000
AGREE_S = 150.0
PATIENCE_S = 90.0  # where others have the processors, too


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


class Up:
    """`santong up` with its ports."""

    def __init__(self, folder: Path, data: Path, *words: str) -> None:
        self.port, self.broker_port, self.log = free_port(), free_port(), folder / "up.log"
        command = [str(BIN / "santong"), "up", "--data", str(data), "--port", str(self.broker_port), *words]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--board-port", str(self.port)], env=environment(), stdout=log, stderr=log
            )

    @property
    def url(self) -> str:
        """Where the board is."""
        return f"http://127.0.0.1:{self.port}"

    def child(self, module: str) -> int:
        """Return the process id of a program that it looks after."""
        (found,) = [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if f"PPid:\t{self.process.pid}\n" in _read(folder / "status") and module in _read(folder / "cmdline")
        ]
        return found

    def stop(self) -> None:
        """End it; it must do so in good order."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


def _read(file: Path) -> str:
    """Return a file of a process, empty when it has ended."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def tab() -> Iterator[Page]:
    """Open a tab of a real Chromium."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_program("chromium", "chromium"), args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def connected(device: str, port: int) -> mqtt.Client:
    """Return the connection of an agent, whose will is that of a real one, but without delay; its state is online."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, f"pretend-{device}", protocol=mqtt.MQTTv5)
    client.will_set(topics.state(device), topics.encode_state("offline", "b", "1"), qos=1, retain=True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topics.state(device), topics.encode_state("online", "b", "1"), 1, retain=True).wait_for_publish(20)
    return client


def break_off(client: mqtt.Client) -> None:
    """End a connection as a killed process does: without a word."""
    client.loop_stop()
    connection = client.socket()
    assert connection is not None
    connection.close()


def waited_s(process: int) -> float:
    """Return how long a process or a child of it, whichever most, waited for a processor, in seconds."""
    first = psutil.Process(process)
    threads = [
        thread
        for one in (first, *first.children(recursive=True))
        for thread in Path(f"/proc/{one.pid}/task").glob("*/schedstat")
    ]
    return max(int(thread.read_text().split()[1]) for thread in threads) / 1e9


def test_a_pretend_district_lives_within_20_seconds(tmp_path: Path) -> None:
    """Most of 300 devices work on the board 20 s after the command, it goes on living, and this machine is to check."""
    began = time.monotonic()
    up = Up(tmp_path, tmp_path / "data", "--simulate", "300")
    try:
        while working(page(up.port, "/")) < 200:
            assert up.process.poll() is None, up.log.read_text()
            assert time.monotonic() - began < PATIENCE_S, f"{working(page(up.port, '/'))} work after {PATIENCE_S:.0f} s"
            time.sleep(0.2)
        took_s = time.monotonic() - began
        assert took_s - waited_s(up.process.pid) < LIVING_S, f"{took_s:.0f} s"
        with tab() as seen:
            it_lives(seen, up)
            a_pretend_agent_is_killed_and_comes_back(seen, up)
        watch_and_evidence_say_the_same(tmp_path / "data")
    finally:
        up.stop()
    said = up.log.read_text()
    assert f"board: {up.url}" in said
    assert "trouble" not in said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", up.port)) != 0, "the board outlives santong up"
    assert json.loads(_status(tmp_path / "data"))


def it_lives(seen: Page, up: Up) -> None:
    """See the city, a county, a school, a class with its minutes, and this very machine among the unregistered."""
    seen.goto(up.url)
    expect(seen.locator(".pretended")).to_have_text("simulated")
    first = seen.locator("#as-of").get_attribute("data-at")
    expect(seen.locator("#as-of")).not_to_have_attribute("data-at", str(first), timeout=40_000)
    seen.locator("#county-table a").first.click()
    seen.locator("#site-table a").first.click()
    seen.locator(".room.s-working").first.click()
    expect(seen.locator("#today .c-working").first).to_be_visible(timeout=40_000)
    seen.goto(f"{up.url}/check")
    expect(seen.locator("#unregistered-table")).to_contain_text("local-pilot.", timeout=90_000)
    expect(seen.locator(".trouble")).to_have_count(1)  # the sentence for a page that stands still, which is hidden


def a_pretend_agent_is_killed_and_comes_back(seen: Page, up: Up) -> None:
    """
    See a hotspot whose connection ends without a word turn offline on its open page, and work again when it is back.

    The district holds its breath meanwhile: its other connection would go on to send evidence of the hotspot.
    """
    seen.goto(f"{up.url}/hotspots")
    row = seen.locator("#hotspot-table tr", has=seen.locator(".s-working")).last
    device = str(row.locator("a").last.get_attribute("href")).removeprefix("/device/")
    seen.goto(f"{up.url}/device/{device}")
    state = seen.locator("#device-state .badge")
    expect(state).to_have_class("badge s-working")
    district = up.child("collector.living")
    os.kill(district, signal.SIGSTOP)
    break_off(connected(device, up.broker_port))
    expect(state).to_have_class("badge s-offline", timeout=NOTICED_MS)
    os.kill(district, signal.SIGCONT)
    client = connected(device, up.broker_port)
    expect(state).to_have_class("badge s-working", timeout=NOTICED_MS)
    client.disconnect()
    client.loop_stop()


def watch_and_evidence_say_the_same(data: Path) -> None:
    """
    Read both for all devices, until of nearly all both say that they work, or that they fail, or neither.

    They never agree to the last device: what changes is heard by one of them a minute before the other. Who is gone is
    left out: watch hears that minutes before evidence ends, and at the end of a lesson of many.
    """
    store = open_store(store_url(data))
    until = time.monotonic() + AGREE_S
    while True:
        evidence = Evidence(store, data, ZoneInfo("Asia/Shanghai")).look(time.time_ns()).now
        watch = Journal(data).now()
        others = {
            name: (watch[name], now)
            for name, now in evidence.items()
            if watch[name].state not in (State.OFF, State.OFFLINE) and _said(watch[name]) != _said(now)
        }
        if len(others) <= 0.03 * len(evidence):
            break
        assert time.monotonic() < until, others
        time.sleep(2)
    store.close()
    assert evidence.keys() == watch.keys()


class Evidence(LiveSource):
    """What a board without a watch would show."""

    def _read_watch(self, now_ns: int) -> None:
        pass


def _said(now: Now) -> State | None:
    return now.state if now.state in (State.WORKING, State.FAILING) else None


def test_a_killed_agent_turns_offline_and_comes_back(tmp_path: Path) -> None:
    """A real agent of the roster, killed with -9: offline within a minute on a page that nobody reloads, then back."""
    Town(tmp_path / "data").close()
    up = Up(tmp_path, tmp_path / "data")
    agent = AgentProcess(tmp_path, HOTSPOT, f"mqtt://127.0.0.1:{up.broker_port}")
    try:
        while not page(up.port, "/"):
            assert up.process.poll() is None, up.log.read_text()
            time.sleep(0.2)
        agent.start()
        with tab() as seen:
            seen.goto(f"{up.url}/site/{SQUARE}")
            room = seen.locator(f"#room-{HOTSPOT.replace('.', '-')}")
            expect(room).to_have_class("room s-working", timeout=90_000)
            agent.kill()
            expect(room).to_have_class("room s-offline", timeout=NOTICED_MS)
            expect(room).to_contain_text("nothing is heard")
            agent.start()
            expect(room).to_have_class("room s-working", timeout=NOTICED_MS)
    finally:
        agent.stop()
        up.stop()


def _status(data: Path) -> str:
    done = subprocess.run([str(BIN / "santong"), "status", "--data", str(data), "--hours", "1", "--json"],
                          env=environment(), capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    return done.stdout
