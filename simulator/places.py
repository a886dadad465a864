"""A city before anything happens in it: counties, schools and hotspots, and the machines of each."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from simulator.chance import Chance, hexadecimal

COUNTIES = ("441802", "441803", "441821", "441823", "441825", "441826", "441881", "441882")
_OPERATORS = ("电信", "移动", "联通")
_HOTSPOTS = 0.1  # of all devices
_GRADES = {"primary": ("一", "二", "三", "四", "五", "六"), "junior": ("七", "八", "九")}


class Role(StrEnum):
    """What a machine is."""

    PLATFORM = "platform"  # a classroom's computer or panel with an agent of its own
    PANEL = "panel"  # a classroom's panel, seen by the school's gateway
    GATEWAY = "gateway"
    HOTSPOT = "hotspot"


class Habit(StrEnum):
    """How a classroom's machine is used."""

    LEFT_ON = "left_on"  # it comes with the mains, and nobody switches it off
    BY_DAY = "by_day"  # on before the first lesson, off after the last one
    BY_LESSON = "by_lesson"  # off between lessons
    SLEEPS = "sleeps"  # as by day, and it falls asleep when it is not used


class Thing(NamedTuple):
    """
    A machine of the roster. `speaker` is the agent that speaks for it; `exists` false: it stands on paper alone.

    `has_marks`: a supervisor writes a mark whenever its agent ends. `clock_s`: how long its clock takes to be right
    after a boot with a network, between the two.
    """

    id: str
    role: Role
    speaker: str
    room: str
    class_name: str
    habit: Habit
    exists: bool
    has_marks: bool
    clock_s: tuple[int, int]
    serial: str
    nic_mbps: int


class Place(NamedTuple):
    """
    A site with its machines. `line_mbps` is what its line really carries, `night_off`: the breaker is off at night.

    `boxed` says that its gateway (router) hangs on the breaker, too.
    """

    id: str
    title: str
    is_school: bool
    area: str
    operator: str
    contracted_mbps: int
    line_mbps: float
    calendar: str
    night_off: bool
    boxed: bool
    mac: str
    things: tuple[Thing, ...]

    @property
    def county(self) -> str:
        """Its county."""
        return self.id.partition("-")[0]

    @property
    def subnet(self) -> str:
        """Its network."""
        number = int(self.mac.replace(":", "")[-5:], 16)
        return f"10.{number >> 8 & 255}.{number & 255}.0/24"


def places(seed: int, devices: int) -> Iterator[Place]:
    """Yield the sites of a city of so many devices, always the same ones for a seed."""
    hotspots = round(devices * _HOTSPOTS)
    classrooms = devices - hotspots
    number = 0
    while classrooms > 0:
        number += 1
        chance = Chance(seed, "school", number)
        size = min(classrooms, chance.randint(12, 36), max(3, devices // 8))
        yield _school(chance, number, size)
        classrooms -= size
    while hotspots > 0:
        number += 1
        chance = Chance(seed, "hotspots", number)
        size = min(hotspots, chance.randint(1, 4))
        yield _public(chance, number, size)
        hotspots -= size


def _place(chance: Chance, number: int, calendar: str) -> Place:
    county = COUNTIES[number % len(COUNTIES)]
    is_school = calendar != "hotspot"
    contracted = chance.choice((20, 50, 100, 200, 500))
    kept = chance.uniform(0.86, 1.05) if chance.happens(0.8) else chance.uniform(0.3, 0.75)
    return Place(
        f"{county}-{3144000000 + number if is_school else f'wifi{number:05d}'}",
        f"模拟学校{number:04d}" if is_school else f"模拟热点{number:04d}",
        is_school,
        "urban" if chance.happens(0.4) else "rural",
        chance.choice(_OPERATORS),
        contracted,
        round(contracted * kept, 1),
        calendar,
        is_school and chance.happens(0.7),
        is_school and chance.happens(0.25),
        "02:" + ":".join(hexadecimal(chance, 2) for _ in range(5)),
        (),
    )


def _school(chance: Chance, number: int, size: int) -> Place:
    calendar = "primary" if chance.happens(0.6) else "junior"
    place = _place(chance, number, calendar)
    has_gateway = number % 3 == 2
    things = []
    if has_gateway:
        things.append(_thing(chance, f"{place.id}.gw1", Role.GATEWAY))
    for index in range(size - has_gateway):
        grades = _GRADES[calendar]
        grade, clas = index % len(grades), index // len(grades) + 1
        first = 1 if calendar == "primary" else 7
        speaker = f"{place.id}.gw1" if has_gateway else ""
        role = Role.PANEL if has_gateway and not chance.happens(0.15) else Role.PLATFORM
        thing = _thing(
            chance, f"{place.id}.c{first + grade:02d}{clas:02d}", role, speaker if role is Role.PANEL else ""
        )
        things.append(thing._replace(room=f"{first + grade}-{clas}", class_name=f"{grades[grade]}年级({clas})班"))
    return place._replace(things=tuple(things))


def _public(chance: Chance, number: int, size: int) -> Place:
    place = _place(chance, number, "hotspot")
    things = (_thing(chance, f"{place.id}.ap{index + 1}", Role.HOTSPOT) for index in range(size))
    return place._replace(things=tuple(things))


def _thing(chance: Chance, name: str, role: Role, speaker: str = "") -> Thing:
    return Thing(
        name,
        role,
        speaker or name,
        "",
        "",
        chance.choices(list(Habit), (35, 40, 15, 10))[0],
        not (role in (Role.PLATFORM, Role.PANEL) and chance.happens(0.02)),
        not chance.happens(0.03),
        (40, 900) if chance.happens(0.3) else (3, 40),
        f"10000000{hexadecimal(chance, 8)}",
        chance.choice((100, 1000, 1000)),
    )
