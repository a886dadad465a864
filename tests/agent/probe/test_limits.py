"""What a throughput test was limited by is judged from the machine's own counters."""

from pathlib import Path

import pytest

from agent.probe.limits import Glance, Load, limited_by, load_of, look, speed_mbps
from agent.probe.tcpinfo import Counts

FREE = Load(goodput_mbps=20, speed_mbps=1000, cpu_share=0.1, idle_share=0.8, foreign_share=0.0)


@pytest.mark.parametrize(
    ("load", "verdict"),
    [
        (FREE, "none"),
        (Load(20, None, 0.1, None, None), "none"),
        (FREE._replace(goodput_mbps=94.1, speed_mbps=100), "nic"),
        (FREE._replace(goodput_mbps=85.5, speed_mbps=100), "nic"),
        (FREE._replace(goodput_mbps=85.3, speed_mbps=100), "none"),
        (FREE._replace(goodput_mbps=94.1, speed_mbps=None), "none"),
        (FREE._replace(cpu_share=0.9), "cpu"),
        (FREE._replace(cpu_share=0.89), "none"),
        (FREE._replace(idle_share=0.049), "cpu"),
        (FREE._replace(foreign_share=0.10), "cross-traffic"),
        (FREE._replace(foreign_share=0.09), "none"),
        (FREE._replace(foreign_share=0.10, cpu_share=1.0), "cross-traffic"),
        (FREE._replace(goodput_mbps=94.1, speed_mbps=100, cpu_share=1.0, foreign_share=0.5), "nic"),
    ],
)
def test_the_verdict(load: Load, verdict: str) -> None:
    """90 % of what the card carries, 10 % of foreign bytes, a busy core or machine; in this order."""
    assert limited_by(load) == verdict


def tree(folder: Path, **files: str) -> Path:
    """Make a tree of /proc and /sys."""
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
    return folder


def machine(folder: Path, stat: str, received: int, sent: int) -> Path:
    """Make the tree of a machine with one interface."""
    statistics = "sys__class__net__eth0__statistics__"
    return tree(
        folder,
        proc__stat=f"cpu  {stat}\ncpu0 {stat}\n",
        **{f"{statistics}rx_bytes": f"{received}\n", f"{statistics}tx_bytes": f"{sent}\n"},
    )


def test_counters_become_shares(tmp_path: Path) -> None:
    """Idle is idle and waiting for a disk; foreign is what the interface carried beside ours and our headers."""
    before = look(machine(tmp_path, "100 0 100 700 100 0 0 0 50 0", 1000, 1000), "eth0", Counts(0, 0))
    after = look(machine(tmp_path, "150 0 150 1300 200 0 0 0 90 0", 101_000, 11_000), "eth0", Counts(80_000, 100))
    load = load_of(before, after, 20.0, 100)
    assert load.idle_share == pytest.approx(700 / 800)
    assert load.foreign_share == pytest.approx((110_000 - 80_000 - 100 * 66) / 110_000)
    assert load.speed_mbps == 100


def test_the_share_of_a_core() -> None:
    """Processor seconds of this process by seconds that passed."""
    before, after = Glance(10, 1, None, None, None, Counts()), Glance(20, 10, None, None, None, Counts())
    load = load_of(before, after, 1.0, None)
    assert (load.cpu_share, load.idle_share, load.foreign_share) == (0.9, None, None)


def test_an_interface_that_counts_less_than_we_do() -> None:
    """Cards that merge segments count fewer headers: nothing is foreign then, rather than less than nothing."""
    before, after = Glance(0, 0, None, None, 0, Counts()), Glance(1, 0, None, None, 1000, Counts(1000, 10))
    assert load_of(before, after, 1.0, None).foreign_share == 0.0


@pytest.mark.parametrize("text", ["-1\n", "", "0\n", "unknown\n"])
def test_a_speed_that_is_none(tmp_path: Path, text: str) -> None:
    """WiFi, no carrier, no such file: not known is not a limit."""
    assert speed_mbps(tree(tmp_path, sys__class__net__eth0__speed=text), "eth0") is None
    assert speed_mbps(tmp_path, "eth1") is None
    assert speed_mbps(tmp_path, "") is None
    assert speed_mbps(tree(tmp_path, sys__class__net__eth0__speed="100\n"), "eth0") == 100


def test_a_machine_without_counters(tmp_path: Path) -> None:
    """Nothing is known and nothing fails; loopback would count everything twice and is left out."""
    glance = look(tmp_path, "eth0", Counts())
    assert (glance.idle, glance.ticks, glance.interface_bytes) == (None, None, None)
    assert look(Path("/"), "lo", Counts()).interface_bytes is None
    assert look(tree(tmp_path, proc__stat="intr 1 2 3\n"), "", Counts()).idle is None
