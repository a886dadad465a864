"""`santong-agent probe dhcp` against dnsmasq: good, dead, rogue, exhausted, and what becomes of the leases."""

from pathlib import Path

import pytest

from tests.lab import services
from tests.lab.background import Program
from tests.lab.machine import Machine
from tests.lab.namespaces import Lab
from tests.lab.product import AGENT, probe
from tests.lab.services import Leases

SERVER = "10.77.0.1"
GOOD = Leases("10.77.0.50", "10.77.0.59", SERVER, SERVER)


@pytest.fixture
def pair(lab: Lab) -> tuple[Machine, Machine]:
    """Give a client with an address, and a machine for a server."""
    return lab.machine("client", 10), lab.machine("server", 1)


def leased(machine: Machine) -> list[list[str]]:
    """Return the leases that a machine's dnsmasq has given: expiry, MAC, address, name, client identifier."""
    (file,) = machine.folder.glob("*-leases.log")
    return [line.split() for line in file.read_text(encoding="ascii").splitlines()]


def system_client(machine: Machine, folder: Path) -> Program:
    """Start an ordinary DHCP client that keeps its lease and puts the address on the card."""
    script = folder / "bound"
    script.write_text(
        '#!/bin/sh\n[ "$1" = bound ] && ip addr replace "$ip/24" dev eth0 && echo got it\n', encoding="ascii"
    )
    script.chmod(0o755)
    client = machine.start(["busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(script)])
    client.wait_until(lambda: "got it" in client.words())
    return client


def test_a_good_server(pair: tuple[Machine, Machine]) -> None:
    """One server, its lease and the portal's URL; looking alone leaves no lease behind."""
    client, server = pair
    services.dhcp_server(server, GOOD._replace(portal_api="http://portal.lab/api"))
    found = probe(client, "dhcp", "eth0", f"servers={SERVER}")
    assert found["success"]
    assert (found["fields"]["found"], found["fields"]["lease_s"]) == (1, 600)
    assert 0 < found["fields"]["rtt_ms"] < 500
    (row,) = found["details"]["servers"]
    assert (row["server"], row["router"], row["resolvers"], row["mac"]) == (SERVER, SERVER, SERVER, server.mac)
    assert row["captive_api_url"] == "http://portal.lab/api"
    assert leased(server) == []


def test_a_lease_is_taken_and_given_back(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    """The server acknowledges and gets the address back; the lease of the machine's own client stays as it was."""
    client, server = pair
    running = services.dhcp_server(server, GOOD)
    system_client(client, tmp_path)
    before = leased(server)
    assert [row[1] for row in before] == [client.mac]
    for _ in range(3):
        found = probe(client, "dhcp", "eth0", "request=true")
        assert (found["success"], found["stage"], found["details"]["released"]) == (True, "done", True)
        assert found["fields"]["dhcp_ms"] > found["fields"]["rtt_ms"]
        assert found["details"]["servers"][0]["address"] == "10.77.0.51/24", "the same address each time"
    running.wait_until(lambda: running.words().count("DHCPRELEASE(eth0) 10.77.0.51") == 3)
    assert leased(server) == before


def test_the_machines_own_address_is_never_released(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    """A server that knows clients by their MAC alone offers the machine's own address: it is left in peace."""
    client, server = pair
    running = services.dhcp_server(server, GOOD, "dhcp-ignore-clid")
    system_client(client, tmp_path)
    before = leased(server)
    found = probe(client, "dhcp", "eth0", "request=true")
    assert (found["success"], found["stage"]) == (True, "offer")
    assert "which is not touched" in found["reason"]
    assert leased(server) == before
    assert "DHCPRELEASE" not in running.words()
    assert running.words().count("DHCPREQUEST") == 1, "the machine's own"


def test_a_dead_server(pair: tuple[Machine, Machine]) -> None:
    """Nobody answers: stage discover, within the time."""
    client, server = pair
    services.dhcp_server(server, GOOD).stop()
    found = probe(client, "dhcp", "eth0", "timeout=2s")
    assert (found["success"], found["stage"]) == (False, "discover")
    assert 2000 <= found["fields"]["duration_ms"] < 4000


def test_a_lost_discover_is_repeated(pair: tuple[Machine, Machine]) -> None:
    """A server that comes up two seconds late is found by the second DISCOVER."""
    client, server = pair
    asking = client.start([AGENT, "probe", "dhcp", "eth0"])
    watching = server.start(["tcpdump", "-l", "-n", "-i", "eth0", "udp port 67"])
    watching.wait_until(lambda: "listening" in watching.words())
    watching.wait_until(lambda: "BOOTP/DHCP, Request" in watching.words())
    services.dhcp_server(server, GOOD)
    asking.wait_until(lambda: "dhcp eth0: works" in asking.words())


def test_a_rogue_server(lab: Lab, pair: tuple[Machine, Machine]) -> None:
    """Two servers: a rogue is named where the right one is known, and nothing is requested from either."""
    client, server = pair
    rogue = lab.machine("rogue", 66)
    right = services.dhcp_server(server, GOOD)
    services.dhcp_server(rogue, Leases("10.77.0.100", "10.77.0.109", rogue.address, rogue.address))
    found = probe(client, "dhcp", "eth0", f"servers={SERVER}", "request=true")
    assert (found["success"], found["stage"], found["fields"]["found"]) == (False, "rogue", 2)
    assert found["reason"] == f"{rogue.address} should not answer"
    assert rogue.mac in [row["mac"] for row in found["details"]["servers"]]
    assert probe(client, "dhcp", "eth0")["stage"] == "rogue"
    assert probe(client, "dhcp", "eth0", f"servers={SERVER},{rogue.address}")["success"]
    right.stop()
    assert probe(client, "dhcp", "eth0", f"servers={SERVER}")["stage"] == "rogue"
    assert leased(rogue) == []


def test_an_exhausted_pool(lab: Lab, pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    """When the only address is taken the server is silent, which is stage discover; our probes do not use it up."""
    client, server = pair
    running = services.dhcp_server(server, GOOD._replace(last=GOOD.first))
    for _ in range(2):
        assert probe(client, "dhcp", "eth0", "request=true")["success"]
    system_client(lab.machine("other", 20, addressed=False), tmp_path)
    assert probe(client, "dhcp", "eth0", "timeout=2s")["stage"] == "discover"
    assert "no address available" in running.words()


def test_an_offer_without_router(pair: tuple[Machine, Machine]) -> None:
    """A network that leads nowhere is stage offer, unless that is how it is meant."""
    client, server = pair
    services.dhcp_server(server, GOOD._replace(router=""))
    found = probe(client, "dhcp", "eth0")
    assert (found["stage"], "no router" in found["reason"]) == ("offer", True)
    assert probe(client, "dhcp", "eth0", "complete=false")["success"]


def test_an_interface_that_is_not_ready(pair: tuple[Machine, Machine]) -> None:
    """No carrier, down, missing, no privilege: exit code 2 with what to do, and nothing said of the network."""
    client, _ = pair
    client.pull()
    assert "eth0 has no carrier" in probe(client, "dhcp", "eth0")["reason"]
    client.ip("link", "set", "eth0", "down")
    assert "ip link set eth0 up" in probe(client, "dhcp", "eth0")["reason"]
    assert "there is no interface eth7" in probe(client, "dhcp", "eth7")["reason"]
    client.plug()
    without = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    done = client.run([*without, AGENT, "probe", "dhcp", "eth0"], check=False)
    assert (done.returncode, "CAP_NET_RAW" in done.stdout) == (2, True)
