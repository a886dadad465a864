"""What settings of probes are made of: hosts, pairs, name servers, addresses, and what is said of mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probe.settings import Tcp
from agent.probe.values import Host, HostPort, Resolver, Url
from contract.errors import ConfigError
from contract.settings import section

LONGEST = ".".join(["x" * 63] * 3 + ["y" * 61])


@pytest.mark.parametrize(
    "text",
    ["www.lab", "www.lab.", "x" * 63 + ".lab", LONGEST, "a_b.lab", "123.lab", "10.in-addr.arpa", "h", "fe80::1%eth0"],
)
def test_hosts(text: str) -> None:
    """Names that can be looked up, and addresses."""
    assert Host.parse(text) == text
    if "%" not in text:
        assert Url.parse(f"http://{text}/") == f"http://{text}/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".lab",
        "www.lab..",
        "x" * 64 + ".lab",
        f"{LONGEST}.z",
        "-a.lab",
        "a-.lab",
        "192.0.2.300",
        "1.2.3",
        "a b",
        "[::1]",
        "*.lab",
        "www.lab\n",
    ],
)
def test_what_cannot_be_looked_up(text: str) -> None:
    """Empty and overlong labels, mistyped addresses and other characters are refused before a name server is asked."""
    with pytest.raises(ValueError, match="is not a host name or an address such as"):
        Host.parse(text)
    if text and text.isprintable() and not set(text) & set(" []"):
        with pytest.raises(ValueError, match="is not a host name or an address such as"):
            Url.parse(f"http://{text}/")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("::1:80", r"'::1:80' is not host:port: an IPv6 address stands in brackets, as in \[2001:db8::1\]:80"),
        ("[::1:80", "an IPv6 address stands in brackets"),
        ("::1]:80", "an IPv6 address stands in brackets"),
        ("[www.lab]:80", "only an IPv6 address stands in brackets"),
        ("[192.0.2.1]:80", "only an IPv6 address stands in brackets"),
        ("www.lab", "is not host:port such as"),
        ("www.lab:0", "is not host:port such as"),
        ("www.lab:65536", "is not host:port such as"),
        ("a..b:80", "'a..b' is not a host name"),
        (":80", "is not a host name"),
    ],
)
def test_what_is_no_pair(text: str, words: str) -> None:
    """Each mistake in host:port has its words; an address that could be read in two ways is none."""
    with pytest.raises(ValueError, match=words):
        HostPort.parse(text)


def test_pairs() -> None:
    """Host and port come out, without brackets."""
    for text, host in (("www.lab:80", "www.lab"), ("[::1]:80", "::1"), ("[fe80::1%eth0]:80", "fe80::1%eth0")):
        assert (HostPort.parse(text).host, HostPort.parse(text).port) == (host, 80)


@pytest.mark.parametrize("text", ["localhost", "localhost:5353", "dns.lab.", "[dns.lab]:53", ""])
def test_a_name_server_is_no_name(text: str) -> None:
    """With a port and without, the reason is the same and the true one."""
    words = "is not an address such as 192.0.2.53: a name server cannot be asked for its own"
    with pytest.raises(ValueError, match=words):
        Resolver.parse(text)


def test_name_servers() -> None:
    """An address, with a port or without; a wrong port is said to be one."""
    for text, pair in {"::1": ("::1", 53), "[::1]:5353": ("::1", 5353), "192.0.2.53:54": ("192.0.2.53", 54)}.items():
        assert (Resolver.parse(text).host, Resolver.parse(text).port) == pair
    with pytest.raises(ValueError, match=r"'192\.0\.2\.53:99999' is not host:port"):
        Resolver.parse("192.0.2.53:99999")


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9.:\[\]%_-]{0,40}", fullmatch=True))
def test_any_text_is_a_value_or_a_mistake(text: str) -> None:
    """Whatever is written, it is taken or refused in a line."""
    for kind in (Host, HostPort, Resolver, Url):
        try:
            kind.parse(text)
        except ValueError as error:
            assert "\n" not in str(error)


def test_a_mistake_in_a_pair_is_said_with_its_setting() -> None:
    """The words reach the reader with the name of the setting."""
    with pytest.raises(ConfigError, match="target: '::1:80' is not host:port: an IPv6 address"):
        section(Tcp, {"target": "::1:80"}, "settings")
