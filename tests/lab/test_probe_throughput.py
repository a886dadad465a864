"""`santong-agent probe throughput` on lines of known speed, beside iperf3."""

import json
from typing import Any

import pytest

from tests.lab import services
from tests.lab.machine import Machine
from tests.lab.namespaces import Lab
from tests.lab.product import probe

SHORT = ("seconds=2", "warm_up=1", "timeout=15")


@pytest.fixture
def line(lab: Lab) -> tuple[Machine, Machine]:
    """Give a client and a server with a LibreSpeed backend and iperf3."""
    client, server = lab.machine("client", 10), lab.machine("server", 80)
    services.throughput_server(server)
    services.iperf(server)
    return client, server


def samples(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields of each direction."""
    assert found["success"], found
    return {sample["tags"]["direction"]: sample["fields"] for sample in found["samples"]}


def iperf_mbps(client: Machine, server: Machine, *words: str) -> float:
    """Return what iperf3 receives with four streams in two seconds, after one that does not count."""
    argv = ["iperf3", "-c", server.address, "-P", "4", "-t", "2", "-O", "1", "-J", *words]
    return float(json.loads(client.run(argv, 40).stdout)["end"]["sum_received"]["bits_per_second"]) / 1e6


@pytest.mark.parametrize("mbps", [20, 80])
def test_the_speed_of_a_line(line: tuple[Machine, Machine], mbps: float) -> None:
    """Within 10 % of the payload that fits, and of what iperf3 sees, in both directions; the card is not to blame."""
    client, server = line
    client.narrow(mbps)
    found = samples(probe(client, "throughput", f"http://{server.address}/", *SHORT))
    for direction, words in (("download", ("-R",)), ("upload", ())):
        goodput, beside = found[direction]["goodput_mbps"], iperf_mbps(client, server, *words)
        assert goodput == pytest.approx(mbps * 1448 / 1514, rel=0.1), direction
        assert goodput == pytest.approx(beside, rel=0.1), direction
        # The machine that runs all of this may be busy, which is then rightly said.
        assert found[direction]["limited_by"] in {"none", "cpu"}
        assert found[direction]["rtt_min_ms"] > 0


def test_a_card_of_100_mbps_is_the_limit(line: tuple[Machine, Machine]) -> None:
    """Then the line is not to blame: `nic`, in both directions."""
    client, server = line
    client.pretend_speed(100)
    found = samples(probe(client, "throughput", f"http://{server.address}/", *SHORT))
    assert {fields["limited_by"] for fields in found.values()} == {"nic"}, found
    assert found["download"]["goodput_mbps"] == pytest.approx(94, rel=0.1)


def test_others_traffic_is_told(line: tuple[Machine, Machine]) -> None:
    """A video of somebody else (UDP, which does not give way) makes the figure inconclusive: `cross-traffic`."""
    client, server = line
    client.narrow(50)
    other = client.start(["iperf3", "-c", server.address, "-R", "-u", "-b", "20M", "-t", "60"])
    found = samples(probe(client, "throughput", f"http://{server.address}/", *SHORT, "upload=false"))
    assert other.is_running()
    other.kill()
    assert found["download"]["limited_by"] == "cross-traffic", found
    assert found["download"]["goodput_mbps"] < 40


def test_any_large_file_will_do(line: tuple[Machine, Machine]) -> None:
    """It is downloaded alone, and again when it ends."""
    client, server = line
    client.narrow(80)
    found = probe(client, "throughput", f"http://{server.address}/garbage.php?ckSize=1", *SHORT)
    assert list(samples(found)) == ["download"]
    assert samples(found)["download"]["goodput_mbps"] == pytest.approx(80 * 1448 / 1514, rel=0.1)


def test_a_line_that_is_cut_is_named(line: tuple[Machine, Machine]) -> None:
    """Everything is dropped: `connect`; a line that dies in the upload: `upload`, and the download's sample stays."""
    client, server = line
    server.nft("tcp dport 80 drop")
    found = probe(client, "throughput", f"http://{server.address}/", *SHORT)
    assert (found["success"], found["stage"]) == (False, "connect")
    server.mend()
    client.narrow(50)
    server.nft("tcp dport 80 quota over 4 mbytes drop")
    found = probe(client, "throughput", f"http://{server.address}/", *SHORT)
    assert (found["success"], found["stage"]) == (False, "upload"), found
    assert [sample["tags"]["direction"] for sample in found["samples"]] == ["download"]


def test_the_limit_of_bytes_holds_on_the_wire(line: tuple[Machine, Machine]) -> None:
    """No more than asked for, but for what is under way, and the total is what the interface has carried."""
    client, server = line
    client.narrow(50)
    before = carried(client)
    found = probe(client, "throughput", f"http://{server.address}/", *SHORT, "upload=false", "max_bytes=15MB")
    assert found["details"]["download"]["ended_by"] == "max_bytes"
    used, total = carried(client) - before, found["details"]["total_bytes"]
    assert 15e6 <= total < 18e6
    assert total == pytest.approx(used, rel=0.1)


def carried(machine: Machine) -> int:
    """Return the bytes that a machine's card has carried."""
    folder = "/sys/class/net/eth0/statistics"
    return sum(map(int, machine.run(["cat", f"{folder}/rx_bytes", f"{folder}/tx_bytes"]).stdout.split()))
