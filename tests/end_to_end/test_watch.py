"""Watch over real agents, whose wills a real broker keeps; and beside `santong up`."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from collector.watch.journal import Journal, JournalError
from collector.watch.types import Now, State
from contract.topics import WILL_DELAY_S
from tests.collector.channels.receivers import web
from tests.collector.watch.district import District, WatchProcess
from tests.end_to_end.newcomer import ENVIRONMENT, up
from tests.processes import AgentProcess, CollectProcess, wait_until
from tests.services import Mosquitto


def devices_of(data: Path) -> dict[str, Now]:
    """Return how watch sees all devices; nothing before it has begun."""
    try:
        return Journal(data).now()
    except JournalError:
        return {}


def is_so(data: Path, device: str, state: State) -> bool:
    """Tell whether a device is in a state."""
    found = devices_of(data).get(device)
    return found is not None and found.state is state


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_an_agent_that_is_gone_is_offline_in_time_and_comes_back(
    tmp_path: Path, mosquitto: Mosquitto, how: signal.Signals
) -> None:
    """
    Killed, a gateway's agent is missed after the will's delay, 30 s; frozen, as without a line, 1.5 keep-alives later.

    One message, and one when it is back.
    """
    keepalive_s = 4
    with web() as receiver:
        district = District(tmp_path / "data", mosquitto, schools=1)
        district.notify(f"json://127.0.0.1:{receiver.port}/")
        store = f"sqlite://{tmp_path / 'data' / 'santong.sqlite'}"
        agent = AgentProcess(tmp_path, district.agents[0], mosquitto.url, SANTONG_BROKER_KEEPALIVE=f"{keepalive_s}s")
        collect, watch = CollectProcess(tmp_path, mosquitto.url, store), WatchProcess(district)
        try:
            for process in (collect, agent, watch):
                process.start()
            wait_until(lambda: is_so(district.data, agent.device, State.WORKING), 120, watch.words)
            if how == signal.SIGKILL:
                agent.kill()
            else:
                os.kill(agent.pid, how)
            gone = time.monotonic()
            wait_until(lambda: is_so(district.data, agent.device, State.OFFLINE), 60, watch.words)
            missed_s = time.monotonic() - gone
            wait_until(lambda: receiver.got, why=watch.words)
            if how == signal.SIGSTOP:
                os.kill(agent.pid, signal.SIGCONT)
            else:
                agent.start()
            wait_until(lambda: is_so(district.data, agent.device, State.WORKING), 120, watch.words)
            wait_until(lambda: len(receiver.got) == 2, why=watch.words)
        finally:
            for process in (watch, agent, collect):
                process.stop()
            district.store.close()
    # Beside these: the broker's own look at its clients, each few seconds, and that of watch.
    most_s = WILL_DELAY_S + 5 + (1.5 * keepalive_s if how == signal.SIGSTOP else 0)
    assert WILL_DELAY_S - 2 <= missed_s <= most_s
    assert ["1 new" in one["title"] for one in receiver.got] == [True, False]
    assert "Traceback" not in watch.words()


def watch_of(up: int) -> int | None:
    """Return the process id of the watch of `santong up`."""
    for child in Path(f"/proc/{up}/task/{up}/children").read_text().split():
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"collector.cli\0watch\0" in words:
            return int(child)
    return None


def test_up_watches_this_machine_and_starts_a_killed_watch_again(tmp_path: Path) -> None:
    """Without a roster what reports is shown; watch is a child that is started again and ends with `santong up`."""
    process = subprocess.Popen(up(tmp_path), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: watch_of(process.pid))
        first = watch_of(process.pid)
        wait_until(lambda: devices_of(tmp_path))
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: watch_of(process.pid) not in (None, first))
        second = watch_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not Path(f"/proc/{second}").exists()
    finally:
        process.kill()
        process.wait()
    (found,) = Journal(tmp_path).now().values()
    assert found.device.startswith("local-pilot.")
    assert Journal(tmp_path).incidents() == []
