r"""
The text that `iw` prints of its interfaces, their stations and their channels.

    Interface wlan0                        Station 02:00:00:00:01:00 (on wlan0)    Survey data from wlan0
    <tab>ssid caf\xc3\xa9                  <tab>signal:  <tab>-49 [-57, -56] dBm   <tab>frequency:<tab>2437 MHz [in use]
    <tab>type AP                           <tab>authorized:<tab>yes                <tab>noise:<tab>-92 dBm
    <tab>channel 6 (2437 MHz), width: …    <tab>Link 0:                            <tab>channel active time:<tab>76 ms
    <tab>txpower 20.00 dBm                 <tab><tab>signal:<tab>-51 dBm           <tab>channel busy time:<tab>9 ms

Of WiFi 7 each link has lines of its own, one level deeper. What is not understood is passed over; addresses of stations
are not kept.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.gather.stations import is_dbm
from agent.ssid import from_iw, ssid_text
from contract.sample import Value

_INTERFACE = re.compile(r"^[ \t]*Interface (\S{1,15})$", re.MULTILINE)
_STATION = re.compile(r"^Station [0-9a-f:]{17} \(on [^)\n]*\)[^\n]*\n", re.MULTILINE)
_SURVEY = re.compile(r"^Survey data from [^\n]*\n", re.MULTILINE)
_NUMBER = r"(-?\d{1,9}(?:\.\d{1,9})?)"
_TIMES = ("active", "busy", "receive", "transmit")


class Interface(NamedTuple):
    """
    A wireless interface: its name, its type (`AP`, `managed` …), and what is told of it.

    That is interface, type, ssid, channel, frequency_mhz, txpower_dbm; of WiFi 7 the channel of the first link. And
    on_air, 1 for an access point that is on a channel: without hostapd the type may stay, but not the channel.
    """

    name: str
    type: str
    values: dict[str, Value]

    @property
    def is_access_point(self) -> bool:
        """Tell whether stations join it; `AP/VLAN` is a part of one that has stations of its own."""
        return self.type in ("AP", "AP/VLAN")

    @property
    def frequency_mhz(self) -> int | None:
        """The frequency of its channel; None while it has none."""
        found = self.values.get("frequency_mhz")
        return int(found) if found is not None else None


class Channel(NamedTuple):
    """One channel of a survey: its frequency, whether it is in use, its noise_dbm and counters (active_ms …)."""

    frequency_mhz: int
    is_in_use: bool
    values: dict[str, Value]


def parse_interfaces(text: str) -> list[Interface]:
    """Return the interfaces that `iw dev` tells, in its order."""
    parts = _INTERFACE.split(text)[1:]  # name and block, in turn
    return [_interface(name, block) for name, block in zip(parts[::2], parts[1::2], strict=True)]


def parse_stations(text: str) -> list[float | None]:
    """Return the signal of each station (dBm) that may pass data, None where the driver gives none."""
    blocks = _STATION.split(text)[1:]
    return [_signal(block) for block in blocks if not re.search(r"^\tauthorized:\s*no\b", block, re.MULTILINE)]


def parse_survey(text: str) -> list[Channel]:
    """Return the channels of `iw dev IF survey dump`; those without a frequency are left out."""
    return [channel for block in _SURVEY.split(text)[1:] for channel in _channel(block)]


def channel_in_use(channels: list[Channel], frequency_mhz: int | None) -> dict[str, Value]:
    """
    Return what the survey has of the channel that is in use, empty when there is nothing.

    Where the driver marks none it is the interface's own.
    """
    marked = [channel for channel in channels if channel.is_in_use]
    own = [channel for channel in marked or channels if channel.frequency_mhz == frequency_mhz]
    for channel in own or marked[:1]:
        return channel.values
    return {}


def _interface(name: str, block: str) -> Interface:
    values: dict[str, Value] = {"interface": name}
    if ssid := ssid_text(from_iw(_first(r"^\s+ssid ([^\n]*)", block))):
        values["ssid"] = ssid
    if channel := re.search(r"^\s+channel (\d{1,4}) \((\d{1,6})(?:\.\d+)? MHz\)", block, re.MULTILINE):
        values |= {"channel": int(channel[1]), "frequency_mhz": int(channel[2])}
    if power := _first(rf"^\s+txpower {_NUMBER} dBm", block):
        values["txpower_dbm"] = float(power)
    if type_ := _first(r"^\s+type ([^\n]*)", block):
        values["type"] = type_
    values["on_air"] = int(type_ == "AP" and "channel" in values)
    return Interface(name, type_, values)


def _signal(block: str) -> float | None:
    """Return the signal of a station; of several links without one for all that of the best."""
    own = _first(rf"^\tsignal:\s*{_NUMBER}", block)
    of_links = re.findall(rf"^\t\t+signal:\s*{_NUMBER}", block, re.MULTILINE)
    known = [float(text) for text in ([own] if own else of_links) if is_dbm(float(text))]
    return max(known) if known else None


def _channel(block: str) -> Iterator[Channel]:
    frequency = re.search(r"^\tfrequency:\s*(\d{1,6})(?:\.\d+)? MHz( \[in use\])?", block, re.MULTILINE)
    if not frequency:
        return
    values: dict[str, Value] = {}
    if noise := _first(rf"^\tnoise:\s*{_NUMBER} dBm", block):
        values["noise_dbm"] = float(noise)
    for name in _TIMES:
        if time_ms := _first(rf"^\tchannel {name} time:\s*(\d{{1,19}}) ms", block):
            values[f"{name}_ms"] = int(time_ms)
    yield Channel(int(frequency[1]), frequency[2] is not None, values)


def _first(pattern: str, block: str) -> str:
    match = re.search(pattern, block, re.MULTILINE)
    return match[1] if match else ""
