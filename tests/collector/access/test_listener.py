"""Where a page listens, and whom it believes."""

import pytest

from collector.access.listener import Listener, client_of, host_of, is_here, is_secure, listener_of, refusal
from contract.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "host", "port", "asks_nobody"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:1", "127.0.0.1", 1, True),
        ("localhost:8080", "localhost", 8080, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),  # noqa: S104
        ("[::]:8080", "::", 8080, False),
        ("192.0.2.7:443", "192.0.2.7", 443, False),
        ("board.example:80", "board.example", 80, False),
    ],
)
def test_where_it_listens(address: str, host: str, port: int, asks_nobody: bool) -> None:
    """A port alone is on 127.0.0.1; only what is bound to localhost asks nobody for a login."""
    found = listener_of(address)
    assert (found.host, found.port, found.asks_nobody) == (host, port, asks_nobody)


def test_a_proxy_before_localhost_asks_everybody() -> None:
    """With a proxy, or --login, localhost asks: what comes from here may come from anywhere."""
    assert not listener_of("8080", login=True).asks_nobody
    assert not listener_of("8080", ["127.0.0.1"]).asks_nobody
    assert not listener_of("8080", ["127.0.0.1"], "X-Remote-User").asks_nobody


def test_all_mistakes_are_said() -> None:
    """Each with its option."""
    with pytest.raises(ConfigError) as caught:
        listener_of("::1", ["nowhere"], "X Remote")
    assert [one.path for one in caught.value.problems] == ["--listen", "--proxy", "--proxy-user"]
    with pytest.raises(ConfigError, match="whose header"):
        listener_of("8080", [], "X-Remote-User")


def test_without_users_it_does_not_start_elsewhere() -> None:
    """Bound to the network without a user: refused in one line that says what to do."""
    said = refusal(listener_of("0.0.0.0:8080"), 0)
    assert said.startswith("0.0.0.0:8080: nobody could log in")
    assert "`santong user add NAME --role admin`" in said
    assert "\n" not in said
    assert not refusal(listener_of("0.0.0.0:8080"), 1)
    assert not refusal(listener_of("8080"), 0)
    assert refusal(listener_of("8080", login=True), 0)


@pytest.mark.parametrize(
    ("peer", "headers", "here"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8080"}, True),
        ("127.0.0.1", {"host": "localhost:8080"}, True),
        ("::1", {"host": "[::1]:8080"}, True),
        ("::ffff:127.0.0.1", {"host": "LOCALHOST"}, True),
        ("127.0.0.1", {"host": "evil.example:8080"}, False),  # a name of the Internet that leads here
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}, False),
        ("127.0.0.1", {"host": "localhost@evil.example"}, False),
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "192.0.2.7"}, False),  # a proxy that nobody told us of
        ("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}, False),
        ("192.0.2.7", {"host": "localhost"}, False),
    ],
)
def test_what_was_asked_on_this_machine(peer: str, headers: dict[str, str], here: bool) -> None:
    """Address and name must both be this machine's, and no proxy may have handed it on."""
    assert is_here(peer, headers) is here


def test_only_our_proxies_say_where_somebody_is() -> None:
    """X-Forwarded-… of anybody else is not believed; of ours the last hop that is not ours counts."""
    listener = listener_of("8080", ["192.0.2.0/24"])
    forged = {"x-forwarded-for": "203.0.113.9, 198.51.100.1, 192.0.2.8", "x-forwarded-host": "board.example"}
    assert client_of(listener, "198.51.100.7", forged) == "198.51.100.7"
    assert client_of(listener, "192.0.2.7", forged) == "198.51.100.1"
    assert client_of(listener, "192.0.2.7", {"x-forwarded-for": "nonsense"}) == "192.0.2.7"
    assert client_of(listener, "192.0.2.7", {}) == "192.0.2.7"
    assert host_of(listener, "192.0.2.7", forged) == "board.example"
    assert host_of(listener, "198.51.100.7", {**forged, "host": "a"}) == "a"
    assert is_secure(listener, "192.0.2.7", "http", {"x-forwarded-proto": "https"})
    assert not is_secure(listener, "198.51.100.7", "http", {"x-forwarded-proto": "https"})
    assert is_secure(Listener(), "198.51.100.7", "https", {})
