"""The commands that lay and lift the way of the test interface. That they work is tried in tests/lab."""

import errno
import os
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.outcome import Unable
from agent.probe import way


class _Lease(NamedTuple):
    address: str = "10.98.0.57"
    prefix: int = 24
    router: str = "10.98.0.1"
    resolvers: tuple[str, ...] = ("10.98.0.1",)


_TABLE = str(way.table_of("wlan1"))


def _lines(lease: _Lease) -> list[str]:
    return [" ".join(command).replace(_TABLE, "T") for command in way.laying("wlan1", lease)]


def test_laying() -> None:
    """Rules come first, so that a killed run leaves a trace; the address has no subnet and is local in the table."""
    assert _lines(_Lease()) == [
        "ip rule add pref 730 from 10.98.0.57 lookup T",
        "ip rule add pref 730 oif wlan1 lookup T",
        "ip rule add pref 730 iif wlan1 lookup T",
        "ip route add unreachable default metric 4294967295 table T",
        "ip addr add 10.98.0.57/32 dev wlan1",
        "ip route add 10.98.0.0/24 dev wlan1 scope link src 10.98.0.57 table T",
        "ip route add default via 10.98.0.1 dev wlan1 onlink src 10.98.0.57 table T",
        "ip route add local 10.98.0.57 dev wlan1 table T",
        "ip route del local 10.98.0.57 dev wlan1 table local",
    ]


def test_no_router_and_no_subnet() -> None:
    """Without a router there is no default route, with a prefix of 32 no subnet."""
    lines = _lines(_Lease(prefix=32, router=""))
    assert not [line for line in lines if "default via" in line or "scope link" in line]


def test_lifting() -> None:
    """Everything that was laid is taken away, and the rule by which leftovers are known goes last."""
    lines = [" ".join(command).replace(_TABLE, "T") for command in way.lifting("wlan1", "10.98.0.57")]
    assert lines == [
        "ip addr del 10.98.0.57/32 dev wlan1",
        "ip route flush table T",
        "ip rule del pref 730 iif wlan1 lookup T",
        "ip rule del pref 730 oif wlan1 lookup T",
        "ip rule del pref 730 from 10.98.0.57 lookup T",
    ]


def test_leftovers() -> None:
    """Only rules of this interface's table and our priority are ours."""
    rules = (
        f"0:\tfrom all lookup local\n730:\tfrom 10.98.0.57 lookup {_TABLE}\n730:\tfrom all oif wlan1 lookup {_TABLE}\n"
        f"730:\tfrom 192.0.2.1 lookup 7\n731:\tfrom 192.0.2.2 lookup {_TABLE}\n32766:\tfrom all lookup main\n"
    )
    assert way.leftovers(rules, "wlan1") == ["10.98.0.57"]


@given(st.text())
def test_any_rules(text: str) -> None:
    """Any text gives addresses or none."""
    assert all(address.count(".") == 3 for address in way.leftovers(text, "wlan1"))


def test_no_interface() -> None:
    """An interface that is not there is said to be missing."""
    with pytest.raises(Unable, match="there is no interface nosuch0"), way.prepared("nosuch0"):
        pass


def test_interface_in_use() -> None:
    """An interface with an address belongs to somebody: it is not touched."""
    with pytest.raises(Unable, match=r"lo has the address 127\.0\.0\.1"), way.prepared("lo"):
        pass


def test_one_at_a_time() -> None:
    """While one probe uses an interface another may not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        lock.bind("\0santong-probe-lo")
        with pytest.raises(Unable, match="another probe is using lo"), way.prepared("lo"):
            pass


def test_address_of_this_machine() -> None:
    """A lease of an address that the machine has already is not used."""
    with pytest.raises(Unable, match="which this machine has on lo"), way.laid("wlan1", _Lease("127.0.0.1")):
        pass


def test_setting_is_put_back(tmp_path: Path) -> None:
    """A setting of the interface is as before afterwards, also when the probe fails."""
    file = tmp_path / "accept_ra"
    file.write_text("1\n")
    with pytest.raises(ZeroDivisionError), way._setting(file, "0"):
        assert file.read_text() == "0"
        raise ZeroDivisionError
    assert file.read_text() == "1"
    with way._setting(tmp_path / "missing", "0"):
        assert list(tmp_path.iterdir()) == [file]


def test_setting_that_cannot_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only /proc/sys needs the setting in a file, a missing privilege is said to be missing."""
    file = tmp_path / "arp_ignore"
    file.write_text("0\n")
    for error, said in ((errno.EROFS, r"arp_ignore=1 into /etc/sysctl\.d"), (errno.EACCES, "CAP_NET_ADMIN")):

        def refuse(*_: object, error: int = error, **__: object) -> int:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(Path, "write_text", refuse)
        with pytest.raises(Unable, match=said), way._setting(file, "1"):
            pass
