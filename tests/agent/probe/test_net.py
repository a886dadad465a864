"""What the probes share of the network: interfaces that are not ready are our own trouble, whichever kind asks."""

import errno
import socket
import sys

import pytest

from agent.deadline import Deadline
from agent.outcome import Outcome, Unable
from agent.probe import net
from agent.probe.connect import connect
from agent.probe.net import check_ready, endpoint
from agent.probe.settings import Dns, Http, Icmp, Portal, Tcp, Throughput, WifiScan
from agent.probe.values import Host, HostPort, InterfaceName, Resolver, Ssid, Url
from agent.worker.kinds import perform

UP, RUNNING = 0x1, 0x40  # netdevice(7)


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no socket lead anywhere."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("something was sent"))
    monkeypatch.setattr(socket.socket, "send", lambda *_: pytest.fail("something was sent"))


def by(interface: str) -> dict[str, Outcome]:
    """Return what each kind that can go out by an interface finds, when it shall go out by this one."""
    way = InterfaceName(interface)
    asks = {
        "icmp": Icmp(Host("192.0.2.1"), interface=way),
        "tcp": Tcp(HostPort("192.0.2.1:80"), interface=way),
        "dns": Dns(Host("www.lab"), interface=way, resolver=Resolver("192.0.2.53")),
        "http": Http(Url("http://192.0.2.1/"), interface=way),
        "portal": Portal(interface=way),
        "throughput": Throughput(Url("http://192.0.2.1/"), interface=way),
    }
    return {kind: perform(kind, ask) for kind, ask in asks.items()}


@pytest.mark.usefixtures("nothing_is_sent")
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (0, "nk0 is down: ip link set nk0 up"),
        (UP, "nk0 has no carrier: is the cable plugged in, the WiFi joined?"),
        (None, "there is no interface nk0"),
    ],
)
def test_an_interface_that_is_not_ready_says_nothing_of_the_target(
    monkeypatch: pytest.MonkeyPatch, flags: int | None, words: str
) -> None:
    """Down, without carrier, missing: every kind says so alike, and none has a success or a failure."""
    answer = None if flags is None else flags.to_bytes(2, sys.byteorder)
    monkeypatch.setattr(net, "about", lambda *_: answer)
    for kind, outcome in by("nk0").items():
        assert (outcome.success, outcome.stage, outcome.reason) == (None, "unable", words), kind


def test_loopback_is_ready_and_used() -> None:
    """The loopback interface is up; by it a closed port is closed, which says something of the target."""
    check_ready("lo")
    outcome = perform("tcp", Tcp(HostPort("127.0.0.1:1"), interface=InterfaceName("lo")))
    assert (outcome.success, outcome.code) == (False, errno.ECONNREFUSED)


def test_a_wireless_scan_brings_its_interface_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that has not joined a network has no carrier, and can scan all the same."""
    monkeypatch.setattr(net, "about", lambda *_: pytest.fail("the carrier was looked at"))
    outcome = perform("wifi_scan", WifiScan(Ssid("Campus"), InterfaceName("nk0")))
    assert outcome.success is None
    assert "carrier" not in outcome.reason


@pytest.mark.usefixtures("nothing_is_sent")
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("fe80::1%nope0", "there is no interface nope0"),
        ("fe80::1%4000000", "there is no interface with the number 4000000"),
        ("fe80::1%99999999999999999999", "there is no interface with the number 99999999999999999999"),
    ],
)
def test_a_scope_that_is_no_interface(address: str, words: str) -> None:
    """An address that names an interface which is not there is our own trouble, whichever kind asks."""
    with pytest.raises(Unable, match=words):
        endpoint(address, 80)
    with pytest.raises(Unable, match=words):
        connect(address, 80, Deadline(1))
    for outcome in (
        perform("icmp", Icmp(Host(address))),
        perform("tcp", Tcp(HostPort(f"[{address}]:80"))),
        perform("dns", Dns(Host("www.lab"), resolver=Resolver(address))),
    ):
        assert (outcome.success, outcome.reason) == (None, words)


def test_scopes_that_are_interfaces() -> None:
    """An interface is named or numbered."""
    number = socket.if_nametoindex("lo")
    for scope in ("lo", str(number)):
        assert endpoint(f"fe80::1%{scope}", 80).sockaddr[3:] == (number,)
