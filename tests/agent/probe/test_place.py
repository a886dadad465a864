"""What is said of a server's address in a reason has no MAC, no token and no user in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probe.place import place, without_queries


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://10.1.1.1:8080/a/login.jsp?mac=00-11-22-33-44-55#x", "http://10.1.1.1:8080/a/login.jsp"),
        ("https://user:secret@p.lab/x", "https://***@p.lab/x"),
        ("http://[fe80::1]/x?y", "http://[fe80::1]/x"),
        ("/login?token=1", "/login"),
        ("../c;jsessionid=1", "../c"),
        ("http://p.lab/go%3Fmac=1", "http://p.lab/go"),
        ("http://p.lab/mac/00:11:22:33:44:55/x", "http://p.lab/mac/…/x"),
        ("http://p.lab/mac/00%3A11%3A22%3A33%3A44%3A55", "http://p.lab/mac/…"),
        ("http://p.lab/001122334455", "http://p.lab/…"),
        ("//p.lab/x?y", "//p.lab/x"),
        ("http://user:secret?@p.lab/", "an impossible address"),
        ("http://[::1/?token=1", "an impossible address"),
        ("data:text/html,secret", "data:…"),
        ("", ""),
    ],
)
def test_scheme_host_and_path_are_all_that_is_said(address: str, said: str) -> None:
    """Query, fragment, parameters, user and hardware addresses are left out."""
    assert place(address) == said


@given(st.text(alphabet="htp:/?#@[];.a%3F ", max_size=40), st.sampled_from("?#;"))
def test_what_stands_behind_the_path_is_never_said(text: str, mark: str) -> None:
    """Whatever a server writes, it is short and the token is not in it."""
    assert "TOKEN" not in place(f"http://p.lab/{text}{mark}TOKEN")
    assert len(place(f"http://p.lab/{text * 10}")) <= 100


def test_addresses_within_a_text_lose_their_queries() -> None:
    """A server's own words may hold an address, too."""
    said = without_queries("302 go to 'http://p.lab/x?mac=1&token=2' now, 00:11:22:33:44:55")
    assert said == "302 go to 'http://p.lab/x' now, …"
