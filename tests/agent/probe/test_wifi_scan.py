"""The probe wifi_scan, with a double of iw: a script that prints what a test says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import programs as running
from agent.outcome import Failed, Outcome, Unable
from agent.probe import wifi_scan
from agent.probe.base import Via
from agent.probe.settings import WifiScan
from agent.probe.values import InterfaceName, Security, Ssid
from contract.settings import Seconds
from tests.agent.probe.supplicant_double import FIXTURES

_SCAN = FIXTURES / "wifi_kinds/iw_dev_scan.txt"


class _Programs:
    """A folder with doubles of `iw` and `ip`; what they were called with is in `calls`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._calls = folder / "calls"
        self._calls.touch()
        self._monkeypatch = monkeypatch
        self.write("ip", "exit 0")

    def write(self, name: str, script: str) -> None:
        file = self._folder / name
        file.write_text(f'#!/bin/sh\n# a double\necho "{name} $*" >> {self._calls}\n{script}\n', encoding="utf-8")
        file.chmod(0o755)
        path = f"{self._folder}:/usr/bin:/bin"
        self._monkeypatch.setenv("PATH", path)
        self._monkeypatch.setattr(running, "PLACES", "/usr/bin:/bin")

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Programs:
    """Give doubles, iw's prints the recorded scan as one of just now."""
    made = _Programs(tmp_path, monkeypatch)
    made.write("iw", f"sed 's/last seen: [0-9]* ms/last seen: 9 ms/' {_SCAN}")
    return made


def _ask(
    ssid: str = "testbed", timeout_s: float = 5, min_rssi_dbm: float | None = None, security: tuple[Security, ...] = ()
) -> WifiScan:
    timeout = Seconds(timeout_s)
    return WifiScan(Ssid(ssid), InterfaceName("wlan1"), timeout=timeout, min_rssi_dbm=min_rssi_dbm, security=security)


def _failed(ask: WifiScan) -> Failed:
    with pytest.raises(Failed) as failed:
        wifi_scan.probe(ask, Via())
    return failed.value


def test_heard(programs: _Programs) -> None:
    """A network in the air is found, with the signal and channel of its strongest access point."""
    outcome = wifi_scan.probe(_ask(min_rssi_dbm=-70.0, security=(Security("wpa2-psk"),)), Via())
    assert isinstance(outcome, Outcome)
    assert outcome.success is True
    fields = dict(outcome.fields)
    assert float(fields.pop("scan_ms")) > 0
    assert fields == {"found": 1, "rssi_dbm": -30.0, "channel": 6}
    rows = outcome.details["networks"]
    assert isinstance(rows, list)
    assert len(rows) == 8
    assert programs.calls == ["iw dev wlan1 scan flush"]


def test_chinese_name(programs: _Programs) -> None:
    """A name with Chinese characters is found."""
    assert wifi_scan.probe(_ask("café 图书馆"), Via()).fields["channel"] == 1


def test_not_heard(programs: _Programs) -> None:
    """A network that is not in the air fails at the scan."""
    failed = _failed(_ask("nowhere"))
    assert (failed.stage, failed.fields["found"]) == ("scan", 0)
    assert failed.reason == "nowhere is not heard, 8 other access points are"


def test_nothing_heard(programs: _Programs) -> None:
    """Silence on all channels is a scan as well."""
    programs.write("iw", "exit 0")
    assert _failed(_ask()).reason == "testbed is not heard, 0 other access points are"


def test_only_remembered(programs: _Programs) -> None:
    """A network that the kernel only remembers is not in the air."""
    programs.write("iw", f"sed 's/last seen: [0-9]* ms/last seen: 25000 ms/' {_SCAN}")
    assert _failed(_ask()).stage == "scan"


def test_weak(programs: _Programs) -> None:
    """A signal below what is due fails at `signal`, with the signal."""
    failed = _failed(_ask(min_rssi_dbm=-20.0))
    assert (failed.stage, failed.fields["rssi_dbm"]) == ("signal", -30.0)


@pytest.mark.parametrize(("ssid", "offered"), [("open full", "open"), ("mixed", "wpa2-psk+wpa3-sae")])
def test_wrong_security(programs: _Programs, ssid: str, offered: str) -> None:
    """An access point that offers anything but what is due fails at `security`: it may be a copy."""
    failed = _failed(_ask(ssid, security=(Security("wpa2-psk"),)))
    assert failed.stage == "security"
    assert failed.reason == f"1 of 1 access points offer {offered}, due is wpa2-psk"


def test_busy(programs: _Programs, tmp_path: Path) -> None:
    """While another program scans, the probe waits and tries again."""
    busy = "echo 'command failed: Device or resource busy (-16)' >&2; exit 240"
    programs.write("iw", f"[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; {busy}; }}; cat {_SCAN}")
    assert _failed(_ask("nowhere")).stage == "scan"
    assert len(programs.calls) == 2


def test_down(programs: _Programs) -> None:
    """An interface that is down is up for the scan and down again afterwards."""
    down = "echo 'command failed: Network is down (-100)' >&2; exit 156"
    programs.write("iw", f"grep -q up {programs._calls} || {{ {down}; }}")
    assert _failed(_ask()).stage == "scan"
    assert programs.calls[1:] == ["ip link set wlan1 up", "iw dev wlan1 scan flush", "ip link set wlan1 down"]


def test_hanging_iw(programs: _Programs) -> None:
    """Where iw hangs after the scan, the kernel's list is read; the time of the scan is then unknown."""
    programs.write("iw", f"[ $4 = dump ] || exec sleep 9; sed 's/last seen: [0-9]* ms/last seen: 9 ms/' {_SCAN}")
    outcome = wifi_scan.probe(_ask(timeout_s=4), Via())
    assert outcome.fields == {"found": 1, "rssi_dbm": -30.0, "channel": 6}


def test_hanging_for_good(programs: _Programs) -> None:
    """Where iw gives nothing at all in time, nothing could be asked."""
    programs.write("iw", "exec sleep 9")
    with pytest.raises(Unable, match="does not come to the end"):
        wifi_scan.probe(_ask(timeout_s=0.5), Via())


def test_busy_to_the_end(programs: _Programs, tmp_path: Path) -> None:
    """Where the last try finds no time any more, what is told is that the radio was busy, not that iw hangs."""
    busy = "echo 'command failed: Device or resource busy (-16)' >&2; exit 1"
    programs.write("iw", f"[ -e {tmp_path}/tried ] && exec sleep 9; touch {tmp_path}/tried; {busy}")
    with pytest.raises(Unable, match="was busy all the time"):
        wifi_scan.probe(_ask(timeout_s=4), Via())


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("command failed: No such device (-19)", "there is no wireless interface wlan1"),
        ("command failed: Operation not permitted (-1)", "CAP_NET_ADMIN is missing"),
        ("command failed: Operation not possible due to RF-kill (-132)", "rfkill unblock wifi"),
        ("command failed: Device or resource busy (-16)", "was busy all the time"),
        ("command failed: Operation not supported (-95)", "cannot scan in the mode"),
        ("nl80211 not found.", "iw dev wlan1 scan: nl80211 not found."),
        ("", "ended without a word"),
    ],
)
def test_unable(programs: _Programs, error: str, advice: str) -> None:
    """What is missing on our side is said with what to do; it says nothing of the network."""
    programs.write("iw", f"echo '{error}' >&2; exit 1")
    with pytest.raises(Unable, match=advice):
        wifi_scan.probe(_ask(timeout_s=4), Via())


def test_no_iw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without iw the advice is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(running, "PLACES", str(tmp_path))
    with pytest.raises(Unable, match="install iw"):
        wifi_scan.probe(_ask(), Via())


@given(st.text())
def test_any_error(error: str) -> None:
    """Any error of iw gives one advice."""
    assert wifi_scan.explain("wlan1", error)
