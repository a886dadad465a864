"""What the store says about each device: last seen, minutes proven, interfaces, completeness of delivery."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from collector.store.base import Row, Store
from collector.titles import Titles
from collector.verify.delivery import Sent
from contract.names import site_of
from contract.sample import Value
from firmware_profiles.schema import Title


class Delivery(NamedTuple):
    """
    Completeness of what one agent sent.

    `missing` counts sequence numbers that were given out and never came, within each epoch and, where the next epoch
    names it, at its end. `refused_lines` and `expired_lines` came and were not stored.

    `late` counts the batches that came after a newer one of the same device, a backlog, or by hand. All others were
    live when they came; the lags, in milliseconds from the newest sample to its reception, are those of live batches.
    """

    batches: int = 0
    missing: int = 0
    refused_lines: int = 0
    expired_lines: int = 0
    late: int = 0
    lag_p50_ms: int | None = None
    lag_p99_ms: int | None = None


class Probe(NamedTuple):
    """The newest outcome of one probe; `success` is None where nothing could be asked."""

    kind: str
    target: str
    time_ns: int
    success: bool | None
    stage: str
    fields: dict[str, Value]

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return it with all that was measured."""
        return {
            "kind": self.kind,
            "target": self.target,
            "at": iso(self.time_ns, zone),
            "success": self.success,
            "stage": self.stage,
            **{name: value for name, value in self.fields.items() if name not in ("success", "stage")},
        }


class Fault(NamedTuple):
    """A fault that was active when it was last written; `title` in both languages where its profile is known."""

    code: str
    severity: str
    time_ns: int
    title: Title


class DeviceStatus(NamedTuple):
    """One device in a period. `presence` counts proven minutes; times are unix ns; `faults` are the active ones."""

    device: str
    presence: int
    last_seen_ns: int
    latest: dict[str, Value]
    interfaces: dict[str, Row]
    previous_interfaces: dict[str, Row]
    agent: dict[str, Value]
    delivery: Delivery
    probes: list[Probe]
    profile: str
    faults: list[Fault]

    def rates_kbps(self) -> tuple[float, float] | None:
        """Return received and sent kbit/s over all interfaces between the last two readings."""
        pairs = [
            (self.previous_interfaces[n], row)
            for n, row in self.interfaces.items()
            if n in self.previous_interfaces and "rx_bytes" in row.fields  # a radio may only say whether it is up
        ]
        totals = [0.0, 0.0]
        for before, after in pairs:
            seconds = (after.time_ns - before.time_ns) / 1e9
            for n, field in enumerate(("rx_bytes", "tx_bytes")):
                change = float(after.fields.get(field, 0)) - float(before.fields.get(field, 0))
                totals[n] += max(0.0, change) * 8 / 1000 / seconds if seconds > 0 else 0.0
        return (totals[0], totals[1]) if pairs else None

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return what `santong status --json` prints for the device."""
        return {
            "device": self.device,
            "site": site_of(self.device),
            "profile": self.profile or None,
            "presence": self.presence,
            "last_seen": iso(self.last_seen_ns, zone),
            **{name: self.latest.get(name) for name in ("boot", "uptime_s", "asleep_s", "lan", "wan", "broker")},
            "interfaces": {
                name: {**row.fields, "at": iso(row.time_ns, zone)} for name, row in sorted(self.interfaces.items())
            },
            "probes": [probe.as_json(zone) for probe in self.probes],
            "faults": [
                {"code": f.code, "severity": f.severity, "at": iso(f.time_ns, zone), "title": f.title._asdict()}
                for f in self.faults
            ],
            "agent": self.agent,
            "delivery": self.delivery._asdict(),
        }


def iso(time_ns: int, zone: ZoneInfo) -> str:
    """Return an instant as ISO 8601 with milliseconds and offset, in the zone of the people who read it."""
    return datetime.fromtimestamp(time_ns / 1e9, zone).isoformat(timespec="milliseconds")


def read_status(store: Store, start_ns: int, end_ns: int) -> list[DeviceStatus]:
    """Return the status of every device with evidence in [start_ns, end_ns), sorted by id."""
    presence = {summary.device: summary for summary in store.summarise("presence", start_ns, end_ns)}
    latest = _by_device(store.latest("presence", start_ns, end_ns))
    agents = _by_device(store.latest("agent", start_ns, end_ns))
    interfaces = _last_two(store.select("interface", max(start_ns, end_ns - _RECENT_NS), end_ns))
    probes = _probes(store.latest("probe", start_ns, end_ns))
    profiles = {row.device: str(row.fields.get("profile", "")) for row in store.latest("identity", start_ns, end_ns)}
    faults = _faults(store.latest("fault", start_ns, end_ns), profiles)
    deliveries, seen = _deliveries(store.select("delivery", start_ns, end_ns))
    return [
        DeviceStatus(
            device,
            presence[device].points if device in presence else 0,
            max(seen.get(device, 0), presence[device].last_ns if device in presence else 0),
            latest[device].fields if device in latest else {},
            {name: rows[-1] for name, rows in interfaces.get(device, {}).items()},
            {name: rows[0] for name, rows in interfaces.get(device, {}).items() if len(rows) > 1},
            agents[device].fields if device in agents else {},
            deliveries.get(device, Delivery()),
            probes.get(device, []),
            profiles.get(device, ""),
            faults.get(device, []),
        )
        for device in store.devices(start_ns, end_ns)
    ]


_RECENT_NS = 15 * 60 * 10**9


def _by_device(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.device: row for row in rows}


def _probes(rows: Iterable[Row]) -> dict[str, list[Probe]]:
    found: dict[str, list[Probe]] = defaultdict(list)
    for row in rows:
        tags, success = dict(row.tags), row.fields.get("success")
        known = None if success is None else bool(success)
        stage = str(row.fields.get("stage", ""))
        found[row.device].append(Probe(tags["kind"], tags["target"], row.time_ns, known, stage, row.fields))
    return found


def _faults(rows: Iterable[Row], profiles: Mapping[str, str]) -> dict[str, list[Fault]]:
    """Return the active faults by device, with the titles that their profiles give them."""
    found: dict[str, list[Fault]] = defaultdict(list)
    titles = Titles()
    for row in rows:
        if row.fields.get("active"):
            code = dict(row.tags)["code"]
            title = titles.of(profiles.get(row.device, ""), code)
            found[row.device].append(Fault(code, str(row.fields.get("severity", "")), row.time_ns, title))
    return found


def _last_two(rows: Iterable[Row]) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = defaultdict(dict)
    for row in rows:
        kept = found[row.device].setdefault(row.tags[0][1], [])
        kept.append(row)
        del kept[:-2]
    return found


class _Received:
    """What the centre received of one device; a batch that it received twice counts as it came last."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, int], Row] = {}

    def add(self, row: Row) -> None:
        name = (str(row.fields["epoch"]), int(row.fields["seq"]))
        known = self._by_name.get(name)
        if known is None or _received_ms(known) <= _received_ms(row):
            self._by_name[name] = row

    def delivery(self, missing: int) -> Delivery:
        rows = self._by_name.values()
        live, late = live_and_late(rows)
        lags = [int(row.fields.get("lag_ms", 0)) for row in live]
        refused, expired = (sum(int(row.fields.get(name, 0)) for row in rows) for name in ("partial", "expired"))
        return Delivery(len(rows), missing, refused, expired, len(late), quantile(lags, 0.5), quantile(lags, 0.99))


def _received_ms(row: Row) -> int:
    return int(row.fields.get("received", 0))


def _is_dated(row: Row) -> bool:
    """Tell a batch with a time of its own from one whose lines were all refused: that has the time of its reception."""
    return any(row.fields.get(name, 0) for name in ("lines", "expired", "held"))


def live_and_late(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """
    Return the delivery points of one device's batches that were live when they came, and of those that came late.

    Live is a batch than which nothing newer had come live before; one that came by hand never is. Both are in the order
    of reception.
    """
    live: list[Row] = []
    late: list[Row] = []
    # Of two in the same millisecond the newer one is taken first: agents send it first.
    for row in sorted(filter(_is_dated, rows), key=lambda row: (_received_ms(row), -row.time_ns)):
        is_late = bool(row.fields.get("by_hand")) or (live and row.time_ns < live[-1].time_ns)
        (late if is_late else live).append(row)
    return live, late


def quantile(values: Iterable[int], share: float) -> int | None:
    """Return the value that so large a share of all does not exceed, None without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _deliveries(rows: Iterable[Row]) -> tuple[dict[str, Delivery], dict[str, int]]:
    """Return completeness by agent (holes) and device (the rest), and when each device was seen last."""
    sent: dict[str, Sent] = defaultdict(Sent)
    received: dict[str, _Received] = defaultdict(_Received)
    seen: dict[str, int] = {}
    for row in rows:
        fields = row.fields
        sent[row.source].add(str(fields["epoch"]), int(fields["seq"]), str(fields.get("previous", "")))
        received[row.device].add(row)
        seen[row.device] = max(seen.get(row.device, 0), row.time_ns)
    missing = {device: sent[device].missing() if device in sent else 0 for device in received}
    return {device: some.delivery(missing[device]) for device, some in received.items()}, seen
