"""Sources that read the machine itself: interfaces, host, and what the agent costs."""

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from agent.config import InterfaceSettings
from agent.gather.host import Host
from agent.gather.interface import Interface
from agent.gather.myself import Myself
from contract.lines import encode_line
from contract.measurements import TABLE
from contract.sample import Sample, Value

HOSTS = Path(__file__).parents[2] / "fixtures/hosts"
COUNTERS = {"rx_bytes": "rx_bytes", "tx_bytes": "tx_bytes", "rx_errors": "rx_errors", "tx_errors": "tx_errors"}


def _kernel(name: str) -> dict[str, int]:
    folder = Path("/sys/class/net") / name / "statistics"
    return {field: int((folder / file).read_text()) for field, file in COUNTERS.items()}


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return value


def _move_loopback() -> None:
    """Let some bytes go over the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x" * 10_000)


def test_counters_are_the_kernels() -> None:
    """The counters of every interface are, to the byte, those of the kernel."""
    names = sorted(path.name for path in Path("/sys/class/net").iterdir() if (path / "statistics").is_dir())
    _move_loopback()
    before = {name: _kernel(name) for name in names}
    samples = {sample.tags["name"]: sample for sample in Interface().gather(5)}
    after = {name: _kernel(name) for name in names}
    assert sorted(samples) == names
    assert samples["lo"].fields["rx_bytes"] != 0
    for name, sample in samples.items():
        for field in COUNTERS:
            assert before[name][field] <= _number(sample.fields[field]) <= after[name][field], (name, field)


def test_state_and_speed_are_the_kernels() -> None:
    """An interface is up when the kernel says so; a speed that the driver does not know is absent, never zero."""
    for sample in Interface().gather(5):
        name = sample.tags["name"]
        folder = Path("/sys/class/net") / name
        is_up = int((folder / "flags").read_text(), 16) & 0x1  # IFF_UP
        is_running = (folder / "operstate").read_text().strip() in ("up", "unknown")
        assert sample.fields["up"] == int(is_up and is_running)
        assert _number(sample.fields.get("speed_mbps", 1)) > 0
        if name == "lo":
            assert "speed_mbps" not in sample.fields


def test_excluded_interfaces_are_left_out() -> None:
    """Patterns of the settings leave interfaces out; by default the loopback and what containers make."""
    assert "lo" not in {sample.tags["name"] for sample in Interface(InterfaceSettings().exclude).gather(5)}
    assert list(Interface(("*",)).gather(5)) == []
    assert [sample.tags["name"] for sample in Interface(("[!l]*",)).gather(5)] == ["lo"]


def test_the_host_is_measured() -> None:
    """Processor, memory, disk and load are those of this machine."""
    source = Host(Path("/"), Path("/no/such/root"))
    time.sleep(0.02)
    disk, load = shutil.disk_usage("/"), os.getloadavg()[0]
    (sample,) = source.gather(5)
    fields = {name: _number(value) for name, value in sample.fields.items()}
    assert fields.keys() == {"cpu_percent", "memory_used_percent", "disk_used_percent", "load1"}
    assert 0 <= fields["cpu_percent"] <= 100
    assert 0 < fields["memory_used_percent"] < 100
    assert fields["disk_used_percent"] == pytest.approx(100 * disk.used / (disk.used + disk.free), abs=1)
    assert fields["load1"] == pytest.approx(load, abs=1)


def test_the_temperature_of_a_board() -> None:
    """A board's temperature is told in degrees; where the machine has no sensor it is absent."""
    (sample,) = Host(root=HOSTS / "raspberry-pi-4/root").gather(5)
    assert sample.fields["temperature_celsius"] == 48.312
    (sample,) = Host(root=HOSTS / "classroom-pc").gather(5)
    assert "temperature_celsius" not in sample.fields


@pytest.mark.parametrize("content", ["", "hot\n"])
def test_a_sensor_that_says_nothing_is_absent(tmp_path: Path, content: str) -> None:
    """A sensor that cannot be read costs its own reading only."""
    file = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    (sample,) = Host(root=tmp_path).gather(5)
    assert "temperature_celsius" not in sample.fields
    assert "load1" in sample.fields


def test_the_agent_measures_itself() -> None:
    """Memory and processor time of the agent are those of its process, beside what its spool says."""
    (sample,) = Myself(lambda: {"spool_batches": 3}).gather(5)
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    assert sample.fields["spool_batches"] == 3
    assert _number(sample.fields["rss_bytes"]) == pytest.approx(resident, rel=0.05)
    assert _number(sample.fields["cpu_seconds"]) == pytest.approx(time.process_time(), abs=0.5)


def test_every_source_keeps_to_the_contract() -> None:
    """Whatever this machine gives, every sample of every source is a line of the contract."""
    samples: list[Sample] = [*Interface().gather(5), *Host().gather(5), *Myself(dict).gather(5)]
    for sample in samples:
        assert sample.at_ns == 5
        assert sample.fields.keys() <= {field.name for field in TABLE[sample.measurement].fields}
        assert encode_line(sample.measurement, sample.tags, sample.fields, 1764000000000000000)
