"""The world of rates.md: its roster, its evidence, and its rates as the lines of its last table."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.verify.results import Journey, Rates, Verdict
from contract.sample import Value
from tests.collector.verification.world import (
    MINUTE_NS,
    MONDAY,
    SCHOOL_1,
    SCHOOL_2,
    TUESDAY,
    WEDNESDAY,
    World,
    at,
)

TABLE = Path(__file__).parent / "rates.md"
SQUARE = "441802-9000000001"
SUNDAY_BEFORE, THURSDAY = MONDAY - timedelta(days=1), MONDAY + timedelta(days=3)
PC_1, PROJECTOR, PC_2, GATEWAY = (f"{SCHOOL_1}.{place}" for place in ("c0701", "p0701", "c0702", "gw"))
PC_3, AP_1, AP_2, AP_3 = f"{SCHOOL_2}.c0101", f"{SQUARE}.ap1", f"{SQUARE}.ap2", f"{SQUARE}.ap3"
STRANGER = f"{SCHOOL_2}.stranger"
SITES = (
    Site(SCHOOL_1, "清城一小", operator="电信", contracted_mbps=100),
    Site(SCHOOL_2, "英德二中", operator="移动", contracted_mbps=50),
    Site(SQUARE, "市民广场", kind=SiteKind.PUBLIC, operator="电信"),
)
DEVICES = (
    Device(PC_1, "classroom", "7-1", "七(1)班", "windows-classroom-pc"),
    Device(PROJECTOR, "projector", "7-1", "七(1)班", "pjlink-projector", GATEWAY),
    Device(PC_2, "classroom", "7-2", "七(2)班", "windows-classroom-pc"),
    Device(GATEWAY, "gateway", profile="raspberry-pi-4"),
    Device(PC_3, "classroom", "1-1", "一(1)班", "windows-classroom-pc"),
    Device(AP_1, "access-point", profile="openwrt"),
    Device(AP_2, "access-point", profile="openwrt", agent=AP_1),
    Device(AP_3, "access-point", agent=AP_1),
)
ROSTER = Roster({site.id: site for site in SITES}, {device.id: device for device in DEVICES})
SHORT = {"school-1": SCHOOL_1, "school-2": SCHOOL_2, "square": SQUARE}


def world() -> World:
    """Return the evidence of rates.md."""
    found = World()
    for device, day in ((PC_1, MONDAY), (PC_1, WEDNESDAY), (PC_2, TUESDAY), (GATEWAY, TUESDAY), (AP_1, MONDAY)):
        found.works(device, day)
    _identities(found)
    _lessons(found)
    _batches(found)
    _journeys(found)
    _tests(found)
    return found


def _identities(found: World) -> None:
    for device, day, profile, source in (
        (PC_1, MONDAY, "windows-classroom-pc", ""), (GATEWAY, TUESDAY, "raspberry-pi-4", ""),
        (AP_1, MONDAY, "openwrt", ""), (PROJECTOR, MONDAY, "pjlink-panel", GATEWAY),
    ):  # fmt: skip
        found.add("identity", device, at(day, "09:00"), {"profile": profile}, source=source)
    found.add("firmware", AP_1, at(MONDAY, "10:00"), {"version": "21.02.3", "compliant": 0})
    found.add("firmware", AP_1, at(THURSDAY, "10:00"), {"version": "23.05.5", "compliant": 1})
    found.add("firmware", GATEWAY, at(SUNDAY_BEFORE, "10:00"), {"version": "12", "compliant": 1})
    ping = {"kind": "icmp", "target": "it"}
    for hour, success in (("09:00", 0), ("10:00", 1), ("11:00", 0)):
        found.add("probe", AP_3, at(MONDAY, hour), {"success": success, "stage": "reply"}, ping, AP_1)
        found.add("probe", AP_2, at(MONDAY, hour), {"success": 0, "stage": "reply"}, ping, AP_1)


def _lessons(found: World) -> None:
    for day, clock, active in (
        (MONDAY, "08:30", 0), (MONDAY, "08:40", 1), (MONDAY, "09:20", 0),
    ):  # fmt: skip
        found.add("usage", PC_1, at(day, clock), {"session_active": active})
    for clock in ("09:00", "09:10"):
        found.add("usage", PC_2, at(TUESDAY, clock), {"session_active": 1})
    for day in (MONDAY, TUESDAY):
        found.add("usage", PROJECTOR, at(day, "09:30"), {"display_on": 1}, source=GATEWAY)


def _batches(found: World) -> None:
    for agent, day, text in (
        (PC_1, MONDAY, "a1 a2 a3"), (PC_1, WEDNESDAY, "b1(a3) b2"), (PC_2, SUNDAY_BEFORE, "a1 a2 a3"),
        (PC_2, TUESDAY, "a4 a6"), (GATEWAY, TUESDAY, "c1 - c3"), (AP_1, MONDAY, "d1"), (AP_1, WEDNESDAY, "f1(e3)"),
        (STRANGER, MONDAY, "a1 a9"),
    ):  # fmt: skip
        for number, batch in enumerate(text.split()):
            if batch != "-":
                _batch(found, agent, agent, at(day, "09:00") + number * MINUTE_NS, batch)
    _batch(found, PROJECTOR, GATEWAY, at(TUESDAY, "08:59"), "c2")
    _batch(found, AP_3, AP_1, at(MONDAY, "10:00"), "d2")


def _batch(found: World, device: str, agent: str, time_ns: int, text: str) -> None:
    """Add the delivery point of a batch; epochs are eight hex digits."""
    match = re.fullmatch(r"([a-f])(\d+)(?:\(([a-f])(\d+)\))?", text)
    assert match
    epoch, seq, before, last = match.groups()
    told: dict[str, Value] = {"previous": f"{before * 8}:{last}"} if before else {}
    fields: dict[str, Value] = {"epoch": epoch * 8, "seq": int(seq), "lines": 30, "received": time_ns // 10**6, **told}
    found.add("delivery", device, time_ns + int(seq), fields, source=agent)


def _journeys(found: World) -> None:
    join, page = {"kind": "wifi_join", "target": "Public-WiFi"}, {"kind": "portal", "target": "http://a.cn/"}
    base: dict[str, Value] = {"scan_ms": 2000.0, "associate_ms": 600.0}
    address = {**base, "dhcp_ms": 100.0, "dns_ms": 50.0, "portal_ms": 200.0}
    outcomes: tuple[dict[str, Value], ...] = (
        {"success": 1, "stage": "done", **address, "http_ms": 300.0},
        {"success": 1, "stage": "portal", **address},
        {"success": 0, "stage": "dhcp", **base},
        {"stage": "unable"},
    )
    for number, outcome in enumerate(outcomes):
        found.add("probe", AP_1, at(MONDAY, "09:00") + number * MINUTE_NS, outcome, join)
    for number, success in enumerate((1, 0)):
        fields: dict[str, Value] = {"success": success, "stage": "done" if success else "connect", "duration_ms": 30.0}
        found.add("probe", AP_1, at(MONDAY, "09:30") + number * MINUTE_NS, fields, page)
    found.add("probe", PC_1, at(MONDAY, "09:30"), {"success": 0, "stage": "connect"}, {"kind": "http", "target": "t"})


def _tests(found: World) -> None:
    for device, tests in ((PC_1, (90, 91, 92, 93, 94)), (f"{SCHOOL_2}.c0101", (30, 31, 32, 33, 34)), (AP_1, (1.5, 3))):
        for number, goodput in enumerate(tests):
            _test(found, device, number, float(goodput), "none")
    _test(found, PC_1, 9, 20.0, "nic")


def _test(found: World, device: str, number: int, goodput: float, limited_by: str) -> None:
    fields: dict[str, Value] = {"goodput_mbps": goodput, "limited_by": limited_by, "seconds": 10.0}
    tags = {"direction": "download", "server": "http://speed.example/"}
    found.add("throughput", device, at(MONDAY, "11:00") + number * MINUTE_NS, fields, tags)


# ---- what comes out


def by_hand() -> dict[str, str]:
    """Return the last table of rates.md."""
    _, _, table = TABLE.read_text(encoding="utf-8").partition("## What comes out")
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines() if line.startswith("|")]
    return dict(rows[2:])


def found_in(rates: Rates) -> dict[str, str]:
    """Return rates as that table has them."""
    return dict(_lines(rates))


def _lines(rates: Rates) -> Iterator[tuple[str, str]]:
    for operator in rates.operators:
        counts = tuple(map(operator.count, (Verdict.PASS, Verdict.FAIL, Verdict.NOT_PROVEN)))
        said = "kept {}, broken {}, unproven {}".format(*counts)
        yield f"contracts {operator.operator}", f"{said}, without a rate {operator.no_contract}"
    names = {"wifi_join": "journeys", "portal": "login page alone", "throughput": "rate of a user"}
    for journey in rates.journeys.total:
        yield names[journey.kind], _journey(journey)
        if journey.kind == "wifi_join":
            for stage in journey.stages:
                yield f"stage {stage.stage}", f"asked {stage.asked}, passed {stage.passed}"
    gear = rates.equipment
    counts = (gear.right, len(gear.other), gear.without_profile, len(gear.never))
    total = sum(counts)
    bounds = f"between {round(gear.rate.low * total)}/{total} and {round(gear.rate.high * total)}/{total}"
    yield "equipment", "right {}, other {}, without profile {}, never {}; ".format(*counts) + bounds
    for one in rates.firmware:
        counts = (one.compliant, one.behind, one.unknown)
        yield f"firmware {one.profile or 'of no profile'}", "good {}, behind {}, unknown {}".format(*counts)
    for lesson in rates.usage.lessons:
        yield f"lesson {lesson.number}", f"used {lesson.used}, unused {lesson.unused}, unknown {lesson.unknown}"
    yield "reporting", f"{rates.reporting.reporting} of {rates.reporting.devices}"
    yield "silent", ", ".join(f"{short(one.device)} {one.days} days" for one in rates.reporting.at_risk)
    yield "came", ", ".join(f"{short(one.agent)} {one.batches}/{one.missing}" for one in rates.delivery)


def _journey(one: Journey) -> str:
    return f"{one.done} of {one.journeys}, {one.unable} could not be asked"


def short(device: str) -> str:
    """Return a device's id as rates.md has it."""
    names = {site: name for name, site in SHORT.items()}
    site, _, place = device.partition(".")
    return f"{names[site]}.{place}"
