"""Presence: does the gateway answer, does the world, is the broker connected."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from agent.gather import presence as room
from agent.gather.presence import Presence
from contract.lines import encode_line
from contract.sample import Sample

SILENT_S = 0.1


@pytest.fixture
def listening() -> Iterator[str]:
    """Return a reference target that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing() -> Iterator[str]:
    """Return a reference target that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """Return a reference target that answers nothing: its queue of connections is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        stack.enter_context(socket.create_connection(full.getsockname()))
        second = stack.enter_context(socket.socket())
        second.setblocking(False)
        second.connect_ex(full.getsockname())
        yield f"tcp://127.0.0.1:{full.getsockname()[1]}"


def _read(gateway: str = "none", *references: str, connected: bool = True, asleep_s: float = 0.0) -> Sample:
    source = Presence("boot-1", lambda: asleep_s, lambda: connected, gateway, references, SILENT_S)
    (sample,) = source.gather(90_000_000_000)
    return sample


def test_presence_without_gateway_and_references() -> None:
    """What is not asked is absent, never zero: without reference targets there is no `wan`."""
    sample = _read()
    assert (sample.measurement, sample.at_ns, sample.tags) == ("presence", 90_000_000_000, {})
    assert sample.fields == {"boot": "boot-1", "uptime_s": 90.0, "asleep_s": 0.0, "broker": 1}


def test_presence_fits_the_contract(listening: str) -> None:
    """A full presence is a line of the contract."""
    sample = _read("127.0.0.1", listening, asleep_s=12.3456)
    line = encode_line(sample.measurement, sample.tags, sample.fields, 1764000000000000000)
    expected = b'presence boot="boot-1",uptime_s=90.0,asleep_s=12.346,lan=1i,wan=1i,broker=1i 1764000000000000000'
    assert line == expected


def test_the_broker_is_connected_or_not() -> None:
    """`broker` says whether MQTT is connected at that moment."""
    assert _read(connected=True).fields["broker"] == 1
    assert _read(connected=False).fields["broker"] == 0


def test_sleep_is_never_negative() -> None:
    """Two clocks read one after the other never make a negative sleep."""
    assert _read(asleep_s=-1e-6).fields["asleep_s"] == 0.0


def test_a_listening_reference_is_an_answer(listening: str) -> None:
    """A reference target that accepts the connection proves the way out."""
    assert _read("none", listening).fields["wan"] == 1


def test_a_refusing_reference_is_an_answer(refusing: str) -> None:
    """A reference target that refuses the connection proves the way out too: the packet came back."""
    assert _read("none", refusing).fields["wan"] == 1


def test_one_answering_reference_is_enough(silent: str, refusing: str) -> None:
    """The way out is there when any of the reference targets answers, whichever of them is down."""
    assert _read("none", silent, refusing).fields["wan"] == 1


def test_a_silent_reference_is_asked_three_times(silent: str) -> None:
    """One lost packet is no outage: a silent target is asked up to three times, and then the way out is down."""
    began = time.monotonic()
    assert _read("none", silent).fields["wan"] == 0
    assert 3 * SILENT_S <= time.monotonic() - began < 10


def test_a_target_that_cannot_be_asked_costs_only_itself() -> None:
    """A target whose name cannot exist is no answer, and presence is told all the same."""
    assert _read("none", "tcp://no..such..name:53", "icmp://no..such..name").fields["wan"] == 0


def test_a_gateway_that_answers(monkeypatch: pytest.MonkeyPatch, refusing: str) -> None:
    """A gateway that answers anything, be it by refusing a connection, proves the local network."""
    monkeypatch.setattr(room, "_GATEWAY_PORT", int(refusing.rpartition(":")[2]))
    assert _read("127.0.0.1").fields["lan"] == 1


def test_a_gateway_that_cannot_be_reached() -> None:
    """A gateway that nothing comes back from means that the local network is down."""
    assert _read("255.255.255.255").fields["lan"] == 0  # the kernel itself refuses to send there


def test_without_a_default_route_the_local_network_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lost its default route has no gateway that could answer: `lan` is 0, not absent."""
    monkeypatch.setattr(room, "default_gateway", lambda: None)
    assert _read("auto").fields["lan"] == 0


@pytest.mark.parametrize("connected", [True, False])
def test_an_outage_of_the_centre_is_not_one_of_the_class(listening: str, connected: bool) -> None:
    """`wan` does not depend on the broker: it is asked of the reference targets alone."""
    assert _read("none", listening, connected=connected).fields["wan"] == 1


def test_a_network_that_is_down_holds_a_round_up_for_ten_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many references there are, a round whose network is silent ends soon: it must be kept in its minute."""
    now = [0.0]

    def silent(_address: str, *rest: float) -> bool:
        now[0] += rest[-1]
        return False

    monkeypatch.setattr("agent.gather.presence.answers_ping", silent)
    monkeypatch.setattr("agent.gather.presence.answers_tcp", silent)
    monkeypatch.setattr("agent.gather.presence.neighbour", lambda _address: None)  # it may be this machine's gateway
    monkeypatch.setattr("agent.gather.presence.time.monotonic", lambda: now[0])
    references = tuple(f"tcp://192.0.2.{number}:53" for number in range(1, 30))
    (sample,) = Presence("b", lambda: 0.0, lambda: False, "192.0.2.1", references).gather(0)
    assert (sample.fields["lan"], sample.fields["wan"]) == (0, 0)
    assert now[0] <= 11.0
