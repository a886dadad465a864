"""
The whole way of a stranger's phone, over an interface of its own; the stage where it ends is the result.

`scan` → `signal` → `associate` → `dhcp` → `dns` → `portal` → `http`, with the times of each: `scan_ms` (all channels),
`associate_ms` (from the first authentication frame to the completed key handshake, IEEE 802.11 §4.10), `dhcp_ms`
(RFC 2131), `dns_ms`, `portal_ms`, `http_ms`. A login page is the end of the way for those who have no account: that is
a success, with stage `portal`. Otherwise the stage of a success is `done`.

Failures: `scan` (the SSID is not heard), `signal` (below `min_rssi_dbm`), `associate` (code: status or reason code of
IEEE 802.11 §9.4.1.9, §9.4.1.7; also when the access point puts us out later and we do not come back), `dhcp` (6: NAK),
`dns` (RCODE), `portal` and `http` (codes of the probes of these names; the reason begins with their stage).

Afterwards the interface is as before: network forgotten, address, routes and rules gone (`way.py`), lease released.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from agent.deadline import Deadline
from agent.outcome import DONE, Failed, Outcome, Unable
from agent.probe import dhcp, http, iw, portal, way
from agent.probe.association import Association
from agent.probe.base import Via
from agent.probe.dns import lookup
from agent.probe.iw import Network
from agent.probe.net import milliseconds
from agent.probe.settings import Http, WifiJoin
from agent.probe.supplicant import Supplicant, keys
from agent.probe.values import Url
from agent.probe.wifi_scan import signal_of, too_weak
from contract.sample import Value
from contract.settings import Seconds

# The most that a stage may take: a phone's user does not wait longer either.
_ASSOCIATE_S, _DHCP_S, _DNS_S, _PORTAL_S, _HTTP_S = 20.0, 20.0, 10.0, 15.0, 15.0
_TIDY = 0.1  # of the time is for leaving, at most:
_TIDY_S = 3.0
_CARRIER_S = 2.0
_TOLD_S = 0.05  # what has happened to the connection has been told by then


class _Seen(NamedTuple):
    """What the journey has found so far."""

    fields: dict[str, Value]
    details: dict[str, object]


def probe(ask: WifiJoin, via: Via) -> Outcome:  # noqa: ARG001  it makes a way of its own
    """Go the way once; whatever happens, the interface is left as it was."""
    deadline = Deadline(ask.timeout - min(_TIDY_S, ask.timeout * _TIDY))
    passphrase = read_passphrase(ask.passphrase_file)
    seen = _Seen({}, {})
    with way.prepared(ask.interface), Supplicant(Path(ask.control), ask.interface) as supplicant:
        try:
            return _journey(ask, passphrase, supplicant, seen, deadline)
        except Failed as failed:
            fields, details = {**seen.fields, **failed.fields}, {**seen.details, **failed.details}
            raise Failed(failed.stage, failed.reason, failed.code, fields, details) from None


def read_passphrase(file: str) -> str:
    """Return the passphrase: the first line of the file, empty without a file. Unable: it cannot be one."""
    if not file:
        return ""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Unable(f"the passphrase in {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unable(f"the first line of {file} is no passphrase: it is not text") from None
    passphrase = lines[0] if lines else ""
    is_key = len(passphrase) == 64 and all(c in "0123456789abcdefABCDEF" for c in passphrase)
    is_passphrase = 8 <= len(passphrase) <= 63 and passphrase.isascii() and passphrase.isprintable()
    if not is_key and not is_passphrase:
        raise Unable(f"the first line of {file} is no passphrase: 8 to 63 characters of ASCII, or 64 hex digits")
    return passphrase


def _journey(ask: WifiJoin, passphrase: str, supplicant: Supplicant, seen: _Seen, deadline: Deadline) -> Outcome:
    supplicant.forget_ours()
    ours = _find(ask, supplicant, seen, deadline)
    with _joined(ours, passphrase, supplicant, seen, deadline) as association:
        try:
            return _beyond(ask, seen, deadline)
        except Failed as failed:
            raise _because_put_out(failed, supplicant, association) from None


def _find(ask: WifiJoin, supplicant: Supplicant, seen: _Seen, deadline: Deadline) -> list[Network]:
    """Scan; return the access points with the SSID."""
    networks, took_s = supplicant.scan(deadline)
    ours = [network for network in networks if network.ssid == ask.target]
    seen.fields.update({"scan_ms": milliseconds(took_s), "found": len(ours)})
    seen.details["networks"] = [network.as_row() for network in networks]
    if not ours:
        raise Failed("scan", f"{ask.target} is not heard, {len(networks)} other access points are")
    seen.fields.update(signal_of(ours))
    if reason := too_weak(ours, ask.min_rssi_dbm):
        raise Failed("signal", reason)
    return ours


@contextmanager
def _joined(
    ours: list[Network], passphrase: str, supplicant: Supplicant, seen: _Seen, deadline: Deadline
) -> Iterator[Association]:
    """Join the network, and leave it in the end."""
    best = iw.strongest(ours)
    if not keys(best.security, bool(passphrase)):
        offered = "+".join(best.security)
        has = "with the passphrase of passphrase_file" if passphrase else "without a passphrase"
        raise Failed("associate", f"the network is {offered}, which cannot be joined {has}")
    frequencies = sorted({network.frequency_mhz for network in ours})
    number = supplicant.add(best.ssid_bytes, best.security, passphrase, frequencies)
    try:
        association = Association()
        supplicant.select(number)
        for event in supplicant.events(Deadline(deadline.left_s(_ASSOCIATE_S))):
            association.hear(event)
            if association.is_connected or association.has_failed:
                break
        if not association.is_connected or not association.times:
            raise Failed("associate", association.why_not(), association.code)
        seen.fields["associate_ms"] = milliseconds(association.times.total_s)
        for name, took_s in association.times._asdict().items():
            if took_s is not None and name != "total_s":
                seen.details[name.removesuffix("_s") + "_ms"] = milliseconds(took_s)
        yield association
    finally:
        supplicant.remove(number)


def _because_put_out(failed: Failed, supplicant: Supplicant, association: Association) -> Failed:
    """Return the failure, which is one of the association where that was lost on the way and is still gone."""
    with suppress(Unable):
        for event in supplicant.events(Deadline(_TOLD_S)):
            association.hear(event)
    if not association.is_connected:
        reason = f"{association.reason}, while {failed.stage} was asked"
        return Failed("associate", reason, association.code, failed.fields, failed.details)
    if association.times_lost:
        reason = f"{failed.reason} (put out {association.times_lost} times on the way: {association.reason})"
        return Failed(failed.stage, reason, failed.code, failed.fields, failed.details)
    return failed


def _beyond(ask: WifiJoin, seen: _Seen, deadline: Deadline) -> Outcome:
    """Go on from the joined network: an address, names, the Internet or the login page."""
    _await_carrier(ask.interface)
    with _stage("dhcp"):
        lease = dhcp.acquire(ask.interface, Deadline(deadline.left_s(_DHCP_S)))
    seen.fields.update({"dhcp_ms": milliseconds(lease.total_s), "lease_s": lease.lease_s})
    subnet = f"{lease.address}/{lease.prefix}"
    seen.details.update({"address": subnet, "router": lease.router, "resolvers": ", ".join(lease.resolvers)})
    try:
        with way.laid(ask.interface, lease) as own:
            return _through(ask, own, lease.captive_api_url, seen, deadline)
    finally:
        with suppress(Unable, OSError):
            dhcp.release(ask.interface, lease)


def _through(ask: WifiJoin, own: Via, api: str, seen: _Seen, deadline: Deadline) -> Outcome:
    if not own.resolvers:
        raise Failed("dns", "DHCP offers no name server")
    with _stage("dns"), _timed("dns_ms", seen):
        lookup(ask.dns, Deadline(deadline.left_s(_DNS_S)), own)
    with _stage("portal"), _timed("portal_ms", seen):
        found = portal.look(ask.endpoints, Deadline(deadline.left_s(_PORTAL_S)), own, _url(api))
    seen.details["portal"] = {"stage": found.stage, **found.details}
    if reason := portal.unexpected(found, ask.expect):
        raise Failed("portal", reason, found.code)
    if found.stage != DONE:
        return Outcome(True, "portal", found.code, fields=seen.fields, details=seen.details)
    if ask.http:
        with _stage("http"), _timed("http_ms", seen):
            page = http.probe(Http(ask.http, timeout=Seconds(deadline.left_s(_HTTP_S)), body=ask.body), own)
        seen.details["http"] = dict(page.details)
    return Outcome(True, reason=found.reason, fields=seen.fields, details=seen.details)


def _url(text: str) -> Url | None:
    """Return the address of the portal's API as DHCP gives it; None where it is none that can be asked."""
    with suppress(ValueError):
        return Url.parse(text)
    return None


@contextmanager
def _stage(name: str) -> Iterator[None]:
    """Make the failure of another probe one of this stage."""
    try:
        yield
    except Failed as failed:
        reason = failed.reason if failed.stage == name else f"{failed.stage}: {failed.reason}"
        raise Failed(name, reason, failed.code, details={name: dict(failed.details)}) from None


@contextmanager
def _timed(field: str, seen: _Seen) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seen.fields[field] = milliseconds(time.perf_counter() - begun)


def _await_carrier(interface: str) -> None:
    """Wait until the kernel has noticed, too, that the network is joined (operstate, RFC 2863)."""
    until = Deadline(_CARRIER_S)
    file = Path("/sys/class/net", interface, "operstate")
    while not until.is_over:
        with suppress(OSError):
            if file.read_text(encoding="ascii").strip() in ("up", "unknown"):
                return
        time.sleep(0.02)
