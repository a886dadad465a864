"""A town of two schools and a square, whose evidence ends when a test says so."""

import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from collector.check import identity_tags
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from contract.measurements import Retention

MINUTE_NS = 60 * 10**9
SCHOOL, OTHER, SQUARE = "441802-3144000001", "441803-3144000002", "441802-square"
CLASSES = tuple(f"{SCHOOL}.c07{number:02d}" for number in range(1, 7))
PANELS = tuple(f"{OTHER}.c01{number:02d}" for number in range(1, 4))
GATEWAY, HOTSPOT, OTHER_HOTSPOT = f"{OTHER}.gw1", f"{SQUARE}.ap1", f"{SQUARE}.ap2"
LATE = f"{SQUARE}.ap3"  # a hotspot that nobody hears before a test lets it speak
NEVER = CLASSES[5]
# A name that people would not write, and a page must not obey.
SCHOOL_NAME = "第一中学<img src=x onerror=document.title='broken'>"

SITES = f"""id,name,area,kind,operator,contracted_mbps,calendar,contact,phone
{SCHOOL},{SCHOOL_NAME},urban,school,电信,100,school,张老师,0763-1
{OTHER},第二小学,rural,school,移动,50,school,,
{SQUARE},人民广场,urban,public,联通,20,always,,
"""
CALENDARS = """zone: Asia/Shanghai
holidays: none
default: school
calendars:
  school:
    title: {zh: 学校, en: school}
    service: always
    every_day: true
    lessons: {mon-sun: [00:00-24:00]}
  always:
    title: {zh: 热点, en: hotspot}
    service: always
    every_day: true
"""


def devices_csv() -> str:
    """Return the devices of the roster."""
    rows = ["id,role,room_id,class_name,profile,agent"]
    rows += [f"{name},classroom,7-{number},初一({number})班,windows-classroom-pc," for number, name in
             enumerate(CLASSES, start=1)]  # fmt: skip
    rows += [f"{GATEWAY},gateway,,,raspberry-pi-4,"]
    rows += [f"{name},classroom,1-{number},一年级({number})班,pjlink-panel,{GATEWAY}" for number, name in
             enumerate(PANELS, start=1)]  # fmt: skip
    rows += [f"{name},access-point,,,openwrt," for name in (HOTSPOT, OTHER_HOTSPOT, LATE)]
    return "\n".join(rows) + "\n"


class Town:
    """A data folder with roster, calendars and a store that evidence is written into."""

    def __init__(self, data: Path, days_ago: int = 3) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        (data / "sites.csv").write_text(SITES, encoding="utf-8")
        (data / "devices.csv").write_text(devices_csv(), encoding="utf-8")
        (data / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
        reading = read([data / "sites.csv", data / "devices.csv"])
        assert not reading.errors, reading.errors
        Versions(data).add(reading, date.today() - timedelta(days=days_ago), "a test")  # noqa: DTZ011
        self.store: Store = open_store(store_url(data))
        self.store.prepare()

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def write(self, lines: Iterable[str]) -> None:
        """Write evidence lines, already tagged."""
        body = "".join(f"{line}\n" for line in lines).encode()
        assert self.store.write(Retention.EVIDENCE, body) == []

    def presence(self, device: str, at_ns: int, *, lan: int = 1, wan: int = 1, minutes: int = 1) -> None:
        """Write the presences of some minutes, the last one at `at_ns`."""
        tags = identity_tags(device, device).decode()
        self.write(
            f'presence{tags} boot="b1",uptime_s={86400 - 60 * back}.0,asleep_s=0.0,lan={lan}i,wan={wan}i,broker=1i '
            f"{at_ns - back * MINUTE_NS}"
            for back in range(minutes)
        )

    def used(self, device: str, at_ns: int, minutes: int = 1) -> None:
        """Write that somebody used a classroom's computer."""
        tags = identity_tags(device, device).decode()
        self.write(f"usage{tags} session_active=1i {at_ns - back * MINUTE_NS}" for back in range(minutes))

    def journey(self, device: str, at_ns: int, stage: str = "done") -> None:
        """Write a journey into a hotspot."""
        tags = identity_tags(device, device).decode()
        took = "scan_ms=900.0,associate_ms=300.0,dhcp_ms=200.0"
        done = int(stage == "done")
        self.write([f'probe{tags},kind=wifi_join,target=Free success={done}i,stage="{stage}",{took} {at_ns}'])

    def panel(self, device: str, at_ns: int, power: str = "on", *, answers: bool = True) -> None:
        """Write what the gateway says of a panel."""
        tags = identity_tags(GATEWAY, device).decode()
        if not answers:
            self.write([f'probe{tags},kind=pjlink,target=display success=0i,stage="connect" {at_ns}'])
            return
        self.write(
            [f'probe{tags},kind=pjlink,target=display success=1i,stage="done" {at_ns}',
             f'display{tags} power="{power}" {at_ns}']
        )  # fmt: skip

    def test(self, device: str, at_ns: int, mbps: float, limited_by: str = "none") -> None:
        """Write a throughput test."""
        tags = identity_tags(device, device).decode()
        server = "server=http://test.example/"
        self.write([f'throughput{tags},direction=download,{server} goodput_mbps={mbps},limited_by="{limited_by}" '
                    f"{at_ns}"])  # fmt: skip

    def all_well(self, at_ns: int, minutes: int = 90) -> None:
        """Have everything work until an instant, but for a class that never reported."""
        for device in (*CLASSES[:5], GATEWAY, HOTSPOT, OTHER_HOTSPOT):
            self.presence(device, at_ns, minutes=minutes)
        for device in CLASSES[:5]:
            self.used(device, at_ns, minutes)
        for device in PANELS:
            self.panel(device, at_ns)
        for device in (HOTSPOT, OTHER_HOTSPOT):
            for back in range(minutes):
                self.journey(device, at_ns - back * MINUTE_NS)


def last_minute() -> int:
    """Return the last full minute, unix ns."""
    now = time.time_ns()
    return now - now % MINUTE_NS
