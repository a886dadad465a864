"""Contract v1 is append-only: bytes that were once sent mean the same for ever."""

import json
from pathlib import Path

import pytest

from contract import topics
from contract.batch import Batch, decode, encode
from contract.lines import encode_line
from contract.measurements import TABLE
from contract.sample import Value
from contract.topics import Ack, Refusal

GOLDEN = Path(__file__).parent / "golden/v1"
BOOT = "3f2b6a52-8a6e-4b53-9c6d-0d3c1f1f6a10"

PLAIN_LINES = (
    f'presence boot="{BOOT}",uptime_s=5123.4,asleep_s=0.0,lan=1i,wan=1i,broker=1i 1764000000000000000\n'
    "interface,name=eth0 rx_bytes=91823471i,tx_bytes=1827364i,rx_errors=0i,tx_errors=0i,speed_mbps=100i,up=1i "
    "1764000000000000000\n"
    "host cpu_percent=3.5,memory_used_percent=41.2,disk_used_percent=17.0,load1=0.08,temperature_celsius=48.312 "
    "1764000000000000000\n"
).encode()
FIRST_LINES = (
    'identity serial="10000000abcdef01",model="教室 一体机 86寸",gateway_mac="02:00:5e:00:53:01",'
    'subnet="192.0.2.0/24",version="0.1.0" 1764000060000000000\n'
).encode()
GZIP_LINES = "".join(f"sensor,name=lamp value={i}.5 17640000{i:02}000000000\n" for i in range(20)).encode()

BATCHES = {
    "batch-plain.bin": Batch("5f0c9a1e", 41, "synced", PLAIN_LINES),
    "batch-gzip.bin": Batch("5f0c9a1e", 42, "trusted", GZIP_LINES),
    "batch-first.bin": Batch("00c0ffee00c0ffee", 1, "synced", FIRST_LINES, previous="5f0c9a1e:42"),
    "batch-unsynced.bin": Batch("00c0ffee00c0ffee", 7, "unsynced", b"", at_ns=1764000120000000000, held=1440),
}
ACK = Ack(
    stored=(("5f0c9a1e", 41, 42), ("00c0ffee00c0ffee", 1, 1)),
    refused=(
        Refusal("5f0c9a1e", 40, "wrong_type: line 3"),
        Refusal(None, None, "bad_gzip", "0123456789abcdef"),
    ),
    at_ms=1764000121500,
)

# One sample of each measurement with every field, in the order of the table.
SAMPLES: list[tuple[str, dict[str, str], dict[str, Value]]] = [
    ("presence", {}, {"boot": BOOT, "uptime_s": 60.0, "asleep_s": 0.0, "lan": 1, "wan": 0, "broker": True}),
    (
        "identity",
        {},
        {
            "serial": "10000000abcdef01",
            "model": "Raspberry Pi 4 Model B Rev 1.4",
            "gateway_mac": "02:00:5e:00:53:01",
            "subnet": "192.0.2.0/24",
            "version": "0.1.0",
            "profile": "raspberry-pi-4",
            "stop_marks": 1,
        },
    ),
    (
        "probe",
        {"kind": "http", "target": "http://192.0.2.7/a b?c=1,2"},
        {
            "success": 0,
            "rtt_ms": 12.75,
            "loss_percent": 33.3,
            "jitter_ms": 0.5,
            "stage": "dns",
            "code": -2,
            "reason": "no name server answers",
            "duration_ms": 812.5,
            "connect_ms": 3.25,
            "tls_ms": 41.5,
            "first_byte_ms": 88.125,
            "certificate_days": 61.5,
            "found": 2,
            "lease_s": 600,
            "rssi_dbm": -61.0,
            "channel": 6,
            "scan_ms": 1500.5,
            "associate_ms": 120.25,
            "dhcp_ms": 310.0,
            "dns_ms": 12.5,
            "portal_ms": 48.0,
            "http_ms": 95.75,
        },
    ),
    (
        "throughput",
        {"direction": "down", "server": "192.0.2.9"},
        {"goodput_mbps": 94.1, "bytes": 117_000_000, "seconds": 10, "rtt_min_ms": 1.25, "limited_by": "nic"},
    ),
    ("display", {}, {"power": "on", "lamp_hours": 1234, "input": "HDMI 1"}),
    ("usage", {}, {"display_on": 1, "session_active": 0}),
    ("fault", {"code": "E-12"}, {"active": 1, "severity": "warning"}),
    ("firmware", {}, {"version": "V2.1.3 教育版", "compliant": 1}),
    ("stop", {}, {"boot": BOOT, "uptime_s": 3600.25, "reason": "signal killed KILL", "asleep_s": 12.5}),
    (
        "delivery",
        {},
        {
            "epoch": "5f0c9a1e",
            "seq": 41,
            "lines": 3,
            "received": 1764000001000,
            "lag_ms": 1000,
            "partial": 0,
            "expired": 0,
            "clock": "synced",
            "held": 0,
            "previous": "",
            "by_hand": 1,
            "unverified": 1,
        },
    ),
    ("late", {}, {"newest": 1764000001000, "oldest": 1763913600000}),
    (
        "availability",
        {"criterion": "service-3f2a91c04b"},
        {
            "working": 1370,
            "service_down": 12,
            "wan_down": 11,
            "lan_down": 10,
            "power_off": 9,
            "asleep": 8,
            "agent_down": 7,
            "unknown": 8,
            "excluded": 5,
            "runs": "0+1370w 1370+12s:dns 1382+11n 1393+10l 1403+9p 1412+8z 1420+7a 1427+8u 1435+5x",
            "open": 0,
            "judged": 1764086400000,
            "inputs": "3f2a91c04b",
        },
    ),
    (
        "site_availability",
        {"criterion": "lessons-3f2a91c04b"},
        {
            "working": 13700,
            "service_down": 120,
            "wan_down": 110,
            "lan_down": 100,
            "power_off": 90,
            "asleep": 80,
            "agent_down": 70,
            "unknown": 80,
            "excluded": 50,
            "days": 10,
            "counted": 9,
            "proven": 7,
            "possible": 8,
            "judged": 1764086400000,
            "rule": "40 gbbbeeuue",
        },
    ),
    (
        "roster",
        {},
        {
            "counts": 1,
            "platform": 1,
            "hotspot": 0,
            "county_name": "清城区",
            "site_name": "清城区第一小学",
            "class_name": "三年级(2)班",
            "role": "classroom",
            "profile": "windows-classroom-pc",
            "operator": "电信",
            "contracted_mbps": 100,
            "county_entry": "441802|清城区",
            "site_entry": "441802-3144001234|清城区第一小学",
            "device_entry": "441802-3144001234.c0302|三年级(2)班 c0302",
        },
    ),
    (
        "site_roster",
        {},
        {
            "counts": 40,
            "platform": 36,
            "hotspot": 0,
            "county_name": "清城区",
            "site_name": "清城区第一小学",
            "operator": "电信",
            "contracted_mbps": 100,
            "county_entry": "441802|清城区",
            "site_entry": "441802-3144001234|清城区第一小学",
        },
    ),
    (
        "host",
        {},
        {
            "cpu_percent": 3.5,
            "memory_used_percent": 41.2,
            "disk_used_percent": 17,
            "load1": 0.08,
            "temperature_celsius": -4.5,
        },
    ),
    (
        "interface",
        {"name": "eth0"},
        {
            "rx_bytes": 2**63 - 1,
            "tx_bytes": 0,
            "rx_errors": 1,
            "tx_errors": 2,
            "speed_mbps": 1000,
            "up": 1,
        },
    ),
    (
        "radio",
        {"interface": "wlan0"},
        {
            "channel": 149,
            "frequency_mhz": 5745,
            "noise_dbm": -92.0,
            "utilization_percent": 41.5,
            "stations": 38,
            "rssi_p50_dbm": -61.0,
            "rssi_p10_dbm": -78.5,
        },
    ),
    ("sensor", {"name": "温度"}, {"value": 1e21}),
    (
        "agent",
        {},
        {
            "spool_batches": 3,
            "spool_bytes": 4096,
            "dropped_total": 0,
            "refused_total": 1,
            "clock_offset_ms": -0.125,
            "rss_bytes": 26_000_000,
            "cpu_seconds": 1.5,
            "damaged_total": 2,
        },
    ),
    (
        "centre",
        {},
        {
            "received": 183_000,
            "dropped": 0,
            "stored_batches": 182_990,
            "stored_lines": 914_950,
            "refused": 10,
            "waiting": 7,
            "quarantine": 12,
            "trouble": 0,
            "cpu_seconds": 91.25,
            "rss_bytes": 64_000_000,
            "lag_p50_ms": 350,
            "lag_p99_ms": 1650,
        },
    ),
]


@pytest.mark.parametrize("name", BATCHES)
def test_batch_of_v1_decodes_for_ever(name: str) -> None:
    """A batch written when contract v1 was young means the same to every later version."""
    assert decode((GOLDEN / name).read_bytes()) == BATCHES[name]


@pytest.mark.parametrize("name", [name for name in BATCHES if name != "batch-gzip.bin"])
def test_plain_batch_is_encoded_to_the_same_bytes(name: str) -> None:
    """An agent of today sends exactly the bytes that an agent of the first day sent."""
    assert encode(BATCHES[name], compress=False) == (GOLDEN / name).read_bytes()


def test_ack_of_v1_decodes_for_ever() -> None:
    """An agent understands what a collector of the first day answers."""
    assert topics.decode_ack((GOLDEN / "ack.bin").read_bytes()) == ACK


def test_ack_is_encoded_to_the_same_bytes() -> None:
    """A collector of today answers in the bytes of the first day."""
    assert topics.encode_ack(ACK) == (GOLDEN / "ack.bin").read_bytes()


def test_state_is_encoded_to_the_same_bytes() -> None:
    """The retained state of an agent keeps its form: whoever subscribed to it years ago still reads it."""
    golden = (GOLDEN / "state.bin").read_bytes()
    assert topics.encode_state("online", BOOT, "0.1.0") == golden
    assert json.loads(golden) == {"state": "online", "boot": BOOT, "version": "0.1.0"}


def test_topics_are_those_of_v1() -> None:
    """The topics on which a city of agents speaks never move."""
    agent, device = "441802-3144001234.gw1", "441802-3144001234.c0703"
    assert topics.batch(agent, device) == "santong/v1/441802-3144001234.gw1/441802-3144001234.c0703/batch"
    assert topics.state(agent) == "santong/v1/441802-3144001234.gw1/state"
    assert topics.ack(agent) == "santong/v1/441802-3144001234.gw1/ack"
    assert (topics.ALL_BATCHES, topics.ALL_STATES) == ("santong/v1/+/+/batch", "santong/v1/+/state")


def test_lines_are_encoded_to_the_same_bytes() -> None:
    """One line of every measurement is, byte for byte, what it was on the first day."""
    golden = (GOLDEN / "lines.txt").read_bytes().splitlines()
    encoded = [encode_line(name, tags, fields, 1764000000000000000) for name, tags, fields in SAMPLES]
    assert encoded == golden


def test_golden_lines_hold_every_field() -> None:
    """No measurement and no field of the table is without its golden bytes."""
    sampled = {name: (tuple(tags), tuple(fields)) for name, tags, fields in SAMPLES}
    assert sampled == {row.name: (row.tags, tuple(field.name for field in row.fields)) for row in TABLE.values()}
