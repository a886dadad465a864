"""What iw prints of a scan becomes access points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probe.iw import Network, channel_of, fresh, parse, printable, strongest
from agent.ssid import from_iw, ssid_text
from tests.agent.probe.supplicant_double import FIXTURES

_KINDS = (FIXTURES / "wifi_kinds/iw_dev_scan.txt").read_text(encoding="utf-8")


def _block(*lines: str) -> str:
    return "\n".join(["BSS 02:00:00:00:00:00(on wlan1)", "\tfreq: 2437", *(f"\t{line}" for line in lines)]) + "\n"


def _only(*lines: str) -> Network:
    (network,) = parse(_block(*lines))
    return network


def test_two_networks() -> None:
    """Of a recorded scan every value is right."""
    networks = parse((FIXTURES / "wifi/iw_dev_scan.txt").read_text(encoding="utf-8"))
    seen = {n.ssid: (n.bssid, n.channel, n.rssi_dbm, n.security) for n in networks}
    assert seen == {
        "santong-open": ("02:00:00:00:00:00", 6, -30.0, ("open",)),
        "santong-wpa": ("02:00:00:00:02:00", 11, -30.0, ("wpa2-psk",)),
    }


def test_every_kind_of_security() -> None:
    """Open, WPA and WPA2, WPA3, both, OWE and 802.1X are told apart; SSIDs keep their spaces, accents and Chinese."""
    assert {n.ssid: "+".join(n.security) for n in parse(_KINDS)} == {
        "café 图书馆": "open",
        "sae-net": "wpa3-sae",
        "mixed": "wpa2-psk+wpa3-sae",
        "owe-net": "owe",
        "testbed": "wpa2-psk",
        "open full": "open",
        " lead\\slash ": "wpa-psk+wpa2-psk",
        "enterprise": "802.1x",
    }


def test_associated_and_hidden() -> None:
    """The network that the interface has joined is one as any other; a hidden one has no SSID and stays in the list."""
    networks = parse((FIXTURES / "wifi_kinds/iw_dev_scan_associated.txt").read_text(encoding="utf-8"))
    by_bssid = {n.bssid: n for n in networks}
    assert by_bssid["02:00:00:00:00:00"].ssid == "testbed"
    assert by_bssid["02:00:00:00:00:00"].age_s == 0.004
    hidden = by_bssid["02:00:00:00:03:02"]
    assert hidden.ssid == ""
    assert hidden.as_row()["ssid"] == "(hidden)"


@pytest.mark.parametrize(
    ("lines", "security"),
    [
        (["capability: ESS Privacy (0x0411)"], "wep"),
        (["capability: ESS (0x0401)"], "open"),
        (["WPA:\t * Version: 1", "\t * Authentication suites: IEEE 802.1X"], "802.1x"),
        (["RSN:\t * Version: 1", "\t * Authentication suites: FT/IEEE 802.1X IEEE 802.1X/SHA-256"], "802.1x"),
        (["RSN:\t * Version: 1", "\t * Authentication suites: FT/PSK PSK/SHA-256"], "wpa2-psk"),
        (["RSN:\t * Version: 1", "\t * Authentication suites: FT/SAE"], "wpa3-sae"),
        (["RSN:\t * Version: 1", "\t * Authentication suites: 00-50-f2:77"], "other"),
        (["RSN:\t * Version: 1"], "other"),
        (["HT:", "\t * Authentication suites: SAE", "capability: ESS (0x0401)"], "open"),
    ],
)
def test_security(lines: list[str], security: str) -> None:
    """Suites that a scan in the lab did not have are read as well, and only from the elements RSN and WPA."""
    assert "+".join(_only(*lines).security) == security


def test_newer_iw() -> None:
    """Frequencies with a fraction (iw 6) and signals without dBm are read; the latter is unknown, not zero."""
    text = _block("signal: 70/100", "SSID: a").replace("freq: 2437", "freq: 5180.0")
    (network,) = parse(text)
    assert (network.channel, network.rssi_dbm, network.age_s) == (36, None, None)
    assert network.as_row()["rssi_dbm"] == "unknown"


def test_block_without_frequency() -> None:
    """What is not an access point is left out."""
    assert parse("BSS 02:00:00:00:00:00(on wlan1)\n\tSSID: a\n") == []
    assert parse("command failed: Device or resource busy (-16)\n") == []


@pytest.mark.parametrize(
    ("mhz", "channel"),
    [(2412, 1), (2472, 13), (2484, 14), (5180, 36), (5825, 165), (5955, 1), (5935, 2), (7115, 233), (58320, 1), (1, 0)],
)
def test_channel(mhz: int, channel: int) -> None:
    """Channel numbers follow IEEE 802.11."""
    assert channel_of(mhz) == channel


def test_ssid_in_gbk() -> None:
    """An SSID that an old access point sends in GBK is text as well."""
    assert ssid_text("图书馆WiFi".encode("gbk")) == "图书馆WiFi"
    assert ssid_text(b"\0\0\0") == ""


def test_old_entries() -> None:
    """What the kernel only remembers is not heard."""
    networks = [_only("SSID: a", f"last seen: {ms} ms ago") for ms in (100, 29_000)]
    assert [n.age_s for n in fresh(networks, 5)] == [0.1]


def test_strongest() -> None:
    """The strongest is the one with the highest signal, one of unknown signal is the weakest."""
    networks = [_only(f"signal: {signal}") for signal in ("-70.00 dBm", "-40.00 dBm", "50/100")]
    assert strongest(networks).rssi_dbm == -40.0


@given(st.binary(max_size=32))
def test_escaped_ssid(ssid: bytes) -> None:
    """Any SSID comes back from the way in which iw writes it."""
    last = len(ssid) - 1

    def is_plain(index: int, byte: int) -> bool:
        return (33 <= byte < 127 and byte != 92) or (byte == 32 and 0 < index < last)

    written = "".join(chr(b) if is_plain(i, b) else f"\\x{b:02x}" for i, b in enumerate(ssid))
    assert from_iw(written) == ssid
    assert _only(f"SSID: {written}").ssid_bytes == ssid


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text gives a list, and nothing in it can steer a terminal."""
    for network in parse(text) + parse(_block(*text.split("\n"))):
        assert all(c.isprintable() for c in printable(network.ssid))
        assert network.channel >= 0
