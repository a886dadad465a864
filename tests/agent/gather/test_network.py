"""Default gateway, neighbour table, ping and TCP: what presence and identity ask of the network."""

import os
import socket
import struct
from pathlib import Path

import pytest

from agent import echo
from agent.gather.network import (
    NUD_REACHABLE,
    Gateway,
    Neighbour,
    answers_ping,
    answers_tcp,
    default_gateway,
    neighbour,
    parse_neighbours,
)

HOSTS = Path(__file__).parents[2] / "fixtures/hosts"
HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
NUD_STALE = 0x04


# ---- the default gateway


def test_of_two_default_routes_the_lower_metric_counts() -> None:
    """On a machine with cable and wireless the gateway is the one that the kernel uses: of lower metric."""
    assert default_gateway(HOSTS / "raspberry-pi-4/root") == Gateway("192.0.2.1", "eth0", "192.0.2.0/24")


def test_the_subnet_is_the_gateways() -> None:
    """The subnet is the one the gateway is in, not the link-local network that stands before it in the table."""
    assert default_gateway(HOSTS / "classroom-pc") == Gateway("203.0.113.1", "enp1s0", "203.0.113.0/24")


def test_without_ipv4_there_is_no_gateway() -> None:
    """A machine without IPv4 has no gateway, and that is no error."""
    assert default_gateway(HOSTS / "virtual-machine") is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("", None),
        ("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", None),
        ("*\t00000000\t00000000\t0201\t0\t0\t4278198272\t00000000\t0\t0\t0\n", None),
        ("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", Gateway("192.0.2.1", "eth0", "")),
        ("eth0\t00000000\t010200C0\t0003\n", None),
        (
            "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
            "wlan0\t00000000\t016433C6\t0003\t0\t0\t600\t00000000\t0\t0\t0\n",
            Gateway("192.0.2.1", "eth0", ""),
        ),
        (
            "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
            "eth0\t800200C0\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\t0\t0\n"
            "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\t0\t0\n",
            Gateway("192.0.2.1", "eth0", "192.0.2.0/25"),
        ),
    ],
    ids=["empty", "no-default", "unreachable", "no-subnet", "torn", "best-first", "two-subnets"],
)
def test_route_tables(tmp_path: Path, rows: str, expected: Gateway | None) -> None:
    """Tables without a default route, with an unreachable one, cut short, or with several subnets on one interface."""
    file = tmp_path / "proc/net/route"
    file.parent.mkdir(parents=True)
    file.write_text(HEAD + rows)
    assert default_gateway(tmp_path) == expected


# ---- the neighbour table


def _entry(address: str, mac: bytes | None, state: int, *, family: int = socket.AF_INET, kind: int = 28) -> bytes:
    """Return one netlink message about a neighbour, as rtnetlink(7) describes it."""

    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), number) + value + b"\0" * (-len(value) % 4)

    body = struct.pack("=BxxxiHBB", family, 2, state, 0, 1)
    body += attribute(1, socket.inet_pton(family, address))
    body += attribute(3, struct.pack("=IIII", 1, 2, 3, 4))  # NDA_CACHEINFO: to be passed over
    length = 16 + len(body)
    if mac:
        body += attribute(2, mac)
        length += 4 + len(mac)  # without the padding behind the last attribute
    return struct.pack("=IHHII", length, kind, 2, 1, 0) + body


DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)
MAC = bytes.fromhex("02005e005301")


def test_entries_of_a_dump() -> None:
    """Each entry gives hardware address and state; one that never answered has no hardware address."""
    data = _entry("192.0.2.1", MAC, NUD_REACHABLE) + _entry("192.0.2.9", None, 0x20) + _entry("192.0.2.7", MAC, 0x80)
    entries, is_done = parse_neighbours(data)
    assert not is_done
    assert entries == {
        socket.inet_aton("192.0.2.1"): Neighbour("02:00:5e:00:53:01", NUD_REACHABLE),
        socket.inet_aton("192.0.2.9"): Neighbour("", 0x20),
        socket.inet_aton("192.0.2.7"): Neighbour("02:00:5e:00:53:01", 0x80),
    }
    assert entries[socket.inet_aton("192.0.2.1")].is_fresh
    assert not entries[socket.inet_aton("192.0.2.9")].is_fresh


def test_the_end_of_a_dump() -> None:
    """The end of the dump is seen behind entries and alone; other messages are passed over."""
    assert parse_neighbours(DONE) == ({}, True)
    entries, is_done = parse_neighbours(_entry("192.0.2.1", MAC, NUD_STALE) + DONE)
    assert (len(entries), is_done) == (1, True)
    assert parse_neighbours(_entry("192.0.2.1", MAC, NUD_STALE, kind=29)) == ({}, False)
    assert parse_neighbours(b"") == ({}, False)
    assert parse_neighbours(b"\0" * 32) == ({}, True)


def test_addresses_of_other_families_do_not_mix() -> None:
    """An IPv6 entry in a dump is an entry of its own, never taken for an IPv4 address."""
    entries, _ = parse_neighbours(_entry("2001:db8::1", MAC, NUD_REACHABLE, family=socket.AF_INET6))
    assert list(entries) == [socket.inet_pton(socket.AF_INET6, "2001:db8::1")]


def _arp_table() -> dict[str, str]:
    """Return the complete entries of the kernel's table, as /proc shows them."""
    rows = [line.split() for line in Path("/proc/net/arp").read_text().splitlines()[1:]]
    return {row[0]: row[3] for row in rows if int(row[2], 16) & 0x2}


def test_a_real_dump_says_what_proc_says() -> None:
    """Read over netlink, the kernel's neighbour table is the one that /proc/net/arp shows."""
    before = _arp_table()
    entries: dict[bytes, Neighbour] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.settimeout(5)
        link.send(struct.pack("=IHHIIBxxxiHBB", 28, 30, 0x301, 1, 0, socket.AF_INET, 0, 0, 0, 0))
        is_done = False
        while not is_done:
            found, is_done = parse_neighbours(link.recv(65536))
            entries |= found
    lasting = before.items() & _arp_table().items()
    assert {(socket.inet_ntoa(packed), entry.mac) for packed, entry in entries.items()} >= lasting
    for address, mac in lasting:
        entry = neighbour(address)
        assert entry is None or entry.mac in (mac, "")


def test_an_address_that_is_no_neighbour() -> None:
    """An address that the kernel never talked to has no entry."""
    assert neighbour("192.0.2.254") is None or "192.0.2.254" in Path("/proc/net/arp").read_text()


# ---- asking


def _checksum(packet: bytes) -> int:
    """Return the Internet checksum (RFC 1071), summed octet by octet."""
    total = 0
    for place, octet in enumerate(packet):
        total += octet << (8 if place % 2 == 0 else 0)
        if total > 0xFFFF:
            total = (total & 0xFFFF) + 1
    return total ^ 0xFFFF


@pytest.mark.parametrize("seq", [0, 1, 2, 255, 256, 0x7FFF, 0xABCD, 0xFFFF])
def test_an_echo_request_is_correct(seq: int) -> None:
    """An ICMP echo request has type 8, its sequence number, and a checksum that any host accepts."""
    packet = echo.request(seq)
    kind, code, checksum, _, number = struct.unpack_from("!BBHHH", packet)
    assert (kind, code, number) == (8, 0, seq)
    assert checksum == _checksum(packet[:2] + b"\0\0" + packet[4:])
    assert _checksum(packet) == 0


def test_ping_where_the_kernel_allows_it() -> None:
    """This machine answers a ping; where the kernel forbids unprivileged ping, that is said instead of `no`."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    is_allowed = any(first <= group <= last for group in [os.getegid(), *os.getgroups()])
    assert answers_ping("127.0.0.1", 2) is (True if is_allowed else None)


def test_a_listener_answers() -> None:
    """A port that accepts connections is an answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert answers_tcp("127.0.0.1", server.getsockname()[1], 2)


def test_a_refused_port_answers() -> None:
    """A port that refuses is an answer too: the host is there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening: refused
        assert answers_tcp("127.0.0.1", bound.getsockname()[1], 2)


def test_silence_is_no_answer() -> None:
    """A host that does not answer in time is silent, and the time is kept."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # the queue is full now: the kernel drops what comes
            assert not answers_tcp("127.0.0.1", address[1], 0.2)


@pytest.mark.parametrize("host", ["no..such..name", "x" * 64 + ".example", "255.255.255.255"])
def test_a_name_that_cannot_be_looked_up_is_no_answer(host: str) -> None:
    """A host that cannot exist does not answer; asking for it is no error, for TCP and for ping."""
    assert not answers_tcp(host, 53, 0.2)
    assert not answers_ping(host, 0.2)
