"""Watch over real agents, whose wills a real broker keeps; and beside `santong up`."""

import os
import signal
import subprocess
import time
from pathlib import Path

from collector.watch.journal import Journal, JournalError
from collector.watch.types import Now, State
from tests.collector.channels.receivers import web
from tests.collector.watch.district import District, WatchProcess
from tests.processes import BIN, LOCAL_ONLY, AgentProcess, CollectProcess, wait_until
from tests.services import Mosquitto, free_port


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


def test_a_killed_agent_goes_offline_by_its_will_and_comes_back(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Kill -9 of a gateway's agent: missed after the will's delay, 30 s; one message, and one when it is back."""
    with web() as receiver:
        district = District(tmp_path / "data", mosquitto, schools=1)
        district.notify(f"json://127.0.0.1:{receiver.port}/")
        store = f"sqlite://{tmp_path / 'data' / 'santong.sqlite'}"
        agent = AgentProcess(tmp_path, district.agents[0], mosquitto.url, SANTONG_BROKER_KEEPALIVE="4s")
        collect, watch = CollectProcess(tmp_path, mosquitto.url, store), WatchProcess(district)
        try:
            for process in (collect, agent, watch):
                process.start()
            wait_until(lambda: is_so(district.data, agent.device, State.WORKING), 120, watch.words)
            agent.kill()
            killed = time.monotonic()
            wait_until(lambda: is_so(district.data, agent.device, State.OFFLINE), 60, watch.words)
            assert time.monotonic() - killed >= 28
            wait_until(lambda: receiver.got, why=watch.words)
            agent.start()
            wait_until(lambda: is_so(district.data, agent.device, State.WORKING), 120, watch.words)
            wait_until(lambda: len(receiver.got) == 2, why=watch.words)
        finally:
            for process in (watch, agent, collect):
                process.stop()
            district.store.close()
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
    process = subprocess.Popen(
        [str(BIN / "santong"), "up", "--data", str(tmp_path), "--port", str(free_port())],
        env=os.environ | LOCAL_ONLY | {"SANTONG_LANG": "en"},
        stdout=subprocess.DEVNULL,
    )
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
