"""The way of the test interface beside the machine's own network: who goes where, and what is left of it."""

import json
import sys
from typing import Any

import pytest

from tests.lab.machine import Machine
from tests.lab.namespaces import Lab

_SERVER = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
while True:
    sock, peer = server.accept()
    sock.sendall(peer[0].encode())
    sock.close()
"""
_CLIENT = """
import json, socket, subprocess, sys, time
from typing import NamedTuple
from agent.probe import way
from agent.probe.base import Via
from agent.probe.connect import connect
from agent.deadline import Deadline

class Lease(NamedTuple):
    address: str
    prefix: int
    router: str
    resolvers: tuple = ()

def seen_as(host, via=Via()):
    try:
        sock = connect(host, 8080, Deadline(2), via).sock
        with sock:
            return sock.recv(99).decode()
    except Exception as error:
        return str(error)

lease = Lease(*json.loads(sys.argv[1]))
hosts, found = json.loads(sys.argv[2]), {}
with way.prepared("wlan1"), way.laid("wlan1", lease) as via:
    for host in hosts:
        found[host] = [seen_as(host), seen_as(host, via)]
    print(json.dumps(found), flush=True)
    if "stay" in sys.argv:
        time.sleep(60)
"""


class _Place:
    """A machine with a LAN card `eth0` and a test interface `wlan1` (a veth in its place), each to a switch."""

    def __init__(self, lab: Lab) -> None:
        self.machine = lab.machine("machine", 10)
        self.router = lab.machine("router", 1)
        self.machine.route(f"{lab.subnet}.1")
        self.lab = lab

    def plug_into_lan(self) -> None:
        """Let the access point be a bridge into the LAN: both cards are in one network."""
        self._card("ap", self.lab.switch.namespace)
        self.lab.switch.ip("link", "set", "ap", "master", "br0", "up")

    def plug_into_another(self, address: str) -> Machine:
        """Let the access point be a router of its own, with this address, which is not on the LAN."""
        other = self.lab.machine("other", 77, addressed=False)
        other.unplug()
        self._card("ap", other.namespace)
        other.ip("addr", "add", address, "dev", "ap")
        other.ip("link", "set", "ap", "up")
        return other

    def _card(self, peer: str, namespace: str) -> None:
        self.machine.ip("link", "add", "wlan1", "type", "veth", "peer", "name", peer, "netns", namespace)
        self.machine.ip("link", "set", "wlan1", "up")

    def go(self, lease: tuple[Any, ...], *hosts: str) -> dict[str, list[str]]:
        """Lay the way and ask each host who we are: without and with the way."""
        argv = [sys.executable, "-c", _CLIENT, json.dumps(lease), json.dumps(hosts)]
        found: dict[str, list[str]] = json.loads(self.machine.run(argv).stdout)
        return found

    def state(self) -> list[str]:
        """Return all that must be as before."""
        words = (["rule"], ["-4", "route", "show", "table", "all"], ["-4", "addr"], ["-6", "route"])
        return [self.machine.ip(*command) for command in words]


def _serve(machine: Machine) -> None:
    server = machine.start([sys.executable, "-c", _SERVER])
    server.wait_until(lambda: "ready" in server.words())


@pytest.fixture
def place(lab: Lab) -> _Place:
    """Give the place, with strict reverse path filtering."""
    made = _Place(lab)
    made.machine.run(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"])
    return made


def test_bridged_into_the_lan(place: _Place) -> None:
    """LAN and WiFi are one network: the journey goes by the WiFi, the machine by its LAN card, and nothing is left."""
    place.plug_into_lan()
    _serve(place.router)
    before = place.state()
    assert place.go(("10.77.0.99", 24, "10.77.0.1"), "10.77.0.1") == {"10.77.0.1": ["10.77.0.10", "10.77.0.99"]}
    assert place.state() == before


def test_same_subnet_elsewhere(place: _Place) -> None:
    """Two networks with the same addresses are told apart, beyond their routers as well."""
    other = place.plug_into_another("10.77.0.1/24")
    for router in (place.router, other):
        router.ip("addr", "add", "203.0.113.9/32", "dev", "lo")
        _serve(router)
    found = place.go(("10.77.0.99", 24, "10.77.0.1"), "10.77.0.1", "203.0.113.9")
    assert found == {
        "10.77.0.1": ["10.77.0.10", "10.77.0.99"],
        "203.0.113.9": ["10.77.0.10", "10.77.0.99"],
    }


def test_lease_of_an_address_on_the_lan(place: _Place) -> None:
    """The WiFi gives us the address of the machine's own router: the machine still reaches its router."""
    other = place.plug_into_another("10.77.0.2/24")
    _serve(place.router)
    _serve(other)
    found = place.go(("10.77.0.1", 24, "10.77.0.2"), "10.77.0.1", "10.77.0.2")
    assert found["10.77.0.1"][0] == "10.77.0.10"
    assert found["10.77.0.2"][1] == "10.77.0.1"


def test_no_way_out_by_the_lan(place: _Place) -> None:
    """What the WiFi does not reach is not asked by the LAN, also where the WiFi has no router."""
    place.plug_into_another("198.51.100.1/24")
    _serve(place.router)
    found = place.go(("198.51.100.50", 24, ""), "10.77.0.1")
    assert found["10.77.0.1"][0] == "10.77.0.10"
    assert found["10.77.0.1"][1].startswith("connect: 10.77.0.1 port 8080: no")


def test_no_answers_for_the_lan(place: _Place) -> None:
    """While the way is laid, an ARP request in the WiFi for the machine's LAN address gets no answer."""
    other = place.plug_into_another("10.77.0.2/24")
    argv = [sys.executable, "-c", _CLIENT, json.dumps(["10.77.0.99", 24, ""]), "[]", "stay"]
    running = place.machine.start(argv)
    running.wait_until(lambda: "{}" in running.words())
    busybox = ["busybox", "arping", "-c", "1", "-w", "1", "-I", "ap"]
    assert other.run([*busybox, "10.77.0.99"], check=False).returncode == 0
    assert other.run([*busybox, "10.77.0.10"], check=False).returncode == 1
    running.kill()


def test_after_a_killed_run(place: _Place) -> None:
    """What a killed run leaves is removed by the next, which leaves nothing."""
    place.plug_into_lan()
    _serve(place.router)
    before = place.state()
    argv = [sys.executable, "-c", _CLIENT, json.dumps(["10.77.0.98", 24, "10.77.0.1"]), "[]", "stay"]
    running = place.machine.start(argv)
    running.wait_until(lambda: "{}" in running.words())
    running.kill()
    assert place.state() != before
    place.go(("10.77.0.99", 24, "10.77.0.1"), "10.77.0.1")
    assert place.state() == before
