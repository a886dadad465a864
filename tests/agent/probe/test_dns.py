"""The DNS probe against a double of a name server, which lies, is silent, or talks nonsense."""

import errno
import re
import socket
from pathlib import Path

import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import dns as probes
from agent.probe import dns_packets
from agent.probe.ask import ask_of
from agent.probe.base import Via
from agent.probe.connect import resolve
from agent.probe.dns_packets import Answer
from agent.probe.settings import Dns
from agent.probe.values import Host, Network, Resolver
from contract.errors import ConfigError
from contract.settings import Seconds
from tests.agent.probe.name_server_double import NameServerDouble, Reply, everything, nothing, records, zone

WWW = zone(www="192.0.2.80")
SHORT = Seconds(0.4)  # for tests in which the time runs out


def ask(server: str | NameServerDouble, target: str = "www.lab", **more: object) -> Outcome:
    """Ask a server for a name."""
    address = server if isinstance(server, str) else server.address
    settings = Dns(Host(target), timeout=Seconds(5), resolver=Resolver(address))
    return probes.probe(settings._replace(**more), Via())  # type: ignore[arg-type]


def failure(reply: Reply, by_tcp: Reply | None = None, target: str = "www.lab", **more: object) -> Failed:
    """Return how a question to a server with this behaviour fails."""
    with NameServerDouble(reply, by_tcp) as server, pytest.raises(Failed) as failed:
        ask(server, target, **more)
    return failed.value


# ---- answers


def test_an_honest_server() -> None:
    """The address, the time and the server come back; two names that cannot exist were asked for as well."""
    with NameServerDouble(WWW) as server:
        outcome = ask(server)
        assert server.asked[0] == "www.lab."
        assert [name.split(".", 1)[1] for name in server.asked[1:]] == ["invalid.", "example.com."]
    assert outcome.success
    assert 0 < float(outcome.fields["rtt_ms"]) < 4000
    assert outcome.details == {"resolver": server.address, "addresses": ["192.0.2.80"]}


def test_cnames_are_followed() -> None:
    """The address at the end of a chain of other names counts, in whatever order the records stand."""
    chain = ("b.lab. A 192.0.2.7", "www.lab. CNAME a.lab.", "a.lab. CNAME b.lab.")
    with NameServerDouble(lambda query: [records(query, *chain).to_wire()]) as server:
        assert ask(server, hijack=False).details["addresses"] == ["192.0.2.7"]


@pytest.mark.parametrize("chain", [("www.lab. CNAME www.lab.",), ("www.lab. CNAME a.lab.",), ("a.lab. A 192.0.2.7",)])
def test_cnames_that_lead_nowhere_are_no_address(chain: tuple[str, ...]) -> None:
    """A circle, a loose end and records of other names give no address: stage answer, code 0."""
    failed = failure(lambda query: [records(query, *chain).to_wire()])
    assert (failed.stage, failed.code) == ("answer", 0)


@pytest.mark.parametrize(
    ("rcode", "word"), [(1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (13, "13")]
)
def test_a_no_is_named_by_its_rcode(rcode: int, word: str) -> None:
    """Each refusal of the server is stage answer, with RCODE as code and in words."""
    failed = failure(lambda query: [nothing(query, rcode)])
    assert (failed.stage, failed.code) == ("answer", rcode)
    assert word in failed.reason
    assert "rtt_ms" in failed.fields


def test_a_wrong_answer_is_not_expected() -> None:
    """Every address must be in one of the expected networks; the reason names those that are not."""
    both = ("www.lab. A 192.0.2.80", "www.lab. A 10.0.0.1")
    failed = failure(lambda query: [records(query, *both).to_wire()], expect=(Network("192.0.2.0/24"),))
    assert (failed.stage, failed.reason) == ("expected", "10.0.0.1 is not expected")
    with NameServerDouble(WWW) as server:
        assert ask(server, expect=(Network("2001:db8::/32"), Network("192.0.2.80"))).success


def test_slow_is_a_threshold() -> None:
    """An answer later than `max_rtt` fails at the threshold."""
    assert failure(WWW, max_rtt=Seconds(1e-9)).stage == "threshold"


# ---- lies


def test_a_portal_that_answers_everything_is_a_hijack() -> None:
    """A server that has an address for a name below .invalid lies."""
    failed = failure(everything("10.0.0.1"))
    assert failed.stage == "hijack"
    assert "gives 10.0.0.1 for a name that does not exist" in failed.reason


def test_a_provider_that_sells_mistyped_names_is_a_hijack() -> None:
    """A server that is honest about .invalid alone lies as well."""

    def reply(query: dns.message.Message) -> list[bytes]:
        asked = query.question[0].name.to_text()
        return [nothing(query)] if asked.endswith(".invalid.") else everything("198.51.100.1")(query)

    assert failure(reply).stage == "hijack"


def test_a_wildcard_is_no_hijack() -> None:
    """A zone that has one address for all of its names is honest as long as names elsewhere do not exist."""

    def reply(query: dns.message.Message) -> list[bytes]:
        ours = query.question[0].name.to_text().endswith(".lab.")
        return everything("192.0.2.80")(query) if ours else [nothing(query)]

    with NameServerDouble(reply) as server:
        assert ask(server).success


@pytest.mark.parametrize("rcode", [None, dns_packets.SERVFAIL])
def test_a_network_without_the_internet_is_no_hijack(rcode: int | None) -> None:
    """A server that knows its own zone and answers nothing else, or cannot, is no liar."""

    def reply(query: dns.message.Message) -> list[bytes]:
        if query.question[0].name.to_text() == "www.lab.":
            return WWW(query)
        return [] if rcode is None else [nothing(query, rcode)]

    with NameServerDouble(reply) as server:
        assert ask(server, timeout=Seconds(1)).success


# ---- no answer


def test_silence_is_no_reply_after_a_second_question() -> None:
    """Nothing comes: the question is repeated once, then it is stage reply with ETIMEDOUT."""
    with NameServerDouble(lambda _: []) as server, pytest.raises(Failed) as failed:
        ask(server, timeout=SHORT)
    assert server.asked == ["www.lab.", "www.lab."]
    assert (failed.value.stage, failed.value.code) == ("reply", errno.ETIMEDOUT)


def test_the_second_question_may_succeed() -> None:
    """A lost packet does not fail the probe; its time is in the figure."""
    lost: list[int] = []

    def reply(query: dns.message.Message) -> list[bytes]:
        lost.append(query.id)
        return WWW(query) if len(lost) > 1 else []

    with NameServerDouble(reply) as server:
        outcome = ask(server, hijack=False, timeout=Seconds(2))
    assert float(outcome.fields["rtt_ms"]) >= 990
    assert lost[0] == lost[1]


def test_a_closed_port_is_told_at_once() -> None:
    """Where nobody listens the kernel says so: stage reply with ECONNREFUSED."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(Failed) as failed:
        ask(f"127.0.0.1:{port}")
    assert (failed.value.stage, failed.value.code) == ("reply", errno.ECONNREFUSED)


def test_forged_answers_are_passed_over() -> None:
    """Answers with another id, to another question, or that are questions do not count; the true one after does."""

    def reply(query: dns.message.Message) -> list[bytes]:
        forged = records(query, "www.lab. A 203.0.113.66")
        forged.id ^= 1
        other = records(dns.message.make_query("www.example.com", "A", id=query.id), "www.example.com. A 203.0.113.66")
        return [forged.to_wire(), other.to_wire(), query.to_wire(), b"", *WWW(query)]

    with NameServerDouble(reply) as server:
        assert ask(server, hijack=False).details["addresses"] == ["192.0.2.80"]
    failed = failure(lambda query: reply(query)[:-1], timeout=SHORT)
    assert failed.stage == "reply"
    assert re.search(r"no answer, but \d+ datagrams that are none", failed.reason)


def test_answers_from_elsewhere_do_not_come_in() -> None:
    """A datagram from another port than the one asked never counts, however right it is."""
    with NameServerDouble(WWW, from_elsewhere=True) as server, pytest.raises(Failed) as failed:
        ask(server, timeout=SHORT)
    assert server.asked == ["www.lab.", "www.lab."]
    assert (failed.value.stage, failed.value.code) == ("reply", errno.ETIMEDOUT)


# ---- too long for UDP


def truncated(query: dns.message.Message) -> list[bytes]:
    """Answer that there is more."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return [response.to_wire()]


def test_a_truncated_answer_is_fetched_by_tcp() -> None:
    """What is too long for UDP is asked again by TCP, and all addresses count."""
    many = [f"www.lab. A 192.0.2.{number}" for number in range(1, 100)]
    with NameServerDouble(truncated, lambda query: [records(query, *many).to_wire()]) as server:
        outcome = ask(server, hijack=False)
    assert server.asked == ["www.lab.", "tcp www.lab."]
    assert len(outcome.details["addresses"]) == 99  # type: ignore[arg-type]


@pytest.mark.parametrize("by_tcp", [None, lambda _: [b""], lambda _: [b"nonsense"], lambda query: [query.to_wire()]])
def test_a_truncated_answer_and_no_tcp(by_tcp: Reply | None) -> None:
    """A server that closes or talks nonsense on TCP fails at reply."""
    assert failure(truncated, by_tcp, timeout=Seconds(1)).stage == "reply"


# ---- hostile input


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_any_bytes_are_an_answer_or_none(data: st.DataObject) -> None:
    """Arbitrary bytes, and true answers with bytes changed, give an answer or none, and nothing else."""
    asked = dns_packets.question("www.lab")
    wire = bytearray(records(asked, "www.lab. CNAME a.lab.", "a.lab. A 192.0.2.1").to_wire())
    for at, byte in data.draw(st.dictionaries(st.integers(2, len(wire) - 1), st.integers(0, 255), max_size=6)).items():
        wire[at] = byte
    raw = asked.id.to_bytes(2, "big") + data.draw(st.binary(max_size=80))
    for text in (bytes(wire), bytes(wire[: data.draw(st.integers(0, len(wire)))]), raw):
        found = dns_packets.answer(text, asked)
        assert found is None or str(found)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100))
def test_a_server_of_nonsense_fails_with_a_name(nonsense: bytes) -> None:
    """Whatever bytes a server sends, with the right id and as an answer, the outcome is a stage of the probe."""

    def reply(query: dns.message.Message) -> list[bytes]:
        return [query.id.to_bytes(2, "big") + b"\x81\x80" + nonsense, nonsense]

    failed = failure(reply, timeout=Seconds(0.02))
    assert failed.stage in ("reply", "answer")


def test_questions_and_answers_agree_with_another_implementation() -> None:
    """Scapy reads the same question from our bytes, and we read the address from an answer that it makes."""
    asked = dns_packets.question("www.lab", "AAAA")
    theirs = DNS(asked.to_wire())
    assert (theirs.qd[0].qname, theirs.qd[0].qtype, theirs.rd) == (b"www.lab.", 28, 1)
    record = DNSRR(rrname="www.lab", type="AAAA", rdata="2001:db8::1", ttl=5)
    made = DNS(id=asked.id, qr=1, qd=DNSQR(qname="www.lab", qtype="AAAA"), an=record)
    assert dns_packets.answer(bytes(made), asked) == Answer(0, ("2001:db8::1",))


# ---- which server


def test_the_systems_first_name_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `resolver` the first of resolv.conf is asked; where there is none the text says what to do."""
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(probes, "RESOLV_CONF", file)
    without = Dns(Host("www.lab"), timeout=Seconds(2))
    with pytest.raises(Unable, match="set resolver"):
        probes.probe(without, Via())
    with NameServerDouble(WWW) as server:
        file.write_text(
            f"# a comment\nsearch lab\nnameserver {server.address}\nnameserver 192.0.2.1\n", encoding="ascii"
        )
        assert probes.probe(without, Via()).details["resolver"] == server.address
        assert probes.lookup("www.lab", Deadline(5), Via()) == ["192.0.2.80"]
    with pytest.raises(Unable, match="this machine itself"):
        probes.probe(without, Via("eth0"))
    file.write_text("nameserver names.lab\n", encoding="ascii")
    with pytest.raises(Unable, match=r"names\.lab"):
        probes.probe(without, Via())


@pytest.mark.parametrize("name", ["a..lab", "x" * 64, ".".join(["y" * 60] * 5)])
def test_what_is_no_name_is_never_asked(name: str) -> None:
    """Names that no packet can carry are our side's mistake."""
    with pytest.raises(Unable, match="is not a name"):
        ask("127.0.0.1:9", name)


def test_names_that_cannot_exist() -> None:
    """They are the same everywhere for an hour, so that name servers remember the answer, and others in the next."""
    first, later = dns_packets.absent_names(7200.0), dns_packets.absent_names(10799.9)
    assert first == later
    assert not set(first) & set(dns_packets.absent_names(10800.0))
    assert [name.split(".", 1)[1] for name in first] == ["invalid", "example.com"]


# ---- lookup, for the other probes


def test_lookup_asks_the_next_server_when_one_is_silent() -> None:
    """A silent, a broken and an unusable server are passed over within their share of the time."""
    broken = NameServerDouble(lambda query: [nothing(query, dns_packets.SERVFAIL)])
    with NameServerDouble(lambda _: []) as silent, broken, NameServerDouble(WWW) as honest:
        via = Via(resolvers=("nonsense", silent.address, broken.address, honest.address))
        assert [found.address for found in resolve("www.lab", Deadline(4), via)] == ["192.0.2.80"]


def test_lookup_believes_that_a_name_does_not_exist() -> None:
    """NXDOMAIN is final: stage resolve, RCODE as code, and the next server is not asked."""
    with NameServerDouble(WWW) as first, NameServerDouble(WWW) as second:
        with pytest.raises(Failed, match="NXDOMAIN") as failed:
            probes.lookup("none.lab", Deadline(5), Via(resolvers=(first.address, second.address)))
        assert second.asked == []
    assert (failed.value.stage, failed.value.code) == ("resolve", dns_packets.NXDOMAIN)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("resolver=names.lab", "is not an address such as 192.0.2.53: a name server cannot be asked for its own"),
        ("resolver=names.lab:53", "a name server cannot be asked for its own"),
        ("expect=192.0.2.1/24", "has host bits set"),
        ("type=MX", "is none of A, AAAA"),
    ],
)
def test_settings_that_make_no_sense(setting: str, words: str) -> None:
    """Each mistake is named before anything is sent."""
    with pytest.raises(ConfigError, match=words):
        ask_of("dns", "www.lab", [setting])


def test_a_name_server_may_have_a_port() -> None:
    """Addresses alone mean port 53; IPv6 addresses with a port are in brackets."""
    texts = ("192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353")
    servers = [Resolver.parse(text) for text in texts]
    assert [(server.host, server.port) for server in servers] == [
        ("192.0.2.53", 53),
        ("192.0.2.53", 5353),
        ("2001:db8::53", 53),
        ("2001:db8::53", 5353),
    ]
