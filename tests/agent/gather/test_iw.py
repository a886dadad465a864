"""What iw prints of interfaces, stations and channels; with a double of iw that prints what was recorded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import programs
from agent.gather import iw
from agent.gather.iw_dump import channel_in_use, parse_interfaces, parse_stations, parse_survey
from agent.gather.read import Read, Way
from agent.outcome import Outcome, Unable
from firmware_profiles.sources import Iw

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_RECORDED = _FIXTURES / "wifi_stations"
_WIFI_7 = """\
Station 02:00:00:00:01:00 (on wlan0)
\tauthorized:\tyes
\tassociated:\tyes
\tLink 0:
\t\tAddress: 02:00:00:00:01:01
\t\tsignal:  \t-71 dBm
\tLink 1:
\t\tAddress: 02:00:00:00:01:02
\t\tsignal:  \t-58 [-60, -63] dBm
Station 02:00:00:00:02:00 (on wlan0)
\tsignal:  \t-49 [-57, -56] dBm
\tauthorized:\tno
"""
_SURVEY = """\
Survey data from wlan0
\tfrequency:\t\t\t2412 MHz
\tnoise:\t\t\t\t-95 dBm
\tchannel active time:\t\t54 ms
Survey data from wlan0
\tfrequency:\t\t\t2437 MHz [in use]
\tnoise:\t\t\t\t-92 dBm
\tchannel active time:\t\t3000 ms
\tchannel busy time:\t\t600 ms
\tchannel receive time:\t\t500 ms
\tchannel transmit time:\t\t12 ms
"""


def _text(name: str) -> str:
    return (_RECORDED / f"{name}.txt").read_text(encoding="utf-8")


def _double(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    file = folder / "iw"
    file.write_text(f"#!/bin/sh\n# a double of iw\ncd {_RECORDED}\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(programs, "PLACES", "/usr/bin:/bin")


def _read(interface: str = "*", timeout_s: float = 5) -> Outcome:
    return iw.read(Read(Iw((), interface=interface), Way(), timeout_s))


_AS_RECORDED = """\
case "$*" in
"dev") cat ap_iw_dev.txt ;;
"dev wlan0 station dump") cat ap_iw_dev_station_dump.txt ;;
"dev wlan0 survey dump") cat ap_iw_dev_survey_dump.txt ;;
*) exit 1 ;;
esac"""


def test_access_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a recorded access point every value is right, and no address of a station is among them."""
    _double(tmp_path, monkeypatch, _AS_RECORDED)
    (row,) = _read().rows
    assert row.key == "wlan0"
    assert row.values == {
        "interface": "wlan0",
        "ssid": "santong-open",
        "type": "AP",
        "on_air": 1,
        "channel": 6,
        "frequency_mhz": 2437,
        "txpower_dbm": 20.0,
        "stations": 2,
        "rssi_p50_dbm": -37.5,
        "rssi_p10_dbm": -43.5,
    }


def test_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interface that has joined tells its own signal, and counts nobody."""
    script = _AS_RECORDED.replace("ap_", "client_").replace("wlan0", "wlan1")
    _double(tmp_path, monkeypatch, script)
    (row,) = _read("wlan1").rows
    assert row.values["signal_dbm"] == -30.0
    assert row.values["on_air"] == 0
    assert "stations" not in row.values
    assert row.values["active_ms"] == 80, "the driver marks no channel in use: it is the interface's own"


def test_no_such_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is named must be there; of a pattern there may be none."""
    _double(tmp_path, monkeypatch, _AS_RECORDED)
    with pytest.raises(Unable, match="there is no wireless interface wlan9"):
        _read("wlan9")
    assert _read("mesh*").rows == ()


def test_no_radio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a radio has no rows."""
    _double(tmp_path, monkeypatch, "exit 0")
    assert _read() == Outcome(True)


def test_iw_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iw that does not come to an end is ended when the time is up."""
    _double(tmp_path, monkeypatch, "exec sleep 60")
    with pytest.raises(Unable, match="iw dev does not come to an end in time"):
        _read(timeout_s=0.2)


def test_iw_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without iw the advice is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "PLACES", str(tmp_path))
    with pytest.raises(Unable, match="install iw"):
        _read()


def test_driver_without_survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that has no survey leaves its values out, and nothing else."""
    _double(tmp_path, monkeypatch, _AS_RECORDED.replace("cat ap_iw_dev_survey_dump.txt", "exit 161"))
    assert _read().rows[0].values["stations"] == 2


def test_interface_goes_while_we_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a dongle that is pulled out nobody knows the stations; another error is told."""
    gone = "echo 'command failed: No such device (-19)' >&2; exit 237"
    _double(tmp_path, monkeypatch, _AS_RECORDED.replace("cat ap_iw_dev_station_dump.txt", gone))
    assert "stations" not in _read().rows[0].values
    refused = "echo 'command failed: Operation not permitted (-1)' >&2; exit 255"
    _double(tmp_path, monkeypatch, _AS_RECORDED.replace("cat ap_iw_dev_station_dump.txt", refused))
    with pytest.raises(Unable, match="Operation not permitted"):
        _read()


def test_wifi_7() -> None:
    """A station with several links is one, heard as well as its best link; who has not the key is none."""
    assert parse_stations(_WIFI_7) == [-58.0]


def test_survey() -> None:
    """Of a survey the channel in use counts."""
    found = {"noise_dbm": -92.0, "active_ms": 3000, "busy_ms": 600, "receive_ms": 500, "transmit_ms": 12}
    assert channel_in_use(parse_survey(_SURVEY), 2437) == found
    assert channel_in_use(parse_survey(_SURVEY), 5180) == found, "the driver knows better"
    assert channel_in_use(parse_survey(_SURVEY.replace(" [in use]", "")), 2412) == {"noise_dbm": -95.0, "active_ms": 54}
    assert channel_in_use([], 2437) == {}


def test_chinese_name_and_several_interfaces() -> None:
    """SSIDs come as text, whatever iw escapes; interfaces of several radios are all there."""
    text = _text("client_iw_dev").replace("ssid santong-open", r"ssid \xe5\x9b\xbe\xe4\xb9\xa6\xe9\xa6\x86")
    assert {i.name: i.values.get("ssid") for i in parse_interfaces(text)} == {"wlan3": "图书馆", "wlan1": None}


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever iw prints, nothing breaks."""
    parse_interfaces(f"\tInterface wlan0\n{text}")
    parse_stations(f"Station 02:00:00:00:01:00 (on wlan0)\n{text}")
    parse_survey(f"Survey data from wlan0\n{text}")
