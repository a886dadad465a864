r"""
The text that `iw dev IF scan` prints: one block an access point.

    BSS 02:00:00:00:00:00(on wlan1)
    <tab>freq: 2437
    <tab>capability: ESS Privacy ShortSlotTime (0x0411)
    <tab>signal: -30.00 dBm
    <tab>last seen: 44 ms ago
    <tab>SSID: caf\xc3\xa9
    <tab>RSN:<tab> * Version: 1
    <tab><tab> * Authentication suites: PSK SAE

iw writes bytes of an SSID that are not printable ASCII, backslashes, and spaces at its ends as \xNN. Anything else that
is not understood is passed over.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agent.ssid import from_iw, ssid_text

_BLOCK = re.compile(r"^BSS ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\(on [^)\n]*\)", re.MULTILINE)
_NUMBER = r"(-?\d{1,9}(?:\.\d{1,9})?)"
_SUITES = (  # names of iw for authentication and key management suites (IEEE 802.11 §9.4.2.24.3), first match counts
    ("802.1X", "802.1x"),
    ("SAE", "wpa3-sae"),
    ("OWE", "owe"),
    ("PSK", "wpa2-psk"),
)


class Network(NamedTuple):
    """
    One access point as it is heard.

    `ssid` is empty where it is hidden, `ssid_bytes` is what goes over the air. `rssi_dbm` is None where the driver does
    not give dBm. `security` has every way that is offered: open, wep, wpa-psk, wpa2-psk, wpa3-sae, 802.1x, owe, other.
    `age_s` is how long ago it was last heard, None where that is not said.
    """

    bssid: str
    ssid: str
    ssid_bytes: bytes
    frequency_mhz: int
    rssi_dbm: float | None
    security: tuple[str, ...]
    age_s: float | None = None

    @property
    def channel(self) -> int:
        """The channel number (see `channel_of`)."""
        return channel_of(self.frequency_mhz)

    def as_row(self) -> dict[str, object]:
        """Return what a reader wants to know of it."""
        signal = "unknown" if self.rssi_dbm is None else self.rssi_dbm
        ssid = self.ssid or "(hidden)"
        return {
            "ssid": printable(ssid),
            "bssid": self.bssid,
            "channel": self.channel,
            "rssi_dbm": signal,
            "security": "+".join(self.security),
        }


def parse(text: str) -> list[Network]:
    """Return the access points of a scan, in their order; blocks without a frequency are left out."""
    parts = _BLOCK.split(text)[1:]  # BSSID and block, in turn
    networks = (_network(bssid, block) for bssid, block in zip(parts[::2], parts[1::2], strict=True))
    return [network for network in networks if network]


def strongest(networks: Iterable[Network]) -> Network:
    """Return the one that is heard best; ValueError when there is none."""
    return max(networks, key=lambda network: -1000.0 if network.rssi_dbm is None else network.rssi_dbm)


def fresh(networks: Iterable[Network], within_s: float) -> Iterator[Network]:
    """Yield those heard within the last seconds; the kernel remembers others for half a minute."""
    return (network for network in networks if network.age_s is None or network.age_s <= within_s)


def channel_of(frequency_mhz: int) -> int:
    """Return the channel of a centre frequency (IEEE 802.11 §15.4.4.3, §17.3.8.4.2, Annex E); 0 when there is none."""
    special = {2484: 14, 5935: 2}
    if frequency_mhz in special:
        return special[frequency_mhz]
    for low, high, start, step in (
        (2412, 2472, 2407, 5),
        (4910, 4980, 4000, 5),
        (5000, 5925, 5000, 5),
        (5955, 7115, 5950, 5),
        (58320, 69120, 56160, 2160),
    ):
        if low <= frequency_mhz <= high:
            return (frequency_mhz - start) // step
    return 0


def printable(ssid: str) -> str:
    """Return a foreign SSID so that it cannot do anything to a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in ssid)


def _network(bssid: str, block: str) -> Network | None:
    frequency = _first(rf"^\tfreq: {_NUMBER}", block)
    if not frequency:
        return None
    ssid = from_iw(_first(r"^\tSSID: ?([^\n]*)", block))
    signal, age_ms = _first(rf"^\tsignal: {_NUMBER} dBm", block), _first(r"^\tlast seen: (\d{1,12}) ms ago", block)
    return Network(
        bssid,
        ssid_text(ssid),
        ssid,
        int(float(frequency)),
        float(signal) if signal else None,
        _security(block),
        int(age_ms) / 1000 if age_ms else None,
    )


def _first(pattern: str, block: str) -> str:
    match = re.search(pattern, block, re.MULTILINE)
    return match[1] if match else ""


def _security(block: str) -> tuple[str, ...]:
    """Return what the elements RSN (§9.4.2.24) and WPA offer, else whether the Privacy bit (§9.4.1.4) is set."""
    rsn, wpa = _element("RSN", block), _element("WPA", block)
    offered: list[str] = []
    if rsn:
        offered += _suites(rsn)
    if wpa:
        offered += ["wpa-psk" if name == "wpa2-psk" else name for name in _suites(wpa)]
    if offered:
        return tuple(sorted(set(offered)))
    return ("wep",) if re.search(r"^\tcapability:.*\bPrivacy\b", block, re.MULTILINE) else ("open",)


def _element(name: str, block: str) -> str:
    """Return the lines of an element: its first one and the deeper ones below."""
    match = re.search(rf"^\t{name}:[^\n]*(?:\n\t\t[^\n]*)*", block, re.MULTILINE)
    return match[0] if match else ""


def _suites(element: str) -> list[str]:
    words = _first(r"\* Authentication suites: ([^\n]*)", element)
    words = words.replace("FT/IEEE 802.1X", "802.1X").replace("IEEE 802.1X", "802.1X")
    named = (next((ours for theirs, ours in _SUITES if theirs in word), "other") for word in words.split())
    return sorted(set(named)) or ["other"]
