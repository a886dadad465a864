"""`santong migrate`: from the newcomer's file to a real InfluxDB, nothing lost."""

import subprocess
import time
from pathlib import Path

from collector.migrate import migrate
from collector.store.base import Row
from collector.store.open import open_store
from contract.measurements import TABLE, Retention
from tests.processes import BIN
from tests.services import Influxd

MINUTE_NS = 60 * 10**9
DEVICES = [f"441802-3144001234.c{n:04d}" for n in range(3)]
NOW_NS = time.time_ns()


def fill(path: Path) -> int:
    """Make a store with two thousand points of four measurements, one of them spoken for by a gateway."""
    store = open_store(f"sqlite:///{path}")
    store.prepare()
    evidence, telemetry = [], []
    for device in DEVICES:
        tags = f"device={device},site=441802-3144001234,county=441802"
        for n in range(1, 201):
            at = NOW_NS - n * MINUTE_NS
            evidence.append(f'presence,{tags} boot="b",uptime_s={n}.5,asleep_s=0.0,lan=1i,broker=1i {at}')
            evidence.append(f"display,{tags},agent=441802-3144001234.gw lamp_hours={n}i {at}")
            evidence.append(f'delivery,{tags},agent={device} epoch="aaaaaaaa",seq={n}i,lines=2i {at + n}')
            telemetry.append(f"interface,{tags},name=以太网\\ 2 rx_bytes={2**62 + n}i,up=1i {at}")
    assert store.write(Retention.EVIDENCE, ("\n".join(evidence) + "\n").encode()) == []
    assert store.write(Retention.TELEMETRY, ("\n".join(telemetry) + "\n").encode()) == []
    store.close()
    return len(evidence) + len(telemetry)


def everything(url: str) -> dict[str, list[Row]]:
    """Return all rows of a store."""
    store = open_store(url)
    found = {name: list(store.select(name, 0, 2**62)) for name in TABLE}
    store.close()
    return found


def test_everything_moves_and_can_be_moved_again(tmp_path: Path, influx_url: str) -> None:
    """All rows are the same in InfluxDB as in the file, after one run and after a second."""
    points = fill(tmp_path / "santong.sqlite")
    here = everything(f"sqlite:///{tmp_path / 'santong.sqlite'}")
    for _ in range(2):
        done = subprocess.run(
            [str(BIN / "santong"), "migrate", "--data", str(tmp_path), "--to", influx_url],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert everything(influx_url) == here
    assert sum(len(rows) for rows in here.values()) == points


def test_what_is_too_old_for_the_target_is_told(tmp_path: Path, influx_url: str) -> None:
    """Rows past their retention are counted as expired, not lost in silence."""
    fill(tmp_path / "santong.sqlite")
    source, target = open_store(f"sqlite:///{tmp_path / 'santong.sqlite'}"), open_store(influx_url)
    target.prepare()
    in_34_days_23_hours = NOW_NS + (35 * 24 * 60 - 101 - 60) * MINUTE_NS
    moved = {m.measurement: m for m in migrate(source, target, in_34_days_23_hours, lambda *_: None)}
    source.close()
    target.close()
    assert moved["interface"].rows == 600
    assert moved["interface"].expired == 3 * 99
    assert moved["presence"].expired == 0
    assert all(m.is_complete for m in moved.values())


def test_a_target_that_is_not_there_is_one_clear_line(tmp_path: Path, shared_influxd: Influxd) -> None:
    """An unreachable target or a missing source ends with exit code 2 and one line."""
    del shared_influxd
    for words in (["--data", str(tmp_path / "nothing"), "--to", "influxdb://127.0.0.1:1/x"], ["--to", "sqlite://"]):
        done = subprocess.run(
            [str(BIN / "santong"), "migrate", *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
