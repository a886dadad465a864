"""The broker of the role: who gets in, who may say and hear what, and that every attempt is in its log."""

import contextlib
import random
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.publish import Answered, Commanded, Event, Link, Lost
from collector.authority import identity, work
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.open import open_store
from contract import topics
from contract.batch import Batch, encode
from tests.certificates import Wish, issue
from tests.processes import BIN, AgentProcess, wait_until
from tests.secured_broker import (
    CONNECT,
    DOORS,
    FIRST,
    WAIT_S,
    Authority,
    Files,
    SecuredBroker,
    Stranger,
    context,
    old_tls,
    shake_hands,
)
from tests.services import HOST

A, B = "441802-3144001234.c0703", "441802-3144001234.c0704"
NOT_AUTHORISED = "Not authorized"
EPOCH = "5f0c9a1e"
ENDED = "alert|EOF|reset|closed"  # how a client sees that it is refused
RECEIVING = r"^santong-collector 1 santong/v1/\+/\+/batch$"
# At 8883 with the address of whoever tried, over WebSocket after a line with the name in the certificate.
REFUSED = r"(?i)(?:openssl error|^client connection from \S+ failed).*SSL routines::"


class Centre(NamedTuple):
    """Authority, broker, and a collector that stores."""

    authority: Authority
    broker: SecuredBroker
    collector: Collector
    agents: dict[str, Files]

    def stored(self) -> int:
        """Return how many batches are in the store."""
        return self.collector.counters().stored_batches

    def restart(self) -> None:
        """Restart the broker, as the role does when the list has changed, until the collector is back."""
        mark = len(self.broker.said())
        self.broker.restart()
        self.broker.wait_for_line(RECEIVING, mark)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """Run the broker of the role and the collector of the product, each with its own certificate."""
    authority = Authority(tmp_path)
    broker = SecuredBroker(tmp_path / "broker", authority)
    store = open_store(f"sqlite://{tmp_path}/store.sqlite")
    store.prepare()
    quarantine = Quarantine(tmp_path)
    collector = Collector(broker.settings(authority.client("santong-collector")), store, quarantine)
    agents = {name: authority.client(name) for name in (A, B)}
    broker.start()
    collector.start()
    try:
        broker.wait_for_line(RECEIVING)
        yield Centre(authority, broker, collector, agents)
    finally:
        collector.stop()
        broker.stop()
        quarantine.close()
        store.close()


def batch(seq: int) -> bytes:
    """Return a batch of one presence."""
    now_s = int(time.time()) // 60 * 60 - seq
    line = f'presence boot="b",uptime_s=61.0,asleep_s=0.0,lan=1i,wan=1i,broker=1i {now_s}000000000\n'
    return encode(Batch(EPOCH, seq, "synced", line.encode()))


class Agent:
    """An agent's own end of MQTT, `agent/publish.py`, with its certificate."""

    def __init__(self, centre: Centre, name: str, scheme: str = "mqtts", files: Files | None = None) -> None:
        self.name = name
        self.events: list[Event | Commanded] = []
        self.link = Link(
            centre.broker.settings(files or centre.agents[name], scheme), name, "boot", "1.0", self.events.append
        )
        self.link.start()

    def connected(self) -> "Agent":
        """Return when it is."""
        wait_until(lambda: self.link.is_connected, WAIT_S, lambda: self.events)
        return self

    def send(self, *seqs: int) -> None:
        """Publish batches."""
        for seq in seqs:
            assert self.link.publish(topics.batch(self.name, self.name), batch(seq)), self.events

    def acknowledged(self) -> set[int]:
        """Return the seqs that the collector said it has stored."""
        acks = [topics.decode_ack(event.payload) for event in list(self.events) if isinstance(event, Answered)]
        return {seq for ack in acks for _, first, last in ack.stored for seq in range(first, last + 1)}


@pytest.mark.parametrize("scheme", DOORS)
def test_evidence_flows_at_both_doors(tmp_path: Path, centre: Centre, scheme: str) -> None:
    """An agent with nothing but its certificate publishes as itself; what it sent is stored, and it learns of it."""
    files = centre.agents[A]
    agent = AgentProcess(
        tmp_path, A, f"{scheme}://{HOST}:{centre.broker.door(scheme)}", SANTONG_BROKER_CA=str(centre.authority.ca),
        SANTONG_BROKER_CERTIFICATE=str(files.certificate), SANTONG_BROKER_KEY=str(files.key),
        SANTONG_ROUND_EVERY="1s", SANTONG_PUBLISH_EVERY="1s",
    )  # fmt: skip
    agent.start()
    try:
        wait_until(lambda: centre.stored() >= 3, 30, agent.words)
        health = [str(BIN / "santong-agent"), "health", "--within", "60", "--spool", str(agent.spool)]
        wait_until(lambda: subprocess.run(health, capture_output=True, check=False, timeout=30).returncode == 0, 30)
        agent.stop()
        assert "refuse" not in agent.words()
        centre.broker.wait_for_line(
            rf"^New client connected from \S+ as {re.escape(A)} \(p5, c1, k90, u'{re.escape(A)}'\)"
        )
    finally:
        agent.kill()


@pytest.mark.parametrize("scheme", DOORS)
def test_an_agent_is_asked_and_answers(tmp_path: Path, centre: Centre, scheme: str) -> None:
    """`santong ask` with the certificate of santong-ask reaches the agent, at whichever door it is, and hears it."""
    files, mine = centre.agents[A], centre.authority.client("santong-ask")
    agent = AgentProcess(
        tmp_path, A, f"{scheme}://{HOST}:{centre.broker.door(scheme)}", SANTONG_BROKER_CA=str(centre.authority.ca),
        SANTONG_BROKER_CERTIFICATE=str(files.certificate), SANTONG_BROKER_KEY=str(files.key),
    )  # fmt: skip
    agent.start()
    try:
        centre.broker.wait_for_line(rf"^{re.escape(A)} 1 santong/v1/{re.escape(A)}/command$")
        where = ["--broker", f"mqtts://{HOST}:{centre.broker.port}", "--broker-ca", str(centre.authority.ca)]
        who = ["--broker-certificate", str(mine.certificate), "--broker-key", str(mine.key), "--data", str(tmp_path)]
        line = [str(BIN / "santong"), "ask", A, "diagnose", "--json", "--timeout", "20s", *where, *who]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done
        assert "Denied PUBLISH" not in centre.broker.said()
    finally:
        agent.kill()


@pytest.mark.parametrize("scheme", DOORS)
def test_nobody_speaks_for_another(centre: Centre, scheme: str) -> None:
    """A certificate of A says nothing as B, nor as the centre: each try is refused, and in the log."""
    thief = Stranger(centre.broker, centre.agents[A], scheme, client_id=B).connected()
    try:
        for topic in (
            topics.batch(B, B), topics.batch(B, A), topics.state(B), topics.ack(B), topics.ack(A),
            f"santong/v1/{B}/command", f"santong/v1/{A}/command", f"santong/v1/{B}/reply", "santong/v1/x",
            "$SYS/broker/x",
        ):  # fmt: skip
            mark = len(centre.broker.said())
            assert thief.publish(topic, batch(1)) == NOT_AUTHORISED, topic
            centre.broker.wait_for_line(rf"^Denied PUBLISH from {re.escape(A)} \(.*'{re.escape(topic)}'", mark)
        assert thief.publish(topics.batch(A, A), batch(2)) == "Success"
        wait_until(lambda: centre.stored() == 1)
        assert centre.collector.counters().received == 1
    finally:
        thief.close()


@pytest.mark.parametrize("scheme", DOORS)
def test_a_foreign_subscription_hears_nothing_and_takes_nothing(centre: Centre, scheme: str) -> None:
    """
    A subscribes to everything that there is, and joins any share: nothing of others is delivered to it.

    The collector stores every one of B's batches, B gets each answer, and the log says who asked for what.
    """
    filters = (
        "#", "santong/v1/+/+/batch", "$share/collectors/santong/v1/+/+/batch", "$share/x/santong/v1/+/+/batch",
        "$share/x/#", f"santong/v1/{B}/#", topics.ack(B), f"santong/v1/{B}/command", "santong/v1/+/state",
        "$share/x/santong/v1/+/ack", "$SYS/#",
    )  # fmt: skip
    thief = Stranger(centre.broker, centre.agents[A], scheme).connected()
    other = Agent(centre, B).connected()
    ask = Stranger(centre.broker, centre.authority.client("santong-ask"), client_id="ask").connected()
    try:
        for topic in filters:
            thief.subscribe(topic)
            centre.broker.wait_for_line(rf"^{re.escape(A)} 1 {re.escape(topic)}$")
        other.send(*range(1, 201))
        assert ask.publish(f"santong/v1/{B}/command", b"{}") in ("Success", "No matching subscribers")
        wait_until(lambda: other.acknowledged() == set(range(1, 201)), 30, lambda: len(other.acknowledged()))
        assert centre.stored() == 200
        # What is the thief's own comes after all that was not: by then anything else would have.
        thief.subscribe(topics.ack(A))
        assert thief.publish(topics.batch(A, A), batch(1)) == "Success"
        wait_until(lambda: any(topic == topics.ack(A) for topic, _ in thief.heard))
        assert {topic for topic, _ in thief.heard} == {topics.ack(A)}
        assert centre.stored() == 201
    finally:
        thief.close()
        ask.close()
        other.link.stop()


@pytest.mark.parametrize("scheme", DOORS)
def test_a_last_will_is_no_way_to_speak_for_another(centre: Centre, scheme: str) -> None:
    """What the broker would say for A after its end must be A's own: else it is never said; the log has it."""
    watch = Stranger(centre.broker, centre.authority.client("santong-watch"), client_id="watch").connected()
    other = Agent(centre, B).connected()
    try:
        watch.subscribe(topics.ALL_STATES)
        mark = len(centre.broker.said())
        thief = Stranger(centre.broker, centre.agents[A], scheme, will=topics.state(B))
        centre.broker.wait_for_line(rf"^Will message specified .*\n\t{re.escape(topics.state(B))}$", mark)
        thief.connected().drop()
        own = Stranger(centre.broker, centre.agents[A], scheme, will=topics.state(A)).connected()
        own.drop()
        wait_until(lambda: (topics.state(A), b"will") in watch.heard, WAIT_S)
        assert (topics.state(B), b"will") not in watch.heard
        assert [topic for topic, _ in watch.heard].count(topics.state(B)) == 1, "its own word, online"
        thief.close()
        own.close()
    finally:
        watch.close()
        other.link.stop()


def strangers(centre: Centre) -> dict[str, Files | None]:
    """Return certificates that must not get in."""
    folder = centre.authority.tls / "strangers"
    folder.mkdir()
    other = Authority(folder)
    made = issue(Wish(A)).save(folder, "self-signed")
    return {
        "nobody": None,
        "expired": centre.authority.expired(A),
        "another authority": other.client(A),
        "self-signed": Files(*made),
        "a server": centre.authority.issue(identity.server("depot.example.org")),
    }


@pytest.mark.parametrize("scheme", DOORS)
def test_who_is_not_let_in(centre: Centre, scheme: str) -> None:
    """Anonymous, expired, of another authority, of its own making, for servers: refused before MQTT, and in the log."""
    for name, files in strangers(centre).items():
        mark = len(centre.broker.said())
        assert re.search(ENDED, shake_hands(centre.broker, files, scheme)), name
        reason = "peer did not return a certificate" if files is None else "certificate verify failed"
        centre.broker.wait_for_line(REFUSED + reason, mark)
    assert "New client connected" not in centre.broker.said().partition("santong/v1/+/+/batch")[2]
    assert shake_hands(centre.broker, centre.agents[A], scheme) == "", "the way of asking is right"


@pytest.mark.parametrize("scheme", DOORS)
@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_old_tls_is_not_spoken(centre: Centre, scheme: str, version: str) -> None:
    """TLS 1.0 and 1.1 get no handshake, whatever ciphers are offered; the log has it."""
    mark = len(centre.broker.said())
    done = old_tls(centre.broker, centre.agents[A], scheme, version)
    assert done.returncode != 0 and "alert" in done.stderr, done
    centre.broker.wait_for_line(REFUSED, mark)
    assert old_tls(centre.broker, centre.agents[A], scheme, "tls1_2").returncode == 0, "the way of asking is right"


@pytest.mark.parametrize("scheme", DOORS)
def test_plain_text_is_not_spoken(centre: Centre, scheme: str) -> None:
    """MQTT without TLS at a door of TLS gets no answer of MQTT, and is in the log; there is no other door."""
    mark = len(centre.broker.said())
    with socket.create_connection((HOST, centre.broker.door(scheme)), WAIT_S) as link:
        link.sendall(CONNECT if scheme == "mqtts" else FIRST["wss"])
        try:
            answer = link.recv(100)
        except ConnectionResetError:
            answer = b""
    assert not answer or answer[:1] == b"\x15", "an alert of TLS at most"
    centre.broker.wait_for_line(REFUSED, mark)
    assert centre.broker.listening() == {centre.broker.port, centre.broker.websocket_port}


@pytest.mark.parametrize("scheme", DOORS)
def test_anothers_client_id_throws_nobody_out(centre: Centre, scheme: str) -> None:
    """Whoever says that it is B is A all the same: B stays, and goes on."""
    other = Agent(centre, B).connected()
    try:
        mark = len(centre.broker.said())
        thief = Stranger(centre.broker, centre.agents[A], scheme, client_id=B).connected()
        centre.broker.wait_for_line(rf"^New client connected from \S+ as {re.escape(A)} ", mark)
        other.send(1)
        wait_until(lambda: other.acknowledged() == {1})
        assert f"Client {B}" not in centre.broker.said()[mark:], "neither taken over nor gone"
        thief.close()
    finally:
        other.link.stop()


def test_a_stolen_pi_gains_nothing_once_it_is_revoked(centre: Centre) -> None:
    """
    After `santong ca revoke` and the restart that follows it: no way in at 8883, nothing to say or hear over WebSocket.

    Neither with a TLS session from before, nor after new hardware has taken the same place, which works.
    """
    stolen, other = centre.agents[A], Agent(centre, B).connected()
    thief = Stranger(centre.broker, stolen).connected()
    before = context(centre.authority.ca, stolen)
    session = tls_session(centre, before, None)
    assert session is not None
    work.revoke(centre.authority.folder, A, "stolen")
    centre.restart()
    assert thief.is_gone.wait(WAIT_S), "the connection from before has ended"
    thief.close()
    mark = len(centre.broker.said())
    assert re.search(ENDED, shake_hands(centre.broker, stolen, "mqtts"))
    centre.broker.wait_for_line(REFUSED + "certificate verify failed", mark)
    assert tls_session(centre, before, session) is None
    assert_mute_over_websocket(centre, stolen)
    fresh = centre.authority.client(A, "new hardware")
    centre.restart()
    assert_mute_over_websocket(centre, stolen)
    replaced = Agent(centre, A, files=fresh)
    try:
        for seq, agent in enumerate((replaced, other)):
            agent.connected().send(seq)
            wait_until(lambda agent=agent, seq=seq: agent.acknowledged() == {seq}, 30)  # type: ignore[misc]
    finally:
        other.link.stop()
        replaced.link.stop()


def test_hardware_that_was_replaced_may_use_both_doors(centre: Centre) -> None:
    """A key that died with its card was lost to nobody: the new one is let in at both, the old one not at 8883."""
    fresh = centre.authority.client(A, "new card", replace=True)
    centre.restart()
    mark = len(centre.broker.said())
    assert re.search(ENDED, shake_hands(centre.broker, centre.agents[A], "mqtts"))
    centre.broker.wait_for_line(REFUSED + "certificate verify failed", mark)
    for seq, scheme in enumerate(DOORS):
        agent = Agent(centre, A, scheme, fresh)
        try:
            agent.connected().send(seq)
            wait_until(lambda agent=agent, seq=seq: agent.acknowledged() == {seq}, 30)  # type: ignore[misc]
        finally:
            agent.link.stop()


def test_without_websocket_there_is_one_door(tmp_path: Path) -> None:
    """Who needs no WebSocket closes it, and the list of revoked certificates holds for everybody."""
    authority = Authority(tmp_path)
    broker = SecuredBroker(tmp_path / "broker", authority, broker_websocket=False)
    broker.start()
    try:
        assert broker.listening() == {broker.port}
        assert "Opening websockets listen socket" not in broker.said()
    finally:
        broker.stop()


def test_a_renewed_certificate_works_and_so_does_the_one_before(centre: Centre) -> None:
    """A renewal needs no haste: until its end the old certificate is as good, for it is the same key."""
    (entry,) = work.renew(centre.authority.folder, [A])
    renewed = centre.authority.tls / "renewed.crt"
    renewed.write_text(entry.certificate)
    for files in (centre.agents[A], Files(renewed, centre.agents[A].key)):
        Stranger(centre.broker, files).connected().close()


def test_too_large_a_packet_ends_its_sender_alone(centre: Centre) -> None:
    """More than 2 MiB is not read to its end: the sender is disconnected, and nobody else."""
    other = Agent(centre, B).connected()
    thief = Stranger(centre.broker, centre.agents[A]).connected()
    try:
        thief.client._client_id  # noqa: B018
        thief.client.publish(topics.batch(A, A), b"x" * (3 << 20), qos=1)
        assert thief.is_gone.wait(WAIT_S)
        other.send(1)
        wait_until(lambda: other.acknowledged() == {1})
        assert not any(isinstance(event, Lost) for event in other.events)
    finally:
        thief.close()
        other.link.stop()


@pytest.mark.parametrize("scheme", DOORS)
def test_nonsense_ends_its_sender_alone(centre: Centre, scheme: str) -> None:
    """Whatever an agent's hardware sends after the handshake, in any piece, the broker stands and B loses nothing."""
    chance, other = random.Random(4418), Agent(centre, B).connected()
    upgrade = FIRST["wss"]
    frames = [
        b"\x82\x7e\xff\xff",
        b"\x02\x01x",
        b"\x82\xff" + b"\xff" * 8,
        b"\x89\xfe\x00\x7e" + b"x" * 130,
        b"\xff" * 40,
    ]
    nonsense = [
        b"", b"\x00" * 100, CONNECT[:7], CONNECT * 3, CONNECT + b"\xf0\x00", CONNECT + b"\x30\xff\xff\xff\x7f",
        CONNECT + b"\x82\x05\x00\x01\x00\x00\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /mqtt HTTP/1.1\r\n" + b"X: " + b"y" * 60_000 + b"\r\n\r\n", upgrade[:50],
        upgrade.replace(b"mqtt", b"chat"),
        upgrade.replace(b"Version: 13", b"Version: 99"), *(upgrade + frame for frame in frames),
        *(chance.randbytes(chance.randrange(1, 400)) for _ in range(10)),
        *(upgrade + chance.randbytes(chance.randrange(1, 400)) for _ in range(10)),
    ]  # fmt: skip
    try:
        made = context(centre.authority.ca, centre.agents[A])
        for number, content in enumerate(nonsense):
            if scheme == "wss" and number % 3 == 0:
                made.set_alpn_protocols(["h2"])
            plain = socket.create_connection((HOST, centre.broker.door(scheme)), WAIT_S)
            with plain, made.wrap_socket(plain, server_hostname=HOST) as link:
                link.settimeout(0.1)
                with contextlib.suppress(OSError):
                    link.sendall(content)
                    link.recv(1000)
            made = context(centre.authority.ca, centre.agents[A])
        other.send(1)
        wait_until(lambda: other.acknowledged() == {1}, why=centre.broker.said)
        assert centre.broker.listening() == {centre.broker.port, centre.broker.websocket_port}
        assert not any(isinstance(event, Lost) for event in other.events)
    finally:
        other.link.stop()


def tls_session(centre: Centre, made: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Connect at 8883, with a session from before if there is one; return the session, None when it is refused."""
    try:
        plain = socket.create_connection((HOST, centre.broker.port), WAIT_S)
        with plain, made.wrap_socket(plain, server_hostname=HOST, session=session) as link:
            link.sendall(CONNECT)
            return link.session if link.recv(100) else None
    except OSError:
        return None


def assert_mute_over_websocket(centre: Centre, files: Files) -> None:
    """Whoever was revoked may get in over WebSocket, as mosquitto 2.0 has it, and gains nothing by that."""
    mark, stored = len(centre.broker.said()), centre.stored()
    thief = Stranger(centre.broker, files, "wss").connected()
    try:
        for topic in ("#", topics.ack(A), "$share/collectors/santong/v1/+/+/batch"):
            thief.subscribe(topic)
        for topic in (topics.batch(A, A), topics.state(A)):
            assert thief.publish(topic, batch(9)) == NOT_AUTHORISED
            centre.broker.wait_for_line(rf"^Denied PUBLISH from {re.escape(A)} \(.*'{re.escape(topic)}'", mark)
        collector = Stranger(centre.broker, centre.authority.client("santong-watch"), client_id="w").connected()
        collector.close()
        assert thief.heard == []
        assert centre.stored() == stored
    finally:
        thief.close()
