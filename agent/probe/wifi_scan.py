"""
Is the network in the air? All channels are scanned with `iw` (IEEE 802.11 §11.1.4); nothing is joined.

`found` is the number of access points (BSSIDs) with the SSID, `rssi_dbm` and `channel` those of the strongest,
`scan_ms` the time of the scan. An interface that is down is up during the scan and down again afterwards. The
details have every network that is heard: they stay on the device.

Stages: `scan` (the SSID is not heard), `security` (one of its access points offers what it should not: a copy by
somebody else, or a changed setting), `signal` (the strongest is below `min_rssi_dbm`). There are no codes.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import iw
from agent.probe.base import Via
from agent.probe.iw import Network
from agent.probe.net import milliseconds
from agent.probe.settings import WifiScan
from agent.programs import Said, run
from contract.sample import Value

_BUSY, _DOWN, _RFKILL, _NO_DEVICE, _FORBIDDEN, _NO_SCAN = "(-16)", "(-100)", "(-132)", "(-19)", "(-1)", "(-95)"
_BUSY_S = 0.5
_SCANNING, _LONGEST_S = 0.7, 12.0  # of the time is for the scan; iw 5.19 may hang after it, then the list is read


class Heard(NamedTuple):
    """What a scan heard; `took_s` is None where iw did not tell its end."""

    networks: list[Network]
    took_s: float | None


def probe(ask: WifiScan, via: Via) -> Outcome:  # noqa: ARG001  the settings name the interface
    """Scan once and judge the access points that have the SSID."""
    heard = scan(ask.interface, Deadline(ask.timeout))
    ours = [network for network in heard.networks if network.ssid == ask.target]
    fields: dict[str, Value] = {"found": len(ours)}
    if heard.took_s is not None:
        fields["scan_ms"] = milliseconds(heard.took_s)
    details = {"networks": [network.as_row() for network in heard.networks]}
    if not ours:
        reason = f"{ask.target} is not heard, {len(heard.networks)} other access points are"
        raise Failed("scan", reason, fields=fields, details=details)
    fields |= signal_of(ours)
    if reason := _wrong_security(ours, ask.security):
        raise Failed("security", reason, fields=fields, details=details)
    if reason := too_weak(ours, ask.min_rssi_dbm):
        raise Failed("signal", reason, fields=fields, details=details)
    return Outcome(True, fields=fields, details=details)


def signal_of(ours: Sequence[Network]) -> dict[str, Value]:
    """Return channel and signal of the strongest; the signal is absent where the driver gives no dBm."""
    best = iw.strongest(ours)
    fields: dict[str, Value] = {"channel": best.channel}
    return fields if best.rssi_dbm is None else {"rssi_dbm": best.rssi_dbm, **fields}


def too_weak(ours: Sequence[Network], min_rssi_dbm: float | None) -> str:
    """Return why the strongest is not strong enough, empty when it is; Unable when the driver gives no dBm."""
    rssi_dbm = iw.strongest(ours).rssi_dbm
    if min_rssi_dbm is None:
        return ""
    if rssi_dbm is None:
        raise Unable("the driver does not give the signal in dBm: leave min_rssi_dbm out")
    return f"{rssi_dbm:g} dBm, {min_rssi_dbm:g} dBm are due" if rssi_dbm < min_rssi_dbm else ""


def _wrong_security(ours: Sequence[Network], allowed: Sequence[str]) -> str:
    strangers = [network for network in ours if allowed and not set(network.security) <= set(allowed)]
    if not strangers:
        return ""
    offers = ", ".join(sorted({"+".join(network.security) for network in strangers}))
    return f"{len(strangers)} of {len(ours)} access points offer {offers}, due is {' or '.join(allowed)}"


# ---- iw


def scan(interface: str, deadline: Deadline) -> Heard:
    """
    Scan all channels; while another scan is under way, wait and try again.

    Unable: iw, interface or privilege is missing, the radio is switched off, or it is not ready in time.
    """
    said = _scan(interface, deadline)
    if said and _DOWN in said[0].error:
        with _raised(interface):
            said = _scan(interface, deadline)
            return _heard(interface, said, deadline)
    return _heard(interface, said, deadline)


def _scan(interface: str, deadline: Deadline) -> tuple[Said, float]:
    """Return what iw said, and the seconds it took."""
    until = Deadline(min(deadline.left_s() * _SCANNING, _LONGEST_S))
    was_busy = ""
    while True:
        begun = time.perf_counter()
        said = run(["iw", "dev", interface, "scan", "flush"], until)
        if said.code is None and was_busy:  # the last try had no time of its own
            said = said._replace(error=was_busy)
        if _BUSY not in said.error or until.left_s() <= _BUSY_S:
            return said, time.perf_counter() - begun
        was_busy = said.error
        time.sleep(_BUSY_S)


def _heard(interface: str, said_in: tuple[Said, float], deadline: Deadline) -> Heard:
    said, took_s = said_in
    if said.code == 0:
        return Heard(list(iw.fresh(iw.parse(said.out), took_s + 1)), took_s)
    if said.code is None:
        kept = run(["iw", "dev", interface, "scan", "dump"], deadline)
        networks = list(iw.fresh(iw.parse(kept.out), took_s + 1))
        if networks:
            return Heard(networks, None)
        if _BUSY in said.error:
            raise Unable(explain(interface, said.error))
        raise Unable(f"iw does not come to the end of a scan with {interface} in {took_s:.0f} s")
    raise Unable(explain(interface, said.error))


def explain(interface: str, error: str) -> str:
    """Return what to do about an error of iw."""
    for mark, advice in (
        (_NO_DEVICE, f"there is no wireless interface {interface}"),
        (_FORBIDDEN, "the privilege CAP_NET_ADMIN is missing, which a scan needs"),
        (_RFKILL, f"the radio of {interface} is switched off: rfkill unblock wifi"),
        (_DOWN, f"{interface} is down and cannot be set up: ip link set {interface} up"),
        (_BUSY, f"the radio of {interface} was busy all the time: another program scans"),
        (_NO_SCAN, f"{interface} cannot scan in the mode that it is in (iw dev {interface} info)"),
    ):
        if mark in error:
            return advice
    return f"iw dev {interface} scan: {Said(1, '', error).last_words}"


@contextmanager
def _raised(interface: str) -> Iterator[None]:
    """Set an interface up, and down again at the end; whether that worked the next scan tells."""
    run(["ip", "link", "set", interface, "up"], Deadline(5))
    try:
        yield
    finally:
        run(["ip", "link", "set", interface, "down"], Deadline(5))
