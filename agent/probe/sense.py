"""
What a probe's settings must not say together, though each value by itself is one: what can never work, or would harm.

Light, and without a network: the agent's loop loads it, `santong-agent run --check` and `santong-agent probe` use it.
The rules of time that a probe itself goes by (`icmp_time`, `sweep_s`, `throughput_time`) are here too, in one place.
"""

import ipaddress
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.probe.settings import (
    Arp,
    Ask,
    Dhcp,
    Dns,
    Http,
    Icmp,
    Portal,
    Throughput,
    WifiJoin,
    WifiScan,
)
from agent.probe.values import is_address
from contract.errors import Problem

# icmp
MOST_PACKETS, LEAST_INTERVAL_S = 1000, 0.01
LAST_REPLY_S = 1.0  # what the last packet is given to come back, unless the whole probe is shorter than twice this
# dhcp
OFFER_S = 1.0  # the least for a first offer
REQUEST_S = 1.0  # kept for a REQUEST and its ACK
# arp
MOST_ADDRESSES, PASSES = 1024, 2
LAST_ANSWER_S = 0.5  # for the answers of those asked last in a pass
# throughput
SPARE_S = 2.0  # for names, connections and the first byte of each direction

_LEAST_EVERY_S, _MOST_EVERY_S, _MOST_TIMEOUT_S = 1.0, 366 * 86_400.0, 600.0
_MOST_REDIRECTS = 20
_MOST_STREAMS, _SECONDS, _WARM_UP = 32, (1.0, 120.0), (0.1, 60.0)
_RSSI_DBM = (-120.0, 0.0)


def problems(ask: Ask, *, is_repeated: bool) -> list[Problem]:
    """Return every mistake, with the setting's name as path; `is_repeated`: it runs once in `every`, in an agent."""
    found = list(_common(ask))
    if is_repeated:
        found += _rhythm(ask)
    for kinds, rules in _RULES:
        if isinstance(ask, kinds):
            found += rules(ask)
    if isinstance(ask, WifiJoin) and not is_repeated:  # an agent may be given its passphrase later
        found += _file("passphrase_file", ask.passphrase_file)
    return found


def _common(ask: Ask) -> Iterator[Problem]:
    if not ask.target:
        yield Problem("target", "is empty")
    if ask.timeout > _MOST_TIMEOUT_S:
        yield Problem("timeout", f"{ask.timeout:g} s is too long: at most {_MOST_TIMEOUT_S:g} s")
    for name in ("max_rtt", "max_first_byte"):
        if (most_s := getattr(ask, name, None)) is not None and most_s <= 0:
            yield Problem(name, "0 s is what nothing can keep: above 0 is needed")


def _rhythm(ask: Ask) -> Iterator[Problem]:
    if ask.every < _LEAST_EVERY_S:
        yield Problem("every", f"{ask.every:g} s is too often: at least {_LEAST_EVERY_S:g} s")
    if ask.every > _MOST_EVERY_S:
        yield Problem("every", f"{ask.every:g} s is too rare: at most a year")
    if ask.timeout > ask.every and not isinstance(ask, Throughput):
        yield Problem(
            "timeout", f"{ask.timeout:g} s is longer than every, {ask.every:g} s: a run must end before the next"
        )


# ---- icmp


def icmp_time(ask: Icmp) -> str:
    """Return what is wrong where the last packets would be counted as lost for want of time, else nothing."""
    sending_s = (ask.packets - 1) * ask.interval
    if sending_s + last_reply_s(ask.timeout) <= ask.timeout:
        return ""
    return (
        f"{ask.packets} packets every {ask.interval:g} s take {sending_s:g} s: "
        f"set timeout to {sending_s + LAST_REPLY_S:g} s or more"
    )


def last_reply_s(timeout_s: float) -> float:
    """Return how long the last packet is waited for."""
    return min(LAST_REPLY_S, timeout_s / 2)


def _icmp(ask: Icmp) -> Iterator[Problem]:
    is_wrong = False
    if ask.packets > MOST_PACKETS:
        is_wrong = True
        yield Problem("packets", f"{ask.packets} are too many: at most {MOST_PACKETS}")
    if ask.interval < LEAST_INTERVAL_S:
        is_wrong = True
        yield Problem("interval", f"{ask.interval * 1000:g} ms is too fast: at least {LEAST_INTERVAL_S * 1000:g} ms")
    if not 0 <= ask.max_loss_percent <= 100:
        yield Problem("max_loss_percent", f"{ask.max_loss_percent:g} is no share: 0 to 100")
    if not is_wrong and (words := icmp_time(ask)):
        yield Problem("timeout", words)


# ---- dns


def _dns(ask: Dns) -> Iterator[Problem]:
    if is_address(ask.target):
        yield Problem(
            "target", f"{ask.target} is an address, a name to look up is needed; the server asked is resolver"
        )
    version = 6 if ask.type == "AAAA" else 4
    if ask.expect and all(ipaddress.ip_network(network).version != version for network in ask.expect):
        yield Problem("expect", f"no network there can hold an answer of type {ask.type}")


# ---- dhcp


def _dhcp(ask: Dhcp) -> Iterator[Problem]:
    needed_s = ask.listen + OFFER_S + (REQUEST_S if ask.request else 0)
    if needed_s > ask.timeout:
        what = "an offer and the request" if ask.request else "an offer"
        reason = (
            f"{ask.listen:g} s leave no time for {what} in timeout, {ask.timeout:g} s: set timeout to {needed_s:g} s"
        )
        yield Problem("listen", f"{reason} or more")


# ---- arp


def sweep_s(addresses: int, per_second: float) -> float:
    """Return how long it takes at most to ask for so many addresses."""
    return PASSES * (addresses / per_second + LAST_ANSWER_S)


def too_large(network: ipaddress.IPv4Network) -> str:
    """Return what is wrong with a network that has too many addresses, else nothing."""
    if network.num_addresses <= MOST_ADDRESSES:
        return ""
    smaller = next(network.subnets(new_prefix=22))
    return f"{network} has more than {MOST_ADDRESSES} addresses: set subnet to a part, such as {smaller}"


def too_slow(addresses: int, ask: Arp) -> str:
    """Return what is wrong where so many addresses cannot be asked for in time, else nothing."""
    needed_s = sweep_s(addresses, ask.per_second)
    if needed_s <= ask.timeout:
        return ""
    return f"{addresses} addresses take {needed_s:.1f} s: set timeout or per_second higher"


def outside(ask: Arp, network: ipaddress.IPv4Network, own: str = "") -> str:
    """Return what is wrong where `expect` has what is never asked for, else nothing; `own` is our address."""
    hosts = set(map(str, network.hosts()))
    strangers = [address for address in ask.expect if address != own and address not in hosts]
    if not strangers:
        return ""
    return f"{', '.join(strangers)} {'are' if len(strangers) > 1 else 'is'} no host of {network}, which is asked"


def _arp(ask: Arp) -> Iterator[Problem]:
    if ask.subnet == "auto":
        return
    network = ipaddress.IPv4Network(ask.subnet)
    if words := too_large(network):
        yield Problem("subnet", words)
        return
    if words := outside(ask, network):
        yield Problem("expect", words)
    if words := too_slow(len(list(network.hosts())), ask):
        yield Problem("timeout", words)


# ---- http, portal


def _http(ask: Http) -> Iterator[Problem]:
    if strange := [status for status in ask.status if not 100 <= status <= 599]:
        yield Problem("status", f"{strange[0]} is no status of HTTP: 100 to 599")
    if not 0 <= ask.max_redirects <= _MOST_REDIRECTS:
        yield Problem("max_redirects", f"{ask.max_redirects} is not within 0 and {_MOST_REDIRECTS}")
    if not math.isfinite(ask.min_certificate_days):
        yield Problem("min_certificate_days", f"{ask.min_certificate_days:g} is no number of days")


def _authority(ask: Http | Portal | Throughput) -> Iterator[Problem]:
    return _file("ca", ask.ca)


def _endpoints(ask: Portal | WifiJoin) -> Iterator[Problem]:
    if not ask.endpoints:
        yield Problem("endpoints", "is empty: at least one is needed, or leave it out")


def _file(name: str, file: str) -> Iterator[Problem]:
    if not file:
        return
    if not Path(file).exists():
        yield Problem(name, f"there is no file {file}")
    elif not Path(file).is_file() or not os.access(file, os.R_OK):
        yield Problem(name, f"{file} cannot be read")


# ---- throughput


def is_backend(url: str) -> bool:
    """Tell whether an address is that of a LibreSpeed backend, which takes uploads, and not of a file."""
    parts = urlsplit(url)
    return not parts.query and (parts.path or "/").endswith("/")


def directions(ask: Throughput) -> list[str]:
    """Return what is measured, in its order."""
    return ["download", "upload"] if ask.upload and is_backend(ask.target) else ["download"]


def patience_s(ask: Throughput) -> float:
    """Return how long each direction may take until its first byte."""
    return ask.timeout / len(directions(ask)) - ask.warm_up - ask.seconds


def throughput_time(ask: Throughput) -> str:
    """Return what is wrong where the timeout is too short for what is to be measured, else nothing."""
    if patience_s(ask) >= SPARE_S:
        return ""
    needed_s = len(directions(ask)) * (ask.warm_up + ask.seconds + SPARE_S)
    return f"{ask.timeout:g} s are too short for what is to be measured: set {needed_s:g} s"


def _throughput(ask: Throughput) -> Iterator[Problem]:
    is_wrong = False
    if ask.streams > _MOST_STREAMS:
        yield Problem("streams", f"{ask.streams} are too many: at most {_MOST_STREAMS}")
    for name, given_s, (least_s, most_s) in (("seconds", ask.seconds, _SECONDS), ("warm_up", ask.warm_up, _WARM_UP)):
        if not least_s <= given_s <= most_s:
            is_wrong = True
            yield Problem(name, f"{given_s:g} s is not within {least_s:g} s and {most_s:g} s")
    if ask.slot is not None and ask.slot < 0:
        yield Problem("slot", f"{ask.slot} is no slot: they are counted from 0")
    if not is_wrong and (words := throughput_time(ask)):
        yield Problem("timeout", words)
    shortest_s = min(end - start for start, end in ask.window.spans_s)
    if ask.timeout > shortest_s:
        reason = f"the shortest part of the window has {shortest_s} s, less than a slot of timeout, {ask.timeout:g} s"
        yield Problem("window", reason)


# ---- wifi


def _signal(ask: WifiScan | WifiJoin) -> Iterator[Problem]:
    least, most = _RSSI_DBM
    if ask.min_rssi_dbm is not None and not least <= ask.min_rssi_dbm <= most:
        yield Problem("min_rssi_dbm", f"{ask.min_rssi_dbm:g} dBm is no signal's strength: {least:g} to {most:g}")


def _join(ask: WifiJoin) -> Iterator[Problem]:
    if is_address(ask.dns):
        yield Problem("dns", f"{ask.dns} is an address, a name to look up is needed")


_Rules = Callable[[Any], Iterator[Problem]]
_RULES: tuple[tuple[tuple[type, ...], _Rules], ...] = (
    ((Icmp,), _icmp),
    ((Dns,), _dns),
    ((Dhcp,), _dhcp),
    ((Arp,), _arp),
    ((Http,), _http),
    ((Http, Portal, Throughput), _authority),
    ((Portal, WifiJoin), _endpoints),
    ((Throughput,), _throughput),
    ((WifiScan, WifiJoin), _signal),
    ((WifiJoin,), _join),
)
