"""Tables for the terminal, in the words of the glossary."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.quarantine import Entry
from collector.status import DeviceStatus
from collector.words import Language, word

if TYPE_CHECKING:
    from collector.by_hand import Imported
    from collector.roster.versions import Version

_SEVERITIES = ("info", "warning", "critical")


def device_table(devices: Sequence[DeviceStatus], language: Language, zone: ZoneInfo, *, full: bool) -> RenderableType:
    """Return the table of devices; `full` adds minutes proven, what is missing or came late, and lag."""
    columns = ["device", "last_seen", "uptime", "lan_wan", "probes", "rate", "waiting", "stored"]
    if full:
        columns += ["minutes", "missing", "late", "lag"]
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        is_text = column in ("device", "last_seen", "lan_wan")
        table.add_column(word(column, language), justify="left" if is_text else "right", no_wrap=True)
    for device in devices:
        cells = _cells(device, language, zone)
        table.add_row(*(cells[column] for column in columns))
    if not full:
        return table
    troubles = [line for device in devices for line in _troubles(device, language, zone)]
    said = Text(f"\n{in_short(devices, language)}", style="bold")
    return Group(table, Text("\n".join(["", *troubles])), said) if troubles else Group(table, said)


def in_short(devices: Sequence[DeviceStatus], language: Language) -> str:
    """Return in a sentence how many devices need a look."""
    missing = sum(device.delivery.missing > 0 for device in devices)
    failing = sum(any(not probe.success for probe in device.probes) for device in devices)
    faulty = sum(bool(device.faults) for device in devices)
    key = "status_not_well" if missing or failing or faulty else "status_well"
    said = word(key, language)
    return said.format(devices=f"{len(devices):,}", missing=missing, failing=failing, faulty=faulty)


def _troubles(device: DeviceStatus, language: Language, zone: ZoneInfo) -> list[str]:
    """Return a line for each active fault, and each probe that failed or could not be asked, with its time."""
    lines = []
    for fault in device.faults:
        title = fault.title.zh if language == "zh" else fault.title.en
        severity = word(fault.severity, language) if fault.severity in _SEVERITIES else fault.severity
        lines.append(f"{clock(fault.time_ns, zone)}  {device.device} {severity}: {title} ({fault.code})")
    for probe in device.probes:
        if not probe.success:
            said = word("could_not_ask" if probe.success is None else "fails_at", language)
            stage = "" if probe.success is None else f" {probe.stage}"
            reason = f": {probe.fields['reason']}" if probe.fields.get("reason") else ""
            what = f"{device.device} {probe.kind} {probe.target}"
            lines.append(f"{clock(probe.time_ns, zone)}  {what}: {said}{stage}{reason}")
    return lines


def _cells(device: DeviceStatus, language: Language, zone: ZoneInfo) -> dict[str, str]:
    unknown = word("unknown", language)
    delivery, rates = device.delivery, device.rates_kbps()
    uptime, waiting = device.latest.get("uptime_s"), device.agent.get("spool_batches")
    return {
        "device": device.device,
        "last_seen": clock(device.last_seen_ns, zone),
        "uptime": unknown if uptime is None else duration(float(uptime)),
        "lan_wan": " / ".join(_yes_no(device.latest.get(name), language) for name in ("lan", "wan")),
        "probes": f"{sum(probe.success is True for probe in device.probes)} / {len(device.probes)}"
        if device.probes
        else unknown,
        "rate": unknown if rates is None else f"{rates[0]:,.1f} / {rates[1]:,.1f}",
        "waiting": unknown if waiting is None else f"{waiting}",
        "stored": f"{delivery.batches:,}",
        "minutes": f"{device.presence:,}",
        "missing": f"{delivery.missing:,}",
        "late": f"{delivery.late:,}",
        "lag": unknown
        if delivery.lag_p50_ms is None
        else f"{delivery.lag_p50_ms / 1000:.1f} / {(delivery.lag_p99_ms or 0) / 1000:.1f} s",
    }


def _yes_no(value: object, language: Language) -> str:
    return word("unknown" if value is None else "yes" if value else "no", language)


def clock(time_ns: int, zone: ZoneInfo) -> str:
    """Return date and time as people read it."""
    return datetime.fromtimestamp(time_ns / 1e9, zone).strftime("%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """Return `3d 04:05:06`."""
    days, rest = divmod(int(seconds), 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else text


def live_view(
    devices: Sequence[DeviceStatus], facts: Sequence[tuple[str, str]], language: Language, zone: ZoneInfo
) -> RenderableType:
    """Return what `santong up` shows: where things are, then the devices. `facts` are (glossary key, text)."""
    head = Text("   ".join(f"{word(key, language)}: {text}" for key, text in facts), style="dim")
    if not devices:
        return Group(head, Text(word("waiting_for_first", language)))
    return Group(head, device_table(devices, language, zone, full=False))


def quarantine_table(entries: Sequence[Entry], language: Language, zone: ZoneInfo) -> RenderableType:
    """Return the table of refused payloads and lines."""
    if not entries:
        return Text(word("nothing_quarantined", language))
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("time", "device", "line", "reason", "content"):
        table.add_column(word(column, language), no_wrap=column != "content", overflow="fold")
    for entry in entries:
        what = entry.detail or entry.content[:120].decode(errors="backslashreplace")
        name = Text(entry.device or entry.agent)
        table.add_row(clock(entry.received_ns, zone), name, str(entry.line or ""), entry.reason, Text(what))
    return table


def import_table(done: Sequence[tuple[Path, "Imported"]], language: Language, zone: ZoneInfo) -> RenderableType:
    """Return the table of files that were imported."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("file", "device", "exported", "signature", "stored", "lines", "refused"):
        table.add_column(word(column, language), no_wrap=column not in ("file", "refused"), overflow="fold")
    for file, outcome in done:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(outcome.refused.items()))
        table.add_row(
            Text(str(file)),
            outcome.head.agent,
            clock(int(outcome.head.exported_at.timestamp()) * 10**9, zone),
            word("verified" if outcome.signer else "vouched", language),
            f"{outcome.stored:,}",
            f"{outcome.lines:,}",
            reasons or "0",
        )
    return table


def roster_table(
    versions: Sequence["Version"], current: "Version | None", language: Language, zone: ZoneInfo
) -> RenderableType:
    """Return the table of the roster's versions; the one in force has a star."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("version", "effective_from", "sites", "devices", "imported_at", "imported_by", "hash", "files"):
        table.add_column(word(column, language), no_wrap=column not in ("imported_by", "files"), overflow="fold")
    for version in versions:
        table.add_row(
            f"{version.number}{' *' if version == current else ''}",
            version.effective.isoformat(),
            f"{version.sites:,}",
            f"{version.devices:,}",
            f"{version.imported_at.astimezone(zone):%Y-%m-%d %H:%M}",
            Text(version.imported_by),
            version.sha256[:12],
            Text(", ".join(original.name for original in version.originals)),
        )
    return table


def console(*, stderr: bool = False) -> Console:
    """Return a console that never cuts columns when its output goes into a file or pipe."""
    plain = Console(stderr=stderr, highlight=False)
    return plain if plain.is_terminal else Console(stderr=stderr, highlight=False, width=200)
