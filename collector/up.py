"""
`santong up`: everything on one machine, until Ctrl-C.

    broker (child) ◀══ agent (child, measures this very machine)
       ║
    collector, centre (threads here) ──▶ store ──▶ live table
                                           ╠══▶ board (child) ──▶ http://127.0.0.1:8080
                                           ╠══▶ watch (child) ──▶ journal, addresses outside
                                           ╚══▶ roots of days (child, each night) ──▶ addresses outside

With `--simulate` a pretend district is another child, which lives on the same broker.

Started downstream first, stopped in reverse. The broker and the agent are watched: a child that ends is started again,
and the end of an agent leaves a stop mark, as systemd would leave one.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live

from collector.broker import HOST, LocalBroker
from collector.centre_points import CentrePoints
from collector.child import start_tied, stop
from collector.daily import DailyRoots
from collector.keeper import Kept
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.roster.speakers import RosterSpeakers
from collector.roster_points import RosterPoints
from collector.screen import live_view
from collector.status import DeviceStatus, read_status
from collector.store.base import StoreError
from collector.store.open import open_store
from collector.words import Language
from contract.broker import BrokerSettings, BrokerUrl
from contract.names import check_device, suggest

DEFAULT_PORT = 1883
DEFAULT_BOARD_PORT = 8080
STORE_FILE = "santong.sqlite"
_SHOWN_NS = 3600 * 10**9
_REFRESH_S = 2.0
_PLAIN_REFRESH_S = 15.0
_RESTART_PAUSE_S = 2.0
_PATIENCE_S = 8.0


class Plan(NamedTuple):
    """
    What `santong up` was asked for. A port of 0 means the usual one, or a free one when that is taken.

    `simulate` is how many pretend devices live beside the real one.
    """

    data: Path
    port: int = 0
    seconds: float | None = None
    device: str = ""
    broker: str = ""
    broker_kind: str = "auto"
    store: str = ""
    language: Language = "en"
    zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    board_port: int = 0
    simulate: int = 0


class AgentProcess:
    """The agent of this machine as a process of its own, started again when it ends."""

    def __init__(self, device: str, broker_url: str, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "agent.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0
        self.trouble = ""
        # The wall clock of the very machine that stores: nobody else's word is needed.
        self._environment = {"SANTONG_CLOCK_TRUST": "always", "MALLOC_ARENA_MAX": "1", **os.environ} | {
            "SANTONG_AGENT": device,
            "SANTONG_BROKER_URL": broker_url,
            "SANTONG_SPOOL_PATH": str(folder.resolve()),
        }

    def start(self) -> None:
        """Start it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "agent.pipeline"]
        self._child = start_tied(command, self._log, self._environment)

    def keep_alive(self) -> None:
        """Start it again some seconds after it ended, leaving a stop mark."""
        if self._child is not None and self._child.poll() is not None:
            self._mark(f"exit {self._child.returncode}")
            self.trouble = f"agent: {last_words(self._log)}" if self._child.returncode > 0 else ""
            self._child = None
            self._start_at = time.monotonic() + _RESTART_PAUSE_S
        if self._child is None and time.monotonic() >= self._start_at:
            self.start()

    def stop(self) -> None:
        """Ask it to end, kill it after some seconds, and leave the mark."""
        child, self._child = self._child, None
        if child is None:
            return
        stop(child, _PATIENCE_S)
        self._mark("stopped with santong up")

    def _mark(self, reason: str) -> None:
        command = [sys.executable, "-P", "-m", "agent.stopmark", str(self._folder), reason]
        with self._log.open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, timeout=30, check=False)


def last_words(log: Path) -> str:
    """Return the last line that a program said."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "ended at once")


def store_url(data: Path) -> str:
    """Return the URL of the store in a data folder."""
    return f"sqlite://{quote(str((data / STORE_FILE).absolute()))}"


def run(plan: Plan, screen: Console, is_stopping: Callable[[], bool]) -> None:
    """Run until `is_stopping` or the plan's time is over. Raises SantongError when something cannot start."""
    device = check_device(plan.device) if plan.device else f"local-pilot.{suggest(socket.gethostname())}"
    plan.data.mkdir(parents=True, exist_ok=True)
    if plan.simulate:
        from collector import living  # noqa: PLC0415

        living.check_data(plan.data)
        living.prepare(plan.data, plan.simulate, time.time_ns() // 10**6)
    with ExitStack() as parts:
        stored_at = plan.store or store_url(plan.data)
        store = open_store(stored_at)
        parts.callback(store.close)
        store.prepare()
        quarantine = Quarantine(plan.data)
        parts.callback(quarantine.close)
        broker = None if plan.broker else _start_broker(plan, parts)
        url = broker.url if broker else plan.broker
        speakers = RosterSpeakers(plan.data, plan.zone)
        collector = Collector(BrokerSettings(BrokerUrl.parse(url)), store, quarantine, speakers=speakers)
        collector.start()
        parts.callback(collector.stop)
        centre = CentrePoints(collector, quarantine, store, RosterPoints(plan.data, plan.zone))
        centre.start()
        parts.callback(centre.stop)
        agent = AgentProcess(device, url, plan.data / "agent")
        agent.start()
        parts.callback(agent.stop)
        roots = DailyRoots(plan.data, stored_at, plan.zone, plan.language)
        parts.callback(roots.stop)
        kept, address = _kept(plan, stored_at, url, parts)
        facts = {
            "board": address,
            "broker": f"{broker.name if broker else ''} {BrokerUrl(url)!s}".strip(),
            "data": str(plan.data),
        }
        began = time.monotonic()

        def devices() -> list[DeviceStatus]:
            now_ns = time.time_ns()
            return read_status(store, now_ns - _SHOWN_NS, now_ns + 60 * 10**9)

        def tick() -> bool:
            """Look after the children; tell whether to go on."""
            agent.keep_alive()
            roots.look()
            for one in kept:
                one.look()
            if broker and not broker.alive():
                broker.start()
            return not is_stopping() and (plan.seconds is None or time.monotonic() - began < plan.seconds)

        _show(plan, screen, devices, lambda: {**facts, **_progress(collector, agent, roots, kept)}, tick)


def _kept(plan: Plan, stored_at: str, broker: str, parts: ExitStack) -> tuple[list[Kept], str]:
    """Return the board, the watch, and the pretend district where one was asked for; and the board's address."""
    port = plan.board_port or _free_port(DEFAULT_BOARD_PORT)
    # URLs may have a password in them, and everybody on this machine sees the words of a command.
    known = {"SANTONG_STORE": stored_at, "SANTONG_BROKER_URL": broker}
    board = ["collector.cli", "board", "--every", "2", "--port", str(port), "--data", str(plan.data)]
    board += ["--lang", plan.language, "--zone", plan.zone.key, *(["--pretended"] if plan.simulate else [])]
    watch = ["collector.cli", "watch", "--data", str(plan.data)]
    programs = {"board": board, "watch": watch}
    if plan.simulate:
        programs["simulate"] = ["collector.living", str(plan.simulate)]
    found = [Kept(name, words, plan.data / f"{name}.log", known) for name, words in programs.items()]
    for one in found:
        one.look()
        parts.callback(one.stop)
    return found, f"http://{HOST}:{port}"


def _start_broker(plan: Plan, parts: ExitStack) -> LocalBroker:
    port = plan.port or _free_port(DEFAULT_PORT)
    broker = LocalBroker.choose(plan.data / "broker", port, plan.broker_kind)  # type: ignore[arg-type]
    broker.start()
    parts.callback(broker.stop)
    return broker


def _free_port(wanted: int) -> int:
    """Return `wanted` when it is free (a mosquitto of the system's may have it), else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _progress(collector: Collector, agent: AgentProcess, roots: DailyRoots, kept: Sequence[Kept]) -> dict[str, str]:
    counters = collector.counters()
    progress = {"stored": f"{counters.stored_batches:,}", "refused": f"{counters.refused:,}"}
    if roots.last:
        progress["root"] = roots.last
    troubles = (collector.trouble, agent.trouble, roots.trouble, *(one.trouble for one in kept))
    trouble = next(filter(None, troubles), "")
    return progress | ({"trouble": trouble} if trouble else {})


def _show(
    plan: Plan,
    screen: Console,
    devices: Callable[[], list[DeviceStatus]],
    facts: Callable[[], Mapping[str, str]],
    tick: Callable[[], bool],
) -> None:
    """Show the live table: redrawn in a terminal, printed now and then elsewhere."""
    last: list[DeviceStatus] = []

    def view() -> object:
        nonlocal last
        try:
            last = devices()
        except StoreError as error:
            return live_view(last, [*facts().items(), ("trouble", str(error))], plan.language, plan.zone)
        return live_view(last, list(facts().items()), plan.language, plan.zone)

    if screen.is_terminal:
        with Live(view(), console=screen, auto_refresh=False) as live:  # type: ignore[arg-type]
            while _go_on(tick, _REFRESH_S):
                live.update(view(), refresh=True)  # type: ignore[arg-type]
    else:
        screen.print(view())
        while _go_on(tick, _PLAIN_REFRESH_S):
            screen.print(view())
    screen.print(view())


def _go_on(tick: Callable[[], bool], seconds: float) -> bool:
    """Wait in small steps, looking after the children; tell whether to go on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not tick():
            return False
        time.sleep(0.2)
    return True
