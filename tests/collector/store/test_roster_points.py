"""What the roster says of each device, written as points to both stores."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from collector.calendars.zone import day_window
from collector.days import read_days
from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.roster_points import write_roster
from collector.store.base import Row, Store
from contract.measurements import TABLE

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2025, 11, 24)
SCHOOL, SQUARE = "441802-3144001234", "441802-wifi00001"
CLASS, GATEWAY, SPOT = f"{SCHOOL}.c0302", f"{SCHOOL}.gw1", f"{SQUARE}.ap1"
ROSTER = Roster(
    {
        SCHOOL: Site(SCHOOL, '第一小学 "北区"', operator="电信", contracted_mbps=100.0),
        SQUARE: Site(SQUARE, "人民广场", kind=SiteKind.PUBLIC),
    },
    {
        CLASS: Device(CLASS, "classroom", "3-2", "三年级(2)班", "windows-classroom-pc"),
        GATEWAY: Device(GATEWAY, "gateway"),
        SPOT: Device(SPOT, "access-point"),
    },
)


def stored(store: Store, day: date = DAY) -> dict[str, Row]:
    """Return the roster points of a day, by device."""
    return {row.device: row for row in store.select("roster", *day_window(day, ZONE))}


def test_every_device_has_a_point_with_its_names_on_each_day(store: Store) -> None:
    """Whoever reads the store alone learns what a device, its class, its school and county are called."""
    assert write_roster(store, ROSTER, DAY, ZONE) == 3
    rows = stored(store)
    assert rows.keys() == {CLASS, GATEWAY, SPOT}
    assert rows[CLASS].fields.keys() == {field.name for field in TABLE["roster"].fields}
    assert rows[CLASS].time_ns == day_window(DAY, ZONE)[0]
    assert rows[CLASS].fields["site_name"] == "第一小学 '北区'", "a quote would end the string"
    assert rows[CLASS].fields["county_name"] == "清城区"
    assert rows[CLASS].fields["class_name"] == "三年级(2)班"
    assert rows[CLASS].fields["contracted_mbps"] == 100.0
    assert rows[CLASS].fields["county_entry"] == "441802|清城区"
    assert rows[CLASS].fields["site_entry"] == f"{SCHOOL}|第一小学 '北区'"
    assert rows[CLASS].fields["device_entry"] == f"{CLASS}|三年级(2)班 c0302"
    assert rows[GATEWAY].fields["class_name"] == "gw1", "what has no class is called by its place"
    assert "contracted_mbps" not in rows[SPOT].fields, "what nobody knows is absent"


def test_platforms_and_hotspots_are_told_apart(store: Store) -> None:
    """A classroom's machine counts as a platform, a public access point as a hotspot, a gateway as neither."""
    write_roster(store, ROSTER, DAY, ZONE)
    kinds = {
        name: (row.fields["counts"], row.fields["platform"], row.fields["hotspot"])
        for name, row in stored(store).items()
    }
    assert kinds == {CLASS: (1, 1, 0), GATEWAY: (1, 0, 0), SPOT: (1, 0, 1)}


def test_a_device_counts_from_its_commissioning_and_ends_with_its_last_day(store: Store) -> None:
    """Before that it is there and counts for nothing; after its last day it has no point."""
    device = ROSTER.devices[CLASS]._replace(commissioned_on=DAY + timedelta(1), valid_to=DAY + timedelta(1))
    roster = ROSTER._replace(devices={CLASS: device})
    for more in range(3):
        write_roster(store, roster, DAY + timedelta(more), ZONE)
    found = [stored(store, DAY + timedelta(more)) for more in range(3)]
    assert [[row.fields["platform"] for row in day.values()] for day in found] == [[0], [1], []]


def test_writing_a_day_again_changes_nothing(store: Store) -> None:
    """A collector that is started again says the same once more."""
    write_roster(store, ROSTER, DAY, ZONE)
    before = stored(store)
    write_roster(store, ROSTER, DAY, ZONE)
    assert stored(store) == before


def test_who_left_the_roster_on_the_same_day_counts_no_more(store: Store) -> None:
    """A version that comes at noon without a device takes it out of the day's sums; its name stays readable."""
    write_roster(store, ROSTER, DAY, ZONE)
    devices = {name: device for name, device in ROSTER.devices.items() if name != CLASS}
    assert write_roster(store, ROSTER._replace(devices=devices), DAY, ZONE) == 2
    fields = stored(store)[CLASS].fields
    assert (fields["counts"], fields["platform"], fields["class_name"]) == (0, 0, "三年级(2)班")
    assert stored(store)[SPOT].fields["hotspot"] == 1


def test_points_of_the_roster_are_no_evidence(store: Store) -> None:
    """No device is said to have reported, and no day to have been judged, because the roster names it."""
    write_roster(store, ROSTER, DAY, ZONE)
    assert store.devices(*day_window(DAY, ZONE)) == []
    assert not list(read_days(store, *day_window(DAY, ZONE)))
