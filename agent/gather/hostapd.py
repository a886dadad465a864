"""
Access points of this device, by the control socket of hostapd: a row for each interface, `key` is its name.

    STATUS                        state, channel, freq, and of each BSS of the radio its interface and SSID
    STA-FIRST, STA-NEXT address   the stations, one after the other

Raw names: interface, state (`ENABLED`, `DISABLED`, `COUNTRY_UPDATE`, `ACS`, `HT_SCAN`, `DFS` …, and in our own words
`ENDED` where hostapd was killed and left its socket), ssid, channel, frequency_mhz, stations, rssi_p50_dbm,
rssi_p10_dbm; utilization_percent where hostapd.conf has chan_util_avg_period.

The socket belongs to root and to the group of `ctrl_interface=DIR=/run/hostapd GROUP=…`. Unable: there is no socket, it
may not be opened, or no hostapd answers; where some do, those that do not have no row. A hostapd in another network
namespace is one that does not: its replies cannot reach us.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from agent.control_socket import ControlSocket, EndedError, parse_values
from agent.deadline import Deadline
from agent.gather.read import Read
from agent.gather.stations import summary
from agent.outcome import Outcome, Row, Unable
from agent.ssid import from_printf, ssid_text
from contract.sample import Value

ENDED = "ENDED"
_MOST_STATIONS = 2007  # association identifiers of one BSS (IEEE 802.11 §9.4.1.8)
_TRIES = 3
_FULL = 255  # channel utilisation is a share of it (IEEE 802.11 §9.4.2.27)


def read(ask: Read) -> Outcome:
    """Ask hostapd of each interface for its state and its stations; each has its share of the time."""
    folder = Path(ask.way.root, ask.what.control.lstrip("/"))
    deadline = Deadline(ask.timeout)
    names = _interfaces(folder, ask.what.interface)
    rows: list[Row] = []
    reasons: list[Unable] = []
    for number, name in enumerate(names):
        try:
            share = Deadline(deadline.left_s() / (len(names) - number))
            rows.append(Row(name, _values(folder, name, share)))
        except Unable as unable:
            reasons.append(unable)
    if not rows:
        raise reasons[0]
    return Outcome(True, rows=tuple(rows))


def _interfaces(folder: Path, pattern: str) -> list[str]:
    """Return the interfaces that have a socket; Unable when none has."""
    try:
        names = sorted(file.name for file in folder.iterdir() if file.is_socket())
    except PermissionError:
        raise Unable(f"the folder {folder} may not be opened: {_allow(folder)}") from None
    except OSError:
        names = []
    # `global` is no interface: hostapd's socket for itself (option -g) may stand beside the others
    found = [name for name in names if fnmatchcase(name, pattern) and name != "global"]
    if not found:
        raise Unable(f"there is no control socket {folder}/{pattern}: {_start(folder)}")
    return found


def _start(folder: Path) -> str:
    return f"start hostapd with ctrl_interface={folder}"


def _allow(folder: Path) -> str:
    return f"write ctrl_interface=DIR={folder} GROUP=netdev in hostapd.conf, and add the user to the group netdev"


def _values(folder: Path, name: str, deadline: Deadline) -> dict[str, Value]:
    who = f"hostapd of {name}"
    try:
        with ControlSocket(folder / name, who, missing=_start(folder), forbidden=_allow(folder)) as hostapd:
            values = parse_status(hostapd.ask("STATUS", deadline), name)
            return {**values, **_stations(hostapd, deadline)}
    except EndedError:
        return {"interface": name, "state": ENDED}


def _stations(hostapd: ControlSocket, deadline: Deadline) -> dict[str, Value]:
    """Return the summary of the stations that may pass data; nothing where they come and go all the time."""
    for _ in range(_TRIES):
        try:
            return summary(list(_signals(hostapd, deadline)))
        except _Gone:
            continue
    return {}


def _signals(hostapd: ControlSocket, deadline: Deadline) -> Iterator[float | None]:
    """Yield the signal of each station; _Gone where one went as we asked for the next."""
    reply = hostapd.ask("STA-FIRST", deadline)
    for _number in range(_MOST_STATIONS):
        if not reply:
            return
        address, _, rest = reply.partition("\n")
        if not rest:
            raise _Gone
        values = parse_values(rest)
        if "[AUTHORIZED]" in values.get("flags", ""):
            yield parse_signal(values)
        reply = hostapd.ask(f"STA-NEXT {address}", deadline, shown="STA-NEXT")


class _Gone(Exception):
    """The station that was asked for is not there any more: hostapd says FAIL."""


def parse_status(reply: str, interface: str) -> dict[str, Value]:
    """Return what a reply to STATUS says of an interface; the radio may have several."""
    values = parse_values(reply)
    found: dict[str, Value] = {"interface": interface}
    if state := values.get("state"):
        found["state"] = state
    for theirs, ours in (("channel", "channel"), ("freq", "frequency_mhz")):
        if (number := values.get(theirs, "")).isdecimal() and int(number):  # 0: none yet
            found[ours] = int(number)
    if ssid := _ssid(values, interface):
        found["ssid"] = ssid
    if (share := values.get("chan_util_avg", "")).isdecimal():
        found["utilization_percent"] = int(share) / _FULL * 100
    return found


def parse_signal(values: dict[str, str]) -> float | None:
    """Return the signal of a station in dBm, None where the driver gives none."""
    try:
        return float(values["signal"])
    except (KeyError, ValueError):
        return None


def _ssid(values: dict[str, str], interface: str) -> str:
    number = next((name[4:-1] for name, value in values.items() if name.startswith("bss[") and value == interface), "")
    return ssid_text(from_printf(values.get(f"ssid[{number}]", "")))
