"""The DHCP probe against a double of a network with servers: good, rogue, useless, silent, and hostile ones."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import dhcp, dhcp_packets
from agent.probe.base import Via
from agent.probe.dhcp_packets import ACK, NAK, OFFER, Client, Reply
from agent.probe.settings import Dhcp
from agent.probe.values import InterfaceName, Ipv4
from contract.settings import Seconds
from tests.agent.probe.link_double import CARD, MAC, Clock, LinkDouble, Peer

CLIENT = Client(MAC, 0x01020304)
SERVER, ROGUE = "192.0.2.1", "192.0.2.66"
GOOD: list[Any] = [
    ("lease_time", 600),
    ("subnet_mask", "255.255.255.0"),
    ("router", SERVER),
    ("name_server", "192.0.2.53", "192.0.2.54"),
    (114, b"http://portal.lab/api"),
]
DISCOVER, REQUEST, RELEASE = 1, 3, 7
API = "http://portal.lab/api"


def said(frame: bytes) -> dict[int, bytes]:
    """Return the options of a message by their number, read without the product's library (RFC 2132)."""
    at = frame.index(b"\x63\x82\x53\x63") + 4
    options: dict[int, bytes] = {}
    while frame[at] != 255:
        options[frame[at]] = frame[at + 2 : at + 2 + frame[at + 1]]
        at += 2 + frame[at + 1]
    return options


def answer(frame: bytes, kind: int, server: str = SERVER, address: str = "192.0.2.50", options: Any = None) -> bytes:
    """Return a server's answer to a client's message."""
    asked = Ether(frame)[BOOTP]
    head = Ether(src="02:5a:00:00:00:01", dst=asked.chaddr[:6]) / IP(src=server, dst=address) / UDP(sport=67, dport=68)
    listed = [("message-type", kind), ("server_id", server), *(GOOD if options is None else options), "end"]
    return bytes(head / BOOTP(op=2, xid=asked.xid, yiaddr=address, chaddr=asked.chaddr) / DHCP(options=listed))


def server(name: str = SERVER, acknowledge: int = ACK, **wish: Any) -> Peer:
    """Return a server that offers, and acknowledges what is requested from it (`acknowledge` 0: is silent then)."""

    def peer(frame: bytes) -> list[bytes]:
        options = said(frame)
        if options[53][0] == DISCOVER:
            return [answer(frame, OFFER, name, **wish)]
        is_asked = options[53][0] == REQUEST and options[54] == bytes(map(int, name.split(".")))
        return [answer(frame, acknowledge, name, **wish)] if is_asked and acknowledge else []

    return peer


def both(*peers: Peer) -> Peer:
    """Return a network with several servers."""
    return lambda frame: [reply for peer in peers for reply in peer(frame)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Outcome, list[int]]]:
    """Give a function that runs the probe on a network; it returns the outcome and the kinds of messages sent."""

    def run(peer: Peer, held: tuple[str, ...] = (), **settings: Any) -> tuple[Outcome, list[int]]:
        link = LinkDouble(peer)
        monkeypatch.setattr(dhcp, "Link", link)
        monkeypatch.setattr(dhcp, "card", lambda _: CARD)
        monkeypatch.setattr(dhcp, "is_held", held.__contains__)
        ask = Dhcp(InterfaceName("eth0"), timeout=Seconds(0.1))._replace(**settings)
        try:
            outcome = dhcp.probe(ask, Via())
        except Failed as failed:
            outcome = failed.outcome()
        return outcome, [said(frame)[53][0] for frame in link.sent]

    return run


Run = Callable[..., tuple[Outcome, list[int]]]


# ---- packets


def test_what_we_send_has_its_places() -> None:
    """Read byte by byte after RFC 2131 §2: operation, id, MAC, our own client identifier, 300 bytes and a checksum."""
    frame = dhcp_packets.discover(CLIENT, secs=5)
    assert (frame[:6], frame[6:12], frame[12:14]) == (b"\xff" * 6, MAC, b"\x08\x00")
    assert frame[26:34] == bytes(4) + b"\xff" * 4
    assert struct.unpack("!HHH", frame[34:40]) == (68, 67, 308)
    bootp = frame[42:]
    assert (bootp[:4], bootp[4:8], bootp[8:10]) == (b"\x01\x01\x06\x00", b"\x01\x02\x03\x04", b"\x00\x05")
    assert bootp[28:44] == MAC + bytes(10)
    assert len(bootp) == 300
    options = said(frame)
    assert options[61] == b"\0santong" + MAC
    assert {1, 3, 6, 114} <= set(options[55])


def test_a_release_names_the_address_and_the_server() -> None:
    """RFC 2131 table 5: the address as ciaddr, the server's identifier, our client identifier, unicast, no wishes."""
    frame = dhcp_packets.release(CLIENT, "192.0.2.50", SERVER, b"\2" * 6)
    assert (frame[:6], frame[26:34]) == (b"\2" * 6, bytes([192, 0, 2, 50, 192, 0, 2, 1]))
    assert frame[42:][12:16] == bytes([192, 0, 2, 50])
    assert said(frame) == {53: b"\x07", 54: bytes([192, 0, 2, 1]), 61: b"\0santong" + MAC}


def test_an_offer_is_read() -> None:
    """All that a client needs comes out, the portal's URL included."""
    found = dhcp_packets.reply(answer(dhcp_packets.discover(CLIENT), OFFER), CLIENT)
    assert found == Reply(
        OFFER,
        SERVER,
        bytes.fromhex("025a00000001"),
        SERVER,
        "192.0.2.50",
        24,
        SERVER,
        ("192.0.2.53", "192.0.2.54"),
        600,
        API,
    )


def test_what_is_no_reply_to_us() -> None:
    """Another exchange, another client, a client's message, another port and stumps say nothing."""
    asked = dhcp_packets.discover(CLIENT)
    good = answer(asked, OFFER)
    assert dhcp_packets.reply(good, CLIENT)
    assert dhcp_packets.reply(good, CLIENT._replace(xid=1)) is None
    assert dhcp_packets.reply(good, CLIENT._replace(mac=bytes(6))) is None
    for frame in (asked, answer(asked, DISCOVER), good[:100], good[:280], b"", good[:36] + b"\0\x45" + good[38:]):
        assert dhcp_packets.reply(frame, CLIENT) is None


@settings(deadline=None)
@given(st.binary(max_size=600), st.dictionaries(st.integers(14, 339), st.integers(0, 255), max_size=6), st.data())
def test_any_bytes_are_a_reply_or_none(raw: bytes, changes: dict[int, int], data: st.DataObject) -> None:
    """Arbitrary frames, true offers with bytes changed or cut, and arbitrary options are a reply or nothing."""
    good = answer(dhcp_packets.discover(CLIENT), OFFER)
    frame = bytearray(good)
    for at, byte in changes.items():
        frame[min(at, len(frame) - 1)] = byte
    cut = data.draw(st.integers(0, len(good)))
    magic = good.index(b"\x63\x82\x53\x63") + 4
    for text in (raw, bytes(frame), good[:cut], good[:magic] + b"\x35\x01\x02" + raw, good[:magic] + raw):
        found = dhcp_packets.reply(text, CLIENT)
        assert found is None or isinstance(dhcp_packets.flaw(found), str)
        assert found is None or (isinstance(found.lease_s, int) and found.captive_api_url.isprintable())


# ---- the probe


def test_a_good_server(run: Run) -> None:
    """One DISCOVER finds it; nothing is requested unless it is wished."""
    outcome, sent = run(server())
    assert (outcome.success, sent) == (True, [DISCOVER])
    assert outcome.fields == {"rtt_ms": 1.0, "found": 1, "lease_s": 600}
    row = {
        "server": SERVER,
        "mac": "02:5a:00:00:00:01",
        "address": "192.0.2.50/24",
        "router": SERVER,
        "resolvers": "192.0.2.53,192.0.2.54",
        "lease_s": 600,
        "captive_api_url": API,
    }
    assert outcome.details["servers"] == [row]


def test_a_lease_is_taken_and_given_back(run: Run) -> None:
    """With `request` the whole exchange is timed, and the lease released."""
    outcome, sent = run(server(), request=True)
    assert (outcome.success, sent) == (True, [DISCOVER, REQUEST, RELEASE])
    assert float(outcome.fields["dhcp_ms"]) > 1.0
    assert outcome.details["released"] is True


def test_the_machines_own_address_is_not_touched(run: Run) -> None:
    """A server that offers the address which this machine has is not asked for it; nothing is released."""
    outcome, sent = run(server(), ("192.0.2.50",), request=True)
    assert (outcome.success, outcome.stage, sent) == (True, "offer", [DISCOVER])
    assert "which is not touched" in outcome.reason


def test_nobody_answers(run: Run) -> None:
    """Silence is stage discover, after repetitions."""
    outcome, sent = run(lambda _: [])
    assert (outcome.stage, outcome.code, set(sent)) == ("discover", None, {DISCOVER})


def test_a_second_server_is_a_rogue(run: Run) -> None:
    """Two servers without a list, or one that the list does not have: stage rogue, and nothing is requested."""
    two = both(server(), server(ROGUE, address="192.0.2.99"))
    outcome, sent = run(two, request=True)
    assert (outcome.stage, outcome.fields["found"], sent) == ("rogue", 2, [DISCOVER])
    outcome, _ = run(two, servers=(Ipv4(SERVER),))
    assert (outcome.stage, outcome.reason) == ("rogue", f"{ROGUE} should not answer")
    assert run(server(ROGUE), servers=(Ipv4(SERVER),))[0].stage == "rogue"
    assert run(two, servers=(Ipv4(SERVER), Ipv4(ROGUE)))[0].success


def test_one_server_that_answers_twice_is_one(run: Run) -> None:
    """The same offer by two relays, or twice, is one server."""
    outcome, _ = run(both(server(), server()))
    assert (outcome.success, outcome.fields["found"]) == (True, 1)


@pytest.mark.parametrize(
    ("missing", "words"),
    [("router", "no router"), ("name_server", "no name server"), ("lease_time", "no lease time")],
)
def test_an_offer_without_what_a_client_needs(run: Run, missing: str, words: str) -> None:
    """Stage offer says what is missing; router and name server may be, where `complete` is off."""
    options = [option for option in GOOD if option[0] != missing]
    outcome, _ = run(server(options=options))
    assert (outcome.success, outcome.stage) == (False, "offer")
    assert words in outcome.reason
    assert run(server(options=options), complete=False)[0].success is (missing != "lease_time")


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.255", "224.0.0.5", "127.0.0.1"])  # noqa: S104
def test_an_impossible_address_is_of_no_use(run: Run, address: str) -> None:
    """An address that no client can have is stage offer."""
    assert run(server(address=address))[0].stage == "offer"


def test_a_server_that_takes_its_offer_back(run: Run) -> None:
    """A NAK is stage request with code 6 and the server's words; there is nothing to give back."""
    words = [*GOOD, ("error_message", b"no address left\x00")]
    outcome, sent = run(server(acknowledge=NAK, options=words), request=True)
    assert (outcome.stage, outcome.code, sent) == ("request", 6, [DISCOVER, REQUEST])
    assert outcome.reason.endswith("(NAK): no address left")
    assert outcome.fields["lease_s"] == 600


def test_a_server_that_does_not_acknowledge(run: Run) -> None:
    """Silence after the REQUEST is stage request; the lease is given back in case that the ACK was lost."""
    outcome, sent = run(server(acknowledge=0), request=True)
    assert (outcome.stage, outcome.code) == ("request", None)
    assert (sent[0], sent[-1], set(sent[1:-1])) == (DISCOVER, RELEASE, {REQUEST})


def test_an_acknowledgement_of_another_server_is_none(run: Run) -> None:
    """Only the server that was asked can acknowledge."""
    liar = server(ROGUE)

    def peer(frame: bytes) -> list[bytes]:
        return [answer(frame, ACK, ROGUE)] if said(frame)[53][0] == REQUEST else server()(frame)

    assert liar(dhcp_packets.discover(CLIENT))
    assert run(peer, request=True)[0].stage == "request"


# ---- time


class SlowLink(LinkDouble):
    """A network whose answers take `takes_s` of the clock, and where waiting for nothing takes all of the time."""

    def __init__(self, peer: Peer, clock: Clock, takes_s: float) -> None:
        super().__init__(peer)
        self._clock, self._takes_s = clock, takes_s

    def receive(self, until: Deadline) -> Iterator[tuple[bytes, float]]:
        """Yield what has been sent, if it comes in time."""
        for frame, at_s in super().receive(until):
            if until.left_s() < self._takes_s:
                break
            self._clock.now_s += self._takes_s
            yield frame, at_s
        self._clock.now_s += until.left_s()


def slow(monkeypatch: pytest.MonkeyPatch, takes_s: float, **settings: Any) -> tuple[Outcome, list[int]]:
    """Run the probe where every answer takes so long; return the outcome and the kinds of messages sent."""
    clock = Clock()
    link = SlowLink(server(), clock, takes_s)
    monkeypatch.setattr("agent.deadline.time", clock)
    monkeypatch.setattr(dhcp, "Link", link)
    monkeypatch.setattr(dhcp, "card", lambda _: CARD)
    monkeypatch.setattr(dhcp, "is_held", lambda _: False)
    try:
        outcome = dhcp.probe(Dhcp(InterfaceName("eth0"), request=True)._replace(**settings), Via())
    except (Failed, Unable) as ended:
        outcome = ended.outcome()
    assert clock.now_s <= 100 + Dhcp._field_defaults["timeout"] + 0.1
    return outcome, [said(frame)[53][0] for frame in link.sent]


@pytest.mark.parametrize("settings", [{"listen": Seconds(8)}, {"listen": Seconds(60)}, {}])
def test_there_is_time_for_the_request(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    """However long others are listened for, a server that acknowledges within a second is asked and has its time."""
    outcome, sent = slow(monkeypatch, 0.9, **settings)
    assert (outcome.success, sent) == (True, [DISCOVER, REQUEST, RELEASE])


def test_a_late_offer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offer that leaves no time for the request is not waited for: stage discover, never `does not acknowledge`."""
    outcome, sent = slow(monkeypatch, 7.5)
    assert (outcome.success, outcome.stage, set(sent)) == (False, "discover", {DISCOVER})
    assert outcome.reason == "no DHCP server answers in 7.0 s"


def test_what_was_never_requested_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still until the time is up has sent no REQUEST, and says nothing of the server."""
    original = dhcp_packets.flaw

    def stalling(offer: Reply, *, is_complete: bool = True) -> str:
        dhcp_time.now_s += 60
        return original(offer, is_complete=is_complete)

    dhcp_time = Clock()
    link = SlowLink(server(), dhcp_time, 0.1)
    monkeypatch.setattr("agent.deadline.time", dhcp_time)
    monkeypatch.setattr(dhcp, "Link", link)
    monkeypatch.setattr(dhcp, "card", lambda _: CARD)
    monkeypatch.setattr(dhcp, "is_held", lambda _: False)
    monkeypatch.setattr(dhcp_packets, "flaw", stalling)
    with pytest.raises(Unable, match="eth0: the time was up before anything could be asked for: set timeout higher"):
        dhcp.probe(Dhcp(InterfaceName("eth0"), request=True), Via())
    assert [said(frame)[53][0] for frame in link.sent] == [DISCOVER]


# ---- for the journey over WiFi


def test_acquire_and_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease has all that an interface needs; it is given back to the server it came from, unless it is in use."""
    link = LinkDouble(server())
    monkeypatch.setattr(dhcp, "Link", link)
    monkeypatch.setattr(dhcp, "card", lambda _: CARD)
    lease = dhcp.acquire("eth0", Deadline(1))
    assert (lease.address, lease.prefix, lease.router, lease.lease_s) == ("192.0.2.50", 24, SERVER, 600)
    assert (lease.resolvers, lease.server, lease.captive_api_url) == (("192.0.2.53", "192.0.2.54"), SERVER, API)
    assert 0 < lease.discover_s < lease.total_s
    monkeypatch.setattr(dhcp, "is_held", lambda address: address == lease.address)
    assert dhcp.release("eth0", lease) is False
    assert [said(frame)[53][0] for frame in link.sent] == [DISCOVER, REQUEST]
    monkeypatch.setattr(dhcp, "is_held", lambda _: False)
    assert dhcp.release("eth0", lease) is True
    assert said(link.sent[-1])[53][0] == RELEASE
    assert link.sent[-1][:6] == bytes.fromhex("025a00000001")
