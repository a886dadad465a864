"""The ARP probe against a double of a network: who answers, who answers twice, and what is no answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import ARP, Ether

from agent.outcome import Failed, Outcome, Unable
from agent.probe import arp, arp_packets, sense
from agent.probe.arp_packets import Owner
from agent.probe.ask import ask_of
from agent.probe.base import Via
from agent.probe.link import Card
from agent.probe.settings import Arp
from agent.probe.values import InterfaceName, Ipv4, Subnet
from contract.errors import ConfigError
from contract.settings import Seconds
from tests.agent.probe.link_double import CARD, MAC, Clock, LinkDouble, Peer

NOBODY = "0.0.0.0"  # noqa: S104  the sender of RFC 5227's probe
ROUTER, PRINTER, CLONE = (f"02:5a:00:00:00:{number:02x}" for number in (1, 2, 3))


def answer(request: bytes, mac: str) -> bytes:
    """Return the reply of a machine with this MAC to a request."""
    asked = Ether(request)[ARP]
    reply = ARP(op=2, hwsrc=mac, psrc=asked.pdst, hwdst=asked.hwsrc, pdst=asked.psrc)
    return bytes(Ether(src=mac, dst=asked.hwsrc) / reply).ljust(60, b"\0")


def network(**machines: str) -> Peer:
    """Return a network where machines answer: `h1="mac mac"` is the host .1 with its MACs."""

    def peer(frame: bytes) -> list[bytes]:
        host = "h" + Ether(frame)[ARP].pdst.rpartition(".")[2]
        return [answer(frame, mac) for mac in machines.get(host, "").split()]

    return peer


def sweep(monkeypatch: pytest.MonkeyPatch, peer: Peer, card: Card = CARD, **settings: object) -> Outcome:
    """Run the probe on the double."""
    link = LinkDouble(peer)
    monkeypatch.setattr(arp, "Link", link)
    monkeypatch.setattr(arp, "card", lambda _: card)
    monkeypatch.setattr(sense, "LAST_ANSWER_S", 0.001)
    ask = Arp(InterfaceName("eth0"), per_second=100_000)._replace(**settings)  # type: ignore[arg-type]
    outcome = arp.probe(ask, Via())
    return outcome._replace(details={**outcome.details, "sent": link.sent})


def test_requests_are_what_another_implementation_builds() -> None:
    """Scapy makes the same bytes, with our address and without."""
    for sender in ("192.0.2.10", ""):
        theirs = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=MAC, psrc=sender or NOBODY, hwdst="00:00:00:00:00:00", pdst="192.0.2.1"
        )
        assert arp_packets.request(MAC, sender, "192.0.2.1") == bytes(theirs)


def test_every_address_is_asked_and_once_more_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A /29 has six addresses: all are asked, the four silent ones twice; ours without saying who asks."""
    outcome = sweep(monkeypatch, network(h9=ROUTER, h11=PRINTER), subnet=Subnet("192.0.2.8/29"))
    asked = [Ether(frame)[ARP] for frame in outcome.details["sent"]]  # type: ignore[attr-defined]
    assert [request.pdst for request in asked] == [
        *(f"192.0.2.{number}" for number in (9, 10, 11, 12, 13, 14)),
        *(f"192.0.2.{number}" for number in (10, 12, 13, 14)),
    ]
    assert {request.psrc for request in asked if request.pdst != "192.0.2.10"} == {"192.0.2.10"}
    assert {request.psrc for request in asked if request.pdst == "192.0.2.10"} == {NOBODY}
    assert (outcome.success, outcome.fields) == (True, {"found": 2})
    rows = [{"address": "192.0.2.9", "mac": ROUTER}, {"address": "192.0.2.11", "mac": PRINTER}]
    assert outcome.details["hosts"] == rows


def test_who_is_expected_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing one is named; this machine itself is always there."""
    expect = (Ipv4("192.0.2.1"), Ipv4("192.0.2.10"))
    assert sweep(monkeypatch, network(h1=ROUTER), expect=expect).success
    with pytest.raises(Failed, match=r"192\.0\.2\.1 does not answer") as failed:
        sweep(monkeypatch, network(h2=PRINTER), expect=expect)
    assert (failed.value.stage, failed.value.fields) == ("expected", {"found": 1})


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("198.51.100.7", r"198\.51\.100\.7 is no host of 192\.0\.2\.0/24, which is asked"),
        ("192.0.2.255", r"192\.0\.2\.255 is no host of 192\.0\.2\.0/24"),
    ],
)
def test_who_is_expected_elsewhere_is_not_asked(monkeypatch: pytest.MonkeyPatch, expect: str, words: str) -> None:
    """An expected address that is no host of the interface's subnet is our mistake: nothing is sent, nothing fails."""
    silent: Peer = lambda _: pytest.fail("something was sent")  # noqa: E731
    with pytest.raises(Unable, match=words):
        sweep(monkeypatch, silent, expect=(Ipv4(expect), Ipv4("192.0.2.1")))


def test_who_was_never_asked_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still in the middle of a sweep says so: no word on the addresses it did not reach."""
    clock = Clock()

    def peer(frame: bytes) -> list[bytes]:
        clock.now_s += 100 * (Ether(frame)[ARP].pdst == "192.0.2.12")
        return []

    monkeypatch.setattr("agent.deadline.time", clock)
    words = r"all of 192\.0\.2\.9 to 192\.0\.2\.14 were asked for, 192\.0\.2\.13 was not"
    with pytest.raises(Unable, match=words):
        sweep(monkeypatch, peer, subnet=Subnet("192.0.2.8/29"), expect=(Ipv4("192.0.2.14"),))


def test_two_machines_with_one_address_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two MACs for one address, or somebody else with ours, fail at duplicate; where it is meant, nothing fails."""
    for machines in ({"h2": f"{PRINTER} {CLONE}"}, {"h10": CLONE}):
        with pytest.raises(Failed) as failed:
            sweep(monkeypatch, network(**machines))
        assert failed.value.stage == "duplicate"
        hosts = failed.value.details["hosts"]
        assert all(row["flags"] == "duplicate" for row in hosts)  # type: ignore[attr-defined]
    shared = (Ipv4("192.0.2.2"),)
    assert sweep(monkeypatch, network(h2=f"{PRINTER} {CLONE}"), shared=shared).fields == {"found": 1}


def test_proxy_arp_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A MAC that answers for many addresses is marked."""
    outcome = sweep(monkeypatch, network(h1=ROUTER, h2=ROUTER, h3=PRINTER))
    flags = [row.get("flags") for row in outcome.details["hosts"]]  # type: ignore[attr-defined]
    assert flags == ["several", "several", None]


@pytest.mark.parametrize(
    ("card", "settings", "words"),
    [
        (CARD._replace(prefix=21), {}, r"192\.0\.0\.0/21 has more than 1024 addresses: set subnet.*192\.0\.0\.0/22"),
        (CARD._replace(address="", prefix=0), {}, "eth0 has no IPv4 address: set subnet"),
        (CARD, {"per_second": 10}, r"254 addresses take 50\.8 s: set timeout or per_second higher"),
    ],
)
def test_what_cannot_be_swept(
    monkeypatch: pytest.MonkeyPatch, card: Card, settings: dict[str, object], words: str
) -> None:
    """Too large, unknown or too slow: nothing is sent, and the text says what to set."""
    with pytest.raises(Unable, match=words):
        sweep(monkeypatch, lambda _: pytest.fail("something was sent"), card, **settings)


def test_an_interface_without_address_asks_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `subnet` an interface that has no address sweeps as well (RFC 5227's probe)."""
    bare = CARD._replace(address="", prefix=0)
    outcome = sweep(monkeypatch, network(h1=ROUTER), bare, subnet=Subnet("192.0.2.0/30"))
    assert outcome.fields == {"found": 1}
    assert {Ether(frame)[ARP].psrc for frame in outcome.details["sent"]} == {NOBODY}  # type: ignore[attr-defined]


@settings(deadline=None)
@given(st.binary(max_size=80), st.dictionaries(st.integers(0, 59), st.integers(0, 255), max_size=4))
def test_any_bytes_are_an_owner_or_none(raw: bytes, changes: dict[int, int]) -> None:
    """Arbitrary frames, and true replies with bytes changed, give an address with a MAC or nothing."""
    request = arp_packets.request(MAC, "192.0.2.10", "192.0.2.1")
    frame = bytearray(answer(request, ROUTER))
    for at, byte in changes.items():
        frame[at] = byte
    for given_frame in (raw, bytes(frame), bytes(frame[: len(raw)])):
        found = arp_packets.reply(given_frame, MAC)
        assert found is None or (found.address.count("."), len(found.mac)) == (3, 17)


def test_what_is_no_answer_to_us() -> None:
    """Requests, answers to others, our own frames, group addresses and stumps say nothing."""
    request = arp_packets.request(MAC, "192.0.2.10", "192.0.2.1")
    assert arp_packets.reply(answer(request, ROUTER), MAC) == Owner("192.0.2.1", ROUTER)
    others = answer(arp_packets.request(b"\2" * 6, "192.0.2.11", "192.0.2.1"), ROUTER)
    own = "02:5a:00:00:00:0a"
    for frame in (request, others, answer(request, own), answer(request, "ff:ff:ff:ff:ff:ff"), request[:41], b""):
        assert arp_packets.reply(frame, MAC) is None


@pytest.mark.parametrize("nonsense", [b"", b"\0" * 60, b"\xff" * 1500])
def test_a_network_of_nonsense_has_nobody(monkeypatch: pytest.MonkeyPatch, nonsense: bytes) -> None:
    """Frames that mean nothing are passed over."""
    assert sweep(monkeypatch, lambda _: [nonsense] * 3, timeout=Seconds(10)).fields == {"found": 0}


@pytest.mark.parametrize(
    ("kind", "setting"), [("arp", "subnet=192.0.2.1/24"), ("arp", "expect=router.lab"), ("dhcp", "servers=2001:db8::1")]
)
def test_settings_that_make_no_sense(kind: str, setting: str) -> None:
    """Networks with host bits and what is no IPv4 address are refused before anything is sent."""
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        ask_of(kind, "eth0", [setting])
