"""
The one table of what is measured: tags, fields, types, units, retention class.

Everything else follows from it: the encoding on the agent, the patterns of the collector's check, the columns of
the SQLite store, the types of an archive and `docs/contract.md`. It is append-only: a name that was once sent keeps
its type for ever.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Type of a field, in the words of InfluxDB."""

    FLOAT = "float"
    INTEGER = "integer"
    STRING = "string"


class Retention(StrEnum):
    """Retention class, which is also the name of the retention policy or bucket."""

    EVIDENCE = "evidence"
    TELEMETRY = "telemetry"


RETENTION_DAYS = {Retention.EVIDENCE: 3 * 365 + 1, Retention.TELEMETRY: 35}
IDENTITY_TAGS = ("device", "site", "county", "agent")


class Field(NamedTuple):
    """One field of a measurement; `unit` is empty for counts, flags and names."""

    name: str
    kind: Kind
    unit: str = ""


class Measurement(NamedTuple):
    """One row of the table. `tags` are its own: the collector adds the identity."""

    name: str
    retention: Retention
    tags: tuple[str, ...]
    fields: tuple[Field, ...]
    from_agent: bool = True

    def kind_of(self, field: str) -> Kind | None:
        """Return the type of `field`, None when the measurement has no such field."""
        return next((f.kind for f in self.fields if f.name == field), None)


_KINDS = {"f": Kind.FLOAT, "i": Kind.INTEGER, "s": Kind.STRING}


def _row(retention: Retention, name: str, fields: str, *tags: str, from_agent: bool = True) -> Measurement:
    """Read the short form `name:kind[:unit] …` of a row's fields."""
    parts = [field.split(":") for field in fields.split()]
    return Measurement(
        name, retention, tags, tuple(Field(p[0], _KINDS[p[1]], p[2] if len(p) > 2 else "") for p in parts), from_agent
    )


_E, _T = Retention.EVIDENCE, Retention.TELEMETRY
_ROWS = (
    _row(_E, "presence", "boot:s uptime_s:f:s asleep_s:f:s lan:i wan:i broker:i"),
    _row(_E, "identity", "serial:s model:s gateway_mac:s subnet:s version:s profile:s stop_marks:i"),
    _row(
        _E,
        "probe",
        "success:i rtt_ms:f:ms loss_percent:f:% jitter_ms:f:ms stage:s code:i reason:s duration_ms:f:ms "
        "connect_ms:f:ms tls_ms:f:ms first_byte_ms:f:ms certificate_days:f:d found:i lease_s:i:s "
        "rssi_dbm:f:dBm channel:i scan_ms:f:ms associate_ms:f:ms dhcp_ms:f:ms dns_ms:f:ms portal_ms:f:ms http_ms:f:ms",
        "kind",
        "target",
    ),
    _row(
        _E,
        "throughput",
        "goodput_mbps:f:Mbit/s bytes:i:B seconds:f:s rtt_min_ms:f:ms limited_by:s",
        "direction",
        "server",
    ),
    _row(_E, "display", "power:s lamp_hours:i:h input:s"),
    _row(_E, "usage", "display_on:i session_active:i"),
    _row(_E, "fault", "active:i severity:s", "code"),
    _row(_E, "firmware", "version:s compliant:i"),
    _row(_E, "stop", "boot:s uptime_s:f:s reason:s asleep_s:f:s"),
    _row(
        _E,
        "delivery",
        "epoch:s seq:i lines:i received:i:ms lag_ms:i:ms partial:i expired:i clock:s held:i previous:s by_hand:i "
        "unverified:i",
        from_agent=False,
    ),
    # Batches of a device that were stored long after their oldest sample: whoever judged their days before must judge
    # them again. Its time is that of storing, after the evidence itself, so that what was stored since is one range.
    _row(_E, "late", "newest:i:ms oldest:i:ms", from_agent=False),
    # A device-day as it was judged by one criterion; its time is the day's local midnight.
    _row(
        _E,
        "availability",
        "working:i:min service_down:i:min wan_down:i:min lan_down:i:min power_off:i:min asleep:i:min agent_down:i:min "
        "unknown:i:min excluded:i:min runs:s open:i judged:i:ms inputs:s",
        "criterion",
        from_agent=False,
    ),
    # What a day of a site's devices adds up to by one criterion: made from `availability`, at its times, under the name
    # `<site>.site`. Of `days` device-days `counted` ones have minutes that count, `proven` are good and `possible` may
    # be, by `rule`: the minutes that are owed, and a letter for what each cause counts as.
    _row(
        _E,
        "site_availability",
        "working:i:min service_down:i:min wan_down:i:min lan_down:i:min power_off:i:min asleep:i:min agent_down:i:min "
        "unknown:i:min excluded:i:min days:i counted:i proven:i possible:i judged:i:ms rule:s",
        "criterion",
        from_agent=False,
    ),
    # What the roster says of a device on a day, for whoever reads the store without it (dashboards); its time is that
    # day's local midnight. `platform` and `hotspot` are 1 where the device counts as one that day; an `entry` is an id
    # and a name, parted by a bar: what a list to choose from is made of.
    _row(
        _E,
        "roster",
        "counts:i platform:i hotspot:i county_name:s site_name:s class_name:s role:s profile:s operator:s "
        "contracted_mbps:f:Mbit/s county_entry:s site_entry:s device_entry:s",
        from_agent=False,
    ),
    # The same of a site, how many devices of each kind it has, under the name `<site>.site`.
    _row(
        _E,
        "site_roster",
        "counts:i platform:i hotspot:i county_name:s site_name:s operator:s contracted_mbps:f:Mbit/s county_entry:s "
        "site_entry:s",
        from_agent=False,
    ),
    _row(_T, "host", "cpu_percent:f:% memory_used_percent:f:% disk_used_percent:f:% load1:f temperature_celsius:f:°C"),
    _row(_T, "interface", "rx_bytes:i:B tx_bytes:i:B rx_errors:i tx_errors:i speed_mbps:i:Mbit/s up:i", "name"),
    _row(
        _T,
        "radio",
        "channel:i frequency_mhz:i:MHz noise_dbm:f:dBm utilization_percent:f:% stations:i "
        "rssi_p50_dbm:f:dBm rssi_p10_dbm:f:dBm",
        "interface",
    ),
    _row(_T, "sensor", "value:f", "name"),
    _row(
        _T,
        "agent",
        "spool_batches:i spool_bytes:i:B dropped_total:i refused_total:i clock_offset_ms:f:ms rss_bytes:i:B "
        "cpu_seconds:f:s damaged_total:i",
    ),
    # What a collector did since its start, once a minute; `waiting` batches are in its memory, `trouble` is 1 while the
    # store takes nothing, `quarantine` counts whatever was ever set aside. The lags are within which half, and 99 %, of
    # the batches came that were stored since the last point; absent where none was.
    _row(
        _T,
        "centre",
        "received:i dropped:i stored_batches:i stored_lines:i refused:i waiting:i quarantine:i trouble:i "
        "cpu_seconds:f:s rss_bytes:i:B lag_p50_ms:i:ms lag_p99_ms:i:ms",
        from_agent=False,
    ),
)

TABLE: dict[str, Measurement] = {row.name: row for row in _ROWS}


def as_markdown() -> str:
    """Return the table as it stands in `docs/contract.md`."""
    lines = ["| measurement | kept | own tags | fields (type, unit) |", "|---|---|---|---|"]
    for m in TABLE.values():
        fields = ", ".join(f"`{f.name}` {f.kind}{f', {f.unit}' if f.unit else ''}" for f in m.fields)
        by = "" if m.from_agent else " (by the centre)"
        tags = ", ".join(f"`{t}`" for t in m.tags) or "–"
        lines.append(f"| `{m.name}`{by} | {m.retention} | {tags} | {fields} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
