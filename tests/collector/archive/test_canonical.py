"""Evidence as lines: one text for one point, from whatever store."""

import random
import struct
from pathlib import Path

import pytest

from collector.archive.canonical import MEASUREMENTS, head_of, line_of, parts_of
from collector.archive.load import load
from collector.archive.scope import Scope
from collector.calendars.zone import day_window
from collector.days import Judged, write_days
from collector.roster_points import write_roster
from collector.store.base import Row, Store
from collector.store.sqlite import SqliteStore
from collector.verify.causes import Cause, Run
from collector.verify.evidence import DayRecord
from contract.measurements import TABLE, Kind
from contract.sample import Value
from tests.collector.archive.archives import archived, everything, scope_of
from tests.collector.verification.world import (
    CLASS_1,
    CLASS_2,
    CLASS_3,
    GATEWAY,
    MINUTE_NS,
    MONDAY,
    ZONE,
    World,
    at,
    roster,
)


def value_of(kind: Kind, chance: random.Random) -> Value:
    """Return a value of a type, odd ones among them."""
    if kind is Kind.STRING:
        return chance.choice(["", "a b", "清城一小 初一(3)班", "x,y=z", "it's", "é", "🙂", "1i", "{}"])
    if kind is Kind.INTEGER:
        return chance.choice([0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, chance.randrange(10**6)])
    usual = [0.0, -0.0, 1.0, 5e-324, 1.7976931348623157e308, 1e22, 1e23, 0.1, 1 / 3, 123456789.0, -2.5]
    bits: float = struct.unpack("<d", chance.randbytes(8))[0]
    return chance.choice([*usual, bits if abs(bits) < 1e308 else 0.5, chance.uniform(0, 100)])


def odd_world(seed: int) -> World:
    """Return points of every measurement with values of every kind, by agents and by others for them."""
    chance, world = random.Random(seed), World()
    for number in range(400):
        row = TABLE[chance.choice(MEASUREMENTS)]
        some = [field for field in row.fields if chance.random() < 0.6] or row.fields[:1]
        fields = {field.name: value_of(field.kind, chance) for field in chance.sample(some, len(some))}
        tags = {tag: chance.choice(["http", "a b", "x,y=z", "学校", "https://example.org/?a=1"]) for tag in row.tags}
        device = chance.choice([CLASS_1, CLASS_2, CLASS_3])
        source = GATEWAY if device != CLASS_3 and chance.random() < 0.3 else ""
        world.add(row.name, device, at(MONDAY, "08:00") + number * MINUTE_NS, fields, tags, source)
    return world


def scope() -> Scope:
    """Return the scope of these points."""
    return scope_of(MONDAY)


@pytest.mark.parametrize("seed", range(3))
def test_both_stores_give_the_same_bytes(store: Store, tmp_path: Path, seed: int) -> None:
    """Whatever was stored, an archive of SQLite and one of InfluxDB have the same lines, byte for byte."""
    other = SqliteStore(tmp_path / "other.sqlite")
    other.prepare()
    for one in (store, other):
        odd_world(seed).write(one)
    found, wanted = everything(store, scope()), everything(other, scope())
    other.close()
    assert len(wanted[MONDAY.isoformat()].splitlines()) == 400
    assert found == wanted


def test_what_is_read_from_lines_gives_the_same_lines(store: Store, tmp_path: Path) -> None:
    """A store loaded from an archive gives an archive with the same evidence."""
    odd_world(7).write(store)
    with archived(store, tmp_path, scope()) as archive:
        loaded = load(archive, tmp_path / "loaded.sqlite")
        assert everything(loaded, scope()) == everything(store, scope())
        loaded.close()


def test_lines_are_sorted_and_nameless_of_the_roster(store: Store) -> None:
    """Lines come by measurement, device, agent, own tags, time; none has a tag site or county."""
    odd_world(5).write(store)
    lines = everything(store, scope())[MONDAY.isoformat()].splitlines(keepends=True)
    keys = [(*head_of(parts_of(line).head), int(parts_of(line).time)) for line in lines]
    assert keys == sorted(keys)
    assert not [line for line in lines if b",site=" in line or b",county=" in line]


def test_a_line_is_written_in_one_way_only() -> None:
    """Types are those of the table, a float is the shortest text that reads back, -0.0 is 0.0, tags are escaped."""
    tags = (("kind", "http"), ("target", "a b,c=d"))
    fields: dict[str, Value] = {"reason": "x", "rtt_ms": 3, "success": 1, "loss_percent": -0.0, "jitter_ms": 0.1}
    point = Row(CLASS_1, GATEWAY, tags, 1_764_000_000_000_000_000, fields)
    line = line_of(TABLE["probe"], point)
    assert (
        line
        == (
            f"probe,device={CLASS_1},agent={GATEWAY},kind=http,target=a\\ b\\,c\\=d "
            'success=1i,rtt_ms=3.0,loss_percent=0.0,jitter_ms=0.1,reason="x" 1764000000000000000\n'
        ).encode()
    )
    assert head_of(parts_of(line).head) == ("probe", CLASS_1, GATEWAY, tags)


def test_what_the_centre_makes_of_evidence_is_in_no_archive(store: Store) -> None:
    """Judged days, points of the roster, and what either adds up to by site leave every line as it was."""
    odd_world(3).write(store)
    before = everything(store, scope())
    record = DayRecord(CLASS_1, at(MONDAY), "x-1", (Run(at(MONDAY, "08:00"), 45, Cause.WORKING),))
    write_days(store, [Judged(record, 1, "")])
    write_roster(store, roster(), MONDAY, ZONE)
    start_ns, end_ns = day_window(MONDAY, ZONE)
    for name in ("availability", "site_availability", "roster", "site_roster"):
        assert list(store.select(name, start_ns, end_ns)), name
    assert everything(store, scope()) == before


@pytest.mark.parametrize(
    "head",
    [
        b"availability,device=a-b.c",
        b"site_availability,device=a-b.site",
        b"roster,device=a-b.c",
        b"site_roster,device=a-b.site",
        b"host,device=a-b.c",
        b"presence",
        b"presence,device=a-b.c,agent=a-b.c",
        b"presence,x=1",
    ],
)
def test_what_is_no_evidence_is_refused(head: bytes) -> None:
    """A line of telemetry or of judged days, without a device or written in another way is no line of evidence."""
    with pytest.raises(ValueError, match="evidence"):
        head_of(head)
