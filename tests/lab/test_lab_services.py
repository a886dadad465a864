"""The lab's servers answer like those of a school, a careless provider and a captive portal."""

import json
import sys
from pathlib import Path

import pytest

from tests.lab import services
from tests.lab.machine import Machine
from tests.lab.namespaces import Lab
from tests.lab.school import THROUGHPUT, WWW, School

MIB = 1 << 20


def dig(machine: Machine, name: str, *options: str) -> tuple[str, list[str]]:
    """Return the status of an answer, and its addresses; the status is `none` when none came."""
    words = machine.run(["dig", "+time=1", "+tries=1", *options, name], check=False).stdout
    status = words.partition("status: ")[2].partition(",")[0] or "none"
    return status, [line.split()[-1] for line in words.splitlines() if "\tA\t" in line]


def curl(machine: Machine, url: str, *options: str) -> str:
    """Return status, size of the body, and where a redirect would lead; the status is 000 without any answer."""
    wish = "%{http_code} %{size_download} %{redirect_url}"
    fixed = ["curl", "--silent", "--output", "/dev/null", "--max-time", "10", "--write-out", wish]
    return machine.run([*fixed, *options, url], check=False).stdout.strip()


def lease(machine: Machine, folder: Path) -> dict[str, str]:
    """Return what busybox's DHCP client is given: ip, router, dns, serverid, opt114 …; nothing without an answer."""
    script = folder / "bound"
    script.write_text('#!/bin/sh\n[ "$1" != bound ] || env\n', encoding="ascii")
    script.chmod(0o755)
    wish = ["-f", "-n", "-q", "-i", "eth0", "-t", "3", "-T", "1", "-O", "114", "-s", str(script)]
    words = machine.run(["busybox", "udhcpc", *wish], check=False).stdout
    return dict(line.split("=", 1) for line in words.splitlines() if "=" in line)


def test_a_school_resolves_names_until_its_dns_is_gone(school: School) -> None:
    """Known names have addresses, unknown ones do not exist, a stopped server and a dropped port give no answer."""
    assert dig(school.client, WWW) == ("NOERROR", [school.www])
    assert dig(school.client, "nowhere.lab") == ("NXDOMAIN", [])
    school.gateway.nft("udp dport 53 drop")
    assert dig(school.client, WWW) == ("none", [])
    school.gateway.mend()
    school.dns.stop()
    assert dig(school.client, WWW) == ("none", [])


def test_a_hijacking_resolver_invents_addresses(lab: Lab) -> None:
    """It answers names that do not exist with its own address."""
    client, liar = lab.machine("client", 10), lab.machine("liar", 53)
    services.hijacker(liar, liar.address)
    assert dig(client, "no-such-name.invalid", f"@{liar.address}") == ("NOERROR", [liar.address])


def test_dhcp_gives_a_lease_with_the_portals_url(lab: Lab, tmp_path: Path) -> None:
    """Address, router, resolver and option 114 come as they were set."""
    client, server = lab.machine("client", 10, addressed=False), lab.machine("server", 1)
    leases = services.Leases(
        "10.77.0.50", "10.77.0.59", server.address, "10.77.0.53", portal_api="http://portal.lab/api"
    )
    services.dhcp_server(server, leases)
    given = lease(client, tmp_path)
    assert (given["ip"], given["router"], given["dns"]) == ("10.77.0.50", server.address, "10.77.0.53")
    assert given["serverid"] == server.address
    assert bytes.fromhex(given["opt114"]) == b"http://portal.lab/api"


def test_a_rogue_dhcp_server_answers_when_the_right_one_does_not(lab: Lab, tmp_path: Path) -> None:
    """Two servers offer; without the right one the client takes what the rogue gives."""
    client = lab.machine("client", 10, addressed=False)
    right, rogue = lab.machine("right", 1), lab.machine("rogue", 2)
    servers = [
        services.dhcp_server(machine, services.Leases(f"10.77.0.{first}", f"10.77.0.{first + 9}", machine.address))
        for machine, first in ((right, 50), (rogue, 60))
    ]
    assert lease(client, tmp_path)["serverid"] in {right.address, rogue.address}
    for server in servers:
        server.wait_until_said("DHCPOFFER")
    servers[0].stop()
    assert lease(client, tmp_path)["serverid"] == rogue.address
    servers[1].stop()
    assert lease(client, tmp_path) == {}


def test_a_web_server_answers_over_http_and_https(school: School) -> None:
    """Pages, redirect and errors are those asked for; the certificate is good for the right name and authority only."""
    assert curl(school.client, f"http://{WWW}/") == "200 7"
    assert curl(school.client, f"http://{WWW}/moved").split()[::2] == ["302", f"http://{WWW}/"]
    assert curl(school.client, f"http://{WWW}/broken").startswith("500")
    assert curl(school.client, f"https://{WWW}/", "--cacert", str(school.ca)) == "200 7"
    assert curl(school.client, f"https://{WWW}/").startswith("000")
    assert curl(school.client, f"https://{THROUGHPUT}/", "--cacert", str(school.ca)).startswith("000")


@pytest.mark.parametrize(("host", "path", "status", "body"), services.VENDORS)
def test_a_portal_is_what_a_phone_finds(school: School, host: str, path: str, status: int, body: str) -> None:
    """Open, each vendor's server answers as it does in the Internet; closed, with a redirect to the login page."""
    url = f"http://{host}{path}"
    assert curl(school.client, url) == f"{status} {len(body)}"
    school.portal.close()
    assert curl(school.client, url).split()[::2] == ["302", school.portal.login]
    assert curl(school.client, f"https://{WWW}/").startswith("000")
    school.portal.open()
    assert curl(school.client, url) == f"{status} {len(body)}"


def test_a_portal_says_so_over_its_api(school: School) -> None:
    """The API of RFC 8908 answers `captive`, with the address of the login page."""
    words = school.client.run(["curl", "-sSi", school.portal.api]).stdout
    assert "Content-Type: application/captive+json" in words
    assert f'{{"captive":true,"user-portal-url":"{school.portal.login}"}}' in words


@pytest.mark.parametrize(("query", "mib"), [("", 4), ("?ckSize=1", 1), ("?ckSize=77", 100), ("?ckSize=../1", 100)])
def test_the_throughput_server_sends(school: School, query: str, mib: int) -> None:
    """garbage.php sends what was asked for, of the sizes there are, and never a file by its path."""
    services.throughput_server(school.internet, 8000)
    url = f"http://{THROUGHPUT}:8000/garbage.php{query}"
    assert curl(school.client, url) == f"200 {mib * MIB}"


def test_the_throughput_server_answers_an_upload_at_its_end(school: School) -> None:
    """empty.php answers when the last byte has come, not before: what still waits at the sender counts for nothing."""
    services.throughput_server(school.internet, 8000, (1,))
    code = (
        "import select, socket, sys\n"
        "to = socket.create_connection((sys.argv[1], 8000), 5)\n"
        "to.sendall(b'POST /empty.php HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 8388608\\r\\n\\r\\n')\n"
        "to.sendall(bytes(8388607))\n"
        "print('early' if select.select([to], [], [], 0.5)[0] else 'waits')\n"
        "to.sendall(b'.')\n"
        "print(to.recv(15).decode())\n"
    )
    assert school.client.run([sys.executable, "-c", code, THROUGHPUT]).stdout == "waits\nHTTP/1.1 200 OK\n"


def test_the_throughput_server_is_as_fast_as_the_line(school: School) -> None:
    """On a line of 100 Mbit/s curl and iperf3 see most of that and no more, down and up."""
    services.throughput_server(school.internet, 8000, (20,))
    services.iperf(school.internet)
    school.client.narrow(100)
    speed = ["curl", "-sS", "-o", "/dev/null", "-w", "%{speed_download} %{speed_upload}", "-H", "Expect:"]
    url = f"http://{THROUGHPUT}:8000"
    down, _ = school.client.run([*speed, f"{url}/garbage.php?ckSize=20"]).stdout.split()
    file = school.internet.folder / "garbage" / "20"
    _, up = school.client.run([*speed, "--data-binary", f"@{file}", f"{url}/empty.php"]).stdout.split()
    iperf = json.loads(school.client.run(["iperf3", "-c", school.www, "-t", "1", "-J"]).stdout)
    reference = iperf["end"]["sum_received"]["bits_per_second"]
    for rate in (float(down) * 8, float(up) * 8, reference):
        assert 50e6 < rate <= 100e6
