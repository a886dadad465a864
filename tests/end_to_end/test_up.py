"""`santong up` as its user runs it, and `santong status` on what it stored."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from collector.store.sqlite import SqliteStore
from collector.words import WORDS
from tests.collector.channels.receivers import web
from tests.collector.verification.world import CLASS_1, MONDAY, World
from tests.end_to_end.newcomer import ENVIRONMENT, agent_of, end, running, santong, stored, up
from tests.processes import wait_until


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_either_broker_serves(tmp_path: Path, kind: str) -> None:
    """With and without mosquitto on the machine evidence flows."""
    with running(up(tmp_path, "--broker", kind), tmp_path / "said") as process:
        wait_until(lambda: stored(tmp_path, "delivery"), why=(tmp_path / "said").read_text)
        assert end(process) == 0
    (device,) = json.loads(santong("status", "--data", str(tmp_path), "--json").stdout)
    assert device["delivery"]["batches"] >= 1
    assert device["delivery"]["missing"] == 0


def test_up_ends_by_itself(tmp_path: Path) -> None:
    """With --for it ends with exit code 0, and what was measured meanwhile is stored."""
    done = santong(*up(tmp_path, "--for", "12")[1:])
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path, "delivery")


def test_the_live_table_is_redrawn_in_a_terminal_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """In a terminal the table stays in place; Ctrl-C ends everything with exit code 0 and leaves no process."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        up(tmp_path),
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "120"},
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    )
    os.close(side)
    try:
        shown = _read_until(main, re.compile(rb"local-pilot"), 90)
        process.send_signal(signal.SIGINT)
        shown += _read_until(main, re.compile(rb"ended"), 60)
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(main)
    assert b"Traceback" not in shown
    assert not left(tmp_path)


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
    often = {"SANTONG_ROUND_EVERY": "2s", "SANTONG_PUBLISH_EVERY": "2s"}
    with running(up(tmp_path), tmp_path / "said", **often) as process:
        wait_until(lambda: stored(tmp_path, "delivery"), why=(tmp_path / "said").read_text)
        os.kill(agent_of(process.pid), signal.SIGKILL)
        wait_until(lambda: len(epochs(tmp_path)) > 1 and stored(tmp_path, "stop"), why=(tmp_path / "said").read_text)
        assert end(process) == 0
    assert [row.fields["reason"] for row in stored(tmp_path, "stop")] == ["exit -9"]
    assert len(epochs(tmp_path)) == 2


def epochs(data: Path) -> set[object]:
    """Return the lives of agents that delivered something."""
    return {row.fields["epoch"] for row in stored(data, "delivery")}


def test_nothing_is_left_when_up_itself_is_killed(tmp_path: Path) -> None:
    """A kill -9 of `up` takes its broker and agent with it."""
    data = tmp_path / "data"
    with running(up(data), tmp_path / "said") as process:
        wait_until(lambda: stored(data, "delivery"), why=(tmp_path / "said").read_text)
        agent = agent_of(process.pid)
    wait_until(lambda: not Path(f"/proc/{agent}").exists())
    wait_until(lambda: not left(data), why=lambda: f"processes left: {left(data)}")


def left(data: Path) -> str:
    """Return the processes that have to do with a data folder."""
    return subprocess.run(["pgrep", "-f", str(data)], capture_output=True, text=True, check=False).stdout


def test_the_root_of_yesterday_leaves_the_house(tmp_path: Path) -> None:
    """Some seconds after the start the root is with somebody outside, nobody having asked, and no secret is shown."""
    data, log = tmp_path / "data", tmp_path / "said"
    data.mkdir()
    store, world = SqliteStore(data / "santong.sqlite"), World()
    store.prepare()
    world.works(CLASS_1, MONDAY, "08:00", "08:30")
    world.write(store)
    store.close()
    with web() as server:
        address = f"json://127.0.0.1:{server.port}/s3cretw0rd"
        with running(up(data), log, SANTONG_NOTIFY=address) as process:
            wait_until(lambda: server.got, why=log.read_text)
            assert end(process) == 0
        (text,) = server.texts
        assert text.split("\n")[1:] == (data / "evidence/roots.log").read_text().splitlines()
        assert text.split("\n")[0] in WORDS["roots_text"]
    assert b"s3cretw0rd" not in log.read_bytes()
