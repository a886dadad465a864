"""`santong up` as its user runs it, and `santong status` on what it stored."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from collector.store.open import open_store
from tests.collector.channels.receivers import web
from tests.processes import BIN, LOCAL_ONLY
from tests.services import free_port

ENVIRONMENT = os.environ | LOCAL_ONLY | {"SANTONG_LANG": "en"}


def santong(*words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command at the centre."""
    return subprocess.run(
        [str(BIN / "santong"), *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def kernel_counters() -> dict[str, tuple[int, int]]:
    """Return received and sent bytes by interface, from the kernel itself."""
    counters = {}
    for folder in Path("/sys/class/net").iterdir():
        rx, tx = ((folder / "statistics" / name).read_text() for name in ("rx_bytes", "tx_bytes"))
        counters[folder.name] = (int(rx), int(tx))
    return counters


def test_this_machine_is_proven_for_minutes(tmp_path: Path) -> None:
    """After 150 s the store has two minutes and more, the kernel's own counters, and no gap; the exit code is 0."""
    data = tmp_path / "data"
    process = subprocess.Popen(
        [str(BIN / "santong"), "up", "--for", "150", "--data", str(data), "--port", str(free_port())],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    readings = []
    while process.poll() is None:
        readings.append((time.time(), kernel_counters()))
        time.sleep(0.25)
    time.sleep(1.1)  # the last sample may be as young as the end: one reading is certainly later
    readings.append((time.time(), kernel_counters()))
    assert process.stdout is not None
    words = process.stdout.read()
    process.stdout.close()
    assert process.returncode == 0, words
    (device,) = json.loads(santong("status", "--data", str(data), "--json").stdout)
    assert device["device"].startswith("local-pilot.")
    assert device["presence"] >= 2
    assert (device["delivery"]["missing"], device["delivery"]["refused_lines"]) == (0, 0)
    assert device["lan"] == 1
    assert device["interfaces"], "no interface was stored"
    for name, stored in device["interfaces"].items():
        at = datetime.fromisoformat(stored["at"]).timestamp()
        before = max((r for r in readings if r[0] <= at), key=lambda r: r[0])[1][name]
        after = min((r for r in readings if r[0] >= at + 1), key=lambda r: r[0])[1][name]
        assert before[0] <= stored["rx_bytes"] <= after[0]
        assert before[1] <= stored["tx_bytes"] <= after[1]


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_either_broker_serves(tmp_path: Path, kind: str) -> None:
    """With and without mosquitto on the machine evidence flows within seconds."""
    done = santong("up", "--for", "12", "--data", str(tmp_path), "--broker", kind, "--port", str(free_port()))
    assert done.returncode == 0, done.stderr
    (device,) = json.loads(santong("status", "--data", str(tmp_path), "--json").stdout)
    assert device["delivery"]["batches"] >= 1
    assert device["delivery"]["missing"] == 0


def test_the_live_table_is_redrawn_in_a_terminal_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """In a terminal the table stays in place; Ctrl-C ends everything with exit code 0 and leaves no process."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [str(BIN / "santong"), "up", "--data", str(tmp_path), "--port", str(free_port())],
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "120"},
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    )
    os.close(side)
    try:
        shown = _read_until(main, re.compile(rb"local-pilot"), 30)
        process.send_signal(signal.SIGINT)
        shown += _read_until(main, re.compile(rb"ended"), 20)
        assert process.wait(20) == 0
    finally:
        process.kill()
        os.close(main)
    assert b"Traceback" not in shown
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert not left, f"processes left: {left}"


def _read_until(terminal: int, pattern: re.Pattern[bytes], timeout_s: float) -> bytes:
    shown = b""
    deadline = time.monotonic() + timeout_s
    while not pattern.search(shown):
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536)
    return shown


def test_a_killed_agent_comes_back_and_its_death_is_told(tmp_path: Path) -> None:
    """`up` starts a killed agent again and leaves a stop mark, which is stored."""
    process = subprocess.Popen(
        [str(BIN / "santong"), "up", "--data", str(tmp_path), "--port", str(free_port()), "--for", "45"],
        env=ENVIRONMENT | {"SANTONG_ROUND_EVERY": "2s", "SANTONG_PUBLISH_EVERY": "2s"},
        stdout=subprocess.DEVNULL,
    )
    try:
        os.kill(_agent_of(process.pid), signal.SIGKILL)
        assert process.wait(90) == 0
    finally:
        process.kill()
    store = open_store(f"sqlite:///{tmp_path / 'santong.sqlite'}", create=False)
    stops = [row.fields["reason"] for row in store.select("stop", 0, 2**62)]
    epochs = {row.fields["epoch"] for row in store.select("delivery", 0, 2**62)}
    store.close()
    assert stops == ["exit -9"]
    assert len(epochs) == 2


def _agent_of(up: int) -> int:
    """Return the process id of the agent, once it measures."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{up}/task/{up}/children").read_text().split():
            if b"agent.pipeline\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                time.sleep(5)
                return int(child)
        time.sleep(0.1)
    raise AssertionError("no agent was started")


def test_nothing_is_left_when_up_itself_is_killed(tmp_path: Path) -> None:
    """A kill -9 of `up` takes its broker and agent with it."""
    process = subprocess.Popen(
        [str(BIN / "santong"), "up", "--data", str(tmp_path), "--port", str(free_port())],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    )
    agent = _agent_of(process.pid)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{agent}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{agent}").exists()
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert not left, f"processes left: {left}"


def test_the_root_of_yesterday_leaves_the_house(tmp_path: Path) -> None:
    """Some seconds after the start the root is with somebody outside, nobody having asked, and no secret is shown."""
    data, log = tmp_path / "data", tmp_path / "said"
    with web() as server, log.open("wb") as said:
        process = subprocess.Popen(
            [str(BIN / "santong"), "up", "--for", "90", "--data", str(data), "--port", str(free_port())],
            env=ENVIRONMENT | {"SANTONG_NOTIFY": f"json://127.0.0.1:{server.port}/s3cretw0rd"},
            stdout=said,
            stderr=said,
        )
        end = time.monotonic() + 60
        while not server.got and time.monotonic() < end and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert server.texts == [(data / "evidence/roots.log").read_text().rstrip("\n")]
    assert b"s3cretw0rd" not in log.read_bytes()
