"""Some minutes of `santong up`: what it stored of this machine, beside the kernel's own counters."""

import json
import subprocess
import time
from datetime import datetime
from pathlib import Path

from tests.end_to_end.newcomer import ENVIRONMENT, santong, up


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
        up(data, "--for", "150"), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
