"""`santong-agent probe dns` against dnsmasq: honest, silent, closed, lying, and too long for UDP."""

import errno

from tests.lab import services
from tests.lab.namespaces import Lab
from tests.lab.product import probe
from tests.lab.school import WWW, School


def test_a_school_resolves_names_until_its_dns_is_gone(school: School) -> None:
    """An address, a name that does not exist, a wrong address, a dropped and a closed port each have their stage."""
    client, gateway = school.client, school.gateway
    good = probe(client, "dns", WWW, f"expect={school.www}")
    assert (good["success"], good["details"]["addresses"]) == (True, [school.www])
    assert good["details"]["resolver"] == gateway.address
    unknown = probe(client, "dns", "nowhere.lab")
    assert (unknown["success"], unknown["stage"], unknown["code"]) == (False, "answer", 3)
    assert probe(client, "dns", WWW, "type=AAAA")["stage"] == "answer"
    assert probe(client, "dns", WWW, "expect=192.0.2.0/24")["stage"] == "expected"
    gateway.nft("udp dport 53 drop")
    silent = probe(client, "dns", WWW, "timeout=1s")
    assert (silent["stage"], silent["code"]) == ("reply", errno.ETIMEDOUT)
    gateway.mend()
    school.dns.stop()
    closed = probe(client, "dns", WWW)
    assert (closed["stage"], closed["code"]) == ("reply", errno.ECONNREFUSED)
    assert closed["fields"]["duration_ms"] < 2000


def test_a_machine_without_name_server_says_what_to_do(school: School) -> None:
    """Nothing is asked when resolv.conf has none: exit code 2."""
    school.client.resolver()
    assert "set resolver" in probe(school.client, "dns", WWW)["reason"]


def test_a_hijacking_resolver_is_caught(lab: Lab) -> None:
    """Its invented address for a name that cannot exist is stage hijack, unless that is not asked for."""
    client, liar = lab.machine("client", 10), lab.machine("liar", 53)
    services.hijacker(liar, liar.address)
    client.resolver(liar.address)
    found = probe(client, "dns", "www.example.com")
    assert (found["success"], found["stage"]) == (False, "hijack")
    assert liar.address in found["reason"]
    assert probe(client, "dns", "www.example.com", "hijack=false")["success"]


def test_a_wildcard_zone_is_honest(lab: Lab) -> None:
    """A server answers everything below wild.lab, and says of all else that it does not exist."""
    client, server = lab.machine("client", 10), lab.machine("server", 53)
    services.name_server(server, {}, "address=/wild.lab/192.0.2.5")
    assert probe(client, "dns", "any.wild.lab", f"resolver={server.address}")["success"]


def test_an_answer_that_is_too_long_for_udp(lab: Lab) -> None:
    """Sixty addresses come by TCP; where TCP is closed the stage is reply."""
    client, server = lab.machine("client", 10), lab.machine("server", 53)
    records = [f"host-record=many.lab,192.0.2.{number}" for number in range(1, 61)]
    services.dnsmasq(server, "local=/#/", *records).wait_until_listening(services.DNS, protocol="udp")
    found = probe(client, "dns", "many.lab", f"resolver={server.address}")
    assert (found["success"], len(found["details"]["addresses"])) == (True, 60)
    server.nft("tcp dport 53 reject with tcp reset")
    closed = probe(client, "dns", "many.lab", f"resolver={server.address}")
    assert (closed["stage"], closed["code"]) == ("reply", errno.ECONNREFUSED)


def test_the_time_of_the_answer_is_that_of_the_way(lab: Lab) -> None:
    """30 ms each way are 60 ms, and more than 50 ms allowed is a threshold."""
    client, server = lab.machine("client", 10), lab.machine("server", 53)
    services.name_server(server, {"www.lab": "192.0.2.80"})
    client.wire(delay_ms=30)
    probe(client, "icmp", server.address)  # the neighbour's address is known from here on
    slow = probe(client, "dns", "www.lab", f"resolver={server.address}", "max_rtt=50ms")
    assert slow["stage"] == "threshold"
    assert 60 <= slow["fields"]["rtt_ms"] < 75
