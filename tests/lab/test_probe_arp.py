"""`santong-agent probe arp` on a switch with machines: who is there, who is missing, who is there twice."""

from tests.lab.namespaces import Lab
from tests.lab.product import AGENT, probe


def test_every_machine_is_found(lab: Lab) -> None:
    """All three others of the subnet answer with their MACs; this machine does not count."""
    client, *others = (lab.machine(name, number) for name, number in (("client", 10), ("a", 1), ("b", 80), ("c", 254)))
    found = probe(client, "arp", "eth0", "expect=10.77.0.1,10.77.0.10,10.77.0.254")
    assert (found["success"], found["fields"]["found"]) == (True, 3)
    assert found["details"]["hosts"] == [{"address": other.address, "mac": other.mac} for other in others]
    assert probe(client, "arp", "eth0", "subnet=10.77.0.248/29")["fields"]["found"] == 1
    others[2].pull()
    missing = probe(client, "arp", "eth0", "subnet=10.77.0.248/29", "expect=10.77.0.254")
    assert (missing["success"], missing["stage"]) == (False, "expected")


def test_a_lost_answer_is_asked_for_again(lab: Lab) -> None:
    """On a cable that loses a third of the frames, most machines answer in one of the two passes."""
    client = lab.machine("client", 10)
    server = lab.machine("server", 80)
    for number in range(100, 200):
        server.ip("addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
    client.wire(loss=0.2)
    found = probe(client, "arp", "eth0")
    assert 75 <= found["fields"]["found"] <= 101, "each pass finds 64 %, both 87 %"


def test_one_address_on_two_machines(lab: Lab) -> None:
    """Another machine's address twice, and our own a second time, are stage duplicate with both MACs."""
    client, one, other = lab.machine("client", 10), lab.machine("one", 80), lab.machine("other", 81)
    other.ip("addr", "add", f"{one.address}/24", "dev", "eth0")
    found = probe(client, "arp", "eth0", "subnet=10.77.0.64/27")
    assert (found["success"], found["stage"]) == (False, "duplicate")
    twice = [row["mac"] for row in found["details"]["hosts"] if row.get("flags", "").startswith("duplicate")]
    assert sorted(twice) == [one.mac, other.mac]
    assert probe(client, "arp", "eth0", "subnet=10.77.0.64/27", f"shared={one.address}")["success"]
    other.ip("addr", "add", f"{client.address}/24", "dev", "eth0")
    ours = probe(client, "arp", "eth0", "subnet=10.77.0.0/27")
    assert (ours["stage"], ours["fields"]["found"]) == ("duplicate", 0)


def test_what_cannot_be_swept(lab: Lab) -> None:
    """Too many addresses, or no privilege: exit code 2 with what to do."""
    client = lab.machine("client", 10)
    done = client.run([AGENT, "probe", "arp", "eth0", "--set", "subnet=10.77.0.0/16"], check=False)
    assert (done.returncode, "set subnet to a part" in done.stderr) == (2, True)
    client.ip("addr", "del", f"{client.address}/24", "dev", "eth0")
    client.ip("addr", "add", f"{client.address}/16", "dev", "eth0")
    assert "set subnet to a part" in probe(client, "arp", "eth0")["reason"]
    without = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    done = client.run([*without, AGENT, "probe", "arp", "eth0"], check=False)
    assert (done.returncode, "CAP_NET_RAW" in done.stdout) == (2, True)
