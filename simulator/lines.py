"""
Lines as agents write them, made fast: the text that `contract.lines.encode_line` gives (a test compares them).

Times are unix ms; `at` of samples that were held is already cut to a tenth of a second.
"""

from collections.abc import Mapping

from contract.lines import encode_line
from contract.sample import Value

_NONE: Mapping[str, str] = {}


def line(measurement: str, fields: Mapping[str, Value], at: int, tags: Mapping[str, str] = _NONE) -> bytes:
    """Return any line, with its line feed."""
    return encode_line(measurement, tags, fields, at * 1_000_000) + b"\n"


def presence(boot: str, uptime_ms: int, tail: str, label: int) -> bytes:
    """Return a presence; `tail` is what `presence_tail` made."""
    return f'presence boot="{boot}",uptime_s={uptime_ms / 1000!r},{tail} {label}000000\n'.encode()


def presence_tail(asleep_ms: int, *, lan: bool, wan: bool, broker: bool) -> str:
    """Return the fields of a presence that seldom change."""
    return f"asleep_s={asleep_ms / 1000!r},lan={lan:d}i,wan={wan:d}i,broker={broker:d}i"


def usage(at: int, *, is_used: bool) -> bytes:
    """Return whether somebody used a computer."""
    return b"usage session_active=%di %d000000\n" % (is_used, at)


def shown(at: int, *, is_on: bool) -> bytes:
    """Return what a panel said of its display."""
    if is_on:
        return b'display power="on",input="31" %d000000\nusage display_on=1i %d000000\n' % (at, at)
    return b'display power="standby" %d000000\nusage display_on=0i %d000000\n' % (at, at)


def answered(at: int, rtt_ms: float) -> bytes:
    """Return that a panel answered by PJLink."""
    return f'probe,kind=pjlink,target=display success=1i,rtt_ms={rtt_ms!r},stage="done" {at}000000\n'.encode()


def silent(at: int) -> bytes:
    """Return that a panel did not answer."""
    return (
        b'probe,kind=pjlink,target=display success=0i,stage="connect",code=113i,reason="No route to host" %d000000\n'
        % at
    )


_JOURNEY = ("scan", "associate", "dhcp", "dns", "portal", "http")
_REASONS = {
    "scan": "the network is not heard",
    "associate": "status 17: the access point is full",
    "dhcp": "discover: no offer",
    "dns": "answer: no answer",
    "portal": "connect: no endpoint answers",
    "http": "status: 503",
}


def journey(at: int, ssid: str, stage: str, took_ms: tuple[float, ...]) -> bytes:
    """Return a guest's journey into a hotspot that ended at `stage`, `done` where nothing failed."""
    passed = _JOURNEY[: _JOURNEY.index(stage)] if stage != "done" else _JOURNEY
    times = "".join(f",{name}_ms={ms!r}" for name, ms in zip(passed, took_ms, strict=False))
    radio = ",rssi_dbm=-52.0,channel=6i" if passed else ""
    reason = "" if stage == "done" else f',reason="{_REASONS[stage]}"'
    head = f'probe,kind=wifi_join,target={ssid} success={stage == "done":d}i,stage="{stage}"'
    return f"{head}{reason}{radio}{times} {at}000000\n".encode()


def telemetry(at: int, salt: int, speed_mbps: int, uptime_s: int) -> bytes:
    """Return a round's telemetry of a machine and of its agent."""
    noise = (at // 1000 * 2_654_435_761 ^ salt) & 0xFFFF
    return (
        f"host cpu_percent={noise % 900 / 10!r},memory_used_percent={30 + noise % 200 / 10!r},disk_used_percent=22.5,"
        f"load1={noise % 200 / 100!r},temperature_celsius={42 + noise % 150 / 10!r} {at}000000\n"
        f"interface,name=eth0 rx_bytes={uptime_s * 9000 + noise}i,tx_bytes={uptime_s * 1200 + noise}i,rx_errors=0i,"
        f"tx_errors=0i,speed_mbps={speed_mbps}i,up=1i {at}000000\n"
        f"agent spool_batches=0i,spool_bytes=0i,dropped_total=0i,refused_total=0i,clock_offset_ms=3.0,"
        f"rss_bytes=27000000i,cpu_seconds={round(uptime_s / 2500, 3)!r} {at}000000\n"
    ).encode()
