"""
How fast the board answers with a city's devices, and how much memory it takes.

A roster of the simulator's city, twenty minutes of presence and of journeys in the store, new evidence of all devices
every minute while pages are asked for, and a watch beside it whose journal of all devices the board reads. A page is
timed from the request to the last byte, and for some in a real Chromium until its first piece is on the screen.

    python -m benchmarks.board [--devices 22000] [--seconds 180] [--influxd]
"""

import argparse
import contextlib
import http.client
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.report import Figure, print_figures
from collector.check import identity_tags
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from collector.watch.journal import FILE, Journal
from collector.watched import Watcher
from contract.measurements import Retention
from simulator import paper
from simulator.places import Place, Role
from simulator.world import World
from tests.services import Influxd, find_program, free_port

GOAL_S = 1.0
GOAL_MB = 600.0
MINUTE_NS = 60 * 10**9
_LINES = 50_000


def lines(places: tuple[Place, ...], at_ns: int) -> Iterator[bytes]:
    """Yield a minute of a city: a tenth of the agents is off, one hotspot in twenty fails."""
    for place in places:
        for number, thing in enumerate(place.things):
            off = hash((thing.id, "off")) % 10 == 0
            if not thing.exists or off:
                continue
            tags = identity_tags(thing.speaker, thing.id)
            if thing.role is Role.PANEL:
                yield b'display%b power="on" %d\n' % (tags, at_ns)
                continue
            yield b'presence%b boot="b",uptime_s=5000.0,asleep_s=0.0,lan=1i,wan=1i,broker=1i %d\n' % (tags, at_ns)
            if thing.role is Role.HOTSPOT:
                stage = "portal" if (number + at_ns // MINUTE_NS) % 20 == 0 else "done"
                outcome = f'success={int(stage == "done")}i,stage="{stage}",scan_ms=900.0'
                yield f"probe{tags.decode()},kind=wifi_join,target=Free {outcome} {at_ns}\n".encode()


def write(store: Store, places: tuple[Place, ...], at_ns: int) -> None:
    """Write a minute of everything."""
    pending: list[bytes] = []
    for line in lines(places, at_ns):
        pending.append(line)
        if len(pending) >= _LINES:
            store.write(Retention.EVIDENCE, b"".join(pending))
            pending.clear()
    store.write(Retention.EVIDENCE, b"".join(pending))


def prepare(data: Path, devices: int) -> World:
    """Write roster and calendars of a city."""
    world = World(1, devices, date.today() - timedelta(days=1), 2)  # noqa: DTZ011
    paper.write(world, data)
    Versions(data).add(read([data / "sites.csv", data / "devices.csv"]), world.calendar.start, "benchmark")
    return world


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, path: str) -> tuple[float, int]:
    """Return how long a page took, and its size."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    size = len(answer.read())
    assert answer.status == 200, path
    connection.close()
    return time.monotonic() - began, size


def wait_for(port: int, process: subprocess.Popen[bytes]) -> float:
    """Wait until the board shows devices, and return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < 180:
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/")
            if b"count-working" in (body := connection.getresponse().read()) and b'data-at=\\"0' not in body:
                return time.monotonic() - began
        time.sleep(0.5)
    raise SystemExit("the board shows nothing")


def paths(places: tuple[Place, ...], chance: random.Random) -> Iterator[str]:
    """Yield pages as people open them."""
    fixed = ("/", "/hotspots", "/rollout", "/check", "/devices?state=off", "/search?q=0007", "/county/441802")
    while True:
        place = chance.choice(places)
        yield from (chance.choice(fixed), f"/site/{place.id}", f"/device/{chance.choice(place.things).id}")


def in_a_browser(port: int, wanted: list[str], seconds: float) -> tuple[list[float], int]:
    """Open pages in Chromium, and return how long each took to show its first piece; then watch one for a while."""
    took = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_program("chromium", "chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")  # its JavaScript is in the browser's cache from here on
        page.wait_for_selector(".card")
        for path in wanted:
            began = time.monotonic()
            page.goto(f"http://127.0.0.1:{port}{path}")
            page.wait_for_selector(".card")
            took.append(time.monotonic() - began)
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector(".card")
        received = [0]
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", lambda event: received.__setitem__(
            0, received[0] + len(event["response"]["payloadData"])))  # fmt: skip
        page.wait_for_timeout(seconds * 1000)
        browser.close()
    return took, received[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--influxd", action="store_true", help="InfluxDB instead of SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        influxd = Influxd(data / "influxd") if given.influxd else None
        if influxd:
            influxd.start()
        try:
            measure(
                data,
                f"influxdb://127.0.0.1:{influxd.port}/santong" if influxd else store_url(data),
                given.devices,
                given.seconds,
            )
        finally:
            if influxd:
                influxd.stop()


def measure(data: Path, url: str, devices: int, seconds: float) -> None:
    """Measure one store."""
    world = prepare(data, devices)
    store = open_store(url)
    store.prepare()
    now = time.time_ns()
    minute = now - now % MINUTE_NS
    for back in range(20, -1, -1):
        write(store, world.places, minute - back * MINUTE_NS)
    print(f"{devices:,} devices at {len(world.places):,} sites; store ready", flush=True)
    port, log = free_port(), (data / "board.log").open("wb")
    command = [sys.executable, "-P", "-m", "collector.cli", "board", "--data", str(data), "--port", str(port)]
    environment = os.environ | {"SANTONG_STORE": url}
    watching = [sys.executable, "-P", "-m", "collector.cli", "watch", "--data", str(data)]
    watch = subprocess.Popen(watching, stdout=log, stderr=log, env=environment)
    wait_for_watch(data, watch)
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    stopping = threading.Event()
    writer = threading.Thread(target=keep_writing, args=(store, world.places, stopping))
    writer.start()
    try:
        figures = look(port, process, world.places, seconds)
    finally:
        stopping.set()
        writer.join()
        for one in (process, watch):
            one.terminate()
            one.wait(60)
        log.close()
        store.close()
    print(f"reading the journal of watch: {read_journal_s(data):.3f} s")
    print_figures(f"The board with {devices:,} devices, {url.partition(':')[0]}", figures)
    print((data / "board.log").read_text()[-1000:])


def wait_for_watch(data: Path, watch: subprocess.Popen[bytes]) -> None:
    """Wait until watch has looked at all devices."""
    until = time.monotonic() + 180
    while not (data / FILE).is_file() or not Journal(data).now():
        assert watch.poll() is None
        if time.monotonic() > until:
            raise SystemExit("watch does not look")
        time.sleep(0.5)


def read_journal_s(data: Path) -> float:
    """Return how long it takes to read what watch says of all devices, as the board does."""
    began = time.monotonic()
    assert Watcher(data).look(time.time_ns()).now
    return time.monotonic() - began


def keep_writing(store: Store, places: tuple[Place, ...], stopping: threading.Event) -> None:
    """Write a minute of evidence each minute."""
    while not stopping.wait(60 - time.time() % 60):
        write(store, places, time.time_ns() // MINUTE_NS * MINUTE_NS)


def look(port: int, process: subprocess.Popen[bytes], places: tuple[Place, ...], seconds: float) -> list[Figure]:
    """Ask for pages as long as told, and return what it came to."""
    first_s = wait_for(port, process)
    at_first, used_s = rss_mb(process.pid), cpu_s(process.pid)
    chance = random.Random(7)
    began, took, sizes = time.monotonic(), list[float](), list[int]()
    asked, slowest = paths(places, chance), (0.0, "", 0.0)
    while time.monotonic() - began < seconds:
        path = next(asked)
        one_s, size = ask(port, path)
        slowest = max(slowest, (one_s, path, time.monotonic() - began))
        took.append(one_s)
        sizes.append(size)
        time.sleep(0.2)
    busy = (cpu_s(process.pid) - used_s) / (time.monotonic() - began)
    shown, frames = in_a_browser(port, [next(asked) for _ in range(30)], 30)
    print(f"pages asked for: {len(took):,}; median {statistics.median(took):.3f} s, largest {max(sizes):,} bytes")
    print(f"the slowest: {slowest[1]}, {slowest[2]:.0f} s after the first, {slowest[0]:.3f} s")
    print(f"a city page that is open received {frames:,} bytes in 30 s")
    return [
        Figure("start until all devices are shown", first_s, 60, "s"),
        Figure("page, 95 % within", statistics.quantiles(took, n=20)[-1], GOAL_S, "s"),
        Figure("slowest page", max(took), 3 * GOAL_S, "s"),
        Figure("page on the screen of Chromium, 95 % within", statistics.quantiles(shown, n=20)[-1], GOAL_S, "s"),
        Figure("memory after the first look", at_first, GOAL_MB, "MB"),
        Figure("memory at the end", rss_mb(process.pid), GOAL_MB, "MB"),
        Figure("processor, with a page five times a second", busy, 1.0, "cores"),
    ]


if __name__ == "__main__":
    main()
