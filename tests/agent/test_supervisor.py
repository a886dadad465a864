"""What the service manager hears of an agent, on real sockets as systemd makes them (sd_notify(3))."""

import logging
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import supervisor as room
from agent.clock import machine_clocks
from agent.config import RoundSettings, Settings
from agent.pipeline import Agent
from agent.spool import FILE, Spool
from agent.spoolfile import open_for
from agent.supervisor import STEP_S, Supervisor
from contract.sample import Sample
from contract.settings import Seconds
from tests.agent.doubles import DEVICE, TimeDouble, settings_for
from tests.processes import wait_until

CAP = 256 << 20
STEP_US = int(STEP_S * 1e6)
WATCHDOG_S = 0.2


class Manager:
    """The service manager's end: keeps every word in the order in which it came."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.address = address
        self._words: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while datagram := self._socket.recv(4096):
            self._words += datagram.decode().split("\n")

    def words(self) -> list[str]:
        """Return the words of all datagrams that were sent until now."""
        marker = f"until {secrets.token_hex(8)}"
        self._send(marker.encode())
        wait_until(lambda: marker in self._words)
        return [word for word in self._words if not word.startswith("until ")]

    def _send(self, datagram: bytes) -> None:
        address = self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, "\0" + address[1:] if address.startswith("@") else address)

    def count(self, word: str) -> int:
        """Return how often a word was said."""
        return self.words().count(word)

    def environment(self, watchdog_s: float = 0.0) -> dict[str, str]:
        """Return the variables of a unit of Type=notify, with WatchdogSec= where it is asked for."""
        found = {"NOTIFY_SOCKET": self.address}
        if watchdog_s:
            found |= {"WATCHDOG_USEC": str(int(watchdog_s * 1e6)), "WATCHDOG_PID": str(os.getpid())}
        return found

    def close(self) -> None:
        """Stop reading."""
        self._send(b"")
        self._reader.join(10)
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def any_manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """Listen as systemd does, on a path or on an abstract name."""
    is_path = request.param == "a path"
    with closing(Manager(str(tmp_path / "notify") if is_path else f"@santong-test-{secrets.token_hex(8)}")) as made:
        yield made


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Listen on a path."""
    with closing(Manager(str(tmp_path / "notify"))) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TimeDouble:
    """Let the supervisor's clock stand until the test moves it."""
    double = TimeDouble()
    monkeypatch.setattr(room, "time", double)
    return double


def test_ready_once_and_alive_as_often_as_is_needed(any_manager: Manager, clock: TimeDouble) -> None:
    """The first turn of the loop says READY=1, each quarter of the watchdog's time WATCHDOG=1, and no turn more."""
    told = Supervisor(any_manager.environment(180))
    for _ in range(1000):
        told.alive()
        clock.now += 1
    assert any_manager.words()[:2] == ["READY=1", "WATCHDOG=1"]
    assert any_manager.count("READY=1") == 1
    assert any_manager.count("WATCHDOG=1") == 1 + 999 // 45
    assert told.longest_wait_s == 45


def test_a_unit_without_a_watchdog_hears_that_the_agent_is_ready(manager: Manager, clock: TimeDouble) -> None:
    """Without WatchdogSec= the agent says READY=1 and nothing more."""
    told = Supervisor(manager.environment())
    for _ in range(100):
        told.alive()
        clock.now += 60
    assert manager.words() == ["READY=1"]
    assert told.longest_wait_s == float("inf")


def test_long_work_at_the_start_is_given_time(manager: Manager, clock: TimeDouble) -> None:
    """Mending before the agent is ready asks for more time, every few seconds as long as there is progress."""
    told = Supervisor(manager.environment(180))
    for _ in range(30):
        told.busy()
        clock.now += 1
    told.alive()
    assert manager.words() == [f"EXTEND_TIMEOUT_USEC={STEP_US}"] * 3 + ["READY=1", "WATCHDOG_USEC=180000000"] + [
        "WATCHDOG=1"
    ]


def test_long_work_in_between_is_given_time(manager: Manager, clock: TimeDouble) -> None:
    """Mending in a running agent widens the watchdog's time for its steps; the next turn of the loop narrows it."""
    told = Supervisor(manager.environment(180))
    told.alive()
    for _ in range(15):
        told.busy()
        clock.now += 1
    told.alive()
    told.alive()
    widened, narrowed = [f"WATCHDOG_USEC={STEP_US}", "WATCHDOG=1"], ["WATCHDOG_USEC=180000000", "WATCHDOG=1"]
    assert manager.words() == ["READY=1", "WATCHDOG=1", *widened, *widened, *narrowed]


def test_the_status_is_one_line_and_said_when_it_is_new(manager: Manager) -> None:
    """STATUS= is a line of its own: no text of a broker can say READY=1 or STOPPING=1 in its place."""
    told = Supervisor(manager.environment())
    told.status("not connected: bad\nSTOPPING=1")
    told.status("not connected: bad\nSTOPPING=1")
    told.status("好" * 1000)
    told.stopping()
    assert manager.words() == ["STATUS=not connected: bad STOPPING=1", f"STATUS={'好' * 200}", "STOPPING=1"]


def test_no_word_reaches_processes_that_the_agent_starts(manager: Manager) -> None:
    """The variables are taken away: what the agent starts does not speak for it."""
    environment = manager.environment(180) | {"LANG": "C"}
    Supervisor(environment)
    assert environment == {"LANG": "C"}


def test_without_a_service_manager_nothing_happens() -> None:
    """Without NOTIFY_SOCKET there is nobody to tell, and no limit to how long the loop may wait."""
    told = Supervisor({"WATCHDOG_USEC": "1000000"})
    for say in (told.alive, told.busy, told.stopping):
        say()
    told.status("fine")
    assert told.longest_wait_s == float("inf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WATCHDOG_PID", "1"),
        ("WATCHDOG_USEC", "soon"),
        ("WATCHDOG_USEC", "-5"),
        ("WATCHDOG_USEC", "٣"),
        ("WATCHDOG_USEC", "9" * 30),
    ],
)
def test_a_watchdog_that_is_not_ours(manager: Manager, name: str, value: str) -> None:
    """A watchdog meant for another process, or one whose time cannot be read, hears nothing."""
    told = Supervisor(manager.environment(180) | {name: value})
    told.alive()
    assert manager.words() == ["READY=1"]


@pytest.mark.parametrize("address", ["relative", "vsock:2:1234", "/no/such/folder/notify", "@" + "x" * 300, "/\0"])
def test_an_address_that_cannot_be_told(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """A service manager that is not there costs no more than a word in the debug log."""
    told = Supervisor({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "180000000"})
    with caplog.at_level(logging.INFO):
        told.alive()
        told.busy()
        told.status("fine")
        told.stopping()
    assert not caplog.messages


def test_ready_is_said_again_until_it_is_heard(tmp_path: Path, clock: TimeDouble) -> None:
    """READY=1 that did not arrive is said at the next turn of the loop: a start never fails for one lost datagram."""
    told = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    told.alive()
    with closing(Manager(str(tmp_path / "notify"))) as late:
        clock.now += 1
        told.alive()
        told.alive()
        assert late.words() == ["READY=1"]


def test_a_service_manager_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    """Where its queue is full, words are lost after a moment, and the loop goes on."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(address)
        told = Supervisor({"NOTIFY_SOCKET": address})
        began = time.monotonic()
        for number in range(1000):
            told.status(f"turn {number}")
        assert time.monotonic() - began < 5


# ---- of an agent


class HangingSource:
    """A source that hangs in its second round, as a read from a dying disk does; then it lets the agent end."""

    name = "hanging"

    def __init__(self, manager: Manager, stop: Callable[[], None]) -> None:
        self._manager, self._stop = manager, stop
        self._rounds = 0
        self.heard: list[int] = []  # how often the loop said that it is alive: before the hang, and at its end

    def gather(self, _at_ns: int) -> Iterator[Sample]:
        """Yield nothing; hang for five times what the watchdog allows."""
        self._rounds += 1
        if self._rounds > 1:
            self.heard.append(self._manager.count("WATCHDOG=1"))
            time.sleep(5 * WATCHDOG_S)
            self.heard.append(self._manager.count("WATCHDOG=1"))
            self._stop()
        yield from ()


def test_a_loop_that_hangs_is_not_fed(tmp_path: Path, manager: Manager) -> None:
    """The watchdog hears the loop as long as it comes round; one that hangs in a round falls silent at once."""
    settings = settings_for(tmp_path / "spool")._replace(round=RoundSettings(Seconds(1)))
    spool = Spool(settings.spool.path, CAP)
    agent = Agent(settings, machine_clocks(), spool)
    agent.supervisor = Supervisor(manager.environment(WATCHDOG_S))
    source = HangingSource(manager, agent.stop)
    agent._sources.append(source)
    agent.run()
    before, after = source.heard
    assert before == after > 2
    status, *words = manager.words()
    assert status == "STATUS=not connected yet; 0 batches wait"
    assert words[0] == "READY=1"
    assert "STOPPING=1" in words


def test_mending_at_the_start_reports_its_progress(tmp_path: Path, manager: Manager, clock: TimeDouble) -> None:
    """A spool that is damaged is mended row by row, and the start-up limit is moved on with the rows."""
    settings: Settings = settings_for(tmp_path / "spool")
    folder = settings.spool.path
    spool, _ = open_for(folder, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
        for number in range(200):
            spool.append(f"441802-1.c{number}", os.urandom(500).hex().encode() + b"\n", "synced")
        spool.close_batches()
    spool.close()
    with (folder / FILE).open("r+b") as stream:
        stream.seek(7 * 4096)
        stream.write(b"\xa5" * 4096)
    told = Supervisor(manager.environment(180))

    def step() -> None:
        clock.now += 1
        told.busy()

    spool, why = open_for(folder, CAP, "serial-1", step)
    spool.close()
    assert "spool damaged" in why
    extended = manager.count(f"EXTEND_TIMEOUT_USEC={STEP_US}")
    assert extended > 10, "a second a row: a word every ten of them"
    assert set(manager.words()) == {f"EXTEND_TIMEOUT_USEC={STEP_US}"}
    assert sqlite3.connect(folder / FILE).execute("SELECT count(*) FROM batch").fetchone()[0] > 150
    assert DEVICE not in why
