"""
A county of two schools and a square, by hand: a week of which Monday and Tuesday are asked about.

    七(1)班  works on both days                         七(2)班  Internet down on both
    一(1)班  never reported                             八(1)班  declared, and not in the roster
    tests of 100 Mbit/s at school 1, of 32 at school 2; 50 are asked for
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from collector.store.open import open_store
from contract.sample import Value
from tests.collector.commands import run
from tests.collector.verification.test_cli_rates import CALENDARS
from tests.collector.verification.world import CLASS_1, CLASS_2, MONDAY, SCHOOL_1, SCHOOL_2, TUESDAY, World, at

NAME_2 = "<b>英德</b>二中 & =1+1"  # whoever fills in a roster writes no markup and no formula into a report
SITES = (
    ("id", "name", "operator", "contact", "phone", "declared_classes"),
    (SCHOOL_1, "清城一小", "电信", "值班室", "0763-0000000", "3"),
    (SCHOOL_2, NAME_2, "移动", "", "", ""),
)
DEVICES = (
    ("id", "role", "room_id", "class_name", "profile"),
    (CLASS_1, "classroom", "7-1", "七(1)班", "windows-classroom-pc"),
    (CLASS_2, "classroom", "7-2", "七(2)班", "windows-classroom-pc"),
    (f"{SCHOOL_2}.c0101", "classroom", "1-1", "一(1)班", "windows-classroom-pc"),
)
TARGETS = """
id: ours
title: {zh: 我们的目标, en: Our targets}
source: 合同
targets:
  - id: online
    title: {zh: 班级联网, en: Classes are online}
    scope: {role: [classroom]}
    unit: class
    hours: service
    good_when: [{profile: [windows-classroom-pc], all: [{reading: presence.wan, at_least: 1}]}]
    rule: {availability: 0.95}
    share: 0.5
    definition: {zh: 服务时间内 95% 联网, en: online for 95 % of service}
  - id: fast
    title: {zh: 学校带宽, en: Schools are fast}
    scope: {kind: [school]}
    unit: site
    rule: {throughput_mbps: 50, direction: download}
    share: 1.0
    definition: {zh: 下行 50 Mbit/s, en: downloads of 50 Mbit/s}
  - id: villages
    title: {zh: 自然村, en: Villages}
    scope: {kind: [village]}
    unit: site
    rule: {reporting: true}
    share: 0.8
    definition: {zh: 有数据, en: any evidence}
  - id: cable
    title: {zh: 有线电视, en: Cable TV}
    evidence: declared
    declared: {value: 0.8, source: 申报表, on: 2026-01-31}
    share: 0.9
    definition: {zh: 由运营单位申报, en: as its operator declares}
"""


class Asked(NamedTuple):
    """A folder with a store, and the options that ask about it."""

    folder: Path
    options: Sequence[object]

    def file(self, name: str, *more: object, code: int = 0) -> Path:
        """Write a report."""
        out = self.folder / name
        run("report", "--out", out, *self.options, *more, code=code)
        return out

    def verified(self) -> dict[str, Any]:
        """Return what `santong verify --json` says; a target fails."""
        found: dict[str, Any] = json.loads(run("verify", "--json", *self.options, code=1)[0])
        return found


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Return the county above."""
    folder = tmp_path_factory.mktemp("report")
    store = open_store(f"sqlite:///{folder / 'santong.sqlite'}")
    store.prepare()
    _evidence().write(store)
    store.close()
    (folder / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
    (folder / "targets.yaml").write_text(TARGETS, encoding="utf-8")
    for name, rows in (("sites.csv", SITES), ("devices.csv", DEVICES)):
        with (folder / name).open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows(rows)
    rosters = ("--roster", folder / "sites.csv", "--roster", folder / "devices.csv")
    days = ("--from", MONDAY, "--to", TUESDAY)
    return Asked(folder, ("--data", folder, "--targets", folder / "targets.yaml", *rosters, *days))


def _evidence() -> World:
    world = World()
    for day in (MONDAY, TUESDAY):
        world.works(CLASS_1, day)
        world.works(CLASS_2, day, wan=0)
    for device, goodput in ((CLASS_1, 100.0), (f"{SCHOOL_2}.c0101", 32.0)):
        for number in range(6):
            fields: dict[str, Value] = {"goodput_mbps": goodput + number, "limited_by": "none", "seconds": 10.0}
            tags = {"direction": "download", "server": "http://speed.example/"}
            world.add("throughput", device, at(MONDAY, f"11:{number:02}"), fields, tags)
    return world
