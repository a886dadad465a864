"""The dialogue with wpa_supplicant, against a double that answers with what a real one said."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.control_socket import parse_values
from agent.deadline import Deadline
from agent.outcome import Unable
from agent.probe.supplicant import (
    MARK,
    Supplicant,
    keys,
    parse_bss,
    parse_flags,
    parse_numbers,
)
from agent.ssid import from_printf
from tests.agent.probe.supplicant_double import SupplicantDouble, recorded_bss


@pytest.fixture
def double(tmp_path: Path) -> Iterator[SupplicantDouble]:
    """Give a supplicant that hears what was recorded."""
    with SupplicantDouble(tmp_path, recorded_bss()) as made:
        yield made


def test_scan(double: SupplicantDouble) -> None:
    """A scan gives every access point with its signal, channel and security, however many there are."""
    with Supplicant(double.folder, "wlan1") as supplicant:
        networks, _ = supplicant.scan(Deadline(5))
    assert len(networks) == 0  # the recording's are 3 s old: this scan took no time, so they were not heard by it
    double.bss[:] = [text.replace("age=3", "age=0").replace("age=4", "age=0") for text in double.bss]
    with Supplicant(double.folder, "wlan1") as supplicant:
        networks, took_s = supplicant.scan(Deadline(5))
    assert took_s > 0
    assert {n.ssid: (n.channel, n.rssi_dbm, "+".join(n.security)) for n in networks} == {
        "sae-net": (1, -30.0, "wpa3-sae"),
        "mixed": (1, -30.0, "wpa2-psk+wpa3-sae"),
        "owe-net": (1, -30.0, "owe"),
        "testbed": (6, -30.0, "wpa2-psk"),
        " lead\\slash ": (11, -30.0, "wpa-psk+wpa2-psk"),
        "enterprise": (11, -30.0, "802.1x"),
        "café 图书馆": (1, -30.0, "open"),
        "open full": (11, -30.0, "open"),
        "": (11, -30.0, "open"),
    }


def test_scan_while_another_is_under_way(tmp_path: Path) -> None:
    """A busy radio is waited for, and then scanned anew."""
    with SupplicantDouble(tmp_path, busy=2) as double, Supplicant(tmp_path, "wlan1") as supplicant:
        assert supplicant.scan(Deadline(5))[0] == []
        assert double.commands.count("SCAN") == 3


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"STATUS": "wpa_state=INTERFACE_DISABLED\n"}, "is switched off"),
        ({"SCAN": "FAIL\n"}, "refuses to scan: FAIL"),
        ({"ATTACH": "UNKNOWN COMMAND\n"}, "refuses ATTACH"),
    ],
)
def test_no_scan(tmp_path: Path, replies: dict[str, str | None], said: str) -> None:
    """A supplicant that cannot scan says nothing of the network: it could not be asked."""
    with (
        SupplicantDouble(tmp_path, replies=replies),
        pytest.raises(Unable, match=said),
        Supplicant(tmp_path, "wlan1") as supplicant,
    ):
        supplicant.scan(Deadline(1))


def test_scan_without_an_end(double: SupplicantDouble) -> None:
    """A radio that does not come to an end is ours."""
    with Supplicant(double.folder, "wlan1") as supplicant, pytest.raises(Unable, match="in time"):
        supplicant.scan(Deadline(0))


def test_no_socket(tmp_path: Path) -> None:
    """Without a supplicant the advice is how to start it."""
    with pytest.raises(Unable, match="start wpa_supplicant -i wlan1"), Supplicant(tmp_path, "wlan1"):
        pass


def test_ended_supplicant(tmp_path: Path) -> None:
    """The socket of a supplicant that was killed is told from one that works."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(tmp_path / "wlan1"))
    with pytest.raises(Unable, match="has ended"), Supplicant(tmp_path, "wlan1"):
        pass


def test_join_and_leave(double: SupplicantDouble) -> None:
    """A network is added with its mark, SSID in hexadecimal, frequencies and key, selected, and removed."""
    with Supplicant(double.folder, "wlan1") as supplicant:
        number = supplicant.add("图书馆".encode(), ("wpa2-psk", "wpa3-sae"), 'a "quoted" one', [2412, 5180])
        assert double.networks["0"] == {
            "id_str": f'"{MARK}"',
            "ssid": "e59bbee4b9a6e9a686",
            "scan_freq": "2412 5180",
            "key_mgmt": "WPA-PSK SAE",
            "ieee80211w": "1",
            "psk": '"a "quoted" one"',
        }
        supplicant.select(number)
        supplicant.remove(number)
    assert double.networks == {}
    assert double.commands[-1] == "DETACH"
    assert "SAVE_CONFIG" not in double.commands


def test_refused_passphrase(tmp_path: Path) -> None:
    """A passphrase that the supplicant refuses is not in the message, and the network is removed."""
    replies: dict[str, str | None] = {'SET_NETWORK 0 psk "very-secret"': "FAIL\n"}
    with SupplicantDouble(tmp_path, replies=replies) as double, Supplicant(tmp_path, "wlan1") as supplicant:
        with pytest.raises(Unable) as refused:
            supplicant.add(b"a", ("wpa2-psk",), "very-secret", [2412])
        assert "very-secret" not in str(refused.value)
        assert double.networks == {}


def test_raw_key(double: SupplicantDouble) -> None:
    """64 hexadecimal digits are the key itself, without quotes."""
    with Supplicant(double.folder, "wlan1") as supplicant:
        supplicant.add(b"a", ("wpa2-psk",), "ab" * 32, [2412])
    assert double.networks["0"]["psk"] == "ab" * 32


def test_networks_of_a_killed_run(double: SupplicantDouble) -> None:
    """What a killed run left is removed; a network of somebody else is not, and nothing is asked then."""
    double.networks["0"] = {"id_str": f'"{MARK}"'}
    with Supplicant(double.folder, "wlan1") as supplicant:
        supplicant.forget_ours()
        assert double.networks == {}
        double.networks["0"] = {"ssid": '"home"'}
        with pytest.raises(Unable, match="networks of its own"):
            supplicant.forget_ours()
    assert double.networks == {"0": {"ssid": '"home"'}}


def test_events_between(double: SupplicantDouble) -> None:
    """Events that come while a reply is awaited are kept, in their order."""
    with Supplicant(double.folder, "wlan1") as supplicant:
        double.tell("<3>CTRL-EVENT-BEACON-LOSS ", "<3>CTRL-EVENT-DISCONNECTED bssid=x reason=4")
        assert supplicant.say("STATUS") == "wpa_state=INACTIVE"
        texts = [event.text for event in supplicant.events(Deadline(0))]
    assert texts == ["CTRL-EVENT-BEACON-LOSS", "CTRL-EVENT-DISCONNECTED bssid=x reason=4"]


@pytest.mark.parametrize(
    ("security", "has_passphrase", "lines"),
    [
        (("open",), False, ["key_mgmt NONE"]),
        (("owe",), False, ["key_mgmt OWE", "ieee80211w 2"]),
        (("wpa3-sae",), True, ["key_mgmt SAE", "ieee80211w 2"]),
        (("wpa-psk",), True, ["key_mgmt WPA-PSK", "ieee80211w 1"]),
        (("open",), True, []),
        (("wpa2-psk",), False, []),
        (("802.1x",), True, []),
        (("wep",), False, []),
    ],
)
def test_keys(security: tuple[str, ...], has_passphrase: bool, lines: list[str]) -> None:
    """A passphrase is never offered to an open network, and none is joined for which there is no key."""
    assert keys(security, has_passphrase) == lines


@pytest.mark.parametrize(
    ("flags", "security"),
    [
        ("[ESS]", "open"),
        ("[WEP][ESS]", "wep"),
        ("[WPA2-FT/PSK-CCMP][ESS]", "wpa2-psk"),
        ("[RSN-SAE-CCMP][ESS]", "wpa3-sae"),
        ("[WPA2-EAP-SHA256-CCMP][WPS][ESS]", "802.1x"),
        ("[WPA2-DPP-CCMP]", "other"),
    ],
)
def test_flags(flags: str, security: str) -> None:
    """The supplicant's flags are read as iw's elements are."""
    assert "+".join(parse_flags(flags)) == security


@given(st.text())
def test_any_reply(text: str) -> None:
    """Any reply is read or passed over."""
    parse_bss(parse_values(text))
    parse_bss({"bssid": text, "freq": "2412", "level": "-1", "flags": text, "ssid": text})
    assert all(number.isdecimal() for number in parse_numbers(text))


@given(st.binary(max_size=32))
def test_escaped_ssid(ssid: bytes) -> None:
    """Any SSID comes back from the way in which the supplicant writes it."""
    named = {10: "\\n", 13: "\\r", 9: "\\t", 27: "\\e", 34: '\\"', 92: "\\\\"}
    written = "".join(named.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in ssid)
    assert from_printf(written) == ssid


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50, deadline=None
)
@given(st.sampled_from(["SCAN", "BSS", "STATUS", "LIST_NETWORKS", "ADD_NETWORK", "SET_NETWORK"]), st.text(max_size=50))
def test_any_answer_in_a_dialogue(tmp_path_factory: pytest.TempPathFactory, word: str, reply: str) -> None:
    """Whatever a supplicant answers, the dialogue ends in a result or says that it could not be asked."""
    folder = tmp_path_factory.mktemp("wpa")
    with SupplicantDouble(folder, recorded_bss(), replies={word: reply.encode("utf-8", "replace").decode()}):
        try:
            with Supplicant(folder, "wlan1") as supplicant:
                supplicant.forget_ours()
                supplicant.scan(Deadline(0.2))
                supplicant.remove(supplicant.add(b"a", ("open",), "", [2412]))
        except Unable as unable:
            assert str(unable)
