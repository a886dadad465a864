"""The lab's own cables, faults and rates do what a test of a probe will rely on."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import services
from tests.lab.background import ROOT, LabError
from tests.lab.machine import Machine
from tests.lab.namespace import tool
from tests.lab.namespaces import Lab

HEAD = "from pathlib import Path; from tests.lab.namespaces import Lab; import sys, os, signal\n"


def ping(machine: Machine, address: str, count: int = 5) -> tuple[float, float]:
    """Return the share of answers lost, and the shortest round trip in ms (0 without any answer)."""
    words = machine.run(["ping", "-n", "-q", "-i", "0.01", "-W", "1", "-c", str(count), address], check=False).stdout
    lost = re.search(r"([\d.]+)% packet loss", words)
    least = re.search(r"= ([\d.]+)/", words)
    assert lost, words
    return float(lost[1]) / 100, float(least[1]) if least else 0.0


def connect(machine: Machine, address: str, port: int) -> str:
    """Return what a TCP connection meets: open, refused, timeout or unreachable."""
    code = (
        "import socket, sys\n"
        "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5); print('open')\n"
        "except TimeoutError: print('timeout')\n"
        "except ConnectionRefusedError: print('refused')\n"
        "except OSError: print('unreachable')\n"
    )
    return machine.run([sys.executable, "-c", code, address, str(port)]).stdout.strip()


def goodput_mbps(client: Machine, server: Machine, *options: str) -> float:
    """Return what iperf3's receiver counts within a second, in Mbit/s."""
    words = client.run(["iperf3", "-c", server.address, "-t", "1", "-J", *options]).stdout
    return float(json.loads(words)["end"]["sum_received"]["bits_per_second"]) / 1e6


def test_machines_have_the_cards_and_resolvers_that_were_given_to_them(lab: Lab) -> None:
    """Address and MAC are fixed, each machine has a resolv.conf of its own, and it is gone after the lab."""
    one, two = lab.machine("one", 10), lab.machine("two", 11)
    two.resolver("10.77.0.1")
    assert ping(one, two.address)[0] == 0
    assert two.mac in one.run(["ip", "neigh", "show", two.address]).stdout
    assert "10.77.0.1" in two.run(["cat", "/etc/resolv.conf"]).stdout
    assert "nameserver" not in one.run(["cat", "/etc/resolv.conf"]).stdout
    lab.__exit__(None, None, None)
    assert lab.name not in tool("ip", "netns", "list")
    assert not two.resolver_file.exists()


def test_a_killed_lab_leaves_nothing_for_long(tmp_path: Path) -> None:
    """The next lab removes namespaces, programs and resolvers of one that was killed, and leaves those that live."""
    code = HEAD + (
        "lab = Lab(Path(sys.argv[1])).__enter__(); machine = lab.machine('orphan', 9)\n"
        "print(lab.name, machine.start(['sleep', '100']).pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "killed")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    name, pid = done.stdout.split()
    assert name in tool("ip", "netns", "list")
    with Lab(tmp_path / "living") as living, Lab(tmp_path / "next"):
        assert name not in tool("ip", "netns", "list")
        assert living.name in tool("ip", "netns", "list")
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_wire_delays_and_loses(lab: Lab) -> None:
    """20 ms each way are 40 ms of ping; 20 % each way are 36 %; a plain cable again is fast and whole."""
    one, two = lab.machine("one", 10), lab.machine("two", 11)
    one.wire(delay_ms=20)
    lost, rtt_ms = ping(one, two.address)
    assert lost == 0
    assert rtt_ms >= 40
    one.wire(loss=0.2)
    assert 0.2 < ping(one, two.address, 200)[0] < 0.5
    one.plug()
    lost, rtt_ms = ping(one, two.address)
    assert lost == 0
    assert rtt_ms < 40


@pytest.mark.parametrize(
    ("rule", "meets"),
    [
        ("tcp dport 5201 drop", "timeout"),
        ("tcp dport 5201 reject with tcp reset", "refused"),
        ("tcp dport 5201 reject with icmp type admin-prohibited", "unreachable"),
    ],
)
def test_a_server_can_be_made_unreachable_in_three_ways(lab: Lab, rule: str, meets: str) -> None:
    """A fault says how the connection fails, and mending opens it again."""
    client, server = lab.machine("client", 10), lab.machine("server", 80)
    services.iperf(server)
    server.nft(rule)
    assert connect(client, server.address, services.IPERF) == meets
    server.mend()
    assert connect(client, server.address, services.IPERF) == "open"


def test_packets_can_be_lost_by_count_and_by_size(lab: Lab) -> None:
    """Every 5th lost is 20 % exactly; a path that swallows big packets passes small ones."""
    one, two = lab.machine("one", 10), lab.machine("two", 11)
    two.nft("icmp type echo-request numgen inc mod 5 == 0 drop")
    assert ping(one, two.address, 50)[0] == pytest.approx(0.2)
    two.mend()
    two.nft("meta length > 1400 drop")
    assert ping(one, two.address)[0] == 0
    big = ["ping", "-q", "-c", "1", "-W", "1", "-s", "1400", two.address]
    assert "100% packet loss" in one.run(big, check=False).stdout


def test_a_pulled_cable_takes_the_carrier_away(lab: Lab) -> None:
    """Pulled, the card is down without a carrier; plugged again, it answers. Machines can be parted, too."""
    one, two = lab.machine("one", 10), lab.machine("two", 11)
    one.pull()
    assert "NO-CARRIER" in one.run(["ip", "link", "show", "eth0"]).stdout
    one.plug()
    assert ping(one, two.address, 1)[0] == 0
    lab.part(one, two)
    assert ping(one, two.address, 1)[0] == 1
    lab.switch.mend()
    assert ping(one, two.address, 1)[0] == 0


def test_a_rate_limit_holds_both_ways(lab: Lab) -> None:
    """A card of 100 Mbit/s says so in /sys and carries at most 100; narrowed to 20, no more than 20."""
    client, server = lab.machine("client", 10), lab.machine("server", 80)
    services.iperf(server)
    client.pretend_speed(100)
    assert client.run(["cat", "/sys/class/net/eth0/speed"]).stdout == "100\n"
    assert 50 < goodput_mbps(client, server) <= 100
    client.narrow(20)
    assert 5 < goodput_mbps(client, server) <= 20
    assert 5 < goodput_mbps(client, server, "-R") <= 20
    client.widen()
    assert goodput_mbps(client, server) > 100


def test_a_program_that_fails_is_told_with_its_words(lab: Lab) -> None:
    """What a failing program said is in the error; one that is not expected to fail does not go unnoticed."""
    machine = lab.machine("one", 10)
    with pytest.raises(LabError, match="status 3\nno way"):
        machine.run(["sh", "-c", "echo no way; exit 3"])
    with pytest.raises(LabError, match="ended at once"):
        machine.start(["false"]).wait_until_listening(80)
