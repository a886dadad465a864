"""The probe wifi_join against a double of wpa_supplicant; what is beyond the joined network is tried in tests/lab."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.control_socket import Event
from agent.deadline import Deadline
from agent.outcome import Failed, Unable
from agent.probe import wifi_join
from agent.probe.association import Association
from agent.probe.base import Via
from agent.probe.settings import WifiJoin
from agent.probe.supplicant import Supplicant
from agent.probe.values import InterfaceName, Ssid
from tests.agent.probe.supplicant_double import SupplicantDouble, recorded, recorded_bss

_BSS = [text.replace("age=3", "age=0").replace("age=4", "age=0") for text in recorded_bss()]


def _ask(ssid: str, min_rssi_dbm: float | None = None) -> WifiJoin:
    return WifiJoin(Ssid(ssid), InterfaceName("wlan1"), min_rssi_dbm=min_rssi_dbm)


def _seen() -> wifi_join._Seen:
    return wifi_join._Seen({}, {})


def _join(folder: Path, ssid: str, passphrase: str, seen: wifi_join._Seen, timeout_s: float = 5) -> Association:
    """Scan and join; return the association, left again."""
    with Supplicant(folder, "wlan1") as supplicant:
        ours = wifi_join._find(_ask(ssid), supplicant, seen, Deadline(5))
        with wifi_join._joined(ours, passphrase, supplicant, seen, Deadline(timeout_s)) as association:
            return association


def _story(name: str) -> list[str]:
    return [text for _, text in recorded(name)]


@pytest.fixture
def supplicant(tmp_path: Path) -> Iterator[Supplicant]:
    """Give a conversation with a double that hears nothing."""
    with SupplicantDouble(tmp_path), Supplicant(tmp_path, "wlan1") as made:
        yield made


def test_joined_and_left(tmp_path: Path) -> None:
    """A network that lets us in gives the time of that and its parts; it is forgotten afterwards."""
    seen = _seen()
    with SupplicantDouble(tmp_path, _BSS, _story("join_wpa2")) as double:
        assert _join(tmp_path, "testbed", "testbed-secret", seen).is_connected
        assert double.networks == {}
    assert float(seen.fields["associate_ms"]) >= 0
    assert {"authentication_ms", "association_ms", "handshake_ms", "networks"} <= seen.details.keys()
    assert (seen.fields["found"], seen.fields["channel"], seen.fields["rssi_dbm"]) == (1, 6, -30.0)


@pytest.mark.parametrize(
    ("story", "ssid", "code"), [("wrong_passphrase_wpa2", "testbed", 15), ("wrong_passphrase_sae", "sae-net", 1)]
)
def test_wrong_passphrase(tmp_path: Path, story: str, ssid: str, code: int) -> None:
    """A wrong passphrase fails at `associate` with the code, and the network is forgotten."""
    with SupplicantDouble(tmp_path, _BSS, _story(story)) as double:
        with pytest.raises(Failed, match="passphrase") as failed:
            _join(tmp_path, ssid, "wrong-wrong", _seen())
        assert double.networks == {}
    assert (failed.value.stage, failed.value.code) == ("associate", code)


def test_silent_access_point(tmp_path: Path) -> None:
    """An access point that does not answer fails at `associate` once the time is up."""
    with SupplicantDouble(tmp_path, _BSS, _story("join_wpa2")[:1]), pytest.raises(Failed, match="not answer") as failed:
        _join(tmp_path, "testbed", "testbed-secret", _seen(), timeout_s=0.2)
    assert (failed.value.stage, failed.value.code) == ("associate", None)


@pytest.mark.parametrize(
    ("ssid", "passphrase"), [("testbed", ""), ("open full", "some-secret"), ("enterprise", "x" * 8)]
)
def test_security_that_is_not_ours(tmp_path: Path, ssid: str, passphrase: str) -> None:
    """What cannot be joined is not tried: no passphrase goes to an open network."""
    with SupplicantDouble(tmp_path, _BSS) as double:
        with pytest.raises(Failed, match="cannot be joined") as failed:
            _join(tmp_path, ssid, passphrase, _seen())
        assert "ADD_NETWORK" not in double.commands
    assert failed.value.stage == "associate"


def test_not_heard_and_weak(tmp_path: Path) -> None:
    """A network that is not heard fails at `scan`, one that is too weak at `signal`."""
    with SupplicantDouble(tmp_path, _BSS), Supplicant(tmp_path, "wlan1") as supplicant:
        for ask, stage in ((_ask("nowhere"), "scan"), (_ask("testbed", min_rssi_dbm=-20), "signal")):
            with pytest.raises(Failed) as failed:
                wifi_join._find(ask, supplicant, _seen(), Deadline(5))
            assert failed.value.stage == stage


def _told(*texts: str) -> Association:
    association = Association()
    for text in texts:
        association.hear(Event(time.perf_counter(), text))
    return association


def test_put_out_on_the_way(supplicant: Supplicant) -> None:
    """Who is put out and not let back fails at `associate`, whatever was asked at that time."""
    association = _told("CTRL-EVENT-CONNECTED - x", "CTRL-EVENT-DISCONNECTED bssid=x reason=8")
    failed = wifi_join._because_put_out(Failed("dhcp", "no answer"), supplicant, association)
    assert (failed.stage, failed.code) == ("associate", 8)
    assert failed.reason == "disconnected, reason 8: put out of the network, while dhcp was asked"


def test_put_out_and_back_on_the_way(supplicant: Supplicant) -> None:
    """Who came back fails where the way ended; that the connection was lost is said."""
    association = _told(
        "CTRL-EVENT-CONNECTED - x", "CTRL-EVENT-DISCONNECTED bssid=x reason=8", "CTRL-EVENT-CONNECTED - x"
    )
    failed = wifi_join._because_put_out(Failed("dhcp", "no answer"), supplicant, association)
    assert failed.stage == "dhcp"
    assert "put out 1 times on the way" in failed.reason


def test_still_joined(supplicant: Supplicant) -> None:
    """A failure with the connection in order stays as it is."""
    failed = Failed("dns", "no answer", 2)
    assert wifi_join._because_put_out(failed, supplicant, _told("CTRL-EVENT-CONNECTED - x")) is failed


@pytest.mark.parametrize("text", ["12345678\n", "ab" * 32, "a secret with spaces\r\nand a second line\n"])
def test_passphrase(tmp_path: Path, text: str) -> None:
    """The passphrase is the first line, without its line end."""
    file = tmp_path / "secret"
    file.write_bytes(text.encode())
    assert wifi_join.read_passphrase(str(file)) == text.splitlines()[0]
    assert wifi_join.read_passphrase("") == ""


@pytest.mark.parametrize("content", [b"", b"1234567", b"x" * 64, b"x" * 65, "密码密码密码密码".encode(), b"\xff" * 9])
def test_no_passphrase(tmp_path: Path, content: bytes) -> None:
    """What cannot be a passphrase is our mistake, and is not shown."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(Unable) as unable:
        wifi_join.read_passphrase(str(file))
    said = str(unable.value)
    assert str(file) in said
    assert "xxxx" not in said.replace(str(file), "")


def test_missing_passphrase_file(tmp_path: Path) -> None:
    """A file that is not there is our mistake; nothing is touched."""
    ask = _ask("testbed")._replace(passphrase_file=str(tmp_path / "nothing"))
    with pytest.raises(Unable, match="cannot be read"):
        wifi_join.probe(ask, Via())
