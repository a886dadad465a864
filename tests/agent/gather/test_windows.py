"""
What is read from Windows, as far as it is plain data.

Layouts are compared with structures that ctypes lays out from the field lists of Microsoft's headers. Windows itself
never ran here: these tests show that the data is read as documented, not that Windows gives it.
"""

import ctypes
import socket
import struct
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import windows
from agent.gather import identity_windows, network_windows, session_windows
from agent.gather.network_windows import Entry, Route, best_default, is_reply, parse_entry, parse_routes, subnet_of
from agent.gather.session_windows import Console, ticks_between
from agent.gather.smbios import Hardware, hardware, structures, table_of

TABLE = (Path(__file__).parents[2] / "fixtures/smbios/qemu-pc.bin").read_bytes()
ANY = "0.0.0.0"  # noqa: S104  nothing is bound to it
U8, U16, U32, U64, I64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64


# ---- SMBIOS


def test_the_hardware_of_a_table() -> None:
    """A table that a real firmware (SeaBIOS, in QEMU) made names maker, product and both serial numbers."""
    assert hardware(TABLE) == Hardware("Example Maker", "OPS-H610", "SN-0042-7", "BSN-0099")
    assert [one.type for one in structures(TABLE)] == [0, 1, 2, 3, 4, 16, 17, 19, 32]


def test_the_table_within_what_windows_gives() -> None:
    """GetSystemFirmwareTable puts 8 octets before the table, the last four its length."""
    raw = struct.pack("<BBBBI", 0, 2, 8, 0, len(TABLE)) + TABLE + b"rest"
    assert table_of(raw) == TABLE
    assert table_of(b"") == b""


def test_a_structure_without_strings() -> None:
    """A structure may have no strings at all, and a number of a string that is not there is none."""
    (one,) = structures(bytes([1, 8, 0, 0, 1, 9, 0, 0]) + b"\0\0")
    assert (one.strings, one.text(4), one.text(5), one.text(99)) == ([], "", "", "")


@given(st.integers(0, len(TABLE)), st.binary(max_size=40))
def test_a_damaged_table_is_read_as_far_as_it_goes(cut: int, rest: bytes) -> None:
    """A table that is cut off, or goes on with nonsense, never raises."""
    found = hardware(TABLE[:cut] + rest)
    assert all(isinstance(word, str) for word in found)


def test_identity_without_a_firmwares_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the firmware gives no table the registry's words are taken, and the installation's id."""
    words = {"SystemManufacturer": "Maker", "SystemProductName": "Panel 75", "MachineGuid": "01234567-89ab"}

    def no_library(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(windows, "library", no_library)
    monkeypatch.setattr(windows, "registry", lambda _key, name: words.get(name))
    assert identity_windows.serials() == ("", "")
    assert identity_windows.maker_and_product() == ("Maker", "Panel 75")
    assert identity_windows.machine() == "01234567-89ab"


# ---- the network


class ForwardRow(ctypes.Structure):
    """MIB_IPFORWARDROW (ipmib.h)."""

    _fields_: ClassVar[Any] = [
        ("dest", U32),
        ("mask", U32),
        ("policy", U32),
        ("next_hop", U32),
        ("interface", U32),
        ("type", U32),
        ("proto", U32),
        ("age", U32),
        ("next_hop_as", U32),
        ("metric1", U32),
        ("other_metrics", U32 * 4),
    ]


class NetRow2(ctypes.Structure):
    """MIB_IPNET_ROW2 (netioapi.h), with a SOCKADDR_IN in its SOCKADDR_INET of 28 octets."""

    _fields_: ClassVar[Any] = [
        ("family", U16),
        ("port", U16),
        ("address", U8 * 4),
        ("rest", U8 * 16),
        ("scope", U32),
        ("interface", U32),
        ("luid", U64),
        ("hardware", U8 * 32),
        ("length", U32),
        ("state", U32),
        ("flags", U8),
        ("reachability", U32),
    ]


def _ip(address: str) -> int:
    """Return an address as Windows holds it: network order, in memory."""
    return int.from_bytes(socket.inet_aton(address), "little")


def _table(*rows: tuple[str, str, str, int, int, int]) -> bytes:
    made = [
        ForwardRow(dest=_ip(dest), mask=_ip(mask), next_hop=_ip(via), interface=index, type=kind, metric1=metric)
        for dest, mask, via, index, kind, metric in rows
    ]
    return struct.pack("=I", len(made)) + b"".join(map(bytes, made)) + bytes(100)


ROUTES = _table(
    (ANY, ANY, "198.51.100.1", 7, 4, 55),
    (ANY, ANY, "192.0.2.1", 12, 4, 25),
    ("192.0.2.0", "255.255.255.0", "192.0.2.20", 12, 3, 281),
    ("192.0.2.20", "255.255.255.255", "192.0.2.20", 12, 3, 281),
    ("192.0.0.0", "255.255.0.0", "192.0.2.20", 12, 3, 281),
    ("224.0.0.0", "240.0.0.0", "192.0.2.20", 12, 3, 281),
)


def test_the_default_route_and_its_subnet() -> None:
    """The gateway is that of lowest metric, its subnet the narrowest of its interface that holds it."""
    routes = parse_routes(ROUTES)
    assert len(routes) == 6
    best = best_default(routes)
    assert best == Route(ANY, ANY, "192.0.2.1", 12, is_indirect=True, metric=25)
    assert subnet_of("192.0.2.1", 12, routes) == "192.0.2.0/24"
    assert subnet_of("192.0.2.1", 7, routes) == ""


def test_without_routes_there_is_no_gateway() -> None:
    """An empty table, or one that says more than it has, has no default route."""
    assert best_default(parse_routes(bytes(4))) is None
    assert parse_routes(struct.pack("=I", 9)) == []


def test_a_row_of_the_neighbour_table() -> None:
    """The question has address and interface where Windows looks for them, and the answer is read from there."""
    asked = NetRow2.from_buffer_copy(network_windows.question("192.0.2.1", 12))
    assert ctypes.sizeof(NetRow2) == 88
    assert (asked.family, bytes(asked.address), asked.interface) == (2, socket.inet_aton("192.0.2.1"), 12)
    asked.hardware[:6] = b"\x02\x00\x5e\x00\x53\x01"
    asked.length, asked.state, asked.flags, asked.reachability = 6, 5, 1, 1234
    assert parse_entry(bytes(asked)) == Entry("02:00:5e:00:53:01", 5)


def test_an_echo_that_is_answered_by_another() -> None:
    """`Host unreachable` comes as a reply too, and is none of the host."""
    assert is_reply(struct.pack("=4sII", socket.inet_aton("192.0.2.1"), 0, 3))
    assert not is_reply(struct.pack("=4sII", socket.inet_aton("192.0.2.254"), 11003, 0))


# ---- the session


class WtsInfo(ctypes.Structure):
    """WTSINFOW (wtsapi32.h), whose characters have 16 bits."""

    _fields_: ClassVar[Any] = [
        ("state", U32),
        ("number", U32),
        ("counters", U32 * 6),
        ("station", U16 * 32),
        ("domain", U16 * 17),
        ("user", U16 * 21),
        ("connect", I64),
        ("disconnect", I64),
        ("last_input", I64),
        ("logon", I64),
        ("current", I64),
    ]


NOW = 134_000_000_000_000_000


@pytest.mark.parametrize(
    ("state", "last_input", "logon", "console"),
    [
        (0, NOW - 15_000_000, NOW - 10**12, Console(is_active=True, idle_s=1.5)),
        (0, 0, NOW - 10**12, Console(is_active=True, idle_s=None)),
        (0, NOW, NOW - 10**12, Console(is_active=True, idle_s=None)),
        (1, 0, 0, Console(is_active=False, idle_s=None)),  # WTSConnected: the logon screen
        (0, NOW - 15_000_000, 0, Console(is_active=False, idle_s=1.5)),
    ],
)
def test_a_session(state: int, last_input: int, logon: int, console: Console) -> None:
    """A session is active when somebody is logged on; the last input counts where Windows tells it."""
    info = WtsInfo(state=state, number=1, last_input=last_input, logon=logon, current=NOW)
    assert session_windows.parse(bytes(info)) == console


class WindowsDouble:
    """A test double of kernel32, wtsapi32 and user32, for a console session 1."""

    def __init__(self, own: int, console: int = 1) -> None:
        self.own = own
        self.console = console
        self.info = ctypes.create_string_buffer(
            bytes(WtsInfo(state=0, user=(65, 66), last_input=NOW - 90 * 10**7, logon=1, current=NOW))
        )
        self.WTSGetActiveConsoleSessionId = _function(lambda: self.console)
        self.GetTickCount = _function(lambda: 5_000)
        self.freed = 0

    def ProcessIdToSessionId(self, _pid: Any, number: Any) -> int:  # noqa: N802, D102
        number._obj.value = self.own
        return 1

    def WTSQuerySessionInformationW(self, _server: Any, _session: Any, _kind: int, buffer: Any, size: Any) -> int:  # noqa: N802, D102
        buffer._obj.value = ctypes.addressof(self.info)
        size._obj.value = ctypes.sizeof(WtsInfo)
        return 1

    def WTSFreeMemory(self, _buffer: Any) -> None:  # noqa: N802, D102
        self.freed += 1

    def GetLastInputInfo(self, info: Any) -> int:  # noqa: N802, D102
        assert info._obj[0] == 8
        info._obj[1] = 2_000
        return 1


def _function(result: Any) -> Any:
    def call() -> Any:
        return result()

    return call


@pytest.mark.parametrize(
    ("own", "console", "found"),
    [
        (1, 1, {"session_active": 1, "idle_s": 3.0}),  # in the user's session: GetLastInputInfo
        (0, 1, {"session_active": 1, "idle_s": 90.0}),  # a service: what the session's account says
        (0, 0xFFFFFFFF, {"session_active": 0}),  # no session at the screen
    ],
)
def test_use_is_told_in_seconds_and_yes_or_no(
    monkeypatch: pytest.MonkeyPatch, own: int, console: int, found: dict[str, float]
) -> None:
    """From the user's session and from a service's it is told whether somebody is there, and nothing of whom."""
    double = WindowsDouble(own, console)
    monkeypatch.setattr(windows, "library", lambda _name: double)
    assert session_windows.session() == found
    assert double.freed == (console == 1)


def test_ticks_begin_anew() -> None:
    """The count of milliseconds begins anew after 49.7 days, which makes no idle time of 49 days."""
    assert ticks_between(0xFFFFFFF0, 984) == 1.0
