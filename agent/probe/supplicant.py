"""
wpa_supplicant by its control socket (`agent.control_socket`): networks in the air are found, and joined.

    with Supplicant(Path("/run/wpa_supplicant"), "wlan1") as supplicant:
        networks, took_s = supplicant.scan(deadline)
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.control_socket import ControlSocket, parse_values
from agent.deadline import Deadline
from agent.outcome import Unable
from agent.probe.iw import Network, fresh
from agent.ssid import from_printf, ssid_text

MARK = "santong-probe"  # id_str of our networks: how those of a killed run are known
_REPLY_S = 3.0
_BUSY_S = 0.5
# The values of a BSS that are asked for (wpa_ctrl.h, WPA_BSS_MASK_*): id, bssid, freq, level, age, flags, ssid.
_MASK = "MASK=0x1a87"
_MOST_NETWORKS = 1000


class Supplicant(ControlSocket):
    """
    A conversation with the supplicant of one interface, in a `with` block.

    Unable: there is none, its socket may not be opened, or it does not answer.
    """

    def __init__(self, folder: Path, interface: str) -> None:
        start = f"start wpa_supplicant -i {interface} with ctrl_interface={folder} (docs/probes.md)"
        allow = f"write ctrl_interface=DIR={folder} GROUP=netdev, and add the user to the group netdev"
        super().__init__(folder / interface, f"wpa_supplicant of {interface}", missing=start, forbidden=allow)
        self._interface = interface

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.command("ATTACH")
        except Unable:
            self._sock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with suppress(OSError, Unable):
            self.command("DETACH")
        super().__exit__(kind, error, where)

    # ---- talking

    def say(self, command: str, shown: str = "") -> str:
        """Return the reply without its line end. `shown` stands for a command with a secret in what people read."""
        return self.ask(command, Deadline(_REPLY_S), shown)

    def command(self, command: str, shown: str = "") -> None:
        """Give a command to which the answer must be OK; Unable when it is not."""
        reply = self.say(command, shown)
        if reply != "OK":
            raise Unable(f"wpa_supplicant of {self._interface} refuses {shown or command}: {reply[:80]}")

    # ---- scanning

    def scan(self, deadline: Deadline) -> tuple[list[Network], float]:
        """
        Return the access points that are heard now, and the seconds that a scan of all channels takes.

        Unable: the interface is switched off, or the radio does not come to an end in time.
        """
        if "wpa_state=INTERFACE_DISABLED" in self.say("STATUS"):
            hint = f"ip link set {self._interface} up, rfkill unblock wifi"
            raise Unable(f"{self._interface} is switched off: {hint}")
        self.say("BSS_FLUSH 0")
        while not deadline.is_over:
            self.forget_events()
            begun = time.perf_counter()
            reply = self.say("SCAN")
            if reply not in ("OK", "FAIL-BUSY"):
                raise Unable(f"wpa_supplicant of {self._interface} refuses to scan: {reply[:80]}")
            ended = self._scan_ends(deadline)
            if ended and reply == "OK":
                took_s = ended - begun
                return list(fresh(self._heard(), took_s + 1)), took_s
            if not ended:
                list(self.events(Deadline(deadline.left_s(_BUSY_S))))
        raise Unable(f"the radio of {self._interface} does not come to the end of a scan in time")

    def _scan_ends(self, deadline: Deadline) -> float:
        """Return when a scan brought results; 0 where it failed or the time was up."""
        for event in self.events(deadline):
            if event.text.startswith("CTRL-EVENT-SCAN-RESULTS"):
                return event.at_s
            if event.text.startswith("CTRL-EVENT-SCAN-FAILED"):
                break
        return 0.0

    def _heard(self) -> Iterator[Network]:
        """Yield every access point of the supplicant's list; one a question, since a reply has at most 4 kB."""
        which = "FIRST"
        seen: set[str] = set()
        while len(seen) < _MOST_NETWORKS:
            values = parse_values(self.say(f"BSS {which} {_MASK}"))
            number = values.get("id", "")
            if not number or number in seen:
                return
            seen.add(number)
            which = f"NEXT-{number}"
            if network := parse_bss(values):
                yield network

    # ---- networks

    def forget_ours(self) -> None:
        """Remove the networks that a killed run left; Unable when there are others: the interface is not ours alone."""
        for number in parse_numbers(self.say("LIST_NETWORKS")):
            if self.say(f"GET_NETWORK {number} id_str") != f'"{MARK}"':
                hint = "the test interface needs a wpa_supplicant without networks (docs/probes.md)"
                raise Unable(f"wpa_supplicant of {self._interface} has networks of its own: {hint}")
            self.remove(number)

    def add(self, ssid: bytes, security: tuple[str, ...], passphrase: str, frequencies_mhz: list[int]) -> str:
        """Add a network and return its number; nothing is tried before `select`."""
        number = self.say("ADD_NETWORK")
        if not number.isdecimal():
            raise Unable(f"wpa_supplicant of {self._interface} takes no network: {number[:80]}")
        setting = f"SET_NETWORK {number}"
        try:
            self.command(f'{setting} id_str "{MARK}"')
            self.command(f"{setting} ssid {ssid.hex()}")
            self.command(f"{setting} scan_freq {' '.join(map(str, frequencies_mhz))}")
            for line in keys(security, bool(passphrase)):
                self.command(f"{setting} {line}")
            if passphrase:
                is_key = len(passphrase) == 64
                self.command(f"{setting} psk {passphrase if is_key else _quoted(passphrase)}", f"{setting} psk …")
        except BaseException:
            self.remove(number)
            raise
        return number

    def select(self, number: str) -> None:
        """Join the network."""
        self.forget_events()
        self.command(f"SELECT_NETWORK {number}")

    def remove(self, number: str) -> None:
        """Forget the network, which leaves it; returns when that is done, or after a second."""
        was_joined = "wpa_state=COMPLETED" in self.say("STATUS")
        self.forget_events()
        self.command(f"REMOVE_NETWORK {number}")
        if was_joined:
            for event in self.events(Deadline(1)):
                if event.text.startswith("CTRL-EVENT-DISCONNECTED"):
                    break


def keys(security: tuple[str, ...], has_passphrase: bool) -> list[str]:
    """
    Return the settings with which such a network is joined; none where it cannot be.

    Protected management frames (IEEE 802.11 §12.6.16) are demanded where the standard does: SAE alone, and OWE.
    """
    if has_passphrase:
        offered = [ours for name, ours in (("wpa2-psk", "WPA-PSK"), ("wpa3-sae", "SAE")) if name in security]
        if "wpa-psk" in security and not offered:
            offered = ["WPA-PSK"]
        if not offered:
            return []
        return [f"key_mgmt {' '.join(offered)}", f"ieee80211w {2 if offered == ['SAE'] else 1}"]
    if "owe" in security:
        return ["key_mgmt OWE", "ieee80211w 2"]
    return ["key_mgmt NONE"] if "open" in security else []


def parse_bss(values: dict[str, str]) -> Network | None:
    """Return the access point that a reply to BSS describes; None when it is not one."""
    try:
        frequency_mhz, level, age_s = int(values["freq"]), int(values["level"]), int(values.get("age", "0"))
        bssid = values["bssid"]
    except (KeyError, ValueError):
        return None
    ssid = from_printf(values.get("ssid", ""))
    rssi_dbm = float(level) if level < 0 else None  # drivers without dBm give a quality of 0 to 100
    return Network(bssid, ssid_text(ssid), ssid, frequency_mhz, rssi_dbm, parse_flags(values.get("flags", "")), age_s)


def parse_flags(flags: str) -> tuple[str, ...]:
    """Return the security in `[WPA2-PSK+SAE-CCMP][ESS]`, in the words of `iw.Network`."""
    offered: set[str] = set()
    for flag in re.findall(r"\[([^\]]*)\]", flags):
        kind, *words = re.split(r"[-+/]", flag)
        if kind == "WEP":
            offered.add("wep")
        elif kind in ("WPA", "WPA2", "RSN"):
            psk = "wpa-psk" if kind == "WPA" else "wpa2-psk"
            names = {"EAP": "802.1x", "SAE": "wpa3-sae", "OWE": "owe", "PSK": psk}
            offered |= {names[word] for word in words if word in names} or {"other"}
    return tuple(sorted(offered)) or ("open",)


def parse_numbers(reply: str) -> list[str]:
    """Return the numbers of the networks in a reply to LIST_NETWORKS: its first line is a heading."""
    numbers = (line.partition("\t")[0] for line in reply.split("\n")[1:])
    return [number for number in numbers if number.isdecimal()]


def _quoted(passphrase: str) -> str:
    """Return a passphrase in quotes; the supplicant looks for the last one, those within need no escape."""
    return f'"{passphrase}"'
