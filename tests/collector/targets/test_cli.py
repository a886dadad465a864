"""`santong targets`, as people and scripts use it: real programs, clear words, exit codes that mean it."""

import json
from pathlib import Path

from collector.targets.load import SHIPPED
from tests.collector.commands import run

FILE = """
id: ours
title: {zh: 我们的目标, en: Our targets}
source: 合同
targets:
  - id: panels
    title: {zh: 平板, en: Panels}
    unit: class
    hours: lessons
    good_when: [{profile: [our-panel], all: [{reading: presence.wan, at_least: 1}]}]
    rule: {days: 0.9}
    share: 0.95
    at_least: 20
"""
PROFILE = """
id: our-panel
title: {zh: 平板, en: Panel}
role: classroom
verified: false
observes: itself
extends: generic-linux
"""


def test_the_shipped_targets_are_fine() -> None:
    """Without a file the shipped programme is checked."""
    assert run("targets", "check")[0] == "qingyuan-2014-2016: 14 measured and 17 declared targets are fine\n"
    assert run("targets", "check", SHIPPED)[0] == run("targets", "check")[0]


def test_targets_are_listed() -> None:
    """A line each: project, deadline, unit, rule, how many, title, in the language asked for."""
    lines = {line.split()[0]: line for line in run("targets", "list", "--lang", "en")[0].splitlines()}
    cells = [cell.strip() for cell in lines["banbantong"].split("│")]
    assert cells[:7] == [
        "banbantong", "7", "2016-12-31", "measured", "class", "40 min of lessons · of school days ≥ 90 %", "100 %",
    ]  # fmt: skip
    assert [cell.strip() for cell in lines["free-wifi-centre"].split("│")][4:7] == ["device", "works ≥ 95 %", "≥ 270"]
    assert "not declared yet" in lines["cable-tv"]
    assert "download ≥ 100 Mbit/s" in lines["broadband-urban"]
    assert "班级多媒体" in run("targets", "list", "--lang", "zh")[0]


def test_targets_for_scripts() -> None:
    """--json has the whole programme as plain values."""
    programme = json.loads(run("targets", "list", "--json")[0])
    by_id = {one["id"]: one for one in programme["targets"]}
    assert len(by_id) == 31
    assert by_id["free-wifi-centre"]["deadline"] == "2014-06-30"
    assert by_id["banbantong"]["good_when"][1]["all"][0]["otherwise"]["standby"] == "asleep"


def test_an_operators_own_file_and_profiles(tmp_path: Path) -> None:
    """A target may name profiles of the operator's folder; without it they are not known."""
    file, folder = tmp_path / "targets.yaml", tmp_path / "profiles"
    folder.mkdir()
    file.write_text(FILE, encoding="utf-8")
    (folder / "our-panel.yaml").write_text(PROFILE, encoding="utf-8")
    assert run("targets", "check", file, "--folder", folder)[0] == "ours: 1 measured and 0 declared targets are fine\n"
    assert "≥ 95 %, ≥ 20" in run("targets", "list", file, "--folder", folder, "--lang", "en")[0]
    said = run("targets", "check", file, code=1)[1].splitlines()
    assert said[1] == f"{file}:10: targets[0].good_when[0].profile[0]: there is no profile 'our-panel'"
    assert run("targets", "list", file, code=2)[1].splitlines() == said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Exit code 2: wrong use, not a wrong file."""
    assert run("targets", "check", tmp_path / "none.yaml", code=2)[1] == f"{tmp_path}/none.yaml: no such file\n"
