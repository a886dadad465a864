"""What stands on paper: the roster of the city (台账) in the columns of `collector.roster`, and its calendars."""

import csv
from pathlib import Path

from simulator.places import COUNTIES, Place, Role, Thing
from simulator.world import World

_ROLES = {
    Role.PLATFORM: ("classroom", "windows-classroom-pc"),
    Role.PANEL: ("classroom", "pjlink-panel"),
    Role.GATEWAY: ("gateway", "raspberry-pi-4"),
    Role.HOTSPOT: ("access-point", "openwrt"),
}
_SITES = (
    "id",
    "name",
    "area",
    "kind",
    "operator",
    "contracted_mbps",
    "calendar",
    "declared_classes",
    "declared_source",
)
_DEVICES = ("id", "role", "room_id", "class_name", "profile", "agent", "valid_from", "commissioned_on")


def write(world: World, folder: Path) -> None:
    """Write sites.csv, devices.csv and calendars.yaml."""
    sites = [_site(place) for place in world.places]
    day = world.calendar.start.isoformat()
    devices = [(*_device(thing), day, day) for place in world.places for thing in place.things]
    for name, columns, rows in (("sites.csv", _SITES, sites), ("devices.csv", _DEVICES, devices)):
        with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.writer(file)
            out.writerow(columns)
            out.writerows(rows)
    (folder / "calendars.yaml").write_text(world.calendar.as_yaml(COUNTIES), encoding="utf-8")


def _site(place: Place) -> tuple[object, ...]:
    rooms = len({thing.room for thing in place.things if thing.room})
    declared = (rooms + (int(place.id[-1]) == 7), "模拟上报") if place.is_school else ("", "")
    kind = "school" if place.is_school else "public"
    return place.id, place.title, place.area, kind, place.operator, place.contracted_mbps, place.calendar, *declared


def _device(thing: Thing) -> tuple[str, ...]:
    role, profile = _ROLES[thing.role]
    agent = thing.speaker if thing.speaker != thing.id else ""
    return thing.id, role, thing.room, thing.class_name, profile, agent
