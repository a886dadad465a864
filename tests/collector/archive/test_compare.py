"""An archive beside a store: every row that differs is named, and what came late is told from what was altered."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.archive.compare import Comparison, Difference
from collector.archive.read import Archive
from collector.store.base import Store
from collector.store.sqlite import SqliteStore
from contract.sample import Value
from tests.collector.archive.archives import archived, scope_of
from tests.collector.verification.world import (
    CLASS_1,
    CLASS_2,
    CLASS_3,
    GATEWAY,
    MINUTE_NS,
    MONDAY,
    SECOND_NS,
    TUESDAY,
    WEDNESDAY,
    World,
    at,
    now_ns,
)

NINE = at(MONDAY, "09:00")


def week() -> World:
    """Return two days of three classes, with probes and the presences around them."""
    world = World()
    for device in (CLASS_1, CLASS_2, CLASS_3):
        for day in (MONDAY, TUESDAY, WEDNESDAY):
            world.works(device, day, "08:00", "10:00")
    for number in range(60):
        tags = {"kind": "http", "target": "x y"}
        fields = {"success": 1, "rtt_ms": 1.0 + number}
        world.add("probe", CLASS_2, NINE + number * MINUTE_NS + 7 * SECOND_NS, fields, tags, GATEWAY)
    return world


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    """Return a store with these days."""
    store = SqliteStore(tmp_path / "store.sqlite")
    store.prepare()
    week().write(store)
    yield store
    store.close()


def differences(archive: Archive, store: Store) -> list[Difference]:
    """Return all differences."""
    return list(Comparison(archive, store))


def told(found: list[Difference]) -> list[tuple[str, str, str, str, int]]:
    """Return kind, day, device, measurement and time of differences."""
    return [(one.kind, one.part, one.head.device, one.head.measurement, one.time_ns) for one in found]


def tampered(store: SqliteStore, statement: str, *values: object) -> None:
    """Do to a store what somebody with its file can do; it has to touch one row at least."""
    with sqlite3.connect(store.path) as connection:
        assert connection.execute(statement, values).rowcount >= 1
    connection.close()


def test_a_store_that_did_not_change_is_the_same(store: Store, tmp_path: Path) -> None:
    """The store that an archive was made of has no differences, whichever it is."""
    week().write(store)
    with archived(store, tmp_path) as archive:
        comparison = Comparison(archive, store)
        assert list(comparison) == []
        assert comparison.compared == (archive.manifest.leaves, 0)


def test_an_archive_of_one_store_is_the_same_beside_the_other(
    store: Store, sqlite: SqliteStore, tmp_path: Path
) -> None:
    """A city that moved to InfluxDB checks the archives of its SQLite days with it."""
    week().write(store)
    with archived(sqlite, tmp_path) as archive:
        assert differences(archive, store) == []


def test_one_altered_row_is_named(store: Store, tmp_path: Path) -> None:
    """A value that was written over is found in either store, with device, day, measurement, time, before and now."""
    week().write(store)
    with archived(store, tmp_path) as archive:
        world = World()
        world.add("presence", CLASS_2, NINE, {"lan": 0})
        world.write(store)
        (found,) = differences(archive, store)
    assert told([found]) == [("altered", MONDAY.isoformat(), CLASS_2, "presence", NINE)]
    assert "lan=1i" in found.archived
    assert "lan=0i" in found.stored


def test_one_missing_row_is_named(sqlite: SqliteStore, tmp_path: Path) -> None:
    """A row that was deleted is named with the values that it had."""
    with archived(sqlite, tmp_path) as archive:
        tampered(sqlite, "DELETE FROM probe WHERE device = ? AND time = ?", CLASS_2, NINE + 7 * SECOND_NS)
        (found,) = differences(archive, sqlite)
    assert told([found]) == [("missing", MONDAY.isoformat(), CLASS_2, "probe", NINE + 7 * SECOND_NS)]
    assert (found.head.source, dict(found.head.tags)["target"]) == (GATEWAY, "x y")
    assert found.archived == "success=1i,rtt_ms=1.0"


def test_two_rows_with_each_others_values_are_exchanged(sqlite: SqliteStore, tmp_path: Path) -> None:
    """Two minutes that were exchanged are named together; so are those of two devices."""
    with archived(sqlite, tmp_path) as archive:
        for place, value in ((0, 31.0), (30, 1.0)):
            tampered(
                sqlite, "UPDATE probe SET rtt_ms = ? WHERE time = ?", value, NINE + place * MINUTE_NS + 7 * SECOND_NS
            )
        found = differences(archive, sqlite)
    first, second = NINE + 7 * SECOND_NS, NINE + 30 * MINUTE_NS + 7 * SECOND_NS
    assert told(found) == [("exchanged", MONDAY.isoformat(), CLASS_2, "probe", time_ns) for time_ns in (first, second)]
    assert [one.other for one in found] == [(found[1].head, second), (found[0].head, first)]


@pytest.mark.parametrize(
    ("column", "value"), [("time", NINE + 90 * MINUTE_NS), ("device", CLASS_1), ("target", "y"), ("source", CLASS_2)]
)
def test_a_row_that_stands_elsewhere_is_exchanged(
    sqlite: SqliteStore, tmp_path: Path, column: str, value: object
) -> None:
    """A row that was given another time, device, target or observer is one exchange: from where, to where."""
    with archived(sqlite, tmp_path) as archive:
        tampered(sqlite, f"UPDATE probe SET {column} = ? WHERE time = ?", value, NINE + 7 * SECOND_NS)
        (found,) = differences(archive, sqlite)
    assert told([found]) == [("exchanged", MONDAY.isoformat(), CLASS_2, "probe", NINE + 7 * SECOND_NS)]
    head, time_ns = found.other or (None, 0)
    assert head
    there = {"time": time_ns, "device": head.device, "target": dict(head.tags)["target"], "source": head.source}
    assert there[column] == value


def test_late_evidence_is_told_from_added_rows(store: Store, tmp_path: Path) -> None:
    """What the collector marked as stored after the archive was made is late; the same without the mark was added."""
    week().write(store)
    with archived(store, tmp_path, scope_of(made_ns=now_ns() - 3600 * SECOND_NS)) as archive:
        world = World()
        world.works(CLASS_1, TUESDAY, "11:00", "11:04", stop_marks=None)
        world.add("delivery", CLASS_1, at(TUESDAY, "11:04") + 7, {"seq": 7, "epoch": "e", "lines": 5})
        world.late(CLASS_1, at(TUESDAY, "11:00"), at(TUESDAY, "11:04"), now_ns())
        world.works(CLASS_2, TUESDAY, "11:00", "11:00", stop_marks=None)
        world.write(store)
        found = told(differences(archive, store))
    assert {kind for kind, _, device, _, _ in found if device == CLASS_1} == {"late"}
    assert next(one for one in found if one[3] == "delivery")[4] == at(TUESDAY, "11:04") + 7
    assert {kind for kind, _, device, _, _ in found if device == CLASS_2} == {"added"}


def test_a_mark_of_before_the_archive_excuses_nothing(sqlite: SqliteStore, tmp_path: Path) -> None:
    """Rows that were put in and called late by a mark older than the archive are rows that were added."""
    with archived(sqlite, tmp_path) as archive:
        world = World()
        world.works(CLASS_1, TUESDAY, "11:00", "11:00", stop_marks=None)
        world.late(CLASS_1, at(TUESDAY, "11:00"), at(TUESDAY, "11:00"), archive.manifest.made_ns - 1)
        world.write(sqlite)
        found = differences(archive, sqlite)
    assert {one.kind for one in found if one.head.measurement == "presence"} == {"added"}


def test_an_altered_row_is_not_excused_by_a_mark(sqlite: SqliteStore, tmp_path: Path) -> None:
    """What stands in the archive with other values was altered, whatever is said to have come late."""
    with archived(sqlite, tmp_path) as archive:
        world = World()
        world.add("presence", CLASS_1, NINE, {"wan": 0})
        world.late(CLASS_1, NINE, NINE, now_ns() + SECOND_NS)
        world.write(sqlite)
        found = differences(archive, sqlite)
    # The mark itself came after the archive was made.
    assert [(one.kind, one.head.measurement) for one in found] == [("altered", "presence"), ("late", "late")]


def test_a_batch_that_came_again_is_no_alteration(sqlite: SqliteStore, tmp_path: Path) -> None:
    """A batch that is sent again renews its receipt: late; with other contents, or an older time, it was altered."""
    world = World()
    tags = {"epoch": "5f0c9a1e"}
    fields: dict[str, Value] = {"seq": 1, "lines": 5, "received": NINE // 10**6, "lag_ms": 5, "partial": 0}
    for device in (CLASS_1, CLASS_2, CLASS_3):
        world.add("delivery", device, NINE + 1, fields, tags)
    world.write(sqlite)
    with archived(sqlite, tmp_path) as archive:
        later = now_ns() + SECOND_NS
        for device, change in (
            (CLASS_1, {"received": later // 10**6, "lag_ms": 9, "by_hand": 1}),
            (CLASS_2, {"received": later // 10**6, "lines": 6}),
            (CLASS_3, {"received": NINE // 10**6 + 1}),
        ):
            world.add("delivery", device, NINE + 1, fields | change, tags)
        world.write(sqlite)
        found = {one.head.device: one.kind for one in differences(archive, sqlite)}
    assert found == {CLASS_1: "late", CLASS_2: "altered", CLASS_3: "altered"}


def test_rows_around_the_period_are_compared(sqlite: SqliteStore, tmp_path: Path) -> None:
    """The presence after the period and the identity before it prove minutes of it: they are compared like its days."""
    with archived(sqlite, tmp_path, scope_of(TUESDAY)) as archive:
        tampered(
            sqlite, "UPDATE presence SET uptime_s = 1 WHERE device = ? AND time = ?", CLASS_1, at(WEDNESDAY, "08:00")
        )
        tampered(sqlite, "DELETE FROM identity WHERE device = ? AND time = ?", CLASS_2, at(MONDAY, "08:00"))
        found = differences(archive, sqlite)
    assert told(found) == [
        ("missing", "before", CLASS_2, "identity", at(MONDAY, "08:00")),
        ("altered", "after", CLASS_1, "presence", at(WEDNESDAY, "08:00")),
    ]


def test_a_neighbour_that_came_later_is_no_alteration(sqlite: SqliteStore, tmp_path: Path) -> None:
    """When a presence nearer to the period came late, the old neighbour is still there, and that is looked up."""
    with archived(sqlite, tmp_path, scope_of(TUESDAY)) as archive:
        world = World()
        world.works(CLASS_1, WEDNESDAY, "07:00", "07:00", stop_marks=None)
        world.late(CLASS_1, at(WEDNESDAY, "07:00"), at(WEDNESDAY, "07:00"), now_ns())
        world.write(sqlite)
        found = differences(archive, sqlite)
    assert {(one.kind, one.part) for one in found} == {("late", "after")}


def test_a_device_that_is_gone_is_missing_row_by_row(sqlite: SqliteStore, tmp_path: Path) -> None:
    """All rows of a device, and one that nobody knew before, are found."""
    with archived(sqlite, tmp_path, scope_of(MONDAY)) as archive:
        tampered(sqlite, "DELETE FROM presence WHERE device = ?", CLASS_3)
        world = World()
        world.works(f"{CLASS_3}9", MONDAY, "08:00", "08:04", boot="another")
        world.write(sqlite)
        found = differences(archive, sqlite)
    assert sum(one.kind == "missing" and one.part == MONDAY.isoformat() for one in found) == 121
    assert sum(one.kind == "added" for one in found) == 6
