"""`santong-agent probe http` in a school's network, whole and broken."""

import errno

import pytest

from tests.lab.product import probe
from tests.lab.school import WWW, School

PAGE, SECURE = f"http://{WWW}/", f"https://{WWW}/"


def ending(found: dict[str, object]) -> tuple[object, object, object]:
    """Return success, stage and code."""
    return found["success"], found["stage"], found["code"]


def test_pages_of_a_working_network(school: School) -> None:
    """A page, one over TLS with the days of its certificate, and one behind a redirect work."""
    found = probe(school.client, "http", PAGE, "body=^welcome")
    assert ending(found) == (True, "done", 200)
    assert 0 < found["fields"]["rtt_ms"] < 1000
    found = probe(school.client, "http", SECURE, f"ca={school.ca}", "min_certificate_days=30")
    assert ending(found) == (True, "done", 200), found
    assert 30 < found["fields"]["certificate_days"] <= 365
    assert found["fields"]["tls_ms"] > 0
    assert ending(probe(school.client, "http", f"{PAGE}moved", "body=welcome")) == (True, "done", 200)


@pytest.mark.parametrize(
    ("target", "settings", "end"),
    [
        (f"{PAGE}missing", (), (False, "status", 404)),
        (f"{PAGE}broken", (), (False, "status", 500)),
        (PAGE, ("body=farewell",), (False, "body", 200)),
        (SECURE, (), (False, "tls", 20)),
        ("http://nowhere.lab/", (), (False, "resolve", -2)),
    ],
)
def test_what_is_wrong_with_a_page(
    school: School, target: str, settings: tuple[str, ...], end: tuple[bool, str, int]
) -> None:
    """Status, text, certificate and name each have a stage and a code of their own."""
    assert ending(probe(school.client, "http", target, *settings)) == end


def test_faults_on_the_way(school: School) -> None:
    """No DNS, dropped and refused connections, and a server that is gone are told apart."""
    school.gateway.nft("udp dport 53 drop")
    assert ending(probe(school.client, "http", PAGE, "timeout=2"))[:2] == (False, "resolve")
    school.gateway.mend()
    school.internet.nft("tcp dport 80 drop")
    assert ending(probe(school.client, "http", PAGE, "timeout=2")) == (False, "connect", errno.ETIMEDOUT)
    school.internet.mend()
    school.internet.nft("tcp dport 80 reject with tcp reset")
    assert ending(probe(school.client, "http", PAGE)) == (False, "connect", errno.ECONNREFUSED)
    school.internet.mend()
    assert ending(probe(school.client, "http", PAGE)) == (True, "done", 200)


def test_a_slow_cable_is_seen_in_every_time(school: School) -> None:
    """
    With 30 ms each way a round trip takes 60 ms.

    Connect takes one, the first byte one, TLS 1.3 one (RFC 8446 §2), TLS 1.2 two (RFC 5246 §7.3).
    """
    school.client.wire(delay_ms=30)
    found = probe(school.client, "http", SECURE, f"ca={school.ca}")
    trips = {
        "rtt_ms": 1,
        "connect_ms": 1,
        "tls_ms": 2 if found["details"]["tls"] == "TLSv1.2" else 1,
        "first_byte_ms": 1,
    }
    for name, count in trips.items():
        assert 60 * count <= found["fields"][name] < 60 * count + 40, (name, found)


def test_the_interface_that_is_asked_for_is_used(school: School) -> None:
    """By eth0 it works, by loopback nothing leaves, and one that is not there is our own trouble."""
    assert ending(probe(school.client, "http", f"http://{school.www}/", "interface=eth0")) == (True, "done", 200)
    found = probe(school.client, "http", f"http://{school.www}/", "interface=lo", "timeout=2")
    assert ending(found)[:2] == (False, "connect")
    assert probe(school.client, "http", f"http://{school.www}/", "interface=none0")["success"] is None
