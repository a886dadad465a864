"""`santong-agent probe icmp` on cables with known delay, jitter and loss, and where nothing answers."""

import json
import re
from statistics import median

import pytest

from tests.lab.machine import Machine
from tests.lab.namespaces import Lab
from tests.lab.product import AGENT, probe

PACKETS = 150
WITHOUT_RAW = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")


@pytest.fixture
def pair(lab: Lab) -> tuple[Machine, Machine]:
    """Give a client and a server."""
    return lab.machine("client", 10), lab.machine("server", 80)


def echo_replies(machine: Machine) -> int:
    """Return how many echo replies the kernel of a machine has seen (/proc/net/snmp)."""
    names, values = (
        line.split() for line in machine.run(["cat", "/proc/net/snmp"]).stdout.splitlines() if line.startswith("Icmp:")
    )
    return int(values[names.index("InEchoReps")])


def test_delay_jitter_and_loss_are_those_of_the_cable(pair: tuple[Machine, Machine]) -> None:
    """
    25 ms ± 5 ms and 2 % loss each way: round trip and jitter as they must be, the loss that the kernel counted.

    Ping, which knows nothing of us, sees the same round trip. The jitter's mean is 14/3 ms.
    """
    client, server = pair
    client.wire(delay_ms=25, jitter_ms=5, loss=0.02, seed=3)
    before = echo_replies(client)
    found = probe(client, "icmp", server.address, f"packets={PACKETS}", "interval=20ms", "timeout=8s")
    lost = PACKETS - (echo_replies(client) - before)
    fields = found["fields"]
    assert found["success"]
    assert fields["loss_percent"] == pytest.approx(100 * lost / PACKETS, abs=0.01)
    assert 1 <= lost <= 18, "binomial around 6"
    assert fields["rtt_ms"] == pytest.approx(50, abs=3)
    assert fields["jitter_ms"] == pytest.approx(14 / 3, abs=2.5)
    words = client.run(["ping", "-c", "100", "-i", "0.02", "-W", "1", server.address], check=False).stdout
    assert fields["rtt_ms"] == pytest.approx(median(map(float, re.findall(r"time=([\d.]+)", words))), abs=3)


def test_the_loss_that_is_allowed_is_a_threshold(pair: tuple[Machine, Machine]) -> None:
    """More loss than `max_loss_percent` fails, with the figures."""
    client, server = pair
    client.wire(loss=0.3)
    found = probe(client, "icmp", server.address, "packets=40", "interval=10ms", "timeout=3s", "max_loss_percent=10")
    assert (found["success"], found["stage"]) == (False, "threshold")
    assert 20 < found["fields"]["loss_percent"] < 80


def test_duplicates_count_once(pair: tuple[Machine, Machine]) -> None:
    """A cable that doubles every frame gives no more replies than requests; the others are counted apart."""
    client, server = pair
    client.wire(dup=1.0, delay_ms=5)
    found = probe(client, "icmp", server.address)
    assert (found["success"], found["fields"]["loss_percent"]) == (True, 0.0)
    assert 20 <= found["details"]["duplicates"] <= 30


def test_silence(pair: tuple[Machine, Machine]) -> None:
    """A server that drops all requests: stage reply without a code, everything lost."""
    client, server = pair
    server.nft("icmp type echo-request drop")
    found = probe(client, "icmp", server.address, "timeout=2s")
    assert (found["success"], found["stage"], found["code"]) == (False, "reply", None)
    assert found["fields"]["loss_percent"] == 100.0
    assert "silence" in found["reason"]


def test_unreachable_hosts_say_why(pair: tuple[Machine, Machine]) -> None:
    """A firewall's refusal, a host that is not there, and a network without a route each have their code."""
    client, server = pair
    server.nft("icmp type echo-request reject with icmp admin-prohibited")
    refused = probe(client, "icmp", server.address, "timeout=2s")
    assert (refused["stage"], refused["code"]) == ("reply", 3 * 256 + 13)
    assert refused["reason"].endswith(f"forbidden by a firewall, says {server.address}")
    nobody = probe(client, "icmp", "10.77.0.77")
    assert (nobody["stage"], nobody["code"]) == ("reply", 3 * 256 + 1)
    assert nobody["fields"]["duration_ms"] < 5000, "an error for every packet ends the waiting"
    nowhere = probe(client, "icmp", "203.0.113.1")
    assert (nowhere["stage"], nowhere["code"]) == ("send", 101)


def test_ipv6_answers_too(pair: tuple[Machine, Machine]) -> None:
    """A global and a link-local address answer; a host that is not there is ICMPv6 type 1, code 3."""
    client, server = pair
    for machine, number in ((client, 10), (server, 80)):
        for prefix in ("fd77", "fe80"):
            machine.ip("addr", "add", f"{prefix}::{number}/64", "dev", "eth0", "nodad")
    assert probe(client, "icmp", "fd77::80")["success"]
    assert probe(client, "icmp", "fe80::80%eth0")["success"]
    nobody = probe(client, "icmp", "fd77::77")
    assert (nobody["stage"], nobody["code"]) == ("reply", 1 * 256 + 3)


def test_a_card_that_is_not_ready_says_nothing_of_the_target(pair: tuple[Machine, Machine]) -> None:
    """No carrier, down, missing: every kind that can be told its card could not be asked, and says why."""
    client, server = pair
    asked = {
        "icmp": (server.address,),
        "tcp": (f"{server.address}:80",),
        "dns": ("www.lab", f"resolver={server.address}"),
        "http": (f"http://{server.address}/",),
    }

    def reasons(card: str) -> set[str]:
        found = [probe(client, kind, *words, f"interface={card}", "timeout=3s") for kind, words in asked.items()]
        assert {outcome["success"] for outcome in found} == {None}
        return {outcome["reason"] for outcome in found}

    client.pull()
    assert reasons("eth0") == {"eth0 has no carrier: is the cable plugged in, the WiFi joined?"}
    client.ip("link", "set", "eth0", "down")
    assert reasons("eth0") == {"eth0 is down: ip link set eth0 up"}
    assert reasons("eth7") == {"there is no interface eth7"}
    for kind, target in (("icmp", "fe80::80%eth7"), ("tcp", "[fe80::80%eth7]:80")):
        found = probe(client, kind, target)
        assert (found["success"], found["reason"]) == (None, "there is no interface eth7")
    client.plug()
    assert probe(client, "icmp", server.address, "interface=eth0")["success"]


@pytest.mark.parametrize("target", ["10.77.0.80", "fd77::80"])
def test_both_kinds_of_socket_and_neither(pair: tuple[Machine, Machine], target: str) -> None:
    """Raw with CAP_NET_RAW, the kernel's echo socket without, and without both what to do: exit code 2."""
    client, server = pair
    for machine, number in ((client, 10), (server, 80)):
        machine.ip("addr", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
    assert probe(client, "icmp", target)["success"]  # a namespace's ping_group_range is empty at first: raw
    unable = client.run([*WITHOUT_RAW, AGENT, "probe", "icmp", target], check=False)
    assert (unable.returncode, "ping_group_range" in unable.stdout) == (2, True)
    client.run(["sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0"])
    found = json.loads(client.run([*WITHOUT_RAW, AGENT, "probe", "icmp", target, "--json"]).stdout)
    assert (found["success"], found["details"]["answered"]) == (True, 10)
    server.nft(f"{'icmp' if '.' in target else 'icmpv6'} type echo-request reject")
    refused = json.loads(client.run([*WITHOUT_RAW, AGENT, "probe", "icmp", target, "--json"], check=False).stdout)
    assert (refused["stage"], refused["code"]) == ("reply", 771 if "." in target else 260)
