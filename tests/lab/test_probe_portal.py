"""`santong-agent probe portal` before and behind a captive portal, with its own defaults."""

from typing import Any

import pytest

from tests.lab import services
from tests.lab.product import probe
from tests.lab.school import School


def finds(found: dict[str, Any]) -> list[str]:
    """Return what was found at each endpoint."""
    return [row["finds"] for row in found["details"]["endpoints"]]


def test_an_open_internet(school: School) -> None:
    """Every default endpoint answers as it should."""
    found = probe(school.client, "portal", "")
    assert (found["success"], found["stage"]) == (True, "done"), found
    assert set(finds(found)) == {"open"}
    assert found["fields"]["rtt_ms"] > 0
    assert "disagree" not in found["details"]


@pytest.mark.parametrize("vendor", services.VENDORS)
def test_every_vendor_of_the_table(school: School, vendor: tuple[str, str, int, str]) -> None:
    """What is due at the known addresses is known: an open Internet is seen with each of them alone."""
    host, path, *_ = vendor
    found = probe(school.client, "portal", "", f"endpoints=http://{host}{path}")
    assert (found["success"], finds(found)) == (True, ["open"]), found


def test_a_portal_that_redirects(school: School) -> None:
    """Its login page is reached: a success of that stage; after a login the Internet is open."""
    school.portal.close()
    found = probe(school.client, "portal", "")
    assert (found["success"], found["stage"], found["code"]) == (True, "portal", 302), found
    assert set(finds(found)) == {"redirect"}
    assert found["details"]["login_page"] == school.portal.login
    found = probe(school.client, "portal", "", "expect=open")
    assert (found["success"], found["stage"]) == (False, "expected")
    school.portal.open()
    assert probe(school.client, "portal", "", "expect=open")["stage"] == "done"


def test_a_portal_whose_login_page_is_gone(school: School) -> None:
    """People are redirected to a page that does not load: stage `login_page`."""
    school.portal.close()
    school.gateway.nft(
        f"tcp dport {services.PORTAL} ct direction original ct original proto-dst {services.PORTAL} drop"
    )
    found = probe(school.client, "portal", "", "timeout=5")
    assert (found["success"], found["stage"]) == (False, "login_page"), found
    assert set(finds(found)) == {"redirect"}


def test_the_api_of_a_portal(school: School) -> None:
    """Where the endpoints are blocked without a word, RFC 8908's API says that it is a portal."""
    school.gateway.nft("iifname eth0 tcp dport 80 drop", "forward")
    found = probe(school.client, "portal", "", "timeout=4")
    assert (found["success"], found["stage"]) == (False, "connect")
    found = probe(school.client, "portal", "", "timeout=4", f"api={school.portal.api}")
    assert (found["success"], found["stage"]) == (True, "portal"), found
    assert found["details"]["api"] == {"captive": True, "user-portal-url": school.portal.login}


def test_a_resolver_that_sends_everybody_to_a_page(school: School) -> None:
    """A page in the place of what is due is a portal too, without any redirect."""
    school.dns.stop()
    services.hijacker(school.gateway, school.gateway.address)
    services.nginx(school.gateway, "server { listen 80; location / { return 200 'please log in'; } }", services.HTTP)
    found = probe(school.client, "portal", "")
    assert (found["success"], found["stage"], found["code"]) == (True, "portal", 200), found
    assert set(finds(found)) == {"page"}


def test_a_way_that_is_broken(school: School) -> None:
    """No DNS, then no way: `resolve`, `connect`."""
    school.dns.stop()
    found = probe(school.client, "portal", "", "timeout=3")
    assert (found["success"], found["stage"]) == (False, "resolve")


def test_one_vendor_in_trouble(school: School) -> None:
    """One failed endpoint proves nothing."""
    gone = "http://gone.lab/generate_204"
    found = probe(school.client, "portal", "", f"endpoints={gone},http://wifi.vivo.com.cn/generate_204")
    assert (found["success"], found["stage"], finds(found)) == (True, "done", ["failed", "open"])
