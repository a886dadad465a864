"""`santong verify` with further rates, as people and scripts see them: rates.md on the screen and as JSON."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.store.open import open_store
from tests.collector.commands import run
from tests.collector.verification import rates_world
from tests.collector.verification.rates_world import AP_1, AP_2, AP_3, DEVICES, PC_2, PC_3, PROJECTOR, SITES
from tests.collector.verification.world import MONDAY, SCHOOL_1, SCHOOL_2, WEDNESDAY

CALENDARS = """
zone: Asia/Shanghai
holidays: none
default: school
calendars:
  school:
    title: {zh: 学校, en: School}
    service: 08:00-12:00
    lessons: {mon-fri: [08:20-09:00, 09:10-09:50]}
    follows_holidays: false
"""
TARGETS = """
id: ours
title: {zh: 我们的目标, en: Our targets}
source: 合同
targets:
  - id: available
    title: {zh: 班级可用, en: Classes are available}
    scope: {role: [classroom]}
    unit: class
    hours: service
    good_when: [{profile: [windows-classroom-pc], all: [{reading: presence.lan, at_least: 1}]}]
    rule: {availability: 0.95}
    share: 1.0
    definition: {zh: 服务时间内 95% 可用, en: available for 95 % of service}
"""
SCREEN_EN = """
contracts by operator (80 % of the contracted rate)
operator ┃ kept ┃ broken ┃ unproven ┃ without a rate
电信     │    1 │      0 │        0 │              1
移动     │    0 │      1 │        0 │              0
  broken: 英德二中  32.0 / 50 Mbit/s
the way into hotspots
  journeys that came through: 2 / 3 (66.6 %)   could not be asked: 1
  login page reached: 1 / 2 (50 %)
  tests with the least rate of a user: 1 / 2 (50 %)
stage      ┃ asked ┃ failed ┃ half within ┃ 95 % within
scan       │     3 │      0 │    2,000 ms │    2,000 ms
signal     │     3 │      0 │           – │           –
associate  │     3 │      0 │      600 ms │      600 ms
DHCP       │     3 │      1 │      100 ms │      100 ms
DNS        │     2 │      0 │       50 ms │       50 ms
login page │     2 │      0 │      200 ms │      200 ms
page       │     1 │      0 │      300 ms │      300 ms
equipment
  as the roster says: 4 / 8 (50–87.5 %)   another model: 1   model not known: 1   never seen: 2
    441802-3144001234.p0701  pjlink-projector → pjlink-panel
    441802-9000000001.ap2  never seen
    441881-3144005678.c0101  never seen
firmware
model          ┃ good ┃ behind ┃ unknown ┃  share ┃ versions
openwrt        │    0 │      1 │       1 │ 0–50 % │ 21.02.3 × 1
raspberry-pi-4 │    1 │      0 │       0 │  100 % │ 12 × 1
use in lessons
lesson ┃ used ┃ not used ┃ unknown ┃       share ┃ screen on
1      │    1 │        1 │       7 │ 11.1–88.8 % │         –
2      │    2 │        1 │       6 │ 22.2–88.8 % │     100 %
completeness of delivery
  came: 13 (76.4 %)   missing: 4   agents without a gap: 2 / 4
    441802-9000000001.ap1  missing 3 / 6
    441802-3144001234.c0702  missing 1 / 3
reporting
  reported: 6 / 8
  devices silent for two days of service or more: 4
"""


@pytest.fixture
def question(url: str, tmp_path: Path) -> Sequence[object]:
    """Fill a store with the world of rates.md; return the command that asks about it."""
    store = open_store(url)
    store.prepare()
    rates_world.world().write(store)
    store.close()
    (tmp_path / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
    (tmp_path / "targets.yaml").write_text(TARGETS, encoding="utf-8")
    sites = [(one.id, one.name, str(one.kind), one.operator, str(one.contracted_mbps or "")) for one in SITES]
    _save(tmp_path / "sites.csv", ("site", "name", "kind", "operator", "contracted_mbps"), sites)
    devices = [(one.id, one.role, one.room_id, one.class_name, one.profile, one.agent) for one in DEVICES]
    _save(tmp_path / "devices.csv", ("device", "role", "room_id", "class_name", "profile", "agent"), devices)
    files = ("--roster", tmp_path / "sites.csv", "--roster", tmp_path / "devices.csv")
    days = ("--from", MONDAY, "--to", WEDNESDAY)
    return ("verify", "--data", tmp_path, "--store", url, "--targets", tmp_path / "targets.yaml", *files, *days)


def _save(file: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows([head, *rows])


def tree(question: Sequence[object], *more: str) -> dict[str, Any]:
    """Return what --json prints; the class that was off all Tuesday fails the target."""
    found: dict[str, Any] = json.loads(run(*question, "--json", *more, code=1)[0])
    return found


def lines(text: str) -> list[str]:
    """Return the lines of a screen that say something, without the rules of tables."""
    return [line.rstrip() for line in text.splitlines() if line.strip(" ━╇─┼")]


def test_the_screen_has_a_section_for_each_rate(question: Sequence[object]) -> None:
    """Below the verdicts stands each line of SCREEN_EN; who is silent is named with days and when it was seen last."""
    shown = lines(run(*question, "--lang", "en", code=1)[0])
    wanted = lines(SCREEN_EN)
    assert shown[shown.index(wanted[0]) :][: len(wanted)] == wanted
    silent = shown[-4:]
    assert [line.split()[0] for line in silent] == [AP_2, PC_3, AP_3, AP_1]
    assert "3 days of service  never seen" in silent[0]
    assert f"2 days of service  last seen {MONDAY} 10:00" in silent[2]


def test_the_screen_in_chinese(question: Sequence[object]) -> None:
    """The same sections in Chinese; no English word of the glossary is left."""
    shown = lines(run(*question, "--lang", "zh", code=1)[0])
    for line in (
        "运营商履约（达到签约速率的 80%）", "  违约: 英德二中  32.0 / 50 Mbit/s", "热点入网",
        "  入网走完全程: 2 / 3 (66.6%)   无法探测: 1", "设备核对",
        "  与台账相符: 4 / 8 (50–87.5%)   型号不符: 1   型号未知: 1   从未出现: 2", "固件", "课堂使用",
        "1      │    1 │      1 │    7 │ 11.1–88.8% │      –", "数据送达完整性",
        "  送达: 13 (76.4%)   缺失: 4   无缺失的采集程序: 2 / 4", "上报", "  已上报: 6 / 8",
        f"    {AP_3}  2 个服务日  最近在线 {MONDAY} 10:00",
    ):  # fmt: skip
        assert line in shown
    after = "\n".join(shown[shown.index("热点入网") :])
    assert not {"used", "missing", "never", "stage", "lesson"} & set(after.split())


def test_json_has_all_rates(question: Sequence[object]) -> None:
    """Counts, intervals, names and times as docs/verify.md has them."""
    found = tree(question)
    rates = found["rates"]
    assert list(rates) == ["operators", "journeys", "equipment", "firmware", "usage", "reporting", "delivery"]
    assert found["at_risk"] == rates["reporting"]["at_risk"]
    assert found["at_risk"][2] == {"device": AP_3, "days": 2, "last_seen": f"{MONDAY}T10:00:00+08:00"}
    assert found["at_risk"][0] == {"device": AP_2, "days": 3, "last_seen": None}
    kept, broken = rates["operators"]
    assert (kept["operator"], kept["rate"], kept["no_contract"]) == ("电信", {"low": 1.0, "high": 1.0}, 1)
    assert broken["sites"][0]["figures"]["upper_mbps"] == 34
    join = rates["journeys"]["total"][0]
    assert (join["kind"], join["journeys"], join["done"], join["unable"]) == ("wifi_join", 3, 2, 1)
    assert join["failed"] == {"dhcp": 1}
    assert join["stages"][3] | {"p50_ms": 0, "p95_ms": 0} == {
        "stage": "dhcp", "asked": 3, "passed": 2, "failed": 1, "p50_ms": 0, "p95_ms": 0,
    }  # fmt: skip
    assert list(rates["journeys"]["sites"]) == [rates_world.SQUARE]
    assert rates["equipment"]["other"] == [
        {"device": PROJECTOR, "wanted": "pjlink-projector", "seen": "pjlink-panel"}
    ]  # fmt: skip
    assert rates["equipment"]["rate"] == {"low": 0.5, "high": 0.875}
    openwrt = next(one for one in rates["firmware"] if one["profile"] == "openwrt")
    assert (openwrt["behind"], openwrt["unknown"], openwrt["versions"]) == (1, 1, {"21.02.3": 1})
    assert [one["lesson"] for one in rates["usage"]["lessons"]] == [1, 2]
    assert rates["usage"]["lessons"][1]["active"] == 0.5
    assert set(rates["usage"]["sites"]) == {SCHOOL_1, SCHOOL_2}
    assert (rates["delivery"]["batches"], rates["delivery"]["missing"]) == (13, 4)
    assert {"agent": PC_2, "batches": 2, "missing": 1, "share": 2 / 3} in rates["delivery"]["agents"]


def test_rates_that_take_long_can_be_left_out(question: Sequence[object]) -> None:
    """With --no-rates three rates are null, and the screen says which and how to have them; the others stand."""
    rates = tree(question, "--no-rates")["rates"]
    assert [name for name, found in rates.items() if found is None] == ["journeys", "usage", "delivery"]
    assert rates["equipment"]["right"] == 4
    shown, _ = run(*question, "--no-rates", "--lang", "en", code=1)
    last = (
        "not read (that much takes minutes: --rates): the way into hotspots, use in lessons, completeness of delivery"
    )
    assert lines(shown)[-1] == last
    assert "stage" not in shown
