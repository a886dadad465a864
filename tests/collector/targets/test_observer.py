"""A Pi beside a panel proves the Pi: which proofs a target for classes may have, and which it may not."""

from pathlib import Path

import pytest

from collector.targets.check_conditions import OBSERVER_ALONE, observes
from collector.targets.load import load
from contract.errors import ConfigError
from firmware_profiles.library import Library

PRESENCE = "{reading: presence.wan, at_least: 1}"
POWER = '{reading: display.power, equals: ["on"]}'
SCREEN = "{reading: usage.display_on, at_least: 1}"
SESSION = "{reading: usage.session_active, at_least: 1}"
PROBE = "{reading: probe.success, where: {kind: icmp}, at_least: 1}"
FIRMWARE = "{reading: firmware.compliant, at_least: 1}"
OWN_PI = """
id: our-pi
title: {zh: 我们的派, en: Our Pi}
role: classroom
verified: false
extends: generic-linux
"""


def is_refused(folder: Path, proof: str, unit: str = "class") -> bool:
    """Tell whether a target with this one proof is refused because an observer alone could satisfy it."""
    file = folder / "targets.yaml"
    file.write_text(
        "id: p\ntitle: {zh: 计划, en: Plan}\nsource: S\ntargets:\n"
        f"  - {{id: a, title: {{zh: 甲, en: A}}, unit: {unit}, hours: lessons, rule: {{days: 0.9}}, share: 1.0,\n"
        f"     good_when: [{proof}]}}\n",
        encoding="utf-8",
    )
    try:
        load(file, [folder / "profiles"])
    except ConfigError as error:
        assert [(one.path, one.message) for one in error.problems] == [("targets[0].good_when[0]", OBSERVER_ALONE)]
        return True
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a profile of an operator, which extends that of a classroom computer."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/our-pi.yaml").write_text(OWN_PI, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("profiles", "condition", "refused"),
    [
        # an agent on the platform itself: its presence is the platform's
        ("windows-classroom-pc", PRESENCE, False),
        ("generic-linux", PRESENCE, False),
        ("generic-linux, windows-classroom-pc", PROBE, False),
        # a machine beside it: only what it reads of a screen
        ("raspberry-pi", PRESENCE, True),
        ("raspberry-pi-4", PROBE, True),
        ("raspberry-pi-5", SESSION, True),
        ("raspberry-pi", FIRMWARE, True),
        ("raspberry-pi", SCREEN, False),
        ("our-pi", PRESENCE, True),  # what a profile observes is never inherited
        # a device that is asked over the network: what was read of it
        ("pjlink-panel", PRESENCE, True),
        ("pjlink-panel", POWER, False),
        ("ping-only", PROBE, False),
        # several: each of them must be proven
        ("generic-linux, raspberry-pi", PRESENCE, True),
        ("generic-linux, pjlink-panel", PRESENCE, True),
        ("generic-linux, pjlink-panel", POWER, False),
        # any profile: that of a Pi among them
        ("", PRESENCE, True),
        ("", PROBE, True),
        ("", SESSION, True),
        ("", POWER, False),
        ("", SCREEN, False),
        ("", f"{PRESENCE}, {PROBE}", True),
        ("", f"{PRESENCE}, {POWER}", False),
    ],
)
def test_proofs_of_a_class(folder: Path, profiles: str, condition: str, refused: bool) -> None:
    """What an observer can satisfy without the platform is no proof of a class."""
    assert is_refused(folder, f"{{profile: [{profiles}], all: [{condition}]}}") is refused


def test_one_good_proof_does_not_excuse_another(folder: Path) -> None:
    """Proofs are alternatives: the weakest decides."""
    proof = f"{{all: [{PRESENCE}]}}, {{profile: [pjlink-panel], all: [{POWER}]}}"
    assert is_refused(folder, proof)


def test_a_device_is_proven_by_its_own_presence(folder: Path) -> None:
    """The rule is about classes: a target for devices may ask for the device itself."""
    assert not is_refused(folder, f"{{all: [{PRESENCE}]}}", unit="device")


def test_the_scope_may_limit_what_proofs_do_not(folder: Path) -> None:
    """A target for one kind of platform alone need not say so twice."""
    file = folder / "targets.yaml"
    text = (
        "id: p\ntitle: {zh: 计划, en: Plan}\nsource: S\ntargets:\n"
        "  - {id: a, title: {zh: 甲, en: A}, unit: class, scope: {profile: [generic-linux]}, rule: {reporting: true},\n"
        "     share: 1.0}\n"
        "  - {id: b, title: {zh: 乙, en: B}, unit: class, scope: {profile: [generic-linux]}, hours: lessons,\n"
        f"     good_when: [{{all: [{PRESENCE}]}}], rule: {{days: 0.9}}, share: 1.0}}\n"
    )
    file.write_text(text, encoding="utf-8")
    assert len(load(file).targets) == 2
    file.write_text(text.replace("generic-linux", "raspberry-pi"), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(file)
    assert [problem.path for problem in error.value.problems] == [
        "targets[0].rule.reporting",
        "targets[1].good_when[0]",
    ]


def test_what_shipped_profiles_observe() -> None:
    """Computers of classrooms are the platform, nothing of the Raspberry Pi is."""
    library = Library()
    marks = {name: observes(library, name) for name in library.ids()}
    assert {name for name, mark in marks.items() if mark == "itself"} == {"generic-linux", "windows-classroom-pc"}
    assert {name for name, mark in marks.items() if mark == "remote"} == {
        "ping-only",
        "pjlink-panel",
        "pjlink-projector",
    }
    assert observes(library, "no-such-profile") == "beside"
