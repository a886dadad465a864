"""
The agent without what only Unix has: its own program, in a process that looks like Windows to it.

These tests show that nothing of the loop needs a module or a name that Windows lacks, and what the agent does with what
Windows says. They cannot show that it runs on Windows: `windows_double.py` says what is made up.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from agent.spool import FILE, Spool, SpoolError
from tests.agent.doubles import DEVICE, MINUTE_NS, lines_of, waiting
from tests.contract.parser import Line

ROOT = Path(__file__).parents[2]
DOUBLE = (sys.executable, "-m", "tests.agent.windows_double")
SETTINGS = f"""
agent = "{DEVICE}"
[broker]
url = "mqtt://127.0.0.1:1"
[presence]
gateway = "none"
[interface]
exclude = []
[profile]
id = "windows-classroom-pc"
[[probe.tcp]]
target = "127.0.0.1:1"
every = "60s"
"""
PATIENCE_S = 60


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Return a settings file of an agent that asks nobody."""
    file = tmp_path / "agent.toml"
    file.write_text(f"{SETTINGS}\n[spool]\npath = '{tmp_path / 'spool'}'\n[host]\ndisk = '/'\n")
    return file


def _command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOUBLE, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextmanager
def _agent(settings: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with subprocess.Popen(
        [*DOUBLE, "run", settings], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        try:
            yield process, process.stdin
        finally:
            process.kill()


def _until(process: subprocess.Popen[str], is_so: Callable[[], bool]) -> None:
    """Wait for a condition, as long as the agent lives."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lines(settings: Path, measurement: str) -> list[Line]:
    """Return what waits in the spool, in order."""
    folder = settings.parent / "spool"
    if not (folder / FILE).exists():
        return []
    spool = Spool(folder, 0, read_only=True)
    try:
        return lines_of(waiting(spool), measurement)
    except SpoolError:  # it has no tables yet
        return []
    finally:
        spool.close()


def test_rounds_come_out_and_a_long_sleep_is_a_power_cycle(settings: Path) -> None:
    """Every source is read and spooled; after an hour of sleep the next presence names another boot, up since then."""
    with _agent(settings) as (process, commands):
        _until(process, lambda: len(_lines(settings, "presence")) >= 2 and bool(_lines(settings, "probe")))
        before = _lines(settings, "presence")
        commands.write("sleep 3600\n")
        commands.flush()
        _until(process, lambda: _lines(settings, "presence")[-1].fields["boot"] != before[0].fields["boot"])
        commands.write("stop\n")
        commands.flush()
        assert process.wait(PATIENCE_S) == 0, process.stderr and process.stderr.read()
    presence = _lines(settings, "presence")
    assert {line.fields["boot"] for line in before} == {before[0].fields["boot"]}
    uptimes = [float(str(line.fields["uptime_s"])) for line in (before[0], presence[-1])]
    assert uptimes[0] > 540  # the double was up for ten minutes, and presence is of the minute before
    assert uptimes[1] <= 240
    assert presence[-1].fields["asleep_s"] == 0
    assert presence[-1].time_ns - presence[0].time_ns >= 60 * MINUTE_NS
    for measurement in ("host", "interface", "agent", "identity"):
        assert _lines(settings, measurement), measurement
    identity = _lines(settings, "identity")[0].fields
    assert (identity["serial"], identity["model"]) == ("machine-id:fedcba987654", "Example Maker Panel 75")
    assert "load1" not in _lines(settings, "host")[0].fields  # psutil's own count has not begun yet


def test_a_probe_of_the_settings_says_that_it_cannot_run(settings: Path) -> None:
    """Each probe that is asked for gives the outcome `unable` with the reason, round after round, and no success."""
    with _agent(settings) as (process, commands):
        _until(process, lambda: len(_lines(settings, "probe")) >= 2)
        commands.write("stop\n")
        commands.flush()
        assert process.wait(PATIENCE_S) == 0
    for line in _lines(settings, "probe"):
        assert line.fields["stage"] == "unable"
        assert "Linux" in str(line.fields["reason"])
        assert "success" not in line.fields


def test_one_agent_a_folder(settings: Path) -> None:
    """A second agent in the same folder is refused in one line."""
    with _agent(settings) as (process, _):
        _until(process, lambda: bool(_lines(settings, "presence")))
        second = _command("run", settings)
        assert (second.returncode, second.stdout) == (3, "")
        assert "another agent is using this spool" in second.stderr


def test_the_commands(settings: Path) -> None:
    """What a person types at the device works without anything of Unix, and what cannot work says why."""
    shown = _command("detect", "--json")
    assert json.loads(shown.stdout)["model"] == "Example Maker Panel 75", shown.stderr
    shown = _command("sample", "--json", "--config", settings)
    assert {line["measurement"] for line in json.loads(shown.stdout)} >= {"presence", "host", "identity"}, shown.stderr
    shown = _command("health", "--config", settings)
    assert (shown.returncode, shown.stderr) == (1, "")
    shown = _command("spool", "status", "--config", settings)
    assert (shown.returncode, "no spool here" in shown.stderr) == (2, True)
    shown = _command("probe", "tcp", "127.0.0.1:1")
    assert (shown.returncode, "probes need Linux" in shown.stdout) == (2, True)
    (settings.parent / "spool").mkdir()
    shown = _command("stopped", "--config", settings, "--reason", "test")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert '"reason": "test"' in (settings.parent / "spool/stop.jsonl").read_text()


def test_where_things_are(tmp_path: Path) -> None:
    """Without settings, file and spool are in the folder for programs' data; the disk is the system's."""
    code = (
        "from tests.agent.windows_double import Machine, become_windows; become_windows(Machine())\n"
        "from agent.config import DEFAULT_FILE, HostSettings, InterfaceSettings, SpoolSettings\n"
        "print(DEFAULT_FILE, SpoolSettings().path, HostSettings().disk, *InterfaceSettings().exclude, sep='\\n')"
    )
    environment = os.environ | {"PROGRAMDATA": str(tmp_path), "SYSTEMDRIVE": "D:"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    file, spool, disk, *excluded = done.stdout.splitlines()
    assert (file, spool, disk) == (f"{tmp_path}/Santong/agent.toml", f"{tmp_path}/Santong/spool", "D:\\")
    assert "Loopback*" in excluded
