"""What the roster says of each device, written as points to both stores."""

from collections import defaultdict
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from collector.calendars.zone import day_window
from collector.days import read_days
from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.roster_points import write_roster
from collector.store.base import Row, Store
from contract.measurements import TABLE
from contract.names import site_of
from contract.sample import Value

ZONE = ZoneInfo("Asia/Shanghai")
KINDS = ("counts", "platform", "hotspot")
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


def stored(store: Store, day: date = DAY, measurement: str = "roster") -> dict[str, Row]:
    """Return the roster points of a day, by device."""
    return {row.device: row for row in store.select(measurement, *day_window(day, ZONE))}


def sites(store: Store, day: date = DAY) -> dict[str, tuple[Value, ...]]:
    """Return how many devices of each kind the sites have on a day, as their points say; those with none left out."""
    rows = stored(store, day, "site_roster")
    counted = {site_of(name): tuple(row.fields[kind] for kind in KINDS) for name, row in rows.items()}
    return {site: numbers for site, numbers in counted.items() if any(numbers)}


def added_up(store: Store, day: date = DAY) -> dict[str, tuple[Value, ...]]:
    """Return the same from the points of the devices."""
    found: dict[str, list[int]] = defaultdict(lambda: [0] * len(KINDS))
    for name, row in stored(store, day).items():
        for at, kind in enumerate(KINDS):
            found[site_of(name)][at] += int(row.fields[kind])
    return {site: tuple(numbers) for site, numbers in found.items() if any(numbers)}


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


def test_a_site_has_what_its_devices_have_and_its_names(store: Store) -> None:
    """A page of the city reads a point a site and day; it says what the points of its devices say."""
    write_roster(store, ROSTER, DAY, ZONE)
    assert sites(store) == added_up(store) == {SCHOOL: (2, 1, 0), SQUARE: (1, 0, 1)}
    school, square = (stored(store, measurement="site_roster")[f"{site}.site"].fields for site in (SCHOOL, SQUARE))
    assert school.keys() == {field.name for field in TABLE["site_roster"].fields}
    device = stored(store)[CLASS].fields
    assert {name: device[name] for name in school if name not in KINDS} == {
        name: value for name, value in school.items() if name not in KINDS
    }
    assert "contracted_mbps" not in square


def test_sites_follow_the_roster_from_day_to_day_and_version_to_version(store: Store) -> None:
    """Devices that come, retire or vanish within a day, and a site that vanishes: sums are those of the devices."""
    retiring = ROSTER.devices[CLASS]._replace(valid_to=DAY)
    first = ROSTER._replace(devices={**ROSTER.devices, CLASS: retiring})
    for more in range(2):
        write_roster(store, first, DAY + timedelta(more), ZONE)
    assert sites(store) == added_up(store) == {SCHOOL: (2, 1, 0), SQUARE: (1, 0, 1)}
    tomorrow = DAY + timedelta(1)
    assert sites(store, tomorrow) == added_up(store, tomorrow) == {SCHOOL: (1, 0, 0), SQUARE: (1, 0, 1)}
    new = Device(f"{SCHOOL}.c0303", "classroom")
    write_roster(store, ROSTER._replace(devices={CLASS: ROSTER.devices[CLASS], new.id: new}), DAY, ZONE)
    assert sites(store) == added_up(store) == {SCHOOL: (2, 2, 0)}, "the square is not there any more"
    assert stored(store, measurement="site_roster")[f"{SQUARE}.site"].fields["site_name"] == "人民广场"


def test_points_of_the_roster_are_no_evidence(store: Store) -> None:
    """No device is said to have reported, and no day to have been judged, because the roster names it."""
    write_roster(store, ROSTER, DAY, ZONE)
    assert store.devices(*day_window(DAY, ZONE)) == []
    assert not list(read_days(store, *day_window(DAY, ZONE)))
