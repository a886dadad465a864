"""The dialogue with hostapd, against a double that answers with what a real one said."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agent.gather import hostapd
from agent.gather.hostapd import parse_status
from agent.gather.read import Read, Way
from agent.outcome import Outcome, Unable
from firmware_profiles.sources import Hostapd
from tests.profiles.hostapd_server import answering, parse

_CASE = Path(__file__).parents[2] / "fixtures/hosts/hostapd-ap"
_NEAR, _FAR = "02:00:00:00:01:00", "02:00:00:00:03:00"
Double = Callable[..., AbstractContextManager[list[str]]]


@pytest.fixture
def double(tmp_path: Path) -> Double:
    """Give a hostapd of wlan0 (or another interface) that answers as recorded, but for the replies that are given."""
    recorded = parse((_CASE / "hostapd.txt").read_text(encoding="utf-8"))["wlan0"]
    (tmp_path / "run/hostapd").mkdir(parents=True)

    def start(interface: str = "wlan0", **replies: str) -> AbstractContextManager[list[str]]:
        given = {name.replace("_", "-"): reply for name, reply in replies.items()}
        return answering(tmp_path / "run/hostapd" / interface, {**recorded, **given})

    return start


def _read(root: Path, interface: str = "*", timeout_s: float = 5) -> Outcome:
    return hostapd.read(Read(Hostapd((), interface=interface), Way(root=str(root)), timeout_s))


def test_access_point(tmp_path: Path, double: Double) -> None:
    """State, name, channel and stations are right, and no address of a station is among them."""
    with double() as commands:
        (row,) = _read(tmp_path).rows
    assert row.key == "wlan0"
    assert row.values == {
        "interface": "wlan0",
        "state": "ENABLED",
        "ssid": "santong-open",
        "channel": 6,
        "frequency_mhz": 2437,
        "stations": 2,
        "rssi_p50_dbm": -37.5,
        "rssi_p10_dbm": -43.5,
    }
    assert commands == ["STATUS", "STA-FIRST", f"STA-NEXT {_FAR}", f"STA-NEXT {_NEAR}"], "nothing is changed"


def test_station_goes_while_we_count(tmp_path: Path, double: Double) -> None:
    """Who goes in the midst of the counting lets it begin anew; where it never ends there is no number."""
    with double(**{f"STA_NEXT {_FAR}": "FAIL\n"}) as commands:
        (row,) = _read(tmp_path).rows
    assert commands.count("STA-FIRST") == 3
    assert row.values["state"] == "ENABLED"
    assert "stations" not in row.values


def test_nobody(tmp_path: Path, double: Double) -> None:
    """An access point without stations has none."""
    with double(STA_FIRST=""):
        assert _read(tmp_path).rows[0].values["stations"] == 0


def test_station_without_the_key(tmp_path: Path, double: Double) -> None:
    """Who may not pass data is not counted."""
    with double(STA_FIRST=f"{_NEAR}\nflags=[AUTH][ASSOC]\nsignal=-50\n"):
        assert _read(tmp_path).rows[0].values["stations"] == 0


def test_hostapd_was_killed(tmp_path: Path, double: Double) -> None:
    """A socket behind which nobody is left means that the access point is off."""
    with double():
        pass
    assert _read(tmp_path).rows[0].values == {"interface": "wlan0", "state": "ENDED"}


def test_one_of_two_is_silent(tmp_path: Path, double: Double) -> None:
    """A hostapd that does not answer takes its share of the time, not the others' rows."""
    with double(STATUS="(silence)\n"), double("wlan1"):
        assert [row.key for row in _read(tmp_path, timeout_s=4).rows] == ["wlan1"]


def test_all_are_silent(tmp_path: Path, double: Double) -> None:
    """Where none answers, the reason says who."""
    with double(STATUS="(silence)\n"), pytest.raises(Unable, match="hostapd of wlan0 does not answer to STATUS"):
        _read(tmp_path, timeout_s=0.2)


def test_no_address_of_a_station_is_told(tmp_path: Path, double: Double) -> None:
    """Where hostapd falls silent while its stations are counted, the reason names none of them."""
    with double(**{f"STA-NEXT {_NEAR}": "(silence)\n"}), pytest.raises(Unable, match=r"does not answer to STA-NEXT$"):
        _read(tmp_path, timeout_s=0.2)


def test_no_hostapd(tmp_path: Path) -> None:
    """Without a socket the advice is what to write."""
    with pytest.raises(Unable, match="start hostapd with ctrl_interface"):
        _read(tmp_path)


def test_only_interfaces_are_asked(tmp_path: Path, double: Double) -> None:
    """Hostapd's socket for itself is none of them, and a pattern chooses."""
    with double(), double("global") as commands, double("wlan1"):
        assert [row.key for row in _read(tmp_path, "wlan[01]").rows] == ["wlan0", "wlan1"]
        assert [row.key for row in _read(tmp_path).rows] == ["wlan0", "wlan1"]
    assert commands == []


def test_status() -> None:
    """Of a radio with several networks each interface has its own name; a share of 255 is a percentage."""
    reply = (
        "state=DFS\nfreq=0\nchannel=0\nbss[0]=wlan0\nssid[0]=one\nbss[1]=wlan0_1\n"
        'ssid[1]=\\xe5\\x9b\\xbe\\"x\\"\nchan_util_avg=51\n'
    )
    found = {"interface": "wlan0_1", "state": "DFS", "ssid": '图"x"', "utilization_percent": 20.0}
    assert parse_status(reply, "wlan0_1") == found
    assert parse_status("UNKNOWN COMMAND\n", "wlan0") == {"interface": "wlan0"}
